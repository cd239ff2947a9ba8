"""The node looks after stored evidence by itself: only changes are facts, and damage pages."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from console import rounds
from console.opening import House, open_house
from console.rounds import Rounds
from flows.actions.store import Writer
from models.clock import ExerciseClock, monotonic
from models.commands import Actor, AddEvidence, Declare
from models.evidence import Evidence, Particulars
from models.fact import Fact
from tests.console.clihouse import START, bank_in

INC = "INC-2026-0001"
SATO = Actor(person="sato-kenji", name="sato")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = open_house(bank_in(tmp_path), ExerciseClock(START))
    assert made.desk.handle(None, Declare(actor=SATO, text="x", playbooks=("short",))).accepted
    yield made
    made.record.close()


def put(house: House, data: bytes, **fields: Any) -> None:
    with Writer(house.evidence) as writer:
        writer.write(data)
        writer.keep()
    command = AddEvidence(
        actor=SATO, source="memory", description="-", digest=writer.digest, size=len(data),
        **({"stored": writer.stored} | fields),
    )  # fmt: skip
    assert house.desk.handle(INC, command).accepted


def item(house: House, number: int = 1) -> Evidence:
    return house.desk.incident(INC).evidence[f"EV-{number:04d}"]


def facts(house: House, stream: str, kind: str) -> list[Fact]:
    with house.record.read() as tx:
        return [fact for fact in tx.facts(stream) if fact.kind == kind]


async def here(call: Callable[[], Any]) -> Any:
    return call()


async def once(house: House, stop: asyncio.Event | None = None) -> rounds.Tally:
    with ThreadPoolExecutor(1, initializer=rounds._gently) as thread:
        return await Rounds(house, here).round(thread, stop or asyncio.Event())


async def test_a_round_records_the_first_pass_then_only_changes(house: House) -> None:
    put(house, b"one")
    put(house, b"two")
    tally = await once(house)
    assert (tally.items, tally.size, tally.damaged) == (2, 6, 0)
    assert len(facts(house, INC, "evidence.verified")) == 1
    await once(house)
    assert len(facts(house, INC, "evidence.verified")) == 1
    assert len(facts(house, "house", "evidence.round")) == 2
    there = house.evidence / item(house).stored
    there.chmod(0o600)
    there.write_bytes(b"eno")
    (house.evidence / item(house, 2).stored).unlink()
    assert (await once(house)).damaged == 2
    known = [item(house, number).check for number in (1, 2)]
    assert [one.result for one in known if one is not None] == ["different", "missing"]
    pages = [one.subject for one in house.desk.incident(INC).open_pages() if one.event == "evidence-damaged"]
    assert pages == ["evidence:EV-0001", "evidence:EV-0002"]


async def test_what_is_only_referenced_is_looked_after_too(house: House, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"one")
    about = Particulars(referenced=True, words=(("storage", str(path)),))
    put(house, b"one", stored="", about=about)
    assert (await once(house)).damaged == 0
    path.unlink()
    assert (await once(house)).damaged == 1


async def test_an_object_that_is_no_file_or_cannot_be_read_is_damage(house: House) -> None:
    put(house, b"one")
    there = house.evidence / item(house).stored
    there.unlink()
    os.mkfifo(there)
    assert (await once(house)).damaged == 1


async def test_nothing_stored_is_no_line_in_the_house(house: House) -> None:
    assert (await once(house)).items == 0
    assert facts(house, "house", "evidence.round") == []


async def test_it_keeps_to_its_pace_and_stops_in_the_middle(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.evidence_check.SLICE_BYTES", 1 << 18)
    monkeypatch.setattr(rounds, "SLICE_BYTES", 1 << 18)
    put(house, b"x" * (1 << 20))
    slow = house.institution.settings.evidence.model_copy(update={"verify_bytes_per_second": 1 << 21})
    made = Rounds(house, here)
    made._settings = slow
    stop = asyncio.Event()
    begun = monotonic()
    with ThreadPoolExecutor(1) as thread:
        assert (await made.round(thread, stop)).items == 1
        assert monotonic() - begun >= 0.35, "a megabyte at two a second, the last slice without a pause"
        asyncio.get_running_loop().call_later(0.05, stop.set)
        assert (await made.round(thread, stop)).items == 0
    assert len(facts(house, "house", "evidence.round")) == 1, "a round that was broken off is not on record"


async def test_the_next_round_comes_when_the_settings_say(house: House) -> None:
    put(house, b"one")
    made = Rounds(house, here)
    assert made._seconds_left() == 0
    await once(house)
    clock = house.desk.clock
    assert isinstance(clock, ExerciseClock)
    assert made._seconds_left() == 86_400
    clock.advance(timedelta(hours=23))
    assert made._seconds_left() == 3_600
    clock.advance(timedelta(hours=2))
    assert made._seconds_left() <= 0


async def test_it_runs_until_it_is_stopped_in_a_thread_that_comes_last(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(house, b"one")
    nice: list[int] = []
    step = rounds._step

    def noting(going: Any) -> Any:
        nice.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return step(going)

    monkeypatch.setattr(rounds, "_step", noting)
    stop = asyncio.Event()
    running = asyncio.create_task(Rounds(house, here).run(stop))
    while not facts(house, "house", "evidence.round"):
        await asyncio.sleep(0.01)
    stop.set()
    await asyncio.wait_for(running, 5)
    assert nice and nice[0] > os.getpriority(os.PRIO_PROCESS, 0)


async def test_an_incident_that_takes_no_result_keeps_no_other_from_being_looked_after(house: House) -> None:
    put(house, b"one")
    assert house.desk.handle(None, Declare(actor=SATO, text="y", playbooks=("short",))).accepted
    data = b"two"
    with Writer(house.evidence) as writer:
        writer.write(data)
        writer.keep()
    later = AddEvidence(
        actor=SATO, source="memory", description="-", digest=writer.digest, size=3, stored=writer.stored
    )
    assert house.desk.handle("INC-2026-0002", later).accepted

    def sick() -> None:
        with house.record.begin() as tx:
            tx.connection.exec_driver_sql(
                "create trigger sick before insert on fact when new.stream = 'INC-2026-0001' "
                "begin select raise(abort, 'sick'); end"
            )

    sick()
    tally = await once(house)
    assert (tally.items, tally.unrecorded) == (2, 1)
    assert len(facts(house, "INC-2026-0002", "evidence.verified")) == 1
    [line] = facts(house, "house", "evidence.round")
    assert (line.data["items"], line.data["unrecorded"]) == (2, 1)
