"""A form: a Slack dialog that asks for what an act has to record, and the command it comes to.

Forms are pure. They offer; the rules decide whether it may be done, and their answer is shown in the form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from console.slack.blocks import MAX_TITLE, Block, Choice, choose, plain
from console.texts import Texts
from console.views.naming import Naming
from console.views.times import read_instant
from models.commands import Actor, Command
from models.errors import NaiveInstant
from models.permission import TABLE
from models.rules.common import LEEWAY
from models.state import ENDED, Incident, StreamState
from models.world import World
from notifiers.acts import Target

FOR = "for"
MAX_PEOPLE = 100
SHAPE = "%Y-%m-%dT%H:%M"
ONE_DAY = timedelta(days=1)
Given = Mapping[str, str | list[str]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Who acts on what, as the record stands now. `extra` is what a shortcut brings along."""

    target: Target
    naming: Naming
    actor: Actor
    extra: Mapping[str, str]

    @property
    def t(self) -> Texts:
        """The interface's words in the person's language."""
        return self.naming.texts

    @property
    def lang(self) -> str:
        """`ja` or `en`."""
        return self.naming.lang

    @property
    def world(self) -> World:
        """The world as it is now."""
        return self.naming.world

    @property
    def state(self) -> StreamState:
        """The stream's state."""
        return self.naming.state

    @property
    def incident(self) -> Incident | None:
        """The state, if it is an incident's."""
        return self.naming.state if isinstance(self.naming.state, Incident) else None


class NotUnderstood(Exception):
    """Fields that cannot be read: block -> what was expected."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(", ".join(errors))
        self.errors = dict(errors)


@dataclass(frozen=True, kw_only=True)
class Form:
    """One dialog. `build` gives its blocks, `read` the command (raises NotUnderstood)."""

    name: str
    build: Callable[[Case], list[Block]]
    read: Callable[[Case, Given], Command]
    opens: bool = False
    """Whether its command opens an incident: it has no stream of its own."""


def view(form: Form, case: Case, metadata: str) -> dict[str, Any]:
    """The dialog as Slack wants it; a drill says so on top."""
    t = case.t
    title = t(f"slack.form.{form.name}.title")
    drill = case.world.drill or (case.incident is not None and case.incident.drill)
    return {
        "type": "modal",
        "callback_id": f"hikeshi:{form.name}",
        "private_metadata": metadata,
        "title": plain(f"【訓練】{title}" if drill else title, MAX_TITLE),
        "submit": plain(t(f"slack.form.{form.name}.submit"), MAX_TITLE),
        "close": plain(t("slack.close"), MAX_TITLE),
        "blocks": form.build(case),
    }


def text(values: Given, block: str) -> str:
    """The text of a field; empty if nothing was filled in."""
    value = values.get(block, "")
    return value if isinstance(value, str) else ""


def many(values: Given, block: str) -> tuple[str, ...]:
    """The values of a field that takes several."""
    value = values.get(block, ())
    return tuple(value) if isinstance(value, list) else ((value,) if isinstance(value, str) and value else ())


def for_(values: Given) -> str | None:
    """Whom a scribe writes for."""
    return text(values, FOR) or None


def instant(case: Case, values: Given, block: str) -> datetime | None:
    """An instant as people write it: with its zone, or in the institution's. Raises NotUnderstood."""
    value = text(values, block)
    if not value:
        return None
    try:
        return read_instant(written_instant(case, value), case.naming.times.zone)
    except (NaiveInstant, ValueError) as wrong:
        raise NotUnderstood({block: case.t("slack.field.instant-wrong", value=value)}) from wrong


def written_instant(case: Case, value: str) -> str:
    """`03:10`, `11-23 03:10` or a full one, with the institution's zone if none is given.

    People write about what has happened: a time without its day, or a day without its year, that would lie
    ahead is the last one there was.
    """
    zone = case.naming.times.zone
    now = case.naming.now.astimezone(zone)
    written = value.strip().replace("/", "-").replace(" ", "T")
    for given_ in (
        written,
        f"{now.year}-{written}",
        f"{now.year - 1}-{written}",
        f"{now:%Y-%m-%d}T{written}",
        f"{now - ONE_DAY:%Y-%m-%d}T{written}",
    ):
        try:
            found = datetime.strptime(given_, SHAPE).replace(tzinfo=zone)
        except ValueError:
            continue
        if given_ == written or found <= now + LEEWAY:
            return found.isoformat()
    return value.strip()


def people(case: Case, *, but: tuple[str, ...] = ()) -> list[Choice]:
    """Everybody in the directory who can be reached, those of the CSIRT's roles named with them."""
    found = []
    for person in case.world.organisation.people:
        if person.id not in but:
            title = person.title.lang(case.lang) if person.title else ""
            found.append(Choice(value=person.id, text=f"{person.name.lang(case.lang)} {title}".strip()))
    return found[:MAX_PEOPLE]


def scribe_field(case: Case) -> Iterator[Block]:
    """For those who may write for others: for whom, if not for themselves (design, 14)."""
    allowed = set(case.world.policy.permissions.get("record-for", TABLE["record-for"]))
    roles = case.world.roles_of(case.incident, case.actor.person or "")
    if roles & allowed:
        choices = people(case, but=(case.actor.person or "",))
        yield choose(
            FOR, case.t("slack.field.for-whom"), choices, optional=True, hint=case.t("slack.field.for-hint")
        )


def may_act(case: Case) -> bool:
    """Whether there is still something to act on."""
    return case.incident is None or case.incident.status not in ENDED
