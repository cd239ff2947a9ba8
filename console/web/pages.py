"""The signed page of a matter: what a person who was just woken has to know, and one button.

Reading it changes nothing; only the form acts, as the person whom the link names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import select

from console.opening import House
from console.reading import Reader
from console.web.links import DEAD, Link
from console.web.rendering import ours, span, when, words
from models.access import Viewer, is_vendor
from models.answers import Decline
from models.commands import Acknowledge, Actor
from models.distrust import WEB as VIA
from models.errors import NotFound
from models.fact import read_fact
from models.organisation import Person
from models.outofband import OpenLink
from models.page import page_next_due
from models.playbook import Step
from models.reason import Reason
from models.record import FACT
from models.routing import APPROVAL, answering_level
from models.rules.declining import has_declined
from models.rules.pages import asks
from models.state import ENDED, Incident, Page, Recipient, StepState, StreamState
from models.world import World
from notifiers.briefing import Envelope, brief
from notifiers.briefing_names import Matter

Standing = Literal["open", "mine", "joined", "declined", "other", "stopped", "outsider", "seen", "notice"]
NOTICE: Literal["notice"] = "notice"
GRAVE_FROM_NISC = 3
MAX_STEPS = 12
MAX_SEEN = 1_000
MAX_REASON = 500
SHOWING_STEPS = ("mine", "joined", "other", NOTICE)
_BEFORE = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Everything that the page of one link is made from, read in one go."""

    link: Link
    person: Person
    page: Page
    state: StreamState
    world: World
    standing: Standing

    @property
    def lang(self) -> str:
        """The person's language."""
        return self.person.lang

    def name(self, person: str | None) -> str:
        """A person's name in the reader's language, or their id if they are gone."""
        known = self.world.directory.person(person) if person else None
        return known.name.lang(self.lang) if known else (person or "-")

    def title(self, who: str) -> str:
        """A role's title, or a person's name."""
        role = self.world.directory.role(who)
        return role.title.lang(self.lang) if role else self.name(who)

    def at(self, instant: datetime) -> str:
        """An instant in the institution's zone."""
        return when(instant, self.world.organisation.zone, self.lang)


def sheet(house: House, link: Link) -> Sheet:
    """What the link shows. Raises NotFound in the words of a dead link if there is nothing behind it."""
    state = house.desk.state(link.stream)
    world = house.desk.world(state)
    page = state.pages.get(link.page) if link.page else _no_page(state)
    person = world.directory.person(link.person)
    if page is None or person is None or state.at is None or not _may_know(house, state, link.person):
        raise NotFound(DEAD)
    standing = _standing(house, state, page, link.person, world) if link.page else NOTICE
    return Sheet(link=link, person=person, page=page, state=state, world=world, standing=standing)


def _may_know(house: House, state: StreamState, person: str) -> bool:
    """Whether the person of the link may know of it; that they read a restricted one is recorded."""
    if not isinstance(state, Incident):
        return True
    reader = Reader(desk=house.desk, viewer=Viewer(person=person), surface="web:page")
    return reader.reading(state).some and reader.note(state) is not None


def _no_page(state: StreamState) -> Page:
    """What a notice links: the matter as it stands, with nothing to acknowledge."""
    at = state.at or _BEFORE
    return Page(
        id=0,
        event=NOTICE,
        subject="incident",
        route="",
        asked_at=at,
        base=at,
        level_at=at,
        within=[0],
        repeat=[0],
        all_of=[False],
        every=1,
        state="stopped",
    )


def _standing(house: House, state: StreamState, page: Page, person: str, world: World) -> Standing:
    if page.state == "stopped":
        return "stopped"
    if page.state == "acknowledged":
        return "mine" if page.acked_by == person or person in page.acks else "other"
    if person in page.acks:
        return "joined"
    if has_declined(page, person):
        return "declined"
    if answering_level(world, state, page, person) is not None:
        return "open"
    return "seen" if _has_seen(house, state.stream, page.id, person) else "outsider"


def _has_seen(house: House, stream: str, page: int, person: str) -> bool:
    """Whether it is recorded that somebody who could not stop this page has seen it."""
    seen = select(FACT.c.body).where(FACT.c.stream == stream, FACT.c.kind == "page.seen")
    with house.record.read() as tx:
        bodies = tx.connection.execute(seen.order_by(FACT.c.seq.desc()).limit(MAX_SEEN)).scalars().all()
    facts = (read_fact(body).data for body in bodies)
    return any(data["page"] == page and data["by"] == person for data in facts)


class OutOfBand(Exception):
    """The link was sent over a channel that is out of band; that it was used is on record."""


def _actor(link: Link) -> Actor:
    """The link's person, by the page, and over the channel that carried the link."""
    return Actor(person=link.person, name=link.person, via=f"{VIA}:{link.channel}".rstrip(":"))


def must_be_trusted(house: House, link: Link) -> None:
    """Raises OutOfBand if whoever reads the channel that carried the link must see nothing."""
    if not house.desk.distrusted():
        return
    outcome = house.desk.handle("house", OpenLink(actor=_actor(link)))
    if outcome.refused is Reason.CHANNEL_DISTRUSTED:
        raise OutOfBand


def acknowledge(house: House, link: Link) -> bool:
    """Record the link's person as having it; doing it again changes nothing. Whether anything was queued.

    Raises NotFound if the link leads nowhere, OutOfBand if it came over a distrusted channel, RecordError if
    it cannot be written.
    """
    must_be_trusted(house, link)
    if sheet(house, link).standing not in {"open", "declined", "outsider"}:
        return False
    outcome = house.desk.handle(link.stream, Acknowledge(actor=_actor(link), page=link.page))
    if not outcome.accepted and outcome.refused is not Reason.ALREADY:
        raise NotFound(DEAD)
    return outcome.queued > 0


def decline(house: House, link: Link, reason: str) -> bool:
    """Record that the link's person cannot take it, or gives it back. Whether anything was queued.

    Doing it again changes nothing, nor does a form without a reason: the page asks for one. Raises NotFound
    if the link leads nowhere, OutOfBand if it came over a distrusted channel, RecordError if it cannot be
    written.
    """
    must_be_trusted(house, link)
    if not link.page or not reason.strip() or not can_decline(sheet(house, link)):
        return False
    said = Decline(actor=_actor(link), page=link.page, reason=reason.strip()[:MAX_REASON])
    outcome = house.desk.handle(link.stream, said)
    if not outcome.accepted and outcome.refused is not Reason.ALREADY:
        raise NotFound(DEAD)
    return outcome.queued > 0


def can_decline(found: Sheet) -> bool:
    """Whether the page waits for this person's answer, or they have it and may give it back."""
    if found.standing in {"mine", "joined"}:
        return True
    reached = asks(found.page, found.person.id)
    return reached and found.standing in {"open", "outsider", "seen"}


# -- what is shown ------------------------------------------------------------------------------------------


def shown(house: House, found: Sheet) -> dict[str, Any]:
    """The values of the template `matter.html`, in the person's language."""
    lang, page = found.lang, found.page
    t = words(lang)
    texts = house.desk.texts(found.link.stream)
    briefing = brief(_envelope(found), Matter(state=found.state, texts=texts, world=found.world), lang)
    due = page_next_due(page)
    waiting = page.state == "open" and due is not None
    # Of a third party neither the others' steps nor who of ours was called, as in its messages.
    outside = is_vendor(found.person.id, found.world)
    steps = list(_steps(found, outside)) if isinstance(found.state, Incident) else []
    return {
        "brief": briefing,
        "drill": found.world.drill or (isinstance(found.state, Incident) and found.state.drill),
        "you": _you(found),
        "asked": t["asked"][page.event],
        "grave": _is_grave(found),
        "waiting": waiting,
        "left": span(datetime.fromisoformat(briefing["until_iso"]), found.world.now, lang) if waiting else "",
        "standing": found.standing,
        "standing_text": _standing_text(found),
        "can_decline": can_decline(found),
        "max_reason": MAX_REASON,
        "declined": [] if outside else list(_declined(found, texts)),
        "delegated": briefing["extra"].get("delegated", ""),
        "decided": _decided(found),
        "commands": list(_commands(found)),
        "incident_page": f"/incidents/{found.link.stream}" if isinstance(found.state, Incident) else "",
        "show_steps": isinstance(found.state, Incident) and found.standing in SHOWING_STEPS,
        "steps": steps[:MAX_STEPS],
        "more": max(0, len(steps) - MAX_STEPS),
        "reached": [] if outside else list(_reached(found)),
        "bridge": ours(found.world.organisation.bridge or ""),
    }


def _envelope(found: Sheet) -> Envelope:
    page = found.page
    own = _own_recipient(found)
    return Envelope(
        key="",
        stream=found.link.stream,
        page=page.id,
        cause=page.id,
        level=str(page.level),
        attempt=1,
        kind="page",
        template="page.web",
        subject=page.subject,
        person=found.person.id,
        deputy_for=own.deputy_for if own else None,
        channel=VIA,
        tries=0,
    )


def _own_recipient(found: Sheet) -> Recipient | None:
    everybody = (one for people in found.page.reached.values() for one in people)
    return next((one for one in everybody if one.person == found.person.id), None)


def _you(found: Sheet) -> str:
    own = _own_recipient(found)
    t = words(found.lang)
    name = found.name(found.person.id)
    if own is not None and own.deputy_for:
        return str(t["you-deputy"]).format(name=name, for_=found.name(own.deputy_for))
    return str(t["you"]).format(name=name)


def _is_grave(found: Sheet) -> bool:
    if not isinstance(found.state, Incident):
        return False
    known = {one.id: one.nisc for one in found.world.policy.severity.severities}
    return known.get(found.state.severity, 0) >= GRAVE_FROM_NISC


def _standing_text(found: Sheet) -> str:
    page = found.page
    own_at, no = page.acks.get(found.person.id), page.declined.get(found.person.id)
    at = own_at if found.standing == "mine" and own_at else page.acked_at
    at = no.at if found.standing == "declined" and no is not None else at
    asked = {one.person for one in page.reached.get(str(page.level), [])}
    names = ", ".join(found.name(one) for one in sorted(asked - set(page.acks)))
    return str(words(found.lang)["standing"][found.standing]).format(
        at=found.at(at) if at else "-", name=found.name(page.acked_by), names=names or "-"
    )


def _declined(found: Sheet, texts: Mapping[str, str | None]) -> Iterator[str]:
    """Who said no and why; a reason that was disposed of says nothing."""
    for who, no in found.page.declined.items():
        yield f"{found.name(who)} ({found.at(no.at)}): {texts.get(no.reason) or '-'}"


def _reached(found: Sheet) -> Iterator[dict[str, Any]]:
    t = words(found.lang)
    for level, people in found.page.reached.items():
        title = t["level-last"] if level == "last" else t["level"].format(number=int(level) + 1)
        yield {"level": title, "people": [_reached_person(found, one) for one in people]}


def _reached_person(found: Sheet, one: Recipient) -> str:
    more = [found.title(one.role)]
    if one.deputy_for:
        more.append(words(found.lang)["deputy-of"].format(name=found.name(one.deputy_for)))
    return f"{found.name(one.person)} ({', '.join(more)})"


# -- what to do ---------------------------------------------------------------------------------------------


def step_of(found: Sheet) -> tuple[Step, StepState] | None:
    """The step that the page is about."""
    kind, _, key = found.page.subject.partition(":")
    if kind not in {"step", APPROVAL} or not isinstance(found.state, Incident):
        return None
    planned = found.world.step(found.state, key)
    if planned is None:
        return None
    return planned.step, found.state.steps.get(key) or StepState(key=key)


def _decided(found: Sheet) -> str:
    about = step_of(found)
    if about is None or about[1].choice is None:
        return ""
    step, known = about
    titles = {one.id: one.title.lang(found.lang) for one in step.options}
    choice = titles.get(known.choice or "", known.choice)
    return str(words(found.lang)["decided"]).format(choice=choice, who=found.name(known.done_by))


def _commands(found: Sheet) -> Iterator[str]:
    """How to go on, for what the page itself is about."""
    kind, _, name = found.page.subject.partition(":")
    about = step_of(found)
    if about is not None:
        yield from _step_commands(found.link.stream, *about)
    elif kind == "alert":
        yield f"hikeshi alert show {name}"
        yield f"hikeshi alert declare {name}"
        yield f'hikeshi alert dismiss {name} --reason "…"'
    elif kind == "improvement":
        yield f'hikeshi improvement done {name} --reason "…"'
    elif kind == "finding":
        yield f'hikeshi finding fix {name} --note "…"'
    elif kind == "confirm":
        yield f"hikeshi confirm {found.link.stream} {name}"
    elif kind in {"quarantine", "impaired"}:
        yield "hikeshi health"
    elif isinstance(found.state, Incident) and found.state.status not in ENDED:
        yield f"hikeshi show {found.link.stream}"


def _step_commands(incident: str, step: Step, known: StepState) -> Iterator[str]:
    """The commands that settle a step as it stands; none once it is settled."""
    if known.status in {"failed", "unknown"}:
        yield f'hikeshi step retry {incident} {known.key} --reason "…"'
    elif known.status not in {"ready", "started"}:
        return
    elif known.proposed is not None:
        yield f"hikeshi approve {incident} {known.key}"
        yield f'hikeshi reject {incident} {known.key} --reason "…"'
    elif step.kind == "decision":
        factors = "".join(f' --factor {name}="…"' for name in step.weighed)
        for option in step.options:
            yield f'hikeshi decide {incident} {known.key} {option.id} --reason "…"{factors}'
    elif step.kind in {"manual", "notice"}:
        fields = "".join(f' --set {field.id}="…"' for field in step.record if field.required)
        yield f"hikeshi done {incident} {known.key}{fields}"


def _steps(found: Sheet, own_alone: bool) -> Iterator[dict[str, Any]]:
    """Steps that can be taken now, the reader's own first; or those alone."""
    assert isinstance(found.state, Incident)  # noqa: S101 - asked for incidents only
    state, world, t = found.state, found.world, words(found.lang)
    roles = world.roles_of(state, found.person.id)
    ready = []
    for key, known in state.steps.items():
        planned = world.step(state, key) if known.status in {"ready", "started"} else None
        if planned is None or planned.step.kind in {"action", "call"}:
            continue
        step = planned.step
        owner = known.owner or step.acts or ""
        asked = {owner, *(step.deciders if known.owner is None else ())}
        yours = found.person.id in asked or bool(asked & roles)
        if own_alone and not yours:
            continue
        ready.append((not yours, known.limit_at is None, known.limit_at, key, known, step, owner))
    for not_yours, _, limit, _, known, step, owner in sorted(ready, key=_first):
        yield {
            "title": step.title.lang(found.lang),
            "yours": not not_yours,
            "status": t["status"][known.status],
            "owner": t["owner"].format(who=found.title(owner) if owner else "-"),
            "limit": t["limit"].format(at=found.at(limit)) if limit else t["no-limit"],
            "commands": list(_step_commands(found.link.stream, step, known)),
            **_instructions(step, found.lang),
        }


def _first(row: tuple[Any, ...]) -> tuple[bool, bool, float, str]:
    """The reader's own before others', what has a limit before what has none, the sooner first."""
    return row[0], row[1], row[2].timestamp() if row[2] else 0.0, row[3]


def _instructions(step: Step, lang: str) -> dict[str, Any]:
    return {
        "lines": step.text.lang(lang).splitlines() if step.text else [],
        "where": step.where.lang(lang) if step.where else "",
        "stop_when": step.stop_when.lang(lang) if step.stop_when else "",
        "do_not": [one.lang(lang) for one in step.do_not],
    }
