"""Taking the signed result of a drill into the register of exercises: checked whole, then recorded or not.

A signature shows that nobody has changed the result since whoever holds the key signed it. It does not show
whose key that is: the key comes another way (from whoever prepared the drill), or the one that the result
names is taken at its word, and the record says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from console.texts import Texts
from models.canonical import document_digest
from models.drillfile import DRILL_FILE, DrillFile
from models.drillresult import DrillResult, Finding, MeasureResult, Signed, read
from models.errors import BadInput
from models.frozen import Document
from models.programme import Imported, Measured, NewFinding, NewRetest, Outcome, Took
from playbooks.institution import Institution
from playbooks.reading import read_yaml

DRILLS = "drills"
MEDIA = "application/json"


@dataclass(frozen=True, kw_only=True)
class Given:
    """What whoever imports says besides: `owner` and `due` for findings that have none of their own.

    `retests` names for a finding of the register the objective that tests it again.
    """

    plan: str | None
    retests: Mapping[str, str]
    owner: str | None
    due: datetime | None
    trust: Literal["given", "named"]


def open_result(body: bytes, key: str | None, *, named: bool) -> Signed:
    """The result, if it is signed with the key that is expected, or with any if `named`.

    Raises BadInput: without a key nobody has said whose signature would count.
    """
    signed = read(body, key)
    if key is None and not named:
        raise BadInput(
            f"the result of {signed.result.drill} is signed with key {signed.key}, and nobody has said that "
            "it should be: ask whoever prepared the drill for its key and give it with --key; with "
            "--named-key the result is taken at its word: it was not changed, but nothing shows who made it"
        )
    return signed


def command_of(
    signed: Signed, body: bytes, given: Given, institution: Institution, now: datetime
) -> tuple[dict[str, Any], Document]:
    """The fields of RecordExercise and the document to keep. Raises BadInput with all that is wrong."""
    result = signed.result
    wrong = list(_defects(result, given, now))
    if wrong:
        raise BadInput("; ".join(wrong))
    document = Document(digest=document_digest(body), body=body)
    held = result.held.started_at or result.made_at
    zone = ZoneInfo(institution.organisation.zone)
    lang = institution.organisation.lang
    fields: dict[str, Any] = {
        "title": result.scenario.title.lang(lang)[:300],
        "on": held.astimezone(zone).date().isoformat(),
        "plan": given.plan,
        "type": result.form,
        "by": result.organiser_kind,
        "organiser": result.organiser,
        "scenario": result.scenario.id,
        "version": result.scenario.version,
        "playbooks": tuple(one.id for one in result.playbooks),
        "routes": tuple(one.id for one in result.routes if one.answered or one.exhausted),
        "guideline": tuple(one.item for one in result.guideline),
        "participants": _participants(result),
        "measured": tuple(_measured(one) for one in result.measures()),
        "outcomes": _outcomes(result),
        "imported": Imported(digest=document.digest, drill=result.drill, key=signed.key, trust=given.trust),
        "findings": tuple(_finding(one, given, lang) for one in result.findings),
        "retested": tuple(_retest(result, name, objective) for name, objective in given.retests.items()),
        "signed_off": (result.signed_off.by,) if result.signed_off else (),
        "signed_off_at": result.signed_off.wall if result.signed_off else None,
    }
    return fields, document


def _defects(result: DrillResult, given: Given, now: datetime) -> list[str]:
    """Everything that keeps the result out of the register."""
    wrong = []
    if result.status == "aborted":
        wrong.append(
            "status: the exercise was aborted, and shows nothing; what it did show is entered by hand: "
            "hikeshi exercise record"
        )
    if not result.people and not any(one.present for one in result.participants):
        wrong.append(
            "people: nobody took part; what the script alone has played exercises nobody, and is none: "
            "enrol those who play (hikeshi drill enrol), and hold it with them"
        )
    for n, one in enumerate(result.findings, start=1):
        if one.owner is None and given.owner is None:
            wrong.append(f"findings[{n}] {one.id}: nobody owns it; give --owner PERSON")
        due = one.due or given.due
        if due is None or due <= now:
            wrong.append(f"findings[{n}] {one.id}: expected a date ahead; give --due DATE")
    known = {one.id: one for one in result.objectives}
    for name, objective in given.retests.items():
        if objective not in known:
            wrong.append(f"--retest {name}: no objective {objective!r}; known: {', '.join(sorted(known))}")
        elif known[objective].rating is None:
            wrong.append(f"--retest {name}: no evaluator has rated the objective {objective}")
    return wrong


def _participants(result: DrillResult) -> tuple[Took, ...]:
    """Everybody enrolled, in each of their roles. A role that a script played was nobody's."""
    return tuple(
        Took(role=role, person=one.person, party=one.vendor, absent=not one.present)
        for one in result.participants
        for role in one.roles or ("participant",)
    )


def _outcomes(result: DrillResult) -> tuple[Outcome, ...]:
    """Ratings that an evaluator has confirmed; what was only proposed is none."""
    return tuple(
        Outcome(objective=one.id, rating=one.rating, evaluator=one.rated_by or "")
        for one in result.objectives
        if one.rating is not None
    )


def _measured(one: MeasureResult) -> Measured:
    target = one.target_level if one.kind == "rlo" else one.target_seconds
    actual = one.measured_level if one.kind == "rlo" else one.measured_seconds
    return Measured(
        kind=one.kind,
        service=one.service,
        target="" if target is None else str(target),
        actual="" if actual is None else str(actual),
        # What the script brought back shows nothing of people: neither met nor missed.
        met=None if one.scripted else {"met": True, "missed": False}.get(one.outcome),
    )


def _finding(one: Finding, given: Given, lang: str) -> NewFinding:
    due = one.due or given.due
    assert due is not None  # noqa: S101 - without one the result was refused
    return NewFinding(
        title=one.title.lang(lang)[:300],
        owner=one.owner or given.owner or "",
        due=due,
        objective=(one.objective or "")[:64],
        cause=one.root_cause,
    )


def _retest(result: DrillResult, finding: str, objective: str) -> NewRetest:
    found = next(one for one in result.objectives if one.id == objective)
    return NewRetest(finding=finding, rating=found.rating or "", evaluator=found.rated_by or "")


def _doubt(result: DrillResult, institution: Institution) -> Literal["elsewhere", "another"] | None:
    """Whether the drill is one that was prepared here, with the scenario that was played; None if it is."""
    path = institution.directory.parent / DRILLS / result.drill / DRILL_FILE
    if not path.is_file():
        return "elsewhere"
    file, _ = read_yaml(path, DrillFile)
    digests = {"", result.scenario.digest}
    known = file is not None and file.drill == result.drill and file.digest in digests
    return None if known else "another"


# -- what is to be known, and keeps nothing out -------------------------------------------------------------


def warnings(result: DrillResult, institution: Institution, texts: Texts, *, named: bool) -> list[str]:
    """What whoever imports should know: a drill that was not prepared here, ratings that nobody confirmed."""
    said = []
    if (doubt := _doubt(result, institution)) is not None:
        said.append(texts(f"programme.import.{doubt}", drill=result.drill, folder=DRILLS))
    unrated = [one.id for one in result.objectives if one.rating is None]
    if unrated:
        said.append(texts("programme.import.unrated", objectives=texts("words.comma").join(unrated)))
    if result.signed_off is None or named:
        said.append(texts("programme.import.unsigned"))
    return said
