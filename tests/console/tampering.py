"""A record with checkpoints, and everything that somebody who has the database may do to it.

Each mutation changes a copy and says where its first bad fact is. `cover` is what the attacker does about the
checkpoints: nothing, deletes them, or makes them anew with the installation's own key.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from console import checkpoints as making
from console.signing import Signer, new_key
from models.canonical import GENESIS, canonical_bytes, chain_hash
from models.checkpoint import Maker, digest, make
from models.clock import ExerciseClock, parse_instant
from models.commands import Declare, NodeFact, Note
from models.integrity import NoteKey
from models.record import Record
from tests.models.small import AMY, BEN, MACHINE, NIGHT, by, open_desk

COVERS = ("none", "delete", "remake")
Where = dict[str, int]
"""Of each record that was changed the number of its first bad fact."""


@dataclass(kw_only=True)
class Kept:
    """A sound record at `path`, and a checkpoint of it that lies elsewhere."""

    path: Path
    elsewhere: Path
    signer: Signer
    heads: dict[str, int]
    """Up to where the kept checkpoint reaches in each record."""
    seed: bytes = field(default=b"", repr=False)

    def copy(self, folder: Path, name: str = "copy.db") -> Path:
        """A copy to be changed."""
        return Path(shutil.copyfile(self.path, folder / name))


def seeded(seed: int) -> random.Random:
    """Chance that is the same each time."""
    return random.Random(seed)  # noqa: S311 - nothing secret comes of it


def sound(folder: Path, *, notes: int = 60, incidents: int = 3) -> Kept:
    """Incidents with notes, a checkpoint after each few, the one before the end kept elsewhere."""
    path, clock, signer = folder / "sound.db", ExerciseClock(NIGHT), new_key()[0]
    record = Record.at(path)
    record.migrate()
    desk = open_desk(record=record, clock=clock)
    key = NoteKey(actor=MACHINE, how="made", key=signer.id, public=signer.public.hex(), stated_at=clock.now())
    desk.handle("house", key)
    maker = making.Checkpoints(record=record, clock=clock, node="pager")
    streams = [
        desk.handle(None, Declare(actor=by(AMY), text=f"odd {number}")).stream for number in range(incidents)
    ]
    chance, made, heads = seeded(7), None, {}
    for number in range(notes):
        desk.handle(chance.choice(streams), Note(actor=by(BEN), text=f"seen {number}"))
        desk.handle("house", NodeFact(actor=MACHINE, what="started", node=f"n{number}"))
        clock.advance(timedelta(seconds=20))
        if number % 7 == 6:
            made = maker.now(signer)
            with record.read() as tx:
                assert made is not None
                kept = making.kept_form(tx, made)
                heads = {name: tx.head(name)[0] for name in [*streams, "house"]}
    for stream in streams:
        desk.handle(stream, Note(actor=by(BEN), text="after the last checkpoint"))
    record.close()
    with sqlite3.connect(path) as database:
        database.execute("pragma journal_mode=delete")
    elsewhere = folder / "kept.json"
    elsewhere.write_bytes(kept)
    return Kept(path=path, elsewhere=elsewhere, signer=signer, heads=heads)


# -- changing -----------------------------------------------------------------------------------------------


def bodies(database: sqlite3.Connection, stream: str) -> list[bytes]:
    """The facts of a record in order."""
    rows = database.execute("select body from fact where stream = ? order by seq", (stream,))
    return [row[0] for row in rows]


def write(database: sqlite3.Connection, stream: str, facts: list[bytes]) -> None:
    """Put these facts in the place of a record's, numbered and chained anew: a sound chain."""
    database.execute("delete from fact where stream = ?", (stream,))
    head = GENESIS
    for seq, body in enumerate(facts, 1):
        content = json.loads(body) | {"seq": seq, "stream": stream}
        again = canonical_bytes(content)
        head = chain_hash(head, again)
        row = (stream, seq, content["kind"], again, head)
        database.execute("insert into fact (stream, seq, kind, body, hash) values (?, ?, ?, ?, ?)", row)
    database.execute("update stream set seq = ?, hash = ? where id = ?", (len(facts), head, stream))


def altered(body: bytes, chance: random.Random) -> bytes:
    """The same fact, saying something else."""
    content = json.loads(body)
    content["actor"] = f"mallory{chance.randrange(10**6)}"
    return canonical_bytes(content)


def _pick(kept: Kept, chance: random.Random, least: int = 2) -> tuple[str, int]:
    stream = chance.choice([name for name, seq in sorted(kept.heads.items()) if seq >= least])
    return stream, chance.randint(1, kept.heads[stream])


def flip(database: sqlite3.Connection, kept: Kept, chance: random.Random) -> Where:
    """One bit of one fact."""
    stream, seq = _pick(kept, chance)
    body = bytearray(bodies(database, stream)[seq - 1])
    body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    database.execute("update fact set body = ? where stream = ? and seq = ?", (bytes(body), stream, seq))
    return {stream: seq}


def delete(database: sqlite3.Connection, kept: Kept, chance: random.Random) -> Where:
    """One fact, from the middle or the end."""
    stream, seq = _pick(kept, chance)
    database.execute("delete from fact where stream = ? and seq = ?", (stream, seq))
    return {stream: seq}


def swap(database: sqlite3.Connection, kept: Kept, chance: random.Random) -> Where:
    """Two facts change places; half of the time the chain is made anew."""
    stream, one = _pick(kept, chance)
    other = chance.choice([seq for seq in range(1, kept.heads[stream] + 1) if seq != one])
    facts = bodies(database, stream)
    facts[one - 1], facts[other - 1] = facts[other - 1], facts[one - 1]
    if chance.random() < 0.5:
        write(database, stream, facts)
    else:
        for seq in (one, other):
            changed = (facts[seq - 1], stream, seq)
            database.execute("update fact set body = ? where stream = ? and seq = ?", changed)
    return {stream: min(one, other)}


def insert(database: sqlite3.Connection, kept: Kept, chance: random.Random) -> Where:
    """A fact that never was; all after it are numbered and chained anew."""
    stream, seq = _pick(kept, chance)
    facts = bodies(database, stream)
    facts.insert(seq - 1, altered(chance.choice(facts), chance))
    write(database, stream, facts)
    return {stream: seq}


def truncate(database: sqlite3.Connection, kept: Kept, chance: random.Random) -> Where:
    """The end is cut off, and the head put to where the record ends now."""
    stream, seq = _pick(kept, chance)
    write(database, stream, bodies(database, stream)[: seq - 1])
    return {stream: seq}


def recompute(database: sqlite3.Connection, kept: Kept, chance: random.Random) -> Where:
    """A fact says something else, and the chain is made anew from there."""
    stream, seq = _pick(kept, chance)
    facts = bodies(database, stream)
    facts[seq - 1] = altered(facts[seq - 1], chance)
    write(database, stream, facts)
    return {stream: seq}


def delete_incident(database: sqlite3.Connection, kept: Kept, chance: random.Random) -> Where:
    """A whole incident, with its texts and its head."""
    stream = chance.choice([name for name in sorted(kept.heads) if name.startswith("INC-")])
    for table, column in (("fact", "stream"), ("text", "stream"), ("stream", "id")):
        database.execute(f"delete from {table} where {column} = ?", (stream,))  # noqa: S608
    return {stream: 1}


def swap_tails(database: sqlite3.Connection, kept: Kept, chance: random.Random) -> Where:
    """The ends of two records change places, each numbered and chained anew where it is now."""
    one, other = chance.sample(sorted(kept.heads), 2)
    first, second = bodies(database, one), bodies(database, other)
    at, there = (chance.randint(1, kept.heads[name]) for name in (one, other))
    write(database, one, first[: at - 1] + second[there - 1 :])
    write(database, other, second[: there - 1] + first[at - 1 :])
    return {one: at, other: there}


def roll_back(database: sqlite3.Connection, kept: Kept, chance: random.Random) -> Where:
    """The database as it was some time ago: a backup, put back."""
    last = int(database.execute("select max(rowid) from fact").fetchone()[0])
    at = chance.randint(last // 4, last - 40)
    instant = database.execute("select body from fact where rowid = ?", (at,)).fetchone()[0]
    since = json.loads(instant)["recorded_at"]
    database.execute("delete from fact where rowid > ?", (at,))
    micros = int(parse_instant(since).timestamp() * 1_000_000)
    database.execute("delete from checkpoint where at > ?", (micros,))
    where = {}
    for stream, seq in kept.heads.items():
        facts = bodies(database, stream)
        write(database, stream, facts)
        if not facts:
            database.execute("delete from stream where id = ?", (stream,))
        if len(facts) < seq:
            where[stream] = len(facts) + 1
    database.execute("delete from text where seq > (select seq from stream where id = text.stream)")
    return where


Mutation = Callable[[sqlite3.Connection, Kept, random.Random], Where]
MUTATIONS: dict[str, Mutation] = {
    one.__name__: one
    for one in (
        flip, delete, swap, insert, truncate, recompute, delete_incident, swap_tails, roll_back,
    )
}  # fmt: skip


def cover(database: sqlite3.Connection, how: str, kept: Kept) -> None:
    """What the attacker does about the checkpoints that lie in the same database."""
    if how == "delete":
        database.execute("delete from checkpoint")
    if how != "remake":
        return
    old = [json.loads(row[0]) for row in database.execute("select body from checkpoint order by number")]
    database.execute("delete from checkpoint")
    before: tuple[int, str] | None = None
    for content in old:
        heads: dict[str, tuple[int, str]] = {}
        trail: dict[str, list[str]] = {}
        for stream, (seq, _) in content["heads"].items():
            rows = database.execute(
                "select hash from fact where stream = ? and seq <= ? order by seq", (stream, seq)
            ).fetchall()
            if rows:
                heads[stream] = (len(rows), rows[-1][0].hex())
                trail[stream] = [row[0].hex() for row in rows]
        by_whom = Maker(parse_instant(content["at"]), "pager", kept.signer.id)
        one = make(by_whom, before=before, heads=heads, known=None, trail=trail)
        body = one.body()
        row: tuple[Any, ...] = (one.number, 0, body, kept.signer.id, kept.signer.sign(body))
        database.execute("insert into checkpoint (number, at, body, key, signature) values (?,?,?,?,?)", row)
        before = (one.number, digest(body))


def tampered(kept: Kept, target: Path, kind: str, how: str, chance: random.Random) -> Where:
    """Change a copy at `target`; where its first bad facts are."""
    shutil.copyfile(kept.path, target)
    with sqlite3.connect(target) as database:
        where = MUTATIONS[kind](database, kept, chance)
        cover(database, how, kept)
    database.close()
    return where
