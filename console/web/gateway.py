"""POST /api/gateway: what people answer by SMS or by a key in a call, handed over by the gateway.

An answer counts as the act of whoever has the number, if it names the code of a page that was sent there:
the number of an SMS's sender can be forged. A key pressed in a call needs none, the gateway knows the call.
Whoever is no gateway learns only that they are refused; unknown numbers, wrong codes, and answers that mean
nothing, are on record.
"""

from __future__ import annotations

import logging
import re
import secrets
import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from console.opening import House, secrets_of
from console.texts import texts
from console.web.alerts import Bucket, RefusalBook
from console.web.links import signing_key
from console.web.running import Run
from console.web.security import TooLarge, TooSlow, read_body
from models.commands import Actor, RecordRefusal
from models.errors import BadConfiguration, RecordError
from models.organisation import Person
from models.outofband import TakeReply
from models.premises import Outcome
from models.reason import Reason
from models.record import OUTBOX
from models.telephone import e164
from notifiers.gateway.code import page_code
from notifiers.gateway.signing import unauthentic

MAX_BODY = 8_192
READ_WITHIN_SECONDS = 10.0
PER_MINUTE = 600
PAGES_LOOKED_AT = 200
WRONG_CODES, WRONG_WITHIN = 5, timedelta(minutes=10)
"""After so many wrong codes within so long a person's codes count no more: 30 guesses an hour, of 10,000."""
NAME = "gateway"
UNHEEDED = {"too many wrong codes": "locked", "two pages of one code": "same"}
YES = frozenset({"1", "ok", "okay", "ack", "yes", "了解", "了解です", "受領", "受領します", "はい"})
_ANSWER = re.compile(r"(?P<word>\D+|1)?(?:[\s#:：、,]*(?P<code>\d{4}))?")
_log = logging.getLogger(__name__)


class Reply(BaseModel):
    """One answer. `id` is the gateway's, the same however often it hands the answer over.

    `key` is that of the message that is answered, where the gateway knows it: in a call it does.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9._:-]+$")
    channel: Literal["sms", "voice"]
    sender: str = Field(alias="from", min_length=1, max_length=40)
    text: str = Field(max_length=1_600)
    key: str = Field(default="", max_length=300)


class GatewayDoor:
    """Where answers come in. `closed` says why it is shut, by name, if it should be open."""

    def __init__(self, house: House, run: Run, wake: Callable[[], None], monotonic: Callable[[], float]):
        self._house, self._run, self._wake = house, run, wake
        settings = house.institution.settings.gateway
        self._open = settings is not None
        self._secret = self._code_key = secrets.token_bytes(32)
        self.closed: dict[str, str] = {}
        if settings is not None:
            try:
                self._secret = secrets_of(house.institution.directory)(settings.secret).encode()
                self._code_key = signing_key(house)
            except BadConfiguration as missing:
                self.closed[NAME] = str(missing)
        self._bucket = Bucket(PER_MINUTE, monotonic)
        self._refusals = RefusalBook()
        self._guesses = Guesses()

    async def post(self, request: Request) -> Response:
        """One answer: what became of it, and a sentence that the gateway may send back."""
        if not self._open:
            return JSONResponse({"error": "not found"}, 404)
        try:
            body = await read_body(request, MAX_BODY, READ_WITHIN_SECONDS)
        except TooLarge:
            return self._refuse(request, 413, "too large", f"larger than {MAX_BODY} bytes")
        except TooSlow:
            return JSONResponse({"error": "the body did not arrive in time; send it again"}, 408)
        reply = self._read(request, body)
        if not isinstance(reply, Reply):
            return reply
        status, answer, queued = await self._run(lambda: self._take(reply))
        if queued:
            self._wake()
        return JSONResponse(answer, status)

    def _read(self, request: Request, body: bytes) -> Reply | Response:
        """The answer in a body that is the gateway's, or why it is none."""
        wrong = unauthentic(self._secret, request.headers, body, self._house.desk.clock.now())
        if wrong or self.closed:
            said = "unauthorised; check the secret and the clock"
            return self._refuse(request, 401, wrong or "secret not set", said)
        if wait := self._bucket.take():
            return JSONResponse({"error": "too many"}, 429, {"Retry-After": str(wait)})
        try:
            return Reply.model_validate_json(body)
        except ValidationError as bad:
            fields = sorted({".".join(str(part) for part in one["loc"]) for one in bad.errors()})
            return self._refuse(request, 422, "unreadable", f"cannot be read: {', '.join(fields)[:200]}")

    def _refuse(self, request: Request, status: int, reason: str, said: str) -> Response:
        """The record is written after the answer, each reason once a minute at most."""
        count = self._refusals.due(NAME, reason, self._house.desk.clock.now())
        command = RecordRefusal(
            actor=Actor.machine("api"),
            refused=NAME,
            command="TakeReply",
            reason=reason,
            detail=request.client.host if request.client else "?",
            count=count,
        )
        later = BackgroundTask(self._record, command) if count else None
        return JSONResponse({"error": said}, status, background=later)

    async def _record(self, command: RecordRefusal) -> None:
        try:
            await self._run(lambda: self._house.desk.handle("house", command))
        except RecordError as failed:
            _log.error("a refusal of the gateway was not recorded: %s", failed)

    # -- in the writer --------------------------------------------------------------------------------------

    def _take(self, reply: Reply) -> tuple[int, Mapping[str, Any], bool]:
        """Record the answer as its person's act. Status, what is said, whether messages were queued."""
        desk = self._house.desk
        number = e164(reply.sender)
        person = desk.directory.by_number(number) if number else None
        lang = person.lang if person else desk.premises.organisation.lang
        found: list[tuple[str, int]] = []
        # Whoever holds a distrusted channel is told nothing, not even what would have been understood.
        if person is not None and reply.channel not in desk.distrusted():
            meant = self._meant(person, reply)
            if isinstance(meant, str):
                return self._unheeded(person, reply, meant)
            found = meant
        stream, page = found[0] if found else ("", 0)
        actor = Actor(person=person.id if person else None, name=reply.sender, via=reply.channel)
        outcome = desk.handle("house", TakeReply(actor=actor, id=reply.id, stream=stream, page=page))
        return _answer(outcome, stream, lang)

    def _meant(self, person: Person, reply: Reply) -> list[tuple[str, int]] | str:
        """The one page that an answer means, none, or why it acts on nothing."""
        code, now = _read(reply.text), self._house.desk.clock.now()
        if code is None:
            return "not understood"
        if reply.channel == "voice" and reply.key:
            return _sent(self._house, person, reply.key)[:1]
        if not code:
            return "no code"
        if self._guesses.too_many(person.id, now):
            return "too many wrong codes"
        found = self._named(person, code)
        if not found:
            self._guesses.wrong(person.id, reply.id, now)
        return found if found == found[:1] else "two pages of one code"

    def _unheeded(self, person: Person, reply: Reply, reason: str) -> tuple[int, Mapping[str, Any], bool]:
        """Record an answer that acts on nothing, and say what to do instead."""
        self._set_aside(person, reply, reason)
        result = UNHEEDED.get(reason, "unclear")
        if reason == "no code" and reply.channel == "sms":
            # It goes back to the true number; in a call whoever forged it would hear the codes.
            return 200, self._which(person), False
        return (403 if result == "locked" else 200), _said(result, person.lang), False

    def _which(self, person: Person) -> Mapping[str, Any]:
        """The codes of the person's open pages."""
        pages = [one for one in _sent(self._house, person) if _is_open(self._house, *one)]
        codes = ", ".join(f"{page_code(self._code_key, *one)} ({one[0]})" for one in pages[:5])
        return _said("which", person.lang, codes=codes) if codes else _said("nothing", person.lang)

    def _named(self, person: Person, code: str) -> list[tuple[str, int]]:
        """The person's pages of this code; those that are open go before those that are not."""
        pages = [one for one in _sent(self._house, person) if page_code(self._code_key, *one) == code]
        return [one for one in pages if _is_open(self._house, *one)] or pages[:1]

    def _set_aside(self, person: Person, reply: Reply, reason: str) -> None:
        now = self._house.desk.clock.now()
        if count := self._refusals.due(person.id, reason, now):
            self._house.desk.handle(
                "house",
                RecordRefusal(
                    actor=Actor.machine(reply.channel),
                    refused=person.id,
                    command="TakeReply",
                    reason=reason,
                    detail=reply.text[:200],
                    count=count,
                ),
            )


class Guesses:
    """Wrong codes by person, for as long as they count. Its keys are our own people's."""

    def __init__(self) -> None:
        self._wrong: dict[str, dict[str, datetime]] = {}

    def wrong(self, person: str, reply: str, now: datetime) -> None:
        """Count an answer, once however often the gateway hands it over."""
        self._wrong.setdefault(person, {}).setdefault(reply, now)

    def too_many(self, person: str, now: datetime) -> bool:
        """Whether no code of this person counts now, a right one neither."""
        known = self._wrong.get(person, {})
        self._wrong[person] = {reply: at for reply, at in known.items() if now - at < WRONG_WITHIN}
        return len(self._wrong[person]) >= WRONG_CODES


def _read(text: str) -> str | None:
    """The code in an answer, empty if it only assents; None if it means anything else."""
    plain = unicodedata.normalize("NFKC", text).casefold().strip().strip(" .。!「」\"'")
    found = _ANSWER.fullmatch(plain)
    if found is None:
        return None
    word, code = (found["word"] or "").strip(" #:：、,.。!「」\"'"), found["code"] or ""
    return code if word in YES or (code and not word) else None


def _sent(house: House, person: Person, key: str = "") -> list[tuple[str, int]]:
    """The person's pages, the latest first: all, or the one that a message asked for."""
    where = [OUTBOX.c.person == person.id, OUTBOX.c.kind == "page"]
    if key:
        where.append(OUTBOX.c.key == key)
    wanted = select(OUTBOX.c.stream, OUTBOX.c.page).where(*where).order_by(OUTBOX.c.id.desc())
    with house.record.read() as tx:
        rows = tx.connection.execute(wanted.limit(PAGES_LOOKED_AT)).all()
    return list(dict.fromkeys((str(row[0]), int(row[1])) for row in rows))


def _is_open(house: House, stream: str, number: int) -> bool:
    page = house.desk.state(stream).pages.get(number)
    return page is not None and page.state == "open"


def _answer(outcome: Outcome, stream: str, lang: str) -> tuple[int, Mapping[str, Any], bool]:
    if outcome.accepted:
        seen = "page.seen" in outcome.kinds()
        return 200, _said("seen" if seen else "done", lang, stream=stream), outcome.queued > 0
    named = {
        Reason.ALREADY: "already",
        Reason.DUPLICATE: "duplicate",
        Reason.NO_SUCH_PAGE: "nothing",
        Reason.CHANNEL_DISTRUSTED: "out-of-band",
    }
    result = named.get(outcome.refused, "refused") if outcome.refused is not None else "refused"
    return (403 if result in {"refused", "out-of-band"} else 200), _said(result, lang, stream=stream), False


def _said(result: str, lang: str, **values: str) -> dict[str, str]:
    """`result` is for the gateway, `reply` may go back to the telephone. The distrusted hear nothing."""
    said = texts(lang)(f"gateway.{result}", **values) if result != "out-of-band" else ""
    return {"result": result, "reply": said}
