"""`ssh.collect` against a real SSH server: the pinned key, log-in, commands, caps, time, broken lines."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from pydantic import ValidationError

from flows.actions import ActionContext, ActionResult, CollectedItem, run
from models.errors import ActionFailed, SourceUnreachable
from models.targets import SshTarget
from tests.flows.sshserver import USER, SshHost


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SshHost]:
    with SshHost(tmp_path / "host") as made:
        yield made


@pytest.fixture
def context(host: SshHost, tmp_path: Path) -> ActionContext:
    return make_context(host, tmp_path)


def make_context(host: SshHost, tmp_path: Path, seconds: float = 20.0) -> ActionContext:
    return ActionContext(
        evidence_dir=tmp_path / "evidence",
        secrets=host.secret,
        base=tmp_path,
        now=datetime.now(UTC),
        timeout_seconds=seconds,
        idempotency_key="INC-2026-0001/collect/1",
    )


def target(host: SshHost, **fields: Any) -> SshTarget:
    shape: dict[str, Any] = {
        "kind": "ssh",
        "host": "127.0.0.1",
        "port": host.port,
        "user": USER,
        "key": "file:key",
        "host_keys": [host.pin],
    }
    if "paths" not in fields:
        shape["argv"] = ["echo", "hello"]
    return SshTarget.model_validate({**shape, **fields})


async def collect(context: ActionContext, wanted: SshTarget, **params: str) -> ActionResult:
    return await run("ssh.collect", wanted, params, context)


def stored(context: ActionContext, item: CollectedItem) -> bytes:
    return (context.evidence_dir / item.stored).read_bytes()


def objects(context: ActionContext) -> list[Path]:
    return [path for path in context.evidence_dir.rglob("*") if path.is_file()]


async def test_the_output_of_a_command_is_evidence_with_its_custody_fields(
    host: SshHost, context: ActionContext
) -> None:
    result = await collect(context, target(host))
    [item] = result.evidence
    assert stored(context, item) == b"hello\n"
    assert (result.outputs["exit_code"], result.outputs["partial"], item.problem) == ("0", "no", None)
    assert item.source == f"ssh://{USER}@127.0.0.1:{host.port}: echo hello"
    assert item.host == f"127.0.0.1:{host.port}"
    assert "echo hello" in item.tool
    assert datetime.fromisoformat(item.collected_at) >= context.now
    assert item.offset_ms is not None
    assert abs(item.offset_ms) < 2_000
    assert host.ran == ["date -u +%s.%N", "echo hello"]
    assert context.kept == [item]


async def test_a_clock_that_is_wrong_there_is_measured(host: SshHost, context: ActionContext) -> None:
    (host.folder / "date").write_text("#!/bin/sh\nexec /bin/date -u -d '90 seconds' +%s.%N\n")
    (host.folder / "date").chmod(0o755)
    os.environ["PATH"], before = f"{host.folder}:{os.environ['PATH']}", os.environ["PATH"]
    try:
        [item] = (await collect(context, target(host))).evidence
    finally:
        os.environ["PATH"] = before
    assert item.offset_ms is not None
    assert 88_000 < item.offset_ms < 92_000


async def test_a_host_that_tells_no_time_is_collected_from_all_the_same(
    host: SshHost, context: ActionContext
) -> None:
    [item] = (await collect(context, target(host, measure_clock=False))).evidence
    assert item.offset_ms is None
    assert host.ran == ["echo hello"]


async def test_arguments_are_quoted_for_the_shell_on_the_other_side(
    host: SshHost, context: ActionContext
) -> None:
    wanted = target(
        host, argv=["printf", "%s|", "a b", "{who}", "--user={who}"], parameters={"who": {"type": "text"}}
    )
    evil = "$(touch owned); `touch owned` ' \" | touch owned & *"
    [item] = (await collect(context, wanted, who=evil)).evidence
    assert stored(context, item).decode() == f"a b|{evil}|--user={evil}|"
    assert not (host.folder / "owned").exists()
    with pytest.raises(ActionFailed, match="must not start with a dash"):
        await collect(context, wanted, who="-rf")


async def test_a_password_and_a_fingerprint_do_as_well(host: SshHost, context: ActionContext) -> None:
    wanted = target(host, key=None, password="env:PASSWORD", host_keys=[host.fingerprint])  # noqa: S106
    assert (await collect(context, wanted)).outputs["partial"] == "no"


async def test_another_host_key_ends_it_before_anything_is_said(
    host: SshHost, context: ActionContext
) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519")
    for pin in (other.export_public_key().decode().strip(), other.get_fingerprint()):
        with pytest.raises(SourceUnreachable, match="not pinned") as refused:
            await collect(context, target(host, host_keys=[pin]))
        assert host.fingerprint in str(refused.value)
    assert (host.seen, host.ran) == ([], [])
    assert objects(context) == []


async def test_a_key_of_another_type_than_the_pinned_one_is_not_taken(
    host: SshHost, context: ActionContext
) -> None:
    pin = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode().strip()
    with pytest.raises(SourceUnreachable):
        await collect(context, target(host, host_keys=[pin]))
    assert host.seen == []


@pytest.mark.parametrize("way", ["key", "password"])
async def test_a_log_in_that_is_refused_names_the_user_and_no_secret(
    host: SshHost, context: ActionContext, way: str
) -> None:
    host.secrets["file:key"] = (
        asyncssh.generate_private_key("ssh-ed25519").export_private_key("openssh").decode()
    )
    host.secrets["env:PASSWORD"] = "wrong-one"
    fields = {} if way == "key" else {"key": None, "password": "env:PASSWORD"}
    with pytest.raises(SourceUnreachable, match=f"does not let {USER} in") as refused:
        await collect(context, target(host, **fields))
    assert "wrong-one" not in str(refused.value)
    assert "PRIVATE" not in str(refused.value)
    assert host.ran == []


@pytest.mark.parametrize("content", ["", "no key", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"])
async def test_a_private_key_that_cannot_be_read_is_told_before_connecting(
    host: SshHost, context: ActionContext, content: str
) -> None:
    host.secrets["file:key"] = content
    with pytest.raises(ActionFailed, match="no private key") as wrong:
        await collect(context, target(host))
    assert not isinstance(wrong.value, SourceUnreachable)
    assert host.connections == []


async def test_a_missing_secret_is_told_before_connecting(host: SshHost, context: ActionContext) -> None:
    with pytest.raises(ActionFailed, match="cannot be read"):
        await collect(context, target(host, key="file:other"))
    assert host.connections == []


async def test_a_host_that_is_not_there_is_unreachable(host: SshHost, context: ActionContext) -> None:
    wanted = target(host)
    host.__exit__()
    with pytest.raises(SourceUnreachable, match="not reached"):
        await collect(context, wanted)


async def test_something_that_speaks_no_ssh_is_unreachable(host: SshHost, context: ActionContext) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 40)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(SourceUnreachable, match="no SSH there"):
        await collect(context, target(host, port=port))
    server.close()
    await server.wait_closed()


async def test_another_exit_code_fails_and_the_output_is_kept_and_marked(
    host: SshHost, context: ActionContext
) -> None:
    with pytest.raises(ActionFailed, match=r"code 3; it said: oh no.*kept as sha256:"):
        await collect(context, target(host, argv=["sh", "-c", "echo part; echo oh no >&2; exit 3"]))
    [item] = context.kept
    assert (stored(context, item), item.problem) == (b"part\n", "the command ended with code 3")


async def test_output_beyond_the_cap_is_cut_and_marked_and_the_command_ends(
    host: SshHost, context: ActionContext
) -> None:
    result = await collect(context, target(host, argv=["yes"], max_bytes=100_000))
    [item] = result.evidence
    assert (item.size, item.problem, result.outputs["partial"]) == (100_000, "cut after 100000 bytes", "yes")
    assert stored(context, item) == (b"y\n" * 50_000)
    await _ended(host, "yes")


async def test_a_command_that_never_ends_is_left_at_its_time_and_closed_on_the_other_side(
    host: SshHost, tmp_path: Path
) -> None:
    context = make_context(host, tmp_path, seconds=1.5)
    line = "echo first; exec sleep 60"
    result = await collect(context, target(host, argv=["sh", "-c", line]))
    [item] = result.evidence
    assert stored(context, item) == b"first\n"
    assert item.problem == "the time of 1.5 s is over, the command had not ended"
    assert result.outputs["exit_code"] == "-"
    await _ended(host, line)
    assert host.signals == ["TERM"]


async def test_a_command_that_says_nothing_until_its_time_is_over_has_preserved_nothing(
    host: SshHost, tmp_path: Path
) -> None:
    context = make_context(host, tmp_path, seconds=1.0)
    with pytest.raises(ActionFailed, match=r"nothing was collected from .*the time of 1 s is over"):
        await collect(context, target(host, argv=["sleep", "60"]))
    assert context.kept == []


async def _ended(host: SshHost, words: str) -> None:
    """Within five seconds the command is no more on the other side."""
    for _ in range(100):
        if any(words in line for line in host.ended):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(host.ended)


async def test_a_line_that_breaks_in_the_middle_leaves_a_marked_part(
    host: SshHost, context: ActionContext
) -> None:
    wanted = target(host, argv=["sh", "-c", "echo before the cut; sleep 30"], measure_clock=False)
    running = asyncio.create_task(collect(context, wanted))
    while not host.ran:
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)
    host.drop()
    with pytest.raises(SourceUnreachable, match=r"broke.*kept of it: sha256:"):
        await running
    [item] = context.kept
    assert stored(context, item) == b"before the cut\n"
    assert item.problem is not None
    assert "broke" in item.problem


async def test_a_cancelled_collection_lets_go_at_once_and_leaves_nothing(
    host: SshHost, context: ActionContext
) -> None:
    running = asyncio.create_task(collect(context, target(host, argv=["sleep", "60"])))
    while "sleep 60" not in host.ran:
        await asyncio.sleep(0.02)
    begun = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - begun < 5
    assert context.kept == []


async def test_much_on_standard_error_blocks_nothing(host: SshHost, context: ActionContext) -> None:
    line = "head -c 5000000 /dev/zero >&2; echo done"
    [item] = (await collect(context, target(host, argv=["sh", "-c", line]))).evidence
    assert stored(context, item) == b"done\n"


# -- files --------------------------------------------------------------------------------------------------


async def test_files_are_read_and_named_whatever_their_names_are(
    host: SshHost, context: ActionContext
) -> None:
    logs = host.folder / "log"
    logs.mkdir()
    large = os.urandom(3_000_000)
    (logs / "auth.log").write_bytes(large)
    (logs / "auth.log.1").write_bytes(b"old")
    (logs / "web.log").write_bytes(b"not asked for")
    Path(os.fsdecode(os.fsencode(logs) + b"/auth.log.\xff\n")).write_bytes(b"latin")
    (logs / "auth.log.証拠").write_bytes(b"kanji")
    result = await collect(context, target(host, paths=["/log/auth.log*"]))
    found = {item.name: stored(context, item) for item in result.evidence}
    assert found == {
        "log/auth.log": large,
        "log/auth.log.1": b"old",
        "log/auth.log.\\xff\\n": b"latin",
        "log/auth.log.証拠": b"kanji",
    }
    assert {item.problem for item in result.evidence} == {None}
    assert result.evidence[0].source == f"sftp://{USER}@127.0.0.1:{host.port}/log/auth.log"


async def test_links_pipes_and_folders_are_left_alone_and_named(
    host: SshHost, context: ActionContext, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("outside")
    (host.folder / "a.log").write_text("fine")
    (host.folder / "b.log").symlink_to(tmp_path / "secret")
    os.mkfifo(host.folder / "c.log")
    (host.folder / "d.log").mkdir()
    result = await collect(context, target(host, paths=["/*.log"]))
    assert [item.name for item in result.evidence] == ["a.log"]
    assert {one.source: one.reason for one in result.left_out} == {
        "/b.log": "a symbolic link, not followed",
        "/c.log": "no regular file",
        "/d.log": "no regular file",
    }


async def test_a_file_that_changes_while_it_is_read_has_both_digests(
    host: SshHost, context: ActionContext
) -> None:
    file = host.folder / "app.log"
    file.write_bytes(b"x" * 2_000_000)

    def grow(made: SshHost, offset: int) -> None:
        made.on_read = None
        with file.open("ab") as more:
            more.write(b"one line more")

    host.on_read = grow
    [item] = (await collect(context, target(host, paths=["/app.log"]))).evidence
    assert item.problem is not None
    assert f"kept {item.digest}, afterwards sha256:" in item.problem


async def test_a_line_that_breaks_between_files_keeps_what_there_is(
    host: SshHost, context: ActionContext
) -> None:
    (host.folder / "a.log").write_bytes(b"whole")
    (host.folder / "b.log").write_bytes(b"y" * 20_000_000)

    def cut(made: SshHost, offset: int) -> None:
        if offset > 6_000_000:
            made.drop()

    host.on_read = cut
    with pytest.raises(SourceUnreachable, match="kept of it"):
        await collect(context, target(host, paths=["/*.log"]))
    first, second = context.kept
    assert (first.name, first.problem) == ("a.log", None)
    assert (second.name, second.problem) == ("b.log", "the connection broke, the rest is missing")
    assert 0 < second.size < 20_000_000
    assert stored(context, second) == b"y" * second.size


async def test_caps_on_files_and_bytes_are_marked(host: SshHost, context: ActionContext) -> None:
    for name in ("a.log", "b.log", "c.log"):
        (host.folder / name).write_bytes(b"12345")
    few = await collect(context, target(host, paths=["/*.log"], max_files=2))
    assert (few.outputs["files"], few.outputs["partial"]) == ("2", "yes")
    short = await collect(context, target(host, paths=["/*.log"], max_bytes=7))
    assert [item.size for item in short.evidence] == [5, 2]
    assert short.evidence[1].problem == "more than 7 bytes, the rest is missing"


async def test_nothing_that_fits_is_a_failure(host: SshHost, context: ActionContext) -> None:
    with pytest.raises(ActionFailed, match="nothing there fits"):
        await collect(context, target(host, paths=["/*.log"]))
    with pytest.raises(ActionFailed, match="/nowhere"):
        await collect(context, target(host, paths=["/nowhere/*.log"]))


# -- the target itself --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"host_keys": []}, "at least 1 item", id="no pinned key"),
        pytest.param({"host_keys": ["SHA256:abc"]}, "fingerprint", id="half a fingerprint"),
        pytest.param({"host_keys": ["ssh-ed25519 AAAA"]}, "fingerprint", id="half a key"),
        pytest.param({"password": "env:P"}, "either `key` or `password`", id="two ways in"),
        pytest.param({"key": None}, "either `key` or `password`", id="no way in"),
        pytest.param({"argv": []}, "either a command", id="nothing to take"),
        pytest.param({"paths": ["/a"], "argv": ["b"]}, "either a command", id="two things to take"),
        pytest.param({"argv": ["last", "{who}"]}, "is not among the parameters", id="an unknown parameter"),
        pytest.param({"paths": ["var/log"]}, "absolute path", id="a relative path"),
        pytest.param({"paths": ["/var/*/a"]}, "absolute path", id="a wildcard in a folder"),
        pytest.param({"paths": ["/var/../a"]}, "absolute path", id="a way up"),
        pytest.param({"paths": ["/a"], "parameters": {"x": {}}}, "only a command", id="parameters of files"),
        pytest.param({"host": "-oProxyCommand=x y"}, "pattern", id="a host that is none"),
    ],
)
def test_a_target_that_is_wrong_is_refused(fields: dict[str, Any], said: str) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    shape = {"kind": "ssh", "host": "web1", "user": "u", "key": "file:k", "host_keys": [f"web1 {key}"]}
    if "paths" not in fields:
        shape["argv"] = ["last"]
    SshTarget.model_validate(shape | ({} if "argv" in shape else {"paths": ["/var/log/a"]}))
    with pytest.raises(ValidationError, match=said):
        SshTarget.model_validate({**shape, **fields})
