"""The people of the bank: they declare, acknowledge, decide and work by the API until it answers."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from console.opening import House, open_house
from models.errors import RecordError
from models.playbook import FACTORS
from models.state import SETTLED, Incident, Page
from tests.chaos.bank import PLAYBOOK
from tests.chaos.seen import Answered

PATIENCE = 4.0
DUTY, LEAD = "suzuki-daichi", "sato-kenji"
ACKS_AFTER = (0.5, 0.5, 7.0, 0.5, 13.0)
"""How long after a page somebody answers, in turn: most at once, some let it climb."""


@dataclass(frozen=True, kw_only=True)
class Act:
    """One command that somebody wants to give."""

    person: str
    path: str
    fields: Mapping[str, Any]


@dataclass(kw_only=True)
class People:
    """All of them at once. `answered` is what they were told is on record."""

    bank: Path
    port: int
    ports: list[int] = field(default_factory=list)
    """Of other nodes, which are asked when the one does not answer."""
    tokens: Mapping[str, str]
    incidents: int
    pause: float = 0.4
    prefix: str = "c"
    answered: list[Answered] = field(default_factory=list)
    acts: int = 0
    refused: int = 0
    unanswered: int = 0
    last_refusal: str = ""
    _keys: dict[str, str] = field(default_factory=dict)
    _house: House | None = None
    _declared_at: float = 0.0
    _numbers: int = 0
    _first_seen: dict[tuple[str, int], float] = field(default_factory=dict)

    def round(self) -> bool:
        """Let everybody do what they would do now; whether everything is done."""
        try:
            streams = self._streams()
            states = [self._desk().desk.incident(stream) for stream in streams]
        except RecordError:
            self.close()
            return False
        if len(states) < self.incidents and time.monotonic() - self._declared_at > self.pause:
            self._declared_at = time.monotonic()
            fields = {"text": f"odd {self.prefix}-{len(states)}", "playbook": [PLAYBOOK]}
            self.act(Act(person=DUTY, path="/incidents", fields=fields))
        busy = False
        for number, state in enumerate(states):
            for act in self._wants(number, state):
                busy = True
                self.act(act)
                break
        return len(states) >= self.incidents and not busy and all(_is_over(state) for state in states)

    def close(self) -> None:
        """Let the record go."""
        house, self._house = self._house, None
        if house is not None:
            with suppress(RecordError):
                house.record.close()

    def _desk(self) -> House:
        self._house = self._house or open_house(self.bank)
        return self._house

    def _streams(self) -> list[str]:
        with self._desk().record.read() as tx:
            return tx.incidents()

    # -- what they want -------------------------------------------------------------------------------------

    def _wants(self, number: int, state: Incident) -> Iterator[Act]:
        here = f"/incidents/{state.stream}"
        for page in state.open_pages():
            if (person := self._who_answers(number, state.stream, page)) is not None:
                yield Act(person=person, path=f"{here}/ack", fields={"page": str(page.id)})
        for key, known in state.steps.items():
            name = key.rpartition("/")[2]
            if known.status == "ready" and name == "begin":
                fields: dict[str, Any] = {"step": key, "set": [f"number={state.stream}"]}
                yield Act(person=DUTY, path=f"{here}/done", fields=fields)
            elif known.status == "ready" and name == "tell" and known.drafted:
                yield Act(person=LEAD, path=f"{here}/done", fields={"step": key})
            elif known.status == "ready" and name in {"first", "cut"}:
                yield self._decision(state, number, name, key)
            elif known.status in {"unknown", "failed"}:
                fields = {"step": key, "took_effect": known.status == "unknown", "reason": "looked"}
                yield Act(person=LEAD, path=f"{here}/step/retry", fields=fields)

    def _who_answers(self, number: int, stream: str, page: Page) -> str | None:
        seen = self._first_seen.setdefault((stream, page.id), time.monotonic())
        if time.monotonic() - seen < ACKS_AFTER[number % len(ACKS_AFTER)]:
            return None
        reached = [one.person for people in page.reached.values() for one in people]
        return next((one for one in reversed(reached) if one in self.tokens), None)

    def _decision(self, state: Incident, number: int, name: str, key: str) -> Act:
        fields: dict[str, Any] = {"step": key, "option": "contain", "reason": "it spreads"}
        if name == "cut":
            fields["option"] = "watch" if number % 3 == 2 else "cut"
            fields["factor"] = [f"{one}=unknown" for one in FACTORS]
        roles = {one.id for one in self._desk().institution.organisation.people if "ciso" in one.roles}
        return Act(person=next(iter(roles)), path=f"/incidents/{state.stream}/decide", fields=fields)

    # -- asking ---------------------------------------------------------------------------------------------

    def act(self, act: Act) -> int:
        """Give a command; the status, or 0 if nobody answered. Until answered it keeps its key."""
        what = f"{act.person} {act.path} {orjson.dumps(act.fields).decode()}"
        self._numbers += 1
        key = self._keys.setdefault(what, f"{self.prefix}-{self._numbers:08d}")
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1{act.path}",
            data=orjson.dumps(act.fields),
            headers={
                "Authorization": f"Bearer {self.tokens[act.person]}",
                "Content-Type": "application/json",
                "Idempotency-Key": key,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - our own node
                self._told(orjson.loads(answer.read()))
                status = answer.status
        except urllib.error.HTTPError as said:
            with said:
                status = said.code
                problem = said.read()
            if status in {429, 503} or b"in-progress" in problem:
                return status
            self.refused += 1
            self.last_refusal = f"{act.path} {act.person} {problem.decode()[:300]}"
        except (urllib.error.URLError, http.client.HTTPException, OSError, orjson.JSONDecodeError):
            self.unanswered += 1
            if self.ports:
                self.port, self.ports = self.ports[0], [*self.ports[1:], self.port]
            return 0
        self._keys.pop(what)
        return int(status)

    def _told(self, said: Any) -> None:
        self.acts += 1
        for fact in said.get("facts", ()):
            stream = fact.get("stream") or said.get("stream") or said.get("incident")
            self.answered.append(Answered(stream=stream, seq=fact["seq"], kind=fact["kind"]))


def _is_over(state: Incident) -> bool:
    """Whether every step is settled and nobody is being paged."""
    steps = bool(state.steps) and all(known.status in SETTLED for known in state.steps.values())
    return steps and not state.open_pages()
