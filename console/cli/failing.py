"""Errors in the words of the person at the keyboard: what is wrong, what to do, and the exit code."""

from __future__ import annotations

import re
import sys

import typer
from typer._click import exceptions as usage

from console.cli.session import REFUSED, WRONG_USAGE
from console.texts import Texts
from models.errors import HikeshiError

FORESEEN = (typer.Abort, usage.ClickException, HikeshiError)
INTERRUPTED = 130
_NO_COMMAND = re.compile(r"No such command '(?P<name>.*?)'\.", re.DOTALL)


def explain(error: BaseException, words: Texts, as_json: bool) -> int:
    """Print an error of FORESEEN and return its exit code."""
    if isinstance(error, usage.ClickException):
        return _usage(error, words)
    if isinstance(error, HikeshiError):
        return _ours(error, words, as_json)
    return INTERRUPTED


def _usage(error: usage.ClickException, words: Texts) -> int:
    if isinstance(error, usage.NoArgsIsHelpError):
        _say(error.format_message())
        return WRONG_USAGE
    if isinstance(error, usage.MissingParameter):
        said = words("words.usage.missing", name=_name(error))
    elif isinstance(error, usage.NoSuchOption):
        said = words("words.usage.option", name=error.option_name)
    elif (name := _no_such_command(error)) is not None:
        said = words("words.usage.command", name=name)
    elif isinstance(error, usage.BadParameter):
        said = words("words.usage.value", name=_name(error), text=error.message)
    else:
        said = words("words.usage.other", text=error.format_message())
    _say(said)
    context = getattr(error, "ctx", None)
    path = context.command_path.removeprefix("hikeshi").strip() if context is not None else ""
    _say(words("words.usage.help", path=path).replace("  ", " "))
    return WRONG_USAGE


def _no_such_command(error: usage.ClickException) -> str | None:
    """The first word that names no command; the library says it in English only, in the text alone."""
    found = _NO_COMMAND.match(error.message)
    return found["name"] if found is not None else None


def _name(error: usage.BadParameter) -> str:
    """The option or argument in question, as one writes it."""
    if error.param is None:
        return str(error.param_hint or "")
    option = error.param.opts[0] if error.param.opts else ""
    return option if option.startswith("-") else str(error.param.metavar or error.param.name)


def _ours(error: HikeshiError, words: Texts, as_json: bool) -> int:
    from console.views.sheet import harmless  # noqa: PLC0415

    key = next(
        (
            f"words.error.{kind.__name__}"
            for kind in type(error).__mro__
            if words.has(f"words.error.{kind.__name__}")
        ),
        "words.error.other",
    )
    if as_json:
        from console.cli import output  # noqa: PLC0415

        output.json(
            {"accepted": False, "error": type(error).__name__, "message": str(error), "do": words(key)}
        )
        return REFUSED
    _say(words(key))
    _say(harmless(str(error)))
    return REFUSED


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
