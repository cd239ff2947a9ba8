"""Every shipped scenario, played by its script alone from STARTEX to ENDEX on the real desk and outbox."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

import pytest

from models.enrolled import SCRIPTED_VIA
from models.exercise import EXERCISE, MarkAbsent
from models.exercise_script import Script
from models.fact import SYSTEM
from playbooks.scenarios import shipped_scenarios
from tests.playing import FACILITATOR, Play, by, playing

NAMES = sorted(shipped_scenarios())
Played = Callable[[str], Play]


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    """Each scenario is played once for all that is asked of it."""
    plays: dict[str, Play] = {}

    def play(name: str) -> Play:
        if name not in plays:
            plays[name] = Play(name)
            plays[name].whole()
        return plays[name]

    yield play
    for one in plays.values():
        one.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_plays_to_its_end_and_nobody_is_refused(played: Played, name: str) -> None:
    play = played(name)
    assert [(one.refused, dict(one.detail)) for one in play.refused] == []
    assert play.exercise.status == "ended"
    came = play.exercise.injects
    assert set(came) == {one.id for one in play.scenario.injects}, "each is settled"
    assert all(came[one.id].how == "planned" for one in play.scenario.injects if one.kind != "contingency")
    assert {f"leap:{n}" for n, _ in enumerate(play.scenario.leaps, start=1)} <= set(play.exercise.told)


@pytest.mark.parametrize("name", NAMES)
def test_every_playbook_of_a_scenario_is_carried_by_its_one_incident(played: Played, name: str) -> None:
    play = played(name)
    assert set(play.incident.playbooks) == set(play.scenario.playbooks)
    directory = play.desk.directory
    able = [one for role in ("csirt-duty", "csirt-lead") for one in directory.holders(role, play.startex)]
    assert play.incident.declared_by in {one.person.id for one in able}


@pytest.mark.parametrize("name", NAMES)
def test_a_contingency_comes_if_and_only_if_its_condition_held_at_its_time(played: Played, name: str) -> None:
    play = played(name)
    script = Script(play.scenario, play.exercise)
    for inject in play.scenario.injects:
        steps = re.findall(r'not done\("([a-z0-9/-]+)"\)', inject.when or "")
        if not steps or "decided" in (inject.when or ""):
            continue
        due = script.due_at(inject)
        assert due is not None
        done = [_done_at(play, one) for one in steps]
        open_still = all(at is None or at > due for at in done)
        assert play.exercise.injects[inject.id].how == ("planned" if open_still else "not-needed"), inject.id


def _done_at(play: Play, step: str) -> datetime | None:
    known = play.incident.steps.get(step)
    return known.done_at if known is not None and known.status == "done" else None


@pytest.mark.parametrize("name", NAMES)
def test_whoever_acts_does_so_by_script_and_only_machines_and_the_facilitator_otherwise(
    played: Played, name: str
) -> None:
    play = played(name)
    others = {fact.actor for fact in play.facts() if fact.via != SCRIPTED_VIA}
    assert others <= {SYSTEM, FACILITATOR}
    assert {fact.actor for fact in play.facts() if fact.via == SCRIPTED_VIA}


@pytest.mark.parametrize("name", NAMES)
def test_all_messages_of_a_drill_are_marked_as_practice(played: Played, name: str) -> None:
    got = played(name).got
    assert got
    assert [one for one in got if not one.message.drill] == []


MOST_OF_IT = 60
"""Per cent of the expected steps that the script does within the limit that the scenario gives."""


@pytest.mark.parametrize("name", NAMES)
def test_most_of_what_is_expected_is_done_in_time_with_the_expected_option(played: Played, name: str) -> None:
    """Those who play by script show what a good answer looks like; some of it comes late, as with people."""
    play = played(name)
    wanted, met = 0, 0
    for inject in play.scenario.injects:
        came = play.exercise.injects[inject.id]
        for one in inject.expect if came.how == "planned" else ():
            if one.step is None:
                continue
            known = play.incident.steps.get(one.step)
            wanted += 1
            in_time = known is not None and known.done_at is not None
            if in_time and one.within is not None:
                assert known is not None
                assert known.done_at is not None
                in_time = known.done_at - came.at <= one.within
            met += in_time
    assert met * 100 >= wanted * MOST_OF_IT, f"{met} of {wanted}"


# -- what each of them is about -----------------------------------------------------------------------------


def test_ransomware_restores_from_no_backup_that_was_tampered_with_or_infected(played: Played) -> None:
    play = played("ransomware-night-batch")
    points = play.incident.recovery_points
    for backup in play.scenario.start.backups:
        point = points[backup.id]
        assert point.tamper == ("tampered" if backup.tampered else "clean"), backup.id
        assert point.malware == ("infected" if backup.infected else "clean"), backup.id
    sound = {one.id for one in points.values() if (one.tamper, one.malware) == ("clean", "clean")}
    assert sound == {"cb-tape-previous"}
    loss = play.incident.services["core-banking"].loss
    assert loss is not None
    assert loss.point == "cb-tape-previous"
    assert loss.status == "beyond", "thirteen days are more than the RPO, and the record says so"
    assert play.exercise.injects["retention-zero"].how != "planned", "the backups were off line by then"


def test_the_choices_that_each_scenario_is_about_are_made(played: Played) -> None:
    expected: Mapping[str, Mapping[str, str]] = {
        "ransomware-night-batch": {
            "ransomware/isolate-segment": "isolate",
            "ransomware/ransom-demand": "refuse",
            "ransomware/long-outage": "invoke",
        },
        "securities-takeover-wave": {
            "securities-account-takeover/restrict-functions": "stop-functions",
            "securities-account-takeover/compensation/decide-compensation": "by-policy",
        },
        "ddos-hides-intrusion": {
            "ddos/extortion": "refuse",
            "targeted-attack/contain-or-preserve": "preserve-first",
            "targeted-attack/watch-or-strike": "strike-together",
        },
        "third-party-data-centre": {
            "third-party-compromise/cut-vendor": "restrict",
            "third-party-compromise/conditions": "reconnect-limited",
        },
        "settlement-loss-month-end": {
            "infrastructure-outage/what-is-down": "settlement",
            "infrastructure-outage/cut-link": "hold-queues",
            "infrastructure-outage/invoke-plan": "invoke",
        },
        "insider-customer-list": {
            "insider/contain-or-preserve": "preserve-first",
            "insider/cut-access": "limit-quietly",
        },
        "blind-quiet-monday": {"personal-data-breach/close-route": "function-only"},
    }
    assert set(expected) == set(NAMES)
    for name, choices in expected.items():
        steps = played(name).incident.steps
        assert {step: steps[step].choice for step in choices} == choices


def test_the_second_playbook_comes_with_the_inject_that_asks_for_it_and_not_before(played: Played) -> None:
    for name, inject, playbook in (
        ("ddos-hides-intrusion", "jpcert-calls", "targeted-attack"),
        ("blind-quiet-monday", "rogue-file", "personal-data-breach"),
    ):
        play = played(name)
        came = play.exercise.injects[inject].at
        assert came < play.incident.playbooks[playbook].added_at


def test_the_insiders_matter_is_known_to_few_from_its_first_fact_on(played: Played) -> None:
    play = played("insider-customer-list")
    first = next(fact for fact in play.facts() if fact.stream == play.incident.stream)
    assert play.incident.restriction.since == first.at


# -- the script and the players -----------------------------------------------------------------------------

PLAYERS = {"kato-hiroshi": ("ciso",), "shimizu-yuta": ("it-ops",)}


def test_nobody_acts_for_a_role_that_somebody_plays() -> None:
    """CISO and operations are played by people who do nothing: their decisions and steps stay open."""
    with playing("ransomware-night-batch", players=PLAYERS) as play:
        play.until(play.startex + timedelta(minutes=39))
        scripted = [fact for fact in play.facts() if fact.via == SCRIPTED_VIA]
        assert scripted
        assert not {fact.actor for fact in scripted} & set(PLAYERS)
        steps = play.incident.steps
        assert "ransomware/isolate-segment" not in steps or steps["ransomware/isolate-segment"].choice is None
        assert steps["ransomware/backups-offline"].status != "done"
        assert steps["ransomware/judge-severity"].status == "done", "what others play goes on"
        assert play.exercise.injects["branch-gateway"].how == "planned"
        assert play.exercise.injects["retention-zero"].how == "planned"
        assert play.refused == []


def test_a_role_is_played_by_script_again_while_whoever_plays_it_is_away() -> None:
    with playing("ransomware-night-batch", players=PLAYERS) as play:
        play.act(MarkAbsent(actor=by(FACILITATOR), person="kato-hiroshi", why="at the doctor's"))
        play.until(play.startex + timedelta(minutes=39))
        assert play.incident.steps["ransomware/isolate-segment"].choice == "isolate"
        assert play.incident.steps["ransomware/backups-offline"].status != "done"


def test_the_same_seed_gives_the_same_facts_and_another_one_others() -> None:
    def facts(seed: int) -> list[tuple[object, ...]]:
        with playing("third-party-data-centre", seed=seed) as play:
            play.until(play.startex + timedelta(minutes=30))
            return [(one.stream, one.seq, one.at, one.kind, one.actor) for one in play.facts()]

    first = facts(11)
    assert facts(11) == first
    other = facts(12)
    assert other != first
    assert [one for one in other if one[0] == EXERCISE] != []
