"""An archive that proves itself: facts, texts, documents, checkpoints, evidence list, and the verifier.

Written line by line beside its place and renamed, so that its size is bounded by nothing but the disk and
half of one is never taken for a whole. JSON only: nothing in it is run or opened as a formula.
"""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import orjson
from sqlalchemy import select

from console import checkpoints, export
from console.evidence_list import evidence_list
from console.opening import House
from console.signing import Signer, noted, open_signer
from console.verify import single_file
from models.clock import iso
from models.crashpoint import crash_point
from models.desk import HOUSE
from models.errors import BadConfiguration, RecordTooNew
from models.lines import Line, document_line, fact_line, text_line
from models.record import DOCUMENT, FACT, STREAM, TEXT, Tx
from models.state import House as HouseState
from models.state import Incident

FORMAT = "hikeshi-export/1"
EVIDENCE_FORMAT = "hikeshi-evidence-lists/1"
PIECE = 1 << 20
AT_ONCE = 500
FORGET_EVERY = 50
_DOCUMENT = re.compile(rb'"(sha256:[0-9a-f]{64})"')
_README = """\
This archive holds records of Hikeshi: what happened in an incident, when, by whom.
この書庫には Hikeshi の記録（いつ、誰が、何をしたか）が入っています。

To verify it (Python 3.11 or later, nothing else):   検証（Python 3.11 以降のみで可）:

    python -I -S verify.py ARCHIVE.zip

Do not trust the copy of verify.py in here: take it from elsewhere, and compare its SHA-256 with the one that
was published. Give it a checkpoint that somebody kept elsewhere: python -I -S verify.py ARCHIVE.zip
--checkpoint kept.json. Without one, nobody can see that a record was computed anew or left out.
書庫内の verify.py を信用せず、別に入手したものを公開されたダイジェストと照合して使ってください。

manifest.json      what is in here, with the SHA-256 of each file
manifest.sig       its signature (Ed25519, the key of the checkpoints)
facts.jsonl        facts as their stored bytes, and the texts beside them (null: disposed of)
documents.jsonl    policies and playbooks as they were in force, raw alerts, drafts (base64)
checkpoints.jsonl  signed checkpoints, public keys, anchors
evidence.json      what was preserved, with its chain of custody
*.md               the report of each incident
decisions.*        each decision: who was entitled then, who was called, the choice, why, on what evidence
evidence/          the preserved objects, if they were asked for; sealed ones end in .age
"""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What goes in. `everything`: all records; else these incidents and, with `house`, the house's own.

    The house's record names incidents: it is not for whoever may not know of one of them.
    """

    incidents: tuple[str, ...]
    everything: bool = False
    house: bool = True
    texts: bool = True
    objects: bool = False
    lang: str = "en"


@dataclass(kw_only=True)
class Exported:
    """What was written."""

    path: Path
    streams: dict[str, tuple[int, str]] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)
    facts: int = 0
    missing: list[str] = field(default_factory=list)
    """Preserved objects that do not lie where the record says."""
    sha256: str = ""
    key: str = ""
    """The key that signed the manifest; empty if it could not be signed."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "path": str(self.path),
            "sha256": self.sha256,
            "key": self.key,
            "streams": {name: list(head) for name, head in self.streams.items()},
            "facts": self.facts,
            "files": self.files,
            "missing": self.missing,
        }


def incidents_of(house: House) -> tuple[str, ...]:
    """The names of all incidents, in order."""
    with house.record.read() as tx:
        wanted = select(STREAM.c.id).where(STREAM.c.kind == "incident").order_by(STREAM.c.id)
        return tuple(tx.connection.execute(wanted).scalars())


def write(house: House, wanted: Wanted, path: Path) -> Exported:
    """Write the archive. Raises OSError if the disk does not take it; then nothing is left behind."""
    part = path.with_name(f".{path.name}.part")
    exported = Exported(path=path)
    # What an export that was killed left behind.
    part.unlink(missing_ok=True)
    try:
        with part.open("xb") as stream:
            os.fchmod(stream.fileno(), 0o600)
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive, _from_facts(house):
                _Writing(house, wanted, archive, exported).run()
            stream.flush()
            os.fsync(stream.fileno())
        with part.open("rb") as stream:
            exported.sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        crash_point("archive-written")
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return exported


@contextmanager
def _from_facts(house: House) -> Iterator[None]:
    """What goes into it follows from the facts: a snapshot is outside the chain, and could say anything."""
    house.desk.forget()
    house.desk.from_facts = True
    try:
        yield
    finally:
        house.desk.from_facts = False


class _Writing:
    """One archive under way."""

    def __init__(self, house: House, wanted: Wanted, archive: zipfile.ZipFile, exported: Exported) -> None:
        self._house, self._wanted, self._archive, self._exported = house, wanted, archive, exported
        self._now = house.desk.clock.now()
        self._signer = _signer(house)
        self._named: set[str] = set()
        self._frozen: set[str] = set()
        self._stored: set[str] = set()
        self._unread: dict[str, str] = {}

    def run(self) -> None:
        """All files, the manifest and its signature last."""
        self._look()
        if self._wanted.texts:
            self._reports()
            self._evidence()
        with self._house.record.read() as tx:
            self._facts(tx)
            self._documents(tx)
            with self._member("checkpoints.jsonl") as add:
                for line in checkpoints.lines(tx):
                    add(orjson.dumps(line) + b"\n")
        if self._wanted.objects:
            self._objects()
        verifier = single_file().encode()
        for name, text in (("verify.py", verifier), ("README.txt", _README.encode())):
            with self._member(name) as add:
                add(text)
        self._manifest(hashlib.sha256(verifier).hexdigest())

    def _manifest(self, verifier: str) -> None:
        content = {
            "format": FORMAT,
            "made_at": iso(self._now),
            "complete": self._wanted.everything,
            "texts": self._wanted.texts,
            "texts_left_out": self._bare(),
            "streams": self._exported.streams,
            "evidence_objects": self._wanted.objects,
            "missing_objects": self._exported.missing,
            "verifier": verifier,
            "files": self._exported.files,
        }
        signer = self._signer
        content |= {"key": signer.id} if signer is not None else {}
        body = orjson.dumps(content, option=orjson.OPT_INDENT_2)
        self._archive.writestr(_info("manifest.json", self._now), body)
        if signer is not None:
            signature = signer.sign(body).hex().encode() + b"\n"
            self._archive.writestr(_info("manifest.sig", self._now), signature)
            self._exported.key = signer.id

    @contextmanager
    def _member(self, name: str, *, packed: bool = True) -> Iterator[Callable[[bytes], None]]:
        """A file of the archive, written piece by piece and named in the manifest."""
        digest, size = hashlib.sha256(), 0
        info = _info(name, self._now, packed=packed)
        with self._archive.open(info, "w", force_zip64=True) as stream:

            def add(body: bytes) -> None:
                nonlocal size
                stream.write(body)
                digest.update(body)
                size += len(body)

            yield add
        self._exported.files.append({"path": name, "size": size, "sha256": digest.hexdigest()})

    # -- for people -----------------------------------------------------------------------------------------

    def _incidents(self) -> Iterator[str]:
        """One by one; of thousands not all states stay in memory."""
        readable = (one for one in self._wanted.incidents if one not in self._unread)
        for number, stream in enumerate(readable, start=1):
            yield stream
            if number % FORGET_EVERY == 0:
                self._house.desk.forget()

    def _look(self) -> None:
        """What the incidents name: frozen documents, preserved objects."""
        for number, stream in enumerate(self._wanted.incidents, start=1):
            if number % FORGET_EVERY == 0:
                self._house.desk.forget()
            try:
                state = self._house.desk.state(stream)
            except RecordTooNew as newer:
                # Its facts go along as they are stored; nothing is told of what we cannot read.
                self._unread[stream] = str(newer)
                continue
            if isinstance(state, Incident):
                self._frozen |= {state.policy, *(use.digest for use in state.playbooks.values())}
                self._stored |= {one.stored for one in state.evidence.values() if one.stored}

    def _reports(self) -> None:
        alone = len(self._wanted.incidents) == 1
        for stream, why in self._unread.items():
            with self._member(f"{stream}.md") as add:
                add(f"# {stream}\n\n{export.escape(why)}\n".encode())
        for stream in self._incidents():
            desk, lang = self._house.desk, self._wanted.lang
            with self._member("incident.md" if alone else f"{stream}.md") as add:
                add(export.markdown(desk, stream, lang).encode())
            with self._member("decisions.md" if alone else f"{stream}.decisions.md") as add:
                add(export.decisions_markdown(desk, stream, lang).encode())
            with self._member("decisions.json" if alone else f"{stream}.decisions.json") as add:
                add(export.decisions_json(desk, stream, lang).encode())

    def _evidence(self) -> None:
        with self._member("evidence.json") as add:
            add(orjson.dumps({"format": EVIDENCE_FORMAT})[:-1] + b',"incidents":[')
            for number, stream in enumerate(self._incidents()):
                listed = orjson.dumps(evidence_list(self._house.desk, stream), option=orjson.OPT_INDENT_2)
                add((b",\n" if number else b"\n") + listed)
            add(b"\n]}\n")

    def _objects(self) -> None:
        folder = self._house.evidence.resolve()
        for name in sorted(self._stored):
            path = (folder / name).resolve()
            if not path.is_relative_to(folder) or not path.is_file():
                self._exported.missing.append(name)
                continue
            # Packed or encrypted already, most of them.
            with path.open("rb") as source, self._member(f"evidence/{name}", packed=False) as add:
                _copy(source, add)

    # -- the record -----------------------------------------------------------------------------------------

    def _facts(self, tx: Tx) -> None:
        with self._member("facts.jsonl") as add:
            for stream in self._streams(tx):
                for line in self._of(tx, stream):
                    add(line.raw)

    def _streams(self, tx: Tx) -> list[str]:
        query = select(STREAM.c.id).order_by(STREAM.c.id)
        if not self._wanted.everything:
            query = query.where(STREAM.c.id.in_(streams_of(self._wanted)))
        return list(tx.connection.execute(query).scalars())

    def _of(self, tx: Tx, stream: str) -> Iterator[Line]:
        query = select(FACT.c.seq, FACT.c.kind, FACT.c.body, FACT.c.hash).where(FACT.c.stream == stream)
        for seq, kind, raw, digest in _rows(tx, query.order_by(FACT.c.seq)):
            body, hashed = bytes(raw), bytes(digest)
            self._named.update(one.decode() for one in _DOCUMENT.findall(body))
            self._exported.streams[stream] = (seq, hashed.hex())
            self._exported.facts += 1
            yield fact_line(stream, seq, kind, hashed, body)
        if self._wanted.texts and stream not in self._bare():
            texts = select(TEXT.c.seq, TEXT.c.digest, TEXT.c.salt, TEXT.c.body).where(TEXT.c.stream == stream)
            for seq, name, salt, text in _rows(tx, texts.order_by(TEXT.c.seq, TEXT.c.digest)):
                yield text_line(stream, seq, name, bytes(salt), text)

    def _bare(self) -> list[str]:
        """Records without their texts: what was said in the house of other incidents is not this one's."""
        return [] if self._wanted.everything else [HOUSE]

    def _documents(self, tx: Tx) -> None:
        # Without texts: policies and playbooks, which an outsider has to know, and nobody's words.
        names = sorted(self._named if self._wanted.texts else self._named & self._frozen)
        with self._member("documents.jsonl") as add:
            for start in range(0, len(names), AT_ONCE):
                query = select(DOCUMENT.c.digest, DOCUMENT.c.media, DOCUMENT.c.body)
                some = DOCUMENT.c.digest.in_(names[start : start + AT_ONCE])
                for digest, media, body in _rows(tx, query.where(some).order_by(DOCUMENT.c.digest)):
                    add(document_line(digest, media, bytes(body)).raw)


def _signer(house: House) -> Signer | None:
    """The key of the checkpoints, known to the record; None if whoever exports may not use it."""
    try:
        signer = open_signer(house)
    except BadConfiguration:
        return None
    state = house.desk.state(HOUSE)
    known = state.upkeep.key if isinstance(state, HouseState) else ""
    if not known:
        noted(house, signer)
    # Another key than the record knows is the node's to tell; what it signed would not hold.
    return signer if known in {"", signer.id} else None


def _rows(tx: Tx, query: Any) -> Iterator[Any]:
    """Rows as they come, never all of them at once."""
    return iter(tx.connection.execute(query.execution_options(yield_per=AT_ONCE)))


def _info(name: str, now: datetime, *, packed: bool = True) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, now.timetuple()[:6])
    info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    info.external_attr = 0o600 << 16
    return info


def _copy(source: IO[bytes], add: Callable[[bytes], None]) -> None:
    while piece := source.read(PIECE):
        add(piece)


def streams_of(wanted: Wanted) -> Sequence[str]:
    """What is named where the export is recorded."""
    return wanted.incidents if wanted.everything or not wanted.house else (*wanted.incidents, HOUSE)
