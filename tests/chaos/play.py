"""One scenario: a town, its people, and a trouble that comes over both; then calm, and the checker."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import func, select

from console.opening import load_or_last_good
from models.errors import RecordError
from models.record import OUTBOX, Record
from tests.chaos import bank
from tests.chaos.checker import Fault, check
from tests.chaos.people import People
from tests.chaos.receiver import Receiver, receiving
from tests.chaos.seen import Received, Seen, read
from tests.chaos.town import Town

ROUND_SECONDS = 0.1
CALM_SECONDS = 150.0
"""How long everything may take after the trouble is over. Ten times what it takes on a quiet machine."""
LONGEST_PAUSE = 4.0
"""Most seconds from one declaration to the next: they are spread over the trouble."""
LOST = ("never had it", "stays so", "nothing was queued", "was withdrawn", "waits for nobody")


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked for. The same again is the same run, but for the machine's own timing."""

    folder: Path
    seed: int
    incidents: int = 50
    seconds: float = 120.0
    """How long the trouble lasts at most."""
    prefect: bool = False


@dataclass(kw_only=True)
class Row:
    """What a scenario came to: a line of the table."""

    scenario: str
    seed: int
    incidents: int = 0
    kills: int = 0
    messages: int = 0
    lost: int = 0
    doubled: int = 0
    repeated: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)
    note: str = ""
    """Why it was left out, or what else is to be said."""


@dataclass(kw_only=True)
class Scene:
    """What a trouble has in its hands. `kills` counts what it did to processes."""

    town: Town
    people: People
    receiver: Receiver
    dice: random.Random
    order: Order
    kills: int = 0
    others: list[Town] = field(default_factory=list)
    """Nodes beside the first, on the same record."""
    rest: list[Callable[[], None]] = field(default_factory=list)
    """What undoes the trouble, done before it is calm."""


Trouble = Callable[[Scene], Iterator[float]]
"""Does something to the scene and yields for how many seconds to let things go on."""


def played(
    name: str,
    order: Order,
    trouble: Trouble,
    prepare: Callable[[Scene], None] | None = None,
    look: Callable[[Seen], list[Fault]] | None = None,
    **more: Any,
) -> Row:
    """Run a scenario from start to end; what is wrong is in the row's `faults`. Leaves no process behind."""
    begun = time.monotonic()
    row = Row(scenario=name, seed=order.seed)
    order.folder.mkdir(parents=True, exist_ok=True)
    with receiving(order.seed) as receiver:
        directory = bank.make(order.folder / "bank", receiver.url, **more)
        tokens, roles = bank.tokens(directory), bank.roles(directory)
        town = Town(bank=directory, prefect=order.prefect)
        people = People(bank=directory, port=town.port, tokens=tokens, incidents=order.incidents)
        people.pause = min(LONGEST_PAUSE, order.seconds / (2 * order.incidents))
        dice = random.Random(order.seed)  # noqa: S311 - a test's dice
        scene = Scene(town=town, people=people, receiver=receiver, dice=dice, order=order)
        if prepare is not None:
            prepare(scene)
        towns = [town, *scene.others]
        for one in towns:
            one.start()
        try:
            for one in towns:
                one.answers(60)
            _under(scene, trouble)
            while scene.rest:
                scene.rest.pop()()
            town.thaw()
            if not _calm(scene):
                row.faults.append(
                    f"not done after {CALM_SECONDS:g} s of calm; last no: {people.last_refusal}"
                )
        finally:
            people.close()
            for undo in reversed(scene.rest):
                undo()
            left = [pid for one in towns for pid in one.stop()]
        if left:
            row.faults.append(f"processes that did not leave: {left}")
        seen = seen_of([one.bank for one in towns], receiver, people, roles, settled=not row.faults)
        judge(row, seen, directory)
        row.faults += [str(one) for one in look(seen)] if look is not None else []
        row.kills, row.incidents = scene.kills, len(people_streams(directory))
        row.seconds = round(time.monotonic() - begun, 1)
    return row


def _under(scene: Scene, trouble: Trouble) -> None:
    """Everybody works while the trouble goes on."""
    begun = time.monotonic()
    steps = trouble(scene)
    due = begun + next(steps, 0.0)
    while time.monotonic() - begun < scene.order.seconds:
        done = scene.people.round()
        if time.monotonic() >= due:
            pause = next(steps, None)
            if pause is None:
                return
            due = time.monotonic() + pause
        if done:
            return
        time.sleep(ROUND_SECONDS)


def _calm(scene: Scene) -> bool:
    """Whether everybody gets done once it is calm, and everything that was asked for leaves."""
    until = time.monotonic() + CALM_SECONDS
    while time.monotonic() < until:
        if scene.people.round() and not _under_way(scene.people.bank):
            return True
        time.sleep(ROUND_SECONDS)
    return False


def _under_way(directory: Path) -> int:
    record = record_of(directory)
    try:
        with record.read() as tx:
            waiting = OUTBOX.c.state.in_(["queued", "sending"])
            count = select(func.count()).select_from(OUTBOX).where(waiting)
            return int(tx.connection.execute(count).scalar_one())
    except RecordError:
        return 1
    finally:
        record.close()


def record_of(directory: Path) -> Record:
    """The bank's record, wherever it lies."""
    settings = load_or_last_good(directory)[0].settings
    if settings.database:
        return Record(settings.database)
    return Record.at((directory / settings.data).resolve() / "hikeshi.db")


def people_streams(directory: Path) -> list[str]:
    """The incidents on record."""
    record = record_of(directory)
    try:
        with record.read() as tx:
            return tx.incidents()
    finally:
        record.close()


def seen_of(places: list[Path], receiver: Receiver, people: People, roles: Any, *, settled: bool) -> Seen:
    """Everything that can be seen from outside, and the record; `places` are the nodes' directories."""
    record = record_of(places[0])
    try:
        return read(
            record,
            received=[*receiver.received, *(one for place in places for one in in_file(place))],
            acted=receiver.acted,
            answered=people.answered,
            entitled=roles,
            heard=frozenset({"sms", "file"}),
            settled=settled,
        )
    finally:
        record.close()


def in_file(directory: Path) -> list[Received]:
    """What the file channel got. A line that was torn by a kill counts as absent."""
    settings = load_or_last_good(directory)[0].settings
    path = (directory / settings.data).resolve() / "messages.jsonl"
    found = []
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            one = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        for key in one.get("keys") or [one["key"]]:
            found.append(
                Received(
                    at=0.0, key=key, channel="file", to=one["address"], kind=one["kind"],
                    repeat=one["attempt"] > 1,
                )
            )  # fmt: skip
    return found


def judge(row: Row, seen: Seen, directory: Path) -> None:
    """The checker's word, and that of the tool that imports nothing of ours."""
    faults = check(seen)
    row.faults += [str(one) for one in faults]
    row.messages = len(seen.received)
    row.doubled = len(seen.received) - len({(one.channel, one.key) for one in seen.received})
    row.lost = sum(any(word in one.what for word in LOST) for one in faults)
    row.repeated = sum(one.promise == "P1" for one in faults)
    record = record_of(directory)
    record.close()
    if record.url.startswith("sqlite:///"):
        row.faults += [str(one) for one in verified(Path(record.url.removeprefix("sqlite:///")))]


def verified(database: Path) -> list[Fault]:
    """What docs/verify.py finds wrong with the chain."""
    tool = bank.ROOT / "docs" / "verify.py"
    said = subprocess.run(  # noqa: S603 - our own tool
        [sys.executable, "-I", str(tool), str(database)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if said.returncode == 0:
        return []
    return [Fault(promise="P5", where=database.name, what=(said.stdout + said.stderr)[-500:])]


# -- the first trouble: processes die and freeze ------------------------------------------------------------

DEATHS = ("pager", "pager", "conductor", "worker", "worker")


def killing(scene: Scene) -> Iterator[float]:
    """SIGKILL and SIGSTOP at random instants, at every part and at `up` itself."""
    parts = (*DEATHS, "prefect") if scene.order.prefect else DEATHS
    dice = scene.dice
    while True:
        yield dice.uniform(1.0, 4.0)
        part = dice.choice(parts)
        fate = dice.random()
        if fate < 0.25:
            scene.kills += bool(scene.town.send(part, signal.SIGSTOP))
            yield dice.uniform(0.5, 6.0)
            scene.town.thaw()
        elif fate < 0.32:
            scene.town.die()
            scene.kills += 1
        else:
            scene.kills += bool(scene.town.send(part, signal.SIGKILL))
