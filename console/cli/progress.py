"""How far something long has come, on standard error: a moving line in a terminal, else one now and then."""

from __future__ import annotations

import sys

from console.cli.output import is_gathered
from models.clock import monotonic

TERMINAL_SECONDS = 0.2
ELSEWHERE_SECONDS = 10.0


class Progress:
    """Bytes done of bytes in all; silent for what is done at once."""

    def __init__(self, name: str, total: int) -> None:
        self._name = name
        self._total = total
        self._begun = self._told = monotonic()
        self._terminal = sys.stderr.isatty()
        self._shown = False
        self._unseen = is_gathered()

    def __call__(self, done: int) -> None:
        """So many bytes are done."""
        now = monotonic()
        if self._unseen or now - self._told < (TERMINAL_SECONDS if self._terminal else ELSEWHERE_SECONDS):
            return
        self._told = now
        rate = done / max(now - self._begun, 0.001) / 1e6
        share = f"{100 * done // self._total:3d} %" if self._total else ""
        text = f"{self._name}  {share}  {done / 1e6:,.0f} MB  {rate:,.0f} MB/s"
        self._shown = True
        print(
            f"\r{text}" if self._terminal else text,
            end="" if self._terminal else "\n",
            file=sys.stderr,
            flush=True,
        )

    def over(self) -> None:
        """Leave the line, if there is one."""
        if self._shown and self._terminal:
            print(file=sys.stderr, flush=True)
