"""Playbooks that are overdue for review, and what of the guideline nothing covers. Warnings only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from models.values import write_duration
from playbooks.check.view import PlanView, View
from playbooks.defect import Defect
from playbooks.document import Document


def defects(view: View) -> Iterator[Defect]:
    """Warnings about age and coverage (FSA-2.5.1-B1: plans are reviewed regularly)."""
    yield from _ages(view)
    for plan in view.plans:
        yield from _uncovered(view, plan)
    yield from _nowhere(view)


def _ages(view: View) -> Iterator[Defect]:
    for entry in view.contents.entries.values():
        yield from aged(view, entry.document, entry.playbook.reviewed, entry.playbook.review_every)


def aged(view: View, document: Document, reviewed: date, every: timedelta) -> Iterator[Defect]:
    """A warning if the review of a document is overdue, or lies ahead."""
    zone = ZoneInfo(view.organisation.zone if view.organisation else "UTC")
    today = view.now.astimezone(zone).date()
    due = reviewed + every
    if due < today:
        wrong = f"the review was due on {due} (every {write_duration(every)})"
        yield document.defect(("reviewed",), wrong, "the date of a newer review", severity="warning")
    elif reviewed > today:
        yield document.defect(
            ("reviewed",), f"{reviewed} is in the future", "today or earlier", severity="warning"
        )


def _covered(plan: PlanView) -> set[str]:
    playbooks = {
        plan.home(planned).playbook.playbook: plan.home(planned).playbook
        for planned in plan.plan.steps.values()
    }
    whole = {item for playbook in playbooks.values() for item in playbook.covers}
    return whole | {item for planned in plan.plan.steps.values() for item in planned.step.guideline}


def _uncovered(view: View, plan: PlanView) -> Iterator[Defect]:
    """Items that each playbook should cover, and this one, with all that it calls, does not."""
    wanted = {item.id for item in view.contents.catalogue.values() if item.scope == "playbook"}
    if missing := sorted(wanted - _covered(plan)):
        yield plan.entries[plan.name].document.defect(
            ("playbook",),
            f"covers nothing of {', '.join(missing)}",
            "a step with `guideline:`, or `covers:`",
            severity="warning",
        )


def _nowhere(view: View) -> Iterator[Defect]:
    """Items of the plan as a whole that no playbook covers."""
    covered = {item for plan in view.plans for item in _covered(plan)}
    wanted = {item.id for item in view.contents.catalogue.values() if item.scope == "plan"}
    if missing := sorted(wanted - covered):
        yield Defect(
            file=str(view.contents.directory / "playbooks"),
            line=1,
            column=1,
            path="",
            wrong=f"no playbook covers {', '.join(missing)}",
            expected="one playbook at least with `guideline:` or `covers:`",
            severity="warning",
        )
