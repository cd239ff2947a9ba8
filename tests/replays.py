"""That a record can be run again: with what it froze, its acts give the same facts, to the instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.desk import HOUSE, Desk
from models.fact import Fact
from models.replay.past import DISPOSED, is_digest
from models.replay.recorded import Recorded, read_back
from models.replay.run import Replay, Replayed, documents_of, frozen_setting

LONG = 3_000
"""Longer records are measured, not compared."""


def plain(facts: Sequence[Fact], texts: Mapping[str, str | None]) -> list[Any]:
    """Facts with their texts in the place of digests: each run salts its own."""
    return [
        (one.seq, one.kind, one.at, one.recorded_at, one.actor, one.for_, one.via, _told(one.data, texts))
        for one in facts
    ]


def _told(value: Any, texts: Mapping[str, str | None]) -> Any:
    if isinstance(value, dict):
        return {name: _told(one, texts) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_told(one, texts) for one in value]
    if not is_digest(value):
        return value
    found = texts.get(value)
    # In a replay of what was disposed of a placeholder stands there, which is disposed of in its turn.
    return "text:" if found in {None, DISPOSED} else f"text:{found}"


def record_of(desk: Desk, stream: str) -> tuple[Recorded, list[Fact], dict[str, bytes]]:
    """The record taken apart, the house's, and the documents that it froze."""
    with desk.record.read() as tx:
        facts, house = tx.facts(stream), tx.facts(HOUSE)
        recorded = read_back(facts, tx.texts(stream, 0))
        bodies = {digest: tx.document(digest) for digest in documents_of(recorded)}
    return recorded, house, {digest: body for digest, body in bodies.items() if body is not None}


def run_again(desk: Desk, stream: str) -> Replayed:
    """The record as recorded, with what it froze."""
    recorded, house, documents = record_of(desk, stream)
    setting = frozen_setting(recorded, desk.premises, documents)
    return Replay(recorded, setting, manner="as-recorded", house=house, late=None).run()


def must_run_again(desk: Desk, stream: str) -> None:
    """Fails unless the record's acts give the record's facts."""
    with desk.record.read() as tx:
        facts, texts = tx.facts(stream), tx.texts(stream, 0)
    if not facts or len(facts) > LONG:
        return
    replayed = run_again(desk, stream)
    if {one.recorded_at for one in facts} & {one.recorded_at for one in replayed.heard}:
        return  # two records that were written in the same instant do not say which came first
    assert [(one.act.command, one.reason, one.detail) for one in replayed.refused] == []
    again = plain(replayed.facts, replayed.desk.texts(stream))
    for then, now in zip(plain(facts, texts), again, strict=False):
        assert now == then, f"then {then}\nnow  {now}"
    assert len(again) == len(facts)
