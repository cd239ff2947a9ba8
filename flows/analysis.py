"""Analysis: only of what has been preserved; its gate holds the steps back until then (FSA-2.5.2.2-B1)."""

from __future__ import annotations

from flows.engine import Ended, flow
from flows.phase import play


@flow(name="analysis", run_name="{incident} analysis")
async def analysis(incident: str, node: str, epoch: int) -> Ended:
    """Run the machine's part of the analysis."""
    return await play("analysis", incident, node, epoch)
