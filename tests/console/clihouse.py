"""A bank's directory in a temporary place, and the command line as people there would type it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from console.main import execute
from console.opening import House, open_house
from models.clock import ExerciseClock

EXAMPLE = Path(__file__).parents[2] / "examples" / "mihon-bank"
START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
"""Tuesday noon in Tokyo: suzuki-daichi or yamamoto-rin is on duty."""
SHORT = """\
playbook: short
version: 1.0.0
title: {ja: 短い対応, en: A short response}
reviewed: 2026-11-01
priority: 5
watch_period: 24h
steps:
  - id: look
    phase: triage
    kind: manual
    owner: csirt-lead
    within: 30m
    title: {ja: 見る, en: Look}
    do_not: [{ja: 電源を切らない, en: Do not power off}]
    record:
      - {id: seen, title: {ja: 見えたもの, en: What was seen}}
      - {id: count, title: {ja: 台数, en: How many}, type: number}
  - id: first
    phase: containment
    kind: decision
    authority: ciso
    within: 20m
    after: [look]
    decides: containment-or-preservation
    title: {ja: どちらを先にするか, en: What comes first}
    options:
      - {id: contain, title: {ja: 封じ込め, en: Contain}, price: {ja: 痕跡を失う, en: Traces are lost}}
      - {id: preserve, title: {ja: 保全, en: Preserve}}
    recommend: preserve
    factors: [window]
    otherwise: {ja: 広がる, en: It spreads}
  - id: resume
    phase: recovery
    kind: manual
    owner: csirt-lead
    after: [first]
    resumes: [affected-services]
    title: {ja: 再開する, en: Resume}
  - id: learn
    phase: lessons
    kind: manual
    owner: csirt-lead
    after: [resume]
    title: {ja: 振り返る, en: Look back}
"""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The answer of `--json`."""
        return json.loads(self.out)


@dataclass(kw_only=True)
class Cli:
    """The command line of one bank, at the time of its clock."""

    directory: Path
    clock: ExerciseClock
    house: House
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def run(self, *arguments: str, who: str = "sato", lang: str = "en") -> Answer:
        """Type one command as `who`."""
        self.monkeypatch.setenv("HIKESHI_ACCOUNT", who)
        self.capsys.readouterr()
        code = execute(["--lang", lang, *arguments], self.house)
        said = self.capsys.readouterr()
        return Answer(code=code, out=said.out, err=said.err)

    def done(self, *arguments: str, who: str = "sato") -> Answer:
        """Type one command that must be accepted, whether or not it has to page somebody."""
        answer = self.run(*arguments, who=who)
        assert answer.code in {0, 3}, (arguments, answer.out, answer.err)
        self.clock.advance(timedelta(minutes=1))
        return answer


def bank_in(folder: Path) -> Path:
    """A copy of the example bank with the short playbook, without anybody's record."""
    directory = folder / "bank"
    shutil.copytree(EXAMPLE, directory, ignore=shutil.ignore_patterns("var", "schemas"))
    (directory / "playbooks" / "short.yaml").write_text(SHORT, encoding="utf-8")
    return directory


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    """The example bank with the short playbook, on an exercise clock."""
    for name in [name for name in os.environ if name.startswith("HIKESHI_")]:
        if name != "HIKESHI_ENGINE":
            monkeypatch.delenv(name)
    directory, clock = bank_in(tmp_path), ExerciseClock(START)
    house = open_house(directory, clock)
    bank = Cli(directory=directory, clock=clock, house=house, monkeypatch=monkeypatch, capsys=capsys)
    yield bank
    house.record.close()
    bank.house.record.close()
