"""What is offered over the network: no path of this machine, no editor, no question."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest

from console.cli.app import build
from console.operations import exposure, sheet
from console.operations.catalogue import leaves, operations, spelling
from console.operations.checking import MAX_MANY, MAX_TEXT, Upload, defects
from console.operations.files import Handed, without
from console.operations.running import Answer, arguments
from console.rights import ACTS, FREE, LOOKS
from console.texts import texts
from console.views.sheet import Line, Row, Section, Table

SUSPICIOUS = re.compile(r"FILE|DIR|PATH|PEM|URL|HEX\|")
NAMES = frozenset(
    {"out", "ics", "archive", "file", "directory", "identity", "reference", "edit", "follow", "page_now_",
     "with_", "to_file", "checkpoint", "tsa", "from_", "location", "storage"}
)  # fmt: skip
NO_FILES = frozenset(
    {"rehearse --from", "shifts plan --from", "inquiry add --from", "drill finding add --from"}
)
"""`--from` of these is a time, a sender, or a number."""


def every() -> list[tuple[str, Any]]:
    return [
        (name, one)
        for name, command in leaves(build(texts("en")), ())
        if name in operations()
        for one in command.params
        if one.name not in exposure.COMMON
    ]


def test_every_parameter_that_may_mean_this_machine_has_been_looked_at() -> None:
    looked = {*exposure.HIDDEN, *exposure.IN, *exposure.OUT, *exposure.TEXTS, *NO_FILES}
    open_ = []
    for name, one in every():
        spelt = spelling(one)
        doubtful = "Path" in one.bare_type() or SUSPICIOUS.search(one.metavar or "") or one.name in NAMES
        if doubtful and spelt not in looked and f"{name} {spelt}" not in looked:
            open_.append(f"{name} {spelt}")
    assert open_ == [], "say in console/operations/exposure.py how it is offered"


def test_nothing_of_type_path_is_given_by_a_visitor() -> None:
    for name, one in every():
        if "Path" in one.bare_type():
            assert exposure.side_of(name, spelling(one)) != "plain", name


def test_every_entry_of_the_tables_is_of_a_command_that_there_is() -> None:
    known = {f"{name} {spelling(one)}" for name, one in every()} | {spelling(one) for _, one in every()}
    listed = [*exposure.HIDDEN, *exposure.IN, *exposure.OUT, *exposure.TEXTS, *exposure.ONLY]
    assert [one for one in listed if one not in known] == []
    assert {*exposure.SLOW, *exposure.ALL_KNOWN} <= set(operations())


def test_all_commands_of_the_tables_of_rights_are_offered_but_those_with_a_reason() -> None:
    assert {*LOOKS, *ACTS} - set(operations()) == {*LOOKS, *ACTS} & set(exposure.NOT_OFFERED)
    assert set(operations()) - {*LOOKS, *ACTS} == set(exposure.ALSO) == set(exposure.ALSO) & set(FREE)


def test_each_has_an_address_of_its_own_and_only_acts_are_posted() -> None:
    found = [(one.method, one.path) for one in operations().values()]
    assert len(set(found)) == len(found)
    assert all(one.method == "POST" for one in operations().values() if one.name in ACTS)


@pytest.mark.parametrize(
    ("what", "operation", "values", "wrong"),
    [
        ("nothing wrong", "note", {"incident": "1", "text": "x"}, []),
        ("what has to be given", "note", {"incident": "1"}, ["text"]),
        (
            "all at once",
            "declare",
            {"text": 5, "bla": "x", "restricted": "yes"},
            ["bla", "text", "restricted"],
        ),
        ("several where one is", "note", {"incident": "1", "text": ["a", "b"]}, ["text"]),
        ("a NUL", "note", {"incident": "1", "text": "a\0b"}, ["text"]),
        ("half a surrogate", "note", {"incident": "1", "text": "\ud800"}, ["text"]),
        ("too long", "note", {"incident": "1", "text": "x" * (MAX_TEXT + 1)}, ["text"]),
        ("too many", "declare", {"text": "x", "service": ["x"] * (MAX_MANY + 1)}, ["service"]),
        ("no number", "confirm", {"incident": "1", "fact": "1.5"}, ["fact"]),
        ("true is no number", "confirm", {"incident": "1", "fact": True}, ["fact"]),
        ("a number as text", "confirm", {"incident": "1", "fact": "5"}, []),
        ("none of the choices", "metrics", {"by": "week"}, ["by"]),
        ("a path where a version is", "playbook diff", {"name": "x", "from": "/etc/passwd"}, ["from"]),
        ("a drill of another directory", "replay", {"incident": "DRL-2026-0001"}, ["incident"]),
        ("a file", "evidence add", {"incident": "1", "source": "x", "description": "x", "file": 5}, ["file"]),
        ("what is hidden", "situation send", {"incident": "1", "to": ["x"], "edit": True}, ["edit"]),
    ],
)
def test_what_is_wrong_is_named(what: str, operation: str, values: dict[str, Any], wrong: list[str]) -> None:
    found = defects(operations()[operation], values)
    assert [one.field for one in found] == wrong, what
    for lang in ("ja", "en"):
        assert all(one.expected(texts(lang)) for one in found)


@pytest.mark.parametrize(
    "value", ["--json", "-h", "@/etc/passwd", "--", "-", "$(id)", "`id`", "a=b", "\x1b[2J"]
)
def test_a_value_is_never_an_option(value: str) -> None:
    note = arguments(operations()["note"], {"incident": value, "text": value, "said_by": value})
    assert note[:2] == ["note", f"--said-by={value}"]
    assert note[2:] == ["--", value, value]


def test_what_is_left_out_in_the_middle_keeps_its_place() -> None:
    fix = operations()["scope fix"]
    assert arguments(fix, {"incident": "1", "text": "patched"})[-3:] == ["1", "", "patched"]
    assert arguments(fix, {"incident": "1"})[-2:] == ["--", "1"]


def test_a_text_for_a_file_is_what_stands_in_it_and_never_a_path(tmp_path: Path) -> None:
    values = {"incident": "1", "to": ["ciso"], "from": "/etc/passwd"}
    line = arguments(operations()["situation send"], values, tmp_path)
    (given,) = [one.removeprefix("--from=") for one in line if one.startswith("--from=")]
    assert given.startswith(str(tmp_path)) and Path(given).read_text(encoding="utf-8") == "/etc/passwd"


@pytest.mark.parametrize(
    ("name", "lies"),
    [
        ("../../etc/passwd", "passwd"), ("-rf", "rf"), ("..", "file"), ("", "file"), ("a\0b", "a_b"),
        ("C:\\x\\証拠.zip", "証拠.zip"), (".bashrc", "bashrc"), ("--json", "json"), ("x" * 300, "x" * 100),
        ("証拠" * 60 + ".txt", "証拠" * 39 + ".txt"), ("x" * 20 + "." * 100, "file"),
    ],
)  # fmt: skip
def test_an_uploaded_file_lies_under_a_harmless_name(name: str, lies: str) -> None:
    assert Upload(name=name, body=b"").safe_name == lies


def test_the_folder_of_the_files_is_named_nowhere_in_the_answer() -> None:
    table = Table(headers=("a",), rows=(Row(cells=("/there/x/a",)),))
    said = [Section(title="/there/x", parts=(Line(text="written: /there/x/out.md"), table))]
    assert "/there/x" not in repr(without((said, {"file": "/there/x/a", "n": [1, None]}), "/there/x"))


def test_a_sheet_comes_back_as_it_was() -> None:
    table = Table(headers=("a", "b"), rows=(Row(cells=("1", "2"), style="bad"),), whole=(0,))
    answer = Answer(
        code=1,
        document={"accepted": False},
        said=[Line(text="x", style="good", indent=2), Section(title="t", parts=(Line(text="y"), table))],
        aside=[Line(text="z", style="bad")],
        raw="# raw\n",
        message="m",
        file=Handed(name="a.csv", media_type="text/csv", size=3, stream=io.BytesIO(b"a,b")),
    )
    back = sheet.from_json(sheet.to_json(answer))
    assert (back.code, back.said, back.aside, back.raw) == (1, answer.said, answer.aside, "# raw\n")
    assert (back.document, back.message) == ({"accepted": False}, "m")
    assert back.file is not None and back.file.stream.read() == b"a,b"


@pytest.mark.parametrize("content", [{}, {"code": "x"}, {"code": 0, "said": [{}]}, {"code": 0, "said": 5}])
def test_what_is_no_sheet_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        sheet.from_json(content)


def test_an_unknown_style_is_plain() -> None:
    assert sheet.from_json({"code": 0, "said": [{"line": "x", "style": "blink"}]}).said == [Line(text="x")]
