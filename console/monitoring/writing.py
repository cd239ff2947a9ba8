"""Writing the rules and the dashboards out, for whoever runs Prometheus and Grafana."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from console.monitoring.dashboard import dashboard

RULES = "hikeshi.rules.yaml"


def rules() -> str:
    """The alert rules, as they are shipped."""
    return (resources.files("console.monitoring") / RULES).read_text(encoding="utf-8")


def write(folder: Path) -> list[Path]:
    """Write everything into `folder`, over what an earlier version wrote there; the files.

    Raises OSError if it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / RULES]
    written[0].write_text(rules(), encoding="utf-8")
    for lang in ("ja", "en"):
        file = folder / f"hikeshi.dashboard.{lang}.json"
        text = json.dumps(dashboard(lang), ensure_ascii=False, indent=2)
        file.write_text(f"{text}\n", encoding="utf-8")
        written.append(file)
    return written
