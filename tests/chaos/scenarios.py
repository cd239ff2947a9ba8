"""What may come over a bank, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.chaos.play import Order, Row, killing, played


def kills(order: Order) -> Row:
    """Every part is killed and frozen, again and again."""
    return played("kills", order, killing)


Scenario = Callable[[Order], Row]
SCENARIOS: Mapping[str, Scenario] = {"kills": kills}
