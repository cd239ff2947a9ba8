"""The scope: nothing is in it twice, all is fixed, accepted or a false alarm, third parties hear of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.clocks.others import other_clocks
from models.commands import AddEvidence, Decide, Done, ScopeFact, ServiceFact
from models.communication import ApproveMessage, DraftMessage, RecordSending, SubmitMessage
from models.fact import Fact
from models.fold import empty, fold
from models.indicator import defang
from models.playbook import FACTORS
from models.reason import Reason
from models.rules.scope import BATCH, MAX_DEFECTS, MAX_ITEMS
from models.rules.sharing import MAX_SHARINGS
from models.scope import (
    HOSTS,
    KINDS,
    NAMED,
    NEED_A_FIX,
    AcceptScope,
    AddScope,
    FixScope,
    NewItem,
    RetractScope,
    ScopeItem,
    SettleParty,
    UpdateScope,
    is_of,
    known_items,
    open_causes,
    sureness,
)
from models.sharing import PrepareSharing, RecordShared
from models.state import Incident
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    NIGHT,
    Scene,
    action,
    by,
    decision,
    organisation,
    playbook,
    scene,
    scene_of,
    step,
)

pytestmark = pytest.mark.usefixtures("runs_again")

EARLIER, LATER = NIGHT - timedelta(hours=3), NIGHT - timedelta(hours=1)


def bank(**fields: Any) -> Scene:
    """A bank with two vendors; payments run through the first."""
    party = {"kind": "vendor", "provides": "-", "hours": "-"}
    fields["third_parties"] = [{"id": name, "name": name} | party for name in ("core", "net")]
    service = {"owner": "pay-owner", "tier": 1, "rto": "2h", "rpo": "1h", "rlo": "-", "mtpd": "9h"}
    fields["services"] = [
        {"id": "payments", "name": "Payments", "recovery_order": 1, "vendors": ["core"], **service}
    ]
    stopping = playbook(
        "unknown",
        step("look"),
        decision("first", decides="containment-or-preservation"),
        decision("may-cut", stops=["payments"], after=[]),
        action("cut", stops=["payments"], decided_by="may-cut", after=[]),
        step("stop", stops=["payments"], decided_by="may-cut", after=[], when='decided("may-cut") == "yes"'),
    )
    return scene(stopping, organisation=organisation(fields=fields))


def add(name: str, kind: str = "indicator", **fields: Any) -> AddScope:
    return AddScope(actor=by(AMY), items=(NewItem(kind=kind, name=name, **fields),))


def file_of(*items: NewItem, origin: Any = "csv") -> AddScope:
    return AddScope(actor=by(AMY), items=items, origin=origin, digest="sha256:" + "0" * 64)


def host(name: str, **fields: Any) -> NewItem:
    return NewItem(kind="host", name=name, **fields)


# -- adding -------------------------------------------------------------------------------------------------


def test_everything_known_of_a_thing_is_on_record() -> None:
    made = bank()
    made.do(AddEvidence(actor=by(AMY), source="memory", description="-"))
    made.do(
        add(
            "hxxp://Evil[.]example", first_seen=EARLIER, last_seen=LATER, confidence="Likely", source="EDR",
            evidence="ev-0001", party="core", note="beacon",
        )
    )  # fmt: skip
    item = made.incident.scope["SC-001"]
    beside = made.desk.texts(made.stream)
    assert (item.kind, item.type, beside[item.name]) == ("indicator", "url", "http://evil.example/")
    assert (item.first_seen, item.last_seen, item.confidence) == (EARLIER, LATER, "likely")
    assert (beside[item.source], beside[item.note]) == ("EDR", "beacon")
    assert (item.evidence, item.party, item.by, item.times) == ("EV-0001", "core", AMY, 1)
    fact = made.facts("scope.added")[0]
    assert b"evil" not in fact.body() and b"beacon" not in fact.body() and b"EDR" not in fact.body()


def test_the_same_again_is_seen_again_and_never_a_second_item() -> None:
    made = bank()
    made.do(add("evil.example", last_seen=EARLIER))
    made.clock.advance(timedelta(minutes=5))
    assert "scope.seen" in made.do(add("EVIL[.]Example.", confidence="95"))
    item = made.incident.scope["SC-001"]
    assert len(made.incident.scope) == 1
    assert (item.last_seen, item.confidence, item.times) == (made.clock.now(), "95", 2)
    made.do(add("evil.example", first_seen=EARLIER - timedelta(hours=1), last_seen=EARLIER))
    assert (item.first_seen, item.last_seen) == (EARLIER - timedelta(hours=1), made.clock.now())


@pytest.mark.parametrize("second", sorted(HOSTS))
def test_a_host_is_one_whatever_sort_of_host_people_call_it(second: str) -> None:
    made = bank()
    made.do(add("PC-0142", "host"))
    assert "scope.seen" in made.do(add("pc-0142 ", second))
    made.do(add("pc-0142", "account"))
    assert [one.kind for one in made.incident.scope.values()] == ["host", "account"]


def test_the_short_form_does_the_same() -> None:
    made = bank()
    assert "scope.added" in made.do(ScopeFact(actor=by(AMY), what="add", kind="host", name="a"))
    assert "scope.seen" in made.do(ScopeFact(actor=by(AMY), what="add", kind="host", name="A"))


def test_a_file_shares_facts_and_the_same_file_again_brings_nothing() -> None:
    made = bank()
    items = tuple(
        NewItem(kind="indicator", name=f"10.0.{one // 250}.{one % 250}", note="n")
        for one in range(BATCH + 50)
    )
    kinds = made.do(file_of(*items, items[0]))
    assert kinds.count("scope.imported") == 2
    assert [fact.data["count"] for fact in made.facts("scope.imported")] == [BATCH, 50]
    assert len(made.incident.scope) == BATCH + 50
    assert made.says(file_of(*items)).reason is Reason.ALREADY
    again = made.do(file_of(NewItem(kind="indicator", name="10.0.0.1", last_seen=LATER), host("new")))
    assert [one for one in again if one.startswith("scope.")] == ["scope.imported", "scope.met"]
    assert made.incident.scope["SC-002"].last_seen == LATER


def test_lines_of_a_file_about_one_thing_are_one_item() -> None:
    made = bank()
    made.do(
        file_of(
            host("a", first_seen=LATER, last_seen=LATER, confidence="30"),
            host("A", first_seen=EARLIER, last_seen=EARLIER, confidence="likely", note="n"),
            host("a", confidence="suspected", note="m"),
        )
    )
    (item,) = made.incident.scope.values()
    assert (item.first_seen, item.last_seen, item.confidence) == (EARLIER, LATER, "likely")
    assert made.desk.texts(made.stream)[item.note] == "n"


def test_all_that_is_wrong_with_a_file_is_said_at_once_and_nothing_is_recorded() -> None:
    made = bank()
    defects = made.says(
        file_of(
            host("ok"),
            NewItem(kind="garden", name="x", where="line 3"),
            NewItem(kind="indicator", name="evil", type="domain", where="line 4"),
            NewItem(kind="indicator", name="x", type="garden", where="line 5"),
            host(" ", where="line 6"),
            host("x" * 301, where="line 7"),
            host("a", type="ipv4", confidence="sure", evidence="EV-0009", party="nobody", where="line 8"),
            host("b", first_seen=NIGHT, last_seen=EARLIER, where="line 9"),
            host("c", last_seen=NIGHT + timedelta(days=1), where="line 10"),
            host("d", last_seen=datetime(2026, 11, 1), where="line 11"),  # noqa: DTZ001 - what is refused
            host("e", first_seen=NIGHT.replace(year=1999), confidence="101", where="line 12"),
        )
    )
    assert defects.reason is Reason.FIELD_WRONG
    fields: Any = defects.detail["fields"]
    found = [one.split(":")[0] for one in fields]
    assert found == [
        "line 3, kind", "line 4, name", "line 5, type", "line 6, name", "line 7, name", "line 8, type",
        "line 8, confidence", "line 8, evidence", "line 8, party", "line 9, last_seen", "line 10, last_seen",
        "line 11, last_seen", "line 12, confidence", "line 12, first_seen",
    ]  # fmt: skip
    assert made.incident.scope == {}


def test_no_refusal_is_endless() -> None:
    made = bank()
    fields: Any = made.says(file_of(*[host(" ")] * 500)).detail["fields"]
    assert len(fields) == MAX_DEFECTS + 1
    assert made.says(AddScope(actor=by(AMY), items=())).reason is Reason.EMPTY
    assert made.says(add("x", "garden")).reason is Reason.NO_SUCH_ITEM
    assert made.says(add(" ", "host")).reason is Reason.EMPTY


def test_the_scope_has_a_bound() -> None:
    made = bank()
    made.incident.scope.update(
        {
            f"SC-{one}": ScopeItem(id=f"SC-{one}", kind="host", name="t:gone", at=NIGHT)
            for one in range(MAX_ITEMS)
        }
    )
    assert made.says(add("one-more", "host")).reason is Reason.TOO_LONG


def test_what_was_disposed_of_cannot_be_met_again_and_old_records_are_told_by_their_looks() -> None:
    items = [
        ScopeItem(id="SC-001", kind="host", name="t:1", at=NIGHT),
        ScopeItem(id="SC-002", kind="indicator", name="t:2", at=NIGHT),
        ScopeItem(id="SC-003", kind="host", name="plain", at=NIGHT),
        ScopeItem(id="SC-004", kind="host", name="t:4", at=NIGHT),
    ]
    found = known_items(items, {"t:1": None, "t:2": "203.0.113.7"})
    assert found == {("indicator:ipv4", "203.0.113.7"): "SC-002", ("host", "plain"): "SC-003"}


def test_records_of_the_versions_before_still_fold() -> None:
    shape: Any = {"recorded_at": NIGHT, "at": NIGHT, "actor": AMY, "stream": "INC-2026-0001"}
    facts = [
        Fact(seq=1, kind="scope.added", data={"id": "SC-001", "kind": "host", "name": "t:1"}, **shape),
        Fact(seq=2, kind="scope.fixed", data={"id": "SC-001", "fix": "t:2"}, **shape),
        Fact(seq=3, kind="scope.added", data={"id": "SC-002", "kind": "data", "name": "t:3"}, **shape),
        Fact(seq=4, kind="scope.accepted", data={"id": "SC-002", "reason": "t:4"}, **shape),
    ]
    state = fold(empty("INC-2026-0001"), facts)
    assert isinstance(state, Incident)
    assert [(one.fix, one.accepted) for one in state.scope.values()] == [("t:2", None), (None, "t:4")]


WRITERS = st.sampled_from(["plain", "upper", "defanged", "dotted"])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), WRITERS, st.booleans()), min_size=1, max_size=12))
def test_however_it_is_written_an_indicator_is_in_scope_once(course: list[tuple[int, str, bool]]) -> None:
    made = bank()
    for number, how, single in course:
        name = f"evil{number}.example"
        written = {
            "plain": name, "upper": name.upper(), "defanged": defang("domain", name), "dotted": f"{name}.",
        }[how]  # fmt: skip
        item = NewItem(kind="indicator", name=written)
        made.desk.handle(made.stream, AddScope(actor=by(AMY), items=(item,) if single else (item, item)))
    assert len(made.incident.scope) == len({number for number, _, _ in course})


# -- more is known ------------------------------------------------------------------------------------------


def test_an_update_says_only_what_is_new() -> None:
    made = bank()
    made.do(add("evil.example", last_seen=LATER, confidence="suspected"))
    assert made.says(UpdateScope(actor=by(AMY), id="SC-001")).reason is Reason.ALREADY
    same = UpdateScope(actor=by(AMY), id="SC-001", last_seen=EARLIER, confidence="suspected")
    assert made.says(same).reason is Reason.ALREADY
    made.do(UpdateScope(actor=by(AMY), id="sc-001", confidence="confirmed", note="seen", party="net"))
    fact = made.facts("scope.seen")[0]
    assert set(fact.data) == {"id", "confidence", "note", "party"}
    assert made.incident.scope["SC-001"].confidence == "confirmed"
    assert "net" in made.incident.party_notices
    wrong = UpdateScope(actor=by(AMY), id="SC-001", confidence="-1", party="x")
    fields: Any = made.says(wrong).detail["fields"]
    assert [one.split(":")[0] for one in fields] == ["confidence", "party"]
    assert made.says(UpdateScope(actor=by(AMY), id="SC-009")).reason is Reason.NO_SUCH_ITEM


@pytest.mark.parametrize(
    "settling",
    [
        FixScope(actor=by(AMY), ids=("SC-001",), text="-"),
        RetractScope(actor=by(BEN), ids=("SC-001",), reason="-"),
    ],
)
def test_what_is_seen_after_its_fix_is_open_again(settling: Any) -> None:
    made = bank()
    made.do(add("evil.example", last_seen=EARLIER))
    made.do(settling)
    assert made.incident.scope["SC-001"].settled
    made.do(UpdateScope(actor=by(AMY), id="SC-001", last_seen=LATER))
    assert made.incident.scope["SC-001"].settled, "seen before it was dealt with"
    made.clock.advance(timedelta(minutes=9))
    made.do(add("evil.example"))
    assert made.facts("scope.seen")[-1].data["reopens"] is True
    assert made.incident.scope["SC-001"].holds


def test_an_accepted_risk_stays_accepted() -> None:
    made = bank()
    made.do(add("evil.example"))
    made.do(AcceptScope(actor=by(CHO), ids=("SC-001",), reason="-"))
    made.clock.advance(timedelta(minutes=9))
    made.do(add("evil.example"))
    assert made.incident.scope["SC-001"].settled


def test_every_sort_of_host_counts_as_a_host_and_a_false_alarm_as_nothing() -> None:
    made = [ScopeItem(id="SC-001", kind=one, name="x", at=NIGHT) for one in KINDS]
    assert {one.kind for one in made if is_of(one, "host")} == HOSTS
    assert [one.kind for one in made if is_of(one, "server")] == ["server"]
    assert not is_of(ScopeItem(id="SC-001", kind="host", name="x", at=NIGHT, retracted="t:1"), "host")


def test_how_sure_a_word_is() -> None:
    assert [sureness(one) for one in ("confirmed", "likely", "suspected", "7", "")] == [95, 70, 30, 7, None]


# -- what was done ------------------------------------------------------------------------------------------


def test_a_fix_is_words_a_step_or_evidence() -> None:
    made = bank()
    for name in ("a", "b", "c"):
        made.do(add(name, "host"))
    whole: dict[str, Any] = {"digest": "sha256:" + "a" * 64, "size": 9}
    made.do(AddEvidence(actor=by(AMY), source="memory", description="-", **whole))
    made.do(Done(actor=by(AMY), step="look"))
    made.do(FixScope(actor=by(AMY), ids=("sc-001",), text="rebuilt", step="look"))
    made.do(FixScope(actor=by(AMY), ids=("SC-002",), evidence="ev-0001"))
    first, second, third = made.incident.scope.values()
    assert (first.settled, first.fix_step) == (True, "unknown/look")
    assert (second.fix, second.fix_evidence, second.holds) == ("", "EV-0001", False)
    assert third.holds
    nothing = FixScope(actor=by(AMY), ids=("SC-003",))
    assert made.says(nothing).reason is Reason.EMPTY
    assert made.says(FixScope(actor=by(AMY), text="-")).reason is Reason.NO_SUCH_ITEM
    wrong = FixScope(actor=by(AMY), ids=("SC-003",), evidence="EV-0009")
    assert made.says(wrong).reason is Reason.NO_SUCH_ITEM
    no_step = FixScope(actor=by(AMY), ids=("SC-003",), step="garden")
    assert made.says(no_step).reason is Reason.NO_SUCH_STEP


def test_a_step_that_is_not_done_and_a_part_of_evidence_fix_nothing() -> None:
    made = bank()
    made.do(add("a", "host"))
    made.do(AddEvidence(actor=by(AMY), source="memory", description="-", partial=True))
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"step": "look"}, "is ready"),
        ({"evidence": "EV-0001"}, "is a part"),
    ]
    for fields, said in wrong:
        no = made.says(FixScope(actor=by(AMY), ids=("SC-001",), text="rebuilt", **fields))
        assert no.reason is Reason.FIELD_WRONG
        assert said in str(no.detail["fields"])
    assert made.incident.scope["SC-001"].holds


def test_nothing_is_first_seen_after_it_was_last_seen() -> None:
    made = bank()
    made.do(add("a.example", last_seen=EARLIER))
    no = made.says(UpdateScope(actor=by(AMY), id="SC-001", first_seen=LATER))
    assert no.reason is Reason.FIELD_WRONG
    assert "SC-001, first_seen" in str(no.detail["fields"])
    made.do(UpdateScope(actor=by(AMY), id="SC-001", first_seen=LATER, last_seen=NIGHT))
    made.do(add("b.example", first_seen=LATER))
    assert made.says(UpdateScope(actor=by(AMY), id="SC-002", last_seen=EARLIER)).reason is Reason.FIELD_WRONG


def test_thousands_are_fixed_by_one_command_and_the_gate_says_how_many() -> None:
    made = scene_of(step("open-again", resumes=["payments"], phase="recovery"))
    items = tuple(NewItem(kind="indicator", name=f"10.{one // 200}.{one % 200}.1") for one in range(1_200))
    made.do(file_of(*items, host("pc")))
    held = made.incident.gates_held["unknown/open-again"]
    assert "no-fix-many:indicator/1200" in held and "no-fix:SC-1201" in held
    assert len(held) < NAMED
    kinds = made.do(FixScope(actor=by(AMY), every=True, kind="indicator", type="ipv4", text="blocked"))
    assert kinds.count("scope.fixed_many") == 2
    assert [one.id for one in made.incident.scope.values() if one.holds] == ["SC-1201"]
    assert made.says(FixScope(actor=by(AMY), every=True, kind="indicator", text="-")).reason is Reason.ALREADY
    assert (
        made.says(FixScope(actor=by(AMY), every=True, kind="garden", text="-")).reason is Reason.NO_SUCH_ITEM
    )
    made.do(FixScope(actor=by(AMY), every=True, text="-"))
    assert list(open_causes(made.incident.scope.values())) == []


@pytest.mark.parametrize("kind", KINDS)
def test_entry_routes_accounts_hosts_and_indicators_are_fixed_before_resuming(kind: str) -> None:
    made = scene_of(step("open-again", resumes=["payments"], phase="recovery"))
    made.do(add("203.0.113.7", kind))
    held = "no-fix:SC-001" in made.incident.gates_held["unknown/open-again"]
    assert held is (kind in NEED_A_FIX)


def test_a_false_alarm_takes_more_than_noting_something_down() -> None:
    made = bank()
    made.do(file_of(host("a"), host("b")))
    assert made.says(RetractScope(actor=by(AMY), ids=("SC-001",), reason="-")).reason is Reason.ROLE_MISSING
    assert made.says(RetractScope(actor=by(BEN), ids=("SC-001",), reason="")).reason is Reason.REASON_MISSING
    made.do(RetractScope(actor=by(BEN), ids=("SC-001", "SC-002"), reason="scanner"))
    assert list(open_causes(made.incident.scope.values())) == []
    for ids in (("SC-001",), ()):
        assert made.says(RetractScope(actor=by(BEN), ids=ids, reason="-")).reason is Reason.ALREADY


def test_only_its_authority_accepts_a_risk() -> None:
    made = bank()
    made.do(file_of(host("a"), host("b")))
    for who in (AMY, BEN):
        assert made.says(AcceptScope(actor=by(who), every=True, reason="-")).reason is Reason.ROLE_MISSING
    made.do(AcceptScope(actor=by(CHO), every=True, kind="host", reason="-"))
    assert all(one.accepted for one in made.incident.scope.values())


# -- third parties ------------------------------------------------------------------------------------------


def test_an_asset_of_a_third_party_opens_its_notice() -> None:
    made = bank()
    assert "party.owed" in made.do(add("router", "network-device", party="net"))
    assert "party.owed" in made.do(add("Payments", "service"))
    notices = made.incident.party_notices
    assert {name: one.because for name, one in notices.items()} == {"net": ["SC-001"], "core": ["SC-002"]}
    assert "party.owed" not in made.do(add("fax", "host"))
    made.do(file_of(host("x", party="net"), host("y", party="net")))
    assert notices["net"].because == ["SC-001", "SC-004", "SC-005"]


def test_stopping_a_service_tells_those_whom_it_runs_through() -> None:
    made = bank()
    made.do(Decide(actor=by(CHO), step="first", choice="yes", reason="-"))
    made.do(
        Decide(
            actor=by(CHO), step="may-cut", choice="yes", reason="-", factors=dict.fromkeys(FACTORS, "unknown")
        )
    )
    assert made.incident.party_notices == {}
    assert "party.owed" in made.do(Done(actor=by(AMY), step="stop"))
    assert made.incident.party_notices["core"].because == ["payments"]
    assert "party.owed" not in made.do(ServiceFact(actor=by(AMY), service="payments", what="impacted"))


def test_that_none_is_due_is_a_decision_with_a_reason() -> None:
    made = bank()
    made.do(add("router", "network-device", party="net"))
    assert made.says(SettleParty(actor=by(AMY), party="net", reason="-")).reason is Reason.ROLE_MISSING
    assert made.says(SettleParty(actor=by(BEN), party="core", reason="-")).reason is Reason.NO_SUCH_ITEM
    assert made.says(SettleParty(actor=by(BEN), party="net", reason=" ")).reason is Reason.REASON_MISSING
    made.do(SettleParty(actor=by(BEN), party="net", reason="they found it"))
    notice = made.incident.party_notices["net"]
    assert (notice.how, notice.by, notice.settled_at) == ("not-due", BEN, made.clock.now())
    assert made.says(SettleParty(actor=by(BEN), party="net", reason="-")).reason is Reason.ALREADY
    made.clock.advance(timedelta(minutes=1))
    made.do(add("switch", "network-device", party="net"))
    assert notice is not made.incident.party_notices["net"]
    assert made.incident.party_notices["net"].settled_at is None


# -- containment again --------------------------------------------------------------------------------------


def contained() -> Scene:
    """An incident whose containment has ended."""
    made = scene_of(step("cut", phase="containment"), step("clean", phase="eradication"))
    made.do(Done(actor=by(AMY), step="cut"))
    assert made.incident.phases["containment"].status == "ended"
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_a_scope_that_grows_after_containment_asks_for_it_to_be_reopened(kind: str) -> None:
    made = contained()
    asked = "reopening.proposed" in made.do(add("203.0.113.7", kind))
    assert asked is (kind in NEED_A_FIX)


def test_a_file_asks_once_for_all_that_is_new_in_it() -> None:
    made = contained()
    kinds = made.do(file_of(host("a"), host("b"), NewItem(kind="data", name="c")))
    assert kinds.count("reopening.proposed") == 1
    assert made.facts("reopening.proposed")[0].data["cause"] == "scope-grew:SC-001–SC-002"
    assert "reopening.proposed" not in made.do(file_of(host("a", note="known already")))


def test_what_comes_back_after_its_fix_asks_as_well() -> None:
    made = contained()
    made.do(add("evil.example"))
    made.do(FixScope(actor=by(AMY), ids=("SC-001",), text="-"))
    made.clock.advance(timedelta(minutes=9))
    made.do(UpdateScope(actor=by(AMY), id="SC-001", last_seen=made.clock.now()))
    assert made.incident.scope["SC-001"].holds


# -- a message to a third party -----------------------------------------------------------------------------


def to_party(**fields: Any) -> DraftMessage:
    shape: dict[str, Any] = {"audience": "third-party", "tlp": "AMBER", "party": "net"}
    return DraftMessage(actor=by(AMY), lang="ja", document="sha256:1", gaps=0, **(shape | fields))


def test_a_message_that_was_sent_to_a_third_party_settles_its_notice() -> None:
    made = bank()
    made.do(add("router", "network-device", party="net"))
    assert [one.id for one in other_clocks(made.incident, made.desk.world(made.incident))] == [
        "vendor:net/inform"
    ]
    made.do(to_party())
    made.do(SubmitMessage(actor=by(AMY), message="MSG-001"))
    made.do(ApproveMessage(actor=by(BEN), message="MSG-001", read={"ja": "sha256:1"}))
    assert made.incident.party_notices["net"].settled_at is None, "nothing was sent yet"
    made.do(RecordSending(actor=by(AMY), message="MSG-001", via="telephone"))
    notice = made.incident.party_notices["net"]
    assert (notice.how, notice.message, notice.by) == ("sent", "MSG-001", AMY)
    assert list(other_clocks(made.incident, made.desk.world(made.incident))) == []
    made.do(to_party(audience=None, tlp=None, party="", corrects="MSG-001"))
    assert made.incident.outgoing["MSG-002"].party == "net"


def test_a_message_goes_to_a_third_party_that_there_is() -> None:
    made = bank()
    assert made.says(to_party(party="nobody")).reason is Reason.NO_SUCH_ITEM
    assert made.says(to_party(audience="press", tlp="CLEAR")).reason is Reason.FIELD_WRONG
    made.do(to_party(party="core"))
    made.do(SubmitMessage(actor=by(AMY), message="MSG-001"))
    made.do(ApproveMessage(actor=by(BEN), message="MSG-001", read={"ja": "sha256:1"}))
    made.do(RecordSending(actor=by(AMY), message="MSG-001", via="telephone"))
    assert made.incident.party_notices == {}


# -- sharing ------------------------------------------------------------------------------------------------

NONE = "sha256:" + "0" * 64


def package(**fields: Any) -> PrepareSharing:
    shape: dict[str, Any] = {"part": "technical", "tlp": "AMBER", "digest": NONE, "files": {"a.json": NONE}}
    return PrepareSharing(actor=by(AMY), **(shape | fields))


def given_to(to: str = "net", **fields: Any) -> RecordShared:
    return RecordShared(actor=by(BEN), to=to, via="-", **({"sharing": "SHR-001"} | fields))


def test_a_package_and_whom_it_was_given_to_are_on_record() -> None:
    made = bank()
    made.do(package(allowed=("name",), indicators=3))
    one = made.incident.sharings["SHR-001"]
    beside = made.desk.texts(made.stream)
    assert (one.part, one.tlp, one.indicators, [beside[name] for name in one.allowed]) == (
        "technical", "AMBER", 3, ["name"],
    )  # fmt: skip
    made.do(given_to())
    made.do(given_to("the ISAC of banks"))
    beside = made.desk.texts(made.stream)
    assert [beside.get(given.to, given.to) for given in one.shared] == ["net", "the ISAC of banks"]
    assert [fact.data.get("unapproved") for fact in made.facts("sharing.shared")] == [True, True]


def test_a_letter_goes_with_it_once_it_is_approved() -> None:
    made = bank()
    made.do(package())
    made.do(to_party())
    assert made.says(given_to(message="MSG-001")).reason is Reason.NOT_APPROVED
    assert made.says(given_to(message="MSG-009")).reason is Reason.NO_SUCH_ITEM
    made.do(SubmitMessage(actor=by(AMY), message="MSG-001"))
    made.do(ApproveMessage(actor=by(BEN), message="MSG-001", read={"ja": "sha256:1"}))
    made.do(given_to(message="MSG-001"))
    assert made.incident.sharings["SHR-001"].shared[0].message == "MSG-001"


def test_what_is_wrong_with_a_package_is_said_at_once() -> None:
    made = bank()
    wrong = package(tlp="PURPLE", part="all", digest="x", files={"a": "y"})
    fields: Any = made.says(wrong).detail["fields"]
    assert [one.split(":")[0] for one in fields] == ["tlp", "part", "digest", "a"]
    assert made.says(package(files={})).reason is Reason.FIELD_WRONG
    assert made.says(package(leaks=("a.md line 1",))).reason is Reason.NAMES_VICTIM
    assert made.says(given_to(sharing="SHR-009")).reason is Reason.NO_SUCH_ITEM
    made.do(package(tlp="RED"))
    assert made.says(given_to()).reason is Reason.LABEL_TOO_NARROW
    made.incident.sharings.update(
        {str(one): made.incident.sharings["SHR-001"] for one in range(MAX_SHARINGS)}
    )
    assert made.says(package()).reason is Reason.TOO_LONG
