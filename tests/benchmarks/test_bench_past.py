"""The past that is bulk-loaded is a real one: whole chains, and facts that fold."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from benchmarks.bank import found
from benchmarks.past import FACTS, load_past
from models.canonical import GENESIS, chain_hash
from models.fact import read_fact
from models.record import FACT, OUTBOX, STREAM

NOW = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)


def test_copies_are_closed_chained_and_fold(tmp_path: Path) -> None:
    bank = found(tmp_path / "bank")
    load_past(bank, NOW, 2, 3)
    desk = bank.desk()
    desk.from_facts = True
    with desk.record.read() as tx:
        rows = tx.connection.execute(sa.select(STREAM).where(STREAM.c.id.regexp_match("-[89][0-9]{7}$")))
        streams = rows.mappings().all()
        facts = {
            row["id"]: tx.connection.execute(
                sa.select(FACT.c.body, FACT.c.hash).where(FACT.c.stream == row["id"]).order_by(FACT.c.seq)
            ).all()
            for row in streams
        }
        waiting = sa.select(sa.func.count()).where(
            OUTBOX.c.state != "sent", OUTBOX.c.stream.in_([row["id"] for row in streams])
        )
        assert tx.connection.execute(waiting).scalar() == 0
    assert sorted(len(one) >= FACTS for one in facts.values()) == [False] * 3 + [True] * 2
    for row in streams:
        head = GENESIS
        for seq, (body, kept) in enumerate(facts[row["id"]], start=1):
            head = chain_hash(head, body)
            fact = read_fact(body)
            assert (fact.stream, fact.seq, head) == (row["id"], seq, kept)
            assert fact.body() == body
        assert (row["seq"], row["hash"], row["next_due_at"]) == (len(facts[row["id"]]), head, None)
        state = desk.incident(row["id"])
        assert (state.status, row["status"]) == ("dismissed", "dismissed")
    desk.record.close()
