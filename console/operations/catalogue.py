"""What can be asked of a house from outside: the command line's commands, with their fields.

The commands are the one description of what people can ask for; an API and forms of their own would drift.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from console.cli.app import build
from console.rights import ACTS, LOOKS
from console.texts import texts

Kind = Literal["text", "number", "flag", "file"]
COMMON = frozenset({"dir_", "lang_", "json_", "page_now_", "help"})
"""Options of a terminal: a door says these in its own way."""
INPUTS = frozenset({"file", "from_", "identity"})
OUTPUTS = frozenset({"out", "archive", "ics"})
FOLLOWING = frozenset({"follow"})
"""Options that never end; over the network a stream does that."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One thing that may be given. `flag` is how a command line spells it, empty if it goes by its place."""

    name: str
    kind: Kind
    flag: str = ""
    required: bool = False
    many: bool = False
    help: str = ""

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
    gives_file: str = ""
    """The option under which a terminal is told where to write; over the network the file is the answer."""

    @property
    def of_incident(self) -> bool:
        """Whether it is about one incident, which is then in its address."""
        return any(field.name == "incident" and field.required for field in self.fields)

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


@cache
def operations(lang: str = "en") -> Mapping[str, Operation]:
    """All of them by name, with their help in this language."""
    found = {}
    for name, command in _leaves(build(texts(lang)), ()):
        right = LOOKS.get(name) or ACTS.get(name)
        if right is not None:
            found[name] = _operation(name, command, right)
    return found


def _leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield " ".join(path), command
        return
    for name, child in children.items():
        yield from _leaves(child, (*path, name))


def _operation(name: str, command: Any, right: str) -> Operation:
    own = [one for one in command.params if one.name not in COMMON and one.name not in FOLLOWING]
    gives = next((one.opts[0] for one in own if one.name in OUTPUTS), "")
    fields = tuple(_field(one) for one in own if one.name not in OUTPUTS)
    return Operation(
        name=name,
        writes=name in ACTS,
        right=right,
        fields=fields,
        summary=command.help or "",
        gives_file=gives,
    )


def _field(parameter: Any) -> Field:
    option = parameter.opts[0].startswith("-")
    many = bool(getattr(parameter, "multiple", False)) or parameter.nargs == -1
    return Field(
        name=parameter.opts[0].lstrip("-").replace("-", "_") if option else parameter.name.rstrip("_"),
        kind=_kind(parameter),
        flag=max(parameter.opts, key=len) if option else "",
        required=bool(parameter.required),
        many=many,
        help=getattr(parameter, "help", "") or "",
    )


def _kind(parameter: Any) -> Kind:
    if getattr(parameter, "is_flag", False):
        return "flag"
    if parameter.name in INPUTS:
        return "file"
    return "number" if parameter.bare_type() in {"int", "float"} else "text"
