"""A bank of its own for each test of the flows: the example with one small playbook and harmless programs."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import orjson
from sqlalchemy import select

from console.opening import House, open_house
from models.clock import Clock
from models.commands import Actor, Declare, Done
from models.fact import Fact
from models.record import STREAM
from models.state import StepState

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "mihon-bank"
DUTY = Actor(person="suzuki-daichi", name="suzuki", via="test")
LEAD = Actor(person="sato-kenji", name="sato", via="test")
PLAYBOOK = "machine"

_APPEND = 'echo "$0" >> runs.txt'
TARGETS = f"""
  append:
    kind: command
    argv: [sh, -c, '{_APPEND}', "{{name}}"]
    parameters: {{name: {{type: text}}}}
  append-slowly:
    kind: command
    argv: [sh, -c, '{_APPEND}; sleep 60', "{{name}}"]
    parameters: {{name: {{type: text}}}}
  fail:
    kind: command
    argv: [sh, -c, '{_APPEND}; exit 3', "{{name}}"]
    parameters: {{name: {{type: text}}}}
  never-ends:
    kind: command
    argv: [sh, -c, 'sleep 60', "{{name}}"]
    parameters: {{name: {{type: text}}}}
  written:
    kind: command
    argv: [sh, -c, 'grep -c "$0" runs.txt || true', "{{name}}"]
    parameters: {{name: {{type: text}}}}
  cannot-look:
    kind: command
    argv: [sh, -c, 'exit 4', "{{name}}"]
    parameters: {{name: {{type: text}}}}
"""
HEAD = f"""
playbook: {PLAYBOOK}
version: 1.0.0
title: 試験用 / for tests
reviewed: 2026-11-01
priority: 9
variables:
  host: {{type: text}}
steps:
  - {{id: begin, phase: triage, kind: manual, owner: csirt-duty, after: [], title: 始める,
     record: [{{id: host, title: host, type: text, required: false}}], sets: {{host: host}}}}
"""


def action(
    name: str,
    target: str = "append",
    *,
    on_crash: str = "idempotent",
    phase: str = "containment",
    more: str = "",
) -> str:
    """An automated step that writes its name into `runs.txt`, ready once `begin` is done."""
    probe = ""
    if on_crash == "probe":
        probe = (
            f"probe: {{use: command.run, target: written, params: {{name: {name}}}, "
            'done_if: \'output("stdout") == "1"\'}, '
        )
    return (
        f"  - {{id: {name}, phase: {phase}, kind: action, use: command.run, target: {target}, "
        f"params: {{name: {name}}}, {probe}on_crash: {on_crash}, after: [begin], title: {name}, {more}}}\n"
    )


def make_bank(directory: Path, steps: str, targets: str = "") -> Path:
    """The example bank in `directory`, with the playbook `machine` of these steps."""
    shutil.copytree(EXAMPLE, directory, ignore=shutil.ignore_patterns("var"))
    (directory / "playbooks" / f"{PLAYBOOK}.yaml").write_text(HEAD + steps, encoding="utf-8")
    with (directory / "targets.yaml").open("a", encoding="utf-8") as file:
        file.write(TARGETS + targets)
    return directory


class Scene:
    """One incident on one bank, seen from outside the process in which its flows run."""

    def __init__(self, directory: Path, clock: Clock | None = None) -> None:
        self.directory = directory
        self.house: House = open_house(directory, clock)

    def declare(self, playbook: str = PLAYBOOK) -> str:
        """An incident on the playbook, with `begin` still to be done."""
        outcome = self.house.desk.handle(None, Declare(actor=DUTY, text="試験", playbooks=(playbook,)))
        assert outcome.accepted, outcome.refused
        return outcome.stream

    def begin(self, incident: str, **values: str) -> None:
        """The one thing a person does; the automated steps are ready then."""
        outcome = self.house.desk.handle(incident, Done(actor=DUTY, step="begin", values=values))
        assert outcome.accepted, outcome.refused

    def step(self, incident: str, name: str) -> StepState:
        """The state of a step of the playbook."""
        return self.house.desk.incident(incident).steps[f"{PLAYBOOK}/{name}"]

    def statuses(self, incident: str) -> dict[str, str]:
        """The steps of the playbook with their status."""
        steps = self.house.desk.incident(incident).steps
        return {key.rpartition("/")[2]: known.status for key, known in steps.items()}

    def facts(self, incident: str, kind: str = "") -> list[Fact]:
        """The facts of a kind, or all."""
        with self.house.record.read() as tx:
            return [fact for fact in tx.facts(incident) if fact.kind.startswith(kind)]

    def texts(self, incident: str) -> dict[str, str | None]:
        return self.house.desk.texts(incident)

    def document(self, digest: str | None) -> Mapping[str, str]:
        """A stored document of JSON."""
        with self.house.record.read() as tx:
            found: Mapping[str, str] = orjson.loads(tx.document(digest or "") or b"null")
        return found

    def runs(self) -> Counter[str]:
        """How often each program of a step has really run."""
        file = self.directory / "runs.txt"
        return Counter(file.read_text().split()) if file.exists() else Counter()

    def wanted(self, incident: str) -> bool:
        """Whether the record wants a run."""
        with self.house.record.read() as tx:
            row = tx.connection.execute(
                select(STREAM.c.wanted, STREAM.c.served).where(STREAM.c.id == incident)
            ).one()
        return bool(row[0] > row[1])


def no_step_was_repeated(facts: list[Fact]) -> None:
    """A finished step is never started again."""
    done: set[str] = set()
    for fact in facts:
        if fact.kind == "step.done":
            assert fact.data["step"] not in done, fact
            done.add(fact.data["step"])
        elif fact.kind == "step.started":
            assert fact.data["step"] not in done, fact


def environment(**more: str) -> dict[str, str]:
    """What a child gets: this process's environment without settings of Prefect's and ours, and `more`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "HIKESHI_"))}
    return kept | more


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
