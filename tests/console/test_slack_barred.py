"""Slack and somebody who was barred since: old buttons, dialogs, channels and posts tell nothing more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import orjson
import pytest

from console.slack.desk import FrontDesk, Pressed
from console.slack.files import Fetched
from console.slack.slash import parse
from models.commands import Acknowledge, AddEvidence
from models.desk import Desk
from models.mirror import Mirror, keep
from models.record import OUTBOX, micros
from models.restriction import Restrict
from notifiers.acts import Target
from notifiers.slack.copies import Copies
from tests.console.test_slack_desk import INC, KATO, MATSUMOTO, SATO, declare
from tests.console.test_slack_desk import front as front  # noqa: PLC0414 - the fixture

T = TypeVar("T")
WHY = "a matter of one of us"
TITLE = "件名の秘密"
NEVER = "INC-2026-0777"


def restrict(desk: Desk, *bar: str) -> None:
    assert desk.handle(INC, Restrict(actor=SATO, bar=bar, reason=WHY)).accepted


def barred_of(front: FrontDesk) -> tuple[int, str, str]:
    """The first page of the incident, and the person it reached, who is barred after that."""
    desk = front.house.desk
    page = next(iter(desk.incident(INC).pages.values()))
    person = page.reached["0"][0].person
    restrict(desk, person)
    known = desk.directory.person(person)
    assert known is not None
    assert known.slack is not None
    return page.id, person, known.slack


async def test_an_old_button_says_what_it_would_say_of_no_incident(front: FrontDesk) -> None:
    declare(front)
    page, _, slack = barred_of(front)
    front.house.desk.handle(INC, Acknowledge(actor=SATO, page=page))
    there = await front.act("ack", Target(stream=INC, page=page), Pressed(user=slack))
    never = await front.act("ack", Target(stream=NEVER, page=page), Pressed(user=slack))
    assert there.refused
    assert [one.replace(INC, NEVER) for one in there.lines] == list(never.lines)


async def test_a_typed_answer_does_not_find_the_page_of_what_they_must_not_know(front: FrontDesk) -> None:
    declare(front)
    desk = front.house.desk
    desk.clock.advance(timedelta(minutes=30))  # type: ignore[attr-defined]
    desk.tick(INC)
    assert next(iter(desk.incident(INC).pages.values())).level > 0
    _, _, slack = barred_of(front)
    typed = await front.typed(parse("ack"), Pressed(user=slack))
    assert INC not in str(typed)


@pytest.mark.parametrize("word", ["status", "ack", "clocks"])
async def test_the_old_channel_is_nobodys_for_whoever_was_left_in_it(front: FrontDesk, word: str) -> None:
    declare(front)
    desk = front.house.desk
    with desk.record.begin() as tx:
        keep(tx, Mirror(id=f"room:{INC}:channel", stream=INC, place="C0OLD", shown=""), desk.clock.now())
    open_yet = await front.open(
        "timeline", Target(stream=""), Pressed(user=KATO, channel="C0OLD"), {"text": "x"}
    )
    assert TITLE in str(open_yet.view)
    restrict(desk, "kato-hiroshi")
    for user in (KATO, MATSUMOTO):
        pressed = Pressed(user=user, channel="C0OLD")
        dialog = await front.open("timeline", Target(stream=""), pressed, {"text": "x"})
        assert TITLE not in str(dialog)
        assert INC not in str(dialog)
        said = await front.typed(parse(word), pressed)
        assert TITLE not in str(said)
        assert INC not in str(said)


def filled(stream: str, values: dict[str, Any] | None = None) -> dict[str, Any]:
    on = Target(stream=stream).value
    metadata = orjson.dumps({"on": on, "in": "", "x": {"files": "F1"}}).decode()
    return {"private_metadata": metadata, "state": {"values": values or {}}}


def chosen(act: str) -> dict[str, Any]:
    return {"act": {"act": {"type": "static_select", "selected_option": {"value": act}}}}


async def test_a_dialog_that_was_opened_before_builds_no_other_and_keeps_no_file(front: FrontDesk) -> None:
    declare(front)
    desk = front.house.desk
    body = b"canary"
    kept = Fetched(name="a.txt", digest="sha256:" + "d" * 64, size=len(body), stored="a.txt")
    known = AddEvidence(actor=SATO, source="-", description="-", digest=kept.digest, size=kept.size)
    assert desk.handle(INC, known).accepted
    assert (await front.submit("more", filled(INC, chosen("note")), KATO)).view is not None
    restrict(desk, "kato-hiroshi")
    more = await front.submit("more", filled(INC, chosen("note")), KATO)
    assert more.view is None
    assert more.refused
    again = await front.submit("evidence", filled(INC), KATO, kept)
    assert again.refused
    assert "EV-" not in str(again)
    files = await front.files(filled(INC), KATO)
    assert not isinstance(files, list)
    assert files.refused


async def test_a_post_is_not_kept_true_for_whoever_may_no_longer_read(front: FrontDesk) -> None:
    declare(front)
    desk = front.house.desk
    page = next(iter(desk.incident(INC).pages.values()))
    person = page.reached["0"][0].person
    sent = {"channel": "slack", "state": "sent", "sent_at": micros(desk.clock.now())}
    with desk.record.begin() as tx:
        mine = OUTBOX.update().where(OUTBOX.c.person == person, OUTBOX.c.kind == "page")
        tx.connection.execute(mine.values(address="D1", receipt="D1/1.1", **sent))
        public = OUTBOX.update().where(OUTBOX.c.person.is_(None))
        tx.connection.execute(public.values(address="C1", receipt="C1/1.1", **sent))
    desk.handle(INC, Acknowledge(actor=SATO, page=page.id))

    async def here(call: Callable[[], T]) -> T:
        return call()

    copies = Copies(desk, None, here, lambda *_, **__: "")  # type: ignore[arg-type]
    places = {edit.conversation for edit in copies._plan(INC)}
    assert "D1" in places
    restrict(desk, person)
    assert not copies._plan(INC)
