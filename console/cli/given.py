"""The options that every command takes, and how a command is put together from them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from console.cli.session import Session
    from models.clock import Clock

Dir = Annotated[str | None, typer.Option("--dir", metavar="DIR", show_default=False)]
Lang = Annotated[str | None, typer.Option("--lang", metavar="ja|en", show_default=False)]
Json = Annotated[bool, typer.Option("--json")]
For = Annotated[str | None, typer.Option("--for", metavar="PERSON", show_default=False)]
PageNow = Annotated[bool, typer.Option("--page-now")]


@dataclass(frozen=True, kw_only=True)
class Given:
    """What was given besides the command's own arguments. `clock` is for drills and tests."""

    directory: str | None = None
    lang: str = "ja"
    json: bool = False
    for_: str | None = None
    page_now: bool = False
    clock: Clock | None = None


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
    hints = function.__globals__
    own = [
        parameter.replace(annotation=_evaluated(parameter.annotation, hints), kind=kind)
        for parameter in list(inspect.signature(function).parameters.values())[1:]
    ]
    shared = [inspect.Parameter(key, kind, default=default, annotation=hint) for key, hint, default in common]
    return inspect.Signature([context, *own, *shared])


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    """An annotation that `from __future__ import annotations` left as text, as the object it names."""
    return eval(annotation, names) if isinstance(annotation, str) else annotation  # noqa: S307 - our own source


def _session(context: typer.Context, common: dict[str, Any]) -> Session:
    from console.cli.session import Session  # noqa: PLC0415 - `--help` must not wait for the desk

    base = context.obj if isinstance(context.obj, Given) else Given()
    return Session(
        replace(
            base,
            directory=common["dir_"] or base.directory,
            lang=common["lang_"] or base.lang,
            json=bool(common["json_"]) or base.json,
            for_=common.get("for_") or base.for_,
            page_now=bool(common.get("page_now_")),
        )
    )
