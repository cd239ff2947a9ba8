"""The whole command line: the nouns put together, and the words that people read laid over them."""

from __future__ import annotations

from functools import cache
from typing import Any

import typer

from console.cli import (
    access,
    alerts,
    approving,
    bands,
    communication,
    continuity,
    deciding,
    decisions,
    declaring,
    drill,
    drillreport,
    ending,
    entering,
    evidence,
    exercises,
    exporting,
    findings,
    gates,
    harm,
    house,
    integrity,
    library,
    looking,
    matter,
    metrics,
    pages,
    readiness,
    rehearsing,
    replay,
    reports,
    rota,
    scenarios,
    scope,
    share,
    shifts,
    situation,
    steps,
    watching,
)
from console.cli.given import Dir, Json, Lang
from console.cli.session import Given
from console.texts import Texts

MODULES = (
    declaring,
    looking,
    pages,
    steps,
    library,
    deciding,
    decisions,
    gates,
    approving,
    matter,
    scope,
    share,
    harm,
    reports,
    situation,
    communication,
    evidence,
    ending,
    alerts,
    metrics,
    exercises,
    findings,
    bands,
    readiness,
    rehearsing,
    rota,
    shifts,
    integrity,
    scenarios,
    drill,
    drillreport,
    house,
    exporting,
    replay,
    continuity,
    access,
    entering,
    watching,
)


@cache
def build(texts: Texts) -> Any:
    """The command tree in one language. A house to use instead of opening one is given as click's `obj`."""
    app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)
    for module in MODULES:
        module.register(app)

    @app.callback()
    def hikeshi(context: typer.Context, dir_: Dir = None, lang_: Lang = None, json_: Json = False) -> None:
        if isinstance(context.obj, Given):
            return  # whoever asks over the network has said all of it
        context.obj = Given(directory=dir_, lang=lang_ or texts.lang, json=json_, house=context.obj)

    command = typer.main.get_command(app)
    _speak(command, (), texts)
    return command


def _speak(command: Any, path: tuple[str, ...], texts: Texts) -> None:
    """Lay the help texts over a command and all below it; the tests find those that are missing."""
    key = ".".join(("help", "command", *path)) if path else "help.command.hikeshi"
    command.help = texts.get(key, "")
    command.short_help = texts.get(key, "")
    example = texts.get(".".join(("help", "example", *path)) if path else "help.example.hikeshi", "")
    if example:
        command.epilog = texts("help.words.example", example=example)
    if (option := command.get_help_option(typer.Context(command))) is not None:
        option.help = texts("help.option.help")
    for parameter in command.params:
        parameter.help = texts.get(
            ".".join(("help", "option", *path, parameter.name)),
            texts.get(f"help.option.{parameter.name}", ""),
        )
    for name, child in getattr(command, "commands", {}).items():
        _speak(child, (*path, name), texts)
