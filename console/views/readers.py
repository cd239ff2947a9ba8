"""Who has read today's version of a playbook, role by role (周知)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from console.views.naming import Naming
from console.views.sheet import Line, Row, Section, Style, Table
from models.clock import iso
from models.frozen import FrozenPlaybook
from models.readers import acting_roles, announced, has_read, members
from models.state import Programme, Reading, Receipt


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A person in a role, and the receipt, which may be for another version."""

    role: str
    person: str
    receipt: Receipt | None
    read: bool


@dataclass(frozen=True, kw_only=True)
class Readers:
    """Everybody who has to know a playbook."""

    frozen: FrozenPlaybook
    reading: Reading | None
    readers: tuple[Reader, ...]
    empty_roles: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """People who have not read today's version, each once."""
        return tuple(dict.fromkeys(one.person for one in self.readers if not one.read))


def look(frozen: FrozenPlaybook, state: Programme, naming: Naming) -> Readers:
    """The readers of a playbook as its roles are filled now."""
    reading = state.readings.get(frozen.name)
    roles = acting_roles(frozen.plan.playbook, frozen)
    organisation = naming.world.organisation
    found = [
        Reader(
            role=role,
            person=person,
            receipt=reading.readers.get(person) if reading else None,
            read=has_read(reading, person, frozen.version),
        )
        for role in roles
        for person in members(organisation, role)
    ]
    held = {one.role for one in found}
    return Readers(
        frozen=frozen,
        reading=reading,
        readers=tuple(found),
        empty_roles=tuple(role for role in roles if role not in held),
    )


def sections(found: Readers, naming: Naming) -> list[Section | Line]:
    """One playbook: a row for each person in each role."""
    texts = naming.texts
    headers = tuple(texts(f"reading.readers.{name}") for name in ("role", "person", "state"))
    rows = tuple(_row(one, found, naming) for one in found.readers)
    title = found.frozen.plan.playbook.title.lang(naming.lang)
    head = texts("reading.readers.title", title=title, name=found.frozen.name, version=found.frozen.version)
    table = Table(headers=headers, rows=rows) if rows else Line(text=texts("words.none"))
    return [Section(title=head, parts=(table,)), *_foot(found, naming)]


def _row(one: Reader, found: Readers, naming: Naming) -> Row:
    texts = naming.texts
    style: Style = "good"
    if one.read and one.receipt is not None:
        said = texts("reading.readers.read", at=naming.times.at(one.receipt.at))
        if one.receipt.digest != found.frozen.document.digest:
            said += texts("reading.readers.other_words")
        if one.receipt.recorded_by:
            said += texts("reading.readers.by", name=naming.who(one.receipt.recorded_by))
    elif one.receipt is not None:
        said, style = texts("reading.readers.older", version=one.receipt.version), "warn"
    else:
        late = found.reading is not None and found.reading.overdue
        said, style = texts("reading.readers.unread"), "bad" if late else "warn"
    return Row(cells=(naming.who(one.role), naming.who(one.person), said), style=style)


def _foot(found: Readers, naming: Naming) -> Iterator[Line]:
    texts, reading = naming.texts, found.reading
    for role in found.empty_roles:
        yield Line(text=texts("reading.readers.nobody", role=naming.who(role)), style="bad")
    if not found.frozen.plan.playbook.read_by:
        yield Line(text=texts("reading.readers.by_acting"), style="dim")
    elif not announced(reading, found.frozen):
        key = texts("reading.readers.not_announced", name=found.frozen.name)
        yield Line(text=key, style="warn")
    elif reading is not None and reading.overdue:
        yield Line(text=texts("reading.readers.overdue", n=len(found.missing)), style="bad")
    elif reading is not None and reading.due is not None:
        yield Line(text=texts("reading.readers.due", at=naming.at(reading.due)))


def listing(many: list[Readers], naming: Naming) -> Section:
    """All playbooks: how many have read today's version."""
    texts = naming.texts
    headers = tuple(texts(f"reading.readers.{name}") for name in ("playbook", "version", "count", "until"))
    rows = []
    for one in many:
        people = {reader.person for reader in one.readers}
        due = one.reading.due if one.reading is not None else None
        late = one.reading is not None and one.reading.overdue
        until = texts("reading.readers.late") if late else naming.at(due) if due else "–"
        count = f"{len(people) - len(one.missing)}/{len(people)}"
        cells = (one.frozen.name, one.frozen.version, count, until)
        rows.append(Row(cells=cells, style="bad" if late else "plain"))
    return Section(
        title=texts("reading.readers.all"),
        parts=(Table(headers=headers, rows=tuple(rows), whole=(0, 1)),),
    )


def as_json(found: Readers) -> dict[str, object]:
    """The readers for programs."""
    reading = found.reading
    return {
        "playbook": found.frozen.name,
        "version": found.frozen.version,
        "digest": found.frozen.document.digest,
        "announced": announced(reading, found.frozen),
        "due": iso(reading.due) if reading is not None and reading.due else None,
        "overdue": reading is not None and reading.overdue,
        "readers": [
            {
                "role": one.role,
                "person": one.person,
                "read": one.read,
                "version": one.receipt.version if one.receipt else None,
                "at": iso(one.receipt.at) if one.receipt else None,
                "recorded_by": one.receipt.recorded_by if one.receipt else None,
            }
            for one in found.readers
        ],
        "missing": list(found.missing),
        "roles_nobody_has": list(found.empty_roles),
    }
