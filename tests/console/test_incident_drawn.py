"""The incident's page drawn for those who may see it: bounded, escaped, and no more than they may know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from console.opening import House
from console.views.clocks import Clock
from console.views.kinds import GROUPS, group_of
from console.web.rooms.incident_parts import foremost
from models import commands as c
from models.access import Viewer
from models.answers import Decline
from models.errors import NotFound
from models.fold import kinds_of
from models.record import FACT
from models.restriction import Inspector
from models.state import Incident
from playbooks.institution import Institution
from tests.console.drawing import Outline, parts
from tests.console.webhouse import make_house
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    GUS,
    MACHINE,
    NIGHT,
    Scene,
    action,
    by,
    decision,
    playbook,
    scene,
    scene_of,
    step,
)
from tests.models.test_access import with_vendor

NASTY = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(document.cookie)",
    "https://evil.example/x",
    "{{7*7}}{% raw %}",
    "\u202egnp.exe\u200b\u2066\x07",
    "【訓練】' onfocus='alert(1)",
    "</textarea></svg></title><!--",
)
CORPUS = " ".join(NASTY)


@pytest.fixture
def house_of(bank: Institution, tmp_path: Path) -> Any:
    def made(scene: Scene) -> House:
        return make_house(bank, scene.desk, tmp_path)

    return made


# -- what is on it ------------------------------------------------------------------------------------------


def test_every_kind_of_fact_of_an_incident_has_a_group() -> None:
    assert [kind for kind in kinds_of(Incident) if not group_of(kind)] == []
    heads = [head for group in GROUPS.values() for head in group]
    assert len(heads) == len(set(heads))


def test_the_page_says_what_waits_what_breaks_next_and_who_has_it(house_of: Any) -> None:
    made = scene_of(decision("isolate", within="15m"))
    drawn = parts(house_of(made), CHO, "incident", made.stream)
    waits = Outline(drawn["waits"])
    assert "Please decide" in waits.text and waits.text.count("isolate") <= 2
    assert f"/incidents/{made.stream}/decisions#decision-unknown-isolate" in waits.links
    assert "15 min" in drawn["breaks"]
    assert CHO in Outline(drawn["breaks"]).text
    assert "Decisions awaited" in drawn["head"]
    assert drawn["own"] == ""


def test_whoever_was_paged_has_one_button_and_a_field_for_why_not(house_of: Any) -> None:
    made = scene()
    waits = Outline(parts(house_of(made), AMY, "incident", made.stream)["waits"])
    assert waits.links.count("/do/ack") == waits.links.count("/do/decline") == 1
    assert ("value", str(made.page().id)) in waits.attributes
    nothing = parts(house_of(made), "dan", "incident", made.stream)["waits"]
    assert "Nothing waits for you" in nothing
    assert "<form" not in nothing


def test_parts_that_are_drawn_for_all_hold_no_form_that_acts_and_hang_on_nobody(house_of: Any) -> None:
    made = scene_of(decision("isolate", within="15m"))
    house = house_of(made)
    mine, other = (parts(house, person, "incident", made.stream) for person in (AMY, CHO))
    for name in ("head", "breaks", "chart", "ladder", "timeline", "situation"):
        assert mine[name] == other[name], name
        assert 'method="post"' not in mine[name], name


# -- the timeline -------------------------------------------------------------------------------------------


def numbers(html: str) -> list[int]:
    return [int(one) for one in re.findall(r'id="fact-(\d+)"', html)]


def test_the_timeline_goes_back_page_by_page_without_a_gap(house_of: Any) -> None:
    made = scene()
    for n in range(230):
        made.do(c.Note(actor=by(BEN), text=f"note {n}"))
    house, query = house_of(made), {"kind": "all"}
    seen: list[int] = []
    while True:
        html = parts(house, AMY, "incident", made.stream, query=query)["timeline"]
        seen += numbers(html)
        older = re.search(r"before=(\d+)", html)
        if older is None:
            break
        query = {"kind": "all", "before": older[1]}
    assert seen == list(range(made.incident.seq, 0, -1))


FILTERS = [
    ({"kind": "notes"}, {"note.added"}),
    ({"kind": "pages", "person": BEN}, {"page.acknowledged"}),
    ({"person": BEN}, {"note.added", "page.acknowledged"}),
    ({"phase": "triage"}, {"phase.opened", "step.ready", "page.asked"}),
]


@pytest.mark.parametrize(("query", "kinds"), FILTERS, ids=[str(row[0]) for row in FILTERS])
def test_the_timeline_is_filtered_by_words_of_lists(
    house_of: Any, query: dict[str, str], kinds: set[str]
) -> None:
    made = scene()
    made.do(c.Note(actor=by(BEN), text="x"))
    made.wait(6)
    made.do(c.Acknowledge(actor=by(BEN), page=made.page().id))
    html = parts(house_of(made), AMY, "incident", made.stream, query=query)["timeline"]
    with made.desk.record.read() as tx:
        facts = {fact.seq: fact for fact in tx.facts(made.stream)}
    found = {facts[seq].kind for seq in numbers(html)}
    assert found
    assert found <= kinds


@pytest.mark.parametrize(
    "query",
    [{"kind": "<script>"}, {"person": "nobody"}, {"phase": "x'y"}, {"before": "-1"}, {"before": "9" * 40}],
    ids=str,
)
def test_a_filter_that_nobody_knows_is_none(house_of: Any, query: dict[str, str]) -> None:
    made = scene()
    html = parts(house_of(made), AMY, "incident", made.stream, query=query)["timeline"]
    with made.desk.record.read() as tx:
        usual = [fact.seq for fact in tx.facts(made.stream) if not fact.kind.startswith("message.")]
    assert numbers(html) == usual[::-1]
    assert "<script>" not in html


def test_a_note_for_another_says_who_wrote_it_and_that_it_is_unconfirmed(house_of: Any) -> None:
    made = scene()
    made.do(c.Note(actor=by(GUS), for_=CHO, text="by telephone"))
    drawn = parts(house_of(made), CHO, "incident", made.stream)
    assert f"written by {GUS}" in drawn["timeline"]
    assert "unconfirmed" in drawn["timeline"]
    assert "by telephone" in drawn["waits"]


# -- one fact -----------------------------------------------------------------------------------------------


def test_a_fact_says_all_that_the_record_says(house_of: Any) -> None:
    made = scene()
    made.do(c.Note(actor=by(GUS), for_=CHO, text="line one\nline <two>"))
    fact = made.facts("note.added")[-1]
    drawn = parts(house_of(made), BEN, "incident-fact", made.stream, item=str(fact.seq))["fact"]
    outline = Outline(drawn)
    with made.desk.record.read() as tx:
        row = tx.connection.execute(FACT.select().where(FACT.c.seq == fact.seq)).first()
    assert row is not None
    for said in (bytes(row.hash).hex(), fact.data["text"], "line <two>", GUS, CHO, "unconfirmed"):
        assert said in outline.text
    assert f"/incidents/{made.stream}/facts/{fact.seq - 1}" in outline.links


@pytest.mark.parametrize("item", ["0", "999", "-1", "x", "1" * 30, "٣"])
def test_there_is_no_fact_of_another_number(house_of: Any, item: str) -> None:
    made = scene()
    with pytest.raises(NotFound):
        parts(house_of(made), BEN, "incident-fact", made.stream, item=item)


# -- who may see it -----------------------------------------------------------------------------------------


def test_a_third_party_sees_its_own_steps_and_nothing_else(house_of: Any) -> None:
    made = with_vendor(step("theirs", owner="vendor-desk"), decision("choose"))
    made.do(c.Note(actor=by(BEN), text="a secret of ours"))
    drawn = parts(house_of(made), "vic", "incident", made.stream)
    assert {name for name, html in drawn.items() if html} == {"waits", "own"}
    assert "theirs" in drawn["own"]
    for html in drawn.values():
        assert "secret" not in html
        assert "choose" not in html
    with pytest.raises(NotFound):
        parts(house_of(made), "vic", "incident-fact", made.stream, item="1")


def restricted() -> Scene:
    made = scene(declare=False)
    made.stream = made.desk.handle(None, c.Declare(actor=by(BEN), text="one of us", restricted=True)).stream
    return made


def test_a_restricted_incident_is_not_there_for_others_and_who_reads_it_is_recorded(house_of: Any) -> None:
    made = restricted()
    with pytest.raises(NotFound):
        parts(house_of(made), "fay", "incident", made.stream)
    assert "restricted" in parts(house_of(made), BEN, "incident", made.stream)["head"]
    assert [fact.data["reader"] for fact in made.facts("incident.read")] == [BEN]


def test_an_incident_that_one_may_not_know_of_is_not_named_in_another(house_of: Any) -> None:
    made = restricted()
    secret = made.stream
    made.stream = made.desk.handle(None, c.Declare(actor=by(AMY), text="another matter")).stream
    made.do(c.Link(actor=by(BEN), to=secret))
    made.do(c.Note(actor=by(BEN), text=f"see {secret}"))
    house = house_of(made)
    facts = [fact.seq for kind in ("incident.linked", "note.added") for fact in made.facts(kind)]
    for person, knows in ((BEN, True), ("fay", False)):
        drawn = parts(house, person, "incident", made.stream)
        assert (secret in drawn["situation"]) is knows
        assert (secret in drawn["timeline"]) is knows
        for seq in facts:
            whole = parts(house, person, "incident-fact", made.stream, item=str(seq))["fact"]
            assert (secret in whole) is knows


def test_an_inspector_looks_and_nothing_is_asked_of_them(house_of: Any) -> None:
    made = scene()
    until = made.clock.now() + timedelta(days=1)
    viewer = Viewer(inspector=Inspector(id="fsa", until=until, by=BEN))
    drawn = parts(house_of(made), None, "incident", made.stream, viewer=viewer)
    assert "inspector" in drawn["waits"]
    assert "<form" not in drawn["waits"]
    assert made.facts("incident.read")


# -- text from outside --------------------------------------------------------------------------------------


def poisoned() -> Scene:
    """Every field of these pages that people fill in holds all of the corpus."""
    plan = playbook("unknown", step("copy"), decision("isolate", within="5m"))
    made = scene(plan, declare=False)
    made.stream = made.desk.handle(None, c.Declare(actor=by(AMY), text=CORPUS[:280])).stream
    made.do(c.Note(actor=by(GUS), for_=CHO, text=CORPUS))
    made.do(
        c.AddStep(actor=by(BEN), step="more", title=CORPUS[:120], phase="triage", owner=BEN, reason=CORPUS)
    )
    made.do(Decline(actor=by(AMY), page=made.page().id, reason=CORPUS[:400]))
    made.do(c.SetInstant(actor=by(BEN), name="detected", instant=made.clock.now(), source=CORPUS))
    made.do(
        c.AddEvidence(actor=by(BEN), source=NASTY[0], description=CORPUS, digest=f"sha256:{1:064x}", size=1)
    )
    made.do(c.ServiceFact(actor=by(BEN), service="payments", what="impacted", instant=made.clock.now()))
    made.do(c.Decide(actor=by(CHO), step="isolate", choice="yes", reason=CORPUS))
    return made


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_no_text_from_outside_is_more_than_text(house_of: Any, lang: str) -> None:
    made = poisoned()
    house = house_of(made)
    drawn = {
        f"{person} {name}": html
        for person in (AMY, BEN, CHO)
        for name, html in parts(house, person, "incident", made.stream, lang=lang).items()
    }
    for seq in range(1, made.incident.seq + 1):
        drawn[f"fact {seq}"] = parts(house, BEN, "incident-fact", made.stream, item=str(seq), lang=lang)[
            "fact"
        ]
    shown = ""
    for where, html in drawn.items():
        outline = Outline(html)
        assert not {"script", "img", "iframe", "style", "object"} & set(outline.tags), where
        assert not [name for name, _ in outline.attributes if name.startswith("on") or name == "style"], where
        assert all(link.startswith(("/", "?")) for link in outline.links), where
        assert "https://evil" not in html, where
        assert not any(hidden in html for hidden in "\u202e\u200b\u2066\x07"), where
        shown += outline.text
    assert "<script>alert(1)</script>" in shown, "it is shown, as text"
    assert "7*7" in shown


# -- how much it reads --------------------------------------------------------------------------------------


BOUNDED = re.compile(r"LIMIT|fact\.seq (IN|=|>)")
"""How a look at facts is bounded: a number of them, some by their numbers, or what is new."""


@contextmanager
def listened(made: Scene) -> Iterator[list[str]]:
    """The statements that run."""
    found: list[str] = []
    engine = made.desk.record._engine

    def ran(_: object, __: object, statement: str, *___: object) -> None:
        found.append(" ".join(statement.split()))

    event.listen(engine, "after_cursor_execute", ran)
    try:
        yield found
    finally:
        event.remove(engine, "after_cursor_execute", ran)


def test_a_long_record_costs_no_more_than_a_short_one(house_of: Any) -> None:
    made = scene(declare=True)
    house = house_of(made)

    def look() -> tuple[list[str], int]:
        parts(house, CHO, "incident", made.stream)
        with listened(made) as found:
            drawn = parts(house, CHO, "incident", made.stream)
        return found, sum(len(html.encode()) for html in drawn.values())

    with made.desk.record.begin() as tx:
        for n in range(120):
            made.desk.handle_in(tx, made.stream, c.Note(actor=by(GUS), for_=CHO, text=f"{n} " + "x" * 900))
    few, _ = look()
    with made.desk.record.begin() as tx:
        for n in range(1_200):
            made.desk.handle_in(tx, made.stream, c.Note(actor=by(BEN), text=f"{n} " + "x" * 900))
    many, size = look()
    assert made.incident.seq > 1_500
    assert len(many) <= len(few)
    assert [one for one in many if "FROM fact" in one and not BOUNDED.search(one)] == []
    assert size < 200_000


# -- what must not be overlooked ----------------------------------------------------------------------------


def test_a_failed_containment_is_in_red_in_the_head_and_leads_to_what_can_be_done(house_of: Any) -> None:
    made = scene_of(action("block", on_crash="idempotent"))
    made.do(c.ClaimStep(actor=MACHINE, step="block", node="n1", epoch=1, lease=60))
    error = "nothing was done, the target was not reached: ConnectError"
    shape: dict[str, Any] = {"step": "block", "node": "n1", "epoch": 1, "attempt": 1, "error": error}
    made.do(c.FinishStep(actor=MACHINE, outcome="failed", **shape))
    house = house_of(made)
    drawn = parts(house, BEN, "incident", made.stream)
    assert "Did not run" in Outline(drawn["head"]).text
    assert f"/incidents/{made.stream}/steps#step-unknown-block" in Outline(drawn["waits"]).links
    assert "sentence grave" in drawn["timeline"]
    steps = Outline(parts(house, BEN, "incident-steps", made.stream)["list"])
    assert "firewall" in steps.text and "was not reached (ConnectError)" in steps.text
    assert {"/do/step/retry", "/do/step/na", "/do/step/skip"} <= set(steps.links)


def test_reports_are_among_the_next_clocks_however_many_steps_come_first() -> None:
    def clock(number: int, kind: str) -> Clock:
        return Clock(stream="x", id=f"{kind}:{number}", kind=kind, what="", at=NIGHT, who="", stops="")

    many = [*(clock(n, "step") for n in range(20)), clock(20, "report"), clock(21, "report")]
    kept = foremost([], many, 8)
    assert [one.id for one in kept[-2:]] == ["report:20", "report:21"] and len(kept) == 8
    assert kept[0] is many[0]
    assert len(foremost(many[:5], [clock(n, "report") for n in range(30, 50)], 8)) == 12
