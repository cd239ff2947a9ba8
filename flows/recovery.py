"""Recovery: restore, check, connect, resume, each behind its gate (FSA-2.5.2.6)."""

from __future__ import annotations

from flows.engine import Ended, flow
from flows.phase import play


@flow(name="recovery", run_name="{incident} recovery")
async def recovery(incident: str, node: str, epoch: int) -> Ended:
    """Run the machine's part of the recovery."""
    return await play("recovery", incident, node, epoch)
