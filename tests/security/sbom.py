"""`python -m tests.security.sbom`: what Hikeshi runs with, as CycloneDX 1.6 in build/sbom.cdx.json.

Names, versions and hashes are those of the locked requirements; licences and who needs whom come from what is
installed. It is the same file for the same lock, so that two of them can be compared.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ROOT / "requirements"
OUT = ROOT / "build" / "sbom.cdx.json"
EXTRAS = ("postgresql", "tracing")
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)(?P<rest>[^\n]*)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
NOT_SAID = {
    # Its wheel says nothing; its LICENSE does.
    "pyrage": "MIT",
    # For other systems and other Pythons: not installed where the lock is made.
    "async-timeout": "Apache-2.0",
    "pywin32": "PSF-2.0",
    "whenever": "MIT",
}
"""Licences that no metadata tells here."""
WORDS = {
    "apache 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "dual license": "Apache-2.0 OR BSD-3-Clause",
    "artistic license": "Artistic-1.0-Perl OR GPL-2.0-or-later",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mit licence": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "gnu lesser general public license v3 (lgplv3)": "LGPL-3.0-only",
}
"""What authors wrote before there were expressions."""


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One locked package."""

    name: str
    version: str
    hashes: tuple[str, ...]

    @property
    def ref(self) -> str:
        """How others in the list name it."""
        return f"pkg:pypi/{self.name}@{self.version}"


def pins(lock: str) -> dict[str, Pin]:
    """The packages of a locked file by name."""
    found: dict[str, Pin] = {}
    for block in re.split(r"\n(?=\S)", (LOCKS / f"{lock}.txt").read_text(encoding="utf-8")):
        if pin := _PIN.match(block):
            name = canonicalize_name(pin["name"])
            found[name] = Pin(name=name, version=pin["version"], hashes=tuple(_HASH.findall(block)))
    return found


def needs(name: str, extras: frozenset[str] = frozenset()) -> Iterator[tuple[str, frozenset[str]]]:
    """What a package says it needs here, with the extras it wants of it; nothing if it is not installed."""
    try:
        said = metadata.requires(name) or ()
    except metadata.PackageNotFoundError:
        return
    for one in map(Requirement, said):
        environments = [{**default_environment(), "extra": extra} for extra in extras or {""}]
        if one.marker is None or any(one.marker.evaluate(each) for each in environments):  # type: ignore[arg-type]
            yield canonicalize_name(one.name), frozenset(one.extras)


def reached(extra: str) -> set[str]:
    """All that an extra of ours brings along."""
    lines = (LOCKS / f"{extra}.in").read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    waiting: list[tuple[str, frozenset[str]]] = [
        (canonicalize_name(one.name), frozenset(one.extras)) for one in wanted
    ]
    found: set[str] = set()
    while waiting:
        name, extras = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += needs(name, extras)
    return found


def shipped() -> tuple[dict[str, Pin], dict[str, Pin]]:
    """What is always there, and what the extras add."""
    always, every = pins("run"), pins("dev")
    more = set().union(*map(reached, EXTRAS)) - set(always)
    return always, {name: every[name] for name in sorted(more)}


def licence_of(name: str) -> str:
    """As an SPDX expression; empty if nobody has said."""
    if name in NOT_SAID:
        return NOT_SAID[name]
    try:
        said = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    if expression := said.get_all("License-Expression"):
        return str(expression[0])
    classifiers = [
        one.rsplit("::", 1)[1].strip() for one in said.get_all("Classifier") or () if "License ::" in one
    ]
    lines = "".join(said.get_all("License") or ()).strip().splitlines()[:1]
    for words in (*lines, *classifiers):
        plain = words.split("  ")[0].strip().lower().removeprefix("the ").removesuffix(" (mit)")
        if plain in WORDS:
            return WORDS[plain]
        if re.fullmatch(r"[A-Za-z0-9.+-]+(?: (?:OR|AND) [A-Za-z0-9.+-]+)*", words):
            return str(words)
    return ""


def component(pin: Pin, scope: str) -> dict[str, Any]:
    """One package of the list. Each file that the lock allows has its hash."""
    return {
        "type": "library",
        "bom-ref": pin.ref,
        "name": pin.name,
        "version": pin.version,
        "scope": scope,
        "purl": pin.ref,
        "licenses": [{"expression": licence_of(pin.name)}],
        "hashes": [{"alg": "SHA-256", "content": one} for one in pin.hashes],
    }


def made() -> dict[str, Any]:
    """The whole list."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    always, more = shipped()
    every = always | more
    own = f"pkg:pypi/{project['name']}@{project['version']}"
    direct = sorted({*_named("run"), *(name for extra in EXTRAS for name in _named(extra))})
    tree = [{"ref": own, "dependsOn": [every[name].ref for name in direct]}]
    for name, pin in every.items():
        below = sorted({every[other].ref for other, _ in needs(name) if other in every})
        tree.append({"ref": pin.ref, "dependsOn": below})
    seed = json.dumps([[pin.ref, *pin.hashes] for pin in every.values()])
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, own + seed)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": project["name"],
                "version": project["version"],
                "description": project["description"],
                "licenses": [{"expression": project["license"]}],
                "purl": own,
            }
        },
        "components": [
            *(component(pin, "required") for pin in always.values()),
            *(component(pin, "optional") for pin in more.values()),
        ],
        "dependencies": tree,
    }


def _named(lock: str) -> list[str]:
    """What we ask for ourselves."""
    lines = (LOCKS / f"{lock}.in").read_text(encoding="utf-8").splitlines()
    return [canonicalize_name(Requirement(one).name) for one in lines if one and not one.startswith("#")]


def main() -> int:
    """Write it; 1 if somebody's licence is not known."""
    found = made()
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    unknown = [one["name"] for one in found["components"] if not one["licenses"][0]["expression"]]
    print(f"{OUT.relative_to(ROOT)}: {len(found['components'])} packages")
    if unknown:
        print(f"no licence is known of {', '.join(unknown)}: say it in tests/security/sbom.py")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
