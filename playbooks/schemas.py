"""JSON Schemas of every file, so that an editor completes keys and marks slips while one types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from models.drillfile import DrillFile, Participants
from models.playbook import Playbook
from models.scenario import Scenario
from playbooks.catalogue import Catalogue
from playbooks.institution import FILES

FOLDER = "schemas"
FOLDERS = {"playbooks": "playbook", "scenarios": "scenario"}
"""The schema of the files in each folder of the institution's directory."""
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def models() -> Mapping[str, type[BaseModel]]:
    """The model of each kind of file, by the name of its schema."""
    found = {name.split(".", maxsplit=1)[0]: model for name, model in FILES.items()}
    drill: dict[str, type[BaseModel]] = {"drill": DrillFile, "participants": Participants}
    return {**found, **drill, "playbook": Playbook, "scenario": Scenario, "catalogue": Catalogue}


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of one kind of file (`organisation`, `playbook`, …)."""
    made = models()[name].model_json_schema(by_alias=True, mode="validation")
    texts = made.get("$defs", {})
    if "Text" in texts:
        # One plain string serves for both languages; pydantic cannot see what a before-validator accepts.
        texts["Text"] = {"anyOf": [{"type": "string", "minLength": 1, "maxLength": 4000}, texts["Text"]]}
    return {"$schema": DIALECT, **made, "title": f"Hikeshi {name}"}


def text(name: str) -> str:
    """The schema as the file that an editor reads."""
    return json.dumps(schema(name), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def write(directory: Path) -> list[Path]:
    """Write all schemas to `DIR/schemas` and name the files. Raises OSError if that cannot be written."""
    folder = directory / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in sorted(models()):
        path = folder / f"{name}.schema.json"
        path.write_text(text(name), encoding="utf-8")
        written.append(path)
    return written


def modeline(path: Path) -> str:
    """The comment by which an editor finds the schema of a file, given relative to the directory."""
    name, up = path.stem, "../" * (len(path.parts) - 1)
    if up:
        name = FOLDERS.get(path.parts[0], "playbook")
    return f"# yaml-language-server: $schema={up}{FOLDER}/{name}.schema.json\n"
