"""A command that was typed here is done by the node that HIKESHI_URL names, and shown as if done here."""

from __future__ import annotations

import base64
import binascii
import json
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from console.operations.exposure import NOT_OFFERED
from console.remote import OF_THE_RECORD
from console.remote.node import NotSetUp, RemoteNode, node_of

if TYPE_CHECKING:
    from console.cli.session import Session
    from console.operations.catalogue import Operation
    from console.remote.given import Typed
    from console.remote.sending import Lost, Received
    from console.views.sheet import Line, Section

FOLLOW_SECONDS = 2.0
REFUSED, WRONG_USAGE = 1, 2
DONE = range(200, 300)
UNAUTHORISED, INTERNAL = 401, 500


def call(session: Session, context: typer.Context, values: dict[str, Any]) -> None:
    """Have it done there, and show what came of it; ends with the exit code of the command there."""
    if session.surface in NOT_OFFERED or session.surface in OF_THE_RECORD:
        _refuse(session, "not offered", session.texts("remote.not_offered", name=session.surface), False)
    try:
        node = node_of(os.environ, session.texts)
    except NotSetUp as missing:
        session.wrong(str(missing))
    from console.operations.catalogue import operations  # noqa: PLC0415
    from console.remote.given import typed  # noqa: PLC0415

    operation = operations(session.given.lang)[session.surface]
    given = {**values, "for_": session.given.for_}
    sent = typed(session, operation, list(context.command.params), given)
    if values.get("follow"):
        _follow(session, node, operation, sent)
        return
    code = _show(session, _asked(session, node, operation, sent), sent)
    if code:
        raise typer.Exit(code)


def _asked(session: Session, node: RemoteNode, operation: Operation, sent: Typed) -> dict[str, Any]:
    """The answer as a sheet; whatever else came is said, and ends the call."""
    from console.remote import given  # noqa: PLC0415
    from console.remote.sending import Lost, Wanted, send  # noqa: PLC0415

    path, rest = given.address(operation, sent.values)
    writes = operation.method == "POST"
    wanted = Wanted(
        method=operation.method,
        path=path,
        accept=_accept(session),
        lang=session.given.lang,
        query=() if writes else given.query(rest),
        body=given.body(rest) if writes else b"",
        key=uuid.uuid4().hex if writes else "",
        slow=operation.slow,
    )
    try:
        received = send(node, wanted)
    except Lost as lost:
        _lost(session, node, operation, lost)
    return _sheet(session, node, received)


def _accept(session: Session) -> str:
    from console.remote.shown import MEDIA_TYPE  # noqa: PLC0415

    return f"{MEDIA_TYPE};json=1" if session.given.json else MEDIA_TYPE


def _sheet(session: Session, node: RemoteNode, received: Received) -> dict[str, Any]:
    from console.remote.shown import MEDIA_TYPE  # noqa: PLC0415

    if received.kind == MEDIA_TYPE:
        try:
            found = json.loads(received.body)
        except ValueError:
            found = None
        if isinstance(found, dict) and isinstance(found.get("code"), int):
            return found
    if received.problem:
        _problem(session, node, received)
    _refuse(session, "not hikeshi", session.texts("remote.not_hikeshi", host=node.host), None)


def _problem(session: Session, node: RemoteNode, received: Received) -> NoReturn:
    """What the node says before the command is even run: who you are not, what cannot be read."""
    problem = received.problem
    told = str(problem.get("detail") or problem.get("title") or "")
    if received.status == UNAUTHORISED:
        told = session.texts("remote.unauthorised", host=node.host)
    wrong = problem.get("reason") in {"unusable", "too large", "not json"}
    _refuse(
        session,
        str(problem.get("reason") or ""),
        told,
        None if received.status == INTERNAL else False,
        do=str(problem.get("do") or "") if received.status != UNAUTHORISED else "",
        code=WRONG_USAGE if wrong else REFUSED,
    )


def _lost(session: Session, node: RemoteNode, operation: Operation, lost: Lost) -> NoReturn:
    """There is no answer: what is known about what was asked for, and whom to call."""
    said = session.texts(f"remote.lost.{lost.kind.replace('-', '_')}", host=node.host, why=lost.why)
    if lost.kind == "unreachable" and operation.method == "POST":
        said = f"{said} {session.texts('remote.lost.nothing')}"
    do = ""
    if lost.recorded is None and operation.method == "POST":
        do = session.texts("remote.lost.look", record=_record_of(operation))
    elif lost.kind == "unreachable":
        do = session.texts("remote.lost.call")
    _refuse(session, lost.kind, said, lost.recorded, do=do)


def _record_of(operation: Operation) -> str:
    return "hikeshi log INCIDENT" if operation.of_incident else "hikeshi list, hikeshi log house"


def _refuse(
    session: Session, reason: str, message: str, recorded: bool | None, *, do: str = "", code: int = REFUSED
) -> NoReturn:
    from console.cli import output  # noqa: PLC0415

    if session.given.json:
        known = {True: "yes", False: "no", None: "unknown"}[recorded]
        output.json({"accepted": False, "reason": reason, "message": message, "do": do, "recorded": known})
    else:
        session.say(message, "bad", stderr=True)
        if do:
            session.say(do, stderr=True)
    raise typer.Exit(code)


# -- showing it ---------------------------------------------------------------------------------------------


def _show(session: Session, answer: dict[str, Any], sent: Typed) -> int:
    """Print what a command here would have printed, write what it would have written; its exit code."""
    from console.cli import output  # noqa: PLC0415
    from console.remote.shown import part  # noqa: PLC0415

    name = _file(session, answer, sent)
    swap = (name, str(sent.file_to)) if name and sent.file_to is not None else None
    if answer.get("message"):
        session.say(str(answer["message"]), "bad", stderr=True)
    _raw(session, str(answer.get("raw") or ""), sent)
    output.show(_renamed((part(one) for one in answer.get("said") or ()), swap))
    output.show(_renamed((part(one) for one in answer.get("aside") or ()), swap), stderr=True)
    if session.given.json and answer.get("document") is not None:
        output.json(answer["document"])
    return int(answer["code"])


def _raw(session: Session, raw: str, sent: Typed) -> None:
    if not raw:
        return
    if sent.text_to is None:
        session.echo(raw)
        return
    text = raw.removesuffix("\n") if session.surface == "export" else raw
    session.save(sent.text_to, text, sent.out_option)
    session.say(session.texts("words.written", path=sent.text_to), "good", stderr=True)


def _file(session: Session, answer: dict[str, Any], sent: Typed) -> str:
    """Write the file that came, if one was asked for; what the node calls it."""
    file = answer.get("file")
    if not isinstance(file, dict) or sent.file_to is None:
        return ""
    try:
        body = base64.b64decode(str(file.get("base64")), validate=True)
    except binascii.Error:
        _refuse(session, "not hikeshi", session.texts("remote.broken_file"), None)
    try:
        # 0600: what comes out of an incident's record is for whoever asked for it.
        with open(os.open(sent.file_to, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(body)
    except OSError as wrong:
        key = "words.usage.unwritable"
        session.wrong(session.texts(key, option=sent.out_option, path=sent.file_to, why=wrong.strerror))
    return str(file.get("name") or "")


def _renamed(parts: Iterable[Section | Line], swap: tuple[str, str] | None) -> Iterator[Section | Line]:
    """The file by the name that it has here."""
    from console.views.sheet import Line  # noqa: PLC0415

    for one in parts:
        if swap is not None and isinstance(one, Line):
            yield replace(one, text=one.text.replace(*swap))
        else:
            yield one


def _follow(session: Session, node: RemoteNode, operation: Operation, sent: Typed) -> None:
    """Look again and again, and print what is new; ends with Ctrl-C as it does here."""
    shown = 0
    try:
        while True:
            answer = _asked(session, node, operation, sent)
            key = "document" if session.given.json else "said"
            lines = answer.get(key) or []
            if answer["code"]:
                raise typer.Exit(_show(session, answer, sent))
            if len(lines) > shown or shown == 0:
                _show(session, answer | {key: lines[shown:]}, sent)
            if shown == 0:
                session.say(session.texts("words.follow_hint"), "dim", stderr=True)
            shown = max(shown, len(lines))
            time.sleep(FOLLOW_SECONDS)
    except KeyboardInterrupt:
        return
