"""`python -m console.demo`: plays an incident through. Exit code 0 when it was closed with its lessons.

With the name of a scenario it plays that instead, as a drill. Exit code 0 when it has come to ENDEX.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from console import logs
from console.demo.incident import Demo
from console.texts import texts
from models.errors import HikeshiError


def main() -> int:
    """Entry of `make demo`."""
    logs.begin("demo")
    lang = os.environ.get("HIKESHI_LANG") or ("ja" if os.environ.get("LANG", "").startswith("ja") else "en")
    try:
        return asyncio.run(_demo(Path.cwd() / "demo-out", lang, sys.argv[1:]).run())
    except HikeshiError as failed:
        print(texts(lang)("demo.failed", why=failed), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _demo(folder: Path, lang: str, named: list[str]) -> Demo:
    """The incident of every day, or the scenario that is named."""
    if not named:
        return Demo(folder, lang)
    from console.demo.scenario import ScenarioDemo  # noqa: PLC0415 - the first demo needs none of it

    return ScenarioDemo(folder, lang, named[0])


if __name__ == "__main__":
    sys.exit(main())
