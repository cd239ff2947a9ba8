"""How a person is reached: the order of channels, delays, quiet hours. Read as a script."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from models.commands import Acknowledge, Declare, MarkDelivery
from models.organisation import Quiet, Reach
from models.reach import quiet_until
from models.record import micros
from tests.models.small import AMY, BEN, MACHINE, NIGHT, ROUTES, Scene, by, organisation, policy, route, scene

ORDER = [{"channel": "console"}, {"channel": "file", "after": "2m"}, {"channel": "email", "after": "5m"}]
QUIET = {"from": "22:00", "until": "07:00", "except_at_least": "high"}
SLACK = frozenset({"console", "file", "email"})
BOTH = [
    route("main", "declared", "severity-raised", levels=[{"to": [AMY, BEN], "within": "5m"}]),
    *ROUTES[1:],
]


def bank(*reach: dict[str, Any], who: tuple[str, ...] = (AMY,)) -> Any:
    """The small bank, where these people have rules of reach. It is three at night in Tokyo."""
    rules = tuple(Reach.model_validate(one) for one in reach)
    made = organisation()
    people = [
        one.model_copy(update={"reach": rules, "email": f"{one.id}@bank.example"}) if one.id in who else one
        for one in made.people
    ]
    return made.model_copy(update={"people": tuple(people)})


def night(
    *reach: dict[str, Any], who: tuple[str, ...] = (AMY,), severity: str | None = None, **more: Any
) -> Scene:
    made = scene(organisation=bank(*reach, who=who), channels=SLACK, declare=False, **more)
    made.stream = made.desk.handle(None, Declare(actor=by(AMY), text="odd", severity=severity)).stream
    return made


def due(one: Scene, **where: Any) -> dict[str, float]:
    """Channel -> minutes after three at which its message may leave."""
    rows = one.outbox(stream=one.stream, **where)
    return {row["channel"]: (row["next_try_at"] - micros(NIGHT)) / 60e6 for row in rows}


def asked(one: Scene) -> list[dict[str, Any]]:
    (fact,) = one.facts("page.asked")
    people: list[dict[str, Any]] = fact.data["recipients"]
    return people


def test_later_channels_have_their_instants_from_the_call_on() -> None:
    one = night({"channels": ORDER})
    assert due(one, kind="page", person=AMY) == {"console": 0, "file": 2, "email": 5}
    assert asked(one)[0]["after"] == {"file": 120, "email": 300}
    keys = {row["key"] for row in one.outbox(kind="page", person=AMY)}
    assert len({key.rsplit("/", 1)[0] for key in keys}) == 1 and len(keys) == 3
    one.wait(1)
    assert due(one, kind="page", person=AMY) == {"console": 0, "file": 2, "email": 5}, "nothing drifts"


def test_an_answer_by_anybody_withdraws_what_waits() -> None:
    one = night({"channels": ORDER})
    one.do(Acknowledge(actor=by(BEN)))
    assert {row["state"] for row in one.outbox(kind="page", person=AMY)} == {"withdrawn"}


def test_the_severity_chooses_the_rule_and_the_first_that_fits_counts() -> None:
    rules = (
        {"severities": ["low"], "channels": [{"channel": "email"}]},
        {"at_least": "high", "channels": ORDER},
    )
    assert list(due(night(*rules), kind="page", person=AMY)) == ["email"]
    assert list(due(night(*rules, severity="high"), kind="page", person=AMY)) == ["console", "file", "email"]
    assert list(due(night(*rules, severity="medium"), kind="page", person=AMY)) == ["console"], "own channels"


def test_a_route_that_names_channels_says_it_all() -> None:
    level = {"to": [AMY], "within": "5m", "channels": ["file", "console"]}
    named = [route("main", "declared", "severity-raised", levels=[level]), *ROUTES[1:]]
    one = night({"channels": ORDER}, policy=policy(routes=named))
    assert due(one, kind="page", person=AMY) == {"file": 0}


def test_the_first_channel_that_can_be_used_goes_at_once() -> None:
    first = [{"channel": "slack"}, {"channel": "file", "after": "2m"}, {"channel": "email", "after": "5m"}]
    assert due(night({"channels": first}), kind="page", person=AMY) == {"file": 0, "email": 5}


def test_in_quiet_hours_a_page_uses_only_what_may_ring() -> None:
    channels = [{"channel": "console"}, {"channel": "file", "after": "2m", "quiet": True}]
    one = night({"channels": channels, "quiet": QUIET})
    assert due(one, kind="page", person=AMY) == {"file": 0}
    assert asked(one)[0] | {"role": ""} == {"person": AMY, "role": "", "channels": ["file"], "quiet": "kept"}


def test_who_may_not_be_woken_is_left_asleep_while_somebody_else_is_called() -> None:
    one = night({"channels": ORDER, "quiet": QUIET}, policy=policy(routes=BOTH))
    assert {row["person"] for row in one.outbox(kind="page")} == {BEN}
    assert [(who["person"], who.get("quiet")) for who in asked(one)] == [(AMY, "held"), (BEN, None)]


def test_if_that_leaves_nobody_the_page_goes_out_all_the_same_and_says_so() -> None:
    one = night({"channels": ORDER, "quiet": QUIET}, who=(AMY, BEN), policy=policy(routes=BOTH))
    assert {row["person"] for row in one.outbox(kind="page")} == {AMY, BEN}
    assert {who["quiet"] for who in asked(one)} == {"broken"}


def test_the_gravest_wake_everybody() -> None:
    one = night({"channels": ORDER, "quiet": QUIET}, severity="high", policy=policy(routes=BOTH))
    assert {row["person"] for row in one.outbox(kind="page")} == {AMY, BEN}
    assert all("quiet" not in who for who in asked(one))


def test_the_last_resort_wakes_whoever_it_names() -> None:
    one = night({"channels": ORDER, "quiet": QUIET}, who=("cho",))
    one.wait(21)
    (fact,) = one.facts("page.exhausted")
    assert [(who["person"], who["quiet"]) for who in fact.data["recipients"]] == [("cho", "broken")]


def test_a_notice_waits_for_the_morning_and_holds_up_nothing() -> None:
    one = night({"channels": ORDER, "quiet": QUIET})
    morning = due(one, kind="notice", person=AMY)
    assert morning == {"console": 240.0}, (
        "four hours later it is seven in Tokyo, and no later channel is asked"
    )
    (fact,) = one.facts("message.requested")
    assert fact.data["recipients"][0]["held_until"] == "2026-11-22T22:00:00.000000Z"


def test_when_one_of_two_asleep_cannot_be_and_the_other_fails_the_next_level_is_paged() -> None:
    levels = [{"to": [AMY, BEN], "within": "5m"}, {"to": ["ciso"], "within": "5m"}]
    routes = [route("main", "declared", "severity-raised", levels=levels), *ROUTES[1:]]
    one = night({"channels": ORDER, "quiet": QUIET}, policy=policy(routes=routes))
    (row,) = one.outbox(kind="page")
    command = MarkDelivery(
        actor=MACHINE, key=row["key"], outcome="given_up", page=row["page"], channel="console", person=BEN
    )
    assert "page.hurried" in one.do(command)


def test_what_reached_somebody_elsewhere_hurries_nobody() -> None:
    one = night({"channels": ORDER})
    row = one.outbox(kind="page", channel="email")[0]
    command = MarkDelivery(
        actor=MACHINE,
        key=row["key"],
        outcome="given_up",
        page=row["page"],
        channel="email",
        person=AMY,
        reached=True,
    )
    assert "page.hurried" not in one.do(command)
    assert one.page().failed == []
    assert one.facts("message.given_up")[0].data["reached"] is True


JST, BERLIN = "Asia/Tokyo", "Europe/Berlin"


@pytest.mark.parametrize(
    ("sentence", "since", "until", "zone", "now", "ends"),
    [
        ("at three at night they end at seven", 22, 7, JST, "2026-11-22T18:00", "2026-11-22T22:00"),
        ("before midnight they end tomorrow", 22, 7, JST, "2026-12-31T14:00", "2026-12-31T22:00"),
        ("at ten they begin", 22, 7, JST, "2026-11-22T13:00", "2026-11-22T22:00"),
        ("at seven they are over", 22, 7, JST, "2026-11-22T22:00", ""),
        ("at noon there are none", 22, 7, JST, "2026-11-22T03:00", ""),
        ("within one day", 1, 5, JST, "2026-11-22T18:00", "2026-11-22T20:00"),
        ("after one day's", 1, 5, JST, "2026-11-22T20:00", ""),
        ("never, if both are the same", 7, 7, JST, "2026-11-22T22:00", ""),
        ("a night of summer time's end is longer", 22, 7, BERLIN, "2026-10-24T21:00", "2026-10-25T06:00"),
        ("a night of its beginning is shorter", 22, 7, BERLIN, "2026-03-28T22:00", "2026-03-29T05:00"),
    ],
)
def test_quiet_hours_end_by_the_clock_on_the_wall(
    sentence: str, since: int, until: int, zone: str, now: str, ends: str
) -> None:
    quiet = Quiet.model_validate({"from": time(since), "until": time(until), "except_at_least": "high"})
    expected = datetime.fromisoformat(ends).replace(tzinfo=UTC) if ends else None
    assert quiet_until(quiet, zone, datetime.fromisoformat(now).replace(tzinfo=UTC)) == expected, sentence
    own = quiet.model_copy(update={"zone": zone})
    assert quiet_until(own, "America/New_York", datetime.fromisoformat(now).replace(tzinfo=UTC)) == expected


def test_in_the_hour_that_comes_twice_quiet_hours_do_not_end_in_the_past() -> None:
    quiet = Quiet.model_validate({"from": time(22), "until": time(2, 30), "except_at_least": "high"})
    now = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert quiet_until(quiet, BERLIN, now) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_delays_are_kept_by_the_route_clock() -> None:
    """The page goes on by its own times, whatever waits on other channels."""
    one = night({"channels": [{"channel": "console"}, {"channel": "file", "after": "20m"}]})
    assert "page.escalated" in one.wait(5)
    assert due(one, kind="page", person=AMY)["file"] == 20
    assert one.outbox(person=AMY, channel="file")[0]["state"] == "queued", (
        "still open for her: it may yet ring"
    )
    assert one.clock.now() == NIGHT + timedelta(minutes=5)
