"""The record: exact bytes, the chain over them, texts beside, and what is derived."""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.canonical import GENESIS, SAFE_INTEGER, canonical_bytes, chain_hash, new_salt, text_digest
from models.clock import ExerciseClock, SystemClock, iso, monotonic, parse_instant, utc
from models.commands import AddImprovement, Declare, Done, Note, SetSeverity
from models.errors import BadInput, HikeshiError, NaiveInstant, NotFound, RecordConflict
from models.fact import Fact, read_fact
from models.fold import RULES_VERSION, empty, fold
from models.frozen import Document, freeze_playbook, thaw_plan
from models.node import beat, last_beat, register
from models.record import FACT, STREAM, TEXT, Derived, Record, micros
from models.state import Incident
from playbooks.institution import Institution
from tests.models.small import AMY, BEN, DAN, NIGHT, by, open_desk, scene


def fact(seq: int = 1, **fields: Any) -> Fact:
    shape: dict[str, Any] = {
        "stream": "INC-2026-0001",
        "seq": seq,
        "at": NIGHT,
        "recorded_at": NIGHT,
        "actor": AMY,
    }
    return Fact(**(shape | {"kind": "note.added", "data": {"text": "t:1"}} | fields))


@pytest.fixture
def record() -> Any:
    made = Record.in_memory()
    yield made
    made.close()


# -- bytes --------------------------------------------------------------------------------------------------


def test_a_fact_is_stored_as_the_bytes_that_its_hash_covers() -> None:
    body = fact(for_="cho", via="cli").body()
    assert body == (
        b'{"actor":"amy","at":"2026-11-22T18:00:00.000000Z","data":{"text":"t:1"},"for":"cho",'
        b'"kind":"note.added","recorded_at":"2026-11-22T18:00:00.000000Z","seq":1,'
        b'"stream":"INC-2026-0001","v":1,"via":"cli"}'
    )
    assert read_fact(body) == fact(for_="cho", via="cli")


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-SAFE_INTEGER, SAFE_INTEGER) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.dictionaries(st.text(max_size=8), PLAIN, max_size=4), shift=st.integers(-720, 720))
@settings(max_examples=100, derandomize=True, deadline=None, database=None)
def test_what_is_written_is_read_back_and_writes_the_same_bytes(data: dict[str, Any], shift: int) -> None:
    zone = timezone(timedelta(minutes=shift))
    one = fact(data=data, at=NIGHT.astimezone(zone))
    body = one.body()
    again = read_fact(body)
    assert again.body() == body
    assert (again.data, again.at) == (data, NIGHT)
    assert orjson.loads(body)["data"] == data


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"a": 1.0}, "a: a float"),
        ({"a": {"b": [0, 2.5]}}, r"a.b\[1\]: a float"),
        ({"a": 2**53}, "a: 9007199254740992 is beyond"),
        ({"a": -(2**53)}, "beyond"),
    ],
    ids=["a float", "a float deep inside", "a number that readers round", "a negative one"],
)
def test_what_has_no_exact_form_is_refused(value: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        canonical_bytes(value)


def test_truth_values_are_no_numbers() -> None:
    assert canonical_bytes({"a": True, "b": SAFE_INTEGER}) == b'{"a":true,"b":9007199254740991}'


# -- time ---------------------------------------------------------------------------------------------------


def test_an_instant_without_a_zone_is_refused_with_advice() -> None:
    for call in (utc, iso):
        with pytest.raises(NaiveInstant, match=r"\+09:00"):
            call(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
    with pytest.raises(NaiveInstant):
        parse_instant("2026-01-01T00:00:00")
    assert parse_instant("2026-11-23T03:00:00+09:00") == NIGHT


def test_clocks() -> None:
    clock = ExerciseClock(NIGHT)
    assert clock.advance(timedelta(minutes=-1)) == clock.now() == NIGHT - timedelta(minutes=1)
    clock.set(NIGHT)
    assert clock.now() == NIGHT
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert monotonic() <= monotonic()
    assert micros(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC)) == 1_000_005


# -- the chain ----------------------------------------------------------------------------------------------


def test_the_chain_is_verified_from_the_stored_bytes_with_nothing_but_the_standard_library(
    tmp_path: Path,
) -> None:
    record = Record.at(tmp_path / "deep" / "hikeshi.db")
    record.migrate()
    desk = open_desk(record=record)
    stream = desk.handle(None, Declare(actor=by(AMY), text="odd")).stream
    for number in range(20):
        desk.handle(stream, Note(actor=by(AMY), text=f"note {number}"))
    record.close()
    database = sqlite3.connect(tmp_path / "deep" / "hikeshi.db")
    before, head = bytes(32), database.execute("select seq, hash from stream where id=?", [stream]).fetchone()
    rows = database.execute(
        "select seq, body, hash from fact where stream=? order by seq", [stream]
    ).fetchall()
    for number, (seq, body, stored) in enumerate(rows, start=1):
        before = hashlib.sha256(before + body).digest()
        assert (seq, stored) == (number, before)
    assert head == (len(rows), before)
    salted = database.execute("select salt, body, digest from text where stream=?", [stream]).fetchall()
    assert len(salted) == 21
    for salt, text, digest in salted:
        assert digest == "t:" + hashlib.sha256(salt + text.encode()).hexdigest()
    database.close()


def test_the_same_text_twice_has_two_digests() -> None:
    assert text_digest(new_salt(), "x") != text_digest(new_salt(), "x")


def test_a_changed_byte_breaks_the_chain(record: Record) -> None:
    desk = open_desk(record=record)
    stream = desk.handle(None, Declare(actor=by(AMY), text="odd")).stream
    with record.begin() as tx:
        body = tx.connection.execute(FACT.select().where(FACT.c.seq == 2)).mappings().one()["body"]
        changed = body.replace(b"unknown", b"unknowm", 1)
        tx.connection.execute(FACT.update().where(FACT.c.seq == 2).values(body=changed))
    before = GENESIS
    with record.read() as tx:
        rows = list(tx.connection.execute(FACT.select().where(FACT.c.stream == stream).order_by(FACT.c.seq)))
    broken = [row.seq for row in rows if (before := chain_hash(before, row.body)) != row.hash]
    assert broken[0] == 2


def test_free_text_is_in_no_fact(record: Record) -> None:
    desk = open_desk(record=record)
    private = "田中さんの私用電話"
    stream = desk.handle(None, Declare(actor=by(AMY), text=private)).stream
    desk.handle(stream, Note(actor=by(AMY), text=private))
    with record.read() as tx:
        bodies = [row.body for row in tx.connection.execute(FACT.select())]
        assert len(tx.texts(stream)) == 2
    assert not [body for body in bodies if private.encode() in body]


# -- conflicts ----------------------------------------------------------------------------------------------


def append(record: Record, *facts: Fact) -> None:
    derived = Derived(
        status="open", severity="", drill=False, next_due_at=None, wanted=0, snapshot=None, rules=1
    )
    with record.begin() as tx:
        head = tx.append(facts, {})
        tx.derive(facts[0].stream, facts[-1].seq, head, NIGHT, derived)


def test_who_comes_second_is_told_so(record: Record) -> None:
    append(record, fact(1), fact(2))
    for wrong in (fact(1), fact(4)):
        with pytest.raises(RecordConflict, match="expected #3"):
            append(record, wrong)
    with record.read() as tx:
        assert [one.seq for one in tx.facts("INC-2026-0001")] == [1, 2]


def test_a_record_in_memory_lives_through_a_clash(record: Record) -> None:
    row = {"stream": "x", "seq": 1, "kind": "k", "body": b"{}", "hash": b"h"}
    with record.begin() as tx:
        tx.connection.execute(FACT.insert(), row)
    with pytest.raises(RecordConflict), record.begin() as tx:
        tx.connection.execute(FACT.insert(), row)
    with record.read() as tx:
        assert tx.connection.execute(FACT.select()).all()


def test_the_database_itself_keeps_stream_and_seq_unique(tmp_path: Path) -> None:
    record = Record.at(tmp_path / "hikeshi.db")
    record.migrate()
    row = {"stream": "x", "seq": 1, "kind": "k", "body": b"{}", "hash": b"h"}
    with record.begin() as tx:
        tx.connection.execute(FACT.insert(), row)
    with pytest.raises(RecordConflict, match="first"), record.begin() as tx:
        tx.connection.execute(FACT.insert(), row)
    with record.read() as tx:
        assert len(tx.connection.execute(FACT.select()).all()) == 1
    record.close()


def test_two_writers_on_one_file_lose_nothing(tmp_path: Path) -> None:
    clock = ExerciseClock(NIGHT)
    records = [Record.at(tmp_path / "hikeshi.db") for _ in range(2)]
    for record in records:
        record.migrate()
    desks = [open_desk(record=record, clock=clock) for record in records]
    stream = desks[0].handle(None, Declare(actor=by(AMY), text="odd")).stream
    before = records[0].data_version()
    for number in range(10):
        assert desks[number % 2].handle(stream, Note(actor=by(AMY), text=str(number))).accepted
    assert records[0].data_version() != before
    notes = [one for one in desks[0].state(stream).pages]
    assert notes == [one for one in desks[1].state(stream).pages]
    assert desks[0].state(stream) == desks[1].state(stream)
    assert desks[1].handle(None, Declare(actor=by(AMY), text="odd")).stream == "INC-2026-0002"
    for record in records:
        record.close()


def test_a_state_that_holds_what_was_not_stored_is_thrown_away() -> None:
    made = scene()
    with pytest.raises(ZeroDivisionError), made.desk.record.begin() as tx:
        made.desk.handle_in(tx, made.stream, Note(actor=by(AMY), text="lost"))
        raise ZeroDivisionError
    assert made.desk.handle(made.stream, Note(actor=by(AMY), text="kept")).accepted
    assert len(made.facts("note.added")) == 1
    seqs = [one.seq for one in made.desk.record.read().__enter__().facts(made.stream)]
    assert seqs == list(range(1, len(seqs) + 1))


def test_a_conflict_that_does_not_end_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    made = scene()

    def always(*_: Any) -> Any:
        raise RecordConflict("somebody else, again")

    monkeypatch.setattr(made.desk, "_once", always)
    with pytest.raises(RecordConflict, match="again"):
        made.desk.handle(made.stream, Note(actor=by(AMY), text="x"))


def test_a_transaction_within_a_transaction_is_a_mistake_and_is_said_so(record: Record) -> None:
    with pytest.raises(HikeshiError), record.begin() as tx:
        tx.number("outer")
        with record.read():
            pass
    with pytest.raises(HikeshiError), record.begin() as tx, record.begin():
        pass


# -- what is derived ----------------------------------------------------------------------------------------

ACTS = st.sampled_from(("note", "severity", "improve", "done", "time", "other"))


@given(acts=st.lists(ACTS, min_size=1, max_size=90))
@settings(
    max_examples=15,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_a_snapshot_and_what_came_after_are_the_whole_fold(acts: list[str]) -> None:
    made = scene()
    for number, act in enumerate(acts):
        if act == "time":
            made.wait(7)
        elif act == "severity":
            made.desk.handle(
                made.stream, SetSeverity(actor=by(AMY), severity="high" if number % 2 else "low")
            )
        elif act == "done":
            made.desk.handle(made.stream, Done(actor=by(AMY), step="look"))
        elif act == "improve":
            due = made.clock.now() + timedelta(days=9)
            made.desk.handle(made.stream, AddImprovement(actor=by(AMY), title="x", owner=DAN, due=due))
        else:
            made.desk.handle(made.stream, Note(actor=by(AMY if act == "note" else BEN), text=act * 3))
    with made.desk.record.read() as tx:
        body, seq, head = tx.snapshot(made.stream, RULES_VERSION)
        whole = fold(empty(made.stream), tx.facts(made.stream))
        if body is not None:
            half = fold(msgspec.json.decode(body, type=Incident), tx.facts(made.stream, seq))
            assert half == whole
        assert head == whole.seq
        assert tx.snapshot(made.stream, RULES_VERSION + 1)[0] is None
    assert made.incident == whole
    assert open_desk(record=made.desk.record, clock=made.clock).state(made.stream) == whole


def test_a_long_record_is_opened_from_its_snapshot() -> None:
    made = scene()
    for number in range(120):
        made.desk.handle(made.stream, Note(actor=by(AMY), text=str(number)))
    with made.desk.record.read() as tx:
        body, seq, head = tx.snapshot(made.stream, RULES_VERSION)
    assert body is not None
    assert 0 <= head - seq < 50
    assert b"note" not in body
    fresh = open_desk(record=made.desk.record, clock=made.clock)
    assert fresh.state(made.stream) == made.incident


def test_what_is_due_is_found_by_its_time_leaving_out_the_sick(record: Record) -> None:
    def kept(name: str, minutes: int | None, retry: int | None = None) -> None:
        due = NIGHT + timedelta(minutes=minutes) if minutes is not None else None
        derived = Derived(
            status="open", severity="", drill=False, next_due_at=due, wanted=0, snapshot=None, rules=1
        )
        with record.begin() as tx:
            tx.derive(name, 1, b"h", NIGHT, derived)
            if retry is not None:
                stamp = micros(NIGHT + timedelta(minutes=retry))
                tx.connection.execute(STREAM.update().where(STREAM.c.id == name).values(retry_at=stamp))

    with record.read() as tx:
        assert tx.earliest_due() is None
        assert tx.snapshot("x", 1) == (None, 0, 0)
    for name, minutes, retry in (("a", 3, None), ("b", 1, None), ("c", None, None), ("d", 0, 9)):
        kept(name, minutes, retry)
    with record.read() as tx:
        assert tx.due_streams(NIGHT + timedelta(minutes=3), 10) == ["b", "a"]
        assert tx.due_streams(NIGHT + timedelta(minutes=3), 1) == ["b"]
        assert tx.due_streams(NIGHT + timedelta(minutes=9), 10) == ["d", "b", "a"]
        assert tx.earliest_due() == micros(NIGHT + timedelta(minutes=1))
    kept("b", 20)
    kept("a", 20)
    with record.read() as tx:
        assert tx.earliest_due() == micros(NIGHT + timedelta(minutes=9))


def test_numbers_are_given_out_once(record: Record) -> None:
    with record.begin() as tx:
        assert (tx.peek("n"), tx.number("n"), tx.number("n"), tx.peek("n")) == (0, 1, 2, 2)


def test_a_document_is_stored_once(record: Record) -> None:
    document = Document(digest="sha256:1", body=b"x")
    with record.begin() as tx:
        tx.keep(document)
        tx.keep(document)
        assert (tx.document("sha256:1"), tx.document("sha256:2")) == (b"x", None)


def test_a_frozen_document_that_is_gone_is_named() -> None:
    from models.record import DOCUMENT  # noqa: PLC0415

    made = scene()
    with made.desk.record.begin() as tx:
        tx.connection.execute(DOCUMENT.delete())
    from tests.models.small import playbook, step  # noqa: PLC0415

    changed = playbook("unknown", step("other"), version="2.0.0")
    fresh = open_desk(changed, record=made.desk.record, clock=made.clock)
    with pytest.raises(NotFound, match="restore a backup"):
        fresh.handle(made.stream, Note(actor=by(AMY), text="x"))


def test_every_shipped_playbook_thaws_as_it_was_frozen(bank: Institution) -> None:
    for name in bank.playbooks:
        frozen = freeze_playbook(name, bank.playbooks)
        assert thaw_plan(frozen.document.body) == frozen.plan
        assert freeze_playbook(name, bank.playbooks).document == frozen.document


def test_an_unknown_message_key_is_queued_once(record: Record) -> None:
    made = scene()
    row = made.outbox(kind="page")[0] | {"id": None, "template": "other"}
    with made.desk.record.begin() as tx:
        tx.enqueue([])
        tx.enqueue([{name: value for name, value in row.items() if name != "id"}])
    assert [one["template"] for one in made.outbox(key=row["key"])] == ["page.declared"]


def test_a_text_disposed_of_is_shown_as_gone() -> None:
    made = scene()
    title = made.incident.title
    with made.desk.record.begin() as tx:
        tx.connection.execute(TEXT.update().where(TEXT.c.digest == title).values(body=None))
    made.desk.forget()
    assert made.desk.texts(made.stream) == {title: None}


def test_the_life_of_a_node(record: Record) -> None:
    with record.begin() as tx:
        assert last_beat(tx, "pager") is None
        assert (register(tx, "pager", NIGHT), register(tx, "pager", NIGHT, "pid 7")) == (1, 2)
        beat(tx, "pager", NIGHT + timedelta(seconds=9))
        assert last_beat(tx, "pager") == NIGHT + timedelta(seconds=9)


def test_a_cache_that_is_full_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    made = scene()
    monkeypatch.setattr("models.desk.CACHED_STREAMS", 1)
    monkeypatch.setattr("models.desk.CACHED_TEXTS", 1)
    other = made.desk.handle(None, Declare(actor=by(AMY), text="other")).stream
    assert made.desk.texts(made.stream) != made.desk.texts(other)
    assert made.incident.title in made.desk.texts(made.stream)
    assert made.desk.incident(other).title in made.desk.texts(other)
