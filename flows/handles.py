"""The name under which Prefect knows an incident: its pages have no rights per person."""

from __future__ import annotations

import hashlib

from models.state import Incident

HANDLE = "restricted-"
"""How the name begins under which Prefect knows an incident that only some may know of."""


def opaque(state: Incident) -> str:
    """A digest over the salted one of its title: nobody without the record can tell which it is."""
    return HANDLE + hashlib.sha256(state.title.encode()).hexdigest()[:16]


def handle_of(state: object, incident: str) -> str:
    """The incident's id, or what stands for it if only some may know of it."""
    return opaque(state) if isinstance(state, Incident) and state.restriction.on else incident
