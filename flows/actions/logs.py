"""`logs.collect`: logs of a range of time, asked of an HTTP API page after page, by GET alone.

The bodies are kept as they came, one after the other: JSON texts in a row, which every JSON tool reads. If
the connection drops on the way, what came is kept and marked, and the source counts as unreachable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import orjson

from flows.actions.http import secret_of, value_at
from flows.actions.parameters import check, printable
from flows.actions.ranges import Range, range_of, without_range
from flows.actions.taking import Haul, Span, Taking, about, unreachable
from flows.actions.values import ActionContext, ActionResult, Params
from models.targets import LogsTarget, place_of

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
TRIES = 3
PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 60.0
MAX_EXCERPT_CHARACTERS = 200
_AGAIN = frozenset({429, 500, 502, 503, 504})
_OK = 200
_BROKE = (httpx.HTTPError, httpx.InvalidURL)


async def collect(target: LogsTarget, params: Params, context: ActionContext) -> ActionResult:
    """Take the range. Outputs: `files`, `bytes`, `partial`, `left_out`, `pages`, `from`, `until`.

    Raises SourceUnreachable if the API cannot be reached, refuses or breaks off; what came is kept, marked.
    """
    span = Span(context)
    values = check(target.parameters, without_range(params))
    asked = range_of(params, context, target.before)
    secret = secret_of(target.secret, context)
    client = httpx.AsyncClient(
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        follow_redirects=False,
        trust_env=False,
        verify=target.url.startswith("https"),
    )
    async with client:
        return await _Run(target, values, asked, secret, context, span, client).run()


class _Stopped(Exception):
    """It ends here, before its end, and why. `lost`: the source is at fault, and somebody is paged."""

    def __init__(self, why: str, *, lost: bool) -> None:
        super().__init__(why)
        self.lost = lost


class _Run:
    """One collection under way."""

    def __init__(  # noqa: PLR0913, PLR0917 - what one collection needs
        self,
        target: LogsTarget,
        values: Mapping[str, str],
        asked: Range,
        secret: str | None,
        context: ActionContext,
        span: Span,
        client: httpx.AsyncClient,
    ) -> None:
        self._target, self._asked, self._context = target, asked, context
        self._span, self._client = span, client
        self._headers = {**target.headers, "Accept-Encoding": "identity"}
        if secret is not None:
            self._headers["Authorization"] = f"Bearer {secret}"
        self._query = {**values, **query_of(target, asked)}
        self._offset: int | None = None
        self._pages = 0

    async def run(self) -> ActionResult:
        """Page after page into one object."""
        target, where = self._target, place_of(self._target)
        what = about(
            f"{where.replace(':', '-')}.log",
            str(httpx.URL(target.url).copy_with(query=None, userinfo=b"")),
            self._span,
            tool=f"logs.collect: GET {httpx.URL(target.url).path}",
            host=where,
            range_from=self._asked.begins_text,
            range_until=self._asked.ends_text,
        )
        with Taking(self._context, what, target.max_bytes) as taking:
            stopped: _Stopped | None = None
            try:
                async with asyncio.timeout(self._span.left()):
                    await self._all(taking)
            except TimeoutError:
                stopped = _Stopped(f"the time of {self._span.seconds:g} s is over", lost=not taking.size)
            except _Stopped as broken:
                stopped = broken
            taking.about(offset_ms=self._offset)
            haul = Haul()
            if taking.size or stopped is None:
                why = None if stopped is None or taking.cut else f"page {self._pages + 1}: {stopped}"
                # Forced to the disk in a thread: nothing else is to wait for that.
                haul.items.append(await asyncio.to_thread(taking.keep, why))
        if stopped is not None and stopped.lost:
            raise unreachable(where, str(stopped), haul.items)
        result = haul.result(where, "log")
        result.outputs.update(
            {
                "pages": str(self._pages),
                "from": self._asked.begins_text or "-",
                "until": self._asked.ends_text,
            }
        )
        return result

    async def _all(self, taking: Taking) -> None:
        """Raises _Stopped, TimeoutError."""
        url = httpx.URL(self._target.url)
        address: httpx.URL | None = url.copy_merge_params(self._query)
        if self._target.page_as is not None:
            address = self._numbered(url)
        while address is not None:
            if self._pages >= self._target.max_pages:
                raise _Stopped(f"more than {self._target.max_pages} pages", lost=False)
            body, link = await self._page(address, taking)
            self._pages += 1
            address = self._following(url, body, link, address)

    def _numbered(self, url: httpx.URL) -> httpx.URL:
        number = str(self._target.page_from + self._pages)
        return url.copy_merge_params({**self._query, self._target.page_as or "": number})

    async def _page(self, address: httpx.URL, taking: Taking) -> tuple[bytes, str | None]:
        """One page into the object: its body as far as it is needed to go on, and its link to the next."""
        for number in range(TRIES):
            last = number == TRIES - 1
            before = self._span.now()
            try:
                request = self._client.build_request("GET", address, headers=self._headers)
                answer = await self._client.send(request, stream=True)
            except _BROKE as wrong:
                if last:
                    raise _Stopped(f"not reached: {type(wrong).__name__}", lost=True) from wrong
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            try:
                self._measure(answer, before)
                if answer.status_code == _OK:
                    return await self._body(answer, taking), _next_link(answer)
                said = await self._excerpt(answer)
                if last or answer.status_code not in _AGAIN:
                    raise _Stopped(f"it answered {answer.status_code}: {said}", lost=True)
            finally:
                await answer.aclose()
            await asyncio.sleep(_pause(answer))
        raise AssertionError("the last try returns or raises")

    async def _body(self, answer: httpx.Response, taking: Taking) -> bytes:
        body, follows = (
            bytearray(),
            self._target.next not in {None, "link"} or self._target.page_as is not None,
        )
        try:
            async for piece in answer.aiter_raw():
                if not taking.add(piece):
                    raise _Stopped(f"more than {self._target.max_bytes} bytes", lost=False)
                if follows:
                    body += piece
                    if len(body) > self._target.page_bytes:
                        raise _Stopped(f"a page of more than {self._target.page_bytes} bytes", lost=False)
        except _BROKE as wrong:
            raise _Stopped(f"the connection broke: {type(wrong).__name__}", lost=True) from wrong
        if taking.size:
            taking.add(b"\n")
        return bytes(body)

    async def _excerpt(self, answer: httpx.Response) -> str:
        said = b""
        try:
            async for piece in answer.aiter_raw():
                said += piece
                if len(said) > MAX_EXCERPT_CHARACTERS * 4:
                    break
        except _BROKE as wrong:
            return type(wrong).__name__
        text = said.decode("utf-8", "replace")
        secret = self._headers.get("Authorization", "").removeprefix("Bearer ")
        return printable(text.replace(secret, "***") if secret else text, MAX_EXCERPT_CHARACTERS)

    def _measure(self, answer: httpx.Response, before: datetime) -> None:
        """The clock there, by the header Date: to the second, so half a second is added."""
        if self._offset is not None or "date" not in answer.headers:
            return
        try:
            theirs = parsedate_to_datetime(answer.headers.get_list("date")[0])
        except ValueError:
            return
        if theirs.tzinfo is not None:
            middle = before + (self._span.now() - before) / 2
            self._offset = round((theirs - middle).total_seconds() * 1_000) + 500

    def _following(self, url: httpx.URL, body: bytes, link: str | None, asked: httpx.URL) -> httpx.URL | None:
        """Where the next page is; None at the end. Raises _Stopped."""
        target = self._target
        if target.page_as is not None:
            found = self._found(body, target.items)
            return self._numbered(url) if isinstance(found, list) and found else None
        if target.next is None:
            return None
        if target.items is not None and target.next != "link" and self._found(body, target.items) == []:
            return None
        following = link if target.next == "link" else self._found(body, target.next)
        if following in {None, "", False} or not isinstance(following, str | int):
            return None
        if target.next_as is not None:
            address = url.copy_merge_params({**self._query, target.next_as: str(following)})
        else:
            address = _same_place(asked, str(following))
        if address == asked:
            raise _Stopped("its next page is the same page again", lost=False)
        return address

    def _found(self, body: bytes, path: str | None) -> Any:
        try:
            return value_at(orjson.loads(body), path or "")
        except orjson.JSONDecodeError as wrong:
            raise _Stopped("its answer is no JSON, so that nobody knows what follows", lost=False) from wrong
        except LookupError:
            return None


def _same_place(asked: httpx.URL, following: str) -> httpx.URL:
    """A link from the answer is data from outside: it may lead on, but to no other host. Raises _Stopped."""
    try:
        address = asked.join(following)
    except httpx.InvalidURL as wrong:
        raise _Stopped("its link to the next page cannot be read", lost=False) from wrong
    if (address.scheme, address.netloc) != (asked.scheme, asked.netloc):
        raise _Stopped("its link to the next page leads to another host; not followed", lost=False)
    return address


def _next_link(answer: httpx.Response) -> str | None:
    return answer.links.get("next", {}).get("url")


def _pause(answer: httpx.Response) -> float:
    text = answer.headers.get("retry-after", "")
    return min(float(text), MAX_PAUSE_SECONDS) if text.isdecimal() else PAUSE_SECONDS


def query_of(target: LogsTarget, asked: Range) -> dict[str, str]:
    """The range as the API takes it."""
    query = {target.until_as: _written(asked.ends, target)}
    if asked.begins is not None:
        query[target.from_as] = _written(asked.begins, target)
    return query


def _written(at: datetime, target: LogsTarget) -> str:
    if target.times == "iso":
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    factor = 1 if target.times == "seconds" else 1_000
    return str(int(at.timestamp() * factor))
