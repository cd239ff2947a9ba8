"""The examples of docs/api.md are typed as they stand there, against a node that runs."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.roomnode import opened
from tests.test_docs import BASH, DOCS, SCRIPT, _commands


def typed(folder: Path, port: int, command: str, kept: str) -> str:
    """What it says, in a shell that knows what was exported before."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("HIKESHI_")}
    environment = own | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}",
        "HIKESHI_DIR": str(folder / "bank"),
        "HIKESHI_ACCOUNT": "suzuki",
    }
    script = f"{kept}\n{command}".replace("8410", str(port))
    ran = subprocess.run(  # noqa: S603 - the commands of our own page
        [BASH, "-c", script], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, f"{command}\n{ran.stderr}"
    return ran.stdout


@pytest.mark.timeout(120)
async def test_the_examples_of_the_api_say_what_the_page_says(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the examples are typed with curl, which is not installed here")
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1:-2]
    assert all("$ " in one and "curl" in one for one in sections), "every section has an example"
    kept: list[str] = []
    async with opened(tmp_path) as room:
        for block in SCRIPT.finditer(page):
            for command, shown in _commands(block["body"]):
                if command.startswith("export "):
                    name, _, value = command.removeprefix("export ").partition("=")
                    said = await asyncio.to_thread(
                        typed, tmp_path, room.node.port, f"{command}\necho -n ${name}", "\n".join(kept)
                    )
                    assert said, f"{name} is empty: {value}"
                    kept.append(f"export {name}='{said}'")
                    continue
                said = await asyncio.to_thread(typed, tmp_path, room.node.port, command, "\n".join(kept))
                for line in filter(None, shown):
                    assert line in said, f"{command}\nshows {line!r}, said:\n{said}"
    assert (tmp_path / "scope.csv").read_bytes().startswith(b"\xef\xbb\xbfid,")
    assert (tmp_path / "archive.zip").read_bytes().startswith(b"PK")
