"""Rehearsals that were kept: a file each in the data folder, read back as what came out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import orjson
from pydantic import ValidationError

from console.rehearsing import Rehearsed
from models.errors import NotFound
from models.rehearsal.assumptions import Assumptions
from models.rehearsal.plan import Plan
from models.rehearsal.study import Effect, Study

FOLDER = "rehearsals"
MAX_BYTES = 4 * 1024 * 1024
SHOWN = 50
STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"(?P<at>\d{8}T\d{6}Z)-(?P<playbook>[a-z0-9-]+)-(?P<seed>\d+)")


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One that was kept, by what its file is called."""

    name: str
    at: str
    playbook: str
    seed: str


def keep(data: Path, one: Rehearsed, document: Mapping[str, Any], now: datetime) -> Path:
    """Keep it beside the record. `now` is aware, UTC. Raises OSError."""
    folder = data / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{now.strftime(STAMP)}-{one.plan.playbook}-{one.plan.seed}.json"
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return path


def kept(data: Path) -> list[Kept]:
    """The latest of them, newest first."""
    names = sorted((path.stem for path in (data / FOLDER).glob("*.json")), reverse=True)
    found = (_NAME.fullmatch(name) for name in names[:SHOWN])
    return [
        Kept(name=one[0], at=one["at"], playbook=one["playbook"], seed=one["seed"]) for one in found if one
    ]


def read(data: Path, name: str) -> Rehearsed:
    """One of them. Raises NotFound if there is none of this name, or its file is not one of ours."""
    if _NAME.fullmatch(name) is None:
        raise NotFound(f"there is no rehearsal {name}")
    try:
        path = data / FOLDER / f"{name}.json"
        if path.stat().st_size > MAX_BYTES:
            raise NotFound(f"{path} is larger than a rehearsal is")
        return _of(orjson.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError, ValidationError) as wrong:
        raise NotFound(
            f"there is no rehearsal {name} that can be read; type hikeshi rehearse again"
        ) from wrong


def _of(document: Any) -> Rehearsed:
    plan = Plan(
        playbook=str(document["playbook"]),
        seed=int(document["seed"]),
        assumptions=Assumptions.model_validate(document["assumptions"]),
        year=int(document["year"]),
        severity=document["severity"],
        start=document["from"],
        horizon=timedelta(hours=int(document["hours"])),
    )
    return Rehearsed(
        plan=plan,
        found=msgspec.convert(document["study"], Study, strict=False),
        compared=int(document["compared"]),
        changes=tuple(_effect(one) for one in document["changes"]),
        sensitive=tuple((_effect(one["half"]), _effect(one["half_more"])) for one in document["sensitivity"]),
    )


def _effect(document: Any) -> Effect:
    return Effect(
        name=str(document["name"]),
        kind=str(document["kind"]),
        about={str(key): str(value) for key, value in document["about"].items()},
        score=float(document["clocks_met"]),
        gain=float(document["gain"]),
        low=float(document["gain_95"][0]),
        high=float(document["gain_95"][1]),
        contained=document["containment_p50"],
        sooner=document["sooner"],
        better=int(document["runs_sooner"]),
        worse=int(document["runs_later"]),
    )
