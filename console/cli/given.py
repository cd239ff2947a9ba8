"""The options that every command takes, and how a command is put together from them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

import typer

from console.cli.session import Given, Session
from console.remote import is_remote
from console.texts import LANGUAGES

Dir = Annotated[str | None, typer.Option("--dir", metavar="DIR", show_default=False)]
Lang = Annotated[str | None, typer.Option("--lang", metavar="ja|en", show_default=False)]
Json = Annotated[bool, typer.Option("--json")]
For = Annotated[str | None, typer.Option("--for", metavar="PERSON", show_default=False)]
PageNow = Annotated[bool, typer.Option("--page-now")]


_COMMON = (("dir_", Dir, None), ("lang_", Lang, None), ("json_", Json, False))
_PERSON = (("for_", For, None), ("page_now_", PageNow, False))
Function = Callable[..., None]


def reads(app: typer.Typer, name: str) -> Callable[[Function], Function]:
    """A command that only looks."""
    return _adder(app, name, _COMMON)


def writes(app: typer.Typer, name: str) -> Callable[[Function], Function]:
    """A command of a person: it also takes `--for` (a scribe records for another) and `--page-now`."""
    return _adder(app, name, (*_COMMON, *_PERSON))


def _adder(
    app: typer.Typer, name: str, common: tuple[tuple[str, Any, Any], ...]
) -> Callable[[Function], Function]:
    def add(function: Function) -> Function:
        def command(context: typer.Context, **values: Any) -> None:
            session = _session(context, {key: values.pop(key, None) for key, _, _ in common})
            session.must_be_text(values)
            if is_remote(session):
                from console.remote.dispatch import call  # noqa: PLC0415 - only with a node elsewhere

                call(session, context, values)
                return
            function(session, **values)

        command.__name__ = function.__name__
        # typer reads the signature: the command's own parameters, then those that all commands have.
        command.__signature__ = _signature(function, common)  # type: ignore[attr-defined]
        command.__annotations__ = {}
        app.command(name)(command)
        return function

    return add


def _signature(function: Function, common: tuple[tuple[str, Any, Any], ...]) -> inspect.Signature:
    kind = inspect.Parameter.KEYWORD_ONLY
    context = inspect.Parameter("context", kind, annotation=typer.Context)
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    shared = [inspect.Parameter(key, kind, default=default, annotation=hint) for key, hint, default in common]
    return inspect.Signature([context, *(one.replace(kind=kind) for one in own), *shared])


def _name(context: typer.Context) -> str:
    """The command's whole name, without the program's."""
    names: list[str] = []
    at: Any = context
    while at is not None and at.parent is not None:
        names.insert(0, at.info_name or "")
        at = at.parent
    return " ".join(names)


def _session(context: typer.Context, common: dict[str, Any]) -> Session:
    base = context.obj if isinstance(context.obj, Given) else Given()
    session = Session(
        surface=_name(context),
        given=replace(
            base,
            directory=common["dir_"] or base.directory,
            lang=common["lang_"] or base.lang,
            json=bool(common["json_"]) or base.json,
            for_=common.get("for_") or base.for_,
            page_now=bool(common.get("page_now_")),
        ),
    )
    session.must_be_text({"for": session.given.for_, "lang": session.given.lang})
    session.one_of(session.given.lang, LANGUAGES, "--lang")
    return session
