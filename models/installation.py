"""The rest of the institution's directory: alert sources and settings; targets are in `models.targets`.

Secrets are named, not written: `secret: env:NAME` or `secret: file:path` (see `console.secrets`).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from models.hooks import Webhook
from models.keeping import IntegritySettings
from models.loginsettings import LoginSettings
from models.relaying import RelaySink
from models.targets import is_loopback
from models.values import Duration, Frozen, Id, Lang, SecretRef
from models.watching import LogSettings, MetricsSettings, TracingSettings

_NAME = r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,99}$"
_PART = r"[A-Za-z0-9_@$*-]+"
_PATH = rf"{_PART}(\.{_PART}){{0,14}}"
FieldPath = Annotated[str, Field(pattern=rf"^{_PATH}(\|{_PATH}){{0,4}}\??$", max_length=400)]
"""A dotted path into an alert: list items by number or `*` for all of them, `$` for the whole post, `a|b` for
the first that is there, `?` at the end for one that may be missing."""


class Mapping(Frozen):
    """Which fields of an alert's JSON mean what; dotted paths, list items by number."""

    items: FieldPath | None = Field(
        default=None, description="the list of alerts in one post; the other paths then begin at each of them"
    )
    key: tuple[FieldPath, ...] = Field(
        min_length=1, description="together they name the matter, for duplicates"
    )
    title: FieldPath
    at: FieldPath | None = None
    level: FieldPath | None = Field(default=None, description="the tool's own number or word of gravity")
    scale: dict[str, int] = Field(
        default_factory=dict, description="words of gravity as numbers, for `at_least`"
    )
    hosts: tuple[FieldPath, ...] = ()
    words: tuple[FieldPath, ...] = Field(default=(), description="fields searched for a matching playbook")
    ended: dict[FieldPath, tuple[str, ...]] = Field(
        default_factory=dict, description="field -> words that say that the matter is over"
    )


class Rule(Frozen):
    """What to do with an alert of a source; the first rule that fits wins."""

    at_least: int | None = Field(default=None, description="level as a number, at least")
    levels: tuple[str, ...] = Field(default=(), description="level as a word")
    words: tuple[str, ...] = Field(default=(), description="any of these in the alert's words")
    do: Literal["declare", "propose", "keep"]
    playbook: Id | None = None
    severity: Id | None = None
    raise_for_tier: dict[Annotated[int, Field(ge=1, le=4)], Id] = Field(
        default_factory=dict, description="tier of a service that the alert names -> severity at least"
    )


Format = Literal["wazuh", "json", "alertmanager", "sentinel", "elastic", "defender", "splunk", "mail"]
MAIL = "mail"


class Source(Frozen):
    """A monitoring tool that may post alerts."""

    id: Id
    format: Format
    auth: Literal["bearer", "hmac"] = "bearer"
    secret: SecretRef | None = Field(default=None, description="needed unless the format is `mail`")
    mapping: Mapping | None = Field(default=None, description="needed for `json`; the others bring their own")
    rules: tuple[Rule, ...] = ()
    severities: dict[str, Id] = Field(
        default_factory=dict, description="the tool's word or number of gravity -> severity, if no rule says"
    )
    storm_from: int | None = Field(
        default=None,
        ge=2,
        le=100_000,
        description="more new matters than this in a minute are one storm; default: a 30th of `per_minute`",
    )
    older_than: Duration = Field(
        default="7d", validate_default=True, description="alerts that happened longer ago are only kept"
    )
    max_bytes: int = Field(default=262_144, ge=1_024, le=10_485_760)
    per_minute: int = Field(default=600, ge=1, le=100_000)

    @property
    def calm_up_to(self) -> int:
        """New matters in a minute that are each looked at; more of them are a storm."""
        return self.storm_from or max(2, self.per_minute // 30)

    @model_validator(mode="after")
    def _posts_are_secret(self) -> Source:
        if self.secret is None and self.format != MAIL:
            raise ValueError(f"secret: {self.id} needs one, such as env:HIKESHI_SECRET or file:secrets/key")
        return self


class Intake(Frozen):
    """`intake.yaml`."""

    sources: tuple[Source, ...] = ()


class RoomSettings(Frozen):
    """The incident's own channel, if incidents get one."""

    from_severity: Id = Field(alias="from", description="severity from which an incident gets its channel")
    name: str = Field(
        default="{incident}",
        pattern=r"^([a-z0-9_-]|\{(incident|year|number|playbook|severity)\})+$",
        max_length=60,
        description="from {incident}, {year}, {number}, {playbook}, {severity}; never the title",
    )
    private_for: tuple[Id, ...] = Field(default=(), description="playbooks whose channel is private")
    members: tuple[Id, ...] = Field(
        default=("csirt-lead", "csirt-duty"), max_length=20, description="roles that are invited at once"
    )


class SlackSettings(Frozen):
    """Slack, if it is used. `token` names the bot token.

    Presses come by Socket Mode (`app_token`) or signed HTTP (`signing_secret`); with neither there are
    no buttons.
    """

    token: SecretRef
    app_token: SecretRef | None = Field(default=None, description="for Socket Mode, scope connections:write")
    signing_secret: SecretRef | None = Field(default=None, description="for requests to /slack/events")
    room: RoomSettings | None = None
    base_url: str = Field(default="https://slack.com/api/", pattern=r"^https?://[^\s]+$")
    timeout: Duration = Field(default="10s", validate_default=True)

    @model_validator(mode="after")
    def _not_in_clear(self) -> SlackSettings:
        if self.base_url.startswith("http://") and not is_loopback(self.base_url):
            raise ValueError(
                "base_url: expected https, because the token is sent (http only to this machine)"
            )
        return self


class EmailSettings(Frozen):
    """Mail by SMTP, if it is used."""

    host: str
    port: int = Field(default=587, ge=1, le=65535)
    sender: str
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: SecretRef | None = None


class TeamsSettings(Frozen):
    """Microsoft Teams and the like, through apprise, if it is used.

    Each of `urls` names a secret that holds an apprise URL, such as that of a Teams workflow.
    """

    urls: dict[Id, SecretRef] = Field(min_length=1)
    timeout: Duration = Field(default="10s", validate_default=True)


class GatewaySettings(Frozen):
    """A gateway for SMS and voice, if it is used: the channels `sms` and `voice`."""

    url: str = Field(pattern=r"^https?://[^\s]+$")
    secret: SecretRef = Field(description="signs both ways")
    timeout: Duration = Field(default="10s", validate_default=True)
    channels: tuple[Literal["sms", "voice"], ...] = Field(
        default=("sms", "voice"), min_length=1, description="what this gateway can do"
    )

    @model_validator(mode="after")
    def _not_in_clear(self) -> GatewaySettings:
        if self.url.startswith("http://") and not is_loopback(self.url):
            raise ValueError("url: expected https, because links are sent (http only to this machine)")
        return self


class MailboxSettings(Frozen):
    """An IMAP mailbox whose mails become alerts of the source `mail` (FSA-2.5.2.1-B1), if it is used."""

    host: str = Field(min_length=1)
    port: int = Field(default=993, ge=1, le=65535)
    tls: Literal["tls", "starttls", "none"] = "tls"
    user: str = Field(min_length=1)
    password: SecretRef
    folder: str = Field(default="INBOX", pattern=r"^[ !#-\[\]-~]+$", max_length=200)
    every: Duration = Field(default="60s", validate_default=True)
    max_bytes: int = Field(default=10_485_760, ge=1_024, le=52_428_800)


EXERCISED = ("playbook", "scenario", "route", "role", "person", "vendor", "guideline")
"""What an exercise exercises (models.exercised)."""
AgeRecipient = Annotated[str, Field(pattern=r"^age1[02-9ac-hj-np-z]{58}$")]


class EvidenceSettings(Frozen):
    """How evidence is stored, and how often what is stored is compared with its digests."""

    seal_to: tuple[AgeRecipient, ...] = Field(
        default=(), max_length=20, description="age public keys: what is preserved is sealed to them"
    )
    verify_every: Duration = Field(default="1d", validate_default=True)
    verify_bytes_per_second: int = Field(default=52_428_800, ge=65_536, le=10_000_000_000)


Days = Annotated[int, Field(ge=1, le=3_650)]


class ExerciseSettings(Frozen):
    """How often everything is exercised (FSA-2.2.5-B1), and when the year of the plan begins."""

    every_days: Days = Field(default=365, description="what was not exercised for so long is overdue")
    days: dict[str, Days] = Field(
        default_factory=dict,
        max_length=500,
        description="for a kind (`vendor`), or one of it (`playbook:ransomware`), instead",
    )
    year_begins: int = Field(default=4, ge=1, le=12, description="month in which the year begins")

    @field_validator("days")
    @classmethod
    def _names_a_kind(cls, value: dict[str, int]) -> dict[str, int]:
        wrong = sorted(name for name in value if name.partition(":")[0] not in EXERCISED)
        if wrong:
            raise ValueError(
                f"expected {', '.join(EXERCISED)}, or one of these with `:` and an id, got {wrong}"
            )
        return value

    def interval(self, kind: str, name: str) -> timedelta:
        """How long the exercise of this one lasts."""
        of_kind = self.days.get(kind, self.every_days)
        return timedelta(days=self.days.get(f"{kind}:{name}", of_kind))


class FlowsSettings(Frozen):
    """Where the flows of incidents run. Prefect's address is PREFECT_API_URL in the environment."""

    on: Literal["children", "workers"] = Field(
        default="children", description="of the conductor, or Prefect workers that poll a work pool"
    )
    pool: str = Field(default="hikeshi", pattern=_NAME, description="the work pool, for workers")
    deployment: str = Field(default="hikeshi", pattern=_NAME, description="of the flow respond, for workers")
    at_once: int = Field(
        default=2, ge=1, le=32, description="incidents run at a time; 2 at most on Prefect's own SQLite"
    )


class Settings(Frozen):
    """`settings.toml`."""

    lang: Lang = "ja"
    data: str = Field(
        default="var", description="folder of the record and the evidence, relative to this file"
    )
    database: str | None = Field(
        default=None,
        pattern=r"^(sqlite:///|postgresql\+psycopg://)[^\s]+$",
        description="postgresql+psycopg://USER@HOST/NAME, without a password; default: SQLite in `data`",
    )
    database_password: SecretRef | None = Field(default=None, description="of `database`, if it needs one")
    host: str = "127.0.0.1"
    port: int = Field(default=8410, ge=0, le=65535)
    public_url: str | None = Field(default=None, description="address of this node in messages' links")
    signing_key: SecretRef | None = Field(default=None, description="default: a key file made in `data`")
    fallback: tuple[str, ...] = Field(
        default=("console",), description="channels when all of a person's fail"
    )
    heartbeat_url: str | None = Field(default=None, description="pinged while all is well")
    heartbeat_every: Duration = Field(default="60s", validate_default=True)
    slack: SlackSettings | None = None
    email: EmailSettings | None = None
    mailbox: MailboxSettings | None = None
    evidence: EvidenceSettings = EvidenceSettings()
    exercises: ExerciseSettings = ExerciseSettings()
    teams: TeamsSettings | None = None
    gateway: GatewaySettings | None = None
    login: LoginSettings = LoginSettings()
    flows: FlowsSettings = FlowsSettings()
    integrity: IntegritySettings = Field(
        default_factory=IntegritySettings, description="keys, anchors and the clock of the record"
    )
    relay: tuple[RelaySink, ...] = Field(
        default=(), max_length=10, description="the second path: where each fact goes besides this host"
    )

    logs: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    tracing: TracingSettings | None = None
    webhooks: tuple[Webhook, ...] = Field(
        default=(), max_length=20, description="other systems that are told, signed"
    )

    @field_validator("webhooks")
    @classmethod
    def _hooks_have_names_of_their_own(cls, value: tuple[Webhook, ...]) -> tuple[Webhook, ...]:
        names = [one.name for one in value]
        if len(set(names)) < len(names):
            raise ValueError("two webhooks have the same name; what each was told is kept by name")
        return value

    @field_validator("relay")
    @classmethod
    def _relays_have_names_of_their_own(cls, value: tuple[RelaySink, ...]) -> tuple[RelaySink, ...]:
        names = [one.name for one in value]
        if len(set(names)) < len(names):
            raise ValueError("two sinks have the same name; how far each has come is kept by name")
        return value

    @field_validator("database")
    @classmethod
    def _no_secret_in_the_address(cls, value: str | None) -> str | None:
        if value is not None and re.search(r"://[^/@?]*:[^@?]*@|[?&](ssl)?password=", value):
            raise ValueError('expected no password in the address; name it in database_password = "env:…"')
        return value

    def channels(self) -> frozenset[str]:
        """The channels that are set up."""
        named = {name for name in ("slack", "email", "teams") if getattr(self, name) is not None}
        return frozenset({"console", "file"} | named | set(self.gateway.channels if self.gateway else ()))
