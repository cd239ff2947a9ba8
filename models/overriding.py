"""The command by which a gate's authority takes an override back."""

from __future__ import annotations

from dataclasses import dataclass

from models.commands import Command


@dataclass(frozen=True, kw_only=True)
class WithdrawOverride(Command):
    """The gate holds again, as if it had not been passed."""

    gate: str
    step: str
    reason: str
