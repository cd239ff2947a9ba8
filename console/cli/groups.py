"""Groups of commands that several modules fill."""

from __future__ import annotations

import typer


def group(app: typer.Typer, name: str) -> typer.Typer:
    """The group of this name, made by whoever asks for it first."""
    for known in app.registered_groups:
        if known.name == name and known.typer_instance is not None:
            return known.typer_instance
    made = typer.Typer(no_args_is_help=True)
    app.add_typer(made, name=name)
    return made
