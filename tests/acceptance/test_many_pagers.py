"""Real pagers on one PostgreSQL: frozen, killed, started again, under load; a receiver tells."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from console.opening import House, open_house
from models.commands import Actor, Declare
from models.lease import LEASE_SECONDS
from models.node import Part, parts
from models.record import OUTBOX
from tests.postgres import Postgres

ROOT = Path(__file__).parents[2]
PATIENCE = 150.0
LEASE = 5.0
LONG = 60.0
"""Where nobody dies: a machine that is busy with other tests keeps a node silent for seconds."""


class Receiver:
    """Keeps what came, in its order."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        got = self.got

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                got.append(json.loads(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing is said."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def arrived(self, node: str = "") -> list[str]:
        return [key for one in list(self.got) if node in {"", one["node"]} for key in one["keys"]]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Town:
    """One institution on several machines: its files the same, its data folders apart."""

    def __init__(self, base: Path, database: str) -> None:
        self.base, self.database = base, database
        self.receiver = Receiver()
        self._open: House | None = None

    def folder(self, node: str) -> Path:
        made = self.base / node
        if not made.exists():
            shutil.copytree(ROOT / "examples" / "mihon-bank", made, ignore=shutil.ignore_patterns("var"))
            settings = made / "settings.toml"
            text = settings.read_text(encoding="utf-8")
            settings.write_text(f'database = "{self.database}"\n{text}', encoding="utf-8")
        return made

    @property
    def house(self) -> House:
        """Another process, which writes and reads and pages nobody."""
        self._open = self._open or open_house(self.folder("desk"))
        return self._open

    @contextmanager
    def pager(self, node: str, pause: float = 0.0, lease: float = LEASE) -> Iterator[subprocess.Popen[str]]:
        """A pager; killed at the end of the block if it still lives."""
        own = {"HIKESHI_DIR": str(self.folder(node)), "HIKESHI_NODE": node, "PYTHONPATH": str(ROOT)}
        argv = [sys.executable, "-m", "tests.acceptance.sharednode", "0", self.receiver.url]
        with subprocess.Popen(  # noqa: S603 - our own program
            [*argv, str(lease), str(pause)], env=os.environ | own, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline().startswith("hikeshi-node-ready"), f"{node} did not start"
                yield process
            finally:
                with suppress(ProcessLookupError):
                    process.send_signal(signal.SIGCONT)
                    process.kill()

    def queue(self, lines: int, rows: int) -> str:
        """An incident of which so many notices wait for so many addresses, and nothing else does."""
        desk = self.house.desk
        stream = desk.handle(
            None, Declare(actor=Actor(person="suzuki-daichi"), text="x", playbooks=("unknown",))
        ).stream
        with self.house.record.begin() as tx:
            row = dict(tx.connection.execute(select(OUTBOX).limit(1)).mappings().one())
            tx.connection.execute(update(OUTBOX).where(OUTBOX.c.state == "queued").values(state="withdrawn"))
            shape = {name: value for name, value in row.items() if name != "id"} | {
                "state": "queued", "kind": "notice", "template": "notice.acknowledged", "person": None,
                "channel": "console", "tries": 0,
            }  # fmt: skip
            tx.enqueue(
                [
                    shape | {"key": f"{stream}/{n}/0/1/console:to-{n % lines}", "address": f"to-{n % lines}"}
                    for n in range(rows)
                ]
            )
        # Whoever listens is woken by a fact.
        desk.tick(stream)
        return stream

    def rows(self, *states: str) -> list[dict[str, Any]]:
        with self.house.record.read() as tx:
            wanted = select(OUTBOX).where(OUTBOX.c.state.in_(states), OUTBOX.c.kind == "notice")
            wanted = wanted.where(OUTBOX.c.address.like("to-%")).order_by(OUTBOX.c.id)
            return [dict(row) for row in tx.connection.execute(wanted).mappings()]

    def until_empty(self) -> list[dict[str, Any]]:
        """When nothing waits any more: the rows that were sent."""
        until = time.monotonic() + PATIENCE
        while waiting := self.rows("queued", "sending"):
            assert time.monotonic() < until, f"{len(waiting)} messages still wait"
            time.sleep(0.3)
        return self.rows("sent")

    def part(self, node: str) -> Part:
        with self.house.record.read() as tx:
            return next(one for one in parts(tx, "pager") if one.name == f"pager@{node}")

    def in_order(self, rows: list[dict[str, Any]]) -> None:
        """Of each line, what arrived first of each message arrived in the order in which it was asked for."""
        first = list(dict.fromkeys(key for key in self.receiver.arrived() if "/console:to-" in key))
        for line in {row["address"] for row in rows}:
            asked = [row["key"] for row in rows if row["address"] == line]
            assert [key for key in first if key in set(asked)] == asked

    def of_lines(self, after: int = 0) -> list[dict[str, Any]]:
        """What arrived of what the test queued, after so many."""
        return [one for one in self.receiver.got[after:] if "/console:to-" in one["keys"][0]]

    def handed(self, node: str) -> list[str]:
        """Which of it this node has handed over."""
        return [key for one in self.of_lines() if one["node"] == node for key in one["keys"]]

    def repeated_only_by(self, node: str, got: list[dict[str, Any]]) -> None:
        """What was in the dead one's hand was sent again by the other, and marked as a repeat."""
        assert {one["node"] for one in got if one["attempt"] > 1} == {node}

    def close(self) -> None:
        if self._open is not None:
            self._open.record.close()
        self.receiver.close()


@pytest.fixture
def town(tmp_path: Path, postgres: Postgres) -> Iterator[Town]:
    made = Town(tmp_path, postgres.database())
    yield made
    made.close()


def wait_for(what: str, found: Any) -> None:
    until = time.monotonic() + PATIENCE
    while not found():
        assert time.monotonic() < until, what
        time.sleep(0.05)


def test_a_pager_frozen_with_messages_in_hand_is_stood_in_for_and_starts_anew_and_so_is_a_killed_one(
    town: Town,
) -> None:
    with town.pager("a", pause=2.0) as frozen:
        town.queue(3, 9)
        # Of each line one has been answered slowly: nothing else is on its way when all stands still.
        wait_for("a has something of each line in hand", lambda: len(town.handed("a")) >= 3)
        frozen.send_signal(signal.SIGSTOP)
        epoch = town.part("a").epoch
        with town.pager("b", pause=0.5) as other:
            rows, had = town.until_empty(), town.handed("a")
            wait_for("a is given up", lambda: town.part("a").detail == "given up")
            frozen.send_signal(signal.SIGCONT)
            wait_for("a registers anew", lambda: town.part("a").epoch > epoch + 1)
            assert town.until_empty() == rows, "nothing of its old hand is written as current"
            assert town.handed("a") == had, "and nothing of it is handed over"
            town.in_order(rows)
            assert frozen.poll() is None and other.poll() is None
            # Both live; whoever takes the next ones up is killed with some of them in its hand.
            town.queue(3, 9)
            done = len(town.receiver.got)
            wait_for("one has something in hand", lambda: town.of_lines(done))
            both = {"a": frozen, "b": other}
            killed = both.pop(town.of_lines(done)[0]["node"])
            killed.kill()
            killed.wait()
            rows = town.until_empty()
            assert next(iter(both.values())).poll() is None
    assert len(rows) == 18, "nothing is lost"
    town.in_order(rows)
    town.repeated_only_by(next(iter(both)), town.of_lines(done))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_pager_killed_is_stood_in_for_within_45_seconds(town: Town) -> None:
    with town.pager("a", pause=10.0, lease=LEASE_SECONDS) as first:
        town.queue(3, 9)
        wait_for("a has something of each line in hand", lambda: len(town.handed("a")) >= 3)
        with town.pager("b", lease=LEASE_SECONDS):
            in_hand = {row["key"] for row in town.rows("sending")}
            first.kill()
            killed_at = time.monotonic()
            first.wait()
            assert in_hand and not town.handed("b"), "all of it is in the hand of the one that dies"
            rows = town.until_empty()
            took_seconds = time.monotonic() - killed_at
    assert took_seconds < 45
    print(f"taken over after {took_seconds:.1f} s")
    assert len(rows) == 9, "nothing is lost"
    assert in_hand <= set(town.handed("b"))
    town.in_order(rows)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_two_pagers_under_load_claim_no_row_twice(town: Town) -> None:
    with ExitStack() as stack:
        for node in ("a", "b"):
            stack.enter_context(town.pager(node, pause=0.01, lease=LONG))
        town.queue(20, 300)
        rows = town.until_empty()
    keys = [key for key in town.receiver.arrived() if "/console:to-" in key]
    assert len(rows) == len(keys) == len(set(keys)) == 300
    assert {row["tries"] for row in rows} == {1}
    assert all(town.receiver.arrived(node) for node in ("a", "b")), "both had their part"
    town.in_order(rows)


@pytest.mark.slow
def test_a_single_pager_that_starts_again_has_its_own_back_at_once(town: Town) -> None:
    with town.pager("a", pause=0.5) as first:
        town.queue(2, 8)
        wait_for("a has something in hand", lambda: town.receiver.arrived("a"))
        first.kill()
        first.wait()
    with town.pager("a"):
        rows = town.until_empty()
    assert len(rows) == 8
    town.in_order(rows)


@pytest.mark.slow
def test_a_second_pager_of_the_same_name_elsewhere_is_refused(town: Town) -> None:
    with town.pager("a", lease=LONG):
        own = {"HIKESHI_DIR": str(town.folder("b")), "HIKESHI_NODE": "a", "PYTHONPATH": str(ROOT)}
        argv = [sys.executable, "-m", "console.node", "0"]
        done = subprocess.run(  # noqa: S603 - our own program
            argv, env=os.environ | own, capture_output=True, text=True, check=False
        )
    assert done.returncode == 1
    assert "HIKESHI_NODE" in done.stderr
