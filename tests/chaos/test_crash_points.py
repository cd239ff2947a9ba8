"""Each way in which something is written down has a named point to die at, or says why it needs none."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.main import execute
from tests.chaos.bank import ROOT
from tests.console.clihouse import bank_in

PACKAGES = ("models", "flows", "notifiers", "console", "playbooks")
ATOMIC = "made anew at the next start; it is laid in place whole or not at all"
ON_REQUEST = "a file that somebody asks for and sees; asked for again it is written again"
NOT_OURS = "a log, a lock or a screen: nothing is decided by what is in it"
SCRATCH = "in a folder of its own that ends with the command"
BUILD = "run by whoever develops or sets up, not while incidents run"
EXEMPT = {
    "console/anchoring.py": SCRATCH,
    "console/archive.py:_member": "inside the archive, which has a point of its own",
    "console/cli/session.py": ON_REQUEST,
    "console/cli/share.py": "on record before it is laid in place; asked for again it is written again",
    "console/cli/writing.py": SCRATCH,
    "console/demo/incident.py": ON_REQUEST,
    "console/demo/people.py": ON_REQUEST,
    "console/demo/proof.py": ON_REQUEST,
    "console/demo/scenario.py": ON_REQUEST,
    "console/demo/stage.py": BUILD,
    "console/drill/clockfile.py": ATOMIC,
    "console/drill/preparing.py": "a directory that is laid in place whole or refused by name",
    "console/drill/running.py": SCRATCH,
    "console/living.py:_shelf": ATOMIC,
    "console/main.py": NOT_OURS,
    "console/monitoring/writing.py:write": ON_REQUEST,
    "console/opening.py": ATOMIC,
    "console/operations/files.py": SCRATCH,
    "console/participants.py": "replaced as a whole; a key by whoever is first",
    "console/rehearsed.py": ON_REQUEST,
    "console/remote/dispatch.py": ON_REQUEST,
    "console/replaying.py": SCRATCH,
    "console/replayscript.py": ON_REQUEST,
    "console/sharing.py": "under a hidden name until it is on record",
    "console/signing.py:make_key_file": ATOMIC,
    "console/verify.py": ON_REQUEST,
    "console/verifying/keys.py": SCRATCH,
    "console/web/forms.py": SCRATCH,
    "console/web/links.py": ATOMIC,
    "flows/actions/store.py": "its callers die around it: see `taken` and `kept`, and at any byte of it",
    "flows/children.py": NOT_OURS,
    "flows/prepare.py": BUILD,
    "flows/server.py": NOT_OURS,
    "notifiers/hold.py": NOT_OURS,
    "playbooks/readme.py": BUILD,
    "playbooks/schemas.py": BUILD,
    "playbooks/starter.py": BUILD,
}
WRITES = frozenset({"write_bytes", "write_text", "rename", "hardlink_to", "copyfile", "copy2", "copytree"})


def _writes(call: ast.Call) -> bool:
    """Whether a call writes or names a file."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    texts = [
        one.value for one in ast.walk(call) if isinstance(one, ast.Constant) and isinstance(one.value, str)
    ]
    if name == "open":
        flags = ast.unparse(call)
        return "O_CREAT" in flags or any(
            set(text) <= set("wxab+t") and set(text) & set("wxa") for text in texts
        )
    said = ast.unparse(call.func)
    return name in WRITES or said == "os.link" or said.endswith("part.replace")


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _unnamed() -> Iterator[str]:
    """Functions that write and have no point."""
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            place = file.relative_to(ROOT).as_posix()
            if "/migrations/" in place:
                continue
            for function in _functions(ast.parse(file.read_text(encoding="utf-8"))):
                calls = [one for one in ast.walk(function) if isinstance(one, ast.Call)]
                if any(map(_writes, calls)) and not any(
                    "crash_point" in ast.unparse(one.func) for one in calls
                ):
                    yield f"{place}:{function.name}"


def test_whatever_writes_a_file_has_a_point_to_die_at_or_says_why_not() -> None:
    found = list(_unnamed())
    unnamed = [one for one in found if one not in EXEMPT and one.partition(":")[0] not in EXEMPT]
    assert not unnamed, f"name a crash point in {unnamed}, or say here why it needs none"
    needless = [one for one in EXEMPT if not any(name == one or name.startswith(f"{one}:") for name in found)]
    assert not needless, f"these write nothing any more, or have a point: {needless}"


def test_every_transaction_goes_through_the_one_place_that_has_points() -> None:
    """A commit elsewhere would have none around it. Migrations, and settings of a connection, come before."""
    allowed = {"models/record.py", "models/database.py", "models/migrations/__init__.py"}
    others = []
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            place = file.relative_to(ROOT).as_posix()
            for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                    continue
                said = ast.unparse(call.func)
                if (
                    said.endswith(("connection.begin", "connection.commit", "engine.begin"))
                    and place not in allowed
                ):
                    others.append(f"{place}:{call.lineno}")
    assert not others


# -- the files that are made while a node runs ---------------------------------------------------------------


def hikeshi(bank: Path, at: str, *arguments: str, who: str = "sato") -> subprocess.CompletedProcess[str]:
    """A command that dies at a point."""
    environment = os.environ | {
        "HIKESHI_DIR": str(bank), "HIKESHI_ACCOUNT": who, "HIKESHI_LANG": "en", "HIKESHI_CRASH_AT": at,
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "console.main", *arguments],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def here(bank: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str, who: str = "sato") -> int:
    monkeypatch.setenv("HIKESHI_DIR", str(bank))
    monkeypatch.setenv("HIKESHI_ACCOUNT", who)
    return execute([*arguments])


def test_an_export_that_was_killed_leaves_nothing_under_its_name_and_keeps_none_from_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, out = bank_in(tmp_path), tmp_path / "out.zip"
    assert here(bank, monkeypatch, "declare", "odd") in {0, 3}
    killed = hikeshi(bank, "archive-written", "export", "--all", "--archive", str(out))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not out.exists()
    assert here(bank, monkeypatch, "export", "--all", "--archive", str(out)) == 0
    assert out.exists()


@pytest.mark.slow
def test_a_key_that_was_recorded_and_not_laid_in_place_is_said_and_the_old_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = bank_in(tmp_path)
    assert here(bank, monkeypatch, "checkpoint", "now") == 0
    killed = hikeshi(bank, "key-recorded", "key", "rotate", "--reason", "yearly", who="kato")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert here(bank, monkeypatch, "checkpoint", "now") == 0
    assert here(bank, monkeypatch, "verify") == 0
    assert here(bank, monkeypatch, "key", "rotate", "--reason", "again", who="kato") == 0
    assert here(bank, monkeypatch, "verify") == 0
