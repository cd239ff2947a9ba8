"""The result of an exercise: the one document that crosses from a drill to production, in that direction.

It is made once the exercise is over, signed with the key of the drill's own data folder (never production's),
and imported into the stream `programme` there. Spans are whole seconds, instants aware and in UTC; nothing in
it is a float, so that its bytes have one form (RFC 8785). What is not known is None and never zero.

The file is `{"result": …, "signature": {"key", "public", "value"}}`; the signature is Ed25519 over the
canonical bytes of `result`. Anybody can sign a document with a key of their own: who reads one says which key
they expect, the one that was written down when the drill was prepared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Protocol

import orjson
from pydantic import AwareDatetime, ConfigDict, Field, ValidationError

from models.canonical import canonical_bytes
from models.checkpoint import key_id
from models.errors import BadInput
from models.exercise import Rating
from models.scenario import Form
from models.values import Frozen, Text

SCHEMA: Final = "hikeshi.drill-result/1"
MAX_BYTES = 4_000_000
"""A result is small; a larger file is refused before it is parsed."""
MAX_SAID = 50
"""Defects of a result that are said at once."""
Seconds = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Said = Annotated[str, Field(max_length=4000)]
OrganiserKind = Literal["internal", "vendor", "sector", "authority"]
"""Who holds it (FSA-2.2.5-Dd): the institution, a vendor, the industry (金融ISAC), an authority."""
Outcome = Literal[
    "done", "late", "other", "not-done", "scripted", "open", "not-observable", "not-delivered"
]  # fmt: skip
"""Of an expectation: done in time; done too late; decided otherwise; not done; done by a scripted responder;
not due yet at ENDEX; names no step, so that only people can have seen it; its inject never came in."""
MeasureOutcome = Literal["met", "missed", "unknown"]
TargetFrom = Literal["objective", "service", "none"]


class Exact(Frozen):
    """A part of a result: nothing is converted, unknown fields are refused, naive instants too."""

    model_config = ConfigDict(strict=True)


class ScenarioPlayed(Exact):
    """The scenario as it was frozen; `changed` are injects that the controller put or changed on the day."""

    id: Name
    version: Name
    digest: Name
    title: Text
    large_scale: bool = False
    changed: tuple[Name, ...] = ()


class Held(Exact):
    """When it was held. Wall times are real; `startex` is the hour of the story; `played` without pauses."""

    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    startex: AwareDatetime | None = None
    endex: AwareDatetime | None = Field(default=None, description="the hour of the story at ENDEX")
    played_seconds: Seconds = 0


class Player(Exact):
    """Somebody enrolled (FSA-2.2.5-B2); `vendor` is the third party they came from (FSA-2.2.5-B1)."""

    person: Name
    roles: tuple[Name, ...] = ()
    organisation: Said = ""
    vendor: Name | None = None
    present: bool = Field(default=True, description="why somebody did not come stays in the drill")


class RolePlayed(Exact):
    """A role of the scenario and who took it; `scripted`: nobody was there, Hikeshi answered for it."""

    role: Name
    needed: bool = True
    how: Literal["played", "scripted", "control", "nobody"]
    by: tuple[Name, ...] = ()


class StaffMember(Exact):
    """Somebody who held the exercise and did not play."""

    person: Name
    role: Name


class PlaybookExercised(Exact):
    """A playbook of which participants did something, at the version it was frozen at."""

    id: Name
    version: Name
    digest: Name


class RouteUsed(Exact):
    """A reporting route that was called on: how often, how far it climbed (1 is its first level)."""

    id: Name
    pages: Count
    highest_level: Count
    exhausted: Count = 0
    answered: Count = Field(default=0, description="calls that participants answered")


class ItemExercised(Exact):
    """A guideline item and what exercised it: `objective:x`, `step:playbook/step`, `scenario`."""

    item: Name
    by: tuple[Name, ...]


class Expectation(Exact):
    """What was expected upon an inject and what happened. Times are of the story."""

    inject: Name
    text: Text
    role: Name | None = None
    step: Name | None = None
    option: Name | None = None
    within_seconds: Seconds | None = None
    asked_at: AwareDatetime | None = Field(default=None, description="when the inject came in")
    outcome: Outcome
    done_at: AwareDatetime | None = None
    done_by: Name | None = None
    scripted: bool = Field(
        default=False,
        description="no participant had a hand in it: scripted, done by control, or left undone so",
    )
    leapt: bool = Field(default=False, description="late only because the story leapt in between")
    choice: Name | None = None
    took_seconds: int | None = Field(
        default=None, description="from the inject; below zero: done before anybody asked for it"
    )


class MeasureResult(Exact):
    """A recovery target and what was measured (FSA-2.2.5-Da); `why` says what is missing if it is unknown."""

    kind: Literal["rto", "rpo", "rlo"]
    service: Name
    target_seconds: Seconds | None = None
    target_level: Name | None = None
    target_from: TargetFrom
    measured_seconds: Seconds | None = None
    measured_level: Name | None = None
    outcome: MeasureOutcome
    scripted: bool = Field(default=False, description="the service was brought back by the script alone")
    why: Said = ""


class ObjectiveResult(Exact):
    """One objective. A rating counts once an evaluator has confirmed it on an observation."""

    id: Name
    text: Text
    capability: Name
    guideline: tuple[Name, ...] = ()
    limit_seconds: Seconds | None = None
    since: Name | None = None
    took_seconds: Seconds | None = None
    expectations: tuple[Expectation, ...] = ()
    measures: tuple[MeasureResult, ...] = ()
    proposed: Rating | None = None
    reasons: tuple[Name, ...] = Field(default=(), description="names of the rules that led to the proposal")
    rating: Rating | None = None
    rated_by: Name | None = None
    observations: tuple[Name, ...] = ()


class PagesOfRole(Exact):
    """Calls for one role: how many were answered by people, and how fast; scripted answers stand apart.

    `undelivered` are those that were given up for everybody of the role, so that nobody could answer.
    """

    role: Name
    asked: Count
    answered: Count
    scripted: Count = 0
    undelivered: Count = 0
    median_seconds: Seconds | None = None


class PagesSummary(Exact):
    """Every call of the exercise; communication checks and confirmations of addresses are not among them."""

    asked: Count = 0
    answered: Count = Field(default=0, description="by participants")
    scripted: Count = Field(default=0, description="answered by the script alone")
    climbed: Count = Field(default=0, description="calls that went beyond their first level")
    exhausted: Count = Field(default=0, description="calls that reached the last resort")
    median_seconds: Seconds | None = None
    by_role: tuple[PagesOfRole, ...] = ()


class GateResult(Exact):
    """A gate that held somebody up: how often it held, let through afterwards, was overridden."""

    gate: Name
    held: Count = 0
    passed: Count = 0
    overridden: Count = 0


class DecisionTaken(Exact):
    """A decision: by whom, how long after it was asked for; `scripted` ones show nothing about people."""

    incident: Name
    step: Name
    choice: Name
    by: Name
    scripted: bool = False
    took_seconds: Seconds | None = None
    in_time: bool | None = None


class DeadlineResult(Exact):
    """A clock of an incident and what became of it; `open` ran on at ENDEX."""

    incident: Name
    clock: Name
    kind: Name
    due_at: AwareDatetime
    stopped_at: AwareDatetime | None = None
    outcome: Literal["met", "missed", "open", "ended"]


class Finding(Exact):
    """What is to be done better. It closes only by a re-test or by accepting the risk (FSA-2.2.5-Dc)."""

    id: Name
    title: Text
    capability: Name
    objective: Name | None = None
    root_cause: Said = ""
    recommendation: Said = ""
    owner: Name | None = None
    due: AwareDatetime | None = None
    playbook: Name | None = Field(default=None, description="the playbook that is to be, or was, revised")
    revision: Name | None = Field(default=None, description="the version that it led to")


class QuestionSummary(Exact):
    """The answers to one question: how many gave which. Free texts stay in the drill."""

    id: Name
    text: Text
    kind: Literal["scale", "yes-no", "text"]
    answers: dict[str, Count] = Field(default_factory=dict)
    answered: Count = 0


class SignedOff(Exact):
    """Management has seen the report (FSA-2.2.5-B2). `at` is on the drill's clock: an hour of the story."""

    by: Name
    at: AwareDatetime
    wall: AwareDatetime | None = Field(default=None, description="the real instant")


class Head(Exact):
    """The end of one record of the drill: whoever keeps its database can show that it is the same."""

    stream: Name
    seq: Count
    hash: Name


class DrillResult(Exact):
    """Everything that production keeps of an exercise."""

    schema_: Literal["hikeshi.drill-result/1"] = Field(default=SCHEMA, alias="schema")
    mark: Literal["【訓練】"] = "【訓練】"
    drill: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    scenario: ScenarioPlayed
    form: Form
    organiser: Said = Field(default="", description="its name; empty: the institution itself")
    organiser_kind: OrganiserKind = "internal"
    status: Literal["ended", "aborted"]
    why: Said = Field(default="", description="why it ended, or was aborted")
    held: Held
    made_at: AwareDatetime
    made_by: Name
    staff: tuple[StaffMember, ...] = ()
    participants: tuple[Player, ...] = ()
    roles: tuple[RolePlayed, ...] = ()
    vendors: tuple[Name, ...] = Field(default=(), description="third parties that took part in person")
    playbooks: tuple[PlaybookExercised, ...] = ()
    routes: tuple[RouteUsed, ...] = ()
    people: tuple[Name, ...] = Field(default=(), description="ids of those who acted themselves")
    guideline: tuple[ItemExercised, ...] = ()
    objectives: tuple[ObjectiveResult, ...] = ()
    pages: PagesSummary = Field(default_factory=PagesSummary)
    gates: tuple[GateResult, ...] = ()
    decisions: tuple[DecisionTaken, ...] = ()
    deadlines: tuple[DeadlineResult, ...] = ()
    findings: tuple[Finding, ...] = ()
    questionnaire: tuple[QuestionSummary, ...] = ()
    signed_off: SignedOff | None = None
    heads: tuple[Head, ...] = ()

    def measures(self) -> tuple[MeasureResult, ...]:
        """Every recovery target that was measured, of all objectives."""
        return tuple(one for objective in self.objectives for one in objective.measures)

    def confirmed(self) -> bool:
        """Whether an evaluator has confirmed the rating of every objective."""
        return all(one.rating is not None for one in self.objectives)

    def body(self) -> bytes:
        """The exact bytes that are signed."""
        return canonical_bytes(self.model_dump(mode="json", by_alias=True))


class Signs(Protocol):
    """A private key (console.signing.Signer)."""

    @property
    def id(self) -> str: ...

    @property
    def public(self) -> bytes: ...

    def sign(self, body: bytes) -> bytes: ...


def sign(result: DrillResult, signer: Signs) -> bytes:
    """The file: the result with the signature of the drill's key."""
    value = signer.sign(result.body()).hex()
    signature = {"key": signer.id, "public": signer.public.hex(), "value": value}
    content = orjson.loads(result.body())
    return orjson.dumps({"result": content, "signature": signature}, option=orjson.OPT_INDENT_2) + b"\n"


class Signed(Frozen):
    """A result whose signature is right, and the name of the key that made it."""

    result: DrillResult
    key: str
    public: str


def read(file: bytes, key: str | None = None) -> Signed:
    """The result in a file. `key` is the name of the key that it has to be signed with, if one is known.

    Raises BadInput if the file is too large, no result, of a newer Hikeshi, or not signed with that key.
    """
    if len(file) > MAX_BYTES:
        raise BadInput(f"the file has {len(file)} bytes, a drill's result at most {MAX_BYTES}")
    content, signature = _parts(file)
    public = _signer(signature, key)
    body = _canonical(content)
    if not _signed(public, body, _bytes(signature, "value", 64)):
        raise BadInput(
            "the signature does not fit the result: it was changed after it was made; get it again"
        )
    schema = content.get("schema")
    if schema != SCHEMA:
        raise BadInput(
            f"schema: expected {SCHEMA}, got {str(schema)[:60]!r}; a newer Hikeshi may have made it"
        )
    try:
        result = DrillResult.model_validate_json(body)
    except ValidationError as wrong:
        said = [
            f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}"
            for one in wrong.errors(include_url=False)[:MAX_SAID]
        ]
        raise BadInput("; ".join(said)) from wrong
    return Signed(result=result, key=key_id(public), public=public.hex())


def _parts(file: bytes) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """What is signed and the signature, as they lie in the file."""
    try:
        whole = orjson.loads(file)
    except orjson.JSONDecodeError as wrong:
        raise BadInput(f"this is no drill's result: {wrong}; `hikeshi drill result` makes one") from wrong
    content, signature = (whole.get(name) if isinstance(whole, dict) else None for name in _KEYS)
    if not isinstance(content, dict) or not isinstance(signature, dict):
        raise BadInput(
            "this is no drill's result: expected `result` and `signature`; `hikeshi drill result` makes one"
        )
    return content, signature


def _canonical(content: Mapping[str, object]) -> bytes:
    try:
        return canonical_bytes(content)
    except RecursionError:
        raise BadInput("this is no drill's result: it is nested deeper than one can be") from None


_KEYS = ("result", "signature")


def _signer(signature: Mapping[str, object], key: str | None) -> bytes:
    """The public key that is named. Raises BadInput if it is not the one that is expected."""
    public = _bytes(signature, "public", 32)
    if key is not None and key_id(public) != key:
        raise BadInput(
            f"signature.public: the result is signed with key {key_id(public)}, expected {key}, "
            "the key of this drill; ask whoever held it which one it was"
        )
    return public


def _bytes(signature: Mapping[str, object], name: str, size: int) -> bytes:
    value = signature.get(name)
    try:
        raw = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        raw = b""
    if len(raw) != size:
        raise BadInput(f"signature.{name}: expected {size} bytes in hex")
    return raw


def _signed(public: bytes, body: bytes, value: bytes) -> bool:
    # Loaded only here: a pager that folds facts of an import needs no cryptography.
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(value, body)
    except InvalidSignature:
        return False
    return True
