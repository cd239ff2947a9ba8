"""Names that lead elsewhere: in addresses, in names of files that come in, and in those that go out."""

from __future__ import annotations

import base64
import stat
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest

from console.restore.reading import lines_of
from console.web.api.answers import _disposition
from console.web.forms import file_name
from console.web.sessions import cookie_name
from models.desk import Desk
from playbooks.institution import Institution
from tests.console.apihouse import INC, TANAKA, declared, files_of, session
from tests.console.webhouse import Web, make_house
from tests.security.corpora import texts

PATHS = texts("paths")
NAMES = texts("paths", "lines")
PLACES = (
    "/static/{}", "/incidents/{}", "/playbooks/{}", "/playbooks/{}/graph", "/services/{}", "/p/{}",
    "/login/once/{}", "/api/v1/incidents/{}", "/live/{}", "/rehearsals/{}",
)  # fmt: skip
OF_THE_DISK = ("root:", "PATH=", "[core]", "from __future__")


@pytest.fixture
def web(bank: Institution, desk: Desk, tmp_path: Path) -> Web:
    made = Web(make_house(bank, desk, tmp_path / "var"))
    declared(made.house)
    return made


async def test_no_address_leads_to_a_file_of_the_disk(web: Web) -> None:
    tanaka = session(web, TANAKA)
    cookie = {"Cookie": f"{cookie_name(web.house)}={tanaka.cookie}"}
    async with web.client() as client:
        for number, one in enumerate(PATHS):
            # Each text at some of the places; all of the texts at the one that serves files.
            for place in {PLACES[0], PLACES[number % len(PLACES)], PLACES[(number + 3) % len(PLACES)]}:
                answer = await client.get(place.format(quote(one, safe="/")), headers=cookie)
                assert answer.status_code < 500, (place, one)
                assert not any(mark in answer.text for mark in OF_THE_DISK), (place, one)
                served = answer.status_code == 200 and answer.url.path.startswith("/static/")
                assert not served, (place, one)


async def test_no_name_of_evidence_leads_out_of_its_folder(web: Web, tmp_path: Path) -> None:
    """Whatever a file is called, its bytes lie under their digest and nothing lies beside."""
    tanaka = session(web, TANAKA)
    for number, one in enumerate(PATHS):
        body = base64.b64encode(f"memory {number}".encode()).decode()
        given = {"source": "memory", "description": "x", "file": {"name": one, "base64": body}}
        answer = await tanaka.ask("POST", f"/incidents/{INC}/evidence/add", json=given)
        assert answer.status_code in {200, 422}, (one, answer.text)
    found = files_of(tmp_path)
    assert found and all(name.startswith("var/") for name in found)
    assert not any("evil" in name or "passwd" in name for name in found), found
    listed = await tanaka.get(f"/incidents/{INC}/evidence/list")
    assert len(listed) > len(PATHS) // 2
    assert not any("/" in item["name"] or "\\" in item["name"] for item in listed)


@pytest.mark.parametrize("text", NAMES, ids=range(len(NAMES)))
def test_a_file_that_goes_out_has_a_name_and_no_second_header(text: str) -> None:
    header = _disposition(file_name(text))
    assert header.isascii() and header.isprintable() and '"' not in header
    assert header.count(";") == 1 and header.startswith("attachment; filename*=UTF-8''")
    name = file_name(text)
    assert Path(name).name == name and name not in {"", ".", ".."}
    assert not name.startswith(".")


def test_an_archive_is_read_by_the_names_we_write_and_nothing_is_unpacked(tmp_path: Path) -> None:
    """Members of any other name, links among them, are not looked at; none gets to the disk."""
    path = tmp_path / "in" / "archive.zip"
    path.parent.mkdir()
    link = zipfile.ZipInfo("documents.jsonl")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("facts.jsonl", b'{"t":"fact"}\n')
        packed.writestr(link, "/etc/passwd")
        for one in PATHS:
            packed.writestr(zipfile.ZipInfo(one.replace("\0", "_") or "x"), b"evil\n")
    found = list(lines_of(path, None))
    assert [(raw.place, raw.body) for raw in found] == [
        ("facts.jsonl:1", b'{"t":"fact"}\n'),
        ("documents.jsonl:1", b"/etc/passwd"),  # the link is read as the text that it holds, and is no line
    ]
    assert files_of(tmp_path) == ["in/archive.zip"]
