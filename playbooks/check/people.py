"""People, roles and rotas."""

from __future__ import annotations

from collections.abc import Iterator

from models.organisation import Organisation, Person, Rota
from playbooks.check.view import View, twice, unknown
from playbooks.defect import Defect, one_of, quoted
from playbooks.document import Document, KeyPath

FILE = "organisation.yaml"
ADDRESSES = dict.fromkeys(("sms", "voice"), "`phone:` (080-1234-5678, or +81 80 1234 5678)")


def defects(view: View) -> Iterator[Defect]:
    """What does not fit among people, roles and rotas."""
    organisation = view.organisation
    if organisation is None:
        return
    document = view.document(FILE)
    for part in ("people", "roles", "rotas", "services", "third_parties", "evidence_sources"):
        yield from twice(document, (part,))
    for key in ("account", "slack"):
        yield from _shared(document, organisation, key)
    yield from _shared_numbers(document, organisation)
    yield from _teams(view, document, organisation)
    for number, person in enumerate(organisation.people):
        yield from _person(view, document, number, person)
    for number, rota in enumerate(organisation.rotas):
        yield from _rota(view, document, number, rota)
    yield from _roles(view, document, organisation)
    yield from _sources(document, organisation)
    yield from _unheld(view, document, organisation)


def _shared(document: Document, organisation: Organisation, key: str) -> Iterator[Defect]:
    """Two people behind one account: nobody could tell who acted."""
    seen: dict[str, str] = {}
    for number, person in enumerate(organisation.people):
        value = getattr(person, key)
        if value and value in seen:
            yield document.defect(
                ("people", number, key),
                f"{quoted(value)} is also that of {seen[value]}",
                "one of this person's own",
            )
        seen.setdefault(value or "", person.id)


def _shared_numbers(document: Document, organisation: Organisation) -> Iterator[Defect]:
    """Two people paged on one number: an answer from there is nobody's, and is refused."""
    seen: dict[str, str] = {}
    for number, person in enumerate(organisation.people):
        if person.number is None or not {"sms", "voice"} & set(person.channels):
            continue
        if person.number in seen:
            yield document.defect(
                ("people", number, "phone"),
                f"{quoted(person.number)} is also that of {seen[person.number]}",
                "one of this person's own",
            )
        seen.setdefault(person.number, person.id)


def _teams(view: View, document: Document, organisation: Organisation) -> Iterator[Defect]:
    """Destinations in Teams that the settings do not name."""
    settings = view.contents.settings
    known = sorted(settings.teams.urls) if settings is not None and settings.teams is not None else []
    for number, person in enumerate(organisation.people):
        if "teams" in person.channels and person.teams is not None and known and person.teams not in known:
            yield document.defect(
                ("people", number, "teams"),
                f"{quoted(person.teams)} is no destination in [teams.urls]",
                one_of(known, person.teams),
            )


def _person(view: View, document: Document, number: int, person: Person) -> Iterator[Defect]:
    path: KeyPath = ("people", number)
    yield from unknown(document, (*path, "roles"), person.roles, view.roles, "role")
    yield from unknown(
        document, (*path, "deputies"), person.deputies, view.people - {person.id}, "other person"
    )
    for place, channel in enumerate(person.channels):
        if person.address(channel) is None:
            yield document.defect(
                (*path, "channels", place),
                f"{person.id} has the channel {channel} but no address on it",
                ADDRESSES.get(channel, f"`{channel}:`") + " of this person, or another channel",
            )
    for place, away in enumerate(person.absences):
        if away.until <= away.since:
            yield document.defect(
                (*path, "absences", place, "until"), "ends before it begins", "a later time"
            )


def _rota(view: View, document: Document, number: int, rota: Rota) -> Iterator[Defect]:
    path: KeyPath = ("rotas", number)
    for place, shift in enumerate(rota.shifts):
        yield from unknown(document, (*path, "shifts", place, "people"), shift.people, view.people, "person")
    for place, override in enumerate(rota.overrides):
        here = (*path, "overrides", place)
        yield from unknown(document, (*here, "people"), override.people, view.people, "person")
        if override.until <= override.since:
            yield document.defect((*here, "until"), "ends before it begins", "a later time")


def _roles(view: View, document: Document, organisation: Organisation) -> Iterator[Defect]:
    rotas = {rota.id for rota in organisation.rotas}
    for number, role in enumerate(organisation.roles):
        if role.id in view.people:
            yield document.defect(("roles", number, "id"), f"{role.id} is also a person", "an id of its own")
        if role.rota and role.rota not in rotas:
            yield document.defect(
                ("roles", number, "rota"), f"{quoted(role.rota)} is no rota", one_of(rotas, role.rota)
            )


def _sources(document: Document, organisation: Organisation) -> Iterator[Defect]:
    """Whoever gets at a source of evidence is a role: its clock asks somebody at any hour."""
    roles = {role.id for role in organisation.roles}
    for number, source in enumerate(organisation.evidence_sources):
        if source.owner is not None and source.owner not in roles:
            said = f"{quoted(source.owner)} is no role"
            yield document.defect(("evidence_sources", number, "owner"), said, one_of(roles, source.owner))


def _unheld(view: View, document: Document, organisation: Organisation) -> Iterator[Defect]:
    """Roles that something relies on and nobody has; a rota that is missing is told by itself."""
    used = view.used_roles
    rotas = {rota.id for rota in organisation.rotas}
    for number, role in enumerate(organisation.roles):
        if role.id in used and not view.candidates(role.id) and (role.rota is None or role.rota in rotas):
            # What is the institution's own comes first: a shipped playbook more changes nothing for it.
            by = min(used[role.id], key=lambda name: (name.startswith("playbook "), name))
            yield document.defect(
                ("roles", number),
                f"nobody has the role {quoted(role.id)}, which {by} relies on",
                "a person with it",
            )
