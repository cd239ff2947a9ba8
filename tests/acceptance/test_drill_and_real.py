"""One path for drill and real: the same acts give the same facts but for marks and addresses."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from models.commands import Command
from models.fact import Fact
from tests.playing import Play, Stage, playing, premises

SETS_APART = frozenset({"drill", "directory"})
"""The mark, and the version of the directory, which holds the addresses."""


class Real(Stage):
    """The same bank in earnest, without exercise and script. What was done in the drill is done again."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at, **premises("console"))

    def again(self, log: list[tuple[datetime, str | None, Command]]) -> None:
        """Everything at its hour, with whatever falls due in between."""
        for at, stream, command in log:
            if stream is not None and not stream.startswith("INC-"):
                continue
            self.forward(at)
            self.act(command, stream)

    def forward(self, at: datetime) -> None:
        """Let the time pass, stopping wherever something falls due."""
        self.settle()
        while (due := self.next_due()) is not None and due <= at:
            self.clock.set(max(due, self.clock.now()))
            self.settle()
        self.clock.set(max(at, self.clock.now()))
        self.settle()


def story(stage: Stage) -> list[tuple[Any, ...]]:
    """The facts of incidents without what sets a drill apart: marks, addresses, salts."""
    return [_plain(fact) for fact in stage.facts() if fact.stream.startswith("INC-")]


def _plain(fact: Fact) -> tuple[Any, ...]:
    return (fact.stream, fact.seq, fact.at, fact.kind, fact.actor, fact.via, _without(fact.data))


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without(one) for name, one in value.items() if name not in SETS_APART}
    if isinstance(value, list):
        return [_without(one) for one in value]
    if isinstance(value, str) and value.startswith("t:"):
        return "t:"
    return value.replace("script", "console") if isinstance(value, str) else value


def in_earnest(play: Play) -> Real:
    """The same acts on a stage of its own; the caller closes it."""
    real = Real(play.startex)
    real.again(play.log)
    real.forward(play.clock.now())
    return real


@pytest.mark.parametrize(
    "name",
    ["ransomware-night-batch", pytest.param("insider-customer-list", marks=pytest.mark.slow)],
)
def test_the_same_acts_at_the_same_hours_give_the_same_facts_in_a_drill_and_in_earnest(name: str) -> None:
    with playing(name) as play:
        play.until(play.startex + play.scenario.story(play.scenario.duration))
        real = in_earnest(play)
        try:
            expected, found = story(play), story(real)
            for one, other in zip(expected, found, strict=False):
                assert one == other
            assert len(found) == len(expected) > 300
            assert all(one.message.drill for one in play.got)
            assert not any(one.message.drill for one in real.got)
            of_incidents = [one.message.key for one in play.got if one.message.key.startswith("INC-")]
            assert _keys(of_incidents) == _keys(one.message.key for one in real.got)
        finally:
            real.close()


def _keys(keys: Any) -> list[str]:
    """Keys without the channel, which is part of the address."""
    return sorted(one.replace("script", "console") for one in keys)
