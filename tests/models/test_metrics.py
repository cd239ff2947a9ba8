"""Times against targets, from the record; what nobody said is counted as unknown and never inferred."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.commands import Acknowledge, Done, SetInstant
from models.metrics import MEASURES, Span, rank, spans, summarise
from models.state import Incident
from tests.models.clockhouse import HOUR, after, at_level, clock_scene, confirm, course, impact, run_until
from tests.models.small import AMY, BEN, Scene, by

ZONE = "Asia/Tokyo"


def measured(made: Scene) -> dict[str, list[tuple[timedelta | None, bool | None]]]:
    found: dict[str, list[tuple[timedelta | None, bool | None]]] = {}
    for one in spans(made.incident, ZONE):
        found.setdefault(one.measure, []).append((one.length, one.met))
    return found


def test_nothing_is_inferred_from_another_instant() -> None:
    found = measured(clock_scene())

    assert {name: values[0][0] for name, values in found.items()} == {
        "detect": None,
        "declare": None,
        "acknowledge": None,
        "contain": None,
    }


def test_each_span_runs_between_its_own_instants() -> None:
    made = clock_scene()
    for name, hours in (("occurred", -3), ("detected", -1)):
        made.do(SetInstant(actor=by(BEN), name=name, instant=after(hours), source="-"))
    run_until(made, 0.25)
    made.do(Acknowledge(actor=by(AMY)))
    impact(made, instant=after(-0.5))
    made.do(Done(actor=by(AMY), step="look"))
    run_until(made, 1)
    made.do(SetInstant(actor=by(BEN), name="contained", instant=after(0.75), source="-"))
    at_level(made)
    confirm(made)
    found = measured(made)

    assert found["detect"] == [(2 * HOUR, None)]
    assert found["declare"] == [(HOUR, None)]
    assert found["acknowledge"] == [(HOUR / 4, None)]
    assert found["contain"] == [(HOUR * 0.75, None)]
    assert found["restore"] == [(1.5 * HOUR, True)]


def test_the_first_acknowledgement_counts_though_the_page_lapsed_later() -> None:
    made = clock_scene()
    run_until(made, 0.25)
    made.do(Acknowledge(actor=by(AMY)))
    run_until(made, 1)

    assert measured(made)["acknowledge"] == [(HOUR / 4, None)]


def test_a_service_that_was_never_below_its_level_and_a_report_that_was_not_sent_have_no_time() -> None:
    made = course()
    made.incident.services["payments"].was_below = False
    for report in made.incident.obligations["XX-OWED"].reports.values():
        report.submitted.clear()

    assert not {"restore", "report"} & measured(made).keys()


def test_a_service_that_fell_again_counts_from_its_first_outage_and_one_still_down_is_unknown() -> None:
    made = clock_scene()
    impact(made)
    run_until(made, 1)
    at_level(made)
    confirm(made)
    run_until(made, 2)
    at_level(made, "stopped")
    assert measured(made)["restore"] == [(None, None)]
    run_until(made, 4)
    assert measured(made)["restore"] == [(None, False)]
    at_level(made)
    confirm(made)
    assert measured(made)["restore"] == [(4 * HOUR, False)]


def test_reports_count_from_recognition_to_the_first_submission() -> None:
    assert measured(course())["report"] == [(2.5 * HOUR, False)]


def test_an_incident_that_was_never_declared_has_no_month() -> None:
    found = list(spans(Incident(stream="INC-2026-0001"), ZONE))

    assert {(one.playbook, one.month, one.length) for one in found} == {("", "", None)}


def test_an_end_before_its_beginning_is_no_time() -> None:
    made = clock_scene()
    made.do(SetInstant(actor=by(BEN), name="occurred", instant=after(-1), source="-"))
    made.do(SetInstant(actor=by(BEN), name="detected", instant=after(-2), source="-"))

    assert measured(made)["detect"] == [(None, None)]


@pytest.mark.parametrize(
    ("minutes", "median", "ninety"),
    [
        ([], None, None),
        ([7], 7, 7),
        ([1, 2], 1, 2),
        ([1, 2, 3], 2, 3),
        (list(range(1, 11)), 5, 9),
        (list(range(1, 12)), 6, 10),
    ],
)
def test_the_nearest_rank(minutes: list[int], median: int | None, ninety: int | None) -> None:
    lengths = [timedelta(minutes=one) for one in minutes]
    expected = [None if one is None else timedelta(minutes=one) for one in (median, ninety)]

    assert [rank(lengths, 50), rank(lengths, 90)] == expected


def test_groups_by_kind_and_by_month_in_the_order_of_the_response() -> None:
    many = [
        Span(incident=f"INC-{n}", playbook=book, month=month, measure=measure, length=length, met=met)
        for n, (book, month, measure, length, met) in enumerate(
            [
                ("ddos", "2026-10", MEASURES[4], HOUR, True),
                ("ddos", "2026-11", MEASURES[4], 3 * HOUR, False),
                ("ddos", "2026-11", MEASURES[0], None, None),
                ("insider", "2026-11", MEASURES[4], None, None),
            ]
        )
    ]
    by_type = [
        (one.group, one.measure, one.count, one.unknown, one.met, one.of) for one in summarise(many, "type")
    ]
    assert by_type == [
        ("ddos", "detect", 0, 1, 0, 0),
        ("ddos", "restore", 2, 0, 1, 2),
        ("insider", "restore", 0, 1, 0, 0),
    ]
    assert [(one.group, one.median) for one in summarise(many, "month") if one.count] == [
        ("2026-10", HOUR),
        ("2026-11", 3 * HOUR),
    ]
