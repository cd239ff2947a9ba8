"""Messages to people outside the response, their approval, situation reports and inquiries.

FSA-2.5.2.3-B2 (customers are told what happened and what to do), B4 (publication with regard to customers
and to the bank's own security), B5 (sharing). Nothing is sent to the outside by a rule: that a message went
out is recorded by whoever sent it. An edit makes approvals void, because they were given to another text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from msgspec import structs

from models.audience import LABELS
from models.clock import iso
from models.commands import Command
from models.communication import (
    SUBJECT,
    AddInquiry,
    Approval,
    ApproveMessage,
    DraftMessage,
    EditMessage,
    Outgoing,
    RecordSending,
    RejectMessage,
    SendSituation,
    SubmitMessage,
    Version,
    WithdrawMessage,
)
from models.errors import Refused
from models.fact import Draft
from models.permission import require
from models.reach import reachable
from models.reason import Reason
from models.routing import ask, level_recipients
from models.rules.common import MAX_TITLE, Decided, must_be_open, must_not_have_ended, past, text
from models.state import Incident
from models.values import ID_PATTERN
from models.world import World

MAX_MESSAGES = 200
MAX_COUNT = 1_000_000
MAX_TO = 50
MAX_TOPICS = 200
MAX_NAME = 64
_TOPIC = re.compile(ID_PATTERN)


def _find(state: Incident, name: str) -> Outgoing:
    found = state.outgoing.get(name)
    if found is None:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": name, "known": sorted(state.outgoing)})
    return found


def _open(state: Incident, name: str) -> Outgoing:
    """The message, if its text may still change."""
    found = _find(state, name)
    if found.over:
        raise Refused(Reason.MESSAGE_OVER, {"message": name, "status": found.status})
    return found


def _writers(command: Command) -> list[str]:
    """Who wrote a text: whose it is, and whoever typed it for them."""
    return list(dict.fromkeys(one for one in (command.who, command.actor.person) if one))


# -- texts --------------------------------------------------------------------------------------------------


def draft(state: Incident, command: DraftMessage, world: World) -> Decided:
    """A new message, or a further version or a correction of one; its label has to fit its audience."""
    require(command, "message", state, world)
    must_not_have_ended(state)
    data: dict[str, Any] = {"version": command.lang, "document": command.document, "gaps": command.gaps}
    data["writers"] = _writers(command)
    if command.of:
        message = _open(state, command.of)
        if command.lang in message.versions:
            raise Refused(Reason.DUPLICATE, {"what": f"{message.id}/{command.lang}"})
        return [Draft(kind="outgoing.drafted", data=_of(message) | data)]
    data |= _new(state, command, world)
    if command.template:
        data["template"] = command.template
    return [Draft(kind="outgoing.drafted", data=data)]


def _of(message: Outgoing) -> dict[str, Any]:
    return {"message": message.id, "audience": message.audience, "tlp": message.tlp, "chain": message.chain}


def _new(state: Incident, command: DraftMessage, world: World) -> dict[str, Any]:
    found: dict[str, Any] = {}
    audience, tlp = command.audience, command.tlp
    if command.corrects:
        earlier = _find(state, command.corrects)
        if not earlier.sent:
            raise Refused(Reason.NOT_SENT, {"message": earlier.id})
        audience, tlp = audience or earlier.audience, tlp or earlier.tlp
        found["corrects"] = earlier.id
    missing = [name for name, value in (("audience", audience), ("tlp", tlp)) if value is None]
    if audience is None or tlp is None:
        raise Refused(Reason.FIELDS_MISSING, {"fields": missing})
    if tlp not in LABELS[audience]:
        raise Refused(
            Reason.LABEL_TOO_NARROW, {"tlp": tlp, "audience": audience, "known": list(LABELS[audience])}
        )
    if len(state.outgoing) >= MAX_MESSAGES:
        raise Refused(Reason.TOO_LONG, {"field": "messages", "limit": MAX_MESSAGES, "length": MAX_MESSAGES})
    if party := command.party or (_find(state, command.corrects).party if command.corrects else ""):
        found["party"] = _party(party, audience, world)
    chain = list(world.policy.approvals.get(audience, ()))
    number = f"MSG-{len(state.outgoing) + 1:03d}"
    return found | {"message": number, "audience": audience, "tlp": tlp, "chain": chain}


def _party(party: str, audience: str, world: World) -> str:
    """The third party that a message is to (FSA-2.5.2.4-Da). Raises Refused."""
    if audience != "third-party":
        wrong = "party: only a message for third-party goes to one; leave it out"
        raise Refused(Reason.FIELD_WRONG, {"fields": [wrong]})
    if world.directory.third_party(party) is None:
        known = sorted(one.id for one in world.organisation.third_parties)
        raise Refused(Reason.NO_SUCH_ITEM, {"item": party, "known": known})
    return party


def edit(state: Incident, command: EditMessage, world: World) -> Decided:
    """Another text. What had been approved was the text before; the facts say whose approval is void."""
    require(command, "message", state, world)
    must_not_have_ended(state)
    message = _open(state, command.message)
    version = _version(message, command.version)
    if version.document == command.document:
        raise Refused(Reason.ALREADY, {"what": f"{message.id}/{version.lang}"})
    about = {"message": message.id, "version": version.lang}
    data = about | {"document": command.document, "gaps": command.gaps, "writers": _writers(command)}
    drafts = [Draft(kind="outgoing.edited", data=data)]
    if version.approvals:
        people = [one.by for one in version.approvals]
        drafts.append(Draft(kind="outgoing.voided", data=about | {"people": people}))
    return drafts


def _version(message: Outgoing, lang: str) -> Version:
    if lang not in message.versions:
        known = [f"{message.id}/{one}" for one in message.versions]
        raise Refused(Reason.NO_SUCH_ITEM, {"item": f"{message.id}/{lang}", "known": known})
    return message.versions[lang]


# -- approval -----------------------------------------------------------------------------------------------


def submit(state: Incident, command: SubmitMessage, world: World) -> Decided:
    """Ready to be approved: nothing is left to fill in, and the first of the chain is paged."""
    require(command, "message", state, world)
    must_not_have_ended(state)
    message = _open(state, command.message)
    _must_not_be_rejected(message)
    ready = [one for one in message.versions.values() if one.status == "draft"]
    if not ready:
        raise Refused(Reason.ALREADY, {"what": f"{message.id}: {message.status}"})
    left = [f"{one.lang}: {one.gaps}" for one in ready if one.gaps]
    if left:
        raise Refused(Reason.GAPS_LEFT, {"message": message.id, "fields": left})
    data = {"message": message.id, "versions": {one.lang: one.document for one in ready}}
    first = message.chain[:1]
    then = _as_if(message, {one.lang: structs.replace(one, status="submitted") for one in ready})
    return [Draft(kind="outgoing.submitted", data=data), *_call(state, then, first, world)]


def _must_not_be_rejected(message: Outgoing) -> None:
    """Raises Refused while a version lies with its writers again: waiting for approval leads nowhere."""
    rejected = [one.lang for one in message.versions.values() if one.status == "rejected"]
    if rejected:
        raise Refused(Reason.TEXT_REJECTED, {"message": message.id, "versions": rejected})


def _as_if(message: Outgoing, versions: dict[str, Version]) -> Outgoing:
    """The message as it will be: whoever has just written or approved is not asked to approve it next."""
    return structs.replace(message, versions=message.versions | versions)


def _call(state: Incident, message: Outgoing, roles: list[str], world: World) -> Iterator[Draft]:
    """Page those whose approval is wanted: what waits for approval must not lie there unseen."""
    state = structs.replace(state, outgoing=state.outgoing | {message.id: message})
    paged = {page.subject for page in state.pages.values() if page.state != "stopped"}
    for role in roles:
        subject = f"{SUBJECT}:{message.id}/{role}"
        if subject not in paged:
            yield from ask(world, state, "message-approval", subject)


def approve(state: Incident, command: ApproveMessage, world: World) -> Decided:
    """A yes to exact texts by whose turn it is: not the writer, and nobody twice (four eyes)."""
    require(command, "message-approve", state, world)
    must_not_have_ended(state)
    message = _open(state, command.message)
    if command.for_ is not None:
        # As with a decision: a scribe who may approve for others would be the whole chain.
        raise Refused(Reason.IN_PERSON, {"who": command.for_, "step": message.id})
    role, turn, versions = _turn(state, message, command, world, tuple(command.read))
    for version in versions:
        if command.read[version.lang] != version.document:
            raise Refused(Reason.TEXT_CHANGED, {"message": message.id, "version": version.lang})
        _other_eyes(message, version, command)
    data = {"message": message.id, "versions": {one.lang: one.document for one in versions}}
    data |= {"role": role, "by": command.who} | turn
    following = message.chain[len(versions[0].approvals) + 1 :][:1]
    made = Draft(kind="outgoing.approved", data=data, at=command.at)
    if following:
        given = Approval(role=role, by=command.who, at=command.at or world.now)
        then = {one.lang: structs.replace(one, approvals=[*one.approvals, given]) for one in versions}
        return [made, *_call(state, _as_if(message, then), following, world)]
    return [made, *_tell(state, message, versions, world)]


def _turn(
    state: Incident, message: Outgoing, command: Command, world: World, langs: tuple[str, ...]
) -> tuple[str, dict[str, Any], list[Version]]:
    """The role of the chain that the person answers for now, as what, and the versions that wait for it."""
    for lang in langs:
        _version(message, lang)
    waiting = [role for role in message.waiting() if any(message.next_role(one) == role for one in langs)]
    if not waiting:
        raise Refused(Reason.NOT_WAITING, {"message": message.id, "status": message.status})
    for role in waiting:
        acting = _acting(state, role, command.who, world)
        if acting is not None:
            versions = [message.versions[one] for one in langs if message.next_role(one) == role]
            return role, acting, versions
    raise Refused(Reason.AUTHORITY_MISSING, {"who": command.who, "needs": list(waiting), "what": message.id})


def _acting(state: Incident, role: str, person: str, world: World) -> dict[str, Any] | None:
    """As what the person holds the role: by itself, or as a deputy; None if not at all."""
    found: dict[str, Any] = {"directory": world.directory.version}
    holder = world.holder(state, role, person)
    if holder is not None:
        return found | ({"deputy_for": holder.deputy_for} if holder.deputy_for else {})
    return found if role in world.roles_of(state, person) else None


def _other_eyes(message: Outgoing, version: Version, command: Command) -> None:
    """Raises Refused for a writer of the text, and for who has approved it before."""
    if command.who in version.writers:
        raise Refused(Reason.OWN_TEXT, {"who": command.who, "message": message.id})
    if command.who in {one.by for one in version.approvals}:
        raise Refused(Reason.APPROVES_TWICE, {"who": command.who, "message": message.id})


def reject(state: Incident, command: RejectMessage, world: World) -> Decided:
    """A no by whose turn it is. Earlier approvals are void with it, and the writers are told."""
    require(command, "message-approve", state, world)
    must_not_have_ended(state)
    message = _open(state, command.message)
    role, turn, versions = _turn(state, message, command, world, tuple(message.versions))
    data = {"message": message.id, "versions": {one.lang: one.document for one in versions}}
    data |= {"role": role, "by": command.who} | turn
    reason = text(command.reason, "reason")
    drafts = [Draft(kind="outgoing.rejected", data=data, texts={"reason": reason}, at=command.at)]
    for one in versions:
        if one.approvals:
            about = {
                "message": message.id,
                "version": one.lang,
                "people": [each.by for each in one.approvals],
            }
            drafts.append(Draft(kind="outgoing.voided", data=about))
    return [*drafts, *_tell(state, message, versions, world)]


def _tell(state: Incident, message: Outgoing, versions: list[Version], world: World) -> Iterator[Draft]:
    """The writers learn what became of their text."""
    subject = f"{SUBJECT}:{message.id}"
    writers = tuple(dict.fromkeys(name for one in versions for name in one.writers))
    people = level_recipients(world, state, writers, (), subject)
    yield Draft(
        kind="message.requested",
        data={"template": "notice.message", "subject": subject, "recipients": people},
    )


# -- sent, withdrawn ----------------------------------------------------------------------------------------


def record_sending(state: Incident, command: RecordSending, world: World) -> Decided:
    """It went out: when, by whom, by what means. Every version must have been approved."""
    require(command, "message-sent", state, world)
    must_not_have_ended(state)
    message = _find(state, command.message)
    if message.withdrawn_at is not None or message.corrected_by is not None:
        raise Refused(Reason.MESSAGE_OVER, {"message": message.id, "status": message.status})
    _must_not_be_rejected(message)
    lacking = [one.lang for one in message.versions.values() if one.status != "approved"]
    if lacking:
        waits = list(message.waiting())
        raise Refused(Reason.NOT_APPROVED, {"message": message.id, "versions": lacking, "needs": waits})
    instant = past(command.instant or command.at or world.now, "instant", world)
    approved = [one.approvals[-1].at for one in message.versions.values() if one.approvals]
    data: dict[str, Any] = {
        "message": message.id,
        "audience": message.audience,
        "versions": {one.lang: one.document for one in message.versions.values()},
        "instant": iso(instant),
    }
    if any(instant < at for at in approved):
        # Said as it was: a message that left before its approval is what the review has to hear of.
        data["before_approval"] = True
    return [Draft(kind="outgoing.sent", data=data, texts={"via": text(command.via, "via", MAX_TITLE)})]


def withdraw(state: Incident, command: WithdrawMessage, world: World) -> Decided:
    """A draft is dropped, or what was sent is taken back; who had to approve it is left in peace."""
    require(command, "message-withdraw", state, world)
    must_not_have_ended(state)
    message = _find(state, command.message)
    if message.withdrawn_at is not None:
        raise Refused(Reason.ALREADY, {"what": f"{message.id}: withdrawn"})
    data = {"message": message.id, "sent": bool(message.sent)}
    return [
        Draft(
            kind="outgoing.withdrawn",
            data=data,
            texts={"reason": text(command.reason, "reason")},
            at=command.at,
        )
    ]


# -- situation reports and inquiries ------------------------------------------------------------------------


def send_situation(state: Incident, command: SendSituation, world: World) -> Decided:
    """A situation report goes to people over their channels, and starts the clock of the next one."""
    require(command, "situation", state, world)
    must_be_open(state, "resolved")
    said = text(command.text, "text")
    roles = [role for name in command.to for role in world.policy.lists.get(name, (name,))]
    if len(roles) > MAX_TO:
        raise Refused(Reason.TOO_LONG, {"field": "--to", "limit": MAX_TO, "length": len(roles)})
    number = state.situations + 1
    subject = f"situation:{number}"
    people = level_recipients(world, state, tuple(roles), (), subject)
    told = [one["person"] for one in reachable(people)]
    nobody = [
        one
        for one in dict.fromkeys(roles)
        if not any(holder.person.id in told for holder in world.holders(state, one))
    ]
    if nobody or not roles:
        known = sorted({*world.policy.lists, *(role.id for role in world.organisation.roles)})
        raise Refused(Reason.NOBODY_REACHED, {"to": nobody, "known": known})
    data = {"number": number, "to": list(command.to), "people": told}
    if unreached := [one["person"] for one in people if one["person"] not in told]:
        data["unreached"] = unreached
    notice = {"template": "notice.situation", "subject": subject, "recipients": people}
    return [
        Draft(kind="situation.reported", data=data, texts={"text": said}),
        Draft(kind="message.requested", data=notice),
    ]


def add_inquiry(state: Incident, command: AddInquiry, world: World) -> Decided:
    """So many inquiries came; what they ask for tells what a message has left open (FSA-2.5.2.3-B2)."""
    require(command, "inquiry", state, world, "branch-lead")
    must_not_have_ended(state)
    if not 1 <= command.count <= MAX_COUNT:
        raise Refused(Reason.FIELD_WRONG, {"fields": [f"count: {command.count} is not 1 to {MAX_COUNT}"]})
    data: dict[str, Any] = {"asker": command.asker, "count": command.count}
    if command.topic:
        data["topic"] = _topic(state, command.topic)
    texts = {"note": text(command.note, "note", MAX_TITLE)} if command.note.strip() else {}
    return [Draft(kind="inquiry.counted", data=data, texts=texts, at=command.at)]


def _topic(state: Incident, topic: str) -> str:
    """A topic is an id, so that what is about the same is counted together. Raises Refused."""
    if len(topic) > MAX_NAME or not _TOPIC.fullmatch(topic):
        raise Refused(
            Reason.FIELD_WRONG, {"fields": [f"topic: {topic[:MAX_NAME]!r} is no id such as atm-card"]}
        )
    known = {key.rpartition("|")[2] for key in state.inquiries}
    if topic not in known and len(known) >= MAX_TOPICS:
        raise Refused(Reason.TOO_LONG, {"field": "topics", "limit": MAX_TOPICS, "length": len(known)})
    return topic
