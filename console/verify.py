"""Verifying records: what `docs/verify.py` holds in one file, and that file.

Nothing here needs more than the standard library, so that somebody who does not trust Hikeshi can run it.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from pathlib import Path

from console import verifying
from console.verifying.database import Query, Unreadable
from console.verifying.found import Verification
from console.verifying.kept import Kept, Source
from console.verifying.sources import Loader
from console.verifying.together import keep, main, verify, verify_path

__all__ = [
    "Kept",
    "Loader",
    "Query",
    "Source",
    "Unreadable",
    "Verification",
    "keep",
    "main",
    "publish",
    "single_file",
    "verify",
    "verify_path",
]
PARTS = ["signing", "found", "database", "kept", "chains", "keys", "checkpoints", "sources", "together"]
"""In the order in which each needs only those before it."""


def single_file() -> str:
    """All parts as one file that can be read and run alone. `docs/verify.py` is this, and a test says so."""
    folder = Path(verifying.__file__).parent
    imports: dict[str, set[str]] = {}
    bodies = []
    for name in PARTS:
        text = (folder / f"{name}.py").read_text(encoding="utf-8")
        tree = ast.parse(text)
        heads = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
        for node in heads:
            origin = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            if origin != "__future__" and not origin.startswith("console"):
                imports.setdefault(origin, set()).update(one.name for one in node.names)
        body = "".join(text.splitlines(keepends=True)[heads[-1].end_lineno :]).strip()
        bodies.append(f"# -- {name}: {ast.get_docstring(tree)}\n\n{body}\n")
    first = [f'#!/usr/bin/env python3\n"""{verifying.__doc__}"""\n', "from __future__ import annotations\n"]
    plain = [f"import {name}" for name in sorted(imports.pop(""))]
    ordered = plain + [
        f"from {origin} import {', '.join(sorted(imports[origin]))}" for origin in sorted(imports)
    ]
    ending = 'if __name__ == "__main__":\n    sys.exit(main())\n'
    return "\n\n".join(["\n".join(first), "\n".join(ordered) + "\n", *bodies, ending])


def publish() -> None:
    """Write `docs/verify.py` and its digest anew, in a checkout."""
    path = Path(verifying.__file__).parents[2] / "docs" / "verify.py"
    path.write_text(single_file(), encoding="utf-8")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name("verify.py.sha256").write_text(f"{digest}  verify.py\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
