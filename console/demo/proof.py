"""At the demo's end: evidence compared, the record handed over and verified with nothing of Hikeshi."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from console import archive
from console.checkpoints import find_made, kept_form
from console.evidence_check import compare, object_of
from console.opening import House
from console.verify import single_file
from models.errors import HikeshiError
from models.state import Incident

SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What was found: of `items` objects `same` are what they were; a record of `facts` facts is sound."""

    items: int
    same: int
    facts: int
    number: int
    path: Path
    kept: Path
    verifier: Path


def prove(house: House, state: Incident, folder: Path, lang: str) -> Proof:
    """Compare, export and verify. Raises HikeshiError if anything is not as it should be."""
    beside = house.desk.texts(state.stream)
    found = (
        object_of(one, house.evidence, beside.get(one.words.get("storage", "")))
        for one in state.evidence.values()
    )
    results = [compare(one).result for one in found if one is not None]
    path, kept, verifier = (
        folder / f"{state.stream}.zip",
        folder / "kept-elsewhere.json",
        folder / "verify.py",
    )
    with house.record.read() as tx:
        made = find_made(tx)
        kept.write_bytes(kept_form(tx, made))
    path.unlink(missing_ok=True)
    wanted = archive.Wanted(incidents=(state.stream,), objects=True, lang=lang)
    exported = archive.write(house, wanted, path)
    verifier.write_text(single_file(), encoding="utf-8")
    done = subprocess.run(  # noqa: S603 - our own interpreter and file
        [sys.executable, "-I", "-S", str(verifier), str(path), "--checkpoint", str(kept)],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise HikeshiError(done.stdout + done.stderr)
    return Proof(
        items=len(results),
        same=results.count("same"),
        facts=exported.facts,
        number=made.number,
        path=path,
        kept=kept,
        verifier=verifier,
    )
