"""Small values that the institution's files and the playbooks share."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

Lang = Literal["ja", "en"]
ID_PATTERN = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
_DURATION = re.compile(r"^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$")
MAX_DURATION = timedelta(days=400)


class Frozen(BaseModel):
    """A value that checks itself, refuses fields it does not know and never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True)


def parse_duration(value: Any) -> timedelta:
    """`90s`, `15m`, `4h`, `3d` or a sum in that order of size (`1h30m`). Raises ValueError on all else."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str) and value and (match := _DURATION.match(value.strip())):
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if timedelta(0) < span <= MAX_DURATION:
            return span
    raise ValueError(f"expected a time with its unit, such as 15m, 4h or 3d (up to 400d), got {value!r}")


def write_duration(span: timedelta) -> str:
    """The shortest text that `parse_duration` reads back."""
    seconds = int(span.total_seconds())
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration, json_schema_input_type=str),
    PlainSerializer(write_duration, return_type=str),
]
Id = Annotated[str, Field(pattern=ID_PATTERN, max_length=64)]
ObligationId = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+)*$", max_length=40)]


class Text(Frozen):
    """A text for people, in Japanese and English. One plain string serves for both."""

    ja: str = Field(min_length=1, max_length=4000)
    en: str = Field(min_length=1, max_length=4000)

    @model_validator(mode="before")
    @classmethod
    def _one_for_both(cls, value: Any) -> Any:
        return {"ja": value, "en": value} if isinstance(value, str) else value

    def lang(self, lang: str) -> str:
        """The text in `ja` or `en`."""
        return self.en if lang == "en" else self.ja


SecretRef = Annotated[str, Field(pattern=r"^(env:[A-Z_][A-Z0-9_]*|file:.+)$")]
"""The name of a secret, which is in the environment or in a file and never written down."""
