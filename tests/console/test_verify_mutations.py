"""With one checkpoint kept elsewhere every change is found, and the first bad fact is named (P5)."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from console.verify import Verification, keep, verify_path
from console.verifying import chains
from models.clock import ExerciseClock
from models.commands import Note
from models.record import Record
from tests.console.tampering import COVERS, MUTATIONS, Kept, seeded, sound, tampered
from tests.models.small import BEN, NIGHT, by, open_desk

ALONE = Path(__file__).parents[2] / "docs" / "verify.py"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return sound(tmp_path_factory.mktemp("sound"))


def looked_at(kept: Kept, path: Path) -> Verification:
    """What the verifier finds, given the checkpoint and the key."""
    return verify_path(path, keep([str(kept.elsewhere)], [kept.signer.public.hex()]))


def must_be_found(kept: Kept, target: Path, kind: str, how: str, chance: random.Random) -> bool:
    """Change a copy; whether the first bad fact of each record was named exactly."""
    where = tampered(kept, target, kind, how, chance)
    found = looked_at(kept, target)
    assert not found.ok, (kind, how, where)
    exact = True
    for stream, seq in where.items():
        assert stream in found.bad, (kind, how, where, found.problems)
        low, high = found.bad[stream]
        assert low <= seq <= high, (kind, how, where, found.bad, found.problems)
        exact = exact and low == high
    return exact


def test_the_sound_record_is_sound(kept: Kept) -> None:
    found = looked_at(kept, kept.path)
    assert found.ok, found.problems
    assert found.notes == []
    assert (found.held, found.checkpoints) == (1, 8)
    assert found.signatures >= 1


@pytest.mark.parametrize("how", COVERS)
@pytest.mark.parametrize("kind", MUTATIONS)
def test_each_kind_of_change_is_found(kept: Kept, tmp_path: Path, kind: str, how: str) -> None:
    for seed in range(3):
        exact = must_be_found(kept, tmp_path / "copy.db", kind, how, seeded(seed))
        # Where the checkpoints in between still stand, the very fact is named.
        assert exact or how != "none" or kind == "roll_back"


@pytest.mark.parametrize("seeds", [range(at, at + 250) for at in range(0, 1_000, 250)], ids=str)
def test_a_thousand_seeded_changes_are_found(kept: Kept, tmp_path: Path, seeds: range) -> None:
    for seed in seeds:
        chance = seeded(seed)
        kind, how = chance.choice(list(MUTATIONS)), chance.choice(COVERS)
        must_be_found(kept, tmp_path / "copy.db", kind, how, chance)


@pytest.mark.parametrize("kind", ["recompute", "delete_incident"])
def test_the_file_alone_finds_it_too(kept: Kept, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "copy.db"
    where = tampered(kept, target, kind, "none", seeded(1))
    command = [sys.executable, "-I", "-S", str(ALONE), str(target), "--checkpoint", str(kept.elsewhere)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    [(stream, seq)] = where.items()
    assert done.returncode == 1
    assert f"first bad fact: {stream} #{seq}\n" in done.stdout
    sound_one = subprocess.run([*command[:4], str(kept.path)], capture_output=True, text=True, check=False)  # noqa: S603
    assert (sound_one.returncode, sound_one.stderr) == (0, "")


@pytest.mark.parametrize("kind", ["truncate", "recompute", "delete_incident"])
def test_without_any_checkpoint_these_are_not_found(kept: Kept, tmp_path: Path, kind: str) -> None:
    """What the page about the record says a chain alone does not show: should this fail, say so there."""
    target = tmp_path / "copy.db"
    tampered(kept, target, kind, "delete", seeded(2))
    assert [one for one in verify_path(target).problems if "text" not in one] == []


@pytest.mark.parametrize("kind", ["flip", "delete", "recompute", "swap_tails"])
def test_workers_find_the_same(
    kept: Kept, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large record is verified in ranges, some of which begin in the middle of a stream."""
    target = tmp_path / "copy.db"
    tampered(kept, target, kind, "none", seeded(3))
    alone, sound_one = looked_at(kept, target), looked_at(kept, kept.path)
    monkeypatch.setattr("console.verifying.chains.AT_ONCE", 37)
    shared = looked_at(kept, target)
    assert not shared.ok
    assert shared.as_json() == alone.as_json()
    assert looked_at(kept, kept.path).as_json() == sound_one.as_json()


def test_a_record_that_grows_meanwhile_is_verified_as_of_the_beginning(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = kept.copy(tmp_path)
    record = Record.at(target)
    desk = open_desk(record=record, clock=ExerciseClock(NIGHT))
    desk.state("house")  # a node keeps it open, and so in WAL
    walked = chains._walk

    def slowly(*given: Any) -> Any:
        desk.handle("INC-2026-0001", Note(actor=by(BEN), text="written meanwhile"))
        return walked(*given)

    monkeypatch.setattr(chains, "_walk", slowly)
    before = verify_path(target).facts
    found = verify_path(target)
    record.close()
    assert found.problems == []
    assert found.facts > before
