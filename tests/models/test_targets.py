"""What a target may be: pinned keys, allow-listed commands, ranges and pages, and what each kind takes."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from models.targets import (
    USES,
    CommandTarget,
    HttpTarget,
    LogsTarget,
    Parameter,
    SshTarget,
    Target,
    argv_defects,
    collecting,
    key_of_line,
    kind_of,
    optional_of,
    parameters_of,
    place_of,
)

TYPE = b"ssh-ed25519"
KEY = base64.b64encode(len(TYPE).to_bytes(4, "big") + TYPE + b"\0\0\0\x20" + b"k" * 32).decode()
LINE = f"ssh-ed25519 {KEY}"
PRINT = "SHA256:" + "A" * 43


def ssh(**fields: Any) -> SshTarget:
    shape: dict[str, Any] = {
        "kind": "ssh",
        "host": "web1",
        "user": "u",
        "key": "file:k",
        "host_keys": [PRINT],
    }
    if not {"argv", "paths"} & set(fields):
        shape["argv"] = ["last"]
    return SshTarget.model_validate(shape | fields)


def logs(**fields: Any) -> LogsTarget:
    return LogsTarget.model_validate({"kind": "logs", "url": "https://logs.example:8443/v1", **fields})


@pytest.mark.parametrize(
    ("line", "known"),
    [
        pytest.param(LINE, True, id="as in a .pub file"),
        pytest.param(f"web1,10.0.0.1 {LINE} a comment", True, id="as in known_hosts"),
        pytest.param(f"ecdsa-sha2-nistp256 {KEY}", False, id="a type that the key is not of"),
        pytest.param("ssh-ed25519 not*base64", False, id="no base64"),
        pytest.param("ssh-ed25519", False, id="no key"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_a_key_is_read_from_its_line(line: str, known: bool) -> None:
    assert (key_of_line(line) is not None) is known
    if line:
        pinned = {"host_keys": [f"  {line}  "]}
        if known:
            assert ssh(**pinned).host_keys == (" ".join(line.split()),)
        else:
            with pytest.raises(ValidationError, match="as the host's administrator gives it"):
                ssh(**pinned)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"host_keys": []}, "at least 1", id="no pinned key"),
        pytest.param({"password": "env:P"}, "either `key` or", id="two ways in"),
        pytest.param({"key": None}, "either `key` or", id="no way in"),
        pytest.param({"argv": [], "paths": []}, "either a command", id="nothing to take"),
        pytest.param({"argv": ["a"], "paths": ["/b"]}, "either a command", id="two things to take"),
        pytest.param({"argv": ["last", "{who}"]}, "not among the parameters", id="an unknown parameter"),
        pytest.param({"paths": ["/a"], "parameters": {"x": {}}}, "only a command", id="parameters of files"),
        pytest.param({"paths": ["var/log"]}, "absolute path", id="a relative path"),
        pytest.param({"paths": ["/var/*/a"]}, "absolute path", id="a wildcard in a folder"),
        pytest.param({"paths": ["/var/../a"]}, "absolute path", id="a way up"),
        pytest.param({"paths": ["/var/log/"]}, "absolute path", id="no name"),
    ],
)
def test_a_host_that_is_wrong_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ssh(**fields)


def test_files_of_a_host_have_wildcards_in_the_last_part() -> None:
    assert ssh(paths=["/var/log/auth.log*", "/etc/hosts"]).paths == ("/var/log/auth.log*", "/etc/hosts")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"url": "http://logs.example/", "secret": "env:T"}, "https", id="a secret in clear"),
        pytest.param({"next": "a", "page_as": "p", "items": "i"}, "either `next` or", id="two ways to page"),
        pytest.param({"page_as": "p"}, "items", id="counted pages without an end"),
        pytest.param({"next_as": "c"}, "no `next`", id="a cursor from nowhere"),
    ],
)
def test_logs_that_are_wrong_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        logs(**fields)


def test_a_secret_may_go_to_this_machine_in_clear() -> None:
    here = {"kind": "http", "url": "http://127.0.0.1:1/x", "secret": "env:T"}
    assert HttpTarget.model_validate(here).secret == "env:T"  # noqa: S105 - a reference
    with pytest.raises(ValidationError, match="https"):
        HttpTarget.model_validate(here | {"url": "http://elsewhere/x"})


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("last", "--user={who}", "{who}"), ()),
        (("{who}",), ("the program itself",)),
        (("last", "x{who}"), ("a whole argument",)),
        (("last", "{other}", "{who}"), ("not among the parameters",)),
        (("last",), ("used nowhere",)),
    ],
)
def test_an_allow_listed_command_is_looked_at_itself(argv: tuple[str, ...], said: tuple[str, ...]) -> None:
    found = argv_defects(argv, {"who": Parameter()})
    assert len(found) >= len(said)
    assert all(any(words in one for one in found) for words in said)
    assert bool(found) is bool(said)


EACH: list[tuple[dict[str, Any], str | None, str]] = [
    ({"kind": "http", "url": "https://a/"}, None, ""),
    ({"kind": "command", "argv": ["who"]}, None, ""),
    ({"kind": "command", "argv": ["who"], "preserve": True}, "command.run", ""),
    ({"kind": "files", "root": "/srv"}, "file.collect", ""),
    ({"kind": "logs", "url": "https://u:p@logs.example:8443/v1"}, "logs.collect", "logs.example:8443"),
    ({"kind": "slack"}, "slack.collect", ""),
    ({"kind": "mail"}, "mail.collect", ""),
]


@pytest.mark.parametrize(("shape", "use", "place"), EACH)
def test_each_kind_says_how_it_is_collected_from_and_where_it_is(
    shape: dict[str, Any], use: str | None, place: str
) -> None:
    target: Target = TypeAdapter(Target).validate_python(shape)
    assert (collecting(target), place_of(target)) == (use, place)
    assert kind_of(type(target)) == shape["kind"]
    assert parameters_of(target) == {}
    assert type(target) in set(USES.values())


def test_a_host_is_named_with_its_port_if_that_is_not_the_usual_one() -> None:
    assert (place_of(ssh()), place_of(ssh(port=2222))) == ("web1", "web1:2222")
    assert collecting(ssh()) == "ssh.collect"


def test_what_narrows_a_collection_down_may_be_given_and_need_not() -> None:
    assert optional_of(logs()) == ("from", "until")
    assert optional_of(CommandTarget(kind="command", argv=("who",))) == ()
    assert set(parameters_of(logs(parameters={"tenant": {}}))) == {"tenant"}
