"""From a row of the outbox to the message as the record stands now: to send it, and to keep it true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from models import codes
from models.desk import Desk
from models.exercise import Exercise
from models.state import Incident, StreamState
from models.world import World
from notifiers.acts import page_acts, subject_acts
from notifiers.briefing import Envelope, brief
from notifiers.briefing_names import Matter
from notifiers.drilling import exercise_acts, exercise_standing
from notifiers.message import Act, Message
from notifiers.phrases import PHRASES
from notifiers.rendering import language
from notifiers.standing import page_standing, step_standing

Link = Callable[[str, int, str, str], str]
"""The address of a page for (stream, page, person, channel), empty for none."""
STEP = "step:"


@runtime_checkable
class Coder(Protocol):
    """What makes links and can say the codes beside them."""

    def code(self, stream: str, page: int, person: str, cause: int) -> str: ...


def compose(desk: Desk, envelope: Envelope, address: str | None, link: Link) -> Message:
    """The message. Runs where the record may be read."""
    state = desk.state(envelope.stream)
    world = desk.world(state)
    person = desk.directory.person(envelope.person) if envelope.person else None
    lang = person.lang if person else desk.premises.organisation.lang
    page = envelope.page if envelope.page in state.pages else 0
    who = envelope.person
    where = link(envelope.stream, page, who, envelope.channel) if who else ""
    matter = Matter(state=state, texts=desk.texts(envelope.stream), world=world, link=where)
    context = brief(envelope, matter, lang)
    if envelope.template == codes.TEMPLATE:
        context |= {"asked": _code(envelope, link, lang), "until": "", "what": "", "title": ""}
    return Message(
        key=envelope.key,
        channel=envelope.channel,
        address=address or (person.address(envelope.channel) if person else None) or "",
        person=envelope.person,
        lang=lang,
        kind=envelope.kind,
        template=envelope.template,
        context=context,
        attempt=envelope.tries,
        drill=desk.premises.drill or bool(getattr(state, "drill", False)),
        acts=acts_of(envelope, state, world),
        standing=standing_of(envelope, state, world, lang),
    )


def _code(envelope: Envelope, link: Link, lang: str) -> str:
    """The code as it is sent, and only to one person by another channel than the link's."""
    _, page, carrier = envelope.subject.split(":")
    kept = envelope.channel == carrier or envelope.channel not in codes.PRIVATE
    maker: object = link
    if kept or envelope.person is None or not isinstance(maker, Coder):
        return PHRASES[language(lang)]["code-kept"]
    code = maker.code(envelope.stream, int(page), envelope.person, envelope.cause)
    return PHRASES[language(lang)]["code"].format(code=f"{code[:4]} {code[4:]}")


def acts_of(envelope: Envelope, state: StreamState, world: World) -> tuple[Act, ...]:
    """The buttons of a message, as the record stands."""
    page = state.pages.get(envelope.page)
    if page is not None:
        return page_acts(state, page, world)
    if isinstance(state, Incident):
        return subject_acts(state, envelope.subject, world)
    if isinstance(state, Exercise):
        return exercise_acts(state, envelope.subject, world)
    return ()


def standing_of(envelope: Envelope, state: StreamState, world: World, lang: str) -> str:
    """What has become of the matter since."""
    page = state.pages.get(envelope.page)
    if page is not None:
        return page_standing(state, page, world, lang)
    if isinstance(state, Incident) and envelope.subject.startswith(STEP):
        return step_standing(state, envelope.subject.removeprefix(STEP), world, lang)
    if isinstance(state, Exercise):
        return exercise_standing(state, envelope.subject, world, language(lang))
    return ""
