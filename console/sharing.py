"""Sharing packages: attack technical information, and what happened here, each by itself (FSA-2.5.2.3-B5).

The technical package is made of indicators, technique ids, and what a person writes for it. Nothing else of
the incident reaches it, so that no name of ours can; it is looked through all the same (`console.leaks`).
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from console.export import escape
from console.texts import texts
from console.views.scope import table
from models.audience import Tlp
from models.clock import iso
from models.indicator import defang, pattern
from models.scope import ScopeItem, sureness, type_of

FORMATS = ("stix", "csv", "md")
LANGS = ("ja", "en")
_TLP_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
_TLP_CREATED = "2022-10-01T00:00:00.000Z"
_TLP_IDS: Mapping[str, str] = {
    "CLEAR": "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    "GREEN": "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "AMBER": "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "AMBER+STRICT": "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    "RED": "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}
"""The marking definitions of TLP 2.0 as the STIX common objects have them; everybody uses the same."""
MAX_REFS = 500
"""Objects that the written note refers to."""


@dataclass(frozen=True, kw_only=True)
class Ioc:
    """An indicator as it is shared."""

    type: str
    value: str
    seen: datetime
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    confidence: int | None = None


@dataclass(frozen=True, kw_only=True)
class Technical:
    """All that goes into a technical package: no field of it is for hosts, people or services of ours."""

    tlp: Tlp
    made_at: datetime
    indicators: tuple[Ioc, ...] = ()
    techniques: tuple[str, ...] = ()
    malware: tuple[str, ...] = ()
    note: str = ""


def shared_items(
    items: Iterable[ScopeItem], beside: Mapping[str, str | None], without: frozenset[str]
) -> tuple[Ioc, ...]:
    """The indicators of a scope that are no false alarm, but those that are left out."""
    found = []
    for item in items:
        name = beside.get(item.name)
        if item.kind != "indicator" or item.retracted is not None or item.id in without or name is None:
            continue
        found.append(
            Ioc(
                type=type_of(item, name),
                value=name,
                seen=item.first_seen or item.at,
                first_seen=item.first_seen,
                last_seen=item.last_seen,
                confidence=sureness(item.confidence),
            )
        )
    return tuple(found)


# -- attack technical information ---------------------------------------------------------------------------


def technical_files(package: Technical, formats: Iterable[str]) -> dict[str, str]:
    """The files of a technical package by name."""
    found: dict[str, str] = {}
    for form in formats:
        if form == "stix":
            found["indicators.stix.json"] = stix(package)
        elif form == "csv":
            found["indicators.csv"] = _csv(package)
        else:
            found |= {f"technical.{lang}.md": _markdown(package, lang) for lang in LANGS}
    return found


def stix(package: Technical) -> str:
    """A STIX 2.1 bundle. It names no creator: that would be us."""
    import stix2  # noqa: PLC0415 - a tenth of a second, and only sharing needs it

    mark = _marking(stix2, package.tlp)
    common: dict[str, Any] = {
        "created": package.made_at,
        "modified": package.made_at,
        "object_marking_refs": [mark.id],
    }
    objects = [*_objects(stix2, package, common), *_indicators(stix2, package, common)]
    if package.note and objects:
        refs = [one["id"] for one in objects[:MAX_REFS]]
        objects.append(_plain(stix2.Note(content=package.note, object_refs=refs, **common)))
    bundle = {"type": "bundle", "id": f"bundle--{uuid4()}", "objects": [_plain(mark), *objects]}
    return orjson.dumps(bundle, option=orjson.OPT_INDENT_2).decode() + "\n"


def _plain(one: Any) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(one.serialize())
    return found


def _marking(stix2: Any, tlp: str) -> Any:
    own = {"extension_type": "property-extension", "tlp_2_0": tlp.lower()}
    return stix2.parse(
        {
            "type": "marking-definition",
            "spec_version": "2.1",
            "id": _TLP_IDS[tlp],
            "created": _TLP_CREATED,
            "name": f"TLP:{tlp}",
            "extensions": {_TLP_EXTENSION: own},
        },
        allow_custom=True,
    )


def _objects(stix2: Any, package: Technical, common: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name in package.techniques:
        known = {"source_name": "mitre-attack", "external_id": name}
        yield _plain(stix2.AttackPattern(name=name, external_references=[known], **common))
    for name in package.malware:
        yield _plain(stix2.Malware(name=name, is_family=True, **common))


def _indicators(stix2: Any, package: Technical, common: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The first of each type is made, and so checked, by the library; the others have its shape.

    Reading the grammar of 5,000 patterns of one shape takes it eleven seconds.
    """
    shapes: dict[str, dict[str, Any]] = {}
    for one in package.indicators:
        made = pattern(one.type, one.value)
        if made is None:
            continue
        if one.type not in shapes:
            first = stix2.Indicator(
                pattern=made,
                pattern_type="stix",
                indicator_types=["malicious-activity"],
                valid_from=one.seen,
                **common,
            )
            shapes[one.type] = _plain(first)
        sure = {} if one.confidence is None else {"confidence": one.confidence}
        own = {"id": f"indicator--{uuid4()}", "pattern": made}
        yield shapes[one.type] | own | {"valid_from": stix2.utils.format_datetime(one.seen)} | sure


_COLUMNS = ("type", "value", "first_seen", "last_seen", "confidence", "tlp")


def _csv(package: Technical) -> str:
    return table(_COLUMNS, (_row(one, package.tlp) for one in package.indicators))


def _row(one: Ioc, tlp: str) -> tuple[object, ...]:
    first, last = (iso(at) if at else "" for at in (one.first_seen, one.last_seen))
    return one.type, one.value, first, last, one.confidence, f"TLP:{tlp}"


def _markdown(package: Technical, lang: str) -> str:
    """For people: everything escaped, indicators defanged, the label first and last as TLP 2.0 wants it."""
    say = texts(lang)
    label = f"TLP:{package.tlp}"
    lines = [label, "", f"# {say('scope.share.title')}", ""]
    if package.note:
        lines += [escape(package.note), ""]
    for key, names in (("techniques", package.techniques), ("malware", package.malware)):
        if names:
            lines += [f"## {say(f'scope.share.{key}')}", "", *(f"- {escape(one)}" for one in names), ""]
    lines += [f"## {say('scope.share.indicators')}", ""]
    lines += _table_of(package, lang) if package.indicators else [say("words.none")]
    return "\n".join([*lines, "", label, ""])


def _table_of(package: Technical, lang: str) -> list[str]:
    say = texts(lang)
    heads = [say(f"scope.share.{one}") for one in ("type", "value", "first", "last", "sure")]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for one in package.indicators:
        first, last = (f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else "" for at in (one.first_seen, one.last_seen))
        sure = "" if one.confidence is None else f"{one.confidence} %"
        value = escape(defang(one.type, one.value))
        lines.append(f"| {say.word('scope.type', one.type)} | {value} | {first} | {last} | {sure} |")
    return lines


# -- written as one thing -----------------------------------------------------------------------------------


def digest_of(files: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The digest of a package (over the lines that sha256sum writes), and that of each file."""
    each = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(files.items())}
    whole = "".join(f"{digest}  {name}\n" for name, digest in each.items())
    named = {name: f"sha256:{digest}" for name, digest in each.items()}
    return f"sha256:{hashlib.sha256(whole.encode()).hexdigest()}", named


@contextmanager
def packed(files: Mapping[str, str], out: Path) -> Iterator[Path]:
    """A folder, or a .zip, beside its place under a hidden name: renamed to `out` once it is on record.

    Whatever is not renamed is gone afterwards. Raises OSError, also if something is there already.
    """
    if out.exists():
        raise FileExistsError(17, "it is there already", str(out))
    with tempfile.TemporaryDirectory(dir=out.resolve().parent, prefix=".share-") as made:
        inner = Path(made) / "package"
        if out.suffix == ".zip":
            inner.write_bytes(_zipped(files))
            inner.chmod(0o600)
        else:
            inner.mkdir(mode=0o700)
            for name, text in files.items():
                (inner / name).write_text(text, encoding="utf-8", newline="")
        yield inner


def _zipped(files: Mapping[str, str]) -> bytes:
    packed_in = io.BytesIO()
    with zipfile.ZipFile(packed_in, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), text.encode(), zipfile.ZIP_DEFLATED)
    return packed_in.getvalue()
