"""From what was typed to what is sent: fields by their names, files read here, places to write kept here."""

from __future__ import annotations

import base64
import errno
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from console.operations.catalogue import Field, Operation, spelling
from console.operations.exposure import HIDDEN, side_of

if TYPE_CHECKING:
    from console.cli.session import Session

MAX_FILE = 16 * 1024 * 1024
IGNORED = frozenset({"--page-now", "--follow"})
"""The node pages by itself; following is done here."""
SAVED = frozenset({"export --out", "playbook show --out", "drill report --out", "replay --out"})
"""The answer itself is what is written here."""
KEEPS = frozenset({"export --archive", "share prepare --out"})
"""Places that are never written over, as on the node's own machine."""


@dataclass(kw_only=True)
class Typed:
    """What was typed, apart: what is sent, and where what comes back is written."""

    values: dict[str, Any] = field(default_factory=dict)
    file_to: Path | None = None
    text_to: Path | None = None
    out_option: str = "--out"


def typed(session: Session, operation: Operation, parameters: list[Any], values: dict[str, Any]) -> Typed:
    """All of it; exit 2 with advice for what only the node's own machine can do."""
    found = Typed()
    for parameter in parameters:
        value = values.get(parameter.name)
        if value is None or value is False or value in ([], (), ""):
            continue
        _take(session, operation, found, spelling(parameter), parameter, value)
    return found


def _take(
    session: Session, operation: Operation, found: Typed, spelt: str, parameter: Any, value: Any
) -> None:
    whole, side = f"{operation.name} {spelt}", side_of(operation.name, spelt)
    name = parameter.opts[0].lstrip("-").replace("-", "_") if spelt.startswith("-") else spelt
    known = operation.field(name)
    if whole in SAVED:
        found.text_to, found.out_option = Path(value), spelt
    elif side == "hidden" and (spelt in HIDDEN or whole in HIDDEN):
        if spelt not in IGNORED:
            session.wrong(session.texts("remote.usage.not_there", option=spelt))
    elif side == "out":
        found.file_to, found.out_option = Path(value), spelt
        if whole in KEEPS and found.file_to.exists():
            key = "archive.exists" if operation.name == "export" else "scope.usage.exists"
            session.wrong(session.texts(key, path=found.file_to))
        _must_be_writable(session, found.file_to, spelt)
        if known is not None:
            found.values[name] = True
    elif known is not None:
        found.values[name] = _sent(session, known, spelt, value)


def _must_be_writable(session: Session, path: Path, option: str) -> None:
    """Before anything is asked for: an act would be on record, and what it made would be lost."""
    place = path if path.exists() else path.parent
    why = 0 if place.exists() else errno.ENOENT
    if not why:
        why = errno.EISDIR if path.is_dir() else 0 if os.access(place, os.W_OK) else errno.EACCES
    if why:
        key = "words.usage.unwritable"
        session.wrong(session.texts(key, option=option, path=path, why=os.strerror(why)))


def _sent(session: Session, known: Field, spelt: str, value: Any) -> Any:
    if known.goes_in:
        return _file(session, Path(value), spelt)
    if known.kind == "flag":
        return True
    if isinstance(value, (list, tuple)):
        return [str(one) for one in value]
    return str(value)


def _file(session: Session, path: Path, option: str) -> dict[str, str]:
    try:
        if str(path) == "-":
            body = sys.stdin.buffer.read(MAX_FILE + 1)
        else:
            with path.open("rb") as file:
                body = file.read(MAX_FILE + 1)
    except OSError as wrong:
        session.wrong(session.texts("words.usage.file", option=option, path=path, why=wrong.strerror))
    if len(body) > MAX_FILE:
        session.wrong(session.texts("remote.usage.too_large", path=path, most=MAX_FILE // 1024 // 1024))
    shown = path.name.encode("utf-8", "backslashreplace").decode("utf-8")
    return {"name": shown, "base64": base64.b64encode(body).decode()}


def address(operation: Operation, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The path with the incident in it, and what is left to be sent."""
    if "{incident}" not in operation.path:
        return operation.path, values
    rest = {name: value for name, value in values.items() if name != "incident"}
    incident = quote(str(values.get("incident", "")), safe="")
    return operation.path.replace("{incident}", incident), rest


def query(values: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Of what only looks."""
    pairs = []
    for name, value in values.items():
        for one in value if isinstance(value, list) else [value]:
            pairs.append((name, "true" if one is True else str(one)))
    return tuple(pairs)


def body(values: dict[str, Any]) -> bytes:
    """Of what acts: the same bytes for each try, or the key would be refused."""
    return json.dumps(values, ensure_ascii=False).encode()
