"""Things in scope from a file: a table (CSV) or a STIX 2.1 bundle. All that is wrong with it is said at once.

What a bundle holds besides indicators and observables is listed, never dropped in silence.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from console.texts import texts
from console.views.scope import COLUMNS as EXPORTED
from models.errors import NaiveInstant
from models.indicator import read_pattern
from models.scope import KINDS, NewItem

MAX_BYTES = 16 * 1024 * 1024
MAX_LINES = 20_000
MAX_COLUMNS = 50
MAX_CELL = 10_000
MAX_DEPTH = 30
MAX_DEFECTS = 200
MAX_OBJECTS = 50_000
MAX_GRAMMAR = 4_000
"""Characters of a pattern that the library's grammar is given; what is longer is left out unread."""
MAX_GRAMMARS = 1_000
"""Patterns of one file that the library's grammar is given: each takes it a millisecond or more."""
FIELDS = (
    "kind", "type", "name", "first_seen", "last_seen", "confidence", "source", "evidence", "party", "note",
)  # fmt: skip
_ALIASES = {
    "value": "name", "indicator": "name", "ioc": "name", "種類": "kind", "型": "type",
    "名称": "name", "値": "name",
    "初認": "first_seen", "最終": "last_seen", "確度": "confidence", "出所": "source", "証拠": "evidence",
    "第三者": "party", "備考": "note",
}  # fmt: skip
_LEFT_ALONE = frozenset(EXPORTED) - set(FIELDS)
"""Columns of `scope export` that say what was done: a fix is recorded by itself."""
ReadInstant = Callable[[str], datetime]


@dataclass(kw_only=True)
class FromFile:
    """What a file brings. With defects nothing of it is taken."""

    items: list[NewItem] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    grammars: int = 0

    def wrong(self, where: str, what: str) -> None:
        """Keep a defect; there is an end to how many."""
        if len(self.defects) < MAX_DEFECTS:
            self.defects.append(f"{where}: {what}")


# -- tables -------------------------------------------------------------------------------------------------


def from_csv(body: bytes, read_instant: ReadInstant) -> FromFile:
    """The lines of a table in UTF-8 (with or without its mark) or cp932, as Excel here writes it."""
    found = FromFile()
    text = _decoded(body, found)
    if text is None:
        return found
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = _columns(next(reader, []), found)
        for cells in reader if columns else ():
            if len(found.items) + 1 > MAX_LINES:
                found.wrong(f"line {reader.line_num}", f"expected at most {MAX_LINES} lines; split the file")
                break
            if any(cell.strip() for cell in cells):
                _line(cells, columns, reader.line_num, read_instant, found)
    except csv.Error as wrong:
        found.wrong(f"line {reader.line_num}", f"is no CSV: {wrong}; check the quotes")
    if not found.items and not found.defects:
        found.wrong("line 1", "expected a line of names and at least one line below it")
    return found


def _decoded(body: bytes, found: FromFile) -> str | None:
    if len(body) > MAX_BYTES:
        found.wrong("file", f"expected at most {MAX_BYTES} bytes; split the file")
        return None
    for encoding in ("utf-8-sig", "cp932"):
        try:
            text = body.decode(encoding)
        except UnicodeDecodeError as wrong:
            place = body[: wrong.start].count(b"\n") + 1
            continue
        if "\0" in text:
            found.wrong(
                f"line {text[: text.index(chr(0))].count(chr(10)) + 1}", "holds a NUL; is this a table?"
            )
            return None
        return text
    found.wrong(f"line {place}", "expected UTF-8 or cp932 (Shift_JIS); save the table as CSV UTF-8")
    return None


def _columns(names: list[str], found: FromFile) -> list[str]:
    """What each column holds; '' for those left alone."""
    known = [_ALIASES.get(one.strip().lower(), one.strip().lower()) for one in names]
    if len(known) > MAX_COLUMNS:
        found.wrong("line 1", f"expected at most {MAX_COLUMNS} columns")
        return []
    for number, name in enumerate(known, start=1):
        if name and name not in FIELDS and name not in _LEFT_ALONE:
            found.wrong(f"line 1, column {number}", f"no field {name[:40]!r}; known: {', '.join(FIELDS)}")
        elif name in FIELDS and known.index(name) + 1 < number:
            found.wrong(f"line 1, column {number}", f"{name} is there twice")
    if "name" not in known:
        found.wrong("line 1", f"expected the names of the fields, at least name; known: {', '.join(FIELDS)}")
    return [] if found.defects else [one if one in FIELDS else "" for one in known]


def _line(
    cells: list[str], columns: list[str], number: int, read_instant: ReadInstant, found: FromFile
) -> None:
    if len(cells) > len(columns):
        found.wrong(f"line {number}", f"expected {len(columns)} cells, got {len(cells)}; check the quotes")
        return
    given = {name: _cell(cell) for name, cell in zip(columns, cells, strict=False) if name}
    values: dict[str, Any] = {"kind": "indicator", "where": f"line {number}"}
    for column, name in enumerate(columns, start=1):
        value = given.get(name, "")
        if not name or not value:
            continue
        if len(value) > MAX_CELL:
            found.wrong(f"line {number}, column {column} ({name})", f"expected at most {MAX_CELL} characters")
        elif name in {"first_seen", "last_seen"}:
            try:
                values[name] = read_instant(value)
            except NaiveInstant:
                expected = f"{value[:40]!r} has no offset; write 2026-11-24T03:05:00+09:00"
                found.wrong(f"line {number}, column {column} ({name})", expected)
            except (ValueError, OverflowError):
                expected = f"expected an instant such as 2026-11-24T03:05:00+09:00, got {value[:40]!r}"
                found.wrong(f"line {number}, column {column} ({name})", expected)
        else:
            values[name] = _kind(value) if name == "kind" else value
    found.items.append(NewItem(**({"name": ""} | values)))


def _cell(text: str) -> str:
    """As it was before `scope export` made it harmless for spreadsheets."""
    clean = text.strip()
    return clean[1:] if re.match(r"'+[\s\u200b-\u200f\u2060\ufeff\u00ad]*[=+\-@＝＋－＠]", clean) else clean


def _kind(value: str) -> str:
    """A kind by its id, or by the word that the screens use for it."""
    plain = value.strip().lower()
    for kind in KINDS:
        if plain in {kind, *(texts(lang).word("words.scope", kind).lower() for lang in ("ja", "en"))}:
            return kind
    return plain


# -- STIX ---------------------------------------------------------------------------------------------------

_VALUES: Mapping[str, tuple[str, str]] = {
    "ipv4-addr": ("ipv4", "value"),
    "ipv6-addr": ("ipv6", "value"),
    "domain-name": ("domain", "value"),
    "url": ("url", "value"),
    "email-addr": ("email", "value"),
    "mutex": ("mutex", "name"),
    "windows-registry-key": ("registry", "key"),
}
_INDICATOR = re.compile(r"indicator--[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HASHES = {"md5": "md5", "sha-1": "sha1", "sha1": "sha1", "sha-256": "sha256", "sha256": "sha256"}


def from_stix(body: bytes, source: str) -> FromFile:
    """The indicators and observables of a bundle; objects of other types are listed."""
    found = FromFile()
    objects = _bundle(body, found)
    seen = _observed(objects)
    for number, one in enumerate(objects):
        where = f"objects[{number}] {str(one.get('id', ''))[:80]}".strip()
        made = list(_of_object(one, where, found))
        span: Any = seen.get(str(one.get("id")), {})
        found.items += [replace(item, source=item.source or source, **span) for item in made]
    if not found.items and not found.defects:
        found.wrong("objects", "expected an indicator or an observable that can be taken; there is none")
    return found


def _bundle(body: bytes, found: FromFile) -> list[dict[str, Any]]:
    if len(body) > MAX_BYTES:
        found.wrong("file", f"expected at most {MAX_BYTES} bytes; split the bundle")
        return []
    try:
        bundle = orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as wrong:
        found.wrong(f"line {wrong.lineno}, column {wrong.colno}", f"is no JSON: {wrong.msg}")
        return []
    objects = bundle.get("objects") if isinstance(bundle, dict) and bundle.get("type") == "bundle" else None
    if not isinstance(objects, list):
        found.wrong("file", 'expected a STIX 2.1 bundle: {"type": "bundle", "objects": […]}')
    elif len(objects) > MAX_OBJECTS:
        found.wrong("objects", f"expected at most {MAX_OBJECTS}; split the bundle")
    elif _too_deep(objects):
        found.wrong("objects", f"expected at most {MAX_DEPTH} levels within each other")
    else:
        none = [number for number, one in enumerate(objects) if not _is_object(one)]
        for number in none:
            found.wrong(f"objects[{number}]", "expected an object with type and id")
        return [] if none else objects
    return []


def _is_object(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("type"), str) and isinstance(one.get("id"), str)


def _too_deep(objects: list[Any]) -> bool:
    level = objects
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for one in level
            if isinstance(one, (dict, list))
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return True


def _observed(objects: list[dict[str, Any]]) -> dict[str, dict[str, datetime]]:
    """When observables were seen, as the observed-data that refer to them say."""
    found: dict[str, dict[str, datetime]] = {}
    for one in objects:
        refs = one.get("object_refs") if one["type"] == "observed-data" else None
        span = {
            name: instant
            for name, key in (("first_seen", "first_observed"), ("last_seen", "last_observed"))
            if (instant := _instant(one.get(key))) is not None
        }
        for ref in refs if isinstance(refs, list) else ():
            found.setdefault(str(ref), span)
    return found


def _instant(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _of_object(one: dict[str, Any], where: str, found: FromFile) -> Iterator[NewItem]:
    kind = one["type"]
    if kind == "indicator":
        yield from _of_indicator(one, where, found)
    elif kind in _VALUES:
        type_, name = _VALUES[kind]
        yield _item(one, where, type_, one.get(name), found)
    elif kind == "file":
        yield from _of_file(one, where, found)
    elif kind != "observed-data":
        found.left_out.append(f"{where} ({kind[:40]})")


def _of_indicator(one: dict[str, Any], where: str, found: FromFile) -> Iterator[NewItem]:
    if one.get("revoked") is True or one.get("pattern_type", "stix") != "stix":
        why = "revoked" if one.get("revoked") is True else str(one.get("pattern_type"))[:40]
        found.left_out.append(f"{where} (indicator, {why})")
        return
    plain = read_pattern(str(one.get("pattern", "")))
    # Plain comparisons are read here; the library takes 2 ms for the grammar of each.
    wrong = _unlike(one) if plain is not None else _not_read(one, found)
    if wrong:
        found.wrong(where, f"is no STIX 2.1 indicator: {wrong[:200]}")
        return
    if plain is None:
        found.left_out.append(f"{where} (indicator, pattern: {str(one.get('pattern'))[:80]})")
        return
    for type_, value in plain:
        yield _item(one, where, type_, value, found)


def _unlike(one: dict[str, Any]) -> str:
    """What an indicator lacks of what STIX 2.1 (4.7) requires."""
    lacking = [name for name in ("created", "modified", "valid_from") if _instant(one.get(name)) is None]
    lacking += ["spec_version"] if one.get("spec_version") != "2.1" else []
    lacking += ["id"] if _INDICATOR.fullmatch(one["id"]) is None else []
    return f"missing or wrong: {', '.join(sorted(lacking))}" if lacking else ""


def _not_read(one: dict[str, Any], found: FromFile) -> str:
    """Why the library cannot read an indicator; nothing if it can, or if nobody should try."""
    if len(str(one.get("pattern", ""))) > MAX_GRAMMAR or found.grammars >= MAX_GRAMMARS:
        return _unlike(one)
    found.grammars += 1
    import stix2  # noqa: PLC0415 - a tenth of a second, and few bundles need it
    from stix2.exceptions import STIXError  # noqa: PLC0415

    try:
        stix2.parse(one, allow_custom=True, version="2.1")
    except (STIXError, ValueError, TypeError, KeyError, AttributeError) as wrong:
        return str(wrong)
    except RecursionError:
        # Nested, or joined, deeper than the library's grammar goes: left out as any other that is not plain.
        return _unlike(one)
    return ""


def _of_file(one: dict[str, Any], where: str, found: FromFile) -> Iterator[NewItem]:
    """A file by each of its digests that we know; by its name if it has none of them."""
    hashes = one.get("hashes")
    known = [
        (_HASHES[name.lower()], value)
        for name, value in (hashes.items() if isinstance(hashes, dict) else ())
        if name.lower() in _HASHES
    ]
    if not known and "name" in one:
        known = [("filename", one["name"])]
    if not known:
        found.left_out.append(f"{where} (file)")
    for type_, value in known:
        yield _item(one, where, type_, value, found)


def _item(one: Mapping[str, Any], where: str, type_: str, value: Any, found: FromFile) -> NewItem:
    if not isinstance(value, str):
        found.wrong(where, f"expected a text for its {type_}")
        value = "-"
    sure = one.get("confidence")
    note = one.get("description") if isinstance(one.get("description"), str) else ""
    return NewItem(
        kind="indicator",
        type=type_,
        name=value,
        confidence=str(sure) if isinstance(sure, int) else "",
        note=str(note)[:MAX_CELL],
        where=where,
    )
