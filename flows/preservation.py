"""Preservation: machines collect what waiting would lose, each item with its digest (FSA-2.5.2.2-B1)."""

from __future__ import annotations

from flows.engine import Ended, flow
from flows.phase import play


@flow(name="preservation", run_name="{incident} preservation")
async def preservation(incident: str, node: str, epoch: int) -> Ended:
    """Run the collectors that are ready."""
    return await play("preservation", incident, node, epoch)
