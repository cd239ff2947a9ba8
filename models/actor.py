"""Who asks for something."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

from models.fact import SYSTEM


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who asks. `person` is an id of the directory, None if nobody there answers to `name`.

    Names and ways come from outside. What is no text (half a surrogate pair) has no bytes to be recorded in,
    and a refusal has to be recorded too: it becomes question marks here, for all rules at once.
    """

    person: str | None
    name: str = ""
    via: str = "cli"
    roles: frozenset[str] | None = None
    """If not None, all that they may use of the person's roles: they came by a token that has these."""
    looks: bool = False
    """Whether they may only look, whoever they are."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, str) and not value.isascii():
                clean = value.encode("utf-8", "replace").decode("utf-8")
                object.__setattr__(self, field.name, clean)

    @classmethod
    def machine(cls, via: str) -> Self:
        """Hikeshi's own parts: conductor, outbox, watch."""
        return cls(person=SYSTEM, name=SYSTEM, via=via)
