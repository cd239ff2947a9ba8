"""The directory read whole: shipped and own playbooks merged, one error with every defect."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models.organisation import Organisation
from playbooks.catalogue import read_catalogue
from playbooks.institution import load
from playbooks.library import FOLDER, read_library
from playbooks.reading import Defects

ROOT = Path(__file__).parents[2]
BASE = ROOT / "examples" / "defects" / "base"


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BASE, tmp_path / "bank"))


def test_everything_is_there(bank: Path) -> None:
    institution = load(bank)
    assert isinstance(institution.organisation, Organisation)
    assert [route.id for route in institution.policy.routes] == ["house", "main"]
    assert institution.policy.severity.default == "high"
    assert set(institution.targets.targets) >= {"firewall-api", "log-archive"}
    assert [source.id for source in institution.intake.sources] == ["edr"]
    assert institution.settings.data == "var"
    assert institution.directory == bank
    assert institution.catalogue["FSA-2.5.2.4-B1"].origin == "official"


def test_optional_files_have_defaults(bank: Path) -> None:
    for name in ("targets.yaml", "intake.yaml", "settings.toml"):
        (bank / name).unlink()
    institution = load(bank)
    assert institution.targets.targets == {}
    assert institution.intake.sources == ()
    assert institution.settings.port == 8410


def test_own_playbooks_add_to_the_shipped_ones_and_take_the_place_of_those_of_the_same_id(bank: Path) -> None:
    shipped = (FOLDER / "unknown.yaml").read_text()
    (bank / "playbooks/unknown.yaml").write_text(shipped.replace("\nversion: ", "\nversion: 9", 1))
    institution = load(bank)
    origins = {name: institution.origins[name] for name in ("ransomware", "unknown", "pc-malware")}
    assert origins == {"ransomware": "shipped", "unknown": "overrides", "pc-malware": "own"}
    assert institution.playbooks["unknown"].version.startswith("9")
    assert load(BASE).origins["unknown"] == "shipped", "another directory is not touched"


def test_all_defects_of_form_come_in_one_error_and_no_warning_does(bank: Path) -> None:
    (bank / "severity.yaml").unlink()
    (bank / "settings.toml").write_text("port = 'x'")
    with pytest.raises(Defects) as raised:
        load(bank)
    files = [Path(defect.file).name for defect in raised.value.defects]
    assert files == ["settings.toml", "severity.yaml"]


def test_a_playbook_with_a_defect_is_left_out_with_what_calls_it_and_the_rest_goes_on(bank: Path) -> None:
    (bank / "playbooks/pc-malware.yaml").write_text("playbook: pc-malware")
    caller = """
playbook: caller
version: 1.0.0
title: x
reviewed: 2026-11-01
priority: 1
steps: [{id: go, phase: triage, kind: call, call: pc-malware, title: x}]
"""
    (bank / "playbooks/caller.yaml").write_text(caller)
    institution = load(bank)
    assert {"pc-malware", "caller"}.isdisjoint(institution.playbooks)
    assert "unknown" in institution.playbooks
    assert {Path(one.file).name for one in institution.playbooks.left_out} == {"pc-malware.yaml"}


def test_a_broken_override_gives_the_shipped_playbook_back(bank: Path) -> None:
    (bank / "playbooks/unknown.yaml").write_text("playbook: unknown")
    institution = load(bank)
    assert institution.origins["unknown"] == "shipped"


def test_an_own_catalogue_overrides_by_id(bank: Path) -> None:
    (bank / "catalogue.yaml").write_text(
        "items: [{id: FSA-2.5.2.4-B1, edition: 2027-07-01, origin: official, level: basic,"
        " section: '2.5.2.4', summary: x, source: S1, confidence: C1, scope: plan}]"
    )
    assert load(bank).catalogue["FSA-2.5.2.4-B1"].scope == "plan"


def test_a_broken_catalogue_is_told_with_its_place(bank: Path, tmp_path: Path) -> None:
    (bank / "catalogue.yaml").write_text("items: [{id: x}]")
    items, documents, defects = read_catalogue(bank, tmp_path / "none")
    assert items == {}
    assert len(documents) == 1
    assert {defect.path for defect in defects} == {"items[x]", "items[x].id"}
    (bank / "catalogue.yaml").write_text("items: [")
    items, documents, defects = read_catalogue(bank, tmp_path / "none")
    assert (items, documents, len(defects)) == ({}, [], 1)


def test_the_shipped_library_is_without_defects(tmp_path: Path) -> None:
    entries, defects = read_library(tmp_path)
    assert defects == []
    assert {"ransomware", "unknown"} <= set(entries)


def test_loading_is_quick_enough_for_every_command() -> None:
    load(BASE)
    began = time.perf_counter()
    load(ROOT / "examples" / "mihon-bank")
    assert time.perf_counter() - began < 4, "ten times the slack of 0.4 s"


def test_loading_brings_in_neither_database_nor_prefect() -> None:
    code = (
        "import sys; from pathlib import Path; from playbooks.institution import load;"
        "load(Path(sys.argv[1]));"
        "print(sorted({'prefect', 'sqlalchemy', 'sqlmodel', 'fastapi'} & set(sys.modules)))"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code, str(BASE)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "[]"
