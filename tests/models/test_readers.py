"""Reading playbooks: announced, read, overdue, and who counts as a reader."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.commands import Acknowledge
from models.frozen import freeze_playbook
from models.organisation import Organisation
from models.playbook import Playbook
from models.readers import AnnouncePlaybook, ReadPlaybook, acting_roles, has_read, members, readers_of
from models.reason import Reason
from models.state import Programme, Reading
from playbooks.institution import Institution
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    DAN,
    FAY,
    GUS,
    MACHINE,
    NIGHT,
    PLAIN,
    ROUTES,
    Scene,
    by,
    decision,
    open_desk,
    organisation,
    playbook,
    policy,
    route,
    scene,
    step,
)

PROGRAMME = "programme"
LATE = route("late", "read-overdue", levels=[{"to": ["csirt-lead"], "within": "48h"}])
ASKING: dict[str, Any] = {"read_by": ["csirt-duty", "csirt-lead"], "read_within": "10d"}


def flood(**fields: Any) -> Playbook:
    """A playbook that the duty officers and their lead have to read within ten days."""
    return playbook("flood", step("look"), **(ASKING | fields))


def reading_scene(*playbooks: Playbook) -> Scene:
    return scene(*(playbooks or (flood(),)), declare=False, policy=policy(routes=[LATE, *ROUTES]))


def again(made: Scene, *playbooks: Playbook) -> Scene:
    """The same record, opened with other playbooks: the institution's files have changed."""
    desk = open_desk(
        *playbooks, record=made.desk.record, clock=made.clock, policy=policy(routes=[LATE, *ROUTES])
    )
    return Scene(desk=desk, clock=made.clock)


def announce(person: str = BEN, name: str = "flood") -> AnnouncePlaybook:
    return AnnouncePlaybook(actor=by(person), playbook=name)


def read(person: str, name: str = "flood", **fields: Any) -> ReadPlaybook:
    return ReadPlaybook(actor=by(person), playbook=name, **fields)


def programme(made: Scene) -> Programme:
    state = made.desk.state(PROGRAMME)
    assert isinstance(state, Programme)
    return state


def flood_of(made: Scene) -> Reading:
    return programme(made).readings["flood"]


def days(made: Scene, count: float) -> tuple[str, ...]:
    return made.wait(count * 24 * 60, PROGRAMME)


def duty() -> tuple[str, ...]:
    return readers_of(organisation(), ("csirt-duty", "csirt-lead"))


# -- announcing ---------------------------------------------------------------------------------------------


def test_a_version_is_announced_once_and_its_readers_are_told() -> None:
    made = reading_scene()
    assert made.do(announce(), PROGRAMME) == ("playbook.announced", "message.requested")
    assert made.do(announce(), PROGRAMME) == ()
    told = made.facts("message.requested", PROGRAMME)[0].data
    assert told["template"] == "notice.playbook_to_read"
    assert told["subject"] == "reading:flood"
    reading = flood_of(made)
    assert (reading.version, reading.roles) == ("1.0.0", ["csirt-duty", "csirt-lead"])
    assert reading.due == NIGHT + timedelta(days=10)


def test_the_words_that_were_announced_are_kept() -> None:
    made = reading_scene()
    made.do(announce(), PROGRAMME)
    with made.desk.record.read() as tx:
        assert tx.document(flood_of(made).digest) is not None


def test_the_machine_may_announce_too() -> None:
    made = reading_scene()
    command = AnnouncePlaybook(actor=MACHINE, playbook="flood")
    assert "playbook.announced" in made.do(command, PROGRAMME)


REFUSED: list[tuple[str, Any, Reason]] = [
    ("Only those who lead announce", announce(AMY), Reason.ROLE_MISSING),
    ("What is not there cannot be announced", announce(name="nothing"), Reason.NO_SUCH_PLAYBOOK),
    ("What is not there cannot be read", read(AMY, "nothing"), Reason.NO_SUCH_PLAYBOOK),
    ("A receipt is somebody's whom the directory knows", read("mallory"), Reason.UNKNOWN_PERSON),
]


@pytest.mark.parametrize(("command", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(command: Any, reason: Reason) -> None:
    assert reading_scene().says(command, PROGRAMME).reason is reason


def test_a_playbook_that_names_no_readers_is_announced_to_nobody() -> None:
    made = reading_scene()
    assert made.do(announce(name="unknown"), PROGRAMME) == ()
    made.do(read(AMY, "unknown"), PROGRAMME)
    assert made.do(announce(name="unknown"), PROGRAMME) == ()
    assert days(made, 400) == ()


def test_a_new_version_begins_anew_and_keeps_only_its_own_receipts() -> None:
    made = reading_scene()
    made.do(announce(), PROGRAMME)
    made.do(read(AMY), PROGRAMME)
    newer = again(made, flood(version="1.1.0"))
    made.clock.advance(timedelta(days=4))
    # Reading it announces it, if nobody has: the reader is not asked again.
    kinds = newer.do(read(BEN), PROGRAMME)
    assert kinds == ("playbook.read", "playbook.announced", "message.requested")
    reading = flood_of(newer)
    assert (reading.version, list(reading.readers)) == ("1.1.0", [BEN])
    assert reading.due == NIGHT + timedelta(days=14)
    told = newer.facts("message.requested", PROGRAMME)[-1].data["recipients"]
    assert BEN not in [one["person"] for one in told]


def test_further_roles_are_asked_without_asking_again_who_has_read() -> None:
    made = reading_scene()
    made.do(announce(), PROGRAMME)
    made.do(read(AMY), PROGRAMME)
    wider = again(made, flood(read_by=["csirt-duty", "csirt-lead", "ciso"]))
    wider.do(announce(), PROGRAMME)
    told = [one["person"] for one in wider.facts("message.requested", PROGRAMME)[-1].data["recipients"]]
    assert CHO in told
    assert AMY not in told
    assert list(flood_of(wider).readers) == [AMY]


@pytest.mark.parametrize("left", [(), (flood(read_by=[]),)], ids=["gone", "asks nobody any more"])
def test_what_is_no_longer_to_be_read_is_no_longer_waited_for(left: tuple[Playbook, ...]) -> None:
    made = reading_scene()
    made.do(announce(), PROGRAMME)
    days(made, 10)
    without = again(made, *left)
    assert without.do(announce(), PROGRAMME) == ("reading.withdrawn", "page.stopped")
    assert programme(without).readings == {}


# -- reading ------------------------------------------------------------------------------------------------


def test_a_receipt_names_the_version_and_the_very_words() -> None:
    made = reading_scene()
    made.do(read(AMY), PROGRAMME)
    frozen = freeze_playbook("flood", {"flood": flood(), "unknown": PLAIN})
    fact = made.facts("playbook.read", PROGRAMME)[0]
    assert (fact.actor, fact.data["version"], fact.data["digest"]) == (AMY, "1.0.0", frozen.document.digest)
    assert has_read(flood_of(made), AMY, "1.0.0")
    assert not has_read(flood_of(made), AMY, "1.0.1")
    assert not has_read(None, AMY, "1.0.0")


def test_a_scribe_records_for_another_and_it_shows() -> None:
    made = reading_scene()
    made.do(read(GUS, for_=CHO), PROGRAMME)
    receipt = flood_of(made).readers[CHO]
    assert receipt.recorded_by == GUS
    assert made.facts("playbook.read", PROGRAMME)[0].for_ == CHO


# -- overdue ------------------------------------------------------------------------------------------------


def test_when_all_have_read_in_time_nobody_is_paged() -> None:
    made = reading_scene()
    made.do(announce(), PROGRAMME)
    for person in duty():
        made.do(read(person), PROGRAMME)
    assert days(made, 9.9) == ()
    assert days(made, 0.2) == ("reading.complete",)
    assert days(made, 400) == ()


def test_who_has_not_read_in_time_is_reminded_and_somebody_is_paged_until_they_have() -> None:
    made = reading_scene()
    made.do(announce(), PROGRAMME)
    first, *rest = duty()
    made.do(read(first), PROGRAMME)
    assert days(made, 9.9) == ()
    assert days(made, 0.2) == ("reading.overdue", "message.requested", "page.asked")
    assert made.facts("reading.overdue", PROGRAMME)[0].data["people"] == rest
    page = next(iter(programme(made).pages.values()))
    assert (page.event, [one.person for one in page.reached["0"]]) == ("read-overdue", [BEN])
    made.do(Acknowledge(actor=by(BEN)), PROGRAMME)
    *others, last = rest
    for person in others:
        assert made.do(read(person), PROGRAMME) == ("playbook.read",)
    assert made.do(read(last), PROGRAMME) == ("playbook.read", "reading.complete", "page.stopped")
    assert not flood_of(made).overdue


def test_a_newer_version_ends_the_page_about_the_older_one() -> None:
    made = reading_scene()
    made.do(announce(), PROGRAMME)
    days(made, 11)
    newer = again(made, flood(version="2.0.0"))
    assert "page.stopped" in newer.do(announce(), PROGRAMME)


def test_the_programme_is_due_when_a_reading_is() -> None:
    made = reading_scene()
    made.do(announce(), PROGRAMME)
    with made.desk.record.read() as tx:
        assert tx.due_streams(NIGHT + timedelta(days=9), 10) == []
        assert tx.due_streams(NIGHT + timedelta(days=10), 10) == [PROGRAMME]


# -- who counts ---------------------------------------------------------------------------------------------


def test_all_of_a_rota_are_readers_not_only_who_is_on_duty_now(bank: Institution) -> None:
    rota = next(one for one in bank.organisation.rotas if one.id == "csirt-24x7")
    on_duty = {name for shift in rota.shifts for name in shift.people}
    assert len(on_duty) > 1
    assert on_duty <= set(members(bank.organisation, "csirt-duty"))
    assert members(bank.organisation, "no-such-role") == ()


def test_whom_only_the_rota_names_is_a_reader_too() -> None:
    shifts = [
        {"since": "2026-01-01", "starts": "09:00", "lasts": "24h", "rule": "FREQ=DAILY", "people": [FAY]}
    ]
    shape = organisation().model_dump(mode="json", by_alias=True)
    shape["rotas"] = [{"id": "night", "zone": "Asia/Tokyo", "shifts": shifts}]
    shape["roles"] = [one | {"rota": "night"} if one["id"] == "cio" else one for one in shape["roles"]]
    assert members(Organisation.model_validate(shape), "cio") == (DAN, FAY)


def test_whom_the_directory_no_longer_has_is_not_waited_for() -> None:
    bank = organisation()
    left = bank.model_copy(update={"people": tuple(one for one in bank.people if one.id != AMY)})
    assert isinstance(left, Organisation)
    assert AMY not in members(left, "csirt-duty")


def test_without_named_readers_those_who_act_have_to_know_it() -> None:
    plain = playbook("flood", step("look"), decision("choose"), step("again"))
    assert acting_roles(plain, freeze_playbook("flood", {"flood": plain})) == ("csirt-duty", "ciso")
    asked = flood(read_by=["cio"])
    assert acting_roles(asked, freeze_playbook("flood", {"flood": asked})) == ("cio",)


def test_somebody_outside_the_roles_may_read_too() -> None:
    made = reading_scene()
    made.do(read(FAY), PROGRAMME)
    assert FAY in flood_of(made).readers
