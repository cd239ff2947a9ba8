"""The parts put together, and the command line."""

from __future__ import annotations

import argparse
import email
import email.policy
import json
import re
import sqlite3
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from console.verifying.chains import check_chains
from console.verifying.checkpoints import check_checkpoints
from console.verifying.database import Query, Unreadable
from console.verifying.found import Verification, sha256_of
from console.verifying.kept import Checkpoint, Kept, Source, read_checkpoint
from console.verifying.sources import open_source


def keep(
    files: Iterable[str] = (), keys: Iterable[str] = (), *, tsa: str | None = None, every: bool = False
) -> Kept:
    """What somebody brings: files of checkpoints, keys in hex or as files. Raises Unreadable."""
    kept = Kept(tsa=tsa, every=every)
    for name in files:
        for one in _objects(name):
            if one.get("t") == "key":
                kept.material.append({**one, "key": one.get("id")})
            elif (read := _held(one)) is not None:
                kept.checkpoints.append(read)
            else:
                raise Unreadable(f"{name}: expected checkpoints as `hikeshi checkpoint export` writes them")
    for given in keys:
        text = Path(given).read_text().strip() if Path(given).is_file() else given.strip()
        if not re.fullmatch("[0-9A-Fa-f]{64}", text):
            raise Unreadable(f"--key {given}: expected 64 hexadecimal digits, or a file with them")
        kept.keys[sha256_of(bytes.fromhex(text))[:32]] = bytes.fromhex(text)
    kept.checkpoints.sort(key=lambda one: one.number)
    return kept


def _attached(raw: bytes) -> str:
    """What is attached to a mail that was saved whole; else the file itself."""
    if raw.lstrip()[:1] in {b"{", b"["}:
        return raw.decode("utf-8")
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    parts = [part.get_payload(decode=True) for part in mail.walk() if part.get_filename()]
    return b"\n".join(part for part in parts if isinstance(part, bytes)).decode("utf-8")


def _objects(name: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file or a mail: one, a list of them, or one a line."""
    try:
        text = _attached(Path(name).read_bytes())
        try:
            content = json.loads(text)
        except ValueError:
            content = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (OSError, ValueError, RecursionError) as wrong:
        raise Unreadable(f"{name}: expected checkpoints as JSON: {wrong}") from wrong
    for one in content if isinstance(content, list) else [content]:
        if not isinstance(one, dict):
            raise Unreadable(f"{name}: expected JSON objects")
        yield one


def _held(one: dict[str, Any]) -> Checkpoint | None:
    try:
        body, signature = one["body"].encode(), bytes.fromhex(one["signature"])
    except (KeyError, ValueError, AttributeError, TypeError):
        return None
    read = read_checkpoint(one.get("number"), body, one.get("key"), signature, one.get("heads"))
    if read is not None:
        read.held = True
    return read


def verify(query: Query, kept: Kept | None = None, *, whole: bool = True) -> Verification:
    """Verify everything that `query` gives for the statements above. Raises nothing for bad data."""
    found = Verification()
    _verify(Source(query=query, whole=whole), found, kept or Kept())
    return found


def verify_path(path: Path, kept: Kept | None = None) -> Verification:
    """Verify a database, an archive or a folder. Raises Unreadable if it is none of them."""
    found = Verification()
    try:
        source = open_source(path, found)
        try:
            _verify(source, found, kept or Kept())
        finally:
            source.close()
    except (
        OSError, sqlite3.Error, zipfile.BadZipFile, ValueError, KeyError, TypeError, RecursionError,
        AttributeError, NotImplementedError, RuntimeError, zlib.error,
    ) as wrong:  # fmt: skip
        raise Unreadable(f"{path}: cannot be read: {type(wrong).__name__}: {wrong}") from wrong
    return found


def _verify(source: Source, found: Verification, kept: Kept) -> None:
    # What lay elsewhere comes first: on first use the key is taken from there, not from what is suspected.
    kept.material = [*kept.material, *source.keys]
    check_chains(source, found)
    check_checkpoints(source.query, found, kept, source)


def _said(found: Verification) -> Iterator[str]:
    """What was found, to be read by a person."""
    yield "  ".join(f"{name} {count:,}" for name, count in found.counts().items())
    if found.stamped:
        number = max(found.stamped)
        more = f" ({len(found.stamped)} in all: --json)"
        yield f"last time-stamp: checkpoint #{number} at {found.stamped[number]}{more}"
    yield from (f"note: {one}" for one in found.notes)
    yield from (f"ALTERED: {one}" for one in found.problems)
    first = found.first_bad
    if first is not None:
        to = f" to #{first['to']}" if first["to"] != first["seq"] else ""
        yield f"first bad fact: {first['stream']} #{first['seq']}{to}"
    if found.ok and not found.held:
        yield "No checkpoint kept elsewhere was given: an end cut off or an incident deleted might not show."
    yield "Nothing was altered." if found.ok else "THE RECORD WAS ALTERED OR IS DAMAGED."


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("record", type=Path)
    parser.add_argument("--checkpoint", action="append", default=[], metavar="FILE", help="kept elsewhere")
    parser.add_argument("--key", action="append", default=[], metavar="HEX|FILE", help="known from elsewhere")
    parser.add_argument("--tsa", metavar="PEM", help="certificate of the time-stamp authority")
    parser.add_argument("--all", action="store_true", help="check every signature and time-stamp (slow)")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    try:
        kept = keep(given.checkpoint, given.key, tsa=given.tsa, every=given.all)
        found = verify_path(given.record, kept)
    except (Unreadable, OSError) as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 2
    lines = [json.dumps(found.as_json(), ensure_ascii=False, indent=1)] if given.json else _said(found)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if found.ok else 1
