"""Files as values with places: every defect at once, bounds before anything large is built."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from models.errors import BadConfiguration
from models.installation import Settings
from models.organisation import Organisation, ThirdParty
from models.targets import Targets
from models.values import Frozen
from playbooks.document import MAX_BYTES, MAX_BYTES_SLOW, MAX_NODES, MAX_NODES_SLOW, Document
from playbooks.reading import Defect, Defects, read_document, read_yaml


class Anything(Frozen):
    """Takes one key with any value."""

    a: Any


def read(folder: Path, text: str | bytes, name: str = "file.yaml") -> tuple[Document | None, list[str]]:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    document, defects = read_document(path, shown=name)
    return document, [str(defect) for defect in defects]


def value(folder: Path, text: str) -> Any:
    document, defects = read(folder, text)
    assert defects == []
    assert document is not None
    return document.value


@pytest.mark.parametrize(
    ("sentence", "text", "expected"),
    [
        ("on and yes are words", "a: [on, yes, off]", {"a": ["on", "yes", "off"]}),
        ("a time of day is text", "a: 12:30", {"a": "12:30"}),
        (
            "also within braces",
            "a: {b: 12:30, c: 2026-11-23T03:00:00+09:00}",
            {"a": {"b": "12:30", "c": "2026-11-23T03:00:00+09:00"}},
        ),
        ("a question at the end within braces", "a: {b: Is it real?}", {"a": {"b": "Is it real?"}}),
        ("a date is text", "a: 2026-11-23", {"a": "2026-11-23"}),
        ("true and false are truth", "a: [true, False]", {"a": [True, False]}),
        ("quotes make text", "a: ['1', \"true\", '']", {"a": ["1", "true", ""]}),
        ("numbers are numbers", "a: [1, -2, 1.5, 1e3]", {"a": [1, -2, 1.5, 1000.0]}),
        ("too long a number stays text", "a: 1234567890123456789", {"a": "1234567890123456789"}),
        ("nothing is null", "a: [~, null]\nb:", {"a": [None, None], "b": None}),
        ("keys are text", "1: x\ntrue: y", {"1": "x", "true": "y"}),
        ("an alias is a copy", "a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a byte-order mark is skipped", "\ufeffa: 1", {"a": 1}),
    ],
)
def test_values_follow_yaml_1_2(tmp_path: Path, sentence: str, text: str, expected: Any) -> None:
    assert value(tmp_path, text) == expected, sentence


def bomb(letters: str = "abcdefgh") -> str:
    lines = ["a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    for before, name in pairwise(letters):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("sentence", "text", "says"),
    [
        ("nested aliases", bomb(), "file.yaml:4:16: (file): has too many aliases"),
        ("aliases of large lists", "a: &a [" + "x," * 20_000 + "]\nb: [*a, *a]", "holds more than"),
        (
            "an alias of itself",
            "a: &x [*x]",
            "1:8: (file): refers to 'x'; expected an anchor that ends before it",
        ),
        ("depth", "a: " + "[" * 50_000, "1:33: (file): nests too deep; expected at most 30 levels"),
        ("depth of braces", "{a: " * 5_000, "nests too deep"),
        ("width", "a: [" + "x," * 300_000 + "]", f"holds more than {MAX_NODES} values"),
        (
            "width in the exact parser",
            "b: {c: 1:2}\na: [" + "x," * 60_000 + "]",
            f"more than {MAX_NODES_SLOW} values",
        ),
        ("length", "a" * (MAX_BYTES + 1), "is larger than 1024 KiB"),
        ("length for the exact parser", "b: {c: 1:2}\n#" + "x" * MAX_BYTES_SLOW, "is not YAML"),
        ("tags", "a: !!python/object:os.system ls", "1:4: (file): uses the tag"),
        ("a tagged key", "!!str a: 1", "has a key that is no plain text"),
        ("a list as key", "? [a]\n: 1", "has a key that is no plain text"),
        ("an alias as key", "a: &x b\n*x : c", "has a key that is no plain text"),
        (
            "the same key twice",
            "a: 1\nb: 2\na: 3",
            "3:1: a: the key 'a' is there twice; expected it once: see line 1",
        ),
        ("two documents", "a: 1\n---\nb: 2", "2:1: (file): holds a second document"),
        ("nothing", "", "1:1: (file): is empty; expected at least one key"),
        ("only a comment", "# hello\n", "is empty"),
        ("a bracket left open", "a: [1,\nb: 2\n", "is not YAML"),
        (
            "a control character",
            "a: 1\nb: \x00",
            "2:4: (file): is not YAML: control characters are not allowed",
        ),
        ("a tab as indentation", "a:\n\tb: 1", "is not YAML"),
    ],
)
def test_what_a_plan_does_not_need_is_refused_within_0_2_s(
    tmp_path: Path, sentence: str, text: str, says: str
) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text)
    began = time.perf_counter()
    _, defects = read_document(path, shown="file.yaml")
    took = time.perf_counter() - began
    assert says in str(defects[0]), sentence
    assert took < 2, "ten times the slack of the promise"


def test_other_encodings_are_refused_with_their_place(tmp_path: Path) -> None:
    _, defects = read(tmp_path, "a: 1\nb: 銀行".encode("cp932"))
    assert defects == ["file.yaml:2:4: (file): is not UTF-8; expected text saved as UTF-8"]


def test_a_file_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    _, defects = read_document(tmp_path / "routes.yaml", shown="routes.yaml")
    assert "cannot be read: No such file or directory; expected a file (`hikeshi init`" in str(defects[0])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lang = 1 2", "settings.toml:1:10: (file): is not TOML"),
        ('lang = "ja', "settings.toml:1:"),
        ("[slack\n", "settings.toml:1:"),
        ('lang = "fr"', "settings.toml:1:1: lang: got 'fr'; expected one of en, ja"),
        ("port = 1\n[slak]\n", "2:2: slak: unknown key 'slak'; expected a known one (did you mean `slack`?)"),
        ('[email]\nhost = "h"\nsender = "s"\nsecurty = "tls"', "4:1: email.securty: unknown key 'securty'"),
        ('[email]\nhost = "h"', "1:2: email: `sender` is missing"),
        ("heartbeat_every = 5", "1:1: heartbeat_every: got 5; expected a time with its unit"),
    ],
)
def test_settings_have_places_too(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    settings, defects = read_yaml(path, Settings)
    assert settings is None
    assert says in str(defects[0]).replace(f"{tmp_path}/", "")


def test_toml_that_nests_without_end_is_refused(tmp_path: Path) -> None:
    _, defects = read(tmp_path, "a = " + "[" * 100_000, "settings.toml")
    assert len(defects) == 1


ORGANISATION = """\
name: みほん銀行
people:
  - id: Aoki
    name: 3
    phone: 0312345678
    chanels: [console]
    absences: [{since: 2026-12-01T09:00:00, until: 2026-12-02}]
roles: {}
services:
  - {id: ib, name: IB, owner: ciso, tier: 9, rto: 4 hours, rpo: 15, rlo: x, mtpd: 1d}
"""


def test_all_defects_of_a_file_are_told_at_once_each_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "organisation.yaml"
    path.write_text(ORGANISATION)
    _, defects = read_yaml(path, Organisation)
    assert [
        str(defect).split(": ", 1)[0].rsplit("/", 1)[-1] + " " + defect.path for defect in sorted(defects)
    ] == [
        "organisation.yaml:3:9 people[Aoki].id",
        "organisation.yaml:4:11 people[Aoki].name",
        "organisation.yaml:5:12 people[Aoki].phone",
        "organisation.yaml:6:5 people[Aoki].chanels",
        "organisation.yaml:7:24 people[Aoki].absences[0].since",
        "organisation.yaml:7:52 people[Aoki].absences[0].until",
        "organisation.yaml:8:8 roles",
        "organisation.yaml:10:5 services[ib]",
        "organisation.yaml:10:43 services[ib].tier",
        "organisation.yaml:10:51 services[ib].rto",
        "organisation.yaml:10:65 services[ib].rpo",
    ]
    words = {defect.path.rsplit(".", 1)[-1]: defect.expected for defect in defects}
    assert words["phone"] == "text: put it in quotes"
    assert words["chanels"] == "a known one (did you mean `channels`?)"
    assert words["since"] == "an offset, for example 2026-11-23T03:00:00+09:00"
    assert words["rpo"].startswith("a time with its unit, such as 15m")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{kind: ftp}", "targets.a: got {'kind': 'ftp'}; expected one of command, files, http"),
        (
            "{kind: http, url: 'http://x', methd: GET}",
            "targets.a.methd: unknown key 'methd'; expected a known one (did you mean `method`?)",
        ),
        ("{kind: files, root: r, url: x}", "expected one of kind, max_bytes, max_files, patterns, root"),
        (
            "{kind: http, url: 'http://x', method: SEND}",
            "targets.a.method: got 'SEND'; expected one of DELETE, GET",
        ),
        ("3", "targets.a: got 3; expected keys with values"),
    ],
)
def test_members_of_a_union_are_told_apart(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "targets.yaml"
    path.write_text(f"targets: {{a: {text}}}")
    _, defects = read_yaml(path, Targets)
    assert says in str(defects[0])


def test_what_comes_from_a_file_cannot_forge_a_line_of_output(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text('a: 1\n"b\\nfile.yaml:1:1: all is well\\e[2J": ' + "x" * 5_000)
    _, defects = read_yaml(path, Anything)
    lines = "\n".join(str(defect) for defect in defects)
    assert "\n" not in lines
    assert "\x1b" not in lines
    assert len(lines) < 1_000


def test_a_file_with_a_key_twice_is_refused_although_it_fits(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("a: 1\na: 2")
    assert read_yaml(path, Anything)[0] is None


def test_defects_are_carried_by_the_error_and_warnings_are_marked() -> None:
    one = Defect(file="a.yaml", line=1, column=2, path="x", wrong="is wrong", expected="right")
    two = Defect(file="a.yaml", line=2, column=2, path="", wrong="is old", severity="warning")
    raised = Defects([one, two])
    assert isinstance(raised, BadConfiguration)
    assert raised.defects == (one, two)
    assert str(raised) == "a.yaml:1:2: x: is wrong; expected right (and 1 more: run `hikeshi check`)"
    assert str(two) == "a.yaml:2:2: (file): warning: is old"
    assert str(Defects([])) == "no defect named"


def test_a_place_is_that_of_the_nearest_thing_around(tmp_path: Path) -> None:
    document, _ = read(tmp_path, "a:\n  - b: {c: 1}\n")
    assert document is not None
    assert document.place(("a", 0, "b", "c")) == (2, 12)
    assert document.place(("a", 0, "b", "c"), key=True) == (2, 9)
    assert document.place(("a", 0, "b", "gone")) == (2, 8)
    assert document.place(("gone", 7)) == (1, 1)
    assert document.get(("a", 7, "b")) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("phone: 5", "expected text: put it in quotes"),
        ("access: 5", "access: got 5; expected keys with values"),
        ("alternative_tested: soon", "got 'soon'; expected a date, for example 2026-11-23"),
        ("contract: {number: x, hours: x, call_out: -1h}", "contract.call_out: got '-1h'; expected a time"),
        ("criticality: hihg", "got 'hihg'; expected a known one (did you mean `high`?)"),
        ("contract: {number: x, hours: x, call_out: 1h, notification_within: soon}", "got 'soon'"),
        ("access: {ja: x}", "access: `en` is missing; expected a line `en: …` here"),
        ("name: ''", "name: got ''; expected at least 1 character"),
    ],
)
def test_values_that_do_not_fit_say_what_would(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "party.yaml"
    name = "" if text.startswith("name") else "name: x\n"
    path.write_text(f"{name}id: x\nkind: vendor\nprovides: x\nhours: x\n{text}\n")
    _, defects = read_yaml(path, ThirdParty)
    assert any(says in str(defect) for defect in defects), [str(defect) for defect in defects]


def test_a_list_that_is_too_short_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "organisation.yaml"
    path.write_text("name: x\npeople: []\nroles: [{id: a, title: A, rota: B!}]\n")
    _, defects = read_yaml(path, Organisation)
    assert [(defect.path, defect.expected) for defect in sorted(defects)] == [
        ("people", "at least 1 item"),
        ("roles[a].rota", "an id of small letters, digits and hyphens, for example csirt-duty"),
    ]
