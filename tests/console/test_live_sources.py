"""`hikeshi check --live` tries what evidence is collected from: hosts, log APIs, the mailbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from console.live import look
from console.opening import House
from models.targets import Targets
from tests.console.clihouse import Cli, cli
from tests.console.imapserver import ImapServer
from tests.flows.sshserver import USER, SshHost

__all__ = ["cli"]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SshHost]:
    with SshHost(tmp_path / "host") as made:
        yield made


def with_targets(cli: Cli, targets: dict[str, Any], **settings: Any) -> House:
    (cli.directory / "key").write_text(settings.pop("key", ""))
    institution = cli.house.institution
    known = institution.settings.model_validate(institution.settings.model_dump() | settings)
    changed = replace(institution, targets=Targets.model_validate({"targets": targets}), settings=known)
    return replace(cli.house, institution=changed)


def ssh(host: SshHost, **fields: Any) -> dict[str, Any]:
    return {
        "kind": "ssh", "host": "127.0.0.1", "port": host.port, "user": USER, "key": "file:key",
        "host_keys": [host.pin], "argv": ["last"], **fields,
    }  # fmt: skip


async def found(house: House) -> list[tuple[str, str]]:
    made = await look(house)
    return [(one.subject, one.why) for one in made.findings if one.code == "source-unreachable"]


async def test_a_host_is_greeted_and_logged_in_to_and_no_command_runs(cli: Cli, host: SshHost) -> None:
    key = host.secrets["file:key"]
    assert await found(with_targets(cli, {"web1": ssh(host)}, key=key)) == []
    assert (host.seen, host.ran) == ([USER], [])
    wrong = ssh(host, host_keys=["SHA256:" + "A" * 43])
    [(name, why)] = await found(with_targets(cli, {"web2": wrong}, key=key))
    assert name == "web2"
    assert "not pinned" in why


async def test_an_api_is_asked_for_the_last_second(cli: Cli, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/logs").respond_with_data("x")
    httpserver.expect_ordered_request("/logs").respond_with_data("no", status=401)
    house = with_targets(cli, {"id-logs": {"kind": "logs", "url": httpserver.url_for("/logs")}})
    assert await found(house) == []
    [(_, why)] = await found(house)
    assert "answered 401" in why
    assert set(httpserver.log[0][0].args) == {"from", "until"}


async def test_the_mailbox_is_looked_into_without_marking_anything(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIKESHI_MAIL", "geheim")
    with ImapServer() as server:
        server.put(b"Subject: x\r\n\r\n")
        box = {"host": "127.0.0.1", "port": server.port, "tls": "none", "user": "csirt"}
        box["password"] = "env:HIKESHI_MAIL"  # noqa: S105 - a reference
        house = with_targets(cli, {"mails": {"kind": "mail"}}, mailbox=box)
        assert await found(house) == []
        assert server.unseen() == [1]
        monkeypatch.setenv("HIKESHI_MAIL", "falsch")
        [(_, why)] = await found(house)
        assert "lets nobody in" in why
