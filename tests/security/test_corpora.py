"""Hostile texts in every field at once, and then a look at everything that people and programs are shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.rights import DOORS, LOOKS
from tests.console.clihouse import Cli, cli
from tests.console.test_cli_access import NEEDS, WITHOUT
from tests.console.webhouse import SECRETS, Web
from tests.security import surfaces
from tests.security.corpora import texts
from tests.security.poisoned import INC, poison

__all__ = ["cli"]
SOME, EVERY = 6, 6
"""In the short form a sixth of the texts go into three of the fields each; in the long one all into all."""
SATO = "sato-kenji"


def poisoned(cli: Cli, some: int, every: int) -> Cli:
    for name, secret in SECRETS.items():
        cli.monkeypatch.setenv(name, secret)
    poison(cli.house, texts()[::some], every)
    return cli


async def looked_at(house: Cli, lang: str, folder: Path) -> list[tuple[str, Any]]:
    """Every way to look, with what is wrong with what it shows."""
    found = [*_terminal(house, lang), *_written(house, lang, folder)]
    return [*found, *[one async for one in _pages(house, lang)]]


def _terminal(house: Cli, lang: str) -> Iterator[tuple[str, Any]]:
    for name in sorted(LOOKS):
        given = [*name.split(), *([] if name in WITHOUT else [INC]), *NEEDS.get(name, ())]
        answer = house.run(*given, lang=lang)
        yield name, surfaces.terminal(answer.out + answer.err)


def _written(house: Cli, lang: str, folder: Path) -> Iterator[tuple[str, Any]]:
    """What leaves as a file: reports, tables, calendars, packages for others."""

    def out(name: str, *given: str) -> str:
        path = folder / f"{lang}-{name}"
        answer = house.run(*given, str(path), lang=lang)
        assert answer.code == 0, (given, answer.err)
        return path.read_text(encoding="utf-8")

    yield "report of the incident", surfaces.markdown(house.run("export", INC, lang=lang).out)
    yield (
        "draft of a report",
        surfaces.markdown(out("r.md", "report", "draft", INC, "JP-PPC", "preliminary", "--out")),
    )
    yield "replay", surfaces.markdown(out("p.md", "replay", INC, "--format", "md", "--out"))
    yield "replay as a page", surfaces.html(out("p.html", "replay", INC, "--format", "html", "--out"))
    yield "situation", surfaces.terminal(out("s.txt", "situation", "draft", INC, "--out"))
    yield "scope as a table", surfaces.sheet(out("s.csv", "scope", "export", INC, "--out"))
    calendar = out("c.ics", "clocks", INC, "--ics")
    yield "calendar", surfaces.calendar(calendar)
    package = folder / f"{lang}-package"
    prepare = ("share", "prepare", INC, "--tlp", "red", "--part", "damage", "--out", str(package))
    assert house.run(*prepare, lang=lang).code == 0
    for path in package.iterdir():
        check = surfaces.sheet if path.suffix == ".csv" else surfaces.markdown
        yield path.name, check(path.read_text(encoding="utf-8"))


async def _pages(house: Cli, lang: str) -> Any:
    web = Web(house.house)
    for door in DOORS:
        method, path = door.split(" ", 1)
        if method != "GET" or path.startswith(("/live", "/static", "/p/", "/login", "/metrics", "/health")):
            continue
        subject = INC if "/incidents/" in path else "core-banking"
        answer = await web.look(SATO, path.replace("{subject}", subject).replace("{item}", "7"), lang)
        yield path, surfaces.html(answer.text)


async def test_no_text_is_more_than_text_wherever_it_is_shown(cli: Cli, tmp_path: Path) -> None:
    house = poisoned(cli, SOME, EVERY)
    wrong = [(where, what[:5]) for where, what in await looked_at(house, "en", tmp_path) if what]
    assert wrong == [], "\n".join(map(str, wrong))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("lang", ["ja", "en"])
async def test_every_text_in_every_field_is_no_more_than_text(cli: Cli, tmp_path: Path, lang: str) -> None:
    house = poisoned(cli, 1, 1)
    wrong = [(where, what[:5]) for where, what in await looked_at(house, lang, tmp_path) if what]
    assert wrong == [], "\n".join(map(str, wrong))
