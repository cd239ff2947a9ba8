"""Whatever somebody does to a second path: it is refused, or what comes back was in the record."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from console.restore.reading import lines_of
from console.restore.staging import Staging
from models.commands import Declare
from notifiers.relay.folder import FolderSink
from tests.models.small import AMY, by
from tests.notifiers.relayhouse import carrier, carry, desk_at, note, stored

MUTATIONS = 300


@pytest.fixture(scope="module")
def segment(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[list[bytes], set[tuple[str, int, str]], set[str]]:
    """The lines of a second path, the facts and the texts of its record."""
    folder = tmp_path_factory.mktemp("mutations")
    desk = desk_at(folder / "hikeshi.db")
    assert desk.handle(None, Declare(actor=by(AMY), text="another one")).accepted
    for number in range(10):
        note(desk, f"note {number} with 日本語")
    vault = folder / "vault"
    vault.mkdir()
    one = carrier(desk, FolderSink(vault))
    carry(desk, one)
    one.close()
    facts = set(stored(desk))
    with desk.record.read() as tx:
        texts = {row[0] for row in tx.connection.exec_driver_sql("select body from text")}
    desk.record.close()
    [path] = vault.iterdir()
    return path.read_bytes().splitlines(keepends=True), facts, texts


def mutated(lines: list[bytes], chance: random.Random) -> list[bytes]:
    """One change of a kind that accidents and people make."""
    changed, at = list(lines), chance.randrange(len(lines))
    kind = chance.choice(("flip", "drop", "double", "swap", "cut", "byte", "forge", "tail"))
    if kind == "flip":
        line = bytearray(changed[at])
        line[chance.randrange(len(line))] ^= 1 << chance.randrange(8)
        changed[at] = bytes(line)
    elif kind == "drop":
        del changed[at]
    elif kind == "double":
        changed.insert(chance.randrange(len(lines)), changed[at])
    elif kind == "swap":
        other = chance.randrange(len(lines))
        changed[at], changed[other] = changed[other], changed[at]
    elif kind == "cut":
        changed = [*changed[:at], changed[at][: chance.randrange(len(changed[at]))]]
    elif kind == "byte":
        place = chance.randrange(len(changed[at]))
        changed[at] = changed[at][:place] + bytes([chance.randrange(256)]) + changed[at][place:]
    elif kind == "forge":
        changed[at] = changed[at].replace(b"amy", b"eve").replace(b"note", b"mote")
    else:
        changed = changed[:at]
    return changed


@pytest.mark.parametrize("seed", range(3))
def test_no_mutation_brings_back_what_was_never_recorded(
    segment: tuple[list[bytes], set[tuple[str, int, str]], set[str]], tmp_path: Path, seed: int
) -> None:
    lines, facts, texts = segment
    chance = random.Random(seed)  # noqa: S311 - a seed that can be run again
    refused = 0
    path = tmp_path / "facts-00000001.jsonl"
    for _ in range(MUTATIONS // 3):
        path.write_bytes(b"".join(mutated(lines, chance)))
        staging = Staging()
        for raw in lines_of(tmp_path, None):
            staging.take(raw)
        if staging.verify().defects:
            refused += 1
        else:
            query = "select stream, seq, body from fact"
            assert {(row["stream"], row["seq"], row["body"].decode()) for row in staging.rows(query)} <= facts
            assert {row["body"] for row in staging.rows("select body from text")} <= texts | {None}
        staging.close()
    assert refused > MUTATIONS // 3 // 4
