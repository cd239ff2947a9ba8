"""`hikeshi init` writes a working example, the same as `examples/mihon-bank`; schemas fit what is written."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from models.errors import BadInput
from playbooks import schemas, starter
from playbooks.check import check
from playbooks.institution import load
from playbooks.library import FOLDER
from playbooks.reading import read_document
from playbooks.scenarios import FOLDER as SCENARIOS

EXAMPLE = Path(__file__).parents[2] / "examples" / "mihon-bank"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def files(folder: Path) -> dict[str, str]:
    skipped = {"var", "schemas"}
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in skipped and path.name != ".gitkeep"
    }


def test_the_packaged_example_and_the_one_for_reading_are_the_same(tmp_path: Path) -> None:
    starter.write(tmp_path / "new", "ja")
    assert files(tmp_path / "new") == files(EXAMPLE), (
        "run playbooks.starter.adopt after changing examples/mihon-bank"
    )


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_what_is_written_works_and_speaks_the_language_asked_for(tmp_path: Path, lang: str) -> None:
    written = starter.write(tmp_path, lang)
    assert all(path.is_file() for path in written)
    assert [defect for defect in check(tmp_path, NOW) if defect.severity == "error"] == []
    institution = load(tmp_path)
    assert (institution.settings.lang, institution.organisation.lang) == (lang, lang)
    assert (tmp_path / "scenarios").is_dir()
    assert "var/" in (tmp_path / ".gitignore").read_text()


def test_a_directory_that_holds_anything_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="is not empty; choose a new directory, nothing was written"):
        starter.write(tmp_path, "ja")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        starter.write(tmp_path / "file", "ja")


def test_an_unknown_language_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="choose ja or en"):
        starter.write(tmp_path / "new", "fr")
    assert not (tmp_path / "new").exists()


def test_a_changed_example_is_adopted_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = Path(shutil.copytree(starter.EXAMPLE, tmp_path / "package"))
    example = Path(shutil.copytree(EXAMPLE, tmp_path / "example"))
    monkeypatch.setattr(starter, "EXAMPLE", package)
    (example / "playbooks/atm-outage.yaml").rename(example / "playbooks/atm.yaml")
    (example / "severity.yaml").write_text("default: high\n")
    (example / "var").mkdir()
    (example / "var/secret.json").write_text("{}")
    starter.adopt(example)
    assert (package / "severity.yaml").read_text() == (
        "# yaml-language-server: $schema=schemas/severity.schema.json\ndefault: high\n"
    )
    assert (package / "playbooks/atm.yaml").exists()
    assert not (package / "playbooks/atm-outage.yaml").exists()
    assert not (package / "var").exists()


@cache
def validator(name: str) -> Draft202012Validator:
    schema = schemas.schema(name)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def problems(name: str, path: Path) -> list[str]:
    document, defects = read_document(path)
    assert defects == []
    assert document is not None
    return [error.message for error in validator(name).iter_errors(document.value)]


@pytest.mark.parametrize("name", ["organisation", "routes", "severity", "targets", "intake"])
def test_the_example_fits_its_schemas(name: str) -> None:
    assert problems(name, EXAMPLE / f"{name}.yaml") == []


def test_settings_playbooks_and_scenarios_fit_their_schemas() -> None:
    assert problems("settings", EXAMPLE / "settings.toml") == []
    for path in (*FOLDER.glob("*.yaml"), *(EXAMPLE / "playbooks").glob("*.yaml")):
        assert problems("playbook", path) == [], path.name
    for path in SCENARIOS.glob("*.yaml"):
        assert problems("scenario", path) == [], path.name
    for path in (FOLDER.parent / "catalogue").glob("guideline*.yaml"):
        assert problems("catalogue", path) == [], path.name


def test_a_schema_refuses_a_misspelt_key_and_takes_one_text_for_both_languages() -> None:
    settings = {"lang": "ja", "prot": 1}
    assert [error.message for error in validator("settings").iter_errors(settings)] == [
        "Additional properties are not allowed ('prot' was unexpected)"
    ]
    severity = schemas.schema("severity")["$defs"]["Text"]
    assert [part.get("type") for part in severity["anyOf"]] == ["string", "object"]


def test_every_file_names_a_schema_that_is_written(tmp_path: Path) -> None:
    starter.write(tmp_path, "en")
    named = 0
    for path in tmp_path.rglob("*.yaml"):
        match = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text())
        assert match, path
        assert json.loads((path.parent / match[1]).read_text())["$schema"] == schemas.DIALECT
        named += 1
    assert named >= 6
