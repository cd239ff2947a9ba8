"""The live half of `hikeshi check`: what the other sides said, ready to be shown."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from console import live
from console.cli.session import Session
from console.views import live as view
from console.views.naming import Naming
from console.views.sheet import Line


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A live check, with what it takes to say it in words."""

    live: live.Live
    naming: Naming

    @classmethod
    def of(cls, session: Session, folder: Path) -> Asked:
        """Ask everything that `folder` configures. Raises HikeshiError if its record cannot be used."""
        there = session
        if session.given.house is None:
            there = Session(replace(session.given, directory=str(folder)))
        found = asyncio.run(live.look(there.house))
        return cls(live=found, naming=there.naming(there.desk.state("house")))

    def lines(self) -> list[Line]:
        """For people."""
        return list(view.lines(self.live, self.naming))

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"live": view.as_json(self.live, self.naming)}
