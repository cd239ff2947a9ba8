"""Lessons: the machine drafts the review when the phase opens; people judge and improve (FSA-2.5.2.6-B6)."""

from __future__ import annotations

from flows.engine import Ended, flow
from flows.phase import play


@flow(name="lessons", run_name="{incident} lessons")
async def lessons(incident: str, node: str, epoch: int) -> Ended:
    """Draft the review, and run what else is ready."""
    return await play("lessons", incident, node, epoch)
