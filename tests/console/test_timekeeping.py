"""The clock is compared with a time server that answers as it should, and with several that do not."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from console.keeping import Keeper
from console.opening import open_house
from console.timekeeping import NTP_EPOCH, NoTime, ask, ask_server, system_state
from models.clock import SystemClock
from models.state import House
from tests.console.clihouse import Cli, cli

__all__ = ["cli"]
SECOND = timedelta(seconds=1)


def stamp(seconds: float) -> bytes:
    return struct.pack("!II", int(seconds) + NTP_EPOCH, int(seconds % 1 * 2**32))


def answer(query: bytes, ahead: float = 0.0, first: int = 0o44, stratum: int = 2) -> bytes:
    """As a server whose clock is `ahead` of ours answers."""
    now = stamp(SystemClock().now().timestamp() + ahead)
    head = bytes([first, stratum, 6, 0xEC]) + struct.pack("!iI", 0, 655) + b"GPS\0"
    return head + now + query[40:48] + now + now


@contextmanager
def server(reply: Callable[[bytes], bytes | None]) -> Iterator[str]:
    """A time server on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", 0))
        door.settimeout(0.1)
        done = threading.Event()

        def serve() -> None:
            while not done.is_set():
                try:
                    query, whom = door.recvfrom(1024)
                except TimeoutError:
                    continue
                said = reply(query)
                if said is not None:
                    door.sendto(said, whom)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{door.getsockname()[1]}"
        done.set()
        thread.join()


@pytest.mark.parametrize("ahead", [0.0, 5.0, -5.0])
def test_the_offset_is_what_it_is(ahead: float) -> None:
    with server(lambda query: answer(query, ahead)) as at:
        offset, error = ask_server(at, SystemClock())
    assert abs(offset + ahead * SECOND) < 0.2 * SECOND, "a server ahead of us means that we are behind it"
    assert timedelta(0) < error < SECOND


WRONG: dict[str, Callable[[bytes], bytes]] = {
    "too short": lambda query: answer(query)[:40],
    "somebody else's question": lambda query: answer(bytes(48)),
    "a client, not a server": lambda query: answer(query, first=0o43),
    "not synchronised itself": lambda query: answer(query, first=0o344),
    "stratum 0: go away": lambda query: answer(query, stratum=0),
    "stratum 16": lambda query: answer(query, stratum=16),
}


@pytest.mark.parametrize("why", WRONG)
def test_an_answer_that_is_none_is_refused(why: str) -> None:
    with server(WRONG[why]) as at, pytest.raises(NoTime):
        ask_server(at, SystemClock())


def test_a_server_that_is_not_there_or_silent_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.timekeeping.ASK_SECONDS", 0.2)
    with server(lambda query: None) as at, pytest.raises(NoTime, match="gave no time"):
        ask(at, SystemClock())
    with pytest.raises(NoTime, match="gave no time"):
        ask("[::1]:1", SystemClock())


def test_without_a_server_the_system_is_asked() -> None:
    synchronised, error = system_state()
    assert (error is not None) is synchronised
    command = ask(None, SystemClock())
    assert (command.source, command.offset) == ("system", None)


def test_a_clock_too_far_off_is_impaired_and_mended_and_once_an_hour_is_enough(cli: Cli) -> None:
    cli.house.record.close()
    cli.house = open_house(cli.directory, cli.clock)

    async def run(call: Any) -> Any:
        return call()

    keeper = Keeper(cli.house, {}, run)

    def house() -> House:
        state = cli.house.desk.state("house")
        assert isinstance(state, House)
        return state

    def compared() -> int:
        with cli.house.record.read() as tx:
            return sum(fact.kind == "time.compared" for fact in tx.facts("house"))

    with server(lambda query: answer(query, 5.0)) as at:
        for _ in range(2):
            keeper.note_clock(ask(at, SystemClock()))
    assert "ahead of ntp 127.0.0.1" in house().impaired["clock"]
    assert compared() == 1
    with server(answer) as at:
        keeper.note_clock(ask(at, SystemClock()))
    assert house().impaired == {}
    clock = house().upkeep.clock
    assert clock is not None and clock.offset is not None
    assert abs(clock.offset) < SECOND
    assert compared() == 2
    assert "ahead" in cli.run("health").out
