"""The form by which a message to others is approved or sent back: the exact text is read there."""

from __future__ import annotations

from console.composing import read_text
from console.opening import House
from console.slack.blocks import Block, Choice, choose, said, tell, words, write
from console.slack.forms import Case, Form, Given, NotUnderstood, for_, scribe_field, text
from models.commands import Command
from models.communication import ApproveMessage, Outgoing, RejectMessage
from models.state import Incident, StreamState
from notifiers.slack import escape

TEXT, DIGEST = "text.", "digest."
MAX_PIECE, MAX_PIECES = 2_500, 30


def message_of(subject: str) -> str:
    """`MSG-001` of `message:MSG-001/ciso`; empty for another subject."""
    kind, _, name = subject.partition(":")
    return name.partition("/")[0] if kind == "message" else ""


def texts_of(house: House, state: StreamState, subject: str) -> dict[str, str]:
    """The texts as they are now, and their digests: what is approved is what was read."""
    found = _find(state, subject)
    versions = found.versions.values() if found is not None else ()
    texts = {TEXT + one.lang: read_text(house, one.document) or "" for one in versions}
    return texts | {DIGEST + one.lang: one.document for one in versions}


def _find(state: StreamState, subject: str) -> Outgoing | None:
    return state.outgoing.get(message_of(subject)) if isinstance(state, Incident) else None


def _build(case: Case) -> list[Block]:
    t = case.t
    found = _find(case.state, case.target.subject)
    title = case.naming.text(case.incident.title) if case.incident else ""
    blocks = [said(tell(case.target.stream, title))]
    if found is None:
        return blocks
    audience = t.word("communication.audience", found.audience)
    blocks.append(said(tell(t("slack.audience"), audience), tell("TLP:", found.tlp)))
    whole = True
    for name, body in case.extra.items():
        if name.startswith(TEXT):
            shown, all_of_it = _body(name.removeprefix(TEXT), body)
            blocks += shown
            whole = whole and all_of_it
    if not whole:
        # What was not read is not approved.
        blocks.append(said(words(t("slack.form.message.too-long"))))
    possible = ("approve", "reject") if whole else ("reject",)
    acts = [Choice(value=one, text=t(f"slack.form.message.{one}")) for one in possible]
    blocks.append(choose("act", t("slack.field.choice"), acts, radio=True))
    blocks.append(write("reason", t("slack.field.reason-if-back"), long=True, optional=True))
    return [*blocks, *scribe_field(case)]


def _body(lang: str, body: str) -> tuple[list[Block], bool]:
    """The text in as many sections as it takes, and whether that was all of it."""
    escaped = "\n".join(words(line, len(line) + 1) or " " for line in body.splitlines())
    pieces = escape.pieces(escaped, MAX_PIECE)
    shown = [said(f"[{lang}]")] + [said(piece) for piece in pieces[:MAX_PIECES]]
    return shown, len(pieces) <= MAX_PIECES


def _read(case: Case, values: Given) -> Command:
    name = message_of(case.target.subject)
    if text(values, "act") == "reject":
        reason = text(values, "reason")
        if not reason:
            raise NotUnderstood({"reason": case.t("slack.field.needed")})
        return RejectMessage(actor=case.actor, for_=for_(values), message=name, reason=reason)
    read = {key.removeprefix(DIGEST): digest for key, digest in case.extra.items() if key.startswith(DIGEST)}
    return ApproveMessage(actor=case.actor, for_=for_(values), message=name, read=read)


FORMS = (Form(name="message", build=_build, read=_read),)
