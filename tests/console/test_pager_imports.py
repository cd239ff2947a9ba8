"""The pager is one process that never imports Prefect: a page must not wait for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = """
import sys
import console.announcing, console.mailbox, console.node, console.web.app, notifiers.outbox
import notifiers.email.deliver, notifiers.slack.deliver
store = {"flows", "flows.actions", "flows.actions.store", "flows.actions.flushing"}
found = sorted(
    name for name in sys.modules
    if name.split(".")[0] == "prefect" or (name.startswith("flows") and name not in store)
)
sys.exit(f"imported: {found}" if found else 0)
"""


def test_the_pager_imports_neither_prefect_nor_the_flows() -> None:
    ran = subprocess.run(  # noqa: S603 - our own interpreter, our own code
        [sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    # The pager compares stored evidence: the store may be there, and nothing else of the flows.
    assert ran.returncode == 0, ran.stderr
