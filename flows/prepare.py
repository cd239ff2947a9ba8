"""Prefect's database, laid down once at set-up and copied at each first start (ten seconds less).

`python -m flows.prepare FOLDER` lays one down.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from flows.server import is_prepared, prepare

TEMPLATE = Path(sys.prefix) / "prefect-template"
"""Where `make` lays one down, inside the virtual environment."""


def prepare_from_template(home: Path, template: Path = TEMPLATE) -> None:
    """A migrated database in `home`: copied if there is one to copy, made otherwise. Raises HikeshiError."""
    if not is_prepared(home) and is_prepared(template):
        home.mkdir(parents=True, exist_ok=True)
        for source in template.iterdir():
            if source.is_file() and (source.name.startswith(("prefect.db", "prepared-"))):
                shutil.copy2(source, home / source.name)
    prepare(home)


if __name__ == "__main__":
    prepare(Path(sys.argv[1]).resolve())
