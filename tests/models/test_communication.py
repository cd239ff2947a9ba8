"""Messages to others: labels, approval by other eyes in order, what an edit voids; reports; inquiries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.audience import APPROVALS, LABELS, gaps, labelled, unlabelled
from models.commands import Acknowledge, Close, Confirm, Done, EndIncident, OverrideGate, Resolve
from models.communication import (
    AddInquiry,
    ApproveMessage,
    DraftMessage,
    EditMessage,
    Outgoing,
    RecordSending,
    RejectMessage,
    SendSituation,
    SubmitMessage,
    WithdrawMessage,
)
from models.fold import empty, fold
from models.permission import TABLE
from models.reason import Reason
from models.reports import ReportSituation
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    DAN,
    EVE,
    FAY,
    GUS,
    ROUTES,
    Scene,
    by,
    organisation,
    policy,
    route,
    scene,
)

pytestmark = pytest.mark.usefixtures("runs_again")

ONE, TWO = "sha256:1", "sha256:2"
CHAIN: dict[Any, Any] = {"press": ["pr", "ciso"], "staff": [], "customers": ["csirt-lead", "cio", "ciso"]}
APPROVAL = route(
    "message-approval",
    "message-approval",
    levels=[{"to": ["authority"], "within": "10m"}, {"to": ["csirt-lead"], "within": "10m"}],
    renew="20m",
)


def bank(**changes: Any) -> Scene:
    """An incident where the press office and the CISO approve statements, in that order."""
    shape = {"routes": changes.pop("routes", [*ROUTES, APPROVAL]), "approvals": {**APPROVALS, **CHAIN}}
    return scene(policy=policy(**shape, lists={"management": ["ciso", "cio"]}), **changes)


def draft(made: Scene, who: str = AMY, **fields: Any) -> tuple[str, ...]:
    shape: dict[str, Any] = {"audience": "press", "tlp": "CLEAR", "lang": "ja", "document": ONE, "gaps": 0}
    return made.do(DraftMessage(actor=by(who), **(shape | fields)))


def edit(who: str = AMY, document: str = TWO, version: str = "ja", **fields: Any) -> EditMessage:
    shape: dict[str, Any] = {"message": "MSG-001", "version": version, "document": document, "gaps": 0}
    return EditMessage(actor=by(who), **(shape | fields))


def submit(made: Scene, message: str = "MSG-001") -> tuple[str, ...]:
    return made.do(SubmitMessage(actor=by(AMY), message=message))


def approve(who: str, document: str = ONE, lang: str = "ja", **fields: Any) -> ApproveMessage:
    shape: dict[str, Any] = {"actor": by(who), "message": "MSG-001", "read": {lang: document}}
    return ApproveMessage(**(shape | fields))


def approved(**changes: Any) -> Scene:
    """A statement that both have approved."""
    made = bank(**changes)
    draft(made)
    submit(made)
    made.do(approve(FAY))
    made.do(approve(CHO))
    return made


def message(made: Scene, name: str = "MSG-001") -> Outgoing:
    return made.incident.outgoing[name]


# -- text and label -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("nothing", 0),
        ("【要記入: 電話】と[TO FILL: telephone]", 2),
        ("【未記入 / to be filled in】", 1),
        ("[to fill]", 1),
    ],
)
def test_gaps_are_counted(text: str, left: int) -> None:
    assert gaps(text) == left


def test_a_label_stands_at_head_and_foot_once_however_often_it_is_put_there() -> None:
    once = labelled("a\r\n\r\nb", "AMBER+STRICT", drill=False)
    assert once == "TLP:AMBER+STRICT\n\na\n\nb\n\nTLP:AMBER+STRICT\n"
    assert labelled(once, "AMBER+STRICT", drill=False) == once
    assert unlabelled(labelled("a", "RED", drill=True)) == "a"
    assert unlabelled("TLP:RED\n\n") == ""


def test_every_audience_has_labels_and_a_chain() -> None:
    assert set(LABELS) == set(APPROVALS)
    assert all("RED" not in labels for audience, labels in LABELS.items() if audience != "staff")
    assert all("AMBER+STRICT" not in LABELS[one] for one in ("press", "customers", "third-party", "other"))


@pytest.mark.parametrize(
    ("audience", "tlp"),
    [("press", "GREEN"), ("customers", "RED"), ("third-party", "AMBER+STRICT"), ("branches", "RED")],
)
def test_a_label_keeps_a_text_from_who_may_not_have_it(audience: str, tlp: str) -> None:
    made = bank()
    no = made.says(
        DraftMessage(actor=by(AMY), lang="ja", document=ONE, gaps=0, audience=audience, tlp=tlp)  # type: ignore[arg-type]
    )
    assert (no.reason, no.detail["tlp"]) == (Reason.LABEL_TOO_NARROW, tlp)


def test_what_a_draft_lacks_or_names_wrongly_is_refused() -> None:
    made = bank()
    shape: dict[str, Any] = {"actor": by(AMY), "lang": "ja", "document": ONE, "gaps": 0}
    assert made.says(DraftMessage(**shape, audience="press")).detail["fields"] == ["tlp"]
    assert made.says(DraftMessage(**shape, of="MSG-9")).reason is Reason.NO_SUCH_ITEM
    draft(made, template="press-first")
    assert message(made).template == "press-first"
    assert made.says(DraftMessage(**shape, of="MSG-001")).reason is Reason.DUPLICATE
    assert made.says(DraftMessage(**shape, corrects="MSG-001")).reason is Reason.NOT_SENT
    assert made.says(edit(document=ONE)).reason is Reason.ALREADY
    assert made.says(edit(version="fr")).reason is Reason.NO_SUCH_ITEM
    assert made.says(edit(who=EVE)).reason is Reason.ROLE_MISSING


def test_messages_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.rules.communication.MAX_MESSAGES", 1)
    made = bank()
    draft(made)
    no = made.says(
        DraftMessage(actor=by(AMY), lang="ja", document=ONE, gaps=0, audience="press", tlp="CLEAR")
    )
    assert no.reason is Reason.TOO_LONG


# -- approval -----------------------------------------------------------------------------------------------


def test_each_in_turn_is_paged_and_approves_and_the_page_before_is_over() -> None:
    made = bank()
    assert draft(made) == ("outgoing.drafted",)
    assert submit(made) == ("outgoing.submitted", "page.asked")
    first = made.page("message:MSG-001/pr")
    assert first.reached["0"][0].person == FAY
    assert made.do(approve(FAY)) == ("outgoing.approved", "page.asked", "page.stopped")
    assert made.page("message:MSG-001/pr").state == "stopped"
    assert made.page("message:MSG-001/ciso").reached["0"][0].person == CHO
    assert made.do(approve(CHO)) == ("outgoing.approved", "message.requested", "page.stopped")
    assert message(made).status == "approved"
    assert made.outbox(template="notice.message", person=AMY)
    assert made.incident.open_pages() == [made.page()]


def test_what_waits_for_approval_climbs_the_route_and_an_ack_alone_does_not_settle_it() -> None:
    made = bank()
    draft(made)
    submit(made)
    page = made.page("message:MSG-001/pr")
    assert "page.escalated" in made.wait(11)
    made.do(Acknowledge(actor=by(FAY), page=page.id))
    assert "page.lapsed" in made.wait(21)


def test_without_a_route_of_its_own_it_takes_that_of_decisions_and_never_goes_in_a_circle() -> None:
    made = bank(routes=ROUTES)
    draft(made)
    submit(made)
    assert made.page("message:MSG-001/pr").route == "decision"
    bare = bank(routes=[one for one in ROUTES if one["id"] != "decision"])
    draft(bare)
    assert submit(bare) == ("outgoing.submitted", "page.unanswerable")


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        (CHO, Reason.AUTHORITY_MISSING),
        (AMY, Reason.AUTHORITY_MISSING),
        (None, Reason.UNKNOWN_PERSON),
    ],
)
def test_nobody_approves_out_of_turn(who: str | None, reason: Reason) -> None:
    made = bank()
    draft(made)
    assert made.says(approve(FAY)).reason is Reason.NOT_WAITING
    submit(made)
    assert made.says(ApproveMessage(actor=by(who), message="MSG-001", read={"ja": ONE})).reason is reason


def test_a_writer_does_not_approve_his_own_text_whoever_wrote_it_down() -> None:
    made = bank()
    draft(made, who=FAY)
    submit(made)
    no = made.says(approve(FAY))
    assert (no.reason, no.detail["who"]) == (Reason.OWN_TEXT, FAY)
    other = bank()
    draft(other, who=GUS, for_=FAY)
    submit(other)
    assert other.says(approve(FAY)).reason is Reason.OWN_TEXT
    other.do(edit(who=FAY))
    submit(other)
    assert other.says(approve(FAY, TWO)).reason is Reason.OWN_TEXT


def test_one_person_never_approves_twice_not_even_as_a_deputy() -> None:
    made = bank(organisation=organisation(absent=[CHO]))
    draft(made, audience="customers")
    submit(made)
    made.do(approve(BEN))
    made.do(approve(DAN))
    # Nor is the deputy asked again: whoever can see to it is.
    assert made.page("message:MSG-001/ciso").reached["0"] == []
    no = made.says(approve(DAN))
    assert (no.reason, no.detail["who"]) == (Reason.APPROVES_TWICE, DAN)


def test_a_deputy_approves_as_a_deputy_and_the_absent_one_may_still() -> None:
    for who, deputy_for in ((DAN, CHO), (CHO, None)):
        made = bank(organisation=organisation(absent=[CHO]))
        draft(made)
        submit(made)
        made.do(approve(FAY))
        made.do(approve(who))
        last = message(made).versions["ja"].approvals[-1]
        assert (last.by, last.role, last.deputy_for) == (who, "ciso", deputy_for)


def test_a_scribe_alone_satisfies_no_chain_but_may_record_a_no() -> None:
    made = bank()
    draft(made)
    submit(made)
    for who, giver in ((GUS, FAY), (BEN, FAY), (GUS, CHO)):
        refused = made.says(approve(who, for_=giver))
        assert (refused.reason, refused.detail["who"]) == (Reason.IN_PERSON, giver)
    made.do(RejectMessage(actor=by(GUS), for_=FAY, message="MSG-001", reason="by telephone: no"))
    assert [one.what for one in made.incident.confirmations.values()] == ["outgoing.rejected"]
    number = next(iter(made.incident.confirmations))
    made.do(Confirm(actor=by(FAY), fact=number))
    assert made.incident.confirmations == {}


def test_an_edit_voids_what_was_approved_and_says_whose_approval() -> None:
    made = bank()
    draft(made)
    submit(made)
    made.do(approve(FAY))
    assert made.do(edit()) == ("outgoing.edited", "outgoing.voided", "page.stopped")
    assert made.facts("outgoing.voided")[0].data["people"] == [FAY]
    assert message(made).status == "draft"
    submit(made)
    assert made.says(approve(FAY, ONE)).reason is Reason.TEXT_CHANGED
    made.do(approve(FAY, TWO))
    assert made.facts("outgoing.approved")[-1].data["versions"] == {"ja": TWO}


def test_gaps_and_repeated_submissions_are_refused() -> None:
    made = bank()
    draft(made, gaps=2)
    no = made.says(SubmitMessage(actor=by(AMY), message="MSG-001"))
    assert (no.reason, no.detail["fields"]) == (Reason.GAPS_LEFT, ["ja: 2"])
    assert made.do(edit()) == ("outgoing.edited",)
    submit(made)
    assert made.says(SubmitMessage(actor=by(AMY), message="MSG-001")).reason is Reason.ALREADY


def test_a_no_goes_back_to_the_writers_and_the_text_does_not_return_unchanged() -> None:
    made = bank()
    draft(made)
    submit(made)
    made.do(RejectMessage(actor=by(FAY), message="MSG-001", reason="Too early"))
    assert message(made).status == "rejected"
    assert made.outbox(template="notice.message", person=AMY)
    assert made.says(SubmitMessage(actor=by(AMY), message="MSG-001")).reason is Reason.TEXT_REJECTED
    made.do(edit())
    submit(made)
    made.do(approve(FAY, TWO))
    kinds = made.do(RejectMessage(actor=by(CHO), message="MSG-001", reason="Still too early"))
    assert kinds[:2] == ("outgoing.rejected", "outgoing.voided")
    assert message(made).versions["ja"].approvals == []


def test_both_languages_are_versions_of_one_message_and_both_are_needed() -> None:
    made = bank()
    draft(made)
    draft(made, lang="en", document=TWO, of="MSG-001")
    submit(made)
    made.do(ApproveMessage(actor=by(FAY), message="MSG-001", read={"ja": ONE, "en": TWO}))
    made.do(approve(CHO))
    no = made.says(RecordSending(actor=by(AMY), message="MSG-001", via="web"))
    assert (no.reason, no.detail["versions"], no.detail["needs"]) == (Reason.NOT_APPROVED, ["en"], ["ciso"])
    made.do(approve(CHO, TWO, "en"))
    made.do(RecordSending(actor=by(AMY), message="MSG-001", via="web"))
    assert message(made).sent[0].versions == {"ja": ONE, "en": TWO}


def test_a_version_behind_the_other_pages_nobody_twice() -> None:
    made = bank()
    draft(made)
    submit(made)
    draft(made, lang="en", document=TWO, of="MSG-001")
    assert submit(made) == ("outgoing.submitted",)
    assert made.do(approve(FAY)) == ("outgoing.approved", "page.asked")
    assert message(made).waiting() == ("pr", "ciso")


def test_a_chain_of_nobody_is_approved_when_submitted() -> None:
    made = bank()
    draft(made, audience="staff", tlp="RED")
    assert submit(made) == ("outgoing.submitted",)
    assert message(made).status == "approved"
    made.do(RecordSending(actor=by(AMY), message="MSG-001", via="intranet"))


# -- sent, corrected, withdrawn -----------------------------------------------------------------------------


def test_a_message_may_go_out_by_several_means_and_one_too_early_shows() -> None:
    made = approved()
    for via in ("web", "mail"):
        made.do(RecordSending(actor=by(AMY), message="MSG-001", via=via))
    assert len(message(made).sent) == 2
    assert all("before_approval" not in one.data for one in made.facts("outgoing.sent"))
    made.wait(10)
    draft(made, document=TWO)
    submit(made, "MSG-002")
    made.do(approve(FAY, TWO, message="MSG-002"))
    made.do(approve(CHO, TWO, message="MSG-002"))
    early = made.incident.declared_at
    made.do(RecordSending(actor=by(AMY), message="MSG-002", via="web", instant=early))
    assert made.facts("outgoing.sent")[-1].data["before_approval"] is True
    assert made.says(edit()).reason is Reason.MESSAGE_OVER


def test_a_correction_is_a_message_of_its_own_and_ends_the_earlier_one_when_it_is_sent() -> None:
    made = approved()
    made.do(RecordSending(actor=by(AMY), message="MSG-001", via="web"))
    draft(made, document=TWO, corrects="MSG-001", audience=None, tlp=None)
    assert (message(made, "MSG-002").audience, message(made).status) == ("press", "sent")
    submit(made, "MSG-002")
    for who in (FAY, CHO):
        made.do(approve(who, TWO, message="MSG-002"))
    made.do(RecordSending(actor=by(AMY), message="MSG-002", via="web"))
    assert message(made).status == "corrected"
    assert made.says(RecordSending(actor=by(AMY), message="MSG-001", via="web")).reason is Reason.MESSAGE_OVER


def test_what_is_withdrawn_leaves_its_approvers_in_peace() -> None:
    made = bank()
    draft(made)
    submit(made)
    gone = WithdrawMessage(actor=by(BEN), message="MSG-001", reason="Overtaken")
    assert made.do(gone) == ("outgoing.withdrawn", "page.stopped")
    assert message(made).status == "withdrawn"
    assert made.says(gone).reason is Reason.ALREADY
    assert made.says(approve(FAY)).reason is Reason.MESSAGE_OVER
    assert made.says(RecordSending(actor=by(AMY), message="MSG-001", via="web")).reason is Reason.MESSAGE_OVER


def test_the_policy_at_declaration_says_who_approves_and_everybody_folds_to_the_same() -> None:
    made = approved()
    made.do(RecordSending(actor=by(AMY), message="MSG-001", via="web"))
    assert message(made).chain == ["pr", "ciso"]
    with made.desk.record.read() as tx:
        facts = tx.facts(made.stream)
    assert fold(empty(made.stream), facts) == made.incident
    assert {"message", "message-approve", "message-sent", "message-withdraw", "inquiry"} <= set(TABLE)


def test_nothing_is_written_in_an_incident_that_was_none() -> None:
    made = bank()
    made.do(EndIncident(actor=by(BEN), how="dismissed", reason="A test"))
    assert made.says(AddInquiry(actor=by(AMY), asker="press")).reason is Reason.NOT_OPEN


# -- situation reports and inquiries ------------------------------------------------------------------------


def test_a_situation_report_goes_to_roles_people_and_lists_once_each() -> None:
    made = bank()
    sent = SendSituation(actor=by(AMY), text="All is known", to=("management", "ciso", FAY))
    assert made.do(sent) == ("situation.reported", "message.requested")
    rows = made.outbox(template="notice.situation")
    assert {row["person"] for row in rows} == {CHO, DAN, FAY}
    report = made.incident.situation_reports[0]
    assert (report.number, report.by, set(report.to)) == (1, AMY, {CHO, DAN, FAY})
    assert made.incident.situation_at == made.clock.now()
    made.do(ReportSituation(actor=by(AMY), text="By telephone"))
    assert made.incident.situation_reports[1].to == []


@pytest.mark.parametrize(
    ("to", "reason"),
    [((), Reason.NOBODY_REACHED), (("nobody",), Reason.NOBODY_REACHED), (("ciso",) * 51, Reason.TOO_LONG)],
)
def test_a_report_to_nobody_is_refused(to: tuple[str, ...], reason: Reason) -> None:
    assert bank().says(SendSituation(actor=by(AMY), text="x", to=to)).reason is reason


def test_inquiries_add_up_by_hour_asker_and_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    made = bank()
    for count, topic in ((12, "atm"), (3, "atm"), (1, "")):
        made.do(AddInquiry(actor=by(AMY), asker="customers", count=count, topic=topic, note=" "))
    made.do(AddInquiry(actor=by(FAY), asker="press", note="Evening news"))
    assert sorted(made.incident.inquiries.values()) == [1, 1, 15]
    for count, topic in ((0, ""), (1, "No id"), (1, "a" * 65), (10_000_000, "")):
        no = made.says(AddInquiry(actor=by(AMY), asker="press", count=count, topic=topic))
        assert no.reason is Reason.FIELD_WRONG
    monkeypatch.setattr("models.rules.communication.MAX_TOPICS", 2)
    assert made.says(AddInquiry(actor=by(AMY), asker="press", topic="new")).reason is Reason.TOO_LONG
    made.do(AddInquiry(actor=by(AMY), asker="press", topic="atm"))


def test_a_report_goes_only_to_those_whom_a_channel_reaches_and_names_the_others() -> None:
    made = bank(organisation=organisation(channels={CHO: ["sms"]}))
    refused = made.says(SendSituation(actor=by(BEN), text="-", to=("ciso",)))
    assert (refused.reason, refused.detail["to"]) == (Reason.NOBODY_REACHED, ["ciso"])
    refused = made.says(SendSituation(actor=by(BEN), text="-", to=("management",)))
    assert refused.detail["to"] == ["ciso"]
    people = organisation(channels={CHO: ["sms"]}).model_dump(mode="json")["people"]
    two = [one | ({"roles": ["ciso", "cio"]} if one["id"] == DAN else {}) for one in people]
    made = bank(organisation=organisation(fields={"people": two}))
    made.do(SendSituation(actor=by(BEN), text="-", to=("ciso",)))
    [fact] = made.facts("situation.reported")
    assert (fact.data["people"], fact.data["unreached"]) == ([DAN], [CHO])


def test_closing_ends_the_pages_of_messages_but_not_of_those_written_after_it() -> None:
    made = bank()
    draft(made)
    submit(made)
    made.do(Done(actor=by(AMY), step="look"))
    made.do(Resolve(actor=by(BEN), cause="c", entry_route="e"))
    made.do(OverrideGate(actor=by(CHO), gate="closing", step=made.stream, reason="-"))
    made.do(Close(actor=by(BEN), assessment="-", spread="-"))
    assert made.page("message:MSG-001/pr").state == "stopped"
    made.clock.advance(timedelta(minutes=1))
    made.do(edit())
    submit(made)
    assert made.page("message:MSG-001/pr").state == "open"


def test_who_wrote_a_text_is_not_asked_to_approve_it() -> None:
    made = bank()
    draft(made, who=FAY)
    made.do(SubmitMessage(actor=by(FAY), message="MSG-001"))
    made.wait(0)
    page = made.page("message:MSG-001/pr")
    # Nobody else holds that role: whoever can see to it is asked at once.
    assert {level: [one.person for one in people] for level, people in page.reached.items()} == {
        "0": [],
        "1": [BEN],
    }


def test_who_wrote_one_language_may_approve_the_other() -> None:
    made = bank()
    draft(made, who=FAY)
    draft(made, who=AMY, lang="en", of="MSG-001", audience=None, tlp=None)
    made.do(SubmitMessage(actor=by(AMY), message="MSG-001"))
    assert [one.person for one in made.page("message:MSG-001/pr").reached["0"]] == [FAY]
