"""Eradication: close each way in that was found, all in one move (FSA-2.5.2.5)."""

from __future__ import annotations

from flows.engine import Ended, flow
from flows.phase import play


@flow(name="eradication", run_name="{incident} eradication")
async def eradication(incident: str, node: str, epoch: int) -> Ended:
    """Run the machine's part of the eradication."""
    return await play("eradication", incident, node, epoch)
