"""`hikeshi evidence collect`: a collector by hand, without a node."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from console.cli.progress import Progress
from console.opening import open_house
from models.fact import Fact
from models.reason import Reason
from tests.console.clihouse import Cli, cli
from tests.flows.sshserver import USER, SshHost

__all__ = ["cli"]
INC = "INC-2026-0001"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SshHost]:
    with SshHost(tmp_path / "host") as made:
        yield made


def facts(cli: Cli, *kinds: str) -> list[Fact]:
    with cli.house.record.read() as tx:
        return [fact for fact in tx.facts(INC) if fact.kind in kinds]


def declared(cli: Cli, targets: str = "") -> None:
    if targets:
        file = cli.directory / "targets.yaml"
        file.write_text(file.read_text() + targets, encoding="utf-8")
        cli.house.record.close()
        cli.house = open_house(cli.directory, cli.clock)
    assert cli.run("declare", "Files encrypted", "--playbook", "short").code == 3


def ssh_target(cli: Cli, host: SshHost, pin: str = "", what: str = "paths: [/*.log]") -> str:
    (cli.directory / "secrets").mkdir(exist_ok=True)
    (cli.directory / "secrets" / "key").write_text(host.secrets["file:key"])
    return f"""
  web1:
    kind: ssh
    host: 127.0.0.1
    port: {host.port}
    user: {USER}
    key: file:secrets/key
    host_keys: ["{pin or host.pin}"]
    {what}
"""


def test_files_are_collected_as_the_person_s_act_with_a_line_for_each(cli: Cli) -> None:
    declared(cli)
    answer = cli.done("evidence", "collect", INC, "log-archive", "--source", "auth-logs", "--step", "look")
    items = list(cli.house.desk.incident(INC).evidence.values())
    samples = [path for path in (cli.directory / "samples" / "log-archive").iterdir() if path.is_file()]
    assert len(items) == len([one for one in samples if one.suffix in {".json", ".log"}])
    assert {(one.source, one.by, one.step) for one in items} == {("auth-logs", "sato-kenji", "short/look")}
    assert all((cli.house.evidence / one.stored).is_file() for one in items)
    begun, ended = facts(cli, "collection.begun", "collection.ended")
    assert (begun.actor, ended.data["outcome"], ended.data["begun"]) == ("sato-kenji", "done", begun.seq)
    assert f"{len(items)} items" in answer.out


def test_a_host_is_collected_from_and_the_answer_is_json(cli: Cli, host: SshHost) -> None:
    (host.folder / "auth.log").write_bytes(b"a line\n")
    declared(cli, ssh_target(cli, host))
    answer = cli.run("--json", "evidence", "collect", INC, "web1")
    assert (answer.code, answer.json["accepted"]) == (0, True)
    [item] = cli.house.desk.incident(INC).evidence.values()
    assert (cli.house.evidence / item.stored).read_bytes() == b"a line\n"


def test_whoever_may_not_is_refused_before_anything_is_read(cli: Cli, host: SshHost) -> None:
    declared(cli, ssh_target(cli, host))
    answer = cli.run("evidence", "collect", INC, "web1", who="matsumoto")
    assert answer.code == 1
    assert host.connections == []
    assert facts(cli, "collection.begun", "evidence.added") == []
    with cli.house.record.read() as tx:
        refused = [fact for fact in tx.facts("house") if fact.kind == "refused"]
    assert refused[-1].data["reason"] == Reason.ROLE_MISSING.value


def test_a_host_that_shows_another_key_pages_somebody_and_exits_so(cli: Cli, host: SshHost) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    declared(cli, ssh_target(cli, host, pin=other))
    answer = cli.run("evidence", "collect", INC, "web1")
    assert answer.code == 3
    assert "not pinned" in answer.out + answer.err
    state = cli.house.desk.incident(INC)
    assert state.unreachable["web1"].times == 1
    [page] = [one for one in state.pages.values() if one.event == "source-unreachable"]
    assert (page.subject, page.state) == ("source:web1", "open")
    assert host.seen == []
    again = cli.run("evidence", "collect", INC, "web1")
    assert again.code == 1
    assert cli.house.desk.incident(INC).unreachable["web1"].times == 2


def test_what_was_taken_before_it_failed_is_kept(cli: Cli, host: SshHost) -> None:
    declared(cli, ssh_target(cli, host, what='argv: [sh, -c, "echo part; exit 4"]'))
    answer = cli.run("evidence", "collect", INC, "web1")
    assert answer.code == 1
    assert "code 4" in answer.err
    [item] = cli.house.desk.incident(INC).evidence.values()
    assert (item.partial, item.size) == (True, 5)
    [ended] = facts(cli, "collection.ended")
    assert (ended.data["outcome"], ended.data["taken"]) == ("failed", 1)


def test_what_was_whole_by_itself_says_that_the_collection_broke(cli: Cli, host: SshHost) -> None:
    for name in ("a.log", "b.log"):
        (host.folder / name).write_bytes(b"one line\n")
    reads: list[int] = []

    def cut(made: SshHost, offset: int) -> None:
        reads.append(offset)
        if len([one for one in reads if one == 0]) > 1:
            made.drop()

    host.on_read = cut
    declared(cli, ssh_target(cli, host))
    assert cli.run("evidence", "collect", INC, "web1").code == 3
    first = cli.house.desk.incident(INC).evidence["EV-0001"]
    assert (first.partial, first.secures) == (True, False)


def test_an_error_that_nobody_foresaw_loses_nothing_that_was_kept(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Progress.__call__

    def broken(self: Progress, done: int) -> None:
        told(self, done)
        if len(kept) == 1:
            raise ZeroDivisionError("nobody foresaw this")
        kept.append(done)

    kept: list[int] = []
    monkeypatch.setattr(Progress, "__call__", broken)
    declared(cli)
    with pytest.raises(ZeroDivisionError):
        cli.run("evidence", "collect", INC, "log-archive")
    [item] = cli.house.desk.incident(INC).evidence.values()
    [ended] = facts(cli, "collection.ended")
    assert (item.partial, ended.data["outcome"], ended.data["taken"]) == (True, "failed", 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["nowhere"], "log-archive", id="a target that there is not"),
        pytest.param(["firewall-api"], "log-archive", id="a target that is no source"),
        pytest.param(["log-archive", "--from", "2026-11-23T03:00"], "offset|zone|\\+09:00", id="no offset"),
        pytest.param(["log-archive", "--param", "x"], "x", id="a parameter without a value"),
        pytest.param(["log-archive", "--within", "soon"], "30m", id="a span that is none"),
    ],
)
def test_wrong_usage_begins_nothing(cli: Cli, arguments: list[str], said: str) -> None:
    declared(cli)
    answer = cli.run("evidence", "collect", INC, *arguments)
    assert answer.code == 2
    assert re.search(said, answer.err)
    assert facts(cli, "collection.begun") == []


def test_an_unknown_step_or_incident_begins_nothing(cli: Cli) -> None:
    declared(cli)
    assert cli.run("evidence", "collect", INC, "log-archive", "--step", "nope").code == 1
    assert cli.run("evidence", "collect", "INC-2026-0999", "log-archive").code == 1
    assert facts(cli, "collection.begun") == []


def test_nothing_to_collect_is_on_record(cli: Cli) -> None:
    declared(cli)
    shutil.rmtree(cli.directory / "samples" / "log-archive")
    answer = cli.run("evidence", "collect", INC, "log-archive")
    assert answer.code == 1
    assert "cannot be opened" in answer.err
    [ended] = facts(cli, "collection.ended")
    assert ended.data["outcome"] == "failed"


def test_the_log_says_it_in_both_languages(cli: Cli) -> None:
    declared(cli)
    cli.done("evidence", "collect", INC, "log-archive")
    said: dict[str, Any] = {lang: cli.run("log", INC, lang=lang).out for lang in ("en", "ja")}
    assert "collecting from log-archive" in said["en"]
    assert "log-archive から証拠を収集開始" in said["ja"]
