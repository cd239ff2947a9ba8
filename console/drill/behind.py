"""A process of a drill: `python -m console.drill.behind MODULE [ARGUMENT …]`, run behind the guards."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

from console.drill.guard import VARIABLE, arm


def main() -> None:
    """Run the module behind the guards of the drill that the environment names."""
    arm(Path(os.environ[VARIABLE]))
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
