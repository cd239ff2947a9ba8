"""Storms of alerts: one matter with a count, nothing lost; and posts that share a transaction."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pytest
from sqlalchemy import select

from console.gathering import BATCH, MAX_WAITING, Queue
from console.intake import Post, Received, receive, receive_many
from console.opening import House
from console.triage import known
from console.web.alerts import AlertDoor
from models.clock import ExerciseClock
from models.commands import Actor, SettleAlert
from models.desk import Desk
from models.errors import HikeshiError, RecordUnwritable
from models.installation import Rule, Source
from models.premises import Outcome
from models.record import OUTBOX, Tx
from models.state import Intake
from notifiers.briefing import Envelope, brief
from notifiers.briefing_names import Matter
from notifiers.message import Message
from notifiers.slack.render import render
from playbooks.institution import Institution
from tests.console.webhouse import SECRETS, WAZUH, Web, document, kinds, make_house, rows, wazuh

T = TypeVar("T")
DUTY = Actor(person="nakamura-yui", name="nakamura", via="test")
ALERTS = Path(__file__).parents[2] / "examples" / "alerts"
GROUP = orjson.loads((ALERTS / "alertmanager-group.json").read_bytes())


def with_source(bank: Institution, **change: Any) -> Institution:
    """The bank with its Wazuh source changed and one of Alertmanager's."""
    first = Source.model_validate(bank.intake.sources[0].model_dump() | {"storm_from": 5} | change)
    prometheus = Source(
        id="alertmanager",
        format="alertmanager",
        secret="env:HIKESHI_WAZUH_SECRET",  # noqa: S106 - a name
        rules=(Rule(do="declare", at_least=5), Rule(do="propose")),
    )
    sources = (first, bank.intake.sources[1], prometheus)
    return replace(bank, intake=bank.intake.model_copy(update={"sources": sources}))


@pytest.fixture
def house(bank: Institution, desk: Desk, tmp_path: Path) -> House:
    return make_house(with_source(bank), desk, tmp_path)


def other(number: int, level: int = 13) -> bytes:
    """The same rule on another agent: a matter of its own."""
    return wazuh(level=level, agent={"id": f"{number:03d}", "name": f"host{number}"})


def table(house: House) -> Intake:
    state = house.desk.state("intake")
    assert isinstance(state, Intake)
    return state


def test_a_storm_of_distinct_matters_is_one_incident_with_a_count(house: House) -> None:
    answers = [receive(house, "wazuh", other(number)) for number in range(130)]
    incidents = [one.incident for one in answers]
    assert len(set(incidents)) == 6, "five that were looked at each, and the storm"
    assert set(incidents[5:]) == {"INC-2026-0006"}
    assert [one.duplicate for one in answers[5:]] == [False] + [True] * 124
    with house.record.read() as tx:
        counts = [fact.data["count"] for fact in tx.facts("intake") if fact.kind == "alert.repeated"]
    assert counts == [10, 100]
    storm = next(row for row in rows(house) if row["key"].startswith("storm/"))
    assert (storm["count"], storm["key"]) == (125, "storm/ransomware/high")


def test_every_alert_of_a_storm_is_kept_with_its_bytes(house: House) -> None:
    bodies = [other(number) for number in range(40)]
    receive_many(house, [Post(source="wazuh", body=body) for body in bodies])
    stored = rows(house)
    assert len(stored) == 40 and len({row["id"] for row in stored}) == 40
    assert {document(house, row["document"]) for row in stored} == set(bodies)
    assert [row["status"] for row in stored].count("storm") == 34
    assert receive(house, "wazuh", other(99)).alert == "AL-000006"
    assert rows(house)[-1]["id"] == "AL-000041"


def test_a_storm_that_is_only_proposed_lies_there_once(house: House, clock: ExerciseClock) -> None:
    for number in range(30):
        receive(house, "wazuh", other(number, level=11))
    alerts = list(table(house).alerts.values())
    assert len(alerts) == 6 and known(house, alerts[-1]).count == 25
    texts = house.desk.texts("intake")
    assert (texts[alerts[-1].title] or "").startswith("アラート多発（wazuh）")


def test_a_graver_matter_in_a_storm_has_an_incident_of_its_own(house: House) -> None:
    for number in range(30):
        receive(house, "wazuh", other(number, level=11))
    grave = receive(house, "wazuh", other(31, level=13))
    assert grave.incident == "INC-2026-0001" and not grave.duplicate
    assert receive(house, "wazuh", other(32, level=13)).incident == "INC-2026-0001"


def test_what_is_only_kept_makes_no_storm_of_what_is_not(house: House) -> None:
    for number in range(100):
        receive(house, "wazuh", other(number, level=3))
    assert kinds(house, "intake").count("alert.received") == 6
    found = receive(house, "wazuh", other(200))
    assert found.incident == "INC-2026-0001"
    assert rows(house)[-1]["key"] == "mihon-wazuh01/100231/200", "one alone is no storm"


def test_a_storm_ends_when_it_is_calm_for_a_minute(house: House, clock: ExerciseClock) -> None:
    for number in range(10):
        receive(house, "wazuh", other(number))
    clock.advance(timedelta(seconds=61))
    found = receive(house, "wazuh", other(11))
    assert (found.duplicate, found.incident) == (False, "INC-2026-0007")


def test_the_same_matter_again_is_no_storm(house: House) -> None:
    for _ in range(50):
        receive(house, "wazuh", WAZUH)
    assert [(row["key"], row["count"]) for row in rows(house)] == [("mihon-wazuh01/100231/027", 50)]


def test_a_storm_whose_incident_a_person_ended_begins_anew(house: House) -> None:
    for number in range(8):
        receive(house, "wazuh", other(number, level=11))
    dismissed = SettleAlert(actor=DUTY, id="AL-000006", how="dismissed", reason="a scan of ours")
    assert house.desk.handle("intake", dismissed).accepted
    found = receive(house, "wazuh", other(9, level=11))
    assert not found.duplicate and found.alert in table(house).alerts


def test_unreadable_alerts_are_named_one_by_one_by_their_defect(house: House) -> None:
    for number in range(20):
        receive(house, "wazuh", b'{"rule": {"level": 3}, "n": %d}' % number)
    assert len(table(house).alerts) == 1 and len(rows(house)) == 20


# -- groups and what is over --------------------------------------------------------------------------------


def group(*changes: dict[str, Any]) -> bytes:
    alerts = [one | change for one, change in zip(GROUP["alerts"], changes, strict=False)]
    return orjson.dumps(GROUP | {"alerts": alerts})


def test_a_group_is_taken_in_as_its_alerts(house: House) -> None:
    found = receive(house, "alertmanager", orjson.dumps(GROUP))
    assert [one.incident for one in found.all()] == ["INC-2026-0001", None, None]
    assert [(row["status"], row["document"]) for row in rows(house)] == [
        (status, rows(house)[0]["document"]) for status in ("incident", "table", "ended")
    ]


def test_what_is_over_is_noted_and_opens_nothing(house: House) -> None:
    receive(house, "alertmanager", group({}, {}))
    over = receive(house, "alertmanager", group({"status": "resolved"}, {"status": "resolved"}))
    assert [one.duplicate for one in over.all()] == [False, False]
    assert list(table(house).alerts) == ["AL-000002"], "a person still has to say what it was"
    again = receive(house, "alertmanager", group({}, {}))
    assert [one.alert for one in again.all()] == ["AL-000001", "AL-000002"], "counted where it belongs"
    assert house.desk.incident("INC-2026-0001").status == "open"


# -- one transaction for many -------------------------------------------------------------------------------


def test_a_post_that_goes_wrong_takes_no_other_with_it(bank: Institution, house: House) -> None:
    rules = (Rule(do="declare", at_least=12, severity="gone"), Rule(do="propose"))
    broken = replace(house, institution=with_source(bank, rules=[one.model_dump() for one in rules]))
    posts = [Post(source="wazuh", body=other(number, level=level)) for number, level in ((1, 11), (2, 13))]
    answers = receive_many(broken, [*posts, Post(source="nagios", body=b"{}"), posts[0]])
    first, second, unknown, again = answers
    assert isinstance(first, Received) and isinstance(second, Received) and isinstance(again, Received)
    assert (first.alert, second.incident, again.duplicate) == ("AL-000001", None, True)
    assert isinstance(unknown, HikeshiError) and len(rows(broken)) == 2


@pytest.mark.parametrize("step", ["append", "enqueue", "derive"])
def test_a_batch_is_stored_whole_or_not_at_all(
    house: House, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*args: Any, **more: Any) -> None:
        raise RecordUnwritable("the disk is full; free space")

    posts = [Post(source="wazuh", body=other(number), marks={"m": 7}) for number in range(20)]
    monkeypatch.setattr(Tx, step, full)
    assert all(isinstance(one, RecordUnwritable) for one in receive_many(house, posts))
    monkeypatch.undo()
    with house.record.read() as tx:
        assert tx.peek("m") == 0 and tx.peek("alert") == 0
    assert rows(house) == [] and kinds(house, "intake") == []
    assert all(isinstance(one, Received) for one in receive_many(house, posts))
    with house.record.read() as tx:
        assert tx.peek("m") == 7 and tx.peek("alert") == 20


async def run_now(work: Callable[[], T], /) -> T:
    await asyncio.sleep(0)
    return work()


async def test_what_waits_is_stored_together_and_each_is_answered_by_itself() -> None:
    batches: list[int] = []

    def store(posts: Sequence[Post]) -> list[Received | HikeshiError]:
        batches.append(len(posts))
        return [
            HikeshiError("no") if post.body == b"bad" else Received(outcome=_none(), alert=post.source)
            for post in posts
        ]

    queue = Queue(run_now, store)
    asked = [queue.receive(Post(source=str(n), body=b"bad" if n == 3 else b"")) for n in range(BATCH + 20)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert batches == [BATCH, 20]
    assert isinstance(answers[3], HikeshiError)
    assert [one.alert for one in answers if isinstance(one, Received)] == [
        str(n) for n in range(BATCH + 20) if n != 3
    ]


def _none() -> Outcome:
    return Outcome(stream="intake")


async def test_nobody_is_left_without_an_answer_when_storing_breaks() -> None:
    def broken(posts: Sequence[Post]) -> list[Received | HikeshiError]:
        raise ZeroDivisionError

    queue = Queue(run_now, broken)
    with pytest.raises(ZeroDivisionError):
        await queue.receive(Post(source="x", body=b""))


async def test_too_many_that_wait_are_sent_away() -> None:
    held = asyncio.Event()

    async def slow(work: Callable[[], T], /) -> T:
        await held.wait()
        return work()

    def store(posts: Sequence[Post]) -> list[Received | HikeshiError]:
        return [Received(outcome=_none(), alert="x") for _ in posts]

    queue = Queue(slow, store)
    waiting = [
        asyncio.ensure_future(queue.receive(Post(source="x", body=b""))) for _ in range(MAX_WAITING + BATCH)
    ]
    await asyncio.sleep(0.05)
    waiting += [asyncio.ensure_future(queue.receive(Post(source="x", body=b""))) for _ in range(BATCH + 1)]
    await asyncio.sleep(0.05)
    assert await queue.receive(Post(source="x", body=b"")) is None
    waiting[0].cancel()
    held.set()
    found = await asyncio.gather(*waiting[1:])
    assert any(one is None for one in found) and sum(one is not None for one in found) >= MAX_WAITING


async def test_many_senders_at_once_by_http(
    bank: Institution, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    web = Web(make_house(with_source(bank), desk, tmp_path))
    answers = await asyncio.gather(*(web.alert(other(number)) for number in range(60)))
    assert {one.status_code for one in answers} == {202}
    assert sum(row["count"] for row in rows(web.house) if row["status"] != "storm") == 60
    told = (await web.alert(orjson.dumps(GROUP), name="alertmanager")).json()
    assert [one["incident"] for one in told["alerts"]] == [told["incident"], None, None]


def test_a_mailbox_is_never_posted_to(bank: Institution, desk: Desk, tmp_path: Path) -> None:
    mail = Source(id="mail", format="mail")
    made = replace(bank, intake=bank.intake.model_copy(update={"sources": (mail,)}))
    door = AlertDoor(make_house(made, desk, tmp_path), run_now, lambda: None, lambda: 0.0)
    assert door.closed == {} and "mail" not in door._locks


# -- outside text never becomes more than text --------------------------------------------------------------


def shown_in_slack(house: House, stream: str) -> str:
    """What Slack would be sent of the first page of a stream."""
    wanted = select(OUTBOX).where(OUTBOX.c.stream == stream, OUTBOX.c.kind == "page").limit(1)
    with house.record.read() as tx:
        row = dict(tx.connection.execute(wanted).mappings().one())
    envelope = Envelope(**{field.name: row[field.name] for field in fields(Envelope)})
    desk, state = house.desk, house.desk.state(stream)
    matter = Matter(state=state, texts=desk.texts(stream), world=desk.world(state))
    message = Message(
        key=envelope.key,
        channel="slack",
        address="U1",
        person=envelope.person,
        lang="ja",
        kind="page",
        template=envelope.template,
        context=brief(envelope, matter, "ja"),
        attempt=1,
        drill=False,
    )
    sent = render(message)
    assert sent.rendering_failed == "" and sent.blocks
    return sent.text + "".join(block["text"]["text"] for block in sent.blocks)


@pytest.mark.parametrize("format_", ["wazuh", "alertmanager"])
@pytest.mark.parametrize(
    "text", ["<!channel> see", "<https://evil.example|bank>", "@here see", "<@U123> see", "【訓練】 see"]
)
def test_no_mention_or_link_is_made_from_an_alert(house: House, format_: str, text: str) -> None:
    """From the bytes of the sender to the blocks for Slack."""
    bodies = {
        "wazuh": wazuh(description=text, level=13),
        "alertmanager": group({"annotations": {"summary": text}}),
    }
    found = receive(house, format_, bodies[format_])
    shown = shown_in_slack(house, str(found.incident))
    assert ("see" in shown or "bank" in shown) and text not in shown
    assert not re.search(r"<[!@#h]|(?<!\w)@\w", shown)
