"""What programs ask a node about itself: should somebody look, may traffic come, and the figures."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from console.counting import Counts
from console.opening import House, secrets_of
from console.web import prometheus
from console.web.health import health
from console.web.ready import Readiness
from console.web.running import Run, Station
from console.web.security import is_local
from models.errors import BadConfiguration, RecordError

ANSWER_SECONDS = 2.0
METRICS = "metrics"
Status = Callable[[], Mapping[str, Any]]


class WatchDoor:
    """`/health`, `/ready`, `/metrics`. `closed` are alert sources without their secret, with the reason."""

    def __init__(
        self, station: Station, run: Run, house: House, status: Status, closed: Mapping[str, str]
    ) -> None:
        self._house, self._run, self._status = house, run, status
        # Figures are read where they keep nobody waiting who writes.
        self._aside = station.aside or station
        self._readiness = Readiness(house)
        self._counts = Counts()
        self.houses = (house, station.house, *([station.aside.house] if station.aside else []))
        """Every house in which this process writes."""
        self._counts.listen(*self.houses)
        self.closed = dict(closed)
        self._token = self._read_token()
        self.besides: Status = dict
        """What is known of the node elsewhere than in its status."""

    def _read_token(self) -> bytes:
        """What lets somebody read the figures from elsewhere; empty if nothing does."""
        reference = self._house.institution.settings.metrics.token
        if reference is None:
            return b""
        try:
            return secrets_of(self._house.institution.directory)(reference).encode()
        except BadConfiguration as missing:
            self.closed[METRICS] = str(missing)
            return b""

    async def health(self, request: Request) -> Response:
        """Should somebody look: 200, or 503 if so."""
        state, why = await self._asked(self._status)
        if state is None:
            # Whoever watches must not hang with us: the record is held, or its thread is.
            state = {"status": "impaired", "impaired": {"record": why}}
        code, body = health(state, self.closed)
        return JSONResponse(body, code)

    async def ready(self, request: Request) -> Response:
        """May traffic be sent here: 200, or 503 if not."""
        found, why = await self._asked(lambda: self._readiness.problems(self._status()))
        if found is None:
            found = {"writer": why}
        return JSONResponse({"ready": not found, "why": found}, 503 if found else 200)

    async def metrics(self, request: Request) -> Response:
        """For Prometheus: counts, and no word of any incident. From this machine, or with the token."""
        if not (is_local(request) or self._is_known(request)):
            return JSONResponse({"error": "not found"}, 404)
        state, _ = await self._asked(self._status)
        text: str | None = None
        if state is not None:
            status = {**state, **self.besides()}
            text, _ = await self._asked(partial(self._measures, status), self._aside.run)
        return Response(text or prometheus.unreachable(self._counts), media_type=prometheus.CONTENT_TYPE)

    def _measures(self, status: Mapping[str, Any]) -> str:
        return prometheus.measures(self._aside.house, status, self._counts)

    def _is_known(self, request: Request) -> bool:
        given = request.headers.get("authorization", "").encode()
        return bool(self._token) and hmac.compare_digest(given, b"Bearer " + self._token)

    async def _asked(self, look: Callable[[], Any], run: Run | None = None) -> tuple[Any, str]:
        """What was found in the record's thread, or None and why it could not be looked for."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await (run or self._run)(look), ""
        except TimeoutError:
            return None, f"no answer in {ANSWER_SECONDS:g} s"
        except RecordError as failed:
            return None, str(failed)
