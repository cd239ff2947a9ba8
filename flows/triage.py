"""Triage: find out what it is, how grave it is, and who has to know (FSA-2.5.2.1)."""

from __future__ import annotations

from flows.engine import Ended, flow
from flows.phase import play


@flow(name="triage", run_name="{incident} triage")
async def triage(incident: str, node: str, epoch: int) -> Ended:
    """Run the machine's part of triage."""
    return await play("triage", incident, node, epoch)
