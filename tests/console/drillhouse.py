"""An institution with a drill beside it, both made as a facilitator would make them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from console.main import execute
from console.opening import House, open_house
from playbooks import starter

SCENARIO = "ransomware-night-batch"


@dataclass(frozen=True, kw_only=True)
class Beside:
    """Production's directory, and that of the drill."""

    bank: Path
    drill: Path

    def house(self) -> House:
        """The drill's directory, opened."""
        return open_house(self.drill)


def prepare(folder: Path, monkeypatch: pytest.MonkeyPatch, *more: str, scenario: str = SCENARIO) -> Beside:
    """A bank from `hikeshi init`, and a drill that its head of CSIRT has prepared."""
    bank, drill = folder / "bank", folder / "drill"
    if not bank.exists():
        starter.write(bank, "en")
    monkeypatch.setenv("HIKESHI_ACCOUNT", "sato")
    arguments = ["--dir", str(bank), "drill", "prepare", scenario, "--to", str(drill), "--seed", "7"]
    assert execute([*arguments, *more]) == 0
    return Beside(bank=bank, drill=drill)
