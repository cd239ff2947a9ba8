"""`ssh.collect`: what a host shows over SSH: the output of one allow-listed command, or files read by SFTP.

The host has to show the key that is pinned in targets.yaml before anything else is said to it, the user's
name included. SSH runs a shell on the other side, so every argument is quoted. Nothing is written there.
"""

from __future__ import annotations

import re
import shlex
import socket
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from io import StringIO

import paramiko
from paramiko.message import Message

from flows.actions.parameters import check, printable
from flows.actions.sftp import take_files
from flows.actions.taking import PIECE_BYTES, Haul, Span, Taking, about, in_thread, unreachable
from flows.actions.values import ActionContext, ActionResult, CollectedItem, Params
from models.clock import monotonic
from models.errors import ActionFailed, HikeshiError
from models.targets import ARGUMENT, SshTarget, key_of_line, place_of

CONNECT_SECONDS = 10.0
WAIT_SECONDS = 0.2
CLOCK_SECONDS = 10.0
MAX_ERROR_BYTES = 65_536
MAX_EXCERPT_CHARACTERS = 300
_TIME = re.compile(rb"^\s*([0-9]{9,11})(\.[0-9]{1,9})?\s*$")
_TROUBLE = (paramiko.SSHException, EOFError, OSError)
_KEYS = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


async def collect(target: SshTarget, params: Params, context: ActionContext) -> ActionResult:
    """Ask the host. Outputs: `files`, `bytes`, `partial`, `left_out`; for a command `exit_code` as well.

    Raises SourceUnreachable if it cannot be reached, shows another key, lets nobody in or breaks off; what
    came until then is kept and marked. Raises ActionFailed if the command ends with another code than 0.
    """
    values = check(target.parameters, params)
    return await in_thread(lambda span: _collect(target, values, context, span), context)


def _collect(target: SshTarget, values: dict[str, str], context: ActionContext, span: Span) -> ActionResult:
    with connected(target, context, span) as transport:
        offset = _offset(transport, span) if target.measure_clock else None
        if target.paths:
            return take_files(transport, target, context, span, offset)
        return _Command(target, values, context, span, offset).run(transport)


# -- getting there ------------------------------------------------------------------------------------------


@contextmanager
def connected(target: SshTarget, context: ActionContext, span: Span) -> Iterator[paramiko.Transport]:
    """A connection to the host, its key compared and ourselves let in. Raises SourceUnreachable."""
    secret, key = _credentials(target, context)
    transport = _reached(target, span)
    span.when_stopped(transport.close)
    try:
        shown = _greeted(transport, target, span)
        if not is_pinned(target, shown):
            raise unreachable(
                place_of(target),
                f"it shows the host key {shown.get_name()} {fingerprint(shown.asbytes())}, which is not "
                "pinned in targets.yaml; ask its administrator by another way whose key that is",
            )
        _let_in(transport, target, secret, key)
        yield transport
    finally:
        transport.close()


def _reached(target: SshTarget, span: Span) -> paramiko.Transport:
    try:
        line = socket.create_connection((target.host, target.port), min(CONNECT_SECONDS, span.left() or 1.0))
    except OSError as wrong:
        raise unreachable(
            place_of(target), f"not reached: {wrong.strerror or type(wrong).__name__}"
        ) from wrong
    transport = paramiko.Transport(line)
    transport.banner_timeout = transport.auth_timeout = CONNECT_SECONDS
    transport.set_keepalive(15)
    return transport


def _greeted(transport: paramiko.Transport, target: SshTarget, span: Span) -> paramiko.PKey:
    """The key that the host shows, and proves to have."""
    wanted = {found[0] for pin in target.host_keys if (found := key_of_line(pin)) is not None}
    options = transport.get_security_options()
    fitting = tuple(one for one in options.key_types if _family(one) in wanted)
    if fitting and all(key_of_line(pin) for pin in target.host_keys):
        # Of several keys that it has the host is to show one that can be compared.
        options.key_types = fitting
    try:
        transport.start_client(timeout=min(CONNECT_SECONDS, span.left() or 1.0))
        return transport.get_remote_server_key()
    except _TROUBLE as wrong:
        raise unreachable(place_of(target), f"no SSH there: {_said(wrong)}") from wrong


def _family(algorithm: str) -> str:
    """The type of the key behind a signature algorithm: RSA keys sign with several."""
    return "ssh-rsa" if algorithm.startswith("rsa-sha2-") else algorithm


def is_pinned(target: SshTarget, key: paramiko.PKey) -> bool:
    """Whether this very key stands in targets.yaml."""
    shown = key.asbytes()
    for pin in target.host_keys:
        line = key_of_line(pin)
        if (line is not None and line[1] == shown) or pin == fingerprint(shown):
            return True
    return False


def fingerprint(key: bytes) -> str:
    """As `ssh-keygen -lf` writes it."""
    return "SHA256:" + b64encode(sha256(key).digest()).decode().rstrip("=")


def _credentials(target: SshTarget, context: ActionContext) -> tuple[str, paramiko.PKey | None]:
    """The password, or the private key. Raises ActionFailed; nothing has been connected to by then."""
    try:
        secret = context.secrets(target.password or target.key or "")
        phrase = context.secrets(target.passphrase) if target.passphrase else None
    except (HikeshiError, LookupError, OSError) as wrong:
        raise ActionFailed(f"nothing was asked, a secret of the target cannot be read: {wrong}") from wrong
    if target.password is not None:
        return secret, None
    for kind in _KEYS:
        try:
            return "", kind.from_private_key(StringIO(secret.strip() + "\n"), phrase)
        except (paramiko.SSHException, ValueError):
            continue
    # Never what the library says about it: it may quote the key.
    raise ActionFailed(
        f"nothing was asked, {target.key} is no private key that can be read (Ed25519, ECDSA, RSA; "
        "OpenSSH or PEM), or its passphrase is wrong"
    )


def _let_in(transport: paramiko.Transport, target: SshTarget, secret: str, key: paramiko.PKey | None) -> None:
    try:
        if key is None:
            transport.auth_password(target.user, secret, fallback=False)
        else:
            transport.auth_publickey(target.user, key)
    except paramiko.AuthenticationException as wrong:
        raise unreachable(
            place_of(target), f"it does not let {target.user} in: {type(wrong).__name__}"
        ) from wrong
    except _TROUBLE as wrong:
        raise unreachable(place_of(target), f"broke off at the log-in: {_said(wrong)}") from wrong
    if not transport.is_authenticated():
        raise unreachable(place_of(target), f"it wants more than one proof of {target.user}")


def _said(wrong: BaseException) -> str:
    return printable(str(wrong), MAX_EXCERPT_CHARACTERS) or type(wrong).__name__


def _offset(transport: paramiko.Transport, span: Span) -> int | None:
    """By how many milliseconds its clock is ahead of ours; None if it does not say."""
    before = span.now()
    try:
        channel = transport.open_session(timeout=min(CLOCK_SECONDS, span.left() or 1.0))
        channel.settimeout(min(CLOCK_SECONDS, span.left() or 1.0))
        channel.exec_command("date -u +%s.%N")
        said = b""
        while (piece := channel.recv(256)) and len(said) < MAX_EXCERPT_CHARACTERS:
            said += piece
        channel.close()
    except _TROUBLE:
        # A host that allows one command only: the command itself will show whether the line holds.
        return None
    found = _TIME.match(said.replace(b".N", b""))
    if found is None:
        return None
    middle = before + (span.now() - before) / 2
    theirs = timedelta(seconds=float(found[1] + (found[2] or b"")))
    return round((theirs.total_seconds() - middle.timestamp()) * 1_000)


# -- a command ----------------------------------------------------------------------------------------------


class _Command:
    """One allow-listed command, and its output as one object."""

    def __init__(
        self,
        target: SshTarget,
        values: dict[str, str],
        context: ActionContext,
        span: Span,
        offset: int | None,
    ) -> None:
        self._target, self._context, self._span = target, context, span
        self._line = " ".join(shlex.quote(_filled(argument, values)) for argument in target.argv)
        self._offset = offset
        self._said = bytearray()

    def run(self, transport: paramiko.Transport) -> ActionResult:
        """Take its output to its end, a cap, or the end of the time."""
        target, span = self._target, self._span
        where = place_of(target)
        what = about(
            f"{target.argv[0].rpartition('/')[2]}.out",
            f"ssh://{target.user}@{where}: {self._line}",
            span,
            tool=f"ssh.collect: {self._line}"[:MAX_EXCERPT_CHARACTERS],
            host=where,
            offset_ms=self._offset,
        )
        with Taking(self._context, what, target.max_bytes) as taking:
            try:
                channel = transport.open_session(timeout=CONNECT_SECONDS)
                channel.exec_command(self._line)
                channel.shutdown_write()
                ended = self._pump(channel, taking)
            except _TROUBLE as wrong:
                ended = f"the connection broke: {_said(wrong)}"
                raise self._broken(taking, ended) from wrong
            if ended == _LOST:
                raise self._broken(taking, ended)
            code = channel.exit_status if ended is None else 0
            if ended is not None:
                _end(channel, transport)
            wrong_code = f"the command ended with code {code}" if code else None
            haul = Haul(partial=None if taking.cut else ended)
            if taking.size or ended is None:
                haul.items.append(taking.keep(haul.partial, wrong_code))
        if code:
            words = printable(self._said.decode("utf-8", "replace"), MAX_EXCERPT_CHARACTERS) or "nothing"
            raise ActionFailed(
                f"{where}: the command ended with code {code}; it said: {words}; "
                f"its output is kept as {haul.items[0].digest}"
            )
        result = haul.result(where, "output")
        result.outputs["exit_code"] = str(code) if ended is None else "-"
        return result

    def _pump(self, channel: paramiko.Channel, taking: Taking) -> str | None:
        """Take what comes; what ended it before the command did, or None."""
        channel.settimeout(WAIT_SECONDS)
        while True:
            if (over := self._span.over()) is not None:
                return f"{over}, the command had not ended"
            self._drain(channel)
            try:
                piece = channel.recv(PIECE_BYTES)
            except TimeoutError:
                continue
            if not piece:
                break
            if not taking.add(piece):
                return f"more than {self._target.max_bytes} bytes"
        # The code comes by itself after the output; a line that broke never brings one.
        until = monotonic() + CONNECT_SECONDS
        while not channel.status_event.wait(WAIT_SECONDS) and not channel.closed and monotonic() < until:
            continue
        self._drain(channel)
        return _LOST if channel.exit_status < 0 else None

    def _drain(self, channel: paramiko.Channel) -> None:
        """What it complains of is kept for the message, up to a bound, and must not fill the line."""
        while channel.recv_stderr_ready():
            piece = channel.recv_stderr(PIECE_BYTES)
            self._said += piece[: MAX_ERROR_BYTES - len(self._said)]

    def _broken(self, taking: Taking, why: str) -> ActionFailed:
        kept: list[CollectedItem] = [taking.keep(why)] if taking.size else []
        return unreachable(place_of(self._target), why, kept)


_LOST = "the connection broke before the command ended"


def _filled(argument: str, values: dict[str, str]) -> str:
    place = ARGUMENT.match(argument)
    return argument if place is None else (place["option"] or "") + values[place["name"]]


def _end(channel: paramiko.Channel, transport: paramiko.Transport) -> None:
    """Ask the host to end the command (RFC 4254, 6.9), and close: it must not go on for nobody."""
    asked = Message()
    asked.add_byte(b"\x62")
    asked.add_int(channel.remote_chanid)
    asked.add_string("signal")
    asked.add_boolean(False)
    asked.add_string("TERM")
    try:
        transport._send_user_message(asked)  # type: ignore[attr-defined]
        channel.close()
    except _TROUBLE:
        # It has gone already, and so has what ran on it.
        return
