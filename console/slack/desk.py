"""What a press, a dialog or a typed command comes to: read from the record, put to the rules, answered.

Everything here that touches the record runs in the thread that writes; `run` hands it over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import orjson

from console.opening import House
from console.reading import Reader
from console.slack import answering, approving, choosing, drilling, ending, telling, working
from console.slack.blocks import given
from console.slack.files import Fetched
from console.slack.forms import Case, Form, NotUnderstood, text, view
from console.slack.slash import Asked
from console.texts import texts
from console.views.naming import Naming
from console.views.refusals import advice, what
from console.web.alerts import RefusalBook
from console.web.running import Run
from models.access import Viewer
from models.commands import Acknowledge, Actor, AddEvidence, Command, Confirm, RecordRefusal, StartStep
from models.desk import HOUSE, SOMEBODY
from models.permission import TABLE
from models.premises import Outcome
from models.reason import Reason
from models.state import Incident, StreamState
from notifiers.acts import Target, read_target
from notifiers.standing import page_standing

VIA = "slack"
MAX_INCIDENTS = 30
INSIDERS = frozenset(
    {"csirt-lead", "csirt-deputy", "csirt-duty", "commander", "scribe", "ciso", "cio", "president"}
)
"""Roles that see incidents whose type is private, besides those who were paged."""
FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        *answering.FORMS,
        *approving.FORMS,
        *choosing.FORMS,
        *working.FORMS,
        *telling.FORMS,
        *ending.FORMS,
        *drilling.FORMS,
    )
}


@dataclass(frozen=True, kw_only=True)
class Pressed:
    """Who pressed, and where; Slack's ids."""

    user: str
    channel: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the person is told: lines, a dialog, errors by field, or that it did not work."""

    lines: tuple[str, ...] = ()
    refused: bool = False
    errors: Mapping[str, str] = field(default_factory=dict)
    view: dict[str, Any] | None = None
    blocks: tuple[dict[str, Any], ...] = ()
    stream: str = ""
    channel: str = ""
    problem: str = ""
    silent: bool = False
    """Nobody is told: a dialog was opened, or whoever reads along must not learn anything."""


class FrontDesk:
    """Serves people who come by Slack. `wake` tells the outbox that there is something to deliver."""

    def __init__(self, house: House, run: Run, wake: Callable[[], None]) -> None:
        self.house = house
        self._run = run
        self._wake = wake
        self._refusals = RefusalBook()
        room = house.institution.settings.slack.room if house.institution.settings.slack else None
        self._private = frozenset(room.private_for) if room is not None else frozenset()
        self._direct: dict[str, Callable[[Actor, Target], Command]] = {
            "ack": lambda actor, target: Acknowledge(actor=actor, page=target.page),
            "start": lambda actor, target: StartStep(actor=actor, step=target.step),
            "take": lambda actor, target: StartStep(actor=actor, step=target.step, take=True),
            "confirm": _confirm,
            **drilling.DIRECT,
        }

    @property
    def direct(self) -> frozenset[str]:
        """Acts that ask nothing more."""
        return frozenset(self._direct)

    async def lang(self, user: str) -> str:
        """The language of a person, or the institution's."""
        person = self.house.desk.directory.by_slack(user)
        return person.lang if person else self.house.desk.premises.organisation.lang

    async def act(self, name: str, target: Target, pressed: Pressed) -> Answer:
        """Do what a button says."""
        make = self._direct[name]
        return await self._run(lambda: self._act(make, target, pressed))

    async def open(self, name: str, target: Target, pressed: Pressed, extra: Mapping[str, str]) -> Answer:
        """The dialog of an act, as the record stands."""
        form = FORMS.get(name)
        if form is None:
            return await self.unreadable(name, pressed)
        return await self._run(lambda: self._open(form, target, pressed, extra))

    async def unreadable(self, name: str, pressed: Pressed) -> Answer:
        """The answer to a button or dialog that this version does not know, if there may be one."""

        def answer() -> Answer:
            return self._stranger(self.actor(pressed.user), name[:40] or "press") or Answer(problem="button")

        return await self._run(answer)

    async def submit(
        self, name: str, filled: Mapping[str, Any], user: str, kept: Fetched | None = None
    ) -> Answer:
        """What was filled in becomes a command. `kept` is the file that it is about."""
        form = FORMS.get(name)
        if form is None:
            return await self.unreadable(name, Pressed(user=user))
        return await self._run(lambda: self._submit(form, filled, Pressed(user=user), kept))

    async def files(self, filled: Mapping[str, Any], user: str) -> list[str] | Answer:
        """The files that a dialog is about; nothing is fetched for somebody who may not record it."""
        return await self._run(lambda: self._files(filled, user))

    async def whole(self, asked: Asked) -> Asked:
        """The request with the incident's whole id for a number alone."""
        from console.slack.asking import whole  # noqa: PLC0415 - it builds on the board

        return replace(asked, stream=await self._run(lambda: whole(asked.stream, self.house)))

    async def typed(self, asked: Asked, pressed: Pressed) -> Answer:
        """What `/hikeshi …` asks for."""
        return await self._run(lambda: self._typed(asked, pressed))

    # -- in the writer's thread -----------------------------------------------------------------------------

    def actor(self, user: str) -> Actor:
        """The person of the directory behind a Slack id; nobody, if there is none."""
        person = self.house.desk.directory.by_slack(user)
        return Actor(person=person.id if person else None, name=f"slack:{user[:40]}", via=VIA)

    def _act(self, make: Callable[[Actor, Target], Command], target: Target, pressed: Pressed) -> Answer:
        actor = self.actor(pressed.user)
        if (no := self._stranger(actor, "press")) is not None:
            return no
        answer = self._put(target.stream, make(actor, target), actor)
        if not answer.refused or not self.may_see(target.stream, actor):
            return answer
        return self._since(answer, target, actor)

    def _since(self, answer: Answer, target: Target, actor: Actor) -> Answer:
        """What has happened since an old button was drawn: that is what its presser has to know."""
        naming = self._naming(target.stream, actor)
        page = naming.state.pages.get(target.page)
        if page is None or actor.person is None:
            return answer
        standing = page_standing(naming.state, page, naming.world, naming.lang)
        told = standing and standing not in answer.lines
        return replace(answer, lines=(standing, *answer.lines) if told else answer.lines)

    def _put(self, stream: str | None, command: Command, actor: Actor) -> Answer:
        outcome = self.house.desk.handle(stream, command)
        if outcome.queued:
            self._wake()
        return self._answer(outcome, actor)

    def _answer(self, outcome: Outcome, actor: Actor) -> Answer:
        """What was recorded and what follows; or why not, and what to do."""
        from console.slack.outcomes import told  # noqa: PLC0415 - it needs the views, and nothing else does

        naming = self._naming(outcome.stream or HOUSE, actor)
        if outcome.refused is not None:
            return self._refusal(naming, outcome.refused, outcome.detail, outcome.stream)
        return Answer(lines=told(outcome, naming), stream=outcome.stream)

    def _refusal(
        self, naming: Naming, reason: Reason, detail: Mapping[str, object], stream: str = ""
    ) -> Answer:
        said, do = what(naming, reason, detail), advice(naming, reason, detail)
        number = detail.get("page") if reason is Reason.ALREADY else None
        page = naming.state.pages.get(number) if isinstance(number, int) else None
        if page is not None:
            # Who has it, in words: that is what somebody who comes too late wants to know.
            said = page_standing(naming.state, page, naming.world, naming.lang) or said
        wrong = detail.get("fields") if reason in {Reason.FIELD_WRONG, Reason.FIELDS_MISSING} else None
        errors = {}
        for one in wrong if isinstance(wrong, (list, tuple)) else ():
            name, _, why = str(one).partition(":")
            errors[name] = why.strip() or naming.texts("slack.field.needed")
        return Answer(lines=(said, do), refused=True, stream=stream, errors=errors)

    def _naming(self, stream: str, actor: Actor) -> Naming:
        desk = self.house.desk
        state = desk.state(stream)
        person = desk.directory.person(actor.person) if actor.person else None
        lang = person.lang if person else desk.premises.organisation.lang
        return Naming(
            texts=texts(lang), world=desk.world(state), state=state, beside=desk.texts(state.stream)
        )

    def case(self, target: Target, actor: Actor, extra: Mapping[str, str]) -> Case:
        """Everything that a form needs."""
        return Case(
            target=target, naming=self._naming(target.stream or HOUSE, actor), actor=actor, extra=extra
        )

    def _stranger(self, actor: Actor, command: str) -> Answer | None:
        """Whom the directory does not know is not served, and nobody while Slack is out of band."""
        desk = self.house.desk
        if VIA in desk.distrusted():
            # Not a word into a channel that is in foreign hands, not even that it is.
            self._record(actor, command, Reason.CHANNEL_DISTRUSTED)
            return Answer(refused=True, silent=True)
        if actor.person is not None:
            return None
        self._record(actor, command, Reason.UNKNOWN_PERSON)
        return self._refusal(self._naming(HOUSE, actor), Reason.UNKNOWN_PERSON, {"who": actor.name})

    def _record(self, actor: Actor, command: str, reason: Reason) -> None:
        """Write down who was refused, the same once a minute with how often: whoever knocks fills no disk."""
        desk = self.house.desk
        count = self._refusals.due(f"{actor.name} {command}", reason.value, desk.clock.now())
        if count:
            refusal = RecordRefusal(
                actor=Actor.machine(VIA),
                refused=actor.person or SOMEBODY,
                command=command,
                reason=reason.value,
                detail=actor.name,
                count=count,
            )
            desk.handle(HOUSE, refusal)

    def _open(self, form: Form, target: Target, pressed: Pressed, extra: Mapping[str, str]) -> Answer:
        actor = self.actor(pressed.user)
        if (no := self._stranger(actor, form.name)) is not None:
            return no
        extra = dict(extra)
        if not self.may_see(target.stream, actor):
            return self._nothing_there(target.stream, actor, form.name)
        self._note(target.stream, actor)
        if form.name in {"timeline", "evidence"}:
            target = Target(stream=self._room_of(pressed.channel, actor) or target.stream)
            self._note(target.stream, actor)
            extra["incidents"] = self._incidents(target.stream, actor)
        if form.name in {"approve", "reject"}:
            extra |= self._proposal(target)
        if form.name == "message":
            extra |= approving.texts_of(self.house, self.house.desk.state(target.stream), target.subject)
        case = self.case(target, actor, extra)
        if target.stream and case.state.at is None:
            return self._refusal(case.naming, Reason.NO_SUCH_INCIDENT, {"incident": target.stream})
        return Answer(view=view(form, case, _metadata(target, pressed.channel, extra)))

    def _proposal(self, target: Target) -> dict[str, str]:
        """Which proposal is shown: that one is approved, and no other that may have come in its place."""
        state = self.house.desk.state(target.stream)
        known = state.steps.get(target.step) if isinstance(state, Incident) else None
        return {"proposal": str(known.proposed.seq)} if known is not None and known.proposed else {}

    def may_see(self, stream: str, actor: Actor) -> bool:
        """Whether somebody may see an incident of a private type: who leads or answers it, or was paged."""
        state = self.house.desk.state(stream) if stream else None
        if not isinstance(state, Incident):
            return True
        reader = Reader(desk=self.house.desk, viewer=Viewer(person=actor.person), surface=VIA)
        if not reader.reading(state).whole:
            return False
        if not self._private & set(state.playbooks):
            return True
        paged = {
            one.person for page in state.pages.values() for people in page.reached.values() for one in people
        }
        world = self.house.desk.world(state)
        roles = world.roles_of(state, actor.person or "")
        return actor.person in paged or bool(roles & set(INSIDERS))

    def _note(self, stream: str, actor: Actor) -> None:
        """That somebody has read a restricted incident here is on record."""
        state = self.house.desk.state(stream) if stream else None
        if isinstance(state, Incident) and state.seq:
            Reader(desk=self.house.desk, viewer=Viewer(person=actor.person), surface=VIA).note(state)

    def _is_there(self, stream: str, actor: Actor) -> bool:
        """Whether it is an incident, as far as this person is to know."""
        state = self.house.desk.state(stream)
        return isinstance(state, Incident) and state.at is not None and self.may_see(stream, actor)

    def _nothing_there(self, named: str, actor: Actor, command: str) -> Answer:
        """The same answer for an incident that is private and for one that is none, in the person's words."""
        self._record(actor, command, Reason.NO_SUCH_INCIDENT)
        return self._refusal(self._naming(HOUSE, actor), Reason.NO_SUCH_INCIDENT, {"incident": named})

    def _incidents(self, first: str, actor: Actor) -> str:
        """Open incidents one a line (`id=title`): that of the channel first, then the gravest."""
        from console.slack.asking import open_names  # noqa: PLC0415 - it builds on the board

        desk = self.house.desk
        names = [name for name in open_names(self.house) if name != first and self.may_see(name, actor)]
        found = []
        for name in [*([first] if first else []), *names][:MAX_INCIDENTS]:
            state = desk.state(name)
            title = (desk.texts(name).get(state.title) or "") if isinstance(state, Incident) else ""
            found.append(f"{name}={' '.join(title.split())[:60]}")
        return "\n".join(found)

    def _room_of(self, channel: str, actor: Actor) -> str:
        """The incident whose own channel this is; none for whoever was left behind in an old one."""
        from console.slack.rooms import incident_of  # noqa: PLC0415 - rooms need the forms' words in turn

        stream = incident_of(self.house.record, channel) if channel else ""
        return stream if self.may_see(stream, actor) else ""

    def _files(self, filled: Mapping[str, Any], user: str) -> list[str] | Answer:
        actor = self.actor(user)
        if (no := self._stranger(actor, "evidence")) is not None:
            return no
        target, _, extra = _read_metadata(str(filled.get("private_metadata") or ""))
        stream = text(given(filled), telling.INCIDENT) or target.stream
        state = self.house.desk.state(stream) if stream and stream != "-" else None
        if not isinstance(state, Incident) or not self.may_see(stream, actor):
            # Nothing is fetched that belongs to no incident.
            return self._nothing_there(stream, actor, "evidence")
        if not self._may_keep(state, actor):
            # Nothing is fetched for it: the rules say no, and record it.
            return self._put(stream, AddEvidence(actor=actor, source="-", description="-"), actor)
        return extra.get("files", "").split() or Answer(problem="no-file")

    def _may_keep(self, state: Incident, actor: Actor) -> bool:
        world = self.house.desk.world(state)
        allowed = world.policy.permissions.get("evidence", TABLE["evidence"])
        return bool(world.roles_of(state, actor.person or "") & set(allowed))

    def _submit(
        self, form: Form, filled: Mapping[str, Any], pressed: Pressed, kept: Fetched | None = None
    ) -> Answer:
        target, channel, extra = _read_metadata(str(filled.get("private_metadata") or ""))
        actor = self.actor(pressed.user)
        if (no := self._stranger(actor, form.name)) is not None:
            return no
        values = given(filled)
        if (chosen := text(values, telling.INCIDENT)) and chosen != "-" and form.name != "more":
            target = Target(stream=chosen)
        if not self.may_see(target.stream, actor):
            # The dialog was opened while they might know of it.
            return self._nothing_there(target.stream, actor, form.name)
        if form.name == "more":
            return self._next(text(values, "act"), target, channel, self.case(target, actor, extra))
        case = self.case(target, actor, extra)
        try:
            command = form.read(case, values)
        except NotUnderstood as wrong:
            return Answer(errors=wrong.errors, refused=True)
        if kept is not None and (known := _kept_before(case.naming.state, kept)):
            line = case.naming.texts("slack.evidence-known", name=known, file=kept.name)
            return Answer(lines=(line,), stream=target.stream, channel=channel)
        if kept is not None and isinstance(command, AddEvidence):
            command = kept.into(command)
        answer = self._put(None if form.opens else target.stream, command, actor)
        return answer if answer.refused else replace(answer, channel=channel)

    def _next(self, name: str, target: Target, channel: str, case: Case) -> Answer:
        """The dialog of the act that was chosen in another."""
        act = FORMS.get(name)
        if act is None:
            return Answer(problem="button")
        return Answer(view=view(act, case, _metadata(target, channel, case.extra)))

    def _typed(self, asked: Asked, pressed: Pressed) -> Answer:
        from console.slack import asking  # noqa: PLC0415 - it builds on the board

        actor = self.actor(pressed.user)
        if (no := self._stranger(actor, asked.word)) is not None:
            return no
        seen = partial(self.may_see, actor=actor)
        if asked.word in {"declare", "ack"}:
            room = self._room_of(pressed.channel, actor)
            stream, command = asking.command(asked, actor, room, self.house, seen)
            if stream and stream != HOUSE and not self._is_there(stream, actor):
                return self._nothing_there(asked.typed or stream, actor, asked.word)
            return self._put(stream, command, actor)
        stream = asked.stream or self._room_of(pressed.channel, actor)
        return asking.answer(asked, stream, self.house, partial(self._naming, actor=actor), seen)


def _kept_before(state: StreamState, kept: Fetched) -> str:
    """The evidence that this very file is already; empty if it is none. A dialog may be sent again."""
    known = state.evidence.items() if isinstance(state, Incident) else ()
    return next((name for name, one in known if one.digest == kept.digest and not one.gone), "")


def _confirm(actor: Actor, target: Target) -> Command:
    number = target.subject.removeprefix("confirm:")
    return Confirm(actor=actor, fact=int(number) if number.isdecimal() else 0)


def _metadata(target: Target, channel: str, extra: Mapping[str, str]) -> str:
    """What a dialog brings back; the texts it shows are not part of it (Slack keeps 3,000 characters)."""
    shown = {"incidents", "text", "names"}
    kept = {
        name: value
        for name, value in extra.items()
        if name not in shown and not name.startswith(approving.TEXT)
    }
    return orjson.dumps({"on": target.value if target.stream else "", "in": channel, "x": kept}).decode()


def _read_metadata(text_: str) -> tuple[Target, str, dict[str, str]]:
    """The way back; anything that is not ours is about nothing."""
    try:
        found = orjson.loads(text_)
        target = read_target(found["on"]) if found["on"] else Target(stream="")
        extra = {str(name): str(value) for name, value in found["x"].items()}
        return target, str(found["in"]), extra
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        return Target(stream=""), "", {}
