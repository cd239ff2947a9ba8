"""How facts about tokens and sessions change what the house remembers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from models.entering import TOKENS_KEPT, Token
from models.fact import Fact
from models.fold.pages import no_change
from models.state import House


def _issued(state: House, fact: Fact) -> None:
    data = fact.data
    while len(state.tokens) >= TOKENS_KEPT:
        del state.tokens[min(state.tokens.values(), key=lambda one: one.until).id]
    state.tokens[data["id"]] = Token(
        id=data["id"],
        person=data["person"],
        until=datetime.fromisoformat(data["until"]),
        by=data["by"],
        digest=data["digest"],
        roles=list(data["roles"]),
        looks=data["looks"],
    )


def _revoked(state: House, fact: Fact) -> None:
    state.tokens[fact.data["id"]].until = fact.at


FOLDS: dict[str, Callable[[Any, Fact], None]] = {
    "token.issued": _issued,
    "token.revoked": _revoked,
    # Which sessions there are stands in a table of its own: they come and go.
    "login.offered": no_change,
    "session.opened": no_change,
    "session.ended": no_change,
}
