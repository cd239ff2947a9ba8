"""Arguments and options that several commands share, so that they read alike everywhere."""

from __future__ import annotations

from typing import Annotated

import typer

Incident = Annotated[str, typer.Argument(metavar="INC")]
Step = Annotated[str, typer.Argument(metavar="STEP")]
Person = Annotated[str, typer.Argument(metavar="PERSON")]
Service = Annotated[str, typer.Argument(metavar="SERVICE")]
Time = Annotated[str, typer.Argument(metavar="TIME")]
Name = Annotated[str, typer.Argument(metavar="NAME")]
Text = Annotated[str, typer.Argument(metavar="TEXT")]
Number = Annotated[str, typer.Argument(metavar="ID")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT")]
At = Annotated[str | None, typer.Option("--at", metavar="TIME", show_default=False)]
Instant = Annotated[str | None, typer.Option("--at", metavar="TIME", show_default=False)]
All = Annotated[bool, typer.Option("--all")]
Source = Annotated[str, typer.Option("--source", metavar="TEXT")]
