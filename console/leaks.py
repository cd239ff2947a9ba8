"""Whether a text names who was attacked: looked for before a sharing package leaves (FSA-2.5.2.3-B5).

What goes into a technical package is chosen so that nobody of ours is in it; this looks at the finished files
all the same, because people write notes, and attackers send mail to our addresses.
"""

from __future__ import annotations

import html
import ipaddress
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from models.organisation import Organisation
from models.scope import ScopeItem
from models.state import Incident

RECIPIENTS = frozenset({"jpcert", "fisac", "police", "authority"})
"""Third parties that are told of attacks: their names tell nobody who was attacked."""
OURS = tuple(
    ipaddress.ip_network(one)
    for one in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16",
        "100.64.0.0/10", "fc00::/7", "fe80::/10",
    )
)  # fmt: skip
"""Addresses that mean something inside an institution only (RFC 1918, 3927, 4193, 4291, 6598)."""
LEAST = 3
"""Shorter names are found in any text."""
MAX_FOUND = 200
_IP4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)")
_IP6 = re.compile(r"(?<![0-9a-f:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![0-9a-f:])")
_IN_PATTERN = re.compile(r"\\(['\\])")
_INCIDENT = re.compile(r"\binc-\d{4}-\d{4,}\b")


def names(organisation: Organisation, state: Incident, beside: Mapping[str, str | None]) -> dict[str, str]:
    """Every name that tells who was attacked, and what it is a name of."""
    found: dict[str, str] = {}
    for what, many in (
        ("institution", (organisation.name.ja, organisation.name.en)),
        ("person", _people(organisation)),
        ("service", _services(organisation)),
        ("third-party", _parties(organisation)),
        ("mail-domain", _domains(organisation)),
        ("incident", (state.stream, beside.get(state.title) or "")),
        ("scope", _assets(state.scope.values(), beside)),
    ):
        for name in many:
            if name and len(_folded(name)) >= (LEAST if name.isascii() else LEAST - 1):
                found.setdefault(_folded(name), what)
    return found


def _people(organisation: Organisation) -> Iterator[str]:
    for one in organisation.people:
        yield from (one.id, one.name.ja, one.name.en, one.account or "", one.slack or "", one.email or "")
        yield from (one.phone or "", one.number or "")


def _services(organisation: Organisation) -> Iterator[str]:
    for one in organisation.services:
        yield from (one.id, one.name.ja, one.name.en, *one.hosts)


def _parties(organisation: Organisation) -> Iterator[str]:
    for one in organisation.third_parties:
        if one.kind not in RECIPIENTS:
            yield from (one.id, one.name.ja, one.name.en, one.phone or "", one.email or "")


def _domains(organisation: Organisation) -> Iterator[str]:
    return (one.email.rpartition("@")[2] for one in organisation.people if one.email)


def _assets(items: Iterable[ScopeItem], beside: Mapping[str, str | None]) -> Iterator[str]:
    return (beside.get(one.name) or "" for one in items if one.kind != "indicator")


def _folded(text: str) -> str:
    """As it is compared: one width, one case, refanged, and without the spaces within Japanese names."""
    plain = _shown(text)
    return plain.strip() if plain.isascii() else re.sub(r"\s+", "", plain)


def _shown(text: str) -> str:
    """One width, one case, refanged, one sort of dash and of space, and nothing that no eye can see."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    if not plain.isascii():
        plain = "".join(_drawn(char) for char in plain)
    plain = re.sub(r"\s+", " ", plain)
    for token, real in (("[.]", "."), ("[@]", "@"), ("[:]", ":")):
        plain = plain.replace(token, real)
    return plain


def _drawn(char: str) -> str:
    kind = unicodedata.category(char)
    return "" if kind == "Cf" else "-" if kind == "Pd" or char == "\u2212" else char


def leaks(
    files: Mapping[str, str], known: Mapping[str, str], allowed: Iterable[str] = ()
) -> list[tuple[str, int, str, str]]:
    """Each name found: in which file, on which line, what it is a name of, and the name."""
    let_pass = {_folded(one) for one in allowed}
    wanted = {name: what for name, what in known.items() if name not in let_pass}
    found: list[tuple[str, int, str, str]] = []
    for file, text in files.items():
        # Most names are nowhere: they are looked for in the whole first, and only the others line by line.
        plain = _shown(_written(file, text))
        close = re.sub(r"\s+", "", plain)
        there = {name: what for name, what in wanted.items() if name in (plain if name.isascii() else close)}
        same: dict[str, list[tuple[str, str]]] = {}  # most lines of a bundle are there thousands of times
        for number, line in enumerate(text.splitlines(), start=1):
            if line not in same:
                same[line] = list(_on(_written(file, line), there, let_pass))
            for what, name in same[line]:
                found.append((file, number, what, name))
                if len(found) >= MAX_FOUND:
                    return found
    return found


def _written(file: str, line: str) -> str:
    """A line as whoever reads the file sees it: what JSON and Markdown escape is not hidden by that."""
    if file.endswith(".json"):
        once = re.sub(r"\\(?:u([0-9a-fA-F]{4})|(.))", _unescaped, line)
        # Within a STIX pattern quotes and backslashes are escaped once more (STIX 2.1, 9.2).
        twice = _IN_PATTERN.sub(r"\1", once)
        return once if twice == once else f"{once} {twice}"
    return html.unescape(re.sub(r"\\([^\w\s])", r"\1", line)) if file.endswith(".md") else line


def _unescaped(found: re.Match[str]) -> str:
    if found[1] is not None:
        return chr(int(found[1], 16))
    return {"n": " ", "t": " ", "r": " "}.get(found[2], found[2])


def _on(line: str, wanted: Mapping[str, str], let_pass: set[str]) -> Iterator[tuple[str, str]]:
    plain = _shown(line)
    close = plain if plain.isascii() else re.sub(r"\s+", "", plain)
    for name, what in wanted.items():
        if name in (plain if name.isascii() else close) and _whole(name, plain):
            yield what, name
    for address in dict.fromkeys((*_IP4.findall(plain), *_IP6.findall(plain))):
        if address not in let_pass and _is_ours(address):
            yield "internal-address", address
    for incident in dict.fromkeys(_INCIDENT.findall(plain)):
        if incident not in wanted and incident not in let_pass:
            yield "incident", incident


def _whole(name: str, plain: str) -> bool:
    """Whether an ASCII name stands by itself: `atm` is not in `treatment`. Japanese has no such borders."""
    if not name.isascii():
        return True
    return re.search(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", plain) is not None


def _is_ours(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found.sixtofour or found
    return any(found in network for network in OURS if network.version == found.version)
