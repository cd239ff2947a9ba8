"""Indicators of compromise as values: read as people write them, kept in one form, shown defanged.

Reports write `hxxp://evil[.]example` so that no reader follows it. What is kept is refanged and normalised
(case, punycode, default ports), so that the same indicator is never two; what is shown is defanged again.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Mapping
from urllib.parse import SplitResult, urlsplit

import idna

TYPES = (
    "ipv4", "ipv6", "domain", "url", "email", "md5", "sha1", "sha256",
    "filename", "mutex", "registry", "other",
)  # fmt: skip
MAX_VALUE = 2_000
MAX_DOMAIN = 253
MAX_PORT = 65_535
_DIGITS = {"md5": 32, "sha1": 40, "sha256": 64}
_TOKENS = (
    (re.compile(r"[\[({]\s*(?:\.|dot|。)\s*[\])}]", re.IGNORECASE), "."),
    (re.compile(r"[\[({]\s*(?:@|at)\s*[\])}]", re.IGNORECASE), "@"),
    (re.compile(r"\[:\]|\(:\)|\{:\}"), ":"),
    (re.compile(r"\[/\]|\(/\)"), "/"),
    (re.compile(r"\[://\]|\(://\)"), "://"),
)
_SCHEMES = (
    (re.compile(r"^h(?:xx|\*\*|__)p(s?)(?=:)", re.IGNORECASE), r"http\1"),
    (re.compile(r"^fxp(s?)(?=:)", re.IGNORECASE), r"ftp\1"),
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_LOCAL = re.compile(r"[^\s@<>\"(),:;\[\]\\]{1,64}")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,30}")
_URL = re.compile(r"[a-z][a-z0-9+.*_-]*(?:\[)?:(?:\])?//", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443, "ftp": 21}
_HIVES = {
    "hklm": "HKEY_LOCAL_MACHINE",
    "hkcu": "HKEY_CURRENT_USER",
    "hkcr": "HKEY_CLASSES_ROOT",
    "hku": "HKEY_USERS",
    "hkcc": "HKEY_CURRENT_CONFIG",
}
_PROGRAMS = frozenset(
    {
        "exe", "dll", "sys", "scr", "ps1", "bat", "cmd", "vbs", "vbe", "js", "jse", "wsf", "hta", "lnk",
        "msi", "docm", "xlsm", "doc", "docx", "xls", "xlsx", "pdf", "tmp", "dat", "bin", "jar", "iso", "img",
        "txt", "one",
    }
)  # fmt: skip
"""Endings that are files far more often than the last part of a domain."""
EXPECTED: Mapping[str, str] = {
    "ipv4": "an IPv4 address or network such as 203.0.113.7 or 203.0.113.0/24",
    "ipv6": "an IPv6 address or network such as 2001:db8::7",
    "domain": "a domain such as evil.example",
    "url": "a URL such as https://evil.example/path",
    "email": "a mail address such as someone@evil.example",
    "md5": "32 hexadecimal digits",
    "sha1": "40 hexadecimal digits",
    "sha256": "64 hexadecimal digits",
    "filename": "a file's name without control characters",
    "mutex": "a name without control characters",
    "registry": "a key such as HKEY_LOCAL_MACHINE\\Software\\Evil",
    "other": "a text without control characters",
}
"""What an indicator of each type looks like; said where one is refused."""


class NotAnIndicator(ValueError):
    """The value is none of its type; the message says what was expected."""


def refang(text: str) -> str:
    """`hxxp://evil[.]example` as it was before somebody made it harmless."""
    found = text.strip()
    for _ in range(len(found)):
        before = found
        for token, real in _TOKENS:
            found = token.sub(real, found)
        for scheme, real in _SCHEMES:
            found = scheme.sub(real, found)
        if found == before:
            break
    return found


def defang(kind: str, value: str) -> str:
    """The value so that no program makes it a link and nobody follows it by mistake."""
    if kind in {"ipv4", "domain"}:
        return value.replace(".", "[.]")
    if kind == "ipv6":
        return value.replace(":", "[:]")
    if kind == "email":
        return value.replace("@", "[@]").replace(".", "[.]")
    if kind == "url":
        scheme, colon, rest = value.partition("://")
        host, slash, path = rest.partition("/")
        dull = (
            re.sub(r"^http", "hxxp", scheme) if scheme.startswith("http") else scheme.replace("ft", "fx", 1)
        )
        return f"{dull}{colon}{host.replace('.', '[.]')}{slash}{path}"
    return value


def guess(text: str) -> str:
    """The type that a value looks like; `other` if it looks like none."""
    value = refang(text)
    if _URL.match(value):
        return "url"
    for kind in ("ipv4", "ipv6", "email", "sha256", "sha1", "md5"):
        if _fits(kind, value):
            return kind
    if value.split("\\", 1)[0].lower() in {*_HIVES, *(one.lower() for one in _HIVES.values())}:
        return "registry"
    if value.rsplit(".", 1)[-1].lower() in _PROGRAMS and "." in value:
        return "filename"
    return "domain" if _fits("domain", value) else "other"


def _fits(kind: str, value: str) -> bool:
    try:
        normalise(kind, value)
    except NotAnIndicator:
        return False
    return True


def normalise(kind: str, text: str) -> str:
    """The one form of an indicator of this type. Raises NotAnIndicator with what was expected."""
    if kind not in _READERS:
        raise NotAnIndicator(f"no type {kind[:40]!r}; expected one of {', '.join(TYPES)}")
    value = refang(text) if kind in _DEFANGED else text.strip()
    if not value or len(value) > MAX_VALUE or _unprintable(value):
        raise NotAnIndicator(f"expected {EXPECTED[kind]}, got {_shown(text)}")
    try:
        return _READERS[kind](value)
    except ValueError as wrong:
        raise NotAnIndicator(f"expected {EXPECTED[kind]}, got {_shown(text)}") from wrong


def _shown(text: str) -> str:
    return repr(text[:60]) + ("…" if len(text) > 60 else "")  # noqa: PLR2004 - enough to find it again


def _unprintable(value: str) -> bool:
    """Control characters, and half a character that no text can hold."""
    return any(unicodedata.category(char) in {"Cc", "Cs"} for char in value)


def same(kind: str, value: str) -> str:
    """What two writings of one indicator have in common: names of Windows do not differ by case."""
    return value.casefold() if kind in {"filename", "registry"} else value


# -- each type ----------------------------------------------------------------------------------------------


def _ip4(value: str) -> str:
    if "/" in value:
        network = ipaddress.IPv4Network(value)
        return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)
    return str(ipaddress.IPv4Address(value))


def _ip6(value: str) -> str:
    if "%" in value:
        raise ValueError(value)  # a zone belongs to one machine and means nothing elsewhere
    if "/" in value:
        network = ipaddress.IPv6Network(value)
        return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)
    return str(ipaddress.IPv6Address(value))


def _domain(value: str) -> str:
    """Lower case, in punycode, without the last dot."""
    name = unicodedata.normalize("NFKC", value).replace("。", ".").rstrip(".")
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError, IndexError) as wrong:
            raise ValueError(value) from wrong
    name = name.lower()
    labels = name.split(".")
    if len(name) > MAX_DOMAIN or len(labels) == 1 or labels[-1].isdigit():
        raise ValueError(value)
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(value)
    return name


def _host(value: str) -> str:
    """The host of a URL: a name, which may have one part alone, or an address."""
    for read in (_ip4, _domain):
        try:
            return read(value)
        except ValueError:
            continue
    if value.isascii() and _LABEL.fullmatch(value.lower()) and not value.isdigit():
        return value.lower()
    raise ValueError(value)


def _url(value: str) -> str:
    if re.search(r"\s", value):
        raise ValueError(value)
    parts = urlsplit(value)
    scheme = parts.scheme.lower()
    if not _SCHEME.fullmatch(scheme) or not parts.netloc or "\\" in parts.netloc:
        raise ValueError(value)
    rest = parts._replace(scheme="", netloc="").geturl()
    tail = value.split("://", 1)[1][len(parts.netloc) :]
    return f"{scheme}://{_netloc(scheme, parts)}{tail if rest.startswith(('/', '?', '#')) else '/'}"


def _netloc(scheme: str, parts: SplitResult) -> str:
    user, at, _ = parts.netloc.rpartition("@")
    hostname = parts.hostname or ""
    host = f"[{_ip6(hostname)}]" if ":" in hostname else _host(hostname)
    port = parts.port
    if port is None or port == _PORTS.get(scheme):
        return f"{user}{at}{host}"
    return f"{user}{at}{host}:{port}"


def _email(value: str) -> str:
    local, _, domain = value.rpartition("@")
    if not _LOCAL.fullmatch(local):
        raise ValueError(value)
    return f"{local.lower()}@{_domain(domain)}"


def _digest(kind: str) -> Callable[[str], str]:
    written = re.compile(rf"(?:{kind}:)?([0-9a-f]{{{_DIGITS[kind]}}})")

    def read(value: str) -> str:
        found = written.fullmatch(value.lower())
        if found is None:
            raise ValueError(value)
        return found[1]

    return read


def _name(value: str) -> str:
    return unicodedata.normalize("NFC", value)


def _registry(value: str) -> str:
    hive, _, key = _name(value).replace("/", "\\").partition("\\")
    whole = _HIVES.get(hive.lower(), hive.upper())
    if whole not in _HIVES.values() or not key.strip("\\"):
        raise ValueError(value)
    return f"{whole}\\{key.rstrip(chr(92))}"


_READERS: Mapping[str, Callable[[str], str]] = {
    "ipv4": _ip4,
    "ipv6": _ip6,
    "domain": _domain,
    "url": _url,
    "email": _email,
    "md5": _digest("md5"),
    "sha1": _digest("sha1"),
    "sha256": _digest("sha256"),
    "filename": _name,
    "mutex": _name,
    "registry": _registry,
    "other": _name,
}
_DEFANGED = frozenset({"ipv4", "ipv6", "domain", "url", "email"})


# -- STIX patterns ------------------------------------------------------------------------------------------

_PATHS: Mapping[str, str] = {
    "ipv4": "ipv4-addr:value",
    "ipv6": "ipv6-addr:value",
    "domain": "domain-name:value",
    "url": "url:value",
    "email": "email-addr:value",
    "md5": "file:hashes.MD5",
    "sha1": "file:hashes.'SHA-1'",
    "sha256": "file:hashes.'SHA-256'",
    "filename": "file:name",
    "mutex": "mutex:name",
    "registry": "windows-registry-key:key",
}
_BY_PATH = {path.replace("'", "").replace('"', "").lower(): kind for kind, path in _PATHS.items()} | {
    "file:hashes.sha1": "sha1",
    "file:hashes.sha256": "sha256",
    "email-message:from_ref.value": "email",
    "email-message:sender_ref.value": "email",
}
_COMPARISON = r"([a-z0-9-]+:[A-Za-z0-9_.'\"-]+)\s*=\s*'((?:[^'\\]|\\.)*)'"
_ONE = re.compile(rf"\s*{_COMPARISON}\s*", re.DOTALL)
_OBSERVED = re.compile(
    rf"\s*\[(\s*{_COMPARISON}\s*(?:OR\s*{_COMPARISON}\s*)*)\]\s*(?:OR(?=\s*\[)|$)", re.DOTALL
)
MAX_PATTERN = 20_000


def pattern(kind: str, value: str) -> str | None:
    """The STIX 2.1 pattern that matches an indicator; None for `other`, which nothing can look for."""
    if kind not in _PATHS:
        return None
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"[{_PATHS[kind]} = '{escaped}']"


def read_pattern(text: str) -> list[tuple[str, str]] | None:
    """The (type, value)s of a pattern of plain comparisons, joined by OR; None if it says anything else."""
    if len(text) > MAX_PATTERN:
        return None
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        observed = _OBSERVED.match(text, position)
        if observed is None:
            return None
        for path, value in _comparisons(observed[1]):
            kind = _BY_PATH.get(path.replace("'", "").replace('"', "").lower())
            if kind is None:
                return None
            found.append((kind, re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)))
        position = observed.end()
    return found or None


def _comparisons(inside: str) -> list[tuple[str, str]]:
    found = []
    position = 0
    while (one := _ONE.match(inside, position)) is not None:
        found.append((one[1], one[2]))
        position = one.end()
        if inside.startswith("OR", position):
            position += 2
    return found
