"""What the flows do phase by phase, run here as plain functions: the same ones that Prefect runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.export import markdown
from flows import artifacts, phase, respond
from flows.drafts import draft_review, needs_draft, plain, review_is_due, review_text
from flows.phase import waiting
from flows.place import here
from flows.respond import PHASE_FLOWS
from models.commands import Actor, AddStep, Decide, Done, EndIncident, Reopen, SetSeverity, SettleStep
from models.policy import PHASES
from tests.flows.bank import LEAD, PLAYBOOK, Scene, action, make_bank, no_step_was_repeated

NOTICE = """
  - id: tell
    phase: communication
    kind: notice
    owner: csirt-lead
    to: [ciso]
    after: [begin]
    title: {ja: CISOに知らせる, en: Tell the CISO}
    draft:
      ja: "{{ organisation.name }} {{ incident.id }} {{ incident.title }} ホスト {{ var('host') | gap }} 影響 {{ services | join('、') | gap }}"
      en: "{{ organisation.name }} {{ incident.id }} severity {{ incident.severity | gap }} host {{ output('begin', 'host') | gap }}"
  - id: broken-draft
    phase: communication
    kind: notice
    owner: csirt-lead
    to: [ciso]
    after: [begin]
    title: 壊れた下書き
    draft: "{{ nothing.at.all }}"
"""  # noqa: E501 - one line of YAML each
DECISION = """
  - id: choose
    phase: containment
    kind: decision
    authority: ciso
    after: [begin]
    title: 遮断を判断する
    options: [{id: cut, title: 遮断}, {id: watch, title: 監視}]
    otherwise: 感染は広がる
"""
STEPS = (
    NOTICE
    + DECISION
    + action("one", phase="preservation")
    + action("two", phase="preservation")
    + action("fails", "fail", phase="eradication")
    + action("follows", phase="preservation").replace("after: [begin]", "after: [one, two]")
)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    made = Scene(make_bank(tmp_path / "bank", STEPS))
    monkeypatch.setenv("HIKESHI_DIR", str(made.directory))
    here.cache_clear()
    yield made
    here().house.record.close()
    here.cache_clear()
    made.house.record.close()


@pytest.fixture
def incident(scene: Scene) -> str:
    name = scene.declare()
    scene.begin(name, host="srv-01")
    return name


async def run(incident: str) -> tuple[str, str]:
    ended = await respond.respond(incident, "conductor", 1)
    return ended.name, ended.message


async def test_one_run_does_all_that_a_machine_can_do(scene: Scene, incident: str) -> None:
    name, message = await run(incident)
    statuses = scene.statuses(incident)
    assert {key: statuses[key] for key in ("one", "two", "follows", "fails")} == {
        "one": "done",
        "two": "done",
        # Made ready by the run's own work, and done in the same run.
        "follows": "done",
        "fails": "failed",
    }
    assert scene.runs() == {"one": 1, "two": 1, "follows": 1, "fails": 1}
    assert (name, message) == ("AwaitingDecision", "machine/choose: CISO")
    assert not scene.wanted(incident)


async def test_a_second_run_finds_nothing_to_do_and_writes_nothing(scene: Scene, incident: str) -> None:
    await run(incident)
    before = len(scene.facts(incident))
    await run(incident)
    assert len(scene.facts(incident)) == before
    no_step_was_repeated(scene.facts(incident))


async def test_each_phase_that_turned_is_run_once(
    scene: Scene, incident: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[str] = []
    play = phase.play

    async def recorded(name: str, *rest: Any) -> Any:
        played.append(name)
        return await play(name, *rest)

    for name in PHASE_FLOWS:
        monkeypatch.setattr(f"flows.{name}.play", recorded)
    await run(incident)
    # Every phase with work, and triage, which has ended; no phase twice, and none in which people do it all.
    assert sorted(played) == sorted({*played})
    assert {"triage", "preservation", "eradication", "communication"} <= {*played}
    assert "containment" not in played
    played.clear()
    await run(incident)
    assert played == []


async def test_notices_are_drafted_in_both_languages(scene: Scene, incident: str) -> None:
    await run(incident)
    text = scene.document(scene.step(incident, "tell").drafted)
    assert text["ja"] == "みほん銀行 INC-2026-0001 試験 ホスト srv-01 影響 【未記入 / to be filled in】"
    assert text["en"].startswith("Mihon Bank INC-2026-0001 severity ")
    assert text["en"].endswith("host srv-01")


async def test_a_draft_that_cannot_be_made_says_so_to_whoever_sends_it(scene: Scene, incident: str) -> None:
    await run(incident)
    text = scene.document(scene.step(incident, "broken-draft").drafted)
    assert text["ja"].startswith("【下書きを作成できませんでした】")
    assert text["en"].startswith("[No draft could be made]")
    # Once: it is not tried again at each run.
    assert len(scene.facts(incident, "notice.drafted")) == 2


async def test_a_notice_that_is_not_ready_is_not_drafted(scene: Scene) -> None:
    incident = scene.declare()
    await run(incident)
    assert scene.facts(incident, "notice.drafted") == []
    state = scene.house.desk.incident(incident)
    planned = scene.house.desk.world(state).step(state, f"{PLAYBOOK}/tell")
    assert planned is not None
    assert not needs_draft(state, planned)


async def test_an_incident_that_has_ended_gets_no_machine_work(scene: Scene, incident: str) -> None:
    scene.house.desk.handle(incident, EndIncident(actor=LEAD, how="cancelled", reason="誤報"))
    assert await run(incident) == ("IncidentClosed", "cancelled")
    assert scene.runs() == {}
    assert scene.facts(incident, "step.started") == []


def settle_all(scene: Scene, incident: str) -> None:
    """People do, decide or skip what is left."""
    desk = scene.house.desk
    ciso = next(p.id for p in scene.house.institution.organisation.people if "ciso" in p.roles)
    chooser = Actor(person=ciso, name=ciso, via="test")
    assert desk.handle(
        incident, Decide(actor=chooser, step="choose", choice="watch", reason="様子を見る")
    ).accepted
    for name in ("tell", "broken-draft"):
        assert desk.handle(incident, Done(actor=LEAD, step=name)).accepted
    assert desk.handle(incident, SettleStep(actor=LEAD, step="fails", how="skipped", reason="不要")).accepted


async def test_when_the_lessons_begin_the_review_is_drafted_once(scene: Scene, incident: str) -> None:
    await run(incident)
    assert scene.facts(incident, "review.drafted") == []
    settle_all(scene, incident)
    state = scene.house.desk.incident(incident)
    assert state.phases["lessons"].times == 1
    await run(incident)
    await run(incident)
    (fact,) = scene.facts(incident, "review.drafted")
    with scene.house.record.read() as tx:
        text = (tx.document(fact.data["document"]) or b"").decode()
    assert text.startswith("# 振り返りの下書き INC-2026-0001\n\n> この文書は")
    # The same report as `export` gives, timeline and all; not a second, shorter telling of it.
    report = markdown(scene.house.desk, incident, "ja")
    for heading in (line for line in report.splitlines() if line.startswith("## ")):
        assert heading in text
    for expected in ("遮断を判断する", "様子を見る", "## まだ終わっていない手順\n\n- なし\n"):
        assert expected in text


async def test_the_draft_names_what_nobody_has_finished(scene: Scene, incident: str) -> None:
    added = AddStep(
        actor=LEAD, step="call", title="委託先へ <電話>", phase="triage", owner="csirt-lead", reason="確認"
    )
    assert scene.house.desk.handle(incident, added).accepted
    text = review_text(here(), scene.house.desk.incident(incident), "ja")
    _, _, left = text.partition("## まだ終わっていない手順\n")
    assert "- 委託先へ \\<電話\\>\n" in left
    assert "- 遮断を判断する\n" in left
    assert "t:" not in left


async def test_the_review_is_due_again_when_the_lessons_begin_again(scene: Scene, incident: str) -> None:
    await run(incident)
    settle_all(scene, incident)
    place = here()
    assert review_is_due(place, place.desk.incident(incident))
    assert await draft_review(place, incident)
    assert not review_is_due(place, place.desk.incident(incident))
    again = Reopen(actor=LEAD, phase="lessons", reason="漏れがあった")
    assert scene.house.desk.handle(incident, again).accepted
    assert review_is_due(place, place.desk.incident(incident))


def names_of(scene: Scene, incident: str, name: str) -> tuple[str, str]:
    state = scene.house.desk.incident(incident)
    world = scene.house.desk.world(state)
    steps = [one for one in world.steps(state).values() if one.step.phase == name]
    return waiting(state, world, steps, "en")


async def test_a_run_ends_with_a_state_that_says_what_is_awaited(scene: Scene) -> None:
    incident = scene.declare()
    assert names_of(scene, incident, "triage")[0] == "AwaitingPeople"
    assert (await run(incident))[0] == "AwaitingPeople"
    scene.begin(incident)
    await run(incident)
    assert names_of(scene, incident, "containment")[0] == "AwaitingDecision"
    assert names_of(scene, incident, "eradication") == ("AwaitingPeople", "machine/fails: failed")
    assert names_of(scene, incident, "preservation") == ("MachineWorkDone", "")


async def test_tables_hold_no_text_that_somebody_wrote(
    scene: Scene, incident: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[str, list[dict[str, Any]]]] = []

    async def publish(key: str, rows: list[dict[str, Any]], description: str = "") -> bool:
        shown.append((key, rows))
        return True

    monkeypatch.setattr(artifacts, "publish_table", publish)
    await run(incident)
    keys = [key for key, _ in shown]
    assert f"{incident.lower()}-preservation" in keys
    everything = json.dumps(shown, ensure_ascii=False)
    assert "試験" not in everything.replace("試験用", "")
    assert "srv-01" not in everything
    clocks = dict(shown)[f"{incident.lower()}-clocks"]
    assert [row["時計"] for row in clocks] == ["phase:triage", "phase:containment"]
    assert [row["状態"] for row in clocks] == ["met", "running"]
    assert all(row["期限"] and row["担当"] for row in clocks)
    rows = dict(shown)[f"{incident.lower()}-communication"]
    assert rows[0]["手順"] == "machine/tell"
    assert rows[0]["担当"] == "CSIRT責任者"


async def test_tags_are_ids_only(scene: Scene, incident: str) -> None:
    state = scene.house.desk.incident(incident)
    assert phase.tags_of(here(), state) == (incident, "playbook:machine")
    state.drill = True
    assert "drill" in phase.tags_of(here(), state)


def test_outside_text_means_nothing_in_markdown() -> None:
    assert plain("a\n# b <script>[x](y)") == r"a \# b \<script\>\[x\]\(y\)"


def test_every_phase_has_its_flow() -> None:
    assert {*PHASE_FLOWS} == {*PHASES, "communication"}
    assert {flow.name for flow in PHASE_FLOWS.values()} == {*PHASE_FLOWS}


async def test_a_rise_in_severity_alone_wants_no_run(scene: Scene, incident: str) -> None:
    await run(incident)
    state = scene.house.desk.incident(incident)
    top = scene.house.institution.policy.severity.severities[-1].id
    assert state.severity != top
    assert scene.house.desk.handle(incident, SetSeverity(actor=LEAD, severity=top)).accepted
    assert not scene.wanted(incident)
