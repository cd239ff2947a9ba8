"""Taking alerts in: nothing is lost, the same matter is counted, a graver one is never hidden."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from console.intake import find_source, receive
from console.opening import House
from models.commands import Actor, Command, EndIncident, Merge, SettleAlert
from models.desk import Desk
from models.errors import NotFound, RecordConflict, RecordError
from models.installation import Rule
from models.premises import Outcome
from models.record import STREAM, Tx
from models.state import Intake
from playbooks.institution import Institution
from tests.console.webhouse import EDR, WAZUH, document, kinds, make_house, rows, wazuh

DUTY = Actor(person="nakamura-yui", name="nakamura", via="test")
LEAD = Actor(person="sato-kenji", name="sato", via="test")
PROPOSED = wazuh(level=11)
LOW = wazuh(level=3)


@pytest.fixture
def house(bank: Institution, desk: Desk, tmp_path: Path) -> House:
    return make_house(bank, desk, tmp_path)


def table(house: House) -> Intake:
    state = house.desk.state("intake")
    assert isinstance(state, Intake)
    return state


def order(house: House, stream: str, command: Command) -> Outcome:
    outcome = house.desk.handle(stream, command)
    assert outcome.accepted, (outcome.refused, outcome.detail)
    return outcome


def test_an_alert_that_a_rule_declares_is_an_incident_with_people_called_out(house: House) -> None:
    found = receive(house, "wazuh", WAZUH)
    assert (found.alert, found.incident, found.duplicate, found.status) == (
        "AL-000001", "INC-2026-0001", False, 202,
    )  # fmt: skip
    incident = house.desk.incident("INC-2026-0001")
    assert list(incident.playbooks) == ["ransomware"] and list(incident.services) == ["core-banking"]
    assert incident.severity == "high" and incident.alerts == ["AL-000001"]
    assert [page.event for page in incident.open_pages()] == ["declared"]
    assert found.outcome.queued > 0
    [row] = rows(house)
    assert (row["status"], row["incident"], row["count"]) == ("incident", "INC-2026-0001", 1)
    assert document(house, row["document"]) == WAZUH


def test_the_same_alert_is_counted_and_told_only_at_2_10_100(house: House) -> None:
    answers = [receive(house, "wazuh", WAZUH) for _ in range(101)]
    assert {(one.alert, one.incident) for one in answers} == {("AL-000001", "INC-2026-0001")}
    assert [one.duplicate for one in answers] == [False] + [True] * 100
    assert kinds(house, "intake") == ["alert.received", "alert.declared"] + ["alert.repeated"] * 3
    with house.record.read() as tx:
        counts = [fact.data["count"] for fact in tx.facts("intake") if fact.kind == "alert.repeated"]
    assert counts == [2, 10, 100]
    assert [row["count"] for row in rows(house)] == [101]
    assert sum(one.outcome.queued for one in answers[1:]) == 0


def test_a_proposed_alert_lies_on_the_table_and_is_counted_there(house: House) -> None:
    first, second = receive(house, "wazuh", PROPOSED), receive(house, "wazuh", PROPOSED)
    assert (first.incident, second.duplicate, second.alert) == (None, True, "AL-000001")
    alert = table(house).alerts["AL-000001"]
    assert (alert.count, alert.proposed, alert.source) == (2, "ransomware", "wazuh")


def test_an_alert_happened_when_the_sensor_saw_it(house: House) -> None:
    """So a person who declares it later declares it as detected then."""
    receive(house, "wazuh", PROPOSED)
    seen = datetime(2026, 11, 22, 17, 58, 43, 512000, tzinfo=UTC)
    assert table(house).alerts["AL-000001"].at == seen
    order(house, "intake", SettleAlert(actor=DUTY, id="AL-000001", how="declared", reason="real"))
    assert house.desk.incident("INC-2026-0001").instants["detected"] == seen
    receive(house, "edr", EDR)
    with house.record.read() as tx:
        assert all(fact.at <= fact.recorded_at for fact in tx.facts("intake"))


def test_a_kept_alert_is_only_kept_and_a_storm_of_it_stays_small(house: House) -> None:
    for _ in range(50):
        receive(house, "wazuh", LOW)
    assert kinds(house, "intake") == ["alert.received", "alert.kept"] + ["alert.repeated"] * 2
    assert [(row["status"], row["count"]) for row in rows(house)] == [("kept", 50)]
    assert table(house).alerts == {}


@pytest.mark.parametrize(("before", "after"), [(LOW, PROPOSED), (LOW, WAZUH), (PROPOSED, WAZUH)])
def test_a_matter_that_becomes_graver_is_never_merely_counted(
    house: House, before: bytes, after: bytes
) -> None:
    receive(house, "wazuh", before)
    found = receive(house, "wazuh", after)
    assert not found.duplicate and found.alert == "AL-000002"
    assert (found.incident is not None) is (after == WAZUH)


def test_a_matter_that_becomes_lighter_is_counted(house: House) -> None:
    receive(house, "wazuh", PROPOSED)
    assert receive(house, "wazuh", LOW).duplicate


@pytest.mark.parametrize(
    ("why", "settle", "counted"),
    [
        ("dismissed: it comes again, so somebody looks again", {"how": "dismissed", "reason": "test"}, False),
        ("declared by a person: it belongs to that incident", {"how": "declared", "reason": "real"}, True),
    ],
)
def test_what_a_person_did_with_an_alert_counts(
    house: House, why: str, settle: dict[str, Any], counted: bool
) -> None:
    receive(house, "wazuh", PROPOSED)
    order(house, "intake", SettleAlert(actor=DUTY, id="AL-000001", **settle))
    found = receive(house, "wazuh", PROPOSED)
    assert found.duplicate is counted, why
    assert found.incident == ("INC-2026-0001" if counted else None), why
    assert rows(house)[0]["status"] == ("incident" if counted else "dismissed")
    assert receive(house, "wazuh", PROPOSED).duplicate, why


def test_an_alert_attached_by_a_person_belongs_to_that_incident(house: House) -> None:
    receive(house, "edr", EDR)
    receive(house, "wazuh", PROPOSED)
    attached = SettleAlert(actor=DUTY, id="AL-000002", how="attached", incident="INC-2026-0001")
    order(house, "intake", attached)
    assert receive(house, "wazuh", WAZUH).incident == "INC-2026-0001"


def test_an_incident_that_was_merged_leads_to_the_one_it_went_into(house: House) -> None:
    receive(house, "edr", EDR)
    receive(house, "wazuh", WAZUH)
    order(house, "INC-2026-0002", Merge(actor=LEAD, into="INC-2026-0001", reason="one attack"))
    found = receive(house, "wazuh", WAZUH)
    assert (found.duplicate, found.incident) == (True, "INC-2026-0001")
    assert rows(house)[1]["incident"] == "INC-2026-0001"


def test_the_same_alert_after_its_incident_ended_is_a_new_one(house: House) -> None:
    receive(house, "wazuh", WAZUH)
    order(house, "INC-2026-0001", EndIncident(actor=DUTY, how="dismissed", reason="a test"))
    found = receive(house, "wazuh", WAZUH)
    assert (found.duplicate, found.alert, found.incident) == (False, "AL-000002", "INC-2026-0002")


def test_the_same_alert_while_a_resolved_incident_is_watched_is_a_new_one(house: House) -> None:
    """It came back: that is what watching is for."""
    receive(house, "wazuh", WAZUH)
    with house.record.begin() as tx:
        tx.connection.execute(update(STREAM).where(STREAM.c.id == "INC-2026-0001").values(status="resolved"))
    assert receive(house, "wazuh", WAZUH).incident == "INC-2026-0002"


def test_what_cannot_be_read_is_kept_and_pages_once_for_each_kind_of_defect(house: House) -> None:
    first = receive(house, "wazuh", b"\xff\x00 not an alert")
    second = receive(house, "wazuh", b"quite another one")
    third = receive(house, "wazuh", b'{"rule": {}}')
    assert (first.duplicate, second.duplicate, third.duplicate) == (False, True, False)
    assert [page.event for page in table(house).open_pages()] == ["alert-unreadable"] * 2
    assert not table(house).alerts["AL-000001"].readable
    stored = {row["id"]: (row["status"], document(house, row["document"])) for row in rows(house)}
    assert stored == {
        "AL-000001": ("table", b"\xff\x00 not an alert"),
        "AL-000002": ("repeat", b"quite another one"),
        "AL-000003": ("table", b'{"rule": {}}'),
    }


def test_a_body_beyond_the_bound_is_cut_where_it_is_stored(house: House) -> None:
    receive(house, "wazuh", b"x" * 300_000)
    kept = document(house, rows(house)[0]["document"])
    assert kept == b"x" * 262_144


def test_an_alert_that_nothing_is_known_of_is_a_new_one(house: House) -> None:
    """A row that the record does not account for is believed to be nobody's."""
    receive(house, "wazuh", PROPOSED)
    table(house).alerts.clear()
    assert receive(house, "wazuh", PROPOSED).alert == "AL-000002"
    assert rows(house)[0]["status"] == "gone"


def test_sources_do_not_share_their_keys(house: House) -> None:
    assert not receive(house, "wazuh", b"?").duplicate
    assert not receive(house, "edr", b"?").duplicate


def test_a_rule_that_names_what_is_gone_loses_no_alert(bank: Institution, house: House) -> None:
    broken = bank.intake.sources[0].model_copy(update={"rules": (Rule(do="declare", severity="gone"),)})
    intake = bank.intake.model_copy(update={"sources": (broken,)})
    other = replace(house, institution=replace(bank, intake=intake))
    found = receive(other, "wazuh", WAZUH)
    assert found.incident is None and table(other).alerts["AL-000001"].proposed is None
    texts = house.desk.texts("intake").values()
    assert any(text is not None and "no such severity" in text for text in texts)
    assert receive(other, "wazuh", WAZUH).duplicate
    assert kinds(house, "INC-2026-0001") == []


def test_an_unknown_source_is_named_with_those_there_are(house: House) -> None:
    with pytest.raises(NotFound, match="known: wazuh, edr"):
        find_source(house, "nagios")
    with pytest.raises(NotFound):
        receive(house, "nagios", b"{}")
    assert rows(house) == []


@pytest.mark.parametrize("step", ["keep", "append", "enqueue", "derive"])
def test_all_of_it_is_stored_or_nothing_is(house: House, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def full(*args: Any, **more: Any) -> None:
        raise RecordError("the disk is full; free space")

    monkeypatch.setattr(Tx, step, full)
    with pytest.raises(RecordError):
        receive(house, "wazuh", WAZUH)
    monkeypatch.undo()
    assert rows(house) == [] and kinds(house, "intake") == [] and kinds(house, "INC-2026-0001") == []
    found = receive(house, "wazuh", WAZUH)
    assert (found.alert, found.incident, found.duplicate) == ("AL-000001", "INC-2026-0001", False)


def test_another_process_that_writes_meanwhile_is_waited_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads: list[int] = []
    real = Tx.head

    def overtaken(tx: Tx, stream: str) -> tuple[int, bytes]:
        seq, before = real(tx, stream)
        if stream == "intake" and len(heads) < 2:
            heads.append(seq)
            return seq + 1, before
        return seq, before

    monkeypatch.setattr(Tx, "head", overtaken)
    assert receive(house, "wazuh", WAZUH).incident == "INC-2026-0001"
    assert len(heads) == 2
    monkeypatch.setattr(Tx, "head", lambda tx, stream: (99, b""))
    with pytest.raises(RecordConflict):
        receive(house, "wazuh", WAZUH)


def test_whoever_listens_hears_of_what_was_stored(house: House) -> None:
    heard: list[Outcome] = []
    house.desk.after_commit.append(heard.append)
    receive(house, "wazuh", WAZUH)
    receive(house, "wazuh", WAZUH)
    receive(house, "wazuh", WAZUH)
    assert [one.kinds()[0] for one in heard] == ["alert.received", "alert.repeated"]
