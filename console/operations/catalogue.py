"""What can be asked of a house from outside: the command line's commands, with their fields.

The commands are the one description of what people can ask for; an API and forms of their own would drift.
What is not offered, and why, says `exposure`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from console.cli.app import build
from console.operations.exposure import ALSO, COMMON, NOT_OFFERED, ONLY, OUT, SLOW, side_of
from console.rights import ACTS, LOOKS
from console.texts import texts

Kind = Literal["text", "number", "flag", "file"]
_CHOICES = re.compile(r"[a-z0-9-]+(?:\|[a-z0-9-]+)+")


@dataclass(frozen=True, kw_only=True)
class Field:
    """One thing that may be given. `flag` is how a command line spells it, empty if it goes by its place."""

    name: str
    kind: Kind
    flag: str = ""
    required: bool = False
    many: bool = False
    help: str = ""
    choices: tuple[str, ...] = ()
    pattern: str = ""
    """What a value has to look like, in whole; empty: any text."""
    writes: str = ""
    """A flag that asks for a file: what that is called. A terminal is told where to write it."""

    @property
    def goes_in(self) -> bool:
        """Whether it is a file that is handed in."""
        return self.kind == "file"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One command, such as `step done`. `right` is the row of the table of permissions."""

    name: str
    writes: bool
    right: str
    fields: tuple[Field, ...]
    summary: str = ""
    result: Field | None = None
    """The parameter that a terminal is told where to write by, if the answer is always a file."""

    @property
    def of_incident(self) -> bool:
        """Whether it is about one incident, which is then in its address."""
        return any(field.name == "incident" and field.required for field in self.fields)

    @property
    def slow(self) -> bool:
        """Whether it may take long, and must not keep others waiting."""
        return self.name in SLOW

    @property
    def gives_file(self) -> str:
        """What the file is called that it answers with, if it always does or is asked to; else empty."""
        out = self.result or next((one for one in self.fields if one.writes), None)
        return out.writes if out is not None else ""

    @property
    def method(self) -> str:
        """`GET` for what only looks."""
        return "POST" if self.writes else "GET"

    @property
    def path(self) -> str:
        """Its address below `/api/v1`."""
        if self.name in {"list", "declare"}:
            return "/incidents"
        if self.name == "show":
            return "/incidents/{incident}"
        words = "/".join(self.name.split(" "))
        return f"/incidents/{{incident}}/{words}" if self.of_incident else f"/{words}"

    def field(self, name: str) -> Field | None:
        """The field of this name."""
        return next((one for one in self.fields if one.name == name), None)


@cache
def operations(lang: str = "en") -> Mapping[str, Operation]:
    """All of them by name, with their help in this language."""
    found = {}
    for name, command in leaves(build(texts(lang)), ()):
        right = LOOKS.get(name) or ACTS.get(name) or ALSO.get(name)
        if right is not None and name not in NOT_OFFERED:
            found[name] = _operation(name, command, right)
    return found


def leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Every command below this one, by its whole name."""
    children = getattr(command, "commands", None)
    if children is None:
        yield " ".join(path), command
        return
    for name, child in children.items():
        yield from leaves(child, (*path, name))


def spelling(parameter: Any) -> str:
    """How a parameter is written: its longest option, or its name if it goes by its place."""
    option = parameter.opts[0].startswith("-")
    name: str = max(parameter.opts, key=len) if option else parameter.name.rstrip("_")
    return name


def _operation(name: str, command: Any, right: str) -> Operation:
    own = [one for one in command.params if one.name not in COMMON]
    fields = [_field(name, one) for one in own if side_of(name, spelling(one)) != "hidden"]
    return Operation(
        name=name,
        writes=name in ACTS or side_of(name, "file") == "in",
        right=right,
        fields=tuple(one for one in fields if not (one.writes and one.required)),
        summary=command.help or "",
        result=next((one for one in fields if one.writes and one.required), None),
    )


def _field(name: str, parameter: Any) -> Field:
    spelt = spelling(parameter)
    side, option = side_of(name, spelt), spelt.startswith("-")
    many = bool(getattr(parameter, "multiple", False)) or parameter.nargs == -1
    metavar = (getattr(parameter, "metavar", None) or "") if side == "plain" else ""
    return Field(
        name=parameter.opts[0].lstrip("-").replace("-", "_") if option else spelt,
        kind="file" if side == "in" else "flag" if side == "out" else _kind(parameter),
        flag=spelt if option else "",
        required=bool(parameter.required),
        many=many,
        help=getattr(parameter, "help", "") or "",
        choices=tuple(metavar.split("|")) if _CHOICES.fullmatch(metavar) else (),
        pattern=ONLY.get(f"{name} {spelt}", ""),
        writes=OUT.get(f"{name} {spelt}", ""),
    )


def _kind(parameter: Any) -> Kind:
    if getattr(parameter, "is_flag", False):
        return "flag"
    return "number" if parameter.bare_type() in {"int", "float"} else "text"
