"""The README lists the playbooks that there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from playbooks.library import shipped
from playbooks.readme import BEGIN, END, FILES, renewed, table, write

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("lang", FILES)
def test_the_readme_has_todays_list(lang: str) -> None:
    text = (ROOT / FILES[lang]).read_text(encoding="utf-8")
    assert renewed(text, lang) == text, "run: python -m playbooks.readme"


@pytest.mark.parametrize("lang", FILES)
def test_every_shipped_playbook_is_named_once(lang: str) -> None:
    made = table(lang)
    assert [name for name in shipped() if made.count(f"`{name}`") != 1] == []


def test_only_what_stands_between_the_markers_is_written() -> None:
    text = f"# Head\n\n{BEGIN}\nWAS HERE\n{END}\n\ntail\n"
    made = renewed(text, "en")
    assert made.startswith(f"# Head\n\n{BEGIN}\n")
    assert made.endswith(f"{END}\n\ntail\n")
    assert "WAS HERE" not in made
    assert renewed(made, "en") == made


def test_without_markers_a_section_is_added(tmp_path: Path) -> None:
    for name in FILES.values():
        (tmp_path / name).write_text("# Head\n", encoding="utf-8")
    assert [path.name for path in write(tmp_path)] == list(FILES.values())
    assert write(tmp_path) == []
    assert "# Head\n\n## プレイブック\n" in (tmp_path / "README.ja.md").read_text(encoding="utf-8")
