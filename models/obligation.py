"""Reports owed to authorities, as data: when one applies, to whom it goes, and how its deadline is counted.

Clocks differ in kind and not only in length: hours from knowing, calendar days with the first one counted
or not, business days after a determination, at once without a number, from the previous report. Not legal
advice: what is marked `G` is a default for the institution to check.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, field_validator, model_validator

from models.values import Duration, Frozen, Id, ObligationId, Text

FUNCTIONS = frozenset(
    {"profile", "impact", "playbook", "severity_at_least", "affected", "important", "known"}
)
"""What `applies_if` may ask; see models.clocks.owed."""
SUBMITTED = "submitted:"
_LIMIT = re.compile(r"^([1-9]\d{0,4})(m|h|d|bd|mo)$")
_CLOCK = re.compile(r"^([01]\d|2[0-3]):[0-5]\d$")
_MOST = {"m": 99_999, "h": 87_600, "d": 3_660, "bd": 2_600, "mo": 120}
"""About ten years, minutes apart: what lies further ahead is a slip, and may lie beyond the last date."""
CalendarName = Literal["bank", "government", "us-federal", "eu-target", "uk", "own"]


class Limit(Frozen):
    """`72h`, `30d` (calendar days), `4bd` (business days) or `1mo`: how long after the anchor."""

    count: int
    unit: Literal["m", "h", "d", "bd", "mo"]

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


def _read_limit(value: Any) -> Any:
    if isinstance(value, Limit):
        return value
    match = _LIMIT.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        expected = "a number with its unit: 90m, 72h, 30d (calendar days), 4bd (business days) or 1mo"
        raise ValueError(f"expected {expected}, got {value!r}")
    count, unit = int(match[1]), match[2]
    if count > _MOST[unit]:
        raise ValueError(f"expected at most {_MOST[unit]}{unit}, about ten years, got {value!r}")
    return Limit.model_construct(count=count, unit=unit)


LimitText = Annotated[
    Limit, BeforeValidator(_read_limit, json_schema_input_type=str), PlainSerializer(str, return_type=str)
]


class Within(Frozen):
    """A switch: the term counts only if `instant` is no later than `of` plus `span`."""

    instant: str
    of: str
    span: Duration


class Term(Frozen):
    """One way a deadline is counted, from one anchor."""

    from_: str = Field(alias="from", description="an instant of the incident, or submitted:STAGE")
    limit: LimitText
    first_day: Literal["included", "excluded"] = Field(
        default="excluded", description="for days: whether the day of the anchor is day 1"
    )
    ends: str | None = Field(
        default=None,
        description="same-time, day-end (24:00) or HH:MM in the recipient's zone; days end at day-end",
    )
    calendar: CalendarName = "government"
    roll: Literal["none", "next-working-day"] = "none"
    roll_at: str | None = Field(default=None, description="HH:MM or day-end, on the day rolled to")
    roll_unless: str | None = Field(
        default=None, max_length=300, description="condition over the profile under which nothing rolls"
    )
    requires: tuple[str, ...] = Field(default=(), description="instants without which this does not count")
    within_of: Within | None = None
    warn: tuple[LimitText, ...] = Field(default=(), description="further warnings, counted by the same rules")

    @field_validator("ends", "roll_at")
    @classmethod
    def _is_a_time_of_day(cls, value: str | None, info: ValidationInfo) -> str | None:
        """What rolls has no time of its own to keep: it ends at an hour, or with the day."""
        named = ("day-end",) if info.field_name == "roll_at" else ("same-time", "day-end")
        if value is not None and value not in named and not _CLOCK.match(value):
            raise ValueError(f"expected {', '.join(named)} or HH:MM, got {value!r}")
        return value


class Deadline(Frozen):
    """The earliest or the latest of some terms; or owed on an event; or at once; or never by a rule."""

    earliest: tuple[Term, ...] = Field(default=(), max_length=8)
    latest: tuple[Term, ...] = Field(default=(), max_length=8)
    on: str | None = Field(default=None, description="an instant: owed once it is known")
    at_once: str | None = Field(default=None, description="an instant: owed immediately, without a number")
    internal: Duration | None = Field(
        default=None, description="for `on` and `at_once`: the institution's own target, no legal limit"
    )
    none: bool = Field(default=False, description="voluntary: nothing bounds it")

    @model_validator(mode="after")
    def _is_one_kind(self) -> Deadline:
        kinds = [name for name in ("earliest", "latest", "on", "at_once", "none") if getattr(self, name)]
        if len(kinds) != 1:
            named = ", ".join(kinds) or "nothing"
            raise ValueError(f"expected one of earliest, latest, on, at_once, none: true; got {named}")
        if (self.internal is not None) != (kinds[0] in {"on", "at_once"}):
            raise ValueError("expected `internal: 60m`, a target of your own, with `on` and `at_once` only")
        return self

    @property
    def terms(self) -> tuple[Term, ...]:
        """The terms, of whichever kind."""
        return self.earliest or self.latest


class Stage(Frozen):
    """One report of an obligation: the first word, an update, the final one."""

    id: Id
    title: Text
    applies_if: str | None = Field(default=None, max_length=500, description="a further condition")
    if_unknown: bool = Field(
        default=False, description="owed too while `applies_if` hangs on something unknown"
    )
    deadline: Deadline
    form: Id | None = Field(default=None, description="form of this stage, if another than the obligation's")


class Obligation(Frozen):
    """A report owed to somebody, in one edition; editions of one id do not overlap."""

    id: ObligationId
    edition: date
    effective_from: date
    effective_to: date | None = Field(default=None, description="the last day")
    title: Text
    applies_if: str = Field(max_length=500)
    recipient: Text
    party: Id | None = Field(default=None, description="third party of organisation.yaml, for its contacts")
    owner: Id = Field(default="legal", description="role that answers for it")
    zone: str = "Asia/Tokyo"
    form: Id | None = None
    law: Text
    source: str
    confidence: Literal["C1", "C2", "G"]
    stages: tuple[Stage, ...] = Field(min_length=1, max_length=10)

    @model_validator(mode="after")
    def _days_are_in_order(self) -> Obligation:
        if self.effective_to is not None and self.effective_to < self.effective_from:
            raise ValueError(
                f"effective_to: {self.effective_to} lies before {self.effective_from}; "
                "expected the last day, not before effective_from"
            )
        return self

    def stage(self, name: str) -> Stage | None:
        """The stage of this id."""
        return next((stage for stage in self.stages if stage.id == name), None)


class Profile(Frozen):
    """What the institution is: which rules may reach it at all. The defaults are a plain regional bank's."""

    sector: Literal[
        "bank", "securities", "insurance", "money-lender", "funds-transfer", "crypto", "other"
    ] = "bank"
    listed: bool = Field(default=False, description="shares are listed (TSE)")
    crca_designated: bool = Field(default=False, description="特別社会基盤事業者")
    eu_entity: bool = Field(default=False, description="an entity under DORA")
    eu_weekend_exempt: bool = Field(
        default=True, description="credit institution, CCP, trading venue, NIS2 entity: no relief on weekends"
    )
    us_bank: bool = False
    us_service_provider: bool = Field(default=False, description="provides services to US banks")
    nydfs: bool = False
    sec_registrant: bool = False
    uk_firm: bool = False
    swift: bool = False
    my_number: bool = Field(default=True, description="handles 特定個人情報")

    def value(self, name: str) -> Any:
        """What a condition asks by name, with dashes or underscores. Raises KeyError if there is none."""
        field = name.replace("-", "_")
        if field not in type(self).model_fields:
            raise KeyError(f"profile({name!r}): known are {', '.join(type(self).model_fields)}")
        return getattr(self, field)


def overlapping(one: Obligation, other: Obligation) -> bool:
    """Whether two editions of the same obligation are in force on the same day."""
    if one.id != other.id:
        return False
    first, second = sorted((one, other), key=lambda each: each.effective_from)
    return first.effective_to is None or first.effective_to >= second.effective_from


def in_force(obligations: Iterable[Obligation], day: date) -> tuple[Obligation, ...]:
    """Those in force on `day` (in the institution's zone), one edition of each."""
    return tuple(
        one
        for one in obligations
        if one.effective_from <= day and (one.effective_to is None or day <= one.effective_to)
    )
