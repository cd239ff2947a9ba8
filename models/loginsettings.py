"""How people come in over the network: `[login]` of settings.toml."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, field_validator

from models.values import Duration, Frozen

LONGEST = timedelta(days=7)


class LoginSettings(Frozen):
    """How people log in, and how long a session lasts."""

    local: bool | None = Field(
        default=None,
        description="whoever asks from this machine is known by the account of their browser's process; "
        "default: if `host` is loopback and no `public_url` is given",
    )
    idle: Duration = Field(
        default="2h", validate_default=True, description="a session that nobody used for so long is over"
    )
    lasts: Duration = Field(
        default="12h", validate_default=True, description="a session is over after so long, used or not"
    )

    @field_validator("idle", "lasts")
    @classmethod
    def _within_a_week(cls, value: timedelta) -> timedelta:
        if not timedelta(minutes=1) <= value <= LONGEST:
            raise ValueError(f"expected between 1m and {LONGEST.days}d")
        return value
