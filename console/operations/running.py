"""Running an operation for somebody: the command itself, its answer gathered instead of printed.

Runs in the thread that has the house. What a person gives is never an option: each value stands behind the
`=` of its own, or behind `--`. A file is never a path of theirs: what was handed in lies in a folder of its
own while the command runs, and what the command writes there is the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
from typer._click import exceptions as usage

from console.cli import output
from console.cli.app import build
from console.cli.session import REFUSED, WRONG_USAGE, Given, Session
from console.opening import House
from console.operations.catalogue import Field, Operation
from console.operations.checking import defects
from console.operations.entitled import must_be_entitled
from console.operations.files import Handed, folder_for, handed, laid_down, place_for, without
from console.texts import texts
from console.views.sheet import Line, Section
from console.visitor import Visitor

Values = Mapping[str, Any]
"""By the field's name: a text, True for a flag, a list where many may be given.

For a file an upload, the path of one that a door of ours has made, or a text: what stands in it.
"""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of it. `code` is the command line's: 0 done, 1 refused, 2 wrong usage."""

    code: int
    document: Any = None
    said: list[Section | Line] = field(default_factory=list)
    aside: list[Section | Line] = field(default_factory=list)
    raw: str = ""
    message: str = ""
    """What was wrong with what was given (code 2), or why the record did not answer."""
    file: Handed | None = None
    refusal: Mapping[str, Any] = field(default_factory=dict)
    """Why it was refused, as `--json` says it: `reason`, `message`, `do`, `detail`."""

    @property
    def done(self) -> bool:
        """Whether it was done."""
        return self.code == 0


def run(
    house: House, visitor: Visitor, operation: Operation, values: Values, *, as_json: bool = True
) -> Answer:
    """Run it. Raises RecordError if the record cannot be read or written."""
    words = texts(visitor.lang)
    if wrong := defects(operation, values):
        told = "; ".join(f"{one.field}: {one.expected(words)}" for one in wrong)
        return Answer(code=WRONG_USAGE, message=told)
    given = Given(lang=visitor.lang, json=as_json, house=house, visitor=visitor)
    with folder_for(operation, values) as folder:
        with output.gathered() as sink:
            code, message = _entitled(given, operation)
            if not code:
                code, message = _run(build(words), arguments(operation, values, folder), given)
        file = handed(operation, values, folder)
    document = sink.documents[-1] if sink.documents else None
    said = (document, sink.said, sink.aside, message)
    if folder is not None:
        said = tuple(without(one, str(folder)) for one in said)
    return Answer(
        code=code,
        document=said[0],
        said=said[1],
        aside=said[2],
        raw=sink.raw,
        message=said[3],
        file=file,
        refusal=sink.refusal if code == REFUSED else {},
    )


def _entitled(given: Given, operation: Operation) -> tuple[int, str]:
    try:
        must_be_entitled(Session(given, operation.name), operation)
    except typer.Exit as refused:
        return refused.exit_code, ""
    return 0, ""


def _run(command: Any, argv: list[str], given: Given) -> tuple[int, str]:
    try:
        return int(command.main(argv, prog_name="hikeshi", standalone_mode=False, obj=given) or 0), ""
    except typer.Exit as ended:
        return ended.exit_code, ""
    except usage.ClickException as wrong:
        return WRONG_USAGE, wrong.format_message()
    except typer.Abort:
        return REFUSED, ""


def arguments(operation: Operation, values: Values, folder: Path | None = None) -> list[str]:
    """The command line that says the same, of values that have no defects."""
    options: list[str] = []
    places: list[list[str]] = []
    for one in operation.fields:
        given = [_spelt(one, value, folder) for value in _given(values.get(one.name))]
        if one.kind == "flag":
            options += _flag(one, values.get(one.name), folder)
        elif one.flag:
            options += [f"{one.flag}={value}" for value in given]
        else:
            places.append(given)
    if operation.result is not None and folder is not None:
        where = place_for(operation.result, folder)
        options += [f"{operation.result.flag}={where}"] if operation.result.flag else []
        places += [] if operation.result.flag else [[where]]
    return [*operation.name.split(" "), *options, "--", *_by_place(places)]


def _by_place(places: list[list[str]]) -> list[str]:
    """What goes by its place: one that is left out in the middle keeps its place, empty."""
    while places and not places[-1]:
        places = places[:-1]
    return [value for given in places for value in given or [""]]


def _flag(one: Field, value: Any, folder: Path | None) -> list[str]:
    if not value:
        return []
    return [f"{one.flag}={place_for(one, folder)}"] if one.writes and folder is not None else [one.flag]


def _spelt(one: Field, value: Any, folder: Path | None) -> str:
    return laid_down(one, value, folder) if one.goes_in and folder is not None else str(value)


def _given(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]
