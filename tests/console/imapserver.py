"""A small IMAP4rev1 server for the tests: one folder, the commands that a reader uses, real sockets."""

from __future__ import annotations

import asyncio
import re
import threading
from dataclasses import dataclass, field

PARTIAL = re.compile(r"BODY\.PEEK\[\]<(\d+)\.(\d+)>")


HEADER = re.compile(r'(?:HEADER )?\b(Message-ID|FROM|SUBJECT) "((?:[^"\\]|\\.)*)"')


def unquoted(text: str) -> str:
    """A quoted string of IMAP, as it was meant."""
    return re.sub(r"\\(.)", r"\1", text)


def header(raw: bytes, name: bytes) -> bytes:
    """The line of a mail's head with this name."""
    head = raw.partition(b"\r\n\r\n")[0]
    return next((line for line in head.splitlines() if line.lower().startswith(name + b":")), b"")


@dataclass
class Stored:
    """A mail in the folder."""

    uid: int
    raw: bytes
    seen: bool = False
    received: str = ""


@dataclass
class ImapServer:
    """Runs in a thread of its own while entered. `log` holds the commands, without what LOGIN was given."""

    user: str = "csirt"
    password: str = "geheim"  # noqa: S105 - of nobody
    validity: int = 17
    mails: list[Stored] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    breaks_at: str = ""
    most: int = 1 << 30
    """Bytes of a mail that it gives in one answer, however many are asked for."""
    port: int = 0

    def put(self, *raws: bytes, seen: bool = False) -> None:
        """New mails."""
        for raw in raws:
            self.mails.append(Stored(uid=len(self.mails) + 1, raw=raw, seen=seen))

    def unseen(self) -> list[int]:
        """UIDs of mails that are not marked."""
        return [mail.uid for mail in self.mails if not mail.seen]

    def __enter__(self) -> ImapServer:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(5)
        return self

    def __exit__(self, *args: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)

    async def _main(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0, limit=2**20)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answers(reader, writer)
        finally:
            # Also when the loop ends under it: a socket left open is found in whatever test runs then.
            writer.transport.abort() if self._stop.is_set() else writer.close()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK ready\r\n")
        while line := (await reader.readline()).decode().strip():
            tag, _, rest = line.partition(" ")
            word = rest.split(" ")[1 if rest.upper().startswith("UID ") else 0].upper()
            self.log.append(word if word == "LOGIN" else rest)
            if word == self.breaks_at:
                break
            untagged, answer = self._answer(word, rest)
            writer.write(untagged + f"{tag} {answer}\r\n".encode())
            await writer.drain()
            if word == "LOGOUT":
                break

    def _answer(self, word: str, rest: str) -> tuple[bytes, str]:  # noqa: PLR0911 - a table of commands
        if word == "CAPABILITY":
            return b"* CAPABILITY IMAP4rev1\r\n", "OK done"
        if word == "LOGIN":
            good = rest.split(" ", 1)[1] == f'{self.user} "{self.password}"'
            return b"", "OK in" if good else f"NO wrong: {rest}"
        if word in {"SELECT", "EXAMINE"}:
            if rest != f'{word} "INBOX"':
                return b"", "NO no such folder"
            said = f"* {len(self.mails)} EXISTS\r\n* OK [UIDVALIDITY {self.validity}] valid\r\n"
            return said.encode(), "OK [READ-WRITE] selected"
        if word == "SEARCH":
            return f"* SEARCH {' '.join(map(str, self._search(rest)))}\r\n".encode(), "OK done"
        if word in {"FETCH", "STORE"}:
            return self._of_one(word, rest), "OK done"
        return (b"* BYE\r\n", "OK bye") if word == "LOGOUT" else (b"", "BAD unknown")

    def _search(self, rest: str) -> list[int]:
        if rest.endswith("UNSEEN"):
            return self.unseen()
        if (found := HEADER.search(rest)) is not None:
            name, value = found[1].lower().encode(), unquoted(found[2]).encode()
            return [mail.uid for mail in self.mails if value in header(mail.raw, name)]
        if "BEFORE" in rest:
            return [mail.uid for mail in self.mails]
        first = int(rest.rsplit(" ", 1)[1].split(":", maxsplit=1)[0])
        newer = [mail.uid for mail in self.mails if mail.uid >= first]
        # As RFC 3501 has it: `n:*` always names the last one.
        return newer or [mail.uid for mail in self.mails[-1:]]

    def _of_one(self, word: str, rest: str) -> bytes:
        uid = int(rest.split(" ")[2])
        mail = next((one for one in self.mails if one.uid == uid), None)
        if mail is None:
            return b""
        if word == "STORE":
            mail.seen = mail.seen or r"\Seen" in rest
            return b""
        if "INTERNALDATE" in rest:
            known = f' INTERNALDATE "{mail.received}"' if mail.received else ""
            return f"* {uid} FETCH (UID {uid}{known})\r\n".encode()
        found = PARTIAL.search(rest)
        assert found is not None, rest
        part = mail.raw[int(found[1]) : int(found[1]) + min(int(found[2]), self.most)]
        head = f"* {uid} FETCH (UID {uid} BODY[]<{found[1]}> {{{len(part)}}}\r\n".encode()
        return head + part + b")\r\n"
