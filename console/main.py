"""`hikeshi`: the entry of the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli.language import language_of
from console.texts import texts

if TYPE_CHECKING:
    from console.opening import House

INTERRUPTED = 130


def run() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(execute(sys.argv[1:]))


def execute(arguments: Sequence[str], house: House | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 refused, 2 wrong usage, 3 nobody paged.

    `house` is one that is open already, on the clock of a drill or a test; else the command opens its own.
    """
    from console.cli.app import build  # noqa: PLC0415 - the language is needed first
    from console.cli.failing import FORESEEN, explain  # noqa: PLC0415

    words = texts(language_of(arguments, os.environ, Path.cwd()))
    command = build(words)
    try:
        return int(command.main(list(arguments), prog_name="hikeshi", standalone_mode=False, obj=house) or 0)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone (`hikeshi log | head`); that is no failure of ours.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the process ends
        return 0
    except FORESEEN as error:
        return explain(error, words, "--json" in arguments)


if __name__ == "__main__":
    run()
