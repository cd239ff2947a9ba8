"""The desk in memory against the one on a database: same commands, same instants, same facts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from models.casework import Setting
from models.clock import ExerciseClock, micros
from models.commands import (
    Acknowledge,
    Actor,
    AddEvidence,
    Close,
    Command,
    Decide,
    Declare,
    Delegate,
    Done,
    Impair,
    MarkDelivery,
    Merge,
    NodeFact,
    Note,
    Resolve,
    ScopeFact,
    ServiceFact,
    SetInstant,
    SetSeverity,
    StartStep,
)
from models.custody import DisposeTexts
from models.desk import HOUSE, Desk
from models.errors import NotFound
from models.fact import Fact
from models.outofband import ConfirmTrust, ProposeTrust
from models.premises import Outcome, Premises
from models.record import OUTBOX, Record
from models.restriction import Restrict
from models.state import Incident
from models.virtual import VirtualDesk
from playbooks.institution import Institution
from tests.conftest import THREE_AT_NIGHT

SUZUKI, SATO, KATO, RIN = (
    Actor(person=name, via="cli") for name in ("suzuki-daichi", "sato-kenji", "kato-hiroshi", "yamamoto-rin")
)
EVERYBODY = (SUZUKI, SATO, KATO, RIN)
WATCH = Actor.machine("outbox")
Either = Desk | VirtualDesk


def _premises(bank: Institution) -> Premises:
    return Premises(
        organisation=bank.organisation,
        policy=bank.policy,
        playbooks=bank.playbooks,
        channels=frozenset({"console", "file", "slack", "email"}),
    )


class Pair:
    """The same command to both desks; whatever differs fails."""

    def __init__(self, bank: Institution, record: Record) -> None:
        premises = _premises(bank)
        self.clock = ExerciseClock(THREE_AT_NIGHT)
        self.real = Desk(record, premises, self.clock)
        self.virtual = VirtualDesk(Setting(premises), THREE_AT_NIGHT)
        self.names: dict[str, str] = {}
        """The virtual names of texts, by their salted digests."""

    def says(self, stream: str | None, command: Command | Callable[[Either], Command]) -> Outcome:
        def of(desk: Either) -> Command:
            return command(desk) if callable(command) else command

        real, virtual = self.real.handle(stream, of(self.real)), self.virtual.handle(stream, of(self.virtual))
        assert (real.refused, real.opened, real.queued) == (virtual.refused, virtual.opened, virtual.queued)
        self._agree(real, virtual)
        return virtual

    def forward(self, by: timedelta) -> None:
        """Every instant that something is due at on the way, on both."""
        until = self.clock.now() + by
        for _ in range(400):
            at = self.virtual.next_due()
            if at is None or at > until:
                break
            self._set(max(at, self.clock.now()))
            due = self.virtual.due_streams(self.clock.now())
            with self.real.record.read() as tx:
                assert sorted(tx.due_streams(self.clock.now(), 100)) == sorted(due)
            for stream in due:
                self._agree(self.real.tick(stream), self.virtual.tick(stream))
        self._set(until)

    def deliver(self, chance: random.Random) -> None:
        """The messages that wait are sent or given up, told to both."""
        for row in self.virtual.waiting():
            key, sent = row["key"], chance.random() < 0.7
            row["state"] = "sent" if sent else "given_up"
            with self.real.record.begin() as tx:
                tx.connection.execute(sa.update(OUTBOX).where(OUTBOX.c.key == key).values(state=row["state"]))
            self.says(
                row["stream"],
                MarkDelivery(
                    actor=WATCH,
                    key=key,
                    outcome="sent" if sent else "given_up",
                    page=row["page"] if row["kind"] == "page" else 0,
                    level=int(row["level"]) if row["level"].isdigit() else 0,
                    channel=row["channel"],
                    person=row["person"],
                ),
            )

    def _set(self, at: datetime) -> None:
        self.clock.set(at)
        self.virtual.clock.set(at)

    def _agree(self, real: Outcome, virtual: Outcome) -> None:
        assert real.kinds() == virtual.kinds()
        for one, other in zip(real.facts, virtual.facts, strict=True):
            # Where both name a text, they name the same one.
            assert self._named(one, one.data, other.data) == other.data, one.kind
            assert replace_data(one) == replace_data(other)

    def _named(self, fact: Fact, real: Any, virtual: Any) -> Any:
        if isinstance(real, dict) and isinstance(virtual, dict) and real.keys() == virtual.keys():
            return {key: self._named(fact, real[key], virtual[key]) for key in real}
        if isinstance(real, str) and real.startswith("t:") and isinstance(virtual, str):
            known = self.names.setdefault(real, virtual)
            texts = self.real.texts(fact.stream), self.virtual.texts(fact.stream)
            assert texts[0][real] == texts[1][virtual]
            return known
        if isinstance(real, str):
            for digest, name in self.names.items():
                real = real.replace(digest, name)
        return real

    def ends_alike(self) -> None:
        """The same messages in the same state, and the same facts when all is folded anew."""
        columns = ("key", "state", "channel", "person", "page", "template", "further", "created_at")
        with self.real.record.read() as tx:
            query = sa.select(*(OUTBOX.c[name] for name in columns))
            rows = sorted(tuple(row) for row in tx.connection.execute(query))
        ours = sorted(tuple(row[name] for name in columns) for row in self.virtual.outbox.values())
        assert rows == ours
        with self.real.record.read() as tx:
            for stream, facts in self.virtual.facts.items():
                assert [one.kind for one in tx.facts(stream)] == [one.kind for one in facts]
                assert [one.seq for one in facts] == list(range(1, len(facts) + 1))


def replace_data(fact: Fact) -> tuple[Any, ...]:
    return (fact.stream, fact.seq, fact.at, fact.recorded_at, fact.actor, fact.for_, fact.via, fact.kind)


def _something(chance: random.Random, desk: VirtualDesk, stream: str) -> Command:
    """What somebody may do next, also what the rules refuse."""
    state = desk.incident(stream)
    who = chance.choice(EVERYBODY)
    ready = [key for key, known in state.steps.items() if known.status in {"ready", "started"}] or ["none"]
    step = chance.choice(ready)
    page = chance.choice([None, *state.pages])
    n = chance.randrange(1_000)
    ways: list[Callable[[], Command]] = [
        lambda: Acknowledge(actor=who, page=page),
        lambda: Acknowledge(actor=who, page=page),
        lambda: Done(actor=who, step=step, note="済み"),
        lambda: Done(actor=RIN, for_=who.person, step=step, note="電話で聞いた"),
        lambda: StartStep(actor=who, step=step),
        lambda: Decide(actor=who, step=step, choice=_choice(chance, desk, state, step), reason="一"),
        lambda: Note(actor=who, text=f"見た {n}"),
        lambda: ScopeFact(actor=who, what="add", kind="host", name=f"host-{n}", text="端末"),
        lambda: AddEvidence(actor=who, source=f"pc-{n}", description="像", digest="", size=1),
        lambda: ServiceFact(actor=who, service="internet-banking", what="impacted"),
        lambda: SetInstant(actor=who, name="recognised", instant=desk.clock.now(), source="記録"),
        lambda: SetSeverity(actor=who, severity=chance.choice(["major", "critical"]), reason="広い"),
        lambda: Delegate(
            actor=who, page=page or 0, to="sato-kenji", until=desk.clock.now() + timedelta(minutes=20)
        ),
        lambda: Resolve(actor=who, cause="弱い鍵", entry_route="VPN"),
        lambda: Close(actor=who, assessment="良い"),
    ]
    return chance.choice(ways)()


def _choice(chance: random.Random, desk: VirtualDesk, state: Incident, key: str) -> str:
    planned = desk.world(state).step(state, key)
    return chance.choice(planned.step.options).id if planned and planned.step.options else "isolate"


def _play(pair: Pair, seed: int, rounds: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test
    books = tuple(chance.sample(["ransomware", "unknown", "ddos", "phishing"], 2))
    known = tuple(name for name in books if name in pair.virtual.library)
    opened = pair.says(None, Declare(actor=SUZUKI, text="拡張子が変わった", playbooks=known)).stream
    for _ in range(rounds):
        pair.forward(timedelta(seconds=chance.choice([0, 40, 400, 4_000])))
        if chance.random() < 0.5:
            pair.deliver(chance)
        pair.says(opened, _something(chance, pair.virtual, opened))
    pair.ends_alike()


SEEDS = [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 12))]


@pytest.mark.parametrize("seed", SEEDS)
def test_both_desks_write_the_same_facts(bank: Institution, seed: int) -> None:
    record = Record.in_memory()
    _play(Pair(bank, record), seed, rounds=25)
    record.close()


@pytest.mark.parametrize("rounds", [10, pytest.param(40, marks=pytest.mark.slow)])
def test_they_do_on_a_database_in_a_file_as_well(bank: Institution, tmp_path: Path, rounds: int) -> None:
    record = Record.at(tmp_path / "hikeshi.db")
    record.migrate()
    _play(Pair(bank, record), seed=7, rounds=rounds)
    record.close()


@pytest.fixture
def pair(bank: Institution) -> Iterator[Pair]:
    record = Record.in_memory()
    yield Pair(bank, record)
    record.close()


def test_commands_that_follow_in_other_streams_are_kept_or_undone_together(pair: Pair) -> None:
    first = pair.says(None, Declare(actor=SUZUKI, text="一つ目")).stream
    second = pair.says(None, Declare(actor=SUZUKI, text="二つ目")).stream
    assert pair.says(first, Merge(actor=SATO, into=second, reason="同じ件")).accepted
    assert pair.says(first, Merge(actor=SATO, into=second, reason="もう一度")).refused is not None
    # The refusal undid nothing that had been kept.
    assert pair.virtual.incident(first).status == "merged"
    pair.ends_alike()


def test_channels_out_of_band_are_heard_by_both(pair: Pair) -> None:
    pair.says(None, Declare(actor=SUZUKI, text="端末"))
    asked = pair.says(
        HOUSE, ProposeTrust(actor=SATO, way="out-of-band", channels=("slack",), reason="乗っ取り")
    )
    assert pair.says(HOUSE, ConfirmTrust(actor=KATO, proposal=asked.facts[0].seq)).accepted
    pair.forward(timedelta(hours=1))
    assert pair.says("house", Impair(actor=WATCH, what="disk", detail="満杯")).accepted
    assert pair.says(HOUSE, NodeFact(actor=WATCH, what="started", node="n1")).accepted
    pair.ends_alike()


def test_a_restricted_incident_and_a_text_disposed_of(pair: Pair) -> None:
    stream = pair.says(None, Declare(actor=SATO, text="内部不正", restricted=True)).stream
    assert pair.says(stream, Restrict(actor=SATO, bar=("suzuki-daichi",), reason="本人")).accepted
    noted = pair.says(stream, Note(actor=SATO, text="個人の名"))
    assert list(pair.virtual.world(pair.virtual.state(stream)).restricted()) == [stream]

    def disposing(desk: Either) -> Command:
        facts = desk.facts[stream] if isinstance(desk, VirtualDesk) else _facts(desk, stream)
        digest = next(one for one in facts if one.seq == noted.facts[0].seq).data["text"]
        return DisposeTexts(actor=SATO, digests=(digest,), reason="不要")

    pair.says(stream, disposing)
    pair.ends_alike()


def _facts(desk: Desk, stream: str) -> list[Fact]:
    with desk.record.read() as tx:
        return tx.facts(stream)


def test_a_record_that_was_there_before_goes_on(bank: Institution, pair: Pair) -> None:
    stream = pair.says(None, Declare(actor=SUZUKI, text="端末", playbooks=("ransomware",))).stream
    again = VirtualDesk(Setting(_premises(bank)), THREE_AT_NIGHT, numbers={"incident-2026": 1})
    again.given(stream, pair.virtual.facts[stream], pair.virtual.texts(stream))
    assert again.next_due(stream) == pair.virtual.next_due(stream)
    assert again.incident(stream) == pair.virtual.incident(stream)
    assert again.handle(None, Declare(actor=SUZUKI, text="次")).stream == "INC-2026-0002"
    again.forget()
    assert again.incident(stream) == pair.virtual.incident(stream)
    with pytest.raises(NotFound, match="there is no incident"):
        again.incident("INC-2026-0009")


def test_a_policy_of_another_day_has_to_be_given(bank: Institution, pair: Pair) -> None:
    stream = pair.says(None, Declare(actor=SUZUKI, text="端末")).stream
    premises = _premises(bank)
    short = bank.policy.model_copy(update={"routes": bank.policy.routes[:-1]})
    today = Setting(replace(premises, policy=short))
    frozen = Setting(premises).policy
    without = VirtualDesk(today, THREE_AT_NIGHT)
    without.given(stream, pair.virtual.facts[stream], pair.virtual.texts(stream))
    with pytest.raises(NotFound, match="was not given to this desk"):
        without.tick(stream)
    having = VirtualDesk(today, THREE_AT_NIGHT, documents={frozen.digest: frozen.body})
    having.given(stream, pair.virtual.facts[stream], pair.virtual.texts(stream))
    having.clock.set(THREE_AT_NIGHT + timedelta(hours=1))
    assert having.due_streams(having.clock.now()) == [stream]
    assert having.tick(stream).facts
    assert micros(having.clock.now()) == micros(THREE_AT_NIGHT) + 3_600_000_000
