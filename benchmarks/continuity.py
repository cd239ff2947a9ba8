"""The second path's cost for whoever writes; how long a restore and an archive of 100,000 facts take."""

from __future__ import annotations

import queue
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import orjson

from benchmarks.bank import LEAD, Bank, accepted, declare, found
from benchmarks.figure import Figure, quantile
from benchmarks.ground import Ground, settle
from benchmarks.work import TEXT as WORDS
from benchmarks.work import notes
from console.opening import open_house
from console.restore.restoring import restore
from models.canonical import chain_hash, new_salt, text_digest
from models.desk import Desk
from models.record import FACT, STREAM, TEXT, Record
from notifiers.relay.carrier import Carrier
from notifiers.relay.folder import FolderSink
from notifiers.relay.sink import Batch
from notifiers.relay.source import mark

ROUNDS = 7
PER_ROUND = 300
INCIDENTS = 20
FACTS = 100_000
PAUSE_SECONDS = 0.05
"""More often than a node sends (once a second): the figure is the worse for it."""
_CHILD = """
import sys
from pathlib import Path
from console.archive import Wanted, incidents_of, write
from console.opening import open_house
house = open_house(Path(sys.argv[1]))
house.desk.state("house")
def peak():
    # Of this program alone: ru_maxrss remembers the process that started it.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = peak()
done = write(house, Wanted(incidents=incidents_of(house), everything=True), Path(sys.argv[2]))
print(done.facts, peak() - before)
"""


class _Relay:
    """A carrier in a thread of its own, whose cursors the writer marks, as in a node."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        folder.mkdir()
        self._desk = desk
        self._folder = folder
        self._batches: queue.Queue[Batch] = queue.Queue()
        self._marked = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        carrier = Carrier("vault", FolderSink(self._folder), self._desk.record.another(), self._desk.clock)
        while not self._stop.is_set():
            batch = carrier.carry() if carrier.something_new() else Batch()
            if batch.lines:
                self._marked.clear()
                self._batches.put(batch)
                while not self._marked.wait(0.2) and not self._stop.is_set():
                    pass
            carrier.marked(batch)
            if not batch.more:
                self._stop.wait(PAUSE_SECONDS)
        carrier.close()

    def mark(self) -> None:
        """What the writer does between two commands."""
        try:
            batch = self._batches.get_nowait()
        except queue.Empty:
            return
        with self._desk.record.begin() as tx:
            mark(tx, "vault", batch.cursors, self._desk.clock.now())
        self._marked.set()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


def continuity(ground: Ground) -> Iterator[Figure]:
    """Commands with and without the second path in turn; then a restore and an archive of 100,000 facts."""
    yield from _commands(ground)
    yield from _record(ground)


def _commands(ground: Ground) -> Iterator[Figure]:
    desk = found(ground.place("relay")).desk()
    streams = [declare(desk) for _ in range(INCIDENTS)]
    without, beside = [], []
    for number in range(ROUNDS):
        settle()
        without.append(_rate(desk, streams, None))
        relay = _Relay(desk, ground.place(f"vault-{number}"))
        beside.append(_rate(desk, streams, relay))
        relay.close()
    desk.record.close()
    detail = {"without": [round(one) for one in without], "with": [round(one) for one in beside]}
    n = ROUNDS * PER_ROUND
    yield Figure(name="commands, with a second path to a folder", value=quantile(beside, 0.5), unit="/s", n=n,
                 target=500, at_least=True, detail=detail)  # fmt: skip
    share = quantile([100 * one / other for one, other in zip(beside, without, strict=True)], 0.5)
    yield Figure(name="commands, with a second path: of those without, same run", value=share, unit="%", n=n)


def _rate(desk: Desk, streams: list[str], relay: _Relay | None) -> float:
    start = perf_counter()
    for number, command in enumerate(notes(PER_ROUND)):
        accepted(desk.handle(streams[number // 10 % len(streams)], command))
        if relay is not None:
            relay.mark()
    return PER_ROUND / (perf_counter() - start)


def _record(ground: Ground) -> Iterator[Figure]:
    first, second = found(ground.place("first")), found(ground.place("second"))
    vault = ground.place("vault")
    vault.mkdir()
    desk = first.desk()
    for stream in [declare(desk) for _ in range(INCIDENTS)]:
        _lengthen(desk.record, stream, FACTS // INCIDENTS)
    desk.record.close()
    desk = first.desk()
    start, sent = perf_counter(), 0
    carrier = Carrier("vault", FolderSink(vault), desk.record.another(), desk.clock)
    while True:
        batch = carrier.carry()
        with desk.record.begin() as tx:
            mark(tx, "vault", batch.cursors, desk.clock.now())
        carrier.marked(batch)
        sent += sum(line.t == "fact" for line in batch.lines)
        if not batch.more:
            break
    carrier.close()
    desk.record.close()
    yield Figure(
        name="sending a backlog to a folder", value=sent / (perf_counter() - start), unit="/s", n=sent
    )
    yield _restore(second, vault)
    yield _archive(first, ground.place("export.zip"))


def _restore(second: Bank, vault: Path) -> Figure:
    house = open_house(second.directory)
    settle()
    start = perf_counter()
    done = restore(house, vault, LEAD, "benchmark")
    took = perf_counter() - start
    house.record.close()
    size = sum(one.stat().st_size for one in vault.iterdir())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    detail = {"megabytes": size >> 20, "texts": done.found.texts, "peak_of_this_process_MiB": peak}
    return Figure(name="restoring 100,000 facts, verified", value=took, unit="s", n=done.facts, detail=detail)


def _archive(first: Bank, path: Path) -> Figure:
    start = perf_counter()
    child = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", _CHILD, str(first.directory), str(path)], capture_output=True, check=True
    )
    took = perf_counter() - start
    facts, grown = map(int, child.stdout.split())
    return Figure(
        name="an archive of 100,000 facts: memory above the process before it",
        value=grown / 1024,
        unit="MiB",
        n=facts,
        target=64,
        detail={"seconds": round(took, 1), "megabytes": path.stat().st_size >> 20},
    )


def _lengthen(record: Record, stream: str, count: int) -> None:
    """Notes as the desk writes them, put behind what there is; heads follow, snapshots stay as they are."""
    facts, texts = [], []
    with record.begin() as tx:
        seq, head = tx.head(stream)
        for number in range(seq + 1, count + 1):
            salt = new_salt()
            digest = text_digest(salt, WORDS)
            body = _note(stream, number, digest)
            head = chain_hash(head, body)
            facts.append({"stream": stream, "seq": number, "kind": "note.added", "body": body, "hash": head})
            texts.append({"stream": stream, "digest": digest, "seq": number, "salt": salt, "body": WORDS})
        tx.connection.execute(FACT.insert(), facts)
        tx.connection.execute(TEXT.insert(), texts)
        tx.connection.execute(STREAM.update().where(STREAM.c.id == stream).values(seq=count, hash=head))


def _note(stream: str, seq: int, digest: str) -> bytes:
    at = "2026-11-22T18:00:00.000000Z"
    content = {"actor": "suzuki-daichi", "at": at, "data": {"text": digest}, "kind": "note.added",
               "recorded_at": at, "seq": seq, "stream": stream, "v": 1, "via": "cli"}  # fmt: skip
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
