"""docs/inspector.md as a script: an archive is handed over, verified far from Hikeshi, and read."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from base64 import b64decode
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.console.clihouse import Cli, cli
from tests.console.tampering import bodies, write

__all__ = ["cli"]
DOCS = Path(__file__).parents[2] / "docs"
INC = "INC-2026-0001"
REASON = "It spreads, and the branches are closed"


@pytest.fixture
def night(cli: Cli) -> Cli:
    """Preserved, called, decided by the CISO, one gate passed by override; a checkpoint lies elsewhere."""
    cli.done("declare", "Files encrypted", "--playbook", "short", "--service", "atm")
    memory = cli.directory / "memory.raw"
    memory.write_bytes(b"volatile" * 100)
    cli.done("evidence", "add", INC, "memory", "--description", "Memory of fs01", "--file", str(memory))
    cli.done("done", INC, "look", "--set", "seen=note", "--set", "count=3")
    cli.done("ack", INC, "first", who="kato")
    cli.done("decide", INC, "first", "contain", "--reason", REASON, "--factor", "window=unknown", who="kato")
    cli.done(
        "override", INC, "cause-addressed", "resume", "--reason", "Cash machines for the flood", who="kato"
    )
    cli.done("note", INC, "The branch opens at nine")
    return cli


class Inspector:
    """Somebody with an empty folder, Python, and what they were given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        shutil.copyfile(DOCS / "verify.py", folder / "verify.py")

    def verify(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603
            [sys.executable, "-I", "-S", "verify.py", *arguments],
            cwd=self.folder, capture_output=True, text=True, timeout=60, check=False, env={},
        )  # fmt: skip

    def read(self, name: str, archive: str = "out.zip") -> bytes:
        with zipfile.ZipFile(self.folder / archive) as packed:
            return packed.read(name)

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.read(name).splitlines()]


@pytest.fixture
def inspector(night: Cli, tmp_path: Path) -> Inspector:
    """What docs/inspector.md says to ask for."""
    made = Inspector(tmp_path / "inspector")
    assert night.run("checkpoint", "now").code == 0
    assert night.run("checkpoint", "export", str(made.folder / "kept.json")).code == 0
    (made.folder / "kept-key.txt").write_text(night.run("key", "show", "--json").json["public"])
    assert night.run("export", INC, "--archive", str(made.folder / "out.zip")).code == 0
    return made


WITH = ("--checkpoint", "kept.json", "--key", "kept-key.txt")


def test_the_verifier_is_the_one_whose_digest_is_published() -> None:
    published = (DOCS / "verify.py.sha256").read_text().split()[0]
    assert hashlib.sha256((DOCS / "verify.py").read_bytes()).hexdigest() == published


def test_the_archive_is_whole_on_a_machine_without_hikeshi(inspector: Inspector) -> None:
    done = inspector.verify("out.zip", *WITH)
    assert done.returncode == 0, (done.stdout, done.stderr)


def test_any_decision_tells_who_was_entitled_when_why_and_on_what_evidence(inspector: Inspector) -> None:
    (told,) = json.loads(inspector.read("decisions.json"))["decisions"]
    made = told["decision"]
    assert [(one["person"], one["role"]) for one in told["entitled"]] == [("kato-hiroshi", "ciso")]
    assert (made["by"], made["as"], made["choice"], made["reason"]) == (
        "kato-hiroshi", "ciso", "contain", REASON,
    )  # fmt: skip
    assert made["factors"] == {"window": "unknown"}
    assert [call["person"] for call in told["called"] if call["acknowledged_at"]] == ["kato-hiroshi"]
    (known,) = told["evidence"]
    assert known["digest"] == f"sha256:{hashlib.sha256(b'volatile' * 100).hexdigest()}"
    facts = {(one["stream"], one["seq"]): one for one in inspector.lines("facts.jsonl") if one["t"] == "fact"}
    assert facts[INC, made["fact"]]["kind"] == "decision.made"
    assert facts[INC, known["fact"]]["kind"] == "evidence.added"
    (overridden,) = [one for one in facts.values() if one["kind"] == "gate.overridden"]
    assert json.loads(overridden["body"])["data"]["role"] == "ciso"
    assert "Hiroshi Kato" in inspector.read("decisions.md").decode()


def test_the_policy_that_was_in_force_is_there_under_its_digest(inspector: Inspector) -> None:
    declared = next(one for one in inspector.lines("facts.jsonl") if one.get("kind") == "incident.declared")
    digest = json.loads(declared["body"])["data"]["policy"]
    found = {one["digest"]: one for one in inspector.lines("documents.jsonl")}
    assert f"sha256:{hashlib.sha256(b64decode(found[digest]['body'])).hexdigest()}" == digest


def test_a_decision_that_was_rewritten_with_its_chain_is_named(night: Cli, inspector: Inspector) -> None:
    """By somebody who has the database, the code and the key, and exports again."""
    (told,) = json.loads(inspector.read("decisions.json"))["decisions"]
    number = told["decision"]["fact"]
    database = next((night.directory / "var").glob("*.db"))
    with closing(sqlite3.connect(database)) as opened:
        facts = bodies(opened, INC)
        facts[number - 1] = facts[number - 1].replace(b'"choice":"contain"', b'"choice":"preserve"')
        write(opened, INC, facts)
        opened.commit()
    night.house.desk.forget()
    assert night.run("export", INC, "--archive", str(inspector.folder / "again.zip")).code == 0
    assert inspector.verify("again.zip").returncode == 1, "checkpoints in the archive itself remember it"
    done = inspector.verify("again.zip", *WITH)
    assert done.returncode == 1
    assert f"{INC} #{number}" in done.stdout + done.stderr
