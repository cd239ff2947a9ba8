"""How this node is, for monitoring: 200 if it pages people, 503 if somebody should look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FIELDS: Mapping[str, Any] = {
    "status": "impaired",
    "lateness_seconds": None,
    "outbox_age_seconds": None,
    "oldest_unsent_page_seconds": None,
    "impaired": (),
    "quarantined": (),
    "out_of_band": (),
    "prefect": "unknown",
    "version": "unknown",
}
"""What is answered, and what stands there if the node did not say: silence is not health."""


def health(status: Mapping[str, Any], closed_sources: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """HTTP status and body. `closed_sources` are alert sources whose secret is missing, with the reason."""
    body = {name: status.get(name, default) for name, default in FIELDS.items()}
    if status.get("nodes"):
        # Where several machines share the record: the age of each one's last sign of life, in seconds.
        body["nodes"] = status["nodes"]
    body["closed_sources"] = sorted(closed_sources)
    return (200 if body["status"] == "ok" else 503), body
