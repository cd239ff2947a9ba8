"""decline, approve, reject, opinion, step hand-over and take, note --source, as people type them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from console.opening import open_house
from tests.console.clihouse import Cli, cli

__all__ = ["cli"]
INC = "INC-2026-0001"
PAIR = """\
playbook: pair
version: 1.0.0
title: {ja: 二人で, en: By two}
reviewed: 2026-11-01
priority: 5
steps:
  - id: cut
    phase: triage
    kind: decision
    authority: ciso
    four_eyes: cio
    within: 20m
    after: []
    title: {ja: 遮断するか, en: Cut the line}
    options:
      - {id: cut, title: {ja: 遮断, en: Cut}}
      - {id: watch, title: {ja: 監視, en: Watch}}
    otherwise: {ja: 広がる, en: It spreads}
  - id: look
    phase: triage
    kind: manual
    owner: csirt-lead
    after: []
    title: {ja: 見る, en: Look}
"""


@pytest.fixture
def pair(cli: Cli) -> Cli:
    """An incident on a playbook whose decision takes two people: CISO kato, CIO yoshida."""
    (cli.directory / "playbooks" / "pair.yaml").write_text(PAIR, encoding="utf-8")
    cli.house.record.close()
    cli.house = open_house(cli.directory, cli.clock)
    assert cli.run("declare", "Odd", "--playbook", "pair").code == 3
    return cli


def second(cli: Cli) -> str:
    """The account of whoever is CIO."""
    people = cli.house.institution.organisation.people
    return next(one.account or "" for one in people if "cio" in one.roles)


def test_a_decision_of_two_people_from_proposal_to_approval(pair: Cli) -> None:
    assert "four eyes" in pair.run("show", INC).out
    said = pair.done("decide", INC, "cut", "cut", "--reason", "It spreads", who="kato")
    assert "proposed: Cut the line [pair/cut] -> cut" in said.out
    for command in (("show", INC), ("step", "show", INC, "cut")):
        out = pair.run(*command).out
        assert "PROPOSED: cut by Hiroshi Kato" in out and "It spreads" in out
        assert f"hikeshi approve {INC} pair/cut" in out
    assert "waits for approval" in pair.run("step", "list", INC).out
    shown = pair.run("--json", "show", INC).json["decisions"][0]
    assert (shown["proposed"], shown["approver"]) == ("cut", "cio")
    same = pair.run("approve", INC, "cut", who="kato")
    assert same.code == 1 and "Hiroshi Kato" in same.err and "Two different people" in same.err
    scribe = pair.run("approve", INC, "cut", "--for", second(pair), who="sato")
    assert scribe.code == 1 and "not recorded for somebody else" in scribe.err
    said = pair.done("approve", INC, "cut", "--reason", "Agreed", who=second(pair))
    assert "decided by Hiroshi Kato, approved by" in said.out
    assert pair.run("approve", INC, "cut", who=second(pair)).code == 1


def test_what_is_rejected_says_so_until_it_is_proposed_again(pair: Cli) -> None:
    pair.done("decide", INC, "cut", "cut", "--reason", "x", who="kato")
    pair.done("reject", INC, "cut", "--reason", "The clearing runs", who=second(pair))
    assert "cut was not approved by" in pair.run("show", INC).out
    assert "The clearing runs" in pair.run("step", "show", INC, "cut").out
    assert "NOT APPROVED" in pair.run("log", INC).out
    exported = pair.run("export", INC, "--format", "md").out
    assert "NOT APPROVED" in exported
    pair.done("decide", INC, "cut", "watch", "--reason", "x", who="kato")
    assert "was not approved by" not in pair.run("show", INC).out


def test_the_playbook_shows_both_before_anything_happens(pair: Cli) -> None:
    assert "ciso, approved by another: cio" in pair.run("playbook", "show", "pair").out
    html = pair.run("playbook", "show", "pair", "--format", "html")
    assert html.code == 0 and "approved by another" in html.out


def test_a_second_opinion_stands_beside_the_decision(pair: Cli) -> None:
    pair.done("opinion", "ask", INC, "cut", "sato", "--question", "Can it wait?", who="kato")
    assert "opinion asked of Kenji Sato by Hiroshi Kato: Can it wait?" in pair.run("show", INC).out
    pair.done("opinion", "give", INC, "cut", "--text", "Until five")
    assert "Until five   [Can it wait?]" in pair.run("step", "show", INC, "cut").out
    refused = pair.run("opinion", "give", INC, "cut", "--text", "x")
    assert refused.code == 1 and "not asked for an opinion" in refused.err


def test_a_page_is_declined_and_says_by_whom_and_why(pair: Cli) -> None:
    page = min(pair.house.desk.incident(INC).pages)
    [first] = [one.person for one in pair.house.desk.incident(INC).pages[page].reached["0"]]
    account = next(one.account for one in pair.house.institution.organisation.people if one.id == first)
    said = pair.done("decline", INC, str(page), "--reason", "On a train", who=account or "")
    assert f"cannot take page #{page}: On a train" in said.out
    pair.house.desk.tick(INC)
    out = pair.run("show", INC).out
    assert "cannot take it: " in out and "On a train" in out
    assert pair.run("--json", "show", INC).json["pages"][0]["declined_by"] == [first]
    no = pair.run("decline", INC, str(page), "--reason", "x", who="mori")
    assert no.code == 1 and "has not reached" in no.err


def test_a_step_is_handed_over_refused_and_taken(pair: Cli) -> None:
    pair.done("step", "start", INC, "look")
    pair.done("step", "hand-over", INC, "look", "tanaka-misaki", "--reason", "End of my shift")
    out = pair.run("step", "show", INC, "look").out
    assert "NOT YET TAKEN: End of my shift" in out
    assert "NOT YET TAKEN" in pair.run("show", INC).out
    tanaka = next(
        one.account or "" for one in pair.house.institution.organisation.people if one.id == "tanaka-misaki"
    )
    pair.done("step", "refuse", INC, "look", "--reason", "No access", who=tanaka)
    assert "it is Kenji Sato's again: No access" in pair.run("step", "show", INC, "look").out
    pair.done("step", "start", INC, "look")
    taken = pair.done("step", "take", INC, "look", who="kato")
    assert "step taken over from Kenji Sato" in taken.out


def test_a_note_from_elsewhere_stands_in_the_timeline_at_its_instant(pair: Cli) -> None:
    at = (pair.clock.now() - timedelta(minutes=90)).isoformat()
    link = "https://slack.example/archives/C1/p2"
    pair.done("note", INC, "we saw it first", "--at", at, "--said-by", "kato", "--source", link)
    pair.done("note", INC, "heard", "--source", "the minutes")
    pair.done("note", INC, "plain")
    log = pair.run("log", INC).out
    assert f"said by Hiroshi Kato: we saw it first {link}" in log
    assert "note: heard (source: the minutes)" in log and "note: plain" in log
    exported = pair.run("export", INC, "--format", "md").out
    timeline = exported[exported.index("## Timeline") :]
    assert timeline.index("we saw it first") < timeline.index("incident declared")
