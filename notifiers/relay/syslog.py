"""Facts to a syslog server: RFC 5424 over TCP or TLS, with octet counting (RFC 6587, RFC 5425).

TCP says that bytes were taken by the other machine, not that its server stored them: a batch counts once the
other side's TCP has confirmed all of it. What a server loses after that, it has lost (docs/continuity.md).
"""

from __future__ import annotations

import fcntl
import select
import socket
import ssl
import struct
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from models.lines import Line
from models.relaying import SyslogRelay
from notifiers.relay.sink import SinkError

WITHIN_SECONDS = 10.0
LOOK_SECONDS = 0.005
OUTQ = 0x5411
"""TIOCOUTQ of Linux: bytes that the other side has not confirmed yet."""
NOTICE = 5
ENTERPRISE = "hikeshi@32473"
"""32473 is the number that RFC 5612 keeps for examples: Hikeshi has none of its own."""


class SyslogSink:
    """One connection that is kept; a batch is confirmed before the next."""

    def __init__(self, settings: SyslogRelay, context: ssl.SSLContext | None = None) -> None:
        self.texts = settings.texts
        self._settings = settings
        self._context = context
        self._connection: socket.socket | None = None
        self._host = socket.gethostname()[:255] or "-"

    def send(self, lines: Sequence[Line]) -> None:
        """Send all of them and wait until they are confirmed. Raises SinkError."""
        frames = b"".join(frame(line, self._settings.facility, self._host) for line in lines)
        try:
            connection = self._connected()
            connection.sendall(frames)
            _confirmed(connection)
        except (OSError, SinkError) as failed:
            self.close()
            where = f"{self._settings.host}:{self._settings.port}"
            said = str(failed) if isinstance(failed, (SinkError, ssl.SSLError)) else type(failed).__name__
            raise SinkError(f"{where}: {said[:200]}") from failed

    def last(self) -> dict[str, tuple[int, str]]:
        """A syslog server cannot be asked."""
        return {}

    def close(self) -> None:
        """Leave."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):
                connection.close()

    def _connected(self) -> socket.socket:
        if self._connection is not None and _gone(self._connection):
            self.close()
        if self._connection is None:
            one = self._settings
            plain = socket.create_connection((one.host, one.port), timeout=WITHIN_SECONDS)
            try:
                self._connection = self._wrapped(plain)
            except BaseException:
                plain.close()
                raise
        return self._connection

    def _wrapped(self, plain: socket.socket) -> socket.socket:
        if not self._settings.tls:
            return plain
        context = self._context or ssl.create_default_context(cafile=self._settings.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context.wrap_socket(plain, server_hostname=self._settings.host)


def _gone(connection: socket.socket) -> bool:
    """Whether the other side has closed: a server never writes, so whatever can be read is the end."""
    readable, _, _ = select.select([connection], [], [], 0)
    if not readable:
        return False
    if isinstance(connection, ssl.SSLSocket):
        connection.setblocking(False)
        try:
            return not connection.recv(1)
        except ssl.SSLWantReadError:
            # Tickets of TLS 1.3 and the like: no data, and no end.
            return False
        except OSError:
            return True
        finally:
            connection.settimeout(WITHIN_SECONDS)
    return True


def _confirmed(connection: socket.socket) -> None:
    """Wait until the other side's TCP has taken everything. Raises SinkError after WITHIN_SECONDS."""
    if not sys.platform.startswith("linux"):
        return
    until = time.monotonic() + WITHIN_SECONDS
    while struct.unpack("i", fcntl.ioctl(connection.fileno(), OUTQ, b"\0" * 4))[0]:
        if time.monotonic() > until:
            raise SinkError(f"takes nothing more ({WITHIN_SECONDS:g} s)")
        time.sleep(LOOK_SECONDS)
    if _gone(connection):
        raise SinkError("closed the connection while facts were under way")


def frame(line: Line, facility: int, host: str) -> bytes:
    """One message with its length before it."""
    about = [f'stream="{_quoted(line.stream)}"', f'seq="{line.seq}"', f'hash="{line.hash}"']
    data = f"[{ENTERPRISE} {' '.join(about)}]" if line.stream else "-"
    kind = "".join(one for one in line.kind or line.t if "!" <= one <= "~")[:32] or "-"
    head = f"<{facility * 8 + NOTICE}>1 {line.at or '-'} {_printable(host)} hikeshi - {kind} {data} "
    body = head.encode("ascii", "replace") + line.raw.rstrip(b"\n")
    return f"{len(body)} ".encode() + body


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _printable(text: str) -> str:
    return "".join(one for one in text if "!" <= one <= "~")[:255] or "-"
