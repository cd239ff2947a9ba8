"""`mail.collect`: mails of the mailbox in settings.toml as they lie there (.eml), and nothing is marked.

The folder is opened by EXAMINE and read by BODY.PEEK[]: no flag changes, and nobody sees that it was read.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from console.mailbox import Imap, MailboxError
from flows.actions.http import secret_of
from flows.actions.parameters import check
from flows.actions.ranges import Range, range_of, without_range
from flows.actions.taking import Haul, Span, Taking, about, in_thread, unreachable
from flows.actions.values import ActionContext, ActionResult, Params
from models.errors import ActionFailed
from models.installation import MailboxSettings
from models.targets import MailTarget, Parameter

SEARCHED = {"message-id": ("HEADER", "Message-ID"), "sender": ("FROM",), "subject": ("SUBJECT",)}
PIECE_BYTES = 1 << 20
_TEXT = Parameter(max_length=998)
_DAY = timedelta(days=1)
_RECEIVED = re.compile(rb'INTERNALDATE "([^"]{10,40})"')


async def collect(target: MailTarget, params: Params, context: ActionContext) -> ActionResult:
    """Take the mails that match. Outputs: `files`, `bytes`, `partial`, `left_out`.

    Raises ActionFailed if nothing says which mails, or none matches; SourceUnreachable if none are given out.
    """
    settings = context.settings.mailbox
    if settings is None:
        raise ActionFailed("nothing was asked: settings.toml has no table [mailbox]")
    given = without_range(params)
    if unknown := sorted(set(given) - set(SEARCHED)):
        raise ActionFailed(f"nothing was asked: mail.collect knows {', '.join(SEARCHED)}, got {unknown}")
    if not params:
        raise ActionFailed(f"nothing was asked: say which mails, by {', '.join(SEARCHED)}, from or until")
    values = check(dict.fromkeys(given, _TEXT), given)
    ranged = len(given) < len(params)
    asked = range_of(params, context, _DAY) if ranged else Range(begins=None, ends=context.now)
    password = secret_of(settings.password, context) or ""
    folder = target.folder or settings.folder
    box = settings.model_copy(update={"folder": folder})
    return await in_thread(
        lambda span: _Run(target, box, values, asked if ranged else None, context, span).run(password),
        context,
    )


class _Run:
    """One visit."""

    def __init__(
        self,
        target: MailTarget,
        box: MailboxSettings,
        values: dict[str, str],
        asked: Range | None,
        context: ActionContext,
        span: Span,
    ) -> None:
        self._target, self._box, self._values, self._asked = target, box, values, asked
        self._context, self._span = context, span
        self._haul = Haul()

    def run(self, password: str) -> ActionResult:
        """Raises ActionFailed, SourceUnreachable."""
        where = f"{self._box.host}, folder {self._box.folder}"
        try:
            imap = Imap(self._box, password, read_only=True)
        except MailboxError as wrong:
            raise unreachable(where, str(wrong)) from wrong
        try:
            for uid in imap.search(_criteria(self._values, self._asked)):
                if len(self._haul.items) >= self._target.max_messages:
                    self._haul.partial = f"more than {self._target.max_messages} mails"
                if self._haul.partial is None:
                    self._haul.partial = self._span.over()
                if self._haul.partial is not None:
                    break
                self._mail(imap, uid)
        except MailboxError as wrong:
            raise unreachable(where, f"the connection broke: {wrong}", self._haul.items) from wrong
        finally:
            imap.close()
        return self._haul.result(where, "mails")

    def _mail(self, imap: Imap, uid: int) -> None:
        received = _received(imap.received(uid))
        if not self._is_within(received):
            return
        what = about(
            f"{uid}.eml",
            f"imap://{self._box.host}/{self._box.folder};UIDVALIDITY={imap.validity}/;UID={uid}",
            self._span,
            tool="mail.collect: EXAMINE, BODY.PEEK[]",
            host=self._box.host,
            range_from=self._asked.begins_text if self._asked else "",
            range_until=self._asked.ends_text if self._asked else "",
        )
        room = self._target.max_bytes - self._haul.size
        over: str | None = None
        with Taking(self._context, what, room) as taking:
            try:
                # A server may answer with less than was asked for: only nothing at all is the end.
                while piece := imap.piece(uid, taking.size, PIECE_BYTES):
                    if not taking.add(piece):
                        break
                    if (over := self._span.over()) is not None:
                        break
            except MailboxError:
                if taking.size:
                    self._haul.items.append(taking.keep("the connection broke, the rest is missing"))
                raise
            if taking.cut:
                self._haul.partial = f"more than {self._target.max_bytes} bytes"
            if taking.size:
                self._haul.items.append(taking.keep(f"{over}, the rest may be missing" if over else None))

    def _is_within(self, received: datetime | None) -> bool:
        """IMAP searches by the server's days; the instant decides, and a mail without one is taken."""
        if self._asked is None or received is None:
            return True
        begins = self._asked.begins
        return received < self._asked.ends and (begins is None or received >= begins)


def _received(line: bytes) -> datetime | None:
    found = _RECEIVED.search(line)
    try:
        text = found[1].decode("ascii").strip() if found else ""
        return datetime.strptime(text, "%d-%b-%Y %H:%M:%S %z").astimezone(UTC)
    except (ValueError, UnicodeDecodeError):
        return None


def _criteria(values: dict[str, str], asked: Range | None) -> list[tuple[tuple[str, ...], str]]:
    """What to search for: IMAP's words, and the value that goes with them."""
    found = [(SEARCHED[name], value) for name, value in values.items()]
    if asked is not None:
        # A day more on each side: the server's days are not ours.
        if asked.begins is not None:
            found.append((("SINCE",), _day(asked.begins - _DAY)))
        found.append((("BEFORE",), _day(asked.ends + 2 * _DAY)))
    return found


def _day(at: datetime) -> str:
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    return f"{at.day:02d}-{months[at.month - 1]}-{at.year}"
