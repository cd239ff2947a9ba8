"""Communication: beside all phases the machine drafts each notice; a person sends it (FSA-2.5.2.3)."""

from __future__ import annotations

from flows.engine import Ended, flow
from flows.phase import play


@flow(name="communication", run_name="{incident} communication")
async def communication(incident: str, node: str, epoch: int) -> Ended:
    """Draft the notices that are ready to be sent."""
    return await play("communication", incident, node, epoch)
