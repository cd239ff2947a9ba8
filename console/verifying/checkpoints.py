"""Checkpoints: their chain, and that the record still says what they say."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from console.verifying.database import CHECKPOINTS, FACT, LAST, Query, stored_hash
from console.verifying.found import Verification, as_bytes, sha256_of
from console.verifying.kept import Checkpoint, Kept, Source, read_checkpoint, root_of
from console.verifying.keys import check_signatures, check_stamps

TRAIL_DIGITS = 16
OVERLAP = timedelta(minutes=1)


def check_checkpoints(query: Query, found: Verification, kept: Kept, source: Source) -> None:
    """Their chain, their signatures, and that the record still says what they say."""
    lines: dict[int, Checkpoint] = {}
    for number, body, key, signature in query(CHECKPOINTS):
        one = read_checkpoint(number, as_bytes(body), key, as_bytes(signature))
        if one is None:
            found.problem(f"checkpoint #{number}: its bytes are not those of a checkpoint with this number")
        else:
            lines[number] = one
    found.checkpoints = len(lines)
    stored = max(lines, default=0)
    for one in kept.checkpoints:
        there = lines.get(one.number)
        if there is None and source.whole:
            what = "it was rolled back" if one.number > stored else "they were deleted"
            found.problem(f"checkpoint #{one.number}, kept elsewhere, is not in this record: {what}, or lost")
        elif there is not None and there.body != one.body:
            found.problem(f"checkpoint #{one.number} is not the one kept elsewhere: it was made anew")
        lines[one.number] = one
        found.held += 1
    _linked(found, lines, source)
    roots = {one.number for one in kept.checkpoints} or set(sorted(lines)[-1:])
    check_signatures(source, found, kept, [lines[number] for number in sorted(lines)], roots)
    trusted = [lines[number] for number in _vouched(lines, roots)]
    _roots(found, trusted, roots)
    _compare(query, found, trusted, source.scope)
    _beyond(query, found, kept, source.scope)
    check_stamps(query, found, lines, kept)


def _linked(found: Verification, lines: Mapping[int, Checkpoint], source: Source) -> None:
    """Each follows the one before, from the first on."""
    numbers = sorted(lines)
    if numbers and numbers[0] != 1 and (source.whole or not lines[numbers[0]].full):
        found.problem(f"the checkpoints before #{numbers[0]} are missing")
    for before, number in itertools.pairwise(numbers):
        if number != before + 1:
            found.problem(f"the checkpoints from #{before + 1} to #{number - 1} are missing")
        elif lines[number].content["previous"] != sha256_of(lines[before].body):
            found.problem(f"checkpoint #{number} does not follow from #{before}: one of them was altered")


def _vouched(lines: Mapping[int, Checkpoint], roots: set[int]) -> list[int]:
    """Numbers of those that a root stands for by the chain, and of those made after the last root."""
    good: list[int] = []
    last, expected = max(roots, default=0), ""
    for number in sorted(lines, reverse=True):
        one = lines[number]
        if number > last or number in roots or (number + 1 in lines and sha256_of(one.body) == expected):
            good.append(number)
            expected = one.content["previous"]
        else:
            expected = ""
    return good[::-1]


def _roots(found: Verification, trusted: list[Checkpoint], roots: set[int]) -> None:
    """The root of each checkpoint that matters covers the heads that it and those before it list."""
    heads: dict[str, Any] = {}
    number = 0
    for one in trusted:
        if not one.full and (one.number != number + 1 or not number):
            number = 0
            if one.held:
                found.note(f"checkpoint #{one.number}: only the heads that it lists itself were compared")
            continue
        heads = dict(one.heads) if one.full else {**heads, **one.heads}
        number = one.number
        asked = one.full or one.number in roots or one is trusted[-1]
        if asked and (len(heads), root_of(heads)) != (one.content["streams"], one.content["root"]):
            found.problem(f"checkpoint #{one.number}: its root does not cover its heads")


def _compare(query: Query, found: Verification, trusted: list[Checkpoint], scope: set[str] | None) -> None:
    """Each head that a checkpoint lists is still in the record. The first that is not is looked into."""
    seen: dict[str, Any] = {}
    agreed: dict[str, int] = {}
    wrong: dict[str, tuple[int, int]] = {}
    for one in trusted:
        for stream, (seq, head) in one.heads.items():
            if (
                stream in wrong
                or seen.get(stream) == (seq, head)
                or (scope is not None and stream not in scope)
            ):
                continue
            seen[stream] = (seq, head)
            if stored_hash(query, stream, seq) == head:
                agreed[stream] = seq
            else:
                wrong[stream] = (one.number, seq)
    for stream, (number, seq) in sorted(wrong.items()):
        if next(iter(query(LAST, {"stream": stream})))[0] is None:
            text = f"{stream}: the whole record is gone; checkpoint #{number} has it with {seq} facts"
            found.problem(text, stream, 1, 1)
        else:
            _locate(query, found, trusted, (stream, agreed.get(stream, 0), seq, number))


def _beyond(query: Query, found: Verification, kept: Kept, scope: set[str] | None) -> None:
    """What the last one that was kept does not say: records left out, and facts that it ought to know."""
    one = next((one for one in reversed(kept.checkpoints) if one.full), None)
    if one is None:
        return
    absent = len(set(one.heads) - scope) if scope is not None else 0
    if absent:
        found.note(f"of the records that checkpoint #{one.number} names {absent} are not in this archive")
    late = []
    for stream, length in found.lengths.items():
        seq = int(one.heads.get(stream, (0, ""))[0]) + 1
        if seq <= length and _before(query, (stream, seq), str(one.content.get("at"))):
            late.append(f"{stream} #{seq}")
    if late:
        text = f"dated before checkpoint #{one.number} was made, which does not know them: "
        found.note(text + ", ".join(late[:5]) + (f" and {len(late) - 5} more" if late[5:] else ""))


def _before(query: Query, where: tuple[str, int], at: str) -> bool:
    """Whether a fact says that it was recorded before an instant, by more than two writers may overlap."""
    row = next(iter(query(FACT, {"stream": where[0], "seq": where[1]})), None)
    try:
        recorded = datetime.fromisoformat(json.loads(as_bytes(row[0]))["recorded_at"]) if row else None
        return recorded is not None and recorded + OVERLAP < datetime.fromisoformat(at)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False  # reported as no fact before


def _locate(
    query: Query, found: Verification, trusted: list[Checkpoint], where: tuple[str, int, int, int]
) -> None:
    """Name the first fact that is not what it was, by the hashes that the checkpoints list."""
    stream, low, high, number = where
    known: dict[int, str] = {}
    for one in trusted:
        trail, head = one.content["trail"].get(stream, ""), one.content["heads"].get(stream)
        cut = [trail[at : at + TRAIL_DIGITS] for at in range(0, len(trail), TRAIL_DIGITS)]
        known |= {head[0] - len(cut) + 1 + at: part for at, part in enumerate(cut)} if head else {}
    for seq in range(low + 1, high + 1):
        stored = stored_hash(query, stream, seq)
        if stored is None or (seq in known and not stored.startswith(known[seq])):
            high = seq
            break
        low = seq if seq in known else low
    if low + 1 >= high:
        gone = stored_hash(query, stream, high) is None
        what = "is gone" if gone else "is not what it was"
        found.problem(f"{stream} #{high}: {what} when checkpoint #{number} was made", stream, high, high)
    else:
        text = f"{stream}: somewhere from #{low + 1} to #{high} it is not what it was at checkpoint #{number}"
        found.problem(text, stream, low + 1, high)
