"""The evidence ledger: what is recorded, who hands it on, what is held, what is disposed of and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from models import commands as c
from models.custody import (
    DisposeEvidence,
    DisposeTexts,
    Found,
    HoldEvidence,
    RecordRemoval,
    RecordRound,
    TransferEvidence,
    VerifyEvidence,
)
from models.evidence import STORE, Evidence, Particulars
from models.fold import evidence
from models.reason import Reason
from models.record import TEXT
from models.state import House
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    DAN,
    EVE,
    GUS,
    MACHINE,
    NIGHT,
    Scene,
    by,
    organisation,
    playbook,
    scene,
    step,
)

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
EV = "EV-0001"
VENDOR = {"id": "vendor", "name": "Vendor", "kind": "forensics", "provides": "-", "hours": "24/7"}
HAND: dict[str, Any] = {"purpose": "analysis", "place": "room 3"}


def ledger(**fields: Any) -> Scene:
    """An incident with one item of evidence, which Amy has."""
    own = organisation(fields={"third_parties": [VENDOR]})
    reading = step("read", phase="analysis", sources=["memory"], after=[])
    made = scene(playbook("unknown", step("look"), reading), organisation=own)
    add(made, **fields)
    return made


def add(made: Scene, **fields: Any) -> Evidence:
    given: dict[str, Any] = {
        "source": "memory",
        "description": "-",
        "digest": DIGEST,
        "size": 9,
        "stored": "sha256/aa/x",
    }
    made.do(c.AddEvidence(actor=by(AMY), **(given | {"stored": "sha256/aa/x"} | fields)))
    return list(made.incident.evidence.values())[-1]


def item(made: Scene, number: str = EV) -> Evidence:
    return made.incident.evidence[number]


def said(made: Scene, digest: str) -> str | None:
    return made.desk.texts(made.stream)[digest]


def closed() -> Scene:
    """As `ledger`, after the incident."""
    made = ledger()
    made.do(c.EndIncident(actor=by(AMY), how="dismissed", reason="-"))
    return made


# -- recording ----------------------------------------------------------------------------------------------


def test_every_field_of_a_custody_form_is_kept_and_texts_lie_beside() -> None:
    words = (("make", "Dell"), ("serial", "S-1"), ("witness", "Ono"), ("tool", "dd 9.1"), ("owner", " "))
    about = Particulars(
        kind="device",
        words=words,
        clock_offset_ms=-250,
        volatility=4,
        stored_digest=OTHER,
        stored_size=11,
        sealed_to=("age1x",),
        covers=("2026-11-01T00:00:00Z", ""),
        problem="lid open",
    )
    made = ledger(about=about, name="server", step="look", at=NIGHT)
    known = item(made)
    assert {name: said(made, digest) for name, digest in known.words.items()} == {
        **dict(words[:4]), "description": "-", "problem": "lid open", "name": "server"
    }  # fmt: skip
    assert (known.kind, known.clock_offset_ms, known.volatility, known.at) == ("device", -250, 4, NIGHT)
    assert (known.stored_digest, known.stored_size, known.sealed_to) == (OTHER, 11, ["age1x"])
    assert (known.holder, known.by, known.covers) == (AMY, AMY, ["2026-11-01T00:00:00Z", ""])
    assert b"Dell" not in made.facts("evidence.added")[0].body()


@pytest.mark.parametrize(
    ("about", "named"),
    [
        (Particulars(volatility=8), "volatility"),
        (Particulars(clock_offset_ms=10**16), "clock_offset"),
        (Particulars(stored_digest="md5:1"), "stored_digest"),
        (Particulars(words=(("colour", "red"),)), "words"),
        (Particulars(words=(("name", "x"),)), "words"),
    ],
    ids=["class", "offset", "stored", "unknown", "own"],
)
def test_what_cannot_be_is_refused_by_field(about: Particulars, named: str) -> None:
    made = ledger()
    refused = made.says(c.AddEvidence(actor=by(AMY), source="x", description="-", digest=DIGEST, about=about))
    assert refused.reason is Reason.FIELD_WRONG
    assert named in str(refused.detail)


def test_what_is_only_referenced_needs_a_digest_and_all_defects_come_at_once() -> None:
    made = ledger()
    about = Particulars(referenced=True, volatility=0)
    refused = made.says(c.AddEvidence(actor=by(AMY), source="x", description="-", about=about))
    assert len(refused.detail["fields"]) == 2  # type: ignore[arg-type]
    kept = add(made, digest=OTHER, stored="", about=Particulars(referenced=True))
    assert kept.is_object and kept.secures


def test_the_same_bytes_again_are_a_duplicate_of_the_first() -> None:
    made = ledger()
    assert add(made).duplicate_of == EV
    assert add(made, digest=OTHER).duplicate_of is None
    assert add(made).duplicate_of == EV


def test_what_somebody_outside_collected_is_held_by_them() -> None:
    made = ledger(about=Particulars(words=(("collected_by", "Mori, Forensics KK"),)))
    assert item(made).holder == ""
    assert said(made, item(made).holder_name) == "Mori, Forensics KK"


# -- custody ------------------------------------------------------------------------------------------------


def test_only_the_holder_hands_over_and_the_refusal_says_who_holds_it() -> None:
    made = ledger()
    refused = made.says(TransferEvidence(actor=by(BEN), id=EV, to=BEN, **HAND))
    assert refused.reason is Reason.NOT_HELD_BY
    assert refused.detail["holder"] == AMY
    made.do(TransferEvidence(actor=by(AMY), id=EV, to=BEN, **HAND))
    assert item(made).holder == BEN
    assert made.says(TransferEvidence(actor=by(AMY), id=EV, to=CHO, **HAND)).reason is Reason.NOT_HELD_BY
    assert made.says(TransferEvidence(actor=by(BEN), id=EV, to=BEN, **HAND)).reason is Reason.ALREADY


def test_a_receiver_of_the_directory_is_asked_to_confirm() -> None:
    made = ledger()
    made.do(TransferEvidence(actor=by(AMY), id=EV, to=BEN, **HAND))
    moved = item(made).transfers[0]
    assert (moved.released_by, moved.received_by, moved.result) == (AMY, BEN, "not-checked")
    assert [one.person for one in made.incident.confirmations.values()] == [BEN]
    assert moved.confirmed_at is None
    made.do(c.Confirm(actor=by(BEN), fact=moved.seq))
    assert item(made).transfers[0].confirmed_at is not None
    assert made.incident.confirmations == {}


def test_a_scribe_records_for_the_holder_and_the_receiver_confirms() -> None:
    made = ledger()
    made.do(TransferEvidence(actor=by(GUS), for_=AMY, id=EV, to=BEN, **HAND))
    assert [one.person for one in made.incident.confirmations.values()] == [BEN]
    made.do(TransferEvidence(actor=by(GUS), for_=BEN, id=EV, to=GUS, **HAND))
    waiting = [one.person for one in made.incident.confirmations.values()]
    assert waiting == [BEN, BEN], "GUS wrote it down and has it: whoever gave it away confirms"


def test_an_expert_outside_has_a_name_and_an_organisation() -> None:
    made = ledger()
    refused = made.says(TransferEvidence(actor=by(AMY), id=EV, to="Mori", **HAND))
    assert refused.reason is Reason.UNKNOWN_RECEIVER
    made.do(TransferEvidence(actor=by(AMY), id=EV, to="Mori", organisation="Forensics KK", **HAND))
    known = item(made)
    assert known.holder == "" and said(made, known.holder_name) == "Mori"
    # Somebody of ours takes it back and checks it.
    made.do(TransferEvidence(actor=by(BEN), id=EV, to=BEN, digest=DIGEST, **HAND))
    back = item(made).transfers[1]
    assert said(made, back.words["released_name"]) == "Mori"
    assert (back.result, item(made).holder) == ("same", BEN)


def test_a_third_party_of_the_register_receives_by_its_id() -> None:
    made = ledger()
    made.do(TransferEvidence(actor=by(AMY), id=EV, to="vendor", **HAND))
    moved = item(made).transfers[0]
    assert moved.outside and moved.received_by == "vendor" and item(made).holder == "vendor"
    made.do(TransferEvidence(actor=by(BEN), id=EV, to="vendor-2", organisation="x", **HAND))
    back = TransferEvidence(actor=by(BEN), id=EV, to=BEN, **HAND)
    made.do(back)
    named = TransferEvidence(actor=by(BEN), id=EV, to="vendor", organisation="Mr Kudo", **HAND)
    made.do(named)
    assert said(made, item(made).transfers[-1].words["organisation"]) == "Mr Kudo"


def test_what_a_machine_collected_is_released_by_whoever_may_record_evidence() -> None:
    made = ledger()
    made.do(c.AddEvidence(actor=MACHINE, source="x", description="-", digest=OTHER, size=1))
    assert item(made, "EV-0002").holder == STORE
    made.do(TransferEvidence(actor=by(BEN), id="EV-0002", to=BEN, **HAND))
    assert item(made, "EV-0002").transfers[0].released_by == STORE


def test_another_digest_on_handing_over_pages_somebody() -> None:
    made = ledger()
    made.do(TransferEvidence(actor=by(AMY), id=EV, to=BEN, digest=OTHER, **HAND))
    assert item(made).transfers[0].result == "different"
    assert made.page(f"evidence:{EV}", "evidence-damaged").state == "open"


def test_a_difference_at_a_hand_over_closes_the_gate_until_a_person_finds_it_the_same() -> None:
    made = ledger()
    made.do(TransferEvidence(actor=by(AMY), id=EV, to=BEN, digest=OTHER, **HAND))
    assert not item(made).secures
    made.do(TransferEvidence(actor=by(BEN), id=EV, to=AMY, **HAND))
    verified(made, "same")
    assert made.page(f"evidence:{EV}", "evidence-damaged").state == "open", (
        "the nightly round settles nothing"
    )
    verified(made, "same", by(AMY))
    assert item(made).secures
    assert made.page(f"evidence:{EV}", "evidence-damaged").state == "stopped"


def test_a_hand_over_of_the_same_bytes_settles_that_of_others() -> None:
    made = ledger()
    for to, digest in ((BEN, OTHER), (AMY, DIGEST)):
        made.do(TransferEvidence(actor=by(item(made).holder), id=EV, to=to, digest=digest, **HAND))
    made.wait(1)
    assert item(made).secures
    assert made.page(f"evidence:{EV}", "evidence-damaged").state == "stopped"


def test_a_digest_of_what_has_none_is_kept_and_compared_with_nothing() -> None:
    made = ledger(digest=None, stored="")
    made.do(TransferEvidence(actor=by(AMY), id=EV, to=BEN, digest=OTHER, **HAND))
    moved = item(made).transfers[0]
    assert (moved.result, moved.digest) == ("not-checked", OTHER)
    assert not [one for one in made.incident.pages.values() if one.event == "evidence-damaged"]


# -- the bytes ----------------------------------------------------------------------------------------------


def verified(made: Scene, result: Any, actor: Any = MACHINE, digest: str | None = None) -> tuple[str, ...]:
    return made.do(VerifyEvidence(actor=actor, found=(Found(id=EV, result=result, digest=digest),)))


def test_a_round_of_the_node_writes_only_what_has_changed() -> None:
    made = ledger()
    assert "evidence.verified" in verified(made, "same")
    assert verified(made, "same") == ()
    assert "evidence.verified" in verified(made, "same", by(AMY)), "a person's check is a fact each time"
    known = item(made).check
    assert known is not None and known.by == AMY


def test_damage_closes_the_gate_and_pages_until_it_is_settled() -> None:
    made = ledger()
    assert item(made).secures and not made.step("read").held
    verified(made, "different", digest=OTHER)
    known = item(made)
    assert known.check is not None and known.check.found == OTHER
    assert not known.secures
    page = made.page(f"evidence:{EV}", "evidence-damaged")
    assert page.state == "open"
    verified(made, "missing")
    assert len([one for one in made.incident.pages.values() if one.event == "evidence-damaged"]) == 1
    verified(made, "same")
    assert made.page(f"evidence:{EV}", "evidence-damaged").state == "stopped"
    assert item(made).secures


def test_damage_after_the_incident_still_pages() -> None:
    made = closed()
    verified(made, "missing")
    made.wait(1)
    assert made.page(f"evidence:{EV}", "evidence-damaged").state == "open"


def test_damage_of_what_is_disposed_of_pages_nobody() -> None:
    made = closed()
    made.do(DisposeEvidence(actor=by(CHO), id=EV, reason="-", authority="-"))
    verified(made, "missing")
    assert not [one for one in made.incident.pages.values() if one.event == "evidence-damaged"]


def test_a_found_digest_that_is_none_is_refused() -> None:
    made = ledger()
    found = (Found(id=EV, result="different", digest="x"),)
    assert made.says(VerifyEvidence(actor=by(AMY), found=found)).reason is Reason.FIELD_WRONG
    missing = (Found(id="EV-0009", result="same"),)
    assert made.says(VerifyEvidence(actor=by(AMY), found=missing)).reason is Reason.NO_SUCH_ITEM


# -- holds and the end --------------------------------------------------------------------------------------


def test_nothing_is_disposed_of_while_the_incident_is_open() -> None:
    made = ledger()
    dispose = DisposeEvidence(actor=by(CHO), id=EV, reason="kept long enough", authority="rule 7")
    assert made.says(dispose).reason is Reason.STILL_OPEN
    texts = DisposeTexts(actor=by(CHO), digests=("t:" + "0" * 64,), reason="-")
    assert made.says(texts).reason is Reason.STILL_OPEN


@pytest.mark.parametrize("ids", [(), (EV,)], ids=["everything", "the item"])
def test_a_legal_hold_keeps_from_disposal_until_it_is_lifted(ids: tuple[str, ...]) -> None:
    made = closed()
    made.do(HoldEvidence(actor=by(BEN), how="hold", ids=ids, reason="the court"))
    dispose = DisposeEvidence(actor=by(CHO), id=EV, reason="-", authority="-")
    refused = made.says(dispose)
    assert (refused.reason, refused.detail["by"]) == (Reason.ON_HOLD, BEN)
    made.do(HoldEvidence(actor=by(BEN), how="release", ids=ids, reason="over"))
    again = HoldEvidence(actor=by(BEN), how="release", ids=ids, reason="over")
    assert made.says(again).reason is Reason.ALREADY
    made.do(dispose)
    assert item(made).disposal is not None and not item(made).secures


def test_each_of_several_holds_is_lifted_by_itself() -> None:
    """A lawsuit and the police: what the one gives up the other still needs."""
    made = closed()
    hold = HoldEvidence(actor=by(BEN), how="hold", ids=(EV,), reason="lawsuit A")
    made.do(hold)
    made.do(replace(hold, actor=by(CHO), reason="police B"))
    first, second = (one.seq for one in item(made).holds)
    release = HoldEvidence(actor=by(BEN), how="release", ids=(EV,), reason="over")
    refused = made.says(release)
    assert refused.reason is Reason.FIELD_WRONG and f"#{second}" in str(refused.detail)
    assert made.says(replace(release, hold=1)).reason is Reason.ALREADY
    made.do(replace(release, hold=first))
    dispose = DisposeEvidence(actor=by(CHO), id=EV, reason="-", authority="-")
    assert made.says(dispose).detail["by"] == CHO
    # By its number alone a hold is lifted from all that it is on.
    made.do(replace(release, ids=(), hold=second))
    made.do(dispose)


def test_holds_on_everything_are_several_too() -> None:
    made = closed()
    for who in (BEN, CHO):
        made.do(HoldEvidence(actor=by(who), how="hold", reason="-"))
    release = HoldEvidence(actor=by(BEN), how="release", reason="over")
    assert made.says(release).reason is Reason.FIELD_WRONG
    made.do(replace(release, hold=made.incident.evidence_holds[0].seq))
    assert [one.by for one in made.incident.evidence_holds] == [CHO]
    made.do(release)
    assert made.incident.evidence_holds == []


def test_a_release_of_before_there_were_several_lifts_whatever_there_was() -> None:
    made = closed()
    for ids in ((), (EV,)):
        made.do(HoldEvidence(actor=by(BEN), how="hold", ids=ids, reason="-"))
    state = made.incident
    assert state.evidence_holds and state.evidence[EV].holds
    for old in made.facts("evidence.held"):
        evidence.FOLDS["evidence.released"](state, old)
    assert (state.evidence_holds, state.evidence[EV].holds) == ([], [])


def test_a_hold_after_the_decision_keeps_the_object_that_is_still_there() -> None:
    made = closed()
    made.do(DisposeEvidence(actor=by(CHO), id=EV, reason="-", authority="-"))
    made.do(HoldEvidence(actor=by(BEN), how="hold", reason="the police"))
    removal = RecordRemoval(actor=by(CHO), id=EV, how="removed")
    assert made.says(removal).reason is Reason.ON_HOLD


def test_nobody_disposes_of_anything_in_another_name() -> None:
    made = closed()
    for command in (
        DisposeEvidence(actor=by(GUS), for_=CHO, id=EV, reason="-", authority="-"),
        DisposeTexts(actor=by(GUS), for_=CHO, digests=("t:" + "0" * 64,), reason="-"),
        RecordRemoval(actor=by(GUS), for_=CHO, id=EV, how="removed"),
    ):
        assert made.says(command).reason is Reason.IN_PERSON
    assert item(made).disposal is None


def test_texts_of_what_is_held_and_the_place_of_what_is_only_referenced_stay() -> None:
    made = ledger()
    words = (("storage", "/mnt/images/1"), ("owner", "Taro"))
    known = add(made, digest=OTHER, stored="", about=Particulars(referenced=True, words=words))
    made.do(TransferEvidence(actor=by(AMY), id=EV, to="Mori", organisation="KK", **HAND))
    made.do(c.EndIncident(actor=by(AMY), how="dismissed", reason="-"))
    made.do(HoldEvidence(actor=by(BEN), how="hold", ids=(EV,), reason="the court"))
    held = (item(made).words["description"], item(made).transfers[0].words["purpose"], item(made).holder_name)
    for digest in held:
        gone = DisposeTexts(actor=by(CHO), digests=(digest,), reason="privacy")
        assert made.says(gone).reason is Reason.ON_HOLD, digest
    place = replace(gone, digests=(known.words["storage"],))
    assert made.says(place).reason is Reason.FIELD_WRONG
    made.do(replace(gone, digests=(known.words["owner"],)))
    made.do(DisposeEvidence(actor=by(CHO), id=known.id, reason="-", authority="-"))
    made.do(place)


def test_of_a_disposed_text_no_salt_is_left_to_try_guesses_with() -> None:
    made = closed()
    digest = item(made).words["description"]
    made.do(DisposeTexts(actor=by(CHO), digests=(digest,), reason="privacy"))
    with made.desk.record.read() as tx:
        row = tx.connection.execute(select(TEXT.c.salt, TEXT.c.body).where(TEXT.c.digest == digest)).one()
    assert tuple(row) == (b"", None)


def test_disposal_keeps_digest_and_chain_and_says_once_what_became_of_the_object() -> None:
    made = closed()
    early = RecordRemoval(actor=MACHINE, id=EV, how="removed")
    assert made.says(early).reason is Reason.STILL_OPEN
    made.do(DisposeEvidence(actor=by(CHO), id=EV, reason="kept long enough", authority="rule 7"))
    assert "evidence.removed" in made.do(RecordRemoval(actor=MACHINE, id=EV, how="removed"))
    assert made.do(replace(early, how="missing")) == ()
    known = item(made)
    assert known.disposal is not None
    assert (known.digest, known.disposal.removed, known.disposal.by) == (DIGEST, "removed", CHO)
    assert said(made, known.disposal.authority) == "rule 7"
    for command in (
        TransferEvidence(actor=by(AMY), id=EV, to=BEN, **HAND),
        HoldEvidence(actor=by(BEN), how="hold", ids=(EV,), reason="-"),
        DisposeEvidence(actor=by(CHO), id=EV, reason="-", authority="-"),
    ):
        assert made.says(command).reason is Reason.DISPOSED


def test_texts_are_disposed_of_by_decision_and_their_digests_stay() -> None:
    made = closed()
    digest = item(made).words["description"]
    wrong = DisposeTexts(actor=by(CHO), digests=("x",), reason="-")
    assert made.says(wrong).reason is Reason.FIELD_WRONG
    assert made.says(replace(wrong, digests=())).reason is Reason.FIELD_WRONG
    made.do(DisposeTexts(actor=by(CHO), digests=(digest, digest), reason="privacy"))
    assert said(made, digest) is None
    assert len(made.facts("text.disposed")) == 1
    made.do(HoldEvidence(actor=by(BEN), how="hold", reason="-"))
    refused = made.says(DisposeTexts(actor=by(CHO), digests=(digest,), reason="-"))
    assert refused.reason is Reason.ON_HOLD


def test_a_round_is_one_line_in_the_house() -> None:
    made = ledger()
    round_ = RecordRound(actor=MACHINE, since=NIGHT, items=3, size=2**60, damaged=0)
    made.do(round_, "house")
    house = made.desk.state("house")
    assert isinstance(house, House)
    assert house.evidence_round_at == made.clock.now()
    assert made.facts("evidence.round", "house")[0].data["size"] == str(2**60)


@pytest.mark.parametrize(
    ("command", "may"),
    [
        (TransferEvidence(actor=by(AMY), id=EV, to="vendor", **HAND), {AMY}),
        (VerifyEvidence(actor=by(AMY), found=(Found(id=EV, result="same"),)), {AMY, BEN, CHO, GUS}),
        (HoldEvidence(actor=by(AMY), how="hold", reason="-"), {BEN, CHO}),
        (DisposeEvidence(actor=by(AMY), id=EV, reason="-", authority="-"), {CHO, DAN}),
    ],
    ids=["transfer", "verify", "hold", "dispose"],
)
def test_who_may(command: c.Command, may: set[str]) -> None:
    for person in (AMY, BEN, CHO, DAN, EVE, GUS):
        made = closed()
        outcome = made.desk.handle(made.stream, replace(command, actor=by(person)))
        assert outcome.accepted is (person in may), person


def test_the_order_of_time_is_not_needed_for_old_items() -> None:
    """An item that is recorded late says when it was taken, and the clock offset stays unknown."""
    made = ledger(at=NIGHT - timedelta(hours=3))
    assert item(made).at == NIGHT - timedelta(hours=3)
    assert item(made).clock_offset_ms is None
