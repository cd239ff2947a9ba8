"""How facts about the scope and its sharing are put: their values in words, never more than fits a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from console.views.naming import Naming
from models.indicator import defang, guess

LONG = frozenset({"items", "files", "ids", "because"})
"""Fields that may hold hundreds of things: said in short, or not at all."""
SHOWN = 5
_KNOWN = ("first_seen", "last_seen", "confidence", "source", "evidence", "party", "note")


def values(naming: Naming, kind: str, data: Mapping[str, Any], said: Mapping[str, str]) -> dict[str, str]:
    """Words for a fact about the scope, besides those `said` that all facts have."""
    found: dict[str, str] = {}
    if kind == "scope.added":
        found["kind"] = _kind(naming, data)
        found["name"] = _name(naming, data)
    if "items" in data:
        kinds = Counter(one.get("kind", "") for one in data["items"].values())
        found["kinds"] = _row(
            naming, [f"{naming.texts.word('words.scope', one)} {n}" for one, n in kinds.items()]
        )
    if kind.startswith("scope.fixed"):
        found["fix"] = _row(naming, [said[one] for one in ("fix", "step", "evidence") if one in said])
    if kind == "scope.seen":
        found["known"] = _row(naming, [_part(naming, one, said[one]) for one in _KNOWN if one in said])
    for name in ("ids", "because"):
        if name in data:
            found[name] = _first(naming, list(data[name]))
    if kind.startswith("sharing."):
        found["part"] = naming.texts.word("scope.part", data.get("part", ""))
    return found


def _row(naming: Naming, parts: list[str]) -> str:
    return naming.texts("words.comma").join(one for one in parts if one)


def _first(naming: Naming, names: list[str]) -> str:
    more = []
    if len(names) > SHOWN:
        more = [naming.texts("scope.others", n=len(names) - SHOWN, whole=len(names))]
    return _row(naming, [*(naming.service(one) for one in names[:SHOWN]), *more])


def _part(naming: Naming, name: str, value: str) -> str:
    return f"{naming.texts('scope.field.' + name)} {value}"


def _kind(naming: Naming, data: Mapping[str, Any]) -> str:
    shown = naming.texts.word("words.scope", data["kind"])
    return f"{shown} {naming.texts.word('scope.type', data['type'])}" if "type" in data else shown


def _name(naming: Naming, data: Mapping[str, Any]) -> str:
    shown = naming.text(data["name"], 200)
    return defang(data.get("type") or guess(shown), shown) if data["kind"] == "indicator" else shown
