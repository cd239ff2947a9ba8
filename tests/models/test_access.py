"""Who may know of an incident: named people only, and never whoever is suspected."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models import commands as c
from models.access import MACHINE, NOBODY, Reading, Viewer, may_look, may_read
from models.answers import HandOver
from models.desk import Desk
from models.fold import empty, fold
from models.organisation import Organisation
from models.outofband import OpenLink
from models.reason import Reason
from models.restriction import BreakGlass, EndGlass, Inspector, RecordRead, Restrict
from models.state import Incident
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    DAN,
    EVE,
    FAY,
    GUS,
    NIGHT,
    ROUTES,
    Scene,
    by,
    decision,
    organisation,
    playbook,
    policy,
    route,
    scene,
    step,
)
from tests.models.small import (
    MACHINE as ENGINE,
)

pytestmark = pytest.mark.usefixtures("runs_again")

SECRET = playbook("secret", step("look"), need_to_know=True)
WHY: dict[str, Any] = {"reason": "a matter of one of us"}


def restricted(**fields: Any) -> Scene:
    """Amy is on duty and Cho, the CISO, declares: what it is about is for few."""
    made = scene(SECRET, declare=False, policy=policy(routes=[GLASS_ROUTE, *ROUTES]))
    command = c.Declare(actor=by(CHO), text="canary", playbooks=("secret",), **fields)
    made.stream = made.desk.handle(None, command).stream
    return made


GLASS_ROUTE = route(
    "glass", "break-glass", levels=[{"to": ["ciso", "csirt-lead", "commander"], "within": "15m"}]
)


def reads(made: Scene, person: str | None) -> Reading:
    return may_read(made.incident, Viewer(person=person), made.desk.world(made.incident))


# -- restricting --------------------------------------------------------------------------------------------


def test_an_incident_of_such_a_playbook_is_restricted_before_anybody_is_called() -> None:
    made = restricted()
    with made.desk.record.read() as tx:
        kinds = [fact.kind for fact in tx.facts(made.stream)]
    assert kinds.index("incident.restricted") == 1 < kinds.index("page.asked")
    assert made.facts("incident.restricted")[0].data["playbook"] == "secret"


@pytest.mark.parametrize(
    ("person", "extent", "reason"),
    [
        (CHO, "all", Reason.NAMED),
        (AMY, "all", Reason.CALLED),
        (BEN, "nothing", Reason.NOT_NAMED),
        (DAN, "nothing", Reason.NOT_NAMED),
        ("stranger", "nothing", Reason.NOT_NAMED),
        (None, "nothing", Reason.NOT_NAMED),
        ("hikeshi", "all", Reason.READS_AS_MACHINE),
    ],
)
def test_who_declared_it_and_who_was_called_may_read_and_nobody_else(
    person: str | None, extent: str, reason: Reason
) -> None:
    assert reads(restricted(), person) == Reading(extent=extent, reason=reason)  # type: ignore[arg-type]


def test_whoever_the_route_reaches_next_may_read_from_then_on() -> None:
    made = restricted()
    made.wait(5)
    assert reads(made, BEN).reason is Reason.CALLED


def test_an_incident_that_is_not_restricted_is_everybodys() -> None:
    made = scene()
    assert reads(made, None).whole
    assert reads(made, FAY).reason is Reason.NOT_RESTRICTED


def test_somebody_not_named_is_told_what_they_would_be_told_if_it_did_not_exist() -> None:
    made = restricted()
    there = made.desk.handle(made.stream, c.Note(actor=by(FAY), text="x"))
    nowhere = made.desk.handle("INC-2026-0777", c.Note(actor=by(FAY), text="x"))
    assert there.refused is nowhere.refused is Reason.NO_SUCH_INCIDENT
    assert there.detail == {"incident": made.stream}
    assert nowhere.detail == {"incident": "INC-2026-0777"}
    assert [fact.data["who"] for fact in made.facts("refused", "house")] == [FAY]
    assert not made.facts("note.added")


def test_a_scribe_cannot_write_for_somebody_who_must_not_know() -> None:
    made = restricted()
    made.do(c.AssignRole(actor=by(CHO), role="scribe", person=GUS))
    made.do(c.Note(actor=by(GUS), text="x", for_=CHO))
    assert made.says(c.Note(actor=by(GUS), text="x", for_=FAY)).reason is Reason.NO_SUCH_INCIDENT


def test_people_and_roles_are_named_and_taken_off() -> None:
    made = restricted()
    made.do(Restrict(actor=by(CHO), people=(FAY, "pay-owner"), **WHY))
    assert reads(made, FAY).reason is Reason.NAMED
    assert reads(made, EVE).reason is Reason.NAMED_ROLE
    made.do(Restrict(actor=by(CHO), remove=(FAY, "pay-owner"), **WHY))
    assert not reads(made, FAY).some
    assert not reads(made, EVE).some
    assert [one.data for one in made.facts("reader.added")] == [
        {"reader": FAY, "as": "person"} | {"reason": made.facts("reader.added")[0].data["reason"]},
        {"reader": "pay-owner", "as": "role"} | {"reason": made.facts("reader.added")[1].data["reason"]},
    ]


def test_whoever_is_named_to_lead_it_may_read_it() -> None:
    made = restricted()
    made.do(c.AssignRole(actor=by(CHO), role="commander", person=DAN))
    made.do(Restrict(actor=by(CHO), remove=(DAN,), people=(FAY,), **WHY))
    assert reads(made, DAN).reason is Reason.LEADS


def test_restricting_later_keeps_those_who_were_called_and_those_at_work() -> None:
    made = scene(playbook("unknown", step("look", owner="pay-owner")))
    assert made.do(Restrict(actor=by(BEN), people=("pr",), **WHY)) == ("incident.restricted",)
    assert reads(made, AMY).reason is Reason.CALLED
    assert {BEN, EVE} <= set(made.incident.restriction.people)
    assert reads(made, FAY).reason is Reason.NAMED_ROLE
    assert not reads(made, DAN).some
    made.do(Restrict(actor=by(BEN), lift=True, **WHY))
    assert reads(made, DAN).whole
    assert made.says(Restrict(actor=by(BEN), lift=True, **WHY)).reason is Reason.ALREADY


def test_a_playbook_added_later_restricts_as_well() -> None:
    made = scene(SECRET)
    kinds = made.do(c.UsePlaybook(actor=by(BEN), how="add", playbook="secret", reason="x"))
    assert kinds[:2] == ("incident.restricted", "playbook.added")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"people": ("nobody",)}, Reason.UNKNOWN_PERSON),
        ({"bar": ("pr",)}, Reason.UNKNOWN_PERSON),
        ({"bar": (CHO,)}, Reason.SAME_PERSON),
        ({"people": (FAY,), "bar": (FAY,)}, Reason.BARRED),
        ({"people": (CHO,)}, Reason.ALREADY),
        ({"remove": (FAY,)}, Reason.ALREADY),
        ({"remove": (CHO, AMY)}, Reason.NOT_RESTRICTABLE),
        ({"people": tuple(AMY for _ in range(51))}, Reason.TOO_LONG),
        ({"bar": (AMY,), "reason": " "}, Reason.REASON_MISSING),
    ],
    ids=str,
)
def test_what_cannot_be_restricted(fields: dict[str, Any], reason: Reason) -> None:
    made = restricted()
    assert made.says(Restrict(**({"actor": by(CHO)} | WHY | fields))).reason is reason


def test_a_list_of_people_to_keep_away_has_an_end() -> None:
    many = [{"id": f"p{n}", "name": "x"} for n in range(51)]
    base = organisation().model_dump()
    bank = Organisation.model_validate(base | {"people": [*base["people"], *many]})
    made = scene(organisation=bank)
    bar = tuple(one["id"] for one in many)
    assert made.says(Restrict(actor=by(BEN), bar=bar, **WHY)).reason is Reason.TOO_LONG


# -- barring ------------------------------------------------------------------------------------------------


def test_the_suspect_on_duty_is_never_called_and_their_deputy_is() -> None:
    made = restricted(bar=(AMY,))
    assert {one["person"] for one in made.outbox()} == {BEN}
    assert made.page().reached["0"][0].deputy_for == AMY
    assert reads(made, AMY) == Reading(extent="nothing", reason=Reason.BARRED)
    made.wait(600)
    assert AMY not in {one["person"] for one in made.outbox()}


def test_the_suspect_has_no_role_in_it_and_breaks_no_glass() -> None:
    made = restricted(bar=(BEN,))
    world = made.desk.world(made.incident)
    assert world.roles_of(made.incident, BEN) == frozenset()
    assert made.says(BreakGlass(actor=by(BEN), **WHY)).reason is Reason.NO_SUCH_INCIDENT
    assert made.says(c.Acknowledge(actor=by(BEN))).reason is Reason.NO_SUCH_INCIDENT


def test_what_a_suspect_had_taken_is_asked_again_of_the_others() -> None:
    made = scene()
    made.do(c.Acknowledge(actor=by(AMY)))
    kinds = made.do(Restrict(actor=by(BEN), bar=(AMY,), **WHY))
    assert kinds[:2] == ("incident.restricted", "page.lapsed")
    page = made.page()
    assert page.state == "open"
    assert [one.person for one in page.reached["0"]] == [BEN]
    assert page.acked_by is None


def test_what_waits_for_a_suspect_does_not_leave_any_more() -> None:
    made = scene()
    assert made.outbox(person=AMY, state="queued")
    made.do(Restrict(actor=by(BEN), people=(CHO,), **WHY))
    made.do(Restrict(actor=by(BEN), bar=(AMY,), **WHY))
    assert not made.outbox(person=AMY, state="queued")
    assert made.outbox(person=BEN, state="queued")


def test_a_level_that_is_only_the_suspect_goes_on_at_once() -> None:
    made = scene()
    made.wait(5)
    made.do(Restrict(actor=by(CHO), bar=(BEN,), **WHY))
    assert made.wait(0.1)[:1] == ("page.escalated",)
    assert made.outbox(person=CHO, state="queued")


@pytest.mark.parametrize(
    "command",
    [
        c.AssignRole(actor=by(CHO), role="commander", person=BEN),
        c.AssignStep(actor=by(CHO), step="look", person=BEN),
        HandOver(actor=by(CHO), step="look", person=BEN),
        c.Delegate(actor=by(CHO), page=1, to=BEN, until=NIGHT + timedelta(hours=1)),
        c.AddImprovement(actor=by(CHO), title="x", owner=BEN, due=NIGHT + timedelta(days=3)),
    ],
    ids=lambda command: type(command).__name__,
)
def test_nothing_is_given_to_a_suspect(command: c.Command) -> None:
    assert restricted(bar=(BEN,)).says(command).reason is Reason.BARRED


def test_a_bar_is_taken_back_before_somebody_is_named() -> None:
    made = restricted(bar=(FAY,))
    assert made.says(Restrict(actor=by(CHO), people=(FAY,), **WHY)).reason is Reason.BARRED
    made.do(Restrict(actor=by(CHO), people=(FAY,), remove=(FAY,), **WHY))
    assert reads(made, FAY).reason is Reason.NAMED


def test_a_suspect_who_leads_is_nobodys_commander() -> None:
    made = scene(policy=policy(routes=[GLASS_ROUTE, *ROUTES]))
    made.do(c.AssignRole(actor=by(BEN), role="commander", person=AMY))
    made.do(Restrict(actor=by(CHO), bar=(AMY,), **WHY))
    world = made.desk.world(made.incident)
    assert [one.person.id for one in world.holders(made.incident, "commander")] == [BEN]


def test_the_last_resort_calls_everybody_else() -> None:
    bank = organisation(absent=(CHO, DAN))
    made = scene(SECRET, declare=False, organisation=bank)
    command = c.Declare(actor=by(BEN), text="x", playbooks=("secret",), bar=(CHO,))
    made.stream = made.desk.handle(None, command).stream
    made.wait(600)
    assert CHO not in {one["person"] for one in made.outbox()}


def test_a_channel_that_others_read_hears_nothing() -> None:
    bank = organisation(fields={"duty_channel": "C0DUTY"})
    channels = frozenset({"console", "slack"})
    open_one = scene(organisation=bank, channels=channels)
    assert [one["address"] for one in open_one.outbox(person=None)] == ["C0DUTY"]
    open_one.do(Restrict(actor=by(BEN), people=(CHO,), **WHY))
    assert not open_one.outbox(person=None, state="queued")
    made = scene(SECRET, declare=False, organisation=bank, channels=channels)
    command = c.Declare(actor=by(CHO), text="x", playbooks=("secret",))
    made.stream = made.desk.handle(None, command).stream
    assert made.outbox(person=AMY)
    assert not made.outbox(person=None)


# -- breaking the glass -------------------------------------------------------------------------------------


def test_broken_glass_gives_rights_pages_others_and_ends_by_itself() -> None:
    made = restricted()
    kinds = made.do(BreakGlass(actor=by(DAN), **WHY))
    assert kinds[:4] == ("glass.broken", "page.asked", "improvement.added", "improvement.opened")
    assert reads(made, DAN).reason is Reason.GLASS_BROKEN
    assert made.page(f"glass:{DAN}").event == "break-glass"
    assert {one.person for one in made.page(f"glass:{DAN}").reached["0"]} == {BEN, CHO}
    made.do(c.SetSeverity(actor=by(DAN), severity="medium"))
    assert "glass.ended" in made.wait(241)
    assert not reads(made, DAN).some
    assert made.says(c.Note(actor=by(DAN), text="x")).reason is Reason.NO_SUCH_INCIDENT


def test_whoever_broke_it_cannot_answer_for_it_and_writes_for_nobody() -> None:
    made = restricted()
    made.do(BreakGlass(actor=by(DAN), **WHY))
    page = made.page(f"glass:{DAN}")
    made.do(c.Acknowledge(actor=by(DAN), page=page.id))
    assert made.page(f"glass:{DAN}").state == "open"
    assert made.says(c.Note(actor=by(DAN), text="x", for_=CHO)).reason is Reason.ROLE_MISSING
    made.do(c.Acknowledge(actor=by(BEN), page=page.id))
    assert made.page(f"glass:{DAN}").state == "acknowledged"


def test_the_review_of_it_says_no_more_than_the_number() -> None:
    made = restricted()
    made.do(BreakGlass(actor=by(DAN), **WHY))
    texts = made.desk.texts("programme")
    opened = made.facts("improvement.opened", "programme")[0].data
    assert texts[opened["title"]] == f"{made.stream}：非常用の権限の使用を点検する"
    assert opened["owner"] == "ciso"


def test_glass_is_given_back() -> None:
    made = restricted()
    made.do(BreakGlass(actor=by(DAN), **WHY))
    assert made.says(BreakGlass(actor=by(DAN), **WHY)).reason is Reason.ALREADY
    made.do(EndGlass(actor=by(DAN)))
    assert not reads(made, DAN).some
    made.do(BreakGlass(actor=by(DAN), **WHY))
    made.do(EndGlass(actor=by(DAN)))
    assert made.says(EndGlass(actor=by(CHO))).reason is Reason.ALREADY


def test_glass_is_broken_in_person_and_only_if_it_is_needed() -> None:
    made = restricted()
    made.do(c.AssignRole(actor=by(CHO), role="commander", person=AMY))
    assert made.says(BreakGlass(actor=by(AMY), **WHY)).reason is Reason.GLASS_NEEDLESS
    assert made.says(BreakGlass(actor=by(CHO), for_=AMY, **WHY)).reason is Reason.ROLE_MISSING
    made.do(c.AssignRole(actor=by(CHO), role="scribe", person=CHO))
    assert made.says(BreakGlass(actor=by(CHO), for_=AMY, **WHY)).reason is Reason.IN_PERSON
    nowhere = made.desk.handle("INC-2026-0777", BreakGlass(actor=by(DAN), **WHY))
    assert nowhere.refused is Reason.NO_SUCH_INCIDENT


# -- reading ------------------------------------------------------------------------------------------------


def read(made: Scene, reader: str, actor: c.Actor = ENGINE) -> tuple[str, ...]:
    return made.do(RecordRead(actor=actor, reader=reader, surface="cli:show"))


def test_a_reading_is_recorded_once_an_hour_for_each_person() -> None:
    made = restricted()
    assert read(made, CHO) == ("incident.read",)
    assert read(made, CHO) == ()
    assert read(made, AMY) == ("incident.read",)
    made.clock.advance(timedelta(minutes=61))
    assert read(made, CHO) == ("incident.read",)
    assert [one.data for one in made.facts("incident.read")][:1] == [{"reader": CHO, "surface": "cli:show"}]


def test_reading_what_is_not_restricted_leaves_no_trace_but_an_inspectors() -> None:
    made = scene()
    assert read(made, CHO) == ()
    assert read(made, "inspector:fsa") == ("incident.read",)


def test_nobody_can_say_that_somebody_else_has_read_it() -> None:
    assert read(restricted(), CHO, by(AMY)) == ()


def inspector(*incidents: str) -> Viewer:
    given = Inspector(id="fsa", until=NIGHT + timedelta(days=1), by=CHO, incidents=list(incidents))
    return Viewer(inspector=given)


def test_an_inspector_reads_all_that_is_not_restricted_and_the_rest_by_name() -> None:
    secret, plain = restricted(), scene()
    for made, viewer, whole in (
        (plain, inspector(), True),
        (plain, inspector("INC-2026-0009"), False),
        (secret, inspector(), False),
        (secret, inspector(secret.stream), True),
    ):
        assert may_read(made.incident, viewer, made.desk.world(made.incident)).whole is whole
    plain.clock.advance(timedelta(days=1))
    over = may_read(plain.incident, inspector(), plain.desk.world(plain.incident))
    assert over.reason is Reason.INSPECTION_OVER
    assert inspector().name == "inspector:fsa"


# -- third parties ------------------------------------------------------------------------------------------

VENDOR = {"id": "vic", "name": "Vic", "roles": ["vendor-desk"], "third_party": "soc"}


def with_vendor(*steps: dict[str, Any]) -> Scene:
    base = organisation().model_dump()
    bank = Organisation.model_validate(
        base
        | {
            "people": [*base["people"], VENDOR],
            "roles": [*base["roles"], {"id": "vendor-desk", "title": "Vendor"}],
        }
    )
    return scene(playbook("unknown", step("look"), *steps), organisation=bank)


def test_a_third_party_sees_and_does_its_own_steps() -> None:
    made = with_vendor(step("theirs", owner="vendor-desk"))
    assert reads(made, "vic") == Reading(extent="own", reason=Reason.THIRD_PARTY)
    made.do(c.StartStep(actor=by("vic"), step="theirs"))
    made.do(c.Done(actor=by("vic"), step="unknown/theirs"))
    assert made.step("theirs").status == "done"


@pytest.mark.parametrize(
    "command",
    [
        c.Done(actor=by("vic"), step="look"),
        c.StartStep(actor=by("vic"), step="look"),
        c.Note(actor=by("vic"), text="x"),
        c.Acknowledge(actor=by("vic"), page=5),
        c.Declare(actor=by("vic"), text="x"),
        BreakGlass(actor=by("vic"), reason="x"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_a_third_party_does_nothing_else(command: c.Command) -> None:
    made = with_vendor(step("theirs", owner="vendor-desk"))
    stream = "INC-2026-0009" if isinstance(command, c.Declare) else made.stream
    assert made.says(command, stream).reason is Reason.THIRD_PARTY_LIMIT


def test_a_third_party_without_a_step_does_not_know_of_it() -> None:
    made = with_vendor(decision("choose"))
    assert not reads(made, "vic").some
    assert made.says(BreakGlass(actor=by("vic"), **WHY)).reason is Reason.NO_SUCH_INCIDENT
    assert made.says(OpenLink(actor=by("vic")), "house").reason is Reason.THIRD_PARTY_LIMIT


# -- looking ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "viewer", "may"),
    [
        (None, NOBODY, True),
        (["*"], NOBODY, False),
        (["*"], Viewer(person=FAY), True),
        (["csirt-duty"], Viewer(person=FAY), False),
        (["csirt-duty"], Viewer(person=AMY), True),
        (["csirt-duty"], MACHINE, True),
        (["csirt-duty"], inspector(), True),
    ],
)
def test_looking_is_a_row_of_the_table_too(row: list[str] | None, viewer: Viewer, may: bool) -> None:
    made = scene(policy=policy(permissions={"look": row} if row else {}))
    assert may_look("look", viewer, made.desk.world(made.incident)).whole is may


def test_all_of_it_folds_again_from_the_facts() -> None:
    made = restricted(bar=(FAY,))
    made.do(BreakGlass(actor=by(DAN), **WHY))
    read(made, CHO)
    made.do(Restrict(actor=by(CHO), people=("pr",), remove=(FAY,), **WHY))
    with made.desk.record.read() as tx:
        facts = tx.facts(made.stream)
    assert fold(empty(made.stream), facts) == made.incident
    assert isinstance(made.incident, Incident)
    assert isinstance(made.desk, Desk)
