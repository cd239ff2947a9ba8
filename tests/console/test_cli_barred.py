"""The command line for somebody who is barred while they look, or hands in an alert about themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.cli import looking
from models.commands import Actor, Note
from models.restriction import Restrict
from tests.console.clihouse import Cli
from tests.console.clihouse import cli as cli  # noqa: PLC0414 - the fixture
from tests.console.test_cli_access import INC, OUTSIDER, facts
from tests.console.test_cli_access import secret as secret  # noqa: PLC0414 - the fixture

ALERT = Path("examples/alerts/wazuh-ransomware.json")
SATO = Actor(person="sato-kenji", name="sato", via="cli")


def test_whoever_is_barred_while_they_follow_follows_no_longer(
    secret: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret.done("restrict", INC, "--to", "matsumoto-aya", "--reason", "x")

    def changes(_: Any) -> Iterator[int]:
        desk = secret.house.desk
        desk.handle(INC, Note(actor=SATO, text="BEFOREBAR"))
        yield 1
        assert desk.handle(INC, Restrict(actor=SATO, bar=("matsumoto-aya",), reason="suspect")).accepted
        desk.handle(INC, Note(actor=SATO, text="AFTERBAR"))
        yield 2

    monkeypatch.setattr(looking, "_changes", changes)
    seen = secret.run("log", INC, "--follow", who=OUTSIDER)
    assert seen.code == 1
    assert "BEFOREBAR" in seen.out
    assert "AFTERBAR" not in seen.out + seen.err
    assert "suspect" not in seen.out + seen.err


@pytest.fixture
def alerted(cli: Cli) -> Cli:
    """An alert opened an incident, from which Suzuki was barred."""
    cli.run("declare", "--from", str(ALERT), "--source", "wazuh")
    cli.done("restrict", INC, "--not", "suzuki-daichi", "--reason", "x")
    return cli


def test_a_try_of_an_alert_names_no_incident_that_one_may_not_know_of(alerted: Cli) -> None:
    command = ("intake", "test", str(ALERT), "--source", "wazuh")
    for more in ((), ("--json",)):
        reader = alerted.run(*command, *more)
        assert "AL-000001" in reader.out
        barred = alerted.run(*command, *more, who="suzuki")
        assert barred.code == 0
        assert INC not in barred.out
        assert "AL-000001" not in barred.out


def test_an_alert_is_taken_from_whoever_may_not_learn_where_it_goes(alerted: Cli) -> None:
    for more in ((), ("--json",)):
        fed = alerted.run("declare", "--from", str(ALERT), "--source", "wazuh", *more, who="suzuki")
        assert fed.code == 0, fed.err
        assert INC not in fed.out + fed.err
        assert "AL-" in fed.out
    assert len(facts(alerted, "note.added")) == 3
