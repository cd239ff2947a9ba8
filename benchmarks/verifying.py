"""Verifying 1,000,000 chained facts with a checkpoint for each hundred: the one file, alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import orjson
from sqlalchemy import select

from benchmarks.bank import declare, found
from benchmarks.figure import Figure
from benchmarks.ground import Ground
from benchmarks.work import TEXT as WORDS
from console.checkpoints import find_made, kept_form
from console.signing import new_key
from models.canonical import GENESIS, chain_hash, new_salt, text_digest
from models.checkpoint import EVERY_FACTS, Maker, digest, make
from models.clock import SystemClock
from models.errors import HikeshiError
from models.record import CHECKPOINT, FACT, STREAM, TEXT, Record, micros

FACTS = 1_000_000
STREAMS = 1_000
TARGET_SECONDS = 10
DETAIL = ("streams", "facts", "texts", "checkpoints", "held", "signatures")
TEXTS_EVERY = 4
"""One fact of four has a text beside it, and only some of a machine's facts do."""


def verifying(ground: Ground) -> Iterator[Figure]:
    """The facts are a real note's, written again under each number; chain, head and texts are sound."""
    bank = found(ground.place("verify"))
    desk = bank.desk()
    declare(desk)
    desk.record.close()
    _fill(bank.database)
    kept, key = _checkpoints(bank.database)
    alone = Path(__file__).parents[1] / "docs" / "verify.py"
    start = perf_counter()
    done = subprocess.run(  # noqa: S603 - our own interpreter, a file of ours
        # Isolated and without site-packages: neither these nor our folder can be imported.
        [
            sys.executable,
            "-I",
            "-S",
            str(alone),
            "--json",
            "--key",
            key,
            "--checkpoint",
            str(kept),
            str(bank.database),
        ],
        capture_output=True,
        check=False,
    )
    took = perf_counter() - start
    if done.returncode != 0:
        raise HikeshiError(f"a sound record was not verified: {done.stderr.decode()[-500:]}")
    seen = orjson.loads(done.stdout)
    yield Figure(
        name=f"verifying {FACTS:,} facts, standard library only",
        value=took,
        unit="s",
        n=int(seen["facts"]),
        target=TARGET_SECONDS,
        detail={
            name: seen[name] for name in ("streams", "facts", "texts", "checkpoints", "held", "signatures")
        },
    )


def _fill(path: Path) -> None:
    record = Record.at(path)
    with record.begin() as tx:
        for number in range(STREAMS):
            for table, rows in zip((STREAM, FACT, TEXT), _stream(f"INC-2025-{number:05d}"), strict=True):
                tx.connection.execute(table.insert(), rows)
    record.close()


def _checkpoints(path: Path) -> tuple[Path, str]:
    """A checkpoint after each hundred facts, as a node makes them; the last one, kept elsewhere; the key."""
    signer, _ = new_key()
    record, heads, at = Record.at(path), dict[str, tuple[int, str]](), SystemClock().now()
    before: tuple[int, str] | None = None
    with record.begin() as tx:
        tx.connection.execute(CHECKPOINT.delete())
        wanted = select(FACT.c.stream, FACT.c.seq, FACT.c.hash).order_by(FACT.c.stream, FACT.c.seq)
        rows = tx.connection.execute(wanted)
        for some in rows.partitions(EVERY_FACTS):
            known, trail = dict(heads), dict[str, list[str]]()
            for stream, seq, hashed in some:
                heads[stream] = (seq, bytes(hashed).hex())
                trail.setdefault(stream, []).append(bytes(hashed).hex())
            one = make(Maker(at, "pager", signer.id), before=before, heads=heads, known=known, trail=trail)
            body = one.body()
            row = {"number": one.number, "at": micros(at), "body": body, "key": signer.id}
            tx.connection.execute(CHECKPOINT.insert(), row | {"signature": signer.sign(body)})
            before = (one.number, digest(body))
        kept = path.with_name("kept.json")
        kept.write_bytes(kept_form(tx, find_made(tx)))
    record.close()
    return kept, signer.public.hex()


def _stream(name: str) -> tuple[list[dict[str, Any]], ...]:
    """A stream's row, its facts and its texts."""
    head, facts, texts = GENESIS, [], []
    for seq in range(1, FACTS // STREAMS + 1):
        data: dict[str, Any] = {}
        if seq % TEXTS_EVERY == 0:
            salt = new_salt()
            data["text"] = text_digest(salt, WORDS)
            texts.append({"stream": name, "digest": data["text"], "seq": seq, "salt": salt, "body": WORDS})
        body = _note(name, seq, data)
        head = chain_hash(head, body)
        facts.append({"stream": name, "seq": seq, "kind": "note.added", "body": body, "hash": head})
    row = dict.fromkeys(column.name for column in STREAM.columns)
    row |= {"id": name, "kind": "incident", "status": "closed", "severity": "", "drill": False}
    row |= {"opened_at": 0, "seq": len(facts), "hash": head, "wanted": 0, "served": 0, "rules": 0}
    row |= dict.fromkeys(("clocks_running", "clocks_breaking", "clocks_breached"), 0)
    row["restricted"] = False
    return [row | {"snapshot_seq": 0, "failures": 0}], facts, texts


def _note(stream: str, seq: int, data: dict[str, Any]) -> bytes:
    """A note's stored bytes: of ASCII keys and plain values orjson's sorted form is the canonical one."""
    content = {
        "actor": "suzuki-daichi",
        "at": "2026-11-22T18:00:00.000000Z",
        "data": data,
        "kind": "note.added",
        "recorded_at": "2026-11-22T18:00:00.000000Z",
        "seq": seq,
        "stream": stream,
        "v": 1,
        "via": "cli",
    }
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
