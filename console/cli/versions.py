"""Which version of a playbook somebody means: shipped, today's, an incident's, a kept one, a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from console.cli.looking import incident_ids
from console.cli.session import Session
from models.errors import BadInput
from models.frozen import freeze_playbook, thaw_plan
from models.plan import Plan, lay_out
from models.playbook import Playbook
from models.state import Programme

_VERSION = re.compile(r"\d+\.\d+\.\d+")
_INCIDENT = re.compile(r"(INC-\d{4}-)?\d{1,6}", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Version:
    """A playbook laid out as it was, and in words which one it is."""

    plan: Plan
    words: str


def find(session: Session, name: str, value: str | None, option: str) -> Version:
    """The version that `value` names. Without one, `--to` is today's and `--from` the shipped one.

    Wrong usage ends the call with advice.
    """
    if value is None:
        return _today(session, name, option) if option == "--to" else _shipped(session, name)
    if _VERSION.fullmatch(value):
        return _numbered(session, name, value, option)
    if _INCIDENT.fullmatch(value):
        return _of_incident(session, name, value, option)
    return _of_file(session, value, option)


def _say(session: Session, key: str, **values: object) -> str:
    return session.texts(f"reading.diff.{key}", **values)


def _today(session: Session, name: str, option: str) -> Version:
    found = session.desk.library.get(name)
    if found is None:
        session.wrong(_say(session, "not_found", option=option, value="–", name=name))
    return Version(plan=found.plan, words=_say(session, "today", version=found.version))


def _shipped(session: Session, name: str) -> Version:
    """The shipped playbook that the institution's own takes the place of."""
    found = _shipped_plan(name)
    if found is None or session.house.institution.origins.get(name) == "shipped":
        session.wrong(_say(session, "needs_from", name=name))
    return Version(plan=found, words=_say(session, "shipped", version=found.playbook.version))


def _shipped_plan(name: str) -> Plan | None:
    from playbooks.library import shipped  # noqa: PLC0415

    playbooks = shipped()
    return freeze_playbook(name, playbooks).plan if name in playbooks else None


def _numbered(session: Session, name: str, value: str, option: str) -> Version:
    """A version by its number: shipped, today's, or one that the record has kept."""
    shipped = _shipped_plan(name)
    if shipped is not None and shipped.playbook.version == value:
        return Version(plan=shipped, words=_say(session, "shipped", version=value))
    today = session.desk.library.get(name)
    if today is not None and today.version == value:
        return Version(plan=today.plan, words=_say(session, "today", version=value))
    for digest in _kept(session, name, value):
        return Version(plan=_thaw(session, digest), words=_say(session, "stored", version=value))
    session.wrong(_say(session, "not_found", option=option, value=value, name=name))


def _kept(session: Session, name: str, version: str) -> Iterator[str]:
    """Digests of this version in the record: announced, read, or carried by one of the last incidents."""
    programme = session.desk.state("programme")
    reading = programme.readings.get(name) if isinstance(programme, Programme) else None
    if reading is not None:
        receipts = [(one.version, one.digest) for one in reading.readers.values()]
        yield from (
            digest for kept, digest in [(reading.version, reading.digest), *receipts] if kept == version
        )
    states = session.desk.readable(incident_ids(session.house.record))
    for incident in session.reader.whole(states):
        use = incident.playbooks.get(name)
        if use is not None and use.version == version:
            yield use.digest


def _of_incident(session: Session, name: str, value: str, option: str) -> Version:
    incident = session.incident(value)
    use = incident.playbooks.get(name)
    if use is None:
        known = ", ".join(incident.playbooks)
        wrong = {"option": option, "incident": incident.stream, "name": name, "known": known}
        session.wrong(_say(session, "not_in_incident", **wrong))
    words = _say(session, "incident", version=use.version, incident=incident.stream)
    return Version(plan=_thaw(session, use.digest), words=words)


def _thaw(session: Session, digest: str) -> Plan:
    with session.house.record.read() as tx:
        body = tx.document(digest)
    if body is None:
        raise BadInput(f"document {digest} is not in the record; restore a backup")
    return thaw_plan(body)


def _of_file(session: Session, value: str, option: str) -> Version:
    """A playbook in a file; what it calls is today's."""
    from playbooks.document import read_document  # noqa: PLC0415
    from playbooks.reading import fit  # noqa: PLC0415

    document, _ = read_document(Path(value))
    playbook = fit(document, Playbook)[0] if document is not None else None
    if playbook is None:
        session.wrong(_say(session, "bad_file", option=option, file=value))
    try:
        plan = lay_out(playbook, partial(_called, session.house.institution.playbooks))
    except (BadInput, KeyError):
        session.wrong(_say(session, "bad_file", option=option, file=value))
    return Version(plan=plan, words=_say(session, "file", version=playbook.version, file=value))


def _called(playbooks: Mapping[str, Playbook], name: str) -> Playbook:
    return playbooks[name]
