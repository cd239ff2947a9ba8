"""Messages to others: message draft, edit, submit, approve, reject, sent, withdraw, show, list, templates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from console.cli.arguments import Incident, Instant, Reason
from console.cli.given import reads, writes
from console.cli.session import Session
from console.cli.writing import text_given

if TYPE_CHECKING:
    from models.communication import Outgoing, Version
    from models.state import Incident as State
    from playbooks.outgoing import MessageTemplate

Opt = typer.Option
Message = Annotated[str, typer.Argument(metavar="MSG")]
LEAST_DIGEST = 8
"""Characters of a digest that name a text."""
VersionOption = Annotated[str, Opt("--version", metavar="ja|en", show_default=False)]
From = Annotated[Path | None, Opt("--from", metavar="FILE", show_default=False)]
Edit = Annotated[bool, Opt("--edit")]
Out = Annotated[Path | None, Opt("--out", metavar="FILE", show_default=False)]
AUDIENCES = ("customers", "press", "branches", "call-centre", "third-party", "staff", "other")
LABELS = ("RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True)
    writes(group, "draft")(message_draft)
    writes(group, "edit")(message_edit)
    writes(group, "submit")(message_submit)
    writes(group, "approve")(message_approve)
    writes(group, "reject")(message_reject)
    writes(group, "sent")(message_sent)
    writes(group, "withdraw")(message_withdraw)
    reads(group, "show")(message_show)
    reads(group, "list")(message_list)
    reads(group, "templates")(message_templates)
    app.add_typer(group, name="message")


# -- texts --------------------------------------------------------------------------------------------------


def message_draft(  # noqa: PLR0913 - one option for each thing that may be said
    session: Session,
    *,
    incident: Incident,
    audience: Annotated[str, Opt("--audience", metavar="AUDIENCE", show_default=False)] = "",
    tlp: Annotated[str, Opt("--tlp", metavar="LABEL", show_default=False)] = "",
    template: Annotated[str, Opt("--template", metavar="NAME", show_default=False)] = "",
    from_: From = None,
    of: Annotated[str, Opt("--of", metavar="MSG", show_default=False)] = "",
    corrects: Annotated[str, Opt("--corrects", metavar="MSG", show_default=False)] = "",
    to: Annotated[str, Opt("--to", metavar="PARTY", show_default=False)] = "",
    edit: Edit = False,
) -> None:
    """Draft a message in the language of --lang. Nothing is ever sent."""
    from models.communication import DraftMessage  # noqa: PLC0415

    state = session.incident(incident)
    session.known_actor()
    other = _other(session, state, of or corrects)
    _check(session, audience, tlp, other, "--of" if of else "--corrects")
    audience = audience or (other.audience if other else "")
    body, used = _body(session, state, audience, template, from_, other if corrects else None)
    if edit:
        body = text_given(session, None, body)
    document, gaps = _keep(session, state, body, tlp or (other.tlp if other else ""))
    session.write(
        state.stream,
        DraftMessage,
        lang=session.given.lang,
        document=document,
        gaps=gaps,
        audience=None if of else audience,
        tlp=(tlp or (other.tlp if other else None)) if not of else None,
        template=used,
        of=other.id if other and of else "",
        corrects=other.id if other and corrects else "",
        party=to,
    )
    if not session.given.json:
        session.say(session.texts("communication.message_draft_note"), "warn")


def _other(session: Session, state: State, name: str) -> Outgoing | None:
    return _find(session, state, name) if name else None


def _check(session: Session, audience: str, tlp: str, other: Outgoing | None, option: str) -> None:
    if other is not None and (audience or tlp):
        session.wrong(session.texts("communication.usage.alone", option=option, other=other.id))
    if other is None:
        if not audience or not tlp:
            session.wrong(session.texts("communication.usage.needed"))
        session.one_of(audience, AUDIENCES, "--audience")
        session.one_of(tlp, LABELS, "--tlp")


def _body(
    session: Session,
    state: State,
    audience: str,
    template: str,
    from_: Path | None,
    corrected: Outgoing | None,
) -> tuple[str, str]:
    """The text before its label, and the template that it was made by."""
    from console.composing import draft_message, read_text  # noqa: PLC0415

    if from_ is not None:
        return text_given(session, from_, None), ""
    if corrected is not None and not template and session.given.lang in corrected.versions:
        found = read_text(session.house, corrected.versions[session.given.lang].document)
        return found or "", corrected.template
    chosen = _template(session, audience, template)
    return draft_message(chosen, state, session.naming(state)), chosen.id


def _template(session: Session, audience: str, name: str) -> MessageTemplate:
    from playbooks.outgoing import for_audience, templates  # noqa: PLC0415

    found = for_audience(templates(session.house.institution.messages), audience)
    chosen = [one for one in found if not name or one.id == name]
    if not chosen:
        known = ", ".join(one.id for one in found) or session.texts("words.none")
        shown = session.texts.word("communication.audience", audience)
        session.wrong(
            session.texts("communication.usage.no_template", name=name, audience=shown, known=known)
        )
    return chosen[0]


def _keep(session: Session, state: State, body: str, tlp: str) -> tuple[str, int]:
    """Store the text with its label at head and foot: its digest, and how many gaps are left in it."""
    from console.composing import keep_text  # noqa: PLC0415
    from models.audience import gaps, labelled  # noqa: PLC0415

    text = labelled(body, tlp, drill=state.drill)  # type: ignore[arg-type]
    return keep_text(session.house, text), gaps(text)


def message_edit(
    session: Session,
    incident: Incident,
    message: Message,
    version: VersionOption = "",
    from_: From = None,
    edit: Edit = False,
) -> None:
    """Change the text; approvals of the text before are void."""
    from console.composing import read_text  # noqa: PLC0415
    from models.audience import unlabelled  # noqa: PLC0415
    from models.communication import EditMessage  # noqa: PLC0415

    state = session.incident(incident)
    session.known_actor()
    found = _find(session, state, message)
    one = _version(session, found, version)
    if from_ is None and not edit:
        session.wrong(session.texts("communication.usage.no_text"))
    before = unlabelled(read_text(session.house, one.document) or "")
    body = text_given(session, from_, before if edit else None)
    document, gaps = _keep(session, state, body, found.tlp)
    session.write(state.stream, EditMessage, message=found.id, version=one.lang, document=document, gaps=gaps)


# -- approval -----------------------------------------------------------------------------------------------


def message_submit(session: Session, incident: Incident, message: Message) -> None:
    """Put it up for approval; the first approver is paged."""
    from models.communication import SubmitMessage  # noqa: PLC0415

    session.write(session.stream(incident), SubmitMessage, message=message.upper())


def message_approve(
    session: Session,
    incident: Incident,
    message: Message,
    digest: Annotated[list[str] | None, Opt("--digest", metavar="HEX", show_default=False)] = None,
) -> None:
    """Approve the exact texts that were read, as whose turn it is."""
    from models.communication import ApproveMessage  # noqa: PLC0415

    state = session.incident(incident)
    found = _find(session, state, message)
    if not digest:
        # Whatever lies there now may be another text than the one that was read.
        usage = session.texts("communication.usage.read_first", incident=state.stream, message=found.id)
        session.wrong(usage)
    read = dict(_read(found, one) for one in digest)
    session.write(state.stream, ApproveMessage, message=found.id, read=read)


def _read(message: Outgoing, digest: str) -> tuple[str, str]:
    """The version that a digest, or its beginning, belongs to; of none, it is that of a text before."""
    start = digest.lower().removeprefix("sha256:")
    for one in message.versions.values():
        if len(start) >= LEAST_DIGEST and one.document.removeprefix("sha256:").startswith(start):
            return one.lang, one.document
    return next(iter(message.versions)), digest


def message_reject(session: Session, incident: Incident, message: Message, reason: Reason) -> None:
    """Send it back to its writers, and say why."""
    from models.communication import RejectMessage  # noqa: PLC0415

    session.write(session.stream(incident), RejectMessage, message=message.upper(), reason=reason)


# -- sent, withdrawn ----------------------------------------------------------------------------------------


def message_sent(
    session: Session,
    incident: Incident,
    message: Message,
    via: Annotated[str, Opt("--via", metavar="TEXT")],
    at: Instant = None,
) -> None:
    """It went out: when, and by what means. Hikeshi itself sends nothing to the outside."""
    from models.communication import RecordSending  # noqa: PLC0415

    instant = session.instant(at, "--at")
    session.write(session.stream(incident), RecordSending, message=message.upper(), via=via, instant=instant)


def message_withdraw(session: Session, incident: Incident, message: Message, reason: Reason) -> None:
    """A draft is dropped, or what was sent was taken back."""
    from models.communication import WithdrawMessage  # noqa: PLC0415

    session.write(session.stream(incident), WithdrawMessage, message=message.upper(), reason=reason)


# -- looking ------------------------------------------------------------------------------------------------


def message_show(
    session: Session, incident: Incident, message: Message, version: VersionOption = "", out: Out = None
) -> None:
    """One message with its text, label and approvals."""
    from console.cli import output  # noqa: PLC0415
    from console.composing import read_text  # noqa: PLC0415
    from console.views import communication as view  # noqa: PLC0415

    state = session.incident(incident)
    found = _find(session, state, message)
    naming = session.naming(state)
    chosen = [_version(session, found, version)] if version or out else list(found.versions.values())
    shown = {one.lang: read_text(session.house, one.document) for one in chosen}
    if out is not None:
        session.save(out, shown[chosen[0].lang] or "")
    if session.given.json:
        output.json(view.message_json(found, naming) | {"texts": shown})
        return
    texts = [view.text_section(lang, text, naming) for lang, text in shown.items()] if out is None else []
    output.show([*view.whole(found, naming), *texts])
    if texts and found.waiting():
        session.say(_how_to_approve(session, state, found, list(shown)))
    if out is not None:
        session.say(session.texts("communication.kept", path=out), "good")


def _how_to_approve(session: Session, state: State, message: Outgoing, langs: list[str]) -> str:
    """The command that approves these very texts and no others."""
    waiting = [message.versions[lang] for lang in langs if message.next_role(lang)]
    digests = [one.document.removeprefix("sha256:")[:12] for one in waiting]
    command = f"hikeshi message approve {state.stream} {message.id}"
    return session.texts(
        "communication.approve_with", command=" ".join([command, *(f"--digest {one}" for one in digests)])
    )


def message_list(session: Session, incident: Incident) -> None:
    """All messages of an incident and where each stands."""
    session.part(incident, "messages")


def message_templates(session: Session) -> None:
    """The templates there are, by audience."""
    from console.cli import output  # noqa: PLC0415
    from console.views.sheet import Line, Section  # noqa: PLC0415
    from playbooks.outgoing import for_audience, templates  # noqa: PLC0415

    known = templates(session.house.institution.messages)
    found = [one for audience in AUDIENCES for one in for_audience(known, audience)]
    say, lang = session.texts, session.given.lang
    if session.given.json:
        output.json(
            [{"id": one.id, "audience": one.audience, "title": one.title.lang(lang)} for one in found]
        )
        return
    lines = [
        Line(
            text=say(
                "communication.template",
                id=one.id,
                audience=say.word("communication.audience", one.audience),
                title=one.title.lang(lang),
                confidence=one.confidence,
            )
        )
        for one in found
    ]
    output.show([Section(title=say("communication.title.templates"), parts=tuple(lines))])


def _find(session: Session, state: State, name: str) -> Outgoing:
    """The message; refused with what there is instead."""
    found = state.outgoing.get(name.upper())
    if found is None:
        _no_such(session, state, name)
    return found


def _no_such(session: Session, state: State, name: str) -> NoReturn:
    from console.cli import report  # noqa: PLC0415
    from models.reason import Reason as Why  # noqa: PLC0415

    detail = {"item": name, "known": sorted(state.outgoing)}
    report.refused(session, state.stream, Why.NO_SUCH_ITEM, detail)


def _version(session: Session, message: Outgoing, lang: str) -> Version:
    """The version that was named, or the only one; exit 2 with those there are otherwise."""
    if lang in message.versions:
        return message.versions[lang]
    if not lang and len(message.versions) == 1:
        return next(iter(message.versions.values()))
    known = ", ".join(message.versions)
    session.wrong(session.texts("communication.usage.which_version", message=message.id, known=known))
