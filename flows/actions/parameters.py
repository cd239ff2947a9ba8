"""Parameters of actions: variables put in, and each value checked against its declared type.

A value may come from an alert, so that it is data from outside. None starts with a dash, because a program
would take it for an option, and none holds a line break or another control character.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Mapping

from flows.actions.values import Params, Value
from models.errors import ActionFailed
from models.targets import Parameter

Variables = Mapping[str, Value | tuple[str, ...] | None]
"""The playbook's variables by name; None is one that has not been set."""

_LABEL = re.compile(r"^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)$", re.ASCII)
_NUMBER = re.compile(r"^[0-9]+(\.[0-9]+)?$", re.ASCII)
_MAX_HOST = 253
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Control, invisible, surrogate and private characters, and the separators of lines."""


def resolve(params: Params, variables: Variables) -> dict[str, Value]:
    """`params` with `$name` replaced by the variable of that name; `$$` at the start stands for one `$`.

    Only a whole value is replaced, so that nothing is ever composed out of outside text. Raises ActionFailed
    if a variable is unknown, not set, or a list.
    """
    return {name: _resolved(name, value, variables) for name, value in params.items()}


def _resolved(name: str, value: Value, variables: Variables) -> Value:
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    if value.startswith("$$"):
        return value[1:]
    found = variables.get(value[1:])
    if found is None:
        raise ActionFailed(
            f"{name}: the variable {value[1:]!r} has no value yet; set it, then start the step"
        )
    if isinstance(found, tuple):
        raise ActionFailed(f"{name}: the variable {value[1:]!r} is a list; an action takes one value")
    return found


def check(declared: Mapping[str, Parameter], given: Params) -> dict[str, str]:
    """The given values as text, each fit for its type. Raises ActionFailed with all that is wrong at once."""
    problems = [f"{name}: not a parameter of this target" for name in given if name not in declared]
    problems += [f"{name}: missing" for name in declared if name not in given]
    values = {name: _text(given[name]) for name in declared if name in given}
    for name, value in values.items():
        if (problem := problem_of(declared[name], value)) is not None:
            problems.append(f"{name}: {problem}")
    if problems:
        raise ActionFailed("nothing was done, the parameters do not fit: " + "; ".join(sorted(problems)))
    return values


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def problem_of(parameter: Parameter, value: str) -> str | None:
    """What is wrong with `value`, in words that do not repeat it; None if nothing is."""
    if not value.strip():
        return "must not be empty"
    if len(value) > parameter.max_length:
        return f"longer than {parameter.max_length} characters"
    if value.lstrip().startswith("-"):
        return "must not start with a dash"
    if any(unicodedata.category(character) in _UNPRINTABLE for character in value):
        return "must not hold line breaks or other control characters"
    if not _FITS[parameter.type](parameter, value):
        return _EXPECTED[parameter.type]
    return None


def _is_host(_parameter: Parameter, value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return len(value) <= _MAX_HOST and all(_LABEL.match(label) for label in value.split("."))
    return "%" not in value


def _is_number(_parameter: Parameter, value: str) -> bool:
    return _NUMBER.match(value) is not None


def _is_path(_parameter: Parameter, value: str) -> bool:
    return ".." not in value.split("/")


def _is_choice(parameter: Parameter, value: str) -> bool:
    return value in parameter.choices


def _is_text(_parameter: Parameter, _value: str) -> bool:
    return True


_FITS: Mapping[str, Callable[[Parameter, str], bool]] = {
    "text": _is_text,
    "host": _is_host,
    "number": _is_number,
    "path": _is_path,
    "choice": _is_choice,
}
_EXPECTED: Mapping[str, str] = {
    "text": "expected a text",
    "host": "expected the name or the address of a host",
    "number": "expected a number without a sign, such as 443 or 0.5",
    "path": "expected a path without `..`",
    "choice": "none of the choices of this target",
}


def printable(text: str, limit: int) -> str:
    """Outside text as one line for the record: no control characters, at most `limit` characters."""
    line = "".join(" " if unicodedata.category(c) in _UNPRINTABLE else c for c in text[: limit * 4])
    line = " ".join(line.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
