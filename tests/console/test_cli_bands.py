"""`hikeshi route …`: two people at two terminals."""

from __future__ import annotations

import pytest

from tests.console.clihouse import Cli, cli

__all__ = ["cli"]

REASON = ("--reason", "the workspace is in foreign hands")


@pytest.fixture
def bank(cli: Cli) -> Cli:
    """The example bank with mail as a third channel."""
    object.__setattr__(cli.house.desk.premises, "channels", frozenset({"console", "file", "email"}))
    return cli


def test_one_proposes_another_confirms_and_everybody_sees_it(bank: Cli) -> None:
    proposed = bank.done("route", "out-of-band", "email", *REASON)
    assert "Nothing has changed yet" in proposed.out and "hikeshi route confirm 1" in proposed.out
    shown = bank.run("route", "show").out
    assert "Proposal #1 by Kenji Sato: email out of band" in shown and "route confirm 1" in shown
    assert bank.run("route", "confirm", "1").code == 1
    assert bank.run("route", "confirm", who="kato").code == 2, "a number has to be given"
    assert "email taken OUT OF BAND" in bank.done("route", "confirm", "1", who="kato").out
    shown = " ".join(bank.run("route", "show").out.split())
    assert "OUT OF BAND since" in shown and "Kenji Sato" in shown and "Nothing goes" not in shown
    assert "OUT OF BAND: email" in bank.run("health").out
    assert bank.run("health", "--json").json["out_of_band"] == ["email"]
    answer = bank.run("route", "show", "--json").json
    assert answer["trusted"] == ["console", "file"]
    known = answer["out_of_band"]["email"]
    assert (known["proposed_by"], known["confirmed_by"]) == ("sato-kenji", "kato-hiroshi")
    bank.done("route", "in-band", "email", *REASON, who="kato")
    number = str(bank.run("route", "show", "--json").json["proposal"]["number"])
    bank.done("route", "confirm", number, who="yoshida")
    assert bank.run("route", "show", "--json").json["out_of_band"] == {}


def test_the_last_channel_and_people_without_the_right(bank: Cli) -> None:
    last = bank.run("route", "out-of-band", "email", "console", *REASON)
    assert last.code == 1 and "no channel that reaches people would be left" in last.err
    assert bank.run("route", "out-of-band", "email", *REASON, who="suzuki").code == 1
    nothing = bank.run("route", "confirm", "1", who="kato")
    assert nothing.code == 1 and "no such proposal" in nothing.err


def test_it_names_whoever_has_no_channel_of_their_own_left(bank: Cli) -> None:
    said = bank.run("route", "out-of-band", "console", *REASON, lang="ja").out
    assert "佐藤 健二" in said and "二人目の同意が必要" in said
    bank.done("route", "confirm", "1", who="kato")
    shown = bank.run("route", "show").out
    assert "No trusted channel of their own" in shown and "Osamu Watanabe" in shown
    assert len(bank.run("route", "show", "--json").json["without_a_channel"]) > 5


def test_a_proposal_of_yesterday_is_shown_as_lapsed(bank: Cli) -> None:
    bank.done("route", "out-of-band", "email", *REASON)
    for _ in range(25):
        bank.clock.set(bank.clock.now().replace(day=26))
    assert "has lapsed" in bank.run("route", "show").out
    assert bank.run("route", "confirm", "1", who="kato").code == 1


def test_a_second_proposal_has_to_wait_for_the_first(bank: Cli) -> None:
    bank.done("route", "out-of-band", "email", *REASON)
    other = bank.run("route", "out-of-band", "console", *REASON, who="kato")
    assert other.code == 1 and "proposal #1 by Kenji Sato is open" in other.err
    assert bank.run("route", "show", "--json").json["proposal"]["channels"] == ["email"]
