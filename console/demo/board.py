"""The end of a demo: where the board is; with KEEP=1 it stays up for whoever wants to look around."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Protocol, TypeVar

from console.demo.picture import Picture
from console.opening import House
from console.texts import texts
from console.web.once import Once
from models.actor import Actor
from models.entering import OfferLogin
from models.errors import HikeshiError

LINK_LASTS = timedelta(hours=12)
HOUSE = "house"
T = TypeVar("T")


class Kept(Protocol):
    """A demo whose node runs."""

    house: House
    lang: str
    picture: Picture
    base_url: str

    async def write(self, call: Callable[[], T]) -> T:
        """Run something in the thread that writes."""
        ...


async def keep(demo: Kept, person: str, path: str) -> None:
    """Say where the board is. With KEEP=1 it stays up until Ctrl-C, and a link lets this person in once."""
    say, show = texts(demo.lang), demo.picture.console
    if os.environ.get("KEEP") != "1":
        show.print(f"  {say('demo.board_over', url=demo.base_url)}", soft_wrap=True)
        return
    link = await demo.write(lambda: _link(demo, person))
    known = demo.house.desk.directory.person(person)
    name = known.name.lang(demo.lang) if known is not None else person
    show.print(say("demo.board_up", url=f"{demo.base_url}/"), style="bold green", soft_wrap=True)
    show.print(f"  {say('demo.board_link', who=name)}: {link}", soft_wrap=True)
    show.print(f"  {say('demo.board_page')}: {demo.base_url}/{path}", soft_wrap=True)
    demo.picture.note("keep")
    with suppress(asyncio.CancelledError, KeyboardInterrupt):
        await asyncio.Event().wait()


def _link(demo: Kept, person: str) -> str:
    """An address that logs this person in once, as `hikeshi login link` makes it. Raises HikeshiError."""
    actor = Actor(person=person, name=person, via="cli")
    until = demo.house.desk.clock.now() + LINK_LASTS
    outcome = demo.house.desk.handle(HOUSE, OfferLogin(actor=actor, person=person, until=until))
    if not outcome.accepted:
        raise HikeshiError(f"no link for {person}: {outcome.refused} {dict(outcome.detail)}")
    value = Once(demo.house).put("login", LINK_LASTS, person=person, by=person)
    return f"{demo.base_url}/login/once/{value}"
