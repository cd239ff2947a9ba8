"""Keys, signatures and time-stamps."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from console.verifying.database import ANCHORS, HOUSE, Query
from console.verifying.found import Verification, as_bytes, sha256_of
from console.verifying.kept import Checkpoint, Kept, Manifest, Source
from console.verifying.signing import signed

_GENERALIZED = re.compile(rb"\x18[\x0f-\x19]([0-9]{14})(?:\.[0-9]+)?Z")
IMPRINT_TO_TIME = 64
"""Of a time-stamp's bytes (RFC 3161, 2.4.2) after the digest: the serial number, then the time."""
CLOCKS_DIFFER = timedelta(minutes=5)
LATE = timedelta(days=1)
MAX_STAMPS = 10
"""Time-stamps that are checked if not all are asked for: the latest ones, and those of what was kept."""


def _statement(public: str, before: str, at: str) -> bytes:
    """What the key before signs when another takes its place."""
    content = {"at": at, "before": before, "public": public, "type": "key", "v": 1}
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def recorded(query: Query) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind, body in query(HOUSE):
        try:
            yield kind, dict(json.loads(as_bytes(body))["data"])
        except (ValueError, KeyError, TypeError, RecursionError):
            continue  # reported as no fact before


def _keys(query: Query, found: Verification, kept: Kept) -> tuple[dict[str, bytes], set[str]]:
    """All keys there are by id, and the ids of those that are given or signed for by one that is."""
    said = [*kept.material, *(data for kind, data in recorded(query) if kind != "anchor.placed")]
    keys, trusted = dict(kept.keys), set(kept.keys)
    for data in said:
        try:
            name, public = str(data["key"]), bytes.fromhex(data["public"])
        except (ValueError, KeyError, TypeError):
            found.problem("a key in the record cannot be read")
            continue
        if sha256_of(public)[:32] != name:
            found.problem(f"key {name}: its name is not the digest of it")
            continue
        keys.setdefault(name, public)
        if not trusted and not kept.keys:
            trusted.add(name)
            found.note(f"the key {name} is taken from what is verified: compare it with what you were told")
        before, signature = str(data.get("before", "")), str(data.get("signature", ""))
        if before in trusted and re.fullmatch("[0-9a-f]{128}", signature):
            statement = _statement(public.hex(), before, str(data.get("at")))
            trusted |= {name} if signed(keys[before], statement, bytes.fromhex(signature)) else set()
    return keys, trusted


def check_signatures(
    source: Source, found: Verification, kept: Kept, lines: list[Checkpoint], roots: set[int]
) -> None:
    """A signature covers all before it by the chain: the last of each key's run is checked, and the roots."""
    if not lines and source.manifest is None:
        return
    keys, trusted = _keys(source.query, found, kept)
    if source.manifest is not None:
        _manifest(source, source.manifest, found, kept, (keys, trusted))
    if not lines:
        return
    _retired(source.query, found, kept, lines)
    ends = {one.number for one, after in itertools.pairwise(lines) if one.key != after.key} | {
        lines[-1].number
    }
    strange: set[str] = set()
    for one in lines:
        if not (kept.every or one.number in ends or one.number in roots):
            continue
        found.signatures += 1
        if one.key not in keys:
            found.problem(f"checkpoint #{one.number}: its key {one.key} is not known; give it with --key")
        elif not signed(keys[one.key], one.body, one.signature):
            found.problem(f"checkpoint #{one.number}: its signature is not that of key {one.key}")
        elif one.key not in trusted and one.key not in strange:
            strange.add(one.key)
            text = f"checkpoint #{one.number} is signed with key {one.key}, for which no key before it stands"
            (found.problem if kept.keys else found.note)(text)


def _retired(query: Query, found: Verification, kept: Kept, lines: list[Checkpoint]) -> None:
    """A key that another took over from signs no more: whoever kept a copy of it must not go on with it."""
    stated = [(str(data.get("before") or ""), str(data.get("key"))) for data in kept.material]
    back: set[str] = set()
    for kind, data in recorded(query):
        if kind == "key.rotated":
            stated.append((str(data.get("before")), str(data.get("key"))))
            back.discard(str(data.get("before")))
        elif kind == "key.replaced":
            back.add(str(data.get("key")))  # put back by hand; that is a fact, and somebody was paged
    used: set[str] = set()
    for one in lines:
        after = next((key for before, key in stated if before == one.key and key in used), None)
        used.add(one.key)
        if after is not None:
            text = f"checkpoint #{one.number} is signed with key {one.key}, from which {after} had taken over"
            (found.note if one.key in back else found.problem)(text)


def _manifest(
    source: Source,
    signature: Manifest,
    found: Verification,
    kept: Kept,
    known: tuple[dict[str, bytes], set[str]],
) -> None:
    """The manifest, and with it every file that it names, is signed with the key that was in use."""
    keys, trusted = known
    name = signature.key
    used = [str(data.get("key")) for kind, data in recorded(source.query) if kind != "anchor.placed"]
    found.signatures += 1
    if name not in keys:
        found.problem(f"manifest.json: its key {name} is not known; give it with --key")
    elif not signed(keys[name], signature.body, signature.signature):
        found.problem(f"manifest.json: its signature is not that of key {name}")
    elif used and used[-1] != name:
        found.problem(f"manifest.json is signed with key {name}, but {used[-1]} was in use")
    elif name not in trusted:
        text = f"manifest.json is signed with key {name}, for which no key before it stands"
        (found.problem if kept.keys else found.note)(text)


def check_stamps(query: Query, found: Verification, lines: Mapping[int, Checkpoint], kept: Kept) -> None:
    """Time-stamps are of these checkpoints, and none that was recorded is gone."""
    rows = [(row[0], str(row[1]), str(row[2]), row[3]) for row in query(ANCHORS)]
    there = {row[:3] for row in rows}
    for kind, data in recorded(query):
        if (
            kind == "anchor.placed"
            and (data.get("checkpoint"), data.get("kind"), data.get("place")) not in there
        ):
            what = f"checkpoint #{data.get('checkpoint')} was put elsewhere ({data.get('kind')})"
            found.problem(f"{what}, and the proof of it is gone")
    stamps = [
        (number, as_bytes(token)) for number, kind, _, token in rows if kind == "rfc3161" and number in lines
    ]
    for number, token in stamps:
        where = token.find(hashlib.sha256(lines[number].body).digest())
        if where < 0:
            found.problem(f"the time-stamp of checkpoint #{number} is not of it")
        else:
            _timed(found, lines[number], token[where + 32 : where + 32 + IMPRINT_TO_TIME])
    held = {one.number for one in kept.checkpoints}
    asked = [one for one in stamps if kept.every or one[0] in held or one in stamps[-MAX_STAMPS:]]
    tool = shutil.which("openssl")
    why = (
        "" if kept.tsa and tool else "openssl is not there" if kept.tsa else "give the authority's with --tsa"
    )
    if stamps and why:
        found.note(f"time-stamp not checked ({len(stamps)}): {why}")
    for number, token in asked if kept.tsa and tool else ():
        found.stamps += 1
        if said := _openssl(str(tool), lines[number].body, token, str(kept.tsa)):
            found.problem(f"the time-stamp of checkpoint #{number} does not hold: {said}")


def _timed(found: Verification, one: Checkpoint, after: bytes) -> None:
    """The authority's time: not before the checkpoint says that it was made."""
    said = _GENERALIZED.search(after)
    try:
        stamped = datetime.strptime(said[1].decode() if said else "", "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        made = datetime.fromisoformat(one.content["at"])
        apart = stamped - made
    except (ValueError, KeyError, TypeError):
        found.note(f"the time in the time-stamp of checkpoint #{one.number} cannot be read")
        return
    found.stamped[one.number] = stamped.strftime("%Y-%m-%dT%H:%M:%SZ")
    what = (
        f"checkpoint #{one.number} says {one.content['at']}, and its time-stamp {found.stamped[one.number]}"
    )
    if apart < -CLOCKS_DIFFER:
        found.problem(f"{what}: it was stamped before it is said to have been made")
    elif apart > LATE:
        found.note(f"{what}: until then nothing but the host's clock says when it was made")


def _openssl(tool: str, body: bytes, token: bytes, tsa: str) -> str:
    """What `openssl ts -verify` says against a time-stamp; empty if nothing."""
    with tempfile.TemporaryDirectory() as folder:
        data, answer = Path(folder, "body"), Path(folder, "answer")
        data.write_bytes(body)
        answer.write_bytes(token)
        command = [tool, "ts", "-verify", "-data", str(data), "-in", str(answer), "-CAfile", tsa]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)  # noqa: S603 - no shell
    return "" if done.returncode == 0 else (done.stderr.decode(errors="replace").strip()[-200:] or "refused")
