"""What people do in an incident, as commands: the mix that the benchmarks give."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bank import ANALYST, LEAD
from models.commands import AddEvidence, AddStep, Command, Done, Note, ScopeFact

TEXT = "cb-batch01 のログを確認。17:58 以降 svc-batch による不審な操作が続いている。"


def notes(count: int) -> Iterator[Command]:
    """Only notes: one fact and one text each."""
    for number in range(count):
        yield Note(actor=ANALYST, text=f"{TEXT} {number}")


def mixed(count: int, mark: str) -> Iterator[Command]:
    """Of ten commands: five notes, two scope items, one evidence item, one step added and the same one done.

    `mark` keeps the steps of several runs apart.
    """
    for number in range(count):
        yield _one(number, mark)


def _one(number: int, mark: str) -> Command:
    place, step = number % 10, f"look-{mark}-{number // 10}"
    if place in {2, 6}:
        name = f"host-{mark}-{number}"
        return ScopeFact(actor=ANALYST, what="add", kind="host", name=name, text=TEXT)
    if place == 4:
        digest = f"sha256:{number:064x}"
        return AddEvidence(actor=ANALYST, source=f"pc-{number}", description=TEXT, digest=digest, size=4096)
    if place == 7:
        return AddStep(
            actor=LEAD, step=step, phase="triage", title=TEXT, owner="csirt-duty", reason="ベンチマーク"
        )
    if place == 8:
        return Done(actor=LEAD, step=f"added/{step}", note=TEXT)
    return Note(actor=ANALYST, text=f"{TEXT} {number}")
