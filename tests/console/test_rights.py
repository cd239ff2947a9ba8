"""The whole table: every command, endpoint, act in Slack and act there is has its row, and it is kept."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from starlette.routing import Mount, Route

from console import rights
from console.slack import http, slash
from console.slack.desk import FORMS
from console.web.app import create_app
from models import decide
from models.commands import Actor, Command
from models.desk import Desk
from models.exercise import Exercise
from models.permission import TABLE
from models.reason import Reason
from models.record import FACT
from models.state import House, Intake, Programme
from playbooks.institution import Institution
from tests.console.webhouse import Web, make_house
from tests.doctables import whole_names
from tests.models.small import NIGHT, Scene, by, organisation, scene

SOON = NIGHT + timedelta(days=3)
STREAMS = {House: "house", Intake: "intake", Programme: "programme", Exercise: "exercise"}
HELD_BACK = {
    Reason.ROLE_MISSING, Reason.UNKNOWN_PERSON, Reason.AUTHORITY_MISSING, Reason.NOT_YOURS,
    Reason.NO_SUCH_ITEM, Reason.NO_SUCH_STEP, Reason.NO_SUCH_PAGE, Reason.NOT_ASKED_TO_CONFIRM,
}  # fmt: skip


def subclasses(kind: type[Command]) -> Iterator[type[Command]]:
    for one in kind.__subclasses__():
        yield one
        yield from subclasses(one)


EVERY = sorted({one for one in subclasses(Command) if one.__module__.startswith("models.")}, key=str)
PEOPLES = [one for one in EVERY if one.__name__ not in rights.MACHINES]


def test_every_command_has_one_row() -> None:
    known = [rights.LOOKS, rights.ACTS, rights.FREE]
    counts = {name: sum(name in one for one in known) for name in whole_names()}
    assert {name: count for name, count in counts.items() if count != 1} == {}


def test_every_row_names_a_right_of_the_table() -> None:
    named = {*rights.LOOKS.values(), *rights.ACTS.values(), *rights.SLACK.values(), *rights.OF.values()}
    assert {one for one in named if one not in TABLE} <= {"share", "share-sent", "evidence-collect"}


def test_every_endpoint_has_a_row(bank: Institution, desk: Desk, tmp_path: Path) -> None:
    app = create_app(make_house(bank, desk, tmp_path), lambda: None, Web._run, dict, lambda: 0.0)  # type: ignore[arg-type]
    routes = {
        f"{method} {one.path}"
        for one in app.routes
        if isinstance(one, Route)
        for method in (one.methods or set()) - {"HEAD"}
    }
    mounted = {f"ANY {one.path}/…" for one in app.routes if isinstance(one, Mount)}
    assert routes | mounted | {f"POST {http.PATH}"} == set(rights.DOORS)


def test_every_act_in_slack_has_a_row() -> None:
    assert {*FORMS, *slash.WORDS} <= set(rights.SLACK)


def test_every_act_has_a_row_and_each_is_somebodys() -> None:
    names = {one.__name__ for one in EVERY}
    assert names == names & ({*rights.OF} | rights.MACHINES)
    assert not {*rights.OF} & rights.MACHINES


# -- each is tried ------------------------------------------------------------------------------------------


def value_of(hint: Any) -> Any:
    """Something of this type."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin is typing.Literal:
        return inside[0]
    if origin in {typing.Union, types.UnionType}:
        return None if type(None) in inside else value_of(inside[0])
    plain = {str: "x", int: 1, bool: False, datetime: SOON}
    if hint in plain:
        return plain[hint]
    if origin is not None and issubclass(origin, Mapping):
        return {}
    return ()


def made_of(kind: type[Command], actor: Actor) -> Command:
    hints = get_type_hints(kind)
    needed = [one for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]
    values = {one.name: value_of(hints[one.name]) for one in needed if one.name != "actor"}
    values |= {"service": "payments"} if "service" in values else {}
    return kind(actor=actor, **values)


def stream_of(kind: type[Command], made: Scene) -> str:
    state = next(state for state, table in decide._RULES.items() if kind in table)
    return STREAMS.get(state, made.stream)


def stored(made: Scene) -> list[tuple[str, str]]:
    with made.desk.record.read() as tx:
        return [
            (row.stream, row.kind) for row in tx.connection.execute(FACT.select().order_by(FACT.c.stream))
        ]


def nobodys() -> Any:
    """The small bank with somebody in it who has no role."""
    base = organisation().model_dump()
    from models.organisation import Organisation  # noqa: PLC0415

    zed = {"id": "zed", "name": "Zed"}
    return Organisation.model_validate(base | {"people": [*base["people"], zed]})


@pytest.mark.parametrize("kind", PEOPLES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("who", ["a stranger", "somebody without a role"])
def test_whoever_has_no_right_is_refused_and_nothing_else_is_written(kind: type[Command], who: str) -> None:
    row = rights.OF[kind.__name__]
    free = "*" in TABLE.get(row, ())
    if who != "a stranger" and free:
        who = "a stranger"
    made = scene(organisation=nobodys())
    before = stored(made)
    actor = by(None) if who == "a stranger" else by("zed")
    outcome = made.desk.handle(stream_of(kind, made), made_of(kind, actor))
    assert outcome.refused in HELD_BACK, (outcome.refused, outcome.detail)
    after = stored(made)
    for one in before:
        after.remove(one)
    assert after == [("house", "refused")]
