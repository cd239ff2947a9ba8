"""Forms that add to the record: severity, note, a line of the timeline from a message, a new incident."""

from __future__ import annotations

from console.slack.blocks import Block, Choice, choose, choose_many, said, tell, words, write
from console.slack.forms import Case, Form, Given, for_, instant, many, scribe_field, text
from models.answers import TimelineEntry
from models.commands import AddEvidence, Command, Declare, Note, SetSeverity
from models.rules.common import MAX_TITLE
from models.state import OVER

INCIDENT = "incident"
MAX_NOTE = 3_000


def _head(case: Case) -> list[Block]:
    if case.incident is None:
        return []
    now = case.naming.severity(case.incident.severity)
    return [
        said(
            tell(case.target.stream, case.naming.text(case.incident.title)),
            tell(case.t("slack.severity"), now),
        )
    ]


def _severity(case: Case) -> list[Block]:
    t = case.t
    severities = case.world.policy.severity.severities
    choices = [Choice(value=one.id, text=one.title.lang(case.lang)) for one in severities]
    proposed = case.incident.proposed_severity if case.incident else ""
    return [
        *_head(case),
        choose("severity", t("slack.field.severity"), choices, given=proposed, radio=True),
        write("reason", t("slack.field.reason"), long=True),
        *scribe_field(case),
    ]


def _read_severity(case: Case, values: Given) -> Command:
    return SetSeverity(
        actor=case.actor,
        for_=for_(values),
        severity=text(values, "severity"),
        reason=text(values, "reason"),
    )


def _note(case: Case) -> list[Block]:
    t = case.t
    return [
        *_head(case),
        write("text", t("slack.field.text"), long=True),
        write("at", t("slack.field.at"), optional=True, hint=t("slack.hint.instant")),
        *scribe_field(case),
    ]


def _read_note(case: Case, values: Given) -> Command:
    return Note(
        actor=case.actor, for_=for_(values), text=text(values, "text"), at=instant(case, values, "at")
    )


def _timeline(case: Case) -> list[Block]:
    """A message becomes a line of the timeline, at the time it was written, with who wrote it and where."""
    t = case.t
    said_at = instant(case, {"at": case.extra.get("at", "")}, "at")
    return [
        said(t("slack.form.timeline.follows")),
        choose(INCIDENT, t("slack.field.incident"), incidents(case), given=_meant(case)),
        write("text", t("slack.field.text"), long=True, given=case.extra.get("text", "")),
        said(
            tell(t("slack.by"), case.naming.who(_author(case))),
            tell(t("slack.said-at"), case.naming.at(said_at) if said_at else ""),
        ),
    ]


def _author(case: Case) -> str:
    """Who wrote the message: the person of the directory, or the id by which Slack knows them."""
    by = case.extra.get("by", "")
    person = case.world.directory.by_slack(by)
    return person.id if person is not None else by


def _meant(case: Case) -> str:
    """The incident whose channel this is, or the only one there is; else nobody guesses."""
    found = incidents(case)
    return case.target.stream or (found[0].value if len(found) == 1 else "")


def _read_timeline(case: Case, values: Given) -> Command:
    return TimelineEntry(
        actor=case.actor,
        text=text(values, "text"),
        said_by=_author(case),
        source=case.extra.get("source", ""),
        at=instant(case, {"at": case.extra.get("at", "")}, "at"),
    )


def _evidence(case: Case) -> list[Block]:
    t = case.t
    return [
        said(t("slack.form.evidence.follows"), tell(t("slack.file"), case.extra.get("names", ""))),
        choose(INCIDENT, t("slack.field.incident"), incidents(case), given=_meant(case)),
        write("source", t("slack.field.source"), hint=t("slack.hint.source"), most=200),
        write("description", t("slack.field.description"), long=True),
    ]


def _read_evidence(case: Case, values: Given) -> Command:
    """What the dialog says of each file; digest and size come from the file itself."""
    return AddEvidence(
        actor=case.actor, source=text(values, "source"), description=text(values, "description")
    )


def _declare(case: Case) -> list[Block]:
    t = case.t
    world = case.world
    severities = [
        Choice(value=one.id, text=one.title.lang(case.lang)) for one in world.policy.severity.severities
    ]
    known = {name: one.plan.playbook for name, one in sorted(world.library.items())}
    parts = {step.call for one in known.values() for step in one.steps if step.call}
    playbooks = [
        Choice(value=name, text=f"{one.title.lang(case.lang)} ({name})")
        for name, one in known.items()
        if name not in parts
    ]
    services = [Choice(value=one.id, text=one.name.lang(case.lang)) for one in world.organisation.services]
    blocks = [
        said(words(t("slack.form.declare.follows"))),
        write("text", t("slack.field.what"), long=True, given=case.extra.get("text", ""), most=MAX_TITLE),
        choose("severity", t("slack.field.severity"), severities, optional=True),
    ]
    if playbooks:
        blocks.append(
            choose_many("playbooks", t("slack.field.playbooks"), playbooks, hint=t("slack.hint.playbooks"))
        )
    if services:
        blocks.append(choose_many("services", t("slack.field.services"), services))
    blocks.append(write("detected", t("slack.field.detected"), optional=True, hint=t("slack.hint.instant")))
    return [*blocks, *scribe_field(case)]


def _read_declare(case: Case, values: Given) -> Command:
    return Declare(
        actor=case.actor,
        for_=for_(values),
        text=text(values, "text"),
        source="slack",
        severity=text(values, "severity") or None,
        playbooks=many(values, "playbooks"),
        services=many(values, "services"),
        detected=instant(case, values, "detected"),
    )


def incidents(case: Case) -> list[Choice]:
    """The open incidents, as the shortcut found them: `id=title` lines."""
    found = []
    for line in case.extra.get("incidents", "").splitlines():
        name, _, title = line.partition("=")
        found.append(Choice(value=name, text=f"{name} {title}"))
    return found or [Choice(value="-", text=case.t("slack.no-incident"))]


MORE = (
    "note", "severity", "hand-over", "delegate", "decline", "opinion", "give-opinion", "service", "item",
    "scope", "instant", "role", "improvement", "resolve", "close",
)  # fmt: skip


def _more(case: Case) -> list[Block]:
    """Everything else that can be done about this matter, one at a time."""
    t = case.t
    choices = [Choice(value=name, text=t(f"slack.form.{name}.title")) for name in _possible(case)]
    return [*_head(case), choose("act", t("slack.field.act"), choices, radio=True)]


def _possible(case: Case) -> list[str]:
    step = case.incident.steps.get(case.target.step) if case.incident else None
    planned = case.naming.planned(case.target.step)
    open_page = case.target.page in case.state.pages and case.state.pages[case.target.page].state == "open"
    live = case.incident is not None and case.incident.status not in OVER
    working = step is not None and step.status in {"ready", "started"}
    deciding = working and planned is not None and planned.step.kind == "decision"
    possible = {
        "severity": live,
        "note": case.incident is not None,
        "hand-over": working and not deciding,
        "delegate": open_page,
        "decline": open_page,
        "opinion": deciding,
        "give-opinion": deciding,
        "improvement": case.incident is not None,
        "item": case.incident is not None,
        "resolve": case.incident is not None and case.incident.status == "open",
        "close": case.incident is not None and case.incident.status == "resolved",
        **dict.fromkeys(("service", "scope", "instant", "role"), live),
    }
    return [name for name in MORE if possible[name]] or ["note"]


def _read_more(case: Case, values: Given) -> Command:
    raise AssertionError("the dialog `more` only leads to another")


FORMS = (
    Form(name="severity", build=_severity, read=_read_severity),
    Form(name="note", build=_note, read=_read_note),
    Form(name="timeline", build=_timeline, read=_read_timeline),
    Form(name="evidence", build=_evidence, read=_read_evidence),
    Form(name="declare", build=_declare, read=_read_declare, opens=True),
    Form(name="more", build=_more, read=_read_more),
)
