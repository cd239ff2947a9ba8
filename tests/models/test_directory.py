"""Who is it now: rotas over DST and the year's end, deputies, overrides, rights."""

from __future__ import annotations

import time as stopwatch
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import models.directory
from models.directory import Directory, Holder, shift_rule
from models.errors import BadConfiguration, NaiveInstant
from models.organisation import Organisation, Shift

TOKYO = ZoneInfo("Asia/Tokyo")


def tokyo(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=TOKYO)  # type: ignore[misc,arg-type]


def person(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "name": name.title(), **more}


def organisation(people: list[dict[str, Any]], *shifts: dict[str, Any], **more: Any) -> Organisation:
    rota = {"id": "duty-rota", "shifts": shifts, "zone": more.pop("zone", "Asia/Tokyo")}
    rota["overrides"] = more.pop("overrides", [])
    return Organisation.model_validate(
        {
            "name": "みほん銀行",
            "people": people,
            "roles": [
                {"id": "duty", "title": "当番", "rota": "duty-rota" if shifts else None},
                {"id": "ciso", "title": "CISO"},
            ],
            "rotas": [rota] if shifts else [],
            **more,
        }
    )


def names(holders: tuple[Holder, ...]) -> list[str]:
    return [f"{h.person.id}<{h.deputy_for}" if h.deputy_for else h.person.id for h in holders]


AB = [person("aoki"), person("baba")]
DAILY = {"rule": "FREQ=DAILY", "starts": "09:00", "lasts": "24h", "people": ["aoki", "baba"]}


@pytest.mark.parametrize(
    ("sentence", "rotate", "at", "expected"),
    [
        ("without turns all of a shift are on duty", "none", tokyo(2026, 11, 23, 10), ["aoki", "baba"]),
        ("daily turns are counted from since", "daily", tokyo(2026, 1, 1, 9), ["aoki"]),
        ("the next day is the next one's", "daily", tokyo(2026, 1, 2, 9), ["baba"]),
        ("before the shift starts yesterday's is still on", "daily", tokyo(2026, 1, 2, 8, 59), ["aoki"]),
        ("a week lasts seven days from since", "weekly", tokyo(2026, 1, 7, 23), ["aoki"]),
        ("and then the other takes over", "weekly", tokyo(2026, 1, 8, 9), ["baba"]),
        ("before since nobody is on duty", "daily", tokyo(2025, 12, 31, 12), []),
        ("the last evening of the year", "daily", tokyo(2026, 12, 31, 23, 59), ["aoki"]),
        ("still the same shift in the new year", "daily", tokyo(2027, 1, 1, 8, 59), ["aoki"]),
        ("the first shift of the new year", "daily", tokyo(2027, 1, 1, 9), ["baba"]),
    ],
)
def test_turns(sentence: str, rotate: str, at: datetime, expected: list[str]) -> None:
    directory = Directory(organisation(AB, {**DAILY, "rotate": rotate}))
    assert names(directory.holders("duty", at)) == expected, sentence


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Europe/Rome", "America/New_York", "Australia/Lord_Howe"])
def test_a_shift_starts_by_the_wall_clock_and_lasts_in_utc_over_every_change_of_2027(zone: str) -> None:
    shift = {**DAILY, "starts": "08:00", "lasts": "8h", "people": ["aoki"]}
    directory = Directory(organisation(AB, shift, zone=zone))
    day = date(2027, 1, 1)
    while day.year == 2027:
        starts = datetime.combine(day, time(8), ZoneInfo(zone)).astimezone(UTC)
        ends = starts + timedelta(hours=8)
        tick = timedelta(microseconds=1)
        on = [names(directory.holders("duty", at)) for at in (starts - tick, starts, ends - tick, ends)]
        assert on == [[], ["aoki"], ["aoki"], []], day
        day += timedelta(days=1)


def test_a_shift_that_would_start_in_the_lost_hour_starts_when_the_clocks_go_on() -> None:
    shift = {**DAILY, "starts": "02:30", "lasts": "1h", "people": ["aoki"]}
    directory = Directory(organisation(AB, shift, zone="Europe/Rome"))
    assert names(directory.holders("duty", datetime(2027, 3, 28, 1, 29, tzinfo=UTC))) == []
    assert names(directory.holders("duty", datetime(2027, 3, 28, 1, 30, tzinfo=UTC))) == ["aoki"]
    assert names(directory.holders("duty", datetime(2027, 3, 28, 2, 30, tzinfo=UTC))) == []


def test_a_shift_of_a_day_leaves_an_hour_free_when_summer_time_ends() -> None:
    directory = Directory(organisation(AB, DAILY, zone="Europe/Rome"))
    sunday = datetime(2027, 10, 31, tzinfo=UTC)
    assert names(directory.holders("duty", sunday + timedelta(hours=7, minutes=30))) == []
    assert names(directory.holders("duty", sunday + timedelta(hours=8))) == ["aoki", "baba"]


def test_a_shift_longer_than_a_month_is_found_from_its_start() -> None:
    shift = {"rule": "FREQ=YEARLY", "starts": "00:00", "lasts": "200d", "people": ["aoki"]}
    directory = Directory(organisation(AB, shift))
    assert names(directory.holders("duty", tokyo(2027, 7, 1))) == ["aoki"]
    assert names(directory.holders("duty", tokyo(2027, 8, 1))) == []


def test_the_last_override_wins_for_its_time_and_only_for_that() -> None:
    overrides = [
        {"since": "2026-11-23T18:00:00+09:00", "until": "2026-11-24T09:00:00+09:00", "people": ["baba"]},
        {"since": "2026-11-23T20:00:00+09:00", "until": "2026-11-23T21:00:00+09:00", "people": ["chiba"]},
    ]
    shift = {**DAILY, "people": ["aoki"]}
    directory = Directory(organisation([*AB, person("chiba")], shift, overrides=overrides))
    hours = {h: names(directory.holders("duty", tokyo(2026, 11, 23, h))) for h in (17, 18, 20, 21)}
    assert hours == {17: ["aoki"], 18: ["baba"], 20: ["chiba"], 21: ["baba"]}
    assert names(directory.holders("duty", tokyo(2026, 11, 24, 9))) == ["aoki"]


def away(since: str, until: str) -> dict[str, Any]:
    return {"absences": [{"since": since, "until": until}]}


LEAVE = away("2026-11-23T09:30:00+09:00", "2026-11-24T09:00:00+09:00")


def test_without_a_rota_all_who_have_the_role_hold_it() -> None:
    people = [person("aoki", roles=["ciso"]), person("baba"), person("chiba", roles=["ciso"])]
    assert names(Directory(organisation(people)).holders("ciso", tokyo(2026, 11, 23))) == ["aoki", "chiba"]


def test_the_absent_are_replaced_by_the_first_deputy_who_is_there() -> None:
    people = [
        person("aoki", roles=["ciso"], deputies=["baba", "chiba"], **LEAVE),
        person("baba", **LEAVE),
        person("chiba"),
    ]
    directory = Directory(organisation(people))
    assert names(directory.holders("ciso", tokyo(2026, 11, 23, 9, 29))) == ["aoki"]
    assert names(directory.holders("ciso", tokyo(2026, 11, 23, 9, 30))) == ["chiba<aoki"]
    assert names(directory.holders("aoki", tokyo(2026, 11, 23, 9, 30))) == ["chiba<aoki"]
    assert names(directory.holders("ciso", tokyo(2026, 11, 24, 9))) == ["aoki"]


def test_deputies_of_deputies_stand_in_and_a_circle_ends_with_nobody() -> None:
    people = [
        person("aoki", roles=["ciso"], deputies=["baba"], **LEAVE),
        person("baba", deputies=["aoki", "chiba"], **LEAVE),
        person("chiba", **LEAVE),
    ]
    at = tokyo(2026, 11, 23, 12)
    assert names(Directory(organisation(people)).holders("ciso", at)) == []
    people[2] = person("chiba")
    assert names(Directory(organisation(people)).holders("ciso", at)) == ["chiba<aoki"]


def test_a_chain_of_deputies_longer_than_the_bound_ends_with_nobody() -> None:
    chain = [person(f"p{n}", deputies=[f"p{n + 1}"], **LEAVE) for n in range(9)]
    chain[0]["roles"] = ["ciso"]
    assert (
        names(Directory(organisation([*chain, person("p9")])).holders("ciso", tokyo(2026, 11, 23, 12))) == []
    )


def test_somebody_who_holds_the_role_and_stands_in_for_another_is_named_once_as_holder() -> None:
    people = [
        person("aoki", roles=["ciso"], deputies=["baba"], **LEAVE),
        person("baba", roles=["ciso"]),
        person("chiba", roles=["ciso"], deputies=["baba"], **LEAVE),
    ]
    assert names(Directory(organisation(people)).holders("ciso", tokyo(2026, 11, 23, 12))) == ["baba"]


def test_rights_follow_the_rota_and_the_deputy_and_stay_with_the_absent() -> None:
    people = [
        person("aoki", roles=["ciso"], deputies=["baba"], **LEAVE),
        person("baba"),
        person("chiba"),
    ]
    directory = Directory(organisation(people, {**DAILY, "people": ["chiba"], "lasts": "1h"}))
    at = tokyo(2026, 11, 23, 9, 45)
    held = {name: directory.roles_of(name, at) for name in ("aoki", "baba", "chiba", "nobody")}
    assert held == {
        "aoki": {"ciso"},
        "baba": {"ciso"},
        "chiba": {"duty"},
        "nobody": frozenset(),
    }
    assert directory.roles_of("chiba", tokyo(2026, 11, 23, 10)) == frozenset()
    assert directory.roles_of("chiba", tokyo(2026, 11, 23, 10)) == frozenset(), "and again, from memory"


def test_a_role_with_a_rota_that_is_missing_falls_to_those_who_have_it() -> None:
    roles = [{"id": "duty", "title": "当番", "rota": "gone"}]
    directory = Directory(organisation([person("aoki", roles=["duty"])], roles=roles))
    assert names(directory.holders("duty", tokyo(2026, 11, 23))) == ["aoki"]


def test_unknown_ids_give_nobody() -> None:
    directory = Directory(organisation(AB))
    assert directory.holders("retired-role", tokyo(2026, 11, 23)) == ()
    assert directory.person("x") is None
    assert directory.by_account("x") is None
    assert directory.by_slack("U0X") is None
    assert directory.role("x") is None
    assert directory.service("x") is None
    assert directory.third_party("x") is None


def test_everything_is_found_by_its_id() -> None:
    people = [person("aoki", account="aoki-a", slack="U0AOKI")]
    party = {"id": "isac", "name": "ISAC", "kind": "fisac", "provides": "共有", "hours": "平日"}
    service = {
        **{"id": "ib", "name": "IB", "owner": "ciso", "tier": 1, "rto": "4h", "rpo": "1h"},
        **{"rlo": "照会", "mtpd": "8h", "recovery_order": 1},
    }
    directory = Directory(organisation(people, services=[service], third_parties=[party]))
    aoki = directory.person("aoki")
    assert aoki is not None
    assert directory.by_account("aoki-a") == aoki == directory.by_slack("U0AOKI")
    assert [getattr(directory.role("ciso"), "id", None), getattr(directory.service("ib"), "id", None)] == [
        "ciso",
        "ib",
    ]
    assert getattr(directory.third_party("isac"), "id", None) == "isac"


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(NaiveInstant):
        Directory(organisation(AB)).holders("ciso", datetime(2026, 11, 23))  # noqa: DTZ001 - that is the point


def test_changes_name_every_instant_at_which_an_answer_may_differ() -> None:
    people = [person("aoki", **LEAVE)]
    directory = Directory(organisation(people, {**DAILY, "people": ["aoki"], "lasts": "8h"}))
    since = tokyo(2026, 11, 23, 8)
    found = directory.changes(since, since + timedelta(hours=20))
    assert [at.astimezone(TOKYO).strftime("%d %H:%M") for at in found] == [
        "23 08:00",
        "23 09:00",
        "23 09:30",
        "23 17:00",
    ]
    for before, after in pairwise(found):
        assert directory.holders("duty", before) == directory.holders(
            "duty", after - timedelta(microseconds=1)
        )


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("FREQ=HOURLY", "does not give days"),
        ("FREQ=DAILY;BYHOUR=1,2", "does not give days"),
        ("FREQ=DAILY;INTERVAL=0", "does not give days"),
        ("FREQ=DAILY\nFREQ=WEEKLY", "does not give days"),
        ("every Monday", "does not give days"),
        ("FREQ=WEEKLY;BYDAY=XX", "invalid 'BYDAY'"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "never falls"),
    ],
)
def test_rules_that_give_no_days_are_refused(rule: str, says: str) -> None:
    with pytest.raises(BadConfiguration, match=says):
        shift_rule(Shift.model_validate({**DAILY, "rule": rule}))


def test_the_version_changes_with_the_organisation() -> None:
    one, same = Directory(organisation(AB)), Directory(organisation(AB))
    assert one.version == same.version
    assert one.version != Directory(organisation([*AB, person("chiba")])).version


def test_answers_are_kept_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.directory, "MAX_ANSWERS", 3)
    monkeypatch.setattr(models.directory, "MAX_DAYS", 2)
    directory = Directory(organisation([person("aoki", roles=["ciso"]), person("baba")], DAILY))
    for day in range(1, 60):
        at = tokyo(2026, 2, 1, 12) + timedelta(days=day)
        assert names(directory.holders("duty", at)) == ["aoki", "baba"]
        assert directory.roles_of("aoki", at) == {"ciso", "duty"}


def test_a_repeated_question_costs_no_more_than_ten_times_fifty_microseconds() -> None:
    directory = Directory(organisation(AB, DAILY))
    at = tokyo(2026, 11, 23, 10)
    directory.holders("duty", at)
    began = stopwatch.perf_counter()
    for second in range(1_000):
        directory.holders("duty", at + timedelta(seconds=second))
    assert (stopwatch.perf_counter() - began) / 1_000 < 0.0005
