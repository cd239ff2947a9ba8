"""Taking an alert in: stored, numbered, counted if its matter is known, declared if a rule says so.

One transaction holds the raw bytes, the alert's row, the facts of the intake and those of an incident that it
opens: an answer to the sender means that all of it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sqlalchemy import bindparam, desc, select, text, update

from console.opening import House
from console.storm import RATES, matter, title
from models.alerts import GRAVITY, ReadAlert, read_alerts
from models.canonical import document_digest
from models.commands import Actor, CountAlert, ReceiveAlert
from models.errors import HikeshiError, NotFound, RecordConflict, RecordError, Refused
from models.fact import Fact, read_fact
from models.frozen import Document
from models.installation import MAIL, Source
from models.premises import Outcome
from models.record import ALERT, FACT, STREAM, Tx, micros
from models.state import Intake

INTAKE = "intake"
VIA = "alert"
ACCEPTED = 202
TRIES = 5
MAX_MERGES = 10
REPEAT, STORM, ENDED = "repeat", "storm", "ended"
FIRST_REPEAT = 2
SETTLED = ("alert.declared", "alert.attached", "alert.dismissed", "alert.kept")
_MAIL: Literal["mail"] = "mail"
MAIL_TYPE, JSON_TYPE, BYTES_TYPE = "message/rfc822", "application/json", "application/octet-stream"
_LATEST = (
    select(ALERT)
    .where(
        ALERT.c.source == bindparam("of"),
        ALERT.c.key.in_(bindparam("matters", expanding=True)),
        ALERT.c.status.not_in((REPEAT, STORM, ENDED)),
    )
    .order_by(ALERT.c.first_at, ALERT.c.id)
)
_COUNTED = update(ALERT).where(ALERT.c.id == bindparam("of"))
_KEEP = text(
    "insert into document (digest, media, body) values (:digest, :media, :body) on conflict do nothing"
)
_NUMBERS = text("update counter set value = value + :many where name = 'alert'")
WEIGHED = {"kept": GRAVITY["keep"], "table": GRAVITY["propose"]}


@dataclass(frozen=True, kw_only=True)
class Received:
    """What became of an alert. `incident` is the one it opened or belongs to, None if none.

    `duplicate` says that its matter was known and this one was counted, under the first one's number; the
    bytes of a counted alert are kept only if nobody could read them, or if it came in a storm. `others` are
    the further alerts of the same post.
    """

    outcome: Outcome
    alert: str
    incident: str | None = None
    duplicate: bool = False
    status: int = ACCEPTED
    others: tuple[Received, ...] = ()

    def all(self) -> tuple[Received, ...]:
        """This one and the others of the post."""
        return (self, *self.others)


@dataclass(frozen=True, kw_only=True)
class Post:
    """What a source sent, as it came. `marks` are counters to set in the same transaction."""

    source: str
    body: bytes
    marks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Arrival:
    """An alert on its way in; `post` is the place of its post in the batch."""

    house: House
    source: Source
    alert: ReadAlert
    body: bytes
    post: int = 0

    @property
    def media(self) -> str:
        """What its bytes are."""
        if self.source.format == MAIL:
            return MAIL_TYPE
        return JSON_TYPE if self.alert.readable else BYTES_TYPE


def sources_of(house: House) -> tuple[Source, ...]:
    """Where alerts come from: as `intake.yaml` says, and the mailbox if there is one."""
    sources = house.institution.intake.sources
    if house.institution.settings.mailbox is None or any(one.format == MAIL for one in sources):
        return sources
    return (*sources, Source(id=MAIL, format=_MAIL))


def find_source(house: House, source_id: str) -> Source:
    """The source of this name. Raises NotFound with those there are."""
    sources = sources_of(house)
    found = next((one for one in sources if one.id == source_id), None)
    if found is None:
        known = ", ".join(one.id for one in sources) or "none"
        raise NotFound(f"no alert source {source_id!r} in intake.yaml; known: {known}")
    return found


def receive(house: House, source_id: str, body: bytes) -> Received:
    """Take in one post as its source sent it. Call it in the thread that writes.

    Raises NotFound for an unknown source, RecordError if the record cannot be written: nothing is stored then
    and the sender has to send again.
    """
    [received] = receive_many(house, [Post(source=source_id, body=body)])
    if isinstance(received, HikeshiError):
        raise received
    return received


def receive_many(house: House, posts: Sequence[Post]) -> list[Received | HikeshiError]:
    """Take in many posts, in one transaction if nothing is wrong with any of them.

    The answer for each is in its place: what became of it, or why nothing of it was stored. A post with which
    something is wrong delays the others, but never takes them with it.
    """
    try:
        arrivals = [one for place, post in enumerate(posts) for one in _arrivals(house, post, place)]
        marks = {name: value for post in posts for name, value in post.marks.items()}
        return list(_grouped(_stored(house, arrivals, marks), arrivals))
    except RecordError as failed:
        # The record is held or full, not the posts wrong: one by one they would hold the writer for minutes.
        return [failed] * len(posts)
    except (Refused, HikeshiError) as wrong:
        if len(posts) > 1:
            return [answer for post in posts for answer in receive_many(house, [post])]
        return [_alone(house, posts[0], wrong)]


def _alone(house: House, post: Post, wrong: HikeshiError) -> Received | HikeshiError:
    """A rule named something that is gone: the alert is not lost for that, a person looks at it."""
    if not isinstance(wrong, Refused):
        return wrong
    try:
        arrivals = [
            replace(one, alert=_undecided(one.alert, wrong)) if one.alert.do == "declare" else one
            for one in _arrivals(house, post, 0)
        ]
        return _grouped(_stored(house, arrivals, post.marks), arrivals)[0]
    except HikeshiError as failed:
        return failed


def _arrivals(house: House, post: Post, place: int) -> list[_Arrival]:
    source, desk = find_source(house, post.source), house.desk
    premises = desk.premises
    found = read_alerts(
        source,
        post.body,
        premises.organisation,
        premises.playbooks,
        desk.clock.now(),
        premises.policy.severity,
    )
    return [_Arrival(house=house, source=source, alert=one, body=post.body, post=place) for one in found]


def _undecided(alert: ReadAlert, no: Refused) -> ReadAlert:
    problem = f"not declared, {no.reason.value}: {dict(no.detail)}"[:300]
    return replace(alert, do="propose", playbook=None, severity=None, services=(), problem=problem)


def _grouped(received: Sequence[Received], arrivals: Sequence[_Arrival]) -> list[Received]:
    """One answer for each post; the first of its alerts speaks for it."""
    posts: dict[int, list[Received]] = {}
    for one, arrival in zip(received, arrivals, strict=True):
        posts.setdefault(arrival.post, []).append(one)
    return [replace(many[0], others=tuple(many[1:])) if many[1:] else many[0] for many in posts.values()]


def _stored(house: House, arrivals: Sequence[_Arrival], marks: Mapping[str, int]) -> list[Received]:
    """In one transaction, tried again if another process wrote first. Raises Refused, RecordError."""
    for attempt in range(TRIES):
        try:
            received = _once(house, arrivals, marks)
            break
        except RecordConflict:
            if attempt == TRIES - 1:
                raise
    for one in received:
        if one.outcome.facts:
            house.desk.settled(one.outcome)
    return received


def _once(house: House, arrivals: Sequence[_Arrival], marks: Mapping[str, int]) -> list[Received]:
    table = house.desk.state(INTAKE)
    assert isinstance(table, Intake)  # noqa: S101 - the stream's name says so
    with house.desk.writing() as tx:
        if tx.head(INTAKE)[0] != table.seq:
            raise RecordConflict(f"{INTAKE}: another process wrote first; load it again")
        batch = _Batch(house, tx, table)
        batch.look_up(arrivals)
        received = [batch.take(one) for one in arrivals]
        batch.flush()
        set_counters(tx, marks)
    batch.remember()
    return received


_MARK = text(
    "insert into counter (name, value) values (:name, :value) "
    "on conflict (name) do update set value = excluded.value"
)


def set_counters(tx: Tx, marks: Mapping[str, int]) -> None:
    """Counters of the caller's, set with the alerts or not at all."""
    for name, value in marks.items():
        tx.connection.execute(_MARK, {"name": name, "value": value})


class _Batch:
    """Alerts on their way into one transaction: what is known of their matters, what is still to write."""

    def __init__(self, house: House, tx: Tx, table: Intake) -> None:
        self._house, self._tx, self._table = house, tx, table
        self._now = house.desk.clock.now()
        self._known: dict[tuple[str, str], dict[str, Any] | None] = {}
        self._rates = RATES.of(house.desk)
        self._new: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self._members: list[dict[str, Any]] = []
        self._documents: list[dict[str, Any]] = []

    def look_up(self, arrivals: Sequence[_Arrival]) -> None:
        """The last alert of each matter, in one question for each source."""
        wanted: dict[str, set[str]] = {}
        for one in arrivals:
            wanted.setdefault(one.source.id, set()).update((one.alert.key, matter(one.alert)))
        for source, keys in wanted.items():
            self._known |= {(source, key): None for key in keys}
            rows = self._tx.connection.execute(_LATEST, {"of": source, "matters": sorted(keys)})
            for row in rows.mappings():
                self._known[source, row["key"]] = dict(row)

    def take(self, arrival: _Arrival) -> Received:
        """One alert: counted, or part of a storm, or new."""
        known = self._last(arrival.source.id, arrival.alert.key)
        alert = arrival.alert
        # What is over is never more of the same.
        if known is not None and not alert.ended and _is_counted(known, alert):
            return self._count(arrival, known)
        if not alert.readable:
            return self._open(arrival)
        pace = f"{arrival.source.id}/{'keep' if alert.do == 'keep' else 'look'}"
        self._new[pace] = self._new.get(pace, 0) + 1
        if self._rates.last_minute(pace, self._now) + self._new[pace] <= arrival.source.calm_up_to:
            return self._open(arrival)
        return self._join(arrival)

    def flush(self) -> None:
        """Write what was gathered: counts, and the members of storms with their bytes."""
        connection, stamp = self._tx.connection, micros(self._now)
        if self._counts:
            values = [{"of": name, "count": count, "last_at": stamp} for name, count in self._counts.items()]
            connection.execute(_COUNTED, values)
        if self._members:
            before = self._tx.peek("alert")
            connection.execute(_NUMBERS, {"many": len(self._members)})
            for number, row in enumerate(self._members, before + 1):
                row["id"] = f"AL-{number:06d}"
            connection.execute(_KEEP, self._documents)
            connection.execute(ALERT.insert(), self._members)

    def remember(self) -> None:
        """It is stored; what came counts for the storms of the next minute."""
        for pace, many in self._new.items():
            self._rates.add(pace, self._now, many)

    def _last(self, source: str, key: str) -> dict[str, Any] | None:
        """The last alert of this matter, with what has become of it since; None if there is none."""
        found = self._known.get((source, key))
        if found is None:
            return None
        row = _as_it_is(self._tx, self._table, found)
        self._known[source, key] = row
        return row

    # -- the matter is new ----------------------------------------------------------------------------------

    def _open(self, arrival: _Arrival) -> Received:
        received, row = _open(arrival, self._tx)
        self._known[arrival.source.id, arrival.alert.key] = row
        return received

    # -- it is one of many ----------------------------------------------------------------------------------

    def _join(self, arrival: _Arrival) -> Received:
        """Its storm is opened, or counts it; its bytes are kept in either case."""
        key = matter(arrival.alert)
        known = self._last(arrival.source.id, key)
        lang = self._house.institution.organisation.lang
        storm = replace(arrival.alert, key=key, title=title(arrival.source.id, arrival.alert.title, lang))
        if known is None or not _is_counted(known, storm):
            return self._open(replace(arrival, alert=storm))
        kept = Document(digest=document_digest(arrival.body), body=arrival.body)
        self._documents.append({"digest": kept.digest, "media": arrival.media, "body": kept.body})
        stamp = micros(self._now)
        self._members.append(
            {
                "source": arrival.source.id,
                "key": arrival.alert.key,
                "status": STORM,
                "incident": known["incident"],
                "count": 1,
                "first_at": stamp,
                "last_at": stamp,
                "document": kept.digest,
            }
        )
        return self._count(replace(arrival, alert=storm), known)

    # -- the matter is known --------------------------------------------------------------------------------

    def _count(self, arrival: _Arrival, known: dict[str, Any]) -> Received:
        """Facts only at 2, 10, 100, … (of a storm at 10, 100, …): a storm must not fill the record."""
        known["count"] += 1
        count = self._counts[known["id"]] = known["count"]
        if not arrival.alert.readable:
            # Unreadable alerts are counted under what is wrong with them, yet each may be another matter.
            self._tx.connection.execute(ALERT.insert(), _row(arrival, self._tx) | {"status": REPEAT})
        outcome = Outcome(stream=INTAKE)
        again = count == FIRST_REPEAT and not known["key"].startswith(f"{STORM}/")
        if again or count == 10 ** (len(str(count)) - 1):
            command = CountAlert(actor=Actor.machine(VIA), id=known["id"], count=count)
            outcome = self._house.desk.handle_in(self._tx, INTAKE, command)
        return Received(outcome=outcome, alert=known["id"], incident=known["incident"], duplicate=True)


# -- the matter is new --------------------------------------------------------------------------------------


def _open(arrival: _Arrival, tx: Tx) -> tuple[Received, dict[str, Any]]:
    alert, row = arrival.alert, _row(arrival, tx)
    seen = alert.occurred
    command = ReceiveAlert(
        actor=Actor.machine(VIA),
        # The sensor saw it then; a clock a little ahead of ours must not put a fact into the future.
        at=seen if seen is not None and seen <= arrival.house.desk.clock.now() else None,
        id=row["id"],
        source=row["source"],
        key=alert.key,
        title=alert.title,
        level=alert.level,
        document=row["document"],
        readable=alert.readable,
        problem=alert.problem,
        do=alert.do,
        playbook=alert.playbook,
        severity=alert.severity,
        services=alert.services,
        occurred=alert.occurred,
    )
    outcome = arrival.house.desk.handle_in(tx, INTAKE, command)
    for fact in outcome.facts:
        if fact.stream == INTAKE and fact.kind in SETTLED:
            row |= _settled_by(fact)
    if alert.ended:
        # Not the last word on its matter: if it begins again, what lies there or is open still counts.
        row["status"] = ENDED
    tx.connection.execute(ALERT.insert(), row)
    if row["status"] == "incident":
        row["open"] = True
    return Received(outcome=outcome, alert=row["id"], incident=row["incident"]), row


def _row(arrival: _Arrival, tx: Tx) -> dict[str, Any]:
    """A row for the alert, its bytes stored as they came: they are evidence, readable or not."""
    kept = arrival.body if arrival.source.format == MAIL else arrival.body[: arrival.source.max_bytes]
    document = Document(digest=document_digest(kept), body=kept)
    tx.keep(document, arrival.media)
    now = micros(arrival.house.desk.clock.now())
    return {
        "id": f"AL-{tx.number('alert'):06d}",
        "source": arrival.source.id,
        "key": arrival.alert.key,
        "status": "table",
        "incident": None,
        "count": 1,
        "first_at": now,
        "last_at": now,
        "document": document.digest,
    }


def _settled_by(fact: Fact) -> dict[str, Any]:
    """What a row says after the fact that settled its alert."""
    if fact.kind in {"alert.declared", "alert.attached"}:
        return {"status": "incident", "incident": fact.data["incident"]}
    return {"status": fact.kind.removeprefix("alert."), "incident": None}


# -- the matter is known ------------------------------------------------------------------------------------


def _is_counted(known: Mapping[str, Any], alert: ReadAlert) -> bool:
    """Whether it is more of the same: its incident is open, or it lies there and has not become graver.

    A matter that was proposed, or only kept, and that a rule now would declare, is a new alert: counting it
    would hide that it grew.
    """
    if known["status"] == "incident":
        return bool(known["open"])
    return GRAVITY[alert.do] <= WEIGHED.get(known["status"], -1)


def _as_it_is(tx: Tx, table: Intake, found: dict[str, Any]) -> dict[str, Any]:
    """An alert's row with what has become of it since; the stored row follows."""
    row = dict(found)
    if row["status"] == "table" and row["id"] not in table.alerts:
        # A person has dealt with it through another door.
        row |= _settlement(tx, row["id"])
    if row["status"] == "incident" and "open" not in row:
        row |= _incident_of(tx, row["incident"])
    kept = {name: row[name] for name in ("status", "incident") if row[name] != found[name]}
    if kept:
        tx.connection.execute(update(ALERT).where(ALERT.c.id == row["id"]).values(kept))
    return row


def _settlement(tx: Tx, number: str) -> dict[str, Any]:
    """What the record says became of an alert that is no longer on the table."""
    bodies = tx.connection.execute(
        select(FACT.c.body)
        .where(FACT.c.stream == INTAKE, FACT.c.kind.in_(SETTLED))
        .order_by(desc(FACT.c.seq))
        .execution_options(yield_per=500)
    )
    for (body,) in bodies:
        fact = read_fact(body)
        if fact.data["id"] == number:
            bodies.close()
            return _settled_by(fact)
    return {"status": "gone", "incident": None}


def _incident_of(tx: Tx, incident: str) -> dict[str, Any]:
    """The incident that an alert belongs to now, through merges, and whether it is open.

    One that is resolved is not: the same alert during its watch period has to be looked at anew.
    """
    for _ in range(MAX_MERGES):
        status = tx.connection.execute(select(STREAM.c.status).where(STREAM.c.id == incident)).scalar()
        if status != "merged":
            return {"incident": incident, "open": status == "open"}
        merged = select(FACT.c.body).where(FACT.c.stream == incident, FACT.c.kind == "incident.merged")
        body = tx.connection.execute(merged.order_by(desc(FACT.c.seq)).limit(1)).scalar_one()
        incident = str(read_fact(body).data["into"])
    return {"incident": incident, "open": False}
