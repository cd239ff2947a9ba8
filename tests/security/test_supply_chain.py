"""What Hikeshi is made of: all of it pinned with hashes, under licences that fit, and listed for others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from license_expression import LicenseWithExceptionSymbol, get_spdx_licensing

from tests.security import sbom

REFUSED = ("GPL-", "AGPL-", "SSPL-", "BUSL-", "CC-BY-NC")
"""Families under which nothing may be that runs with us. LGPL is another family: a library beside ours."""


@pytest.fixture(scope="module")
def listed() -> dict[str, Any]:
    return sbom.made()


def test_the_list_is_what_the_schema_of_cyclonedx_takes(listed: dict[str, Any]) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(listed)) is None
    references = [one["bom-ref"] for one in listed["components"]]
    assert len(references) == len(set(references)) > 100
    known = {*references, listed["metadata"]["component"]["bom-ref"]}
    assert {one["ref"] for one in listed["dependencies"]} == known
    assert {below for one in listed["dependencies"] for below in one["dependsOn"]} <= known


def test_the_same_lock_gives_the_same_list(listed: dict[str, Any]) -> None:
    assert sbom.made() == listed


def test_everything_that_runs_is_pinned_with_hashes() -> None:
    always, more = sbom.shipped()
    assert {*sbom._named("run")} <= {*always}
    for pin in (*always.values(), *more.values()):
        assert pin.version and pin.hashes, pin.name
    for lock in ("run", "dev"):
        lines = (sbom.LOCKS / f"{lock}.txt").read_text(encoding="utf-8").splitlines()
        loose = [line for line in lines if line.strip() and "==" not in line and "--hash=sha256:" not in line]
        assert loose == [], "an address, or a package without its version"
    drifted = [name for name, pin in always.items() if sbom.pins("dev")[name] != pin]
    assert drifted == [], "tests run with another version than what is shipped"


def _names(expression: object) -> set[str]:
    """The licences that one has to keep to: of those one may choose from, the one that suits us best."""
    operator = getattr(expression, "operator", "").strip()
    if isinstance(expression, LicenseWithExceptionSymbol) or not operator:
        return {str(expression)}
    sides = [_names(one) for one in getattr(expression, "args", ())]
    if operator == "OR":
        return min(sides, key=lambda one: sum(name.startswith(REFUSED) for name in one))
    return set().union(*sides)


def _refused(text: str) -> set[str]:
    spdx = get_spdx_licensing()
    assert not spdx.validate(text).errors, text
    return {one for one in _names(spdx.parse(text)) if one.startswith(REFUSED)}


@pytest.mark.parametrize(
    ("why", "text", "fits"),
    [
        ("permissive", "MIT", True),
        ("weak copyleft", "MPL-2.0 AND LGPL-2.1-only", True),
        ("a choice", "Artistic-1.0-Perl OR GPL-2.0-or-later", True),
        ("no choice", "MIT AND GPL-3.0-only", False),
        ("over the network", "AGPL-3.0-or-later", False),
        ("a choice between two that do not fit", "GPL-2.0-only OR AGPL-3.0-only", False),
    ],
)
def test_which_licences_fit(why: str, text: str, fits: bool) -> None:
    assert (not _refused(text)) is fits, why


def test_no_licence_of_what_runs_is_incompatible_with_ours(listed: dict[str, Any]) -> None:
    for one in listed["components"]:
        text = one["licenses"][0]["expression"]
        assert text, f"{one['name']}: nobody has said its licence"
        assert not _refused(text), f"{one['name']}: {text}"
