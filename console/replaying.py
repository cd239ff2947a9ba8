"""A record of this house run again: by today's rules, by those it froze, or with others laid over them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from console.opening import House
from console.texts import texts
from console.views.naming import Naming
from models.casework import Setting
from models.desk import HOUSE
from models.errors import BadInput
from models.fact import Fact
from models.policy import Policy
from models.premises import Premises
from models.replay.compare import Comparison, compare
from models.replay.recorded import Recorded, read_back
from models.replay.run import LATE, Editions, Manner, Replay, Replayed, documents_of, frozen_setting
from playbooks.defect import Defect, Defects
from playbooks.institution import FILES, Institution, load

Rules = Literal["today", "frozen"]
_LAID_OVER = ("organisation.yaml", "routes.yaml", "severity.yaml", "obligations.yaml")
_POLICY = {
    "routes.yaml": ("routes", "limits", "permissions", "approvals", "lists"),
    "severity.yaml": ("severity",),
    "obligations.yaml": ("profile", "obligations"),
}
"""Which part of the policy each file gives."""
_PLAYBOOK = re.compile(r"^playbook:", re.MULTILINE)
_LEFT_OUT = shutil.ignore_patterns("var", "schemas", "drills", ".*", "*.db*", "__pycache__")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be replayed, and how. `laid_over` is a file or a folder of the institution's form."""

    stream: str
    manner: Manner = "shifted"
    rules: Rules = "today"
    laid_over: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Told:
    """What came of it, with what it takes to say so. `replaced` are the files that were laid over."""

    asked: Asked
    comparison: Comparison
    recorded: Recorded
    replayed: Replayed
    naming: Naming
    replaced: tuple[str, ...]


def replay(house: House, asked: Asked, lang: str) -> Told:
    """The record run again and compared. Raises BadInput for what cannot be laid over, else HikeshiError."""
    with house.record.read() as tx:
        facts, heard = tx.facts(asked.stream), tx.facts(HOUSE)
        recorded = read_back(facts, tx.texts(asked.stream, 0))
        bodies = {digest: tx.document(digest) for digest in documents_of(recorded)}
    documents = {digest: body for digest, body in bodies.items() if body is not None}
    with _laid_over(house.institution, asked.laid_over) as (institution, replaced):
        premises = _premises(house, institution)
        setting = _setting(asked, recorded, premises, documents, replaced)
        # Nothing is changed: then the watch looks when it looked, and every fact has to come as it came.
        exact = asked.manner == "as-recorded" and asked.rules == "frozen" and not replaced
        run = Replay(
            recorded,
            setting,
            manner=asked.manner,
            house=_until_the_end(heard, recorded),
            documents=documents,
            late=None if exact else LATE,
        )
        replayed = run.run()
    comparison = compare(recorded, replayed, setting.directory)
    state = run.state if replayed.facts else house.desk.incident(asked.stream)
    world = replayed.desk.world(state)
    beside = {**house.desk.texts(asked.stream), **replayed.desk.texts(asked.stream)}
    naming = Naming(texts=texts(lang), world=world, state=state, beside=beside)
    return Told(
        asked=asked,
        comparison=comparison,
        recorded=recorded,
        replayed=replayed,
        naming=naming,
        replaced=replaced,
    )


def _until_the_end(heard: list[Fact], recorded: Recorded) -> list[Fact]:
    end = max(fact.recorded_at for fact in recorded.facts)
    return [fact for fact in heard if fact.recorded_at <= end]


def _premises(house: House, institution: Institution) -> Premises:
    own = house.desk.premises
    if institution is house.institution:
        return own
    return replace(
        own,
        organisation=institution.organisation,
        policy=institution.policy,
        playbooks=institution.playbooks,
    )


def _setting(
    asked: Asked,
    recorded: Recorded,
    premises: Premises,
    documents: dict[str, bytes],
    replaced: tuple[str, ...],
) -> Setting:
    if asked.rules == "today":
        return Setting(premises)
    setting = frozen_setting(recorded, premises, documents)
    parts = [part for name in replaced for part in _POLICY.get(name, ())]
    if parts:
        policy: Policy = setting.premises.policy.model_copy(
            update={part: getattr(premises.policy, part) for part in parts}
        )
        library = setting.library
        setting = Setting(replace(setting.premises, policy=policy), library)
    if isinstance(setting.library, Editions):
        # What is laid over takes the place of what was frozen.
        over = {Path(name).stem for name in replaced if name.startswith("playbooks/")}
        kept = {digest: one for digest, one in setting.library.then.items() if one.name not in over}
        setting.library.then = kept
    return setting


# -- laying files over --------------------------------------------------------------------------------------


@contextmanager
def _laid_over(institution: Institution, path: Path | None) -> Iterator[tuple[Institution, tuple[str, ...]]]:
    """The institution with other files in the place of its own; they are copied, nothing of it is changed."""
    if path is None:
        yield institution, ()
        return
    with TemporaryDirectory(prefix="hikeshi-replay-") as folder:
        copy = Path(folder) / "institution"
        shutil.copytree(institution.directory, copy, ignore=_LEFT_OUT)
        placed = dict(_lay(copy, path))
        try:
            other = load(copy)
        except Defects as wrong:
            raise Defects(
                [_as_given(one, copy, placed, institution.directory) for one in wrong.defects]
            ) from None
        yield other, tuple(placed)


def _as_given(defect: Defect, copy: Path, placed: Mapping[str, Path], own: Path) -> Defect:
    """The defect with the file that was given, or the institution's own, in the place of its copy."""
    with suppress(ValueError):
        name = Path(defect.file).relative_to(copy)
        return replace(defect, file=str(placed.get(str(name), own / name)))
    return defect


def _lay(copy: Path, path: Path) -> Iterator[tuple[str, Path]]:
    """Copy the files over; the name of each, and where it was. Raises BadInput for one that has no place."""
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    found = 0
    for file in files:
        name = _place(file, file.relative_to(path) if path.is_dir() else Path(file.name))
        if name is None and not path.is_dir():
            known = ", ".join(_LAID_OVER)
            raise BadInput(f"{path}: expected {known}, or a playbook (NAME.yaml); give the file its own name")
        if name is not None:
            target = copy / name
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(file, target)
            found += 1
            yield name, file
    if not found:
        raise BadInput(f"{path}: nothing in it that could be laid over; expected {', '.join(_LAID_OVER)}")


def _place(file: Path, name: Path) -> str | None:
    """Where a file belongs in the institution's directory; None if nowhere."""
    if name.name in _LAID_OVER and len(name.parts) == 1:
        return name.name
    plays = name.suffix == ".yaml" and name.name not in FILES and name.parent in {Path(), Path("playbooks")}
    if plays and _PLAYBOOK.search(file.read_text(encoding="utf-8", errors="replace")):
        return f"playbooks/{name.name}"
    return None
