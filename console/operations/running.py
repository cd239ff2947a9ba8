"""Running an operation for somebody: the command itself, its answer gathered instead of printed.

Runs in the thread that has the house. What a person gives is never an option: each value stands behind the
`=` of its own, or behind `--`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import typer
from typer._click import exceptions as usage

from console.cli import output
from console.cli.app import build
from console.cli.session import REFUSED, WRONG_USAGE, Given
from console.opening import House
from console.operations.catalogue import Operation
from console.texts import texts
from console.views.sheet import Line, Section
from console.visitor import Visitor
from models.errors import HikeshiError

Values = Mapping[str, Any]
"""By the field's name: a text, True for a flag, a list where many may be given."""


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

    @property
    def done(self) -> bool:
        """Whether it was done."""
        return self.code == 0


def run(
    house: House, visitor: Visitor, operation: Operation, values: Values, *, as_json: bool = True
) -> Answer:
    """Run it. Raises RecordError if the record cannot be read or written."""
    words = texts(visitor.lang)
    given = Given(lang=visitor.lang, json=as_json, house=house, visitor=visitor)
    with output.gathered() as sink:
        code, message = _run(build(words), arguments(operation, values), given)
    document = sink.documents[-1] if sink.documents else None
    return Answer(
        code=code, document=document, said=sink.said, aside=sink.aside, raw=sink.raw, message=message
    )


def _run(command: Any, argv: list[str], given: Given) -> tuple[int, str]:
    try:
        return int(command.main(argv, prog_name="hikeshi", standalone_mode=False, obj=given) or 0), ""
    except typer.Exit as ended:
        return ended.exit_code, ""
    except usage.ClickException as wrong:
        return WRONG_USAGE, wrong.format_message()
    except typer.Abort:
        return REFUSED, ""


def arguments(operation: Operation, values: Values) -> list[str]:
    """The command line that says the same. Raises HikeshiError for a field that the operation has not."""
    unknown = set(values) - {one.name for one in operation.fields}
    if unknown:
        raise HikeshiError(f"{operation.name} has no field {', '.join(sorted(unknown))}")
    options, operands = [], []
    for one in operation.fields:
        for value in _given(values.get(one.name)):
            if one.kind == "flag":
                options += [one.flag] if value else []
            elif one.flag:
                options.append(f"{one.flag}={value}")
            else:
                operands.append(str(value))
    return [*operation.name.split(" "), *options, "--", *operands]


def _given(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]
