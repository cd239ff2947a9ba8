"""Containment: what was decided is carried out by machine where the playbook says so (FSA-2.5.2.4)."""

from __future__ import annotations

from flows.engine import Ended, flow
from flows.phase import play


@flow(name="containment", run_name="{incident} containment")
async def containment(incident: str, node: str, epoch: int) -> Ended:
    """Carry out what has been decided and is ready."""
    return await play("containment", incident, node, epoch)
