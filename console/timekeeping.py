"""How far this machine's clock is off: asked of a time server (SNTP, RFC 4330), or of the system itself.

What times in the record and of evidence are worth depends on it, so it is written down.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
import time
from datetime import timedelta

from models.clock import Clock
from models.commands import Actor
from models.errors import HikeshiError
from models.integrity import NoteClock

ASK_SECONDS = 5.0
NTP_PORT, NTP_EPOCH = 123, 2_208_988_800
"""Seconds from 1900, where NTP begins, to 1970."""
_PACKET = 48
_CLIENT, _SERVER = 3, 4
_UNSYNCHRONISED, _TIME_ERROR = 0x40, 5
SYSTEM = "system"


class NoTime(HikeshiError):
    """The time server gave no usable answer; it is asked again later."""


def ask(server: str | None, clock: Clock) -> NoteClock:
    """Compare the clock, with `server` if one is named. Blocking. Raises NoTime."""
    actor = Actor.machine("clock")
    if server is None:
        synchronised, error = system_state()
        return NoteClock(actor=actor, source=SYSTEM, synchronised=synchronised, error=error)
    offset, error = ask_server(server, clock)
    return NoteClock(actor=actor, source=f"ntp {server}", synchronised=True, offset=offset, error=error)


def ask_server(server: str, clock: Clock) -> tuple[timedelta, timedelta]:
    """How far our clock is ahead of the server's, and by how much that may be wrong. Raises NoTime."""
    host, port = _address(server)
    began = time.monotonic()
    sent = clock.now().timestamp()
    request = bytes([0o43]) + bytes(39) + _stamp(sent)
    try:
        with socket.socket(_family(host, port), socket.SOCK_DGRAM) as asked:
            asked.settimeout(ASK_SECONDS)
            asked.connect((host, port))
            asked.send(request)
            answer = asked.recv(1_024)
    except OSError as failed:
        raise NoTime(f"{server} gave no time: {type(failed).__name__}; see [integrity] ntp") from failed
    took = time.monotonic() - began
    received, transmitted, dispersion = _read(answer, request[40:], server)
    # By the monotonic clock: a step of the wall clock while we waited must not look like an offset.
    back = sent + took
    offset = ((received - sent) + (transmitted - back)) / 2
    error = max(0.0, took - (transmitted - received)) / 2 + dispersion
    return timedelta(seconds=-offset), timedelta(seconds=error)


def _address(server: str) -> tuple[str, int]:
    """Host and port of `host`, `host:port`, `[v6]` or `[v6]:port`."""
    if server.startswith("["):
        host, _, port = server[1:].partition("]")
        return host, int(port[1:] or NTP_PORT)
    host, _, port = server.partition(":") if server.count(":") == 1 else (server, "", "")
    return host, int(port or NTP_PORT)


def _family(host: str, port: int) -> int:
    return socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0][0]


def _stamp(seconds: float) -> bytes:
    whole = int(seconds)
    return struct.pack("!II", (whole + NTP_EPOCH) & 0xFFFFFFFF, int((seconds - whole) * 2**32) & 0xFFFFFFFF)


def _seconds(raw: bytes) -> float:
    whole, part = struct.unpack("!II", raw)
    # The count begins anew in 2036: small numbers are after that (RFC 4330, 3).
    era = 0 if whole & 0x80000000 else 2**32
    return float(whole + era - NTP_EPOCH + part / 2**32)


def _read(answer: bytes, ours: bytes, server: str) -> tuple[float, float, float]:
    """When the server received and answered, and its distance from the true time. Raises NoTime."""
    if len(answer) < _PACKET:
        raise NoTime(f"{server} answered something that is no time")
    leap, mode, stratum = answer[0] >> 6, answer[0] & 7, answer[1]
    # An answer that does not repeat what we sent is not for us, or made up by somebody in between.
    if mode != _SERVER or answer[24:32] != ours:
        raise NoTime(f"{server} answered somebody else's question")
    if leap == 3 or not 1 <= stratum <= 15:  # noqa: PLR2004 - RFC 4330: unsynchronised, and the strata
        raise NoTime(f"{server} does not know the time itself (stratum {stratum})")
    delay, dispersion = struct.unpack("!iI", answer[4:12])
    return _seconds(answer[32:40]), _seconds(answer[40:48]), (abs(delay) / 2 + dispersion) / 2**16


def system_state() -> tuple[bool, timedelta | None]:
    """Whether the kernel says that the clock is synchronised, and the error at most; Linux only."""
    if not sys.platform.startswith("linux"):
        return False, None
    # struct timex: modes, then longs from offset on; it is larger than anything that any kernel writes.
    words = (ctypes.c_long * 64)()
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    state = adjtimex(words) if adjtimex is not None else -1
    if state < 0:
        return False, None
    # modes, offset, freq, maxerror, esterror, status: each begins at a long.
    maxerror, status = int(words[3]), int(words[5]) & 0xFFFFFFFF
    synchronised = state != _TIME_ERROR and not status & _UNSYNCHRONISED
    return synchronised, timedelta(microseconds=maxerror) if synchronised else None
