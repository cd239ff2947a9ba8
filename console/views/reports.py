"""Reports that may be owed: what the rule proposes, what a person judged, and what each deadline rests on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from console.views.clocks import needed
from console.views.naming import Naming
from console.views.sheet import Line, Section, Style
from models.clock import iso
from models.clocks.owed import applies, is_owed, obligations, stage_applies, stage_clock
from models.clocks.planned import Planned
from models.expression import UNKNOWN
from models.impact import known_impact
from models.obligation import Obligation, Stage
from models.state import Incident, ObligationState, ReportState

_ASKED = re.compile(r'impact\("([a-z-]+)"\)')


def section(many: list[Obligation], state: Incident, naming: Naming) -> Section:
    """These obligations with their stages; those that apply come first."""
    ordered = sorted(many, key=lambda one: (not is_owed(state.obligations.get(one.id)), one.id))
    lines = [line for one in ordered for line in _obligation(one, state, naming)]
    return Section(
        title=naming.texts("clocks.title.reports"),
        parts=tuple(lines or [Line(text=naming.texts("words.none"))]),
    )


def whole(state: Incident, naming: Naming) -> Section:
    """Every obligation in force for the incident."""
    return section(list(obligations(state, naming.world)), state, naming)


def _obligation(one: Obligation, state: Incident, naming: Naming) -> Iterator[Line]:
    texts, lang = naming.texts, naming.lang
    known = state.obligations.get(one.id)
    head = texts(
        "clocks.report.head",
        id=one.id,
        title=one.title.lang(lang),
        recipient=one.recipient.lang(lang),
    )
    owed = is_owed(known)
    yield Line(text=head, style="strong" if owed else "dim")
    yield Line(text=_standing(one, known, state, naming), indent=1, style="plain" if owed else "dim")
    mark = texts("clocks.report.mark", confidence=one.confidence, law=one.law.lang(lang))
    if one.confidence == "G":
        mark += texts("words.semicolon") + texts("clocks.report.check")
    if owed or known is not None:
        yield Line(text=mark, indent=1, style="dim")
        for stage in one.stages:
            if owed or (known is not None and stage.id in known.reports):
                yield from _stage(one, stage, known or _none(one), state, naming)


def _none(one: Obligation) -> ObligationState:
    return ObligationState(id=one.id, edition=one.edition.isoformat())


def _standing(one: Obligation, known: ObligationState | None, state: Incident, naming: Naming) -> str:
    texts = naming.texts
    if known is not None and known.judged is not None:
        key = "applies" if known.judged == "applicable" else "not-applies"
        return texts(
            f"clocks.report.{key}",
            who=naming.who(known.judged_by),
            at=naming.times.at(known.judged_at),
            reason=naming.text(known.reason, 200),
        )
    if known is not None and known.proposed:
        return texts("clocks.report.proposed")
    if applies(state, naming.world, one) is None:
        unknown = texts("words.comma").join(open_facts(one, state, naming)) or texts("words.unknown")
        return texts("clocks.report.open", unknown=unknown)
    return texts("clocks.report.none")


def open_facts(one: Obligation, state: Incident, naming: Naming) -> list[str]:
    """The impact facts that the rule asks about and nobody knows yet, in words."""
    kinds = dict.fromkeys(_ASKED.findall(one.applies_if))
    return [
        naming.texts.word("clocks.impact", kind)
        for kind in kinds
        if known_impact(state.impacts, kind) is UNKNOWN
    ]


def _stage(
    one: Obligation, stage: Stage, known: ObligationState, state: Incident, naming: Naming
) -> Iterator[Line]:
    report = known.reports.get(stage.id) or ReportState()
    if is_owed(known) or report.submitted:
        clock = stage_clock(state, naming.world, one, stage, known)
        text, style = _due(stage, clock, report, state, naming)
    else:
        text, style = naming.texts("clocks.report.not_owed"), "dim"
    title = stage.title.lang(naming.lang)
    said = f"{title}: {text}"
    if not naming.plain:
        said = naming.texts("clocks.report.stage", id=stage.id, title=title, due=text)
    yield Line(text=said, indent=2, style=style)
    if report.drafted_at is not None and not report.submitted:
        drafted = naming.texts("clocks.report.drafted", at=naming.times.at(report.drafted_at))
        yield Line(text=drafted, indent=3, style="dim")


def _due(
    stage: Stage, clock: Planned | None, report: ReportState, state: Incident, naming: Naming
) -> tuple[str, Style]:
    texts = naming.texts
    if report.submitted:
        return _submitted(clock, report, naming)
    if clock is None:
        owed = stage_applies(state, naming.world, stage)
        return texts("clocks.report.voluntary" if owed else "clocks.report.not_owed"), "dim"
    if clock.due_at is None:
        needs = [needed(need, naming, clock.id) for need in clock.needs]
        return texts("clocks.needs", needs=texts("words.comma").join(needs)), "warn"
    said = texts(
        "clocks.report.due",
        at=naming.times.due(clock.due_at),
        left=naming.times.left(clock.due_at, naming.now),
    )
    if clock.internal:
        said += texts("words.semicolon") + texts("clocks.internal")
    return said, "bad" if clock.due_at <= naming.now else "plain"


def _submitted(clock: Planned | None, report: ReportState, naming: Naming) -> tuple[str, Style]:
    texts = naming.texts
    first, last = report.submitted[0], report.submitted[-1]
    late = clock is not None and clock.due_at is not None and first.at > clock.due_at
    said = texts(
        "clocks.report.submitted",
        at=naming.times.at(first.at),
        who=naming.who(first.by),
        receipt=naming.text(first.receipt, 120),
    )
    if len(report.submitted) > 1:
        more = texts("clocks.report.updated", n=len(report.submitted) - 1, at=naming.times.at(last.at))
        said += texts("words.semicolon") + more
    return (texts("clocks.report.late") + said, "bad") if late else (said, "good")


# -- how a deadline came about ------------------------------------------------------------------------------


def basis(one: Obligation, state: Incident, naming: Naming) -> Section:
    """The defence of each running deadline, as its fact keeps it."""
    lines = []
    for clock in state.clocks.values():
        if clock.id.startswith(f"report:{one.id}/"):
            lines += list(_basis(clock.id, clock.basis, naming.times.due(clock.due_at), naming))
    return Section(
        title=naming.texts("clocks.title.basis"),
        parts=tuple(lines or [Line(text=naming.texts("words.none"))]),
    )


def _basis(clock: str, found: dict[str, Any], due: str, naming: Naming) -> Iterator[Line]:
    texts = naming.texts
    yield Line(
        text=texts(
            "clocks.report.basis",
            clock=naming.clock(clock),
            due=due,
            anchor=needed(str(found.get("anchor", "")), naming, clock),
            limit=_limit(str(found.get("limit", "")), naming),
            counting=found.get("counting", ""),
            edition=found.get("edition", ""),
        )
    )
    if found.get("calendar"):
        skipped = texts("words.comma").join(found.get("skipped", [])) or texts("words.none")
        named = texts(
            "clocks.report.calendar", calendar=found["calendar"], version=found["version"], skipped=skipped
        )
        yield Line(text=named, indent=1, style="dim")
    if found.get("rolled_from"):
        yield Line(text=texts("clocks.report.rolled", at=found["rolled_from"]), indent=1, style="dim")


def _limit(limit: str, naming: Naming) -> str:
    """`5d` as it stands; a target of the institution's own, kept in seconds, as people say it."""
    seconds = limit.removesuffix("s")
    return naming.times.span(timedelta(seconds=int(seconds))) if seconds.isdigit() else limit


def as_json(one: Obligation, state: Incident, naming: Naming) -> dict[str, Any]:
    """One obligation for programs; instants in ISO 8601, UTC."""
    known = state.obligations.get(one.id)
    stages = []
    for stage in one.stages:
        clock = stage_clock(state, naming.world, one, stage, known or _none(one))
        kept = state.clocks.get(f"report:{one.id}/{stage.id}")
        stages.append(
            {
                "stage": stage.id,
                "due_at": iso(clock.due_at) if clock is not None and clock.due_at is not None else None,
                "needs": list(clock.needs) if clock is not None else [],
                "internal": clock.internal if clock is not None else False,
                "status": kept.status if kept is not None else None,
                "basis": kept.basis if kept is not None else None,
                "report": _report(known.reports.get(stage.id), naming) if known is not None else None,
            }
        )
    return {
        "obligation": one.id,
        "edition": one.edition.isoformat(),
        "recipient": one.recipient.lang(naming.lang),
        "confidence": one.confidence,
        "proposed": applies(state, naming.world, one),
        "owed": is_owed(known),
        "judged": known.judged if known is not None else None,
        "judged_by": known.judged_by if known is not None else None,
        "reason": naming.text(known.reason) if known is not None and known.reason else None,
        "stages": stages,
    }


def _report(report: ReportState | None, naming: Naming) -> dict[str, Any] | None:
    """What was drafted and sent, with the receipts as they were written."""
    if report is None:
        return None
    return {
        "drafted": report.drafted,
        "drafted_at": report.drafted_at,
        "submitted": [
            {"at": one.at, "by": one.by, "receipt": naming.text(one.receipt), "update": one.update}
            for one in report.submitted
        ],
    }
