"""Lines in order, each once, verified: in a private database on the disk, so that memory does not bound it.

Duplicates are what a second path brings by itself; other bytes under one number are an alarm.
"""

from __future__ import annotations

import base64
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from console.restore.reading import Raw
from models.canonical import GENESIS, SALT_BYTES, chain_hash, document_digest, text_digest
from models.checkpoint import Heads, digest, key_id, read_checkpoint
from models.errors import BadInput
from models.fact import read_fact
from models.frozen import Document
from models.lines import read_line

MAX_DEFECTS = 50
KEY_FACTS = ("key.made", "key.rotated", "key.replaced")
_TEXT = re.compile(rb'"(t:[0-9a-f]{64})"')
_DOCUMENT = re.compile(rb'"document":"(sha256:[0-9a-f]{64})"')
_SCHEMA = """
create table fact (stream text, seq int, kind text, hash blob, body blob, place text,
                   primary key (stream, seq));
create table text (stream text, digest text, seq int, salt blob, body text, primary key (stream, digest));
create table document (digest text primary key, media text, body blob);
create table checkpoint (number int primary key, body blob, key text, signature blob);
create table anchor (checkpoint int, kind text, place text, at text, receipt text, token blob,
                     primary key (checkpoint, kind, place));
create table key (id text primary key, public blob);
create table stream (id text, seq int, hash blob);
"""


@dataclass(kw_only=True)
class Found:
    """What was read, and everything that is wrong with it (the first fifty)."""

    heads: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    defects: list[str] = field(default_factory=list)
    lines: int = 0
    repeated: int = 0
    torn: int = 0
    texts: int = 0
    texts_missing: int = 0
    checkpoints: int = 0
    unsigned: int = 0
    """Checkpoints whose key is not in the source: their heads were compared, their signatures were not."""
    behind: int = 0
    """Facts that no checkpoint of the source covers: nothing but their own chain vouches for them."""
    signed_by: str = ""
    """The key of the last checkpoint; empty if there is none."""

    def wrong(self, text: str) -> None:
        """Note a defect."""
        if len(self.defects) < MAX_DEFECTS:
            self.defects.append(text)


def _unknown(line: dict[str, Any], _: str) -> None:
    raise BadInput(f"a line of kind {line['t'][:20]!r}, which this version does not know")


class Staging:
    """Takes lines in any order, then says what they come to."""

    def __init__(self) -> None:
        # An empty name: a private database that spills to the disk and is gone when closed.
        self.database = sqlite3.connect("", isolation_level=None)
        self.database.executescript(_SCHEMA)
        self.database.execute("begin")
        self.found = Found()
        self._covered = 0
        self._take = {
            "fact": self._fact,
            "text": self._text,
            "document": self._document,
            "checkpoint": self._checkpoint,
            "anchor": self._anchor,
            "key": self._key,
        }

    def close(self) -> None:
        """Forget it all."""
        self.database.close()

    # -- taking ---------------------------------------------------------------------------------------------

    def take(self, raw: Raw) -> None:
        """One line; what is wrong with it is noted with its place."""
        self.found.lines += 1
        if raw.torn:
            # Killed while it was written; it comes again whole, or the chain will miss it.
            self.found.torn += 1
            return
        try:
            line = read_line(raw.body)
            self._take.get(line["t"], _unknown)(line, raw.place)
        except BadInput as wrong:
            self.found.wrong(f"{raw.place}: {wrong}")
        except (KeyError, TypeError, ValueError, AttributeError) as wrong:
            self.found.wrong(
                f"{raw.place}: a field is missing or is not what it ought to be: {wrong!r}"[:300]
            )

    def _add(self, table: str, key: dict[str, Any], rest: dict[str, Any]) -> tuple[Any, ...] | None:
        """Insert; what was there before under this key, if it was."""
        row = key | rest
        names = ", ".join(row)
        marks = ", ".join("?" for _ in row)
        done = self.database.execute(
            f"insert or ignore into {table} ({names}) values ({marks})",  # noqa: S608 - our own names
            tuple(row.values()),
        )
        if done.rowcount:
            return None
        self.found.repeated += 1
        where = " and ".join(f"{name} = ?" for name in key)
        query = f"select {', '.join(rest)} from {table} where {where}"  # noqa: S608 - our own names
        before: tuple[Any, ...] = self.database.execute(query, tuple(key.values())).fetchone()
        return before

    def _fact(self, line: dict[str, Any], place: str) -> None:
        stream, seq, body = str(line["stream"]), int(line["seq"]), line["body"].encode()
        rest = {"body": body, "hash": bytes.fromhex(line["hash"]), "kind": str(line["kind"]), "place": place}
        before = self._add("fact", {"stream": stream, "seq": seq}, rest)
        if before is not None and before[:2] != (body, rest["hash"]):
            raise BadInput(
                f"{stream} #{seq} is another fact than at {before[3]}: two nodes have gone on with one "
                "record, or somebody has meddled"
            )

    def _text(self, line: dict[str, Any], _: str) -> None:
        key = {"stream": str(line["stream"]), "digest": str(line["digest"])}
        salt, body = bytes.fromhex(line["salt"]), line["body"]
        if body is not None and len(salt) != SALT_BYTES:
            raise BadInput(f"{key['stream']}: the salt of {key['digest'][:14]}… is not {SALT_BYTES} bytes")
        if body is not None and text_digest(salt, str(body)) != key["digest"]:
            raise BadInput(f"{key['stream']}: the text {key['digest'][:14]}… was altered")
        row = {"salt": salt, "body": body, "seq": int(line["seq"])}
        before = self._add("text", key, row)
        if before is not None and before[1] is None and body is not None:
            # That it is gone is for a fact to say, not for a line: what was disposed of goes in `_disposed`.
            self.database.execute(
                "update text set salt = ?, body = ?, seq = ? where stream = ? and digest = ?",
                (*row.values(), *key.values()),
            )

    def _document(self, line: dict[str, Any], _: str) -> None:
        body = base64.b64decode(line["body"], validate=True)
        if document_digest(body) != line["digest"]:
            raise BadInput(f"document {str(line['digest'])[:19]}… was altered")
        self._add("document", {"digest": line["digest"]}, {"media": str(line["media"]), "body": body})

    def _checkpoint(self, line: dict[str, Any], _: str) -> None:
        number, body = int(line["number"]), line["body"].encode()
        rest = {"body": body, "key": str(line["key"]), "signature": bytes.fromhex(line["signature"])}
        before = self._add("checkpoint", {"number": number}, rest)
        if before is not None and before[0] != body:
            raise BadInput(
                f"checkpoint {number} is another one than before: two nodes, or somebody has meddled"
            )

    def _anchor(self, line: dict[str, Any], _: str) -> None:
        token = base64.b64decode(line["token"]) if line.get("token") else None
        key = {"checkpoint": int(line["checkpoint"]), "kind": str(line["kind"]), "place": str(line["where"])}
        rest = {"at": str(line["at"]), "receipt": str(line.get("receipt", "")), "token": token}
        self._add("anchor", key, rest)

    def _key(self, line: dict[str, Any], _: str) -> None:
        public = bytes.fromhex(line["public"])
        if key_id(public) != line["id"]:
            raise BadInput(f"key {str(line['id'])[:40]} is not named by its own digest")
        self._add("key", {"id": line["id"]}, {"public": public})

    # -- verifying ------------------------------------------------------------------------------------------

    def verify(self) -> Found:
        """Walk every chain and hold every checkpoint against it."""
        found = self.found
        stream, seq, before = "", 0, GENESIS
        rows = self.database.execute(
            "select stream, seq, kind, hash, body, place from fact order by stream, seq"
        )
        for name, number, kind, stored, body, place in rows:
            if name != stream:
                stream, seq, before = name, 0, GENESIS
            if number != seq + 1:
                found.wrong(f"{stream}: #{seq + 1} is missing before #{number} ({place})")
            elif chain_hash(before, body) != stored:
                found.wrong(f"{place}: {stream} #{number}: the stored bytes and their hash do not agree")
            self._labelled(body, (name, number, kind), place)
            seq, before = number, stored
            found.heads[stream] = (seq, before)
        if not found.heads:
            found.wrong("the source holds no facts")
        self._disposed()
        self._missing_texts()
        self._checkpoints()
        return found

    def _labelled(self, body: bytes, label: tuple[str, int, str], place: str) -> None:
        try:
            fact = read_fact(body)
        except msgspec.DecodeError as wrong:
            self.found.wrong(f"{place}: the stored bytes are no fact: {wrong}")
            return
        if (fact.stream, fact.seq, fact.kind) != label:
            self.found.wrong(f"{place}: the bytes are of {fact.stream} #{fact.seq} {fact.kind}")
        if fact.stream == "house" and fact.kind in KEY_FACTS and "public" in fact.data:
            public = bytes.fromhex(str(fact.data["public"]))
            self.database.execute("insert or ignore into key values (?, ?)", (key_id(public), public))

    def _disposed(self) -> None:
        """What the facts say was disposed of is not brought back, whatever an old segment holds."""
        query = "select stream, body from fact where kind = 'text.disposed'"
        decided = set()
        for stream, body in self.database.execute(query).fetchall():
            digest = self._digest(body)
            decided.add((stream, digest))
            self.database.execute(
                "update text set body = null, salt = x'' where stream = ? and digest = ?", (stream, digest)
            )
        for stream, digest in self.database.execute("select stream, digest from text where body is null"):
            if (stream, digest) not in decided:
                self.found.wrong(
                    f"{stream}: the text {digest[:14]}… is gone, and no decision to dispose of it is there"
                )

    def _digest(self, body: bytes) -> str:
        try:
            return str(read_fact(body).data.get("digest", ""))
        except msgspec.DecodeError:
            return ""  # noted as no fact before

    def _missing_texts(self) -> None:
        there = set(self.database.execute("select stream, digest from text"))
        self.found.texts = len(there)
        named: set[tuple[str, str]] = set()
        for stream, body in self.database.execute("select stream, body from fact"):
            named.update((stream, one.decode()) for one in _TEXT.findall(body))
        self.found.texts_missing = len(named - there)

    def _checkpoints(self) -> None:
        keys = dict(self.database.execute("select id, public from key").fetchall())
        before: tuple[int, str] | None = None
        for number, body, key, signature in self.database.execute(
            "select number, body, key, signature from checkpoint order by number"
        ).fetchall():
            self.found.checkpoints += 1
            self._signed(number, (body, signature), keys.get(key))
            self._follows(number, body, before)
            before = (number, digest(body))
            self.found.signed_by = key
        self.found.behind = sum(seq for seq, _ in self.found.heads.values()) - self._covered

    def _signed(self, number: int, signed: tuple[bytes, bytes], public: bytes | None) -> None:
        if public is None:
            self.found.unsigned += 1
            return
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signed[1], signed[0])
        except (InvalidSignature, ValueError):
            self.found.wrong(f"checkpoint {number}: its signature does not hold")

    def _follows(self, number: int, body: bytes, before: tuple[int, str] | None) -> None:
        try:
            made = read_checkpoint(body)
        except BadInput as wrong:
            self.found.wrong(f"checkpoint {number}: {wrong}")
            return
        if before is not None and (number, made.previous) != (before[0] + 1, before[1]):
            self.found.wrong(
                f"checkpoint {number} does not follow on {before[0]}: one is missing, or altered"
            )
        self._covered = int(made.facts)
        self._holds(number, made.heads)

    def _holds(self, number: int, heads: Heads) -> None:
        """What was signed is what is here: a record that is gone is found by this alone."""
        for stream, (seq, head) in heads.items():
            query = "select hash from fact where stream = ? and seq = ?"
            row = self.database.execute(query, (stream, seq)).fetchone()
            if row is None:
                self.found.wrong(f"checkpoint {number} names {stream} #{seq}, which the source does not hold")
            elif row is not None and row[0].hex() != head:
                self.found.wrong(f"checkpoint {number}: {stream} #{seq} is another fact than was signed")

    # -- giving ---------------------------------------------------------------------------------------------

    def bodies(self, stream: str, kinds: tuple[str, ...] = (), after: int = 0) -> Iterator[bytes]:
        """The stored bytes of a stream's facts after `after`, of these kinds or of all."""
        query = "select body, kind from fact where stream = ? and seq > ? order by seq"
        for body, kind in self.database.execute(query, (stream, after)):
            if not kinds or kind in kinds:
                yield body

    def documents(self) -> set[str]:
        """The digests of the documents that are there."""
        return {row[0] for row in self.database.execute("select digest from document")}

    def documents_named(self) -> set[str]:
        """The digests that facts name as documents."""
        named: set[str] = set()
        for (body,) in self.database.execute("select body from fact"):
            named.update(one.decode() for one in _DOCUMENT.findall(body))
        return named

    def keep(self, document: Document) -> None:
        """A document from elsewhere."""
        self._add(
            "document", {"digest": document.digest}, {"media": "application/json", "body": document.body}
        )

    def rows(self, query: str, *values: Any) -> Iterator[dict[str, Any]]:
        """Rows of a query by the names of their columns."""
        cursor = self.database.execute(query, values)
        names = [column[0] for column in cursor.description]
        for row in cursor:
            yield dict(zip(names, row, strict=True))
