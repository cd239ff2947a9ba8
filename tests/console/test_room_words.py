"""The words of the war room: each page has them in both languages, and its templates are there."""

from __future__ import annotations

import pytest

from console.web.frame import Page
from console.web.rendering import HERE, page_words, words
from console.web.room import NAV
from console.web.rooms import PAGES


def keys(table: object, before: str = "") -> set[str]:
    """The dotted keys of a table of words."""
    if not isinstance(table, dict):
        return {before}
    return {one for name, value in table.items() for one in keys(value, f"{before}.{name}")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_the_same_words_in_both_languages(page: Page) -> None:
    assert keys(dict(page_words(page.name, "ja"))) == keys(dict(page_words(page.name, "en")))
    assert "title" in page_words(page.name, "ja")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_its_templates(page: Page) -> None:
    names = [
        f"{page.name}/page.html",
        *(one.template or f"{page.name}/{one.name}.html" for one in page.parts),
    ]
    assert [name for name in names if not (HERE / "templates" / name).is_file()] == []


def test_no_two_pages_have_one_name_or_one_address() -> None:
    assert len({page.name for page in PAGES}) == len({page.path for page in PAGES}) == len(PAGES)


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_the_navigation_has_its_words_and_leads_to_pages_that_there_are(lang: str) -> None:
    assert [name for name, _ in NAV if not words(lang)["frame"].get(f"nav-{name}")] == []
    assert {path for _, path in NAV} <= {page.path for page in PAGES}


def test_forms_have_the_same_words_in_both_languages() -> None:
    assert keys(dict(page_words("acts", "ja"))) == keys(dict(page_words("acts", "en")))
