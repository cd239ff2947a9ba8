"""RPO: the usable point is verified and older than the compromise; what is not known stays unknown."""

from __future__ import annotations

from datetime import datetime

import pytest

from models.clocks.loss import NO_POINTS, NONE_USABLE, data_loss
from models.commands import Acknowledge, SetInstant, SetRecoveryPoint
from models.state import Incident, RecoveryPoint, ServiceState, Targets
from tests.models.clockhouse import after, clock_scene, impact, service, state
from tests.models.small import BEN, EVE, Scene, by

HOURS_BEFORE = {"replica": 0.1, "fresh": 0.5, "old": 20}


def _state(points: dict[str, str], compromised: float | None) -> Incident:
    """One service down at the night; points with what their check found; compromise in hours before."""
    targets = Targets(rto=1, rto_from="outage", rpo=3600, mtpd=9, rlo="up", levels=["down", "up"])
    found = Incident(stream="INC-1", services={"pay": ServiceState(down_since=after(0), targets=targets)})
    for name, check in points.items():
        clean = {"clean": "clean", "bad": "tampered"}.get(check, "unknown")
        found.recovery_points[name] = RecoveryPoint(
            id=name,
            service="pay",
            at=after(-HOURS_BEFORE[name]),
            tamper=clean,  # type: ignore[arg-type]
            malware="clean" if check == "clean" else "unknown",
        )
    if compromised is not None:
        found.instants["compromised"] = after(-compromised)
    return found


@pytest.mark.parametrize(
    ("said", "points", "compromised", "status", "point", "loss", "why"),
    [
        ("no point is recorded", {}, None, "unknown", None, None, NO_POINTS),
        ("a clean point meets it", {"fresh": "clean"}, None, "within", "fresh", 1800, ""),
        ("the latest clean one counts", {"fresh": "clean", "replica": "clean"}, None,
         "within", "replica", 360, ""),
        ("an unchecked point may meet it", {"fresh": "?"}, None, "unknown", None, None, "fresh"),
        ("an old clean one does not, a fresh unchecked one may", {"old": "clean", "fresh": "?"}, None,
         "unknown", "old", None, "fresh"),
        ("only an old clean one", {"old": "clean"}, None, "beyond", "old", 72000, ""),
        ("an old unchecked one is unknown too", {"old": "?"}, None, "unknown", None, None, "old"),
        ("every point is tampered with", {"fresh": "bad", "old": "bad"}, None,
         "beyond", None, None, NONE_USABLE),
        ("the compromise is older than the clean point", {"fresh": "clean"}, 2,
         "beyond", None, None, NONE_USABLE),
        ("the compromise is younger than the clean point", {"fresh": "clean"}, 0.2,
         "within", "fresh", 1800, ""),
        ("a point at the very time of the compromise may hold it", {"fresh": "clean"}, 0.5,
         "beyond", None, None, NONE_USABLE),
        ("behind the compromise only the old one is left", {"fresh": "clean", "old": "clean"}, 2,
         "beyond", "old", 72000, ""),
    ],
)  # fmt: skip
def test_loss(  # noqa: PLR0917 - one column each
    said: str,
    points: dict[str, str],
    compromised: float | None,
    status: str,
    point: str | None,
    loss: int | None,
    why: str,
) -> None:
    found = data_loss(_state(points, compromised), "pay")

    assert found is not None, said
    assert (found.status, found.point, found.loss) == (status, point, loss), said
    assert why in found.why, said


def test_a_point_after_the_outage_is_none() -> None:
    found = _state({"fresh": "clean"}, None)
    found.services["pay"].down_since = after(-1)

    assert data_loss(found, "pay").status == "beyond"  # type: ignore[union-attr]


def test_a_service_without_targets_has_no_loss() -> None:
    assert data_loss(Incident(stream="INC-1", services={"pay": ServiceState()}), "pay") is None


def _point(made: Scene, name: str, at: datetime, *, clean: bool = True) -> None:
    check = "clean" if clean else "unknown"
    made.do(
        SetRecoveryPoint(
            actor=by(EVE),
            id=name,
            service="payments",
            instant=at,
            tamper=check,  # type: ignore[arg-type]
            malware=check,  # type: ignore[arg-type]
            kind="replica",
            tested="2026-10-01",
        )
    )


def test_it_is_judged_anew_whenever_analysis_moves_the_compromise_back() -> None:
    made = clock_scene()
    impact(made)
    assert state(made).loss.status == "unknown"  # type: ignore[union-attr]
    _point(made, "replica", after(-0.5))
    assert state(made).loss.status == "within"  # type: ignore[union-attr]
    made.do(SetInstant(actor=by(BEN), name="compromised", instant=after(-0.25), source="log"))
    assert state(made).loss.status == "within"  # type: ignore[union-attr]
    made.do(SetInstant(actor=by(BEN), name="compromised", instant=after(-52), source="VPN log"))

    assert state(made).loss.status == "beyond"  # type: ignore[union-attr]
    page = made.page("clock:rpo:payments", "clock-breached")
    assert page.route == "breach"
    assert page.reached["0"][0].person == EVE
    made.do(Acknowledge(actor=by(EVE), page=page.id))
    _point(made, "tape", after(-53))
    assert len([one for one in made.incident.pages.values() if one.subject == "clock:rpo:payments"]) == 1
    made.do(SetInstant(actor=by(BEN), name="compromised", instant=after(-0.25), source="log, read again"))
    assert state(made).loss.status == "within"  # type: ignore[union-attr]
    assert made.page("clock:rpo:payments").state == "stopped"


def test_points_of_the_register_join_the_record_when_their_service_is_affected() -> None:
    points = [
        {"id": "tape", "at": "2026-11-20T18:00:00Z", "tested": "2026-06-01"},
        {"id": "later", "at": "2026-11-23T18:00:00Z"},
    ]
    made = clock_scene(services=[service("payments", recovery_points=points), service("cards", 2)])
    assert made.incident.recovery_points == {}
    impact(made)

    tape = made.incident.recovery_points["tape"]
    assert (tape.source, tape.tested, tape.tamper) == ("register", "2026-06-01", "unknown")
    assert list(made.incident.recovery_points) == ["tape"]
    assert state(made).loss.status == "unknown"  # type: ignore[union-attr]


def test_a_bad_date_of_a_test_is_refused() -> None:
    made = clock_scene()
    wrong = SetRecoveryPoint(actor=by(EVE), id="x", service="payments", instant=after(-1), tested="lately")

    assert "tested" in str(made.says(wrong).detail)
