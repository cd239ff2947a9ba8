"""How facts of the intake, the house and the programme change their states."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from models.fact import Fact
from models.fold.pages import no_change
from models.state import Alert, House, Improvement, Intake, Programme, Quarantine

KEPT_OUTAGES = 20


def _received(state: Intake, fact: Fact) -> None:
    data = fact.data
    state.numbered += 1
    overdue = data.get("overdue_at")
    state.alerts[data["id"]] = Alert(
        id=data["id"],
        source=data["source"],
        key=data["key"],
        at=fact.at,
        title=data["title"],
        level=data.get("level", ""),
        proposed=data.get("proposed"),
        severity=data.get("severity"),
        services=data.get("services", []),
        problem=data.get("problem"),
        readable=data.get("readable", True),
        overdue_at=datetime.fromisoformat(overdue) if overdue else None,
    )


def _alert_repeated(state: Intake, fact: Fact) -> None:
    alert = state.alerts.get(fact.data["id"])
    if alert is not None:
        alert.count = fact.data["count"]


def _dealt_with(state: Intake, fact: Fact) -> None:
    state.alerts.pop(fact.data["id"], None)


def _alert_overdue(state: Intake, fact: Fact) -> None:
    state.alerts[fact.data["id"]].overdue_at = None


def _quarantined(state: House, fact: Fact) -> None:
    stream = fact.data["stream"]
    state.quarantined[stream] = Quarantine(stream=stream, since=fact.at, failures=fact.data["failures"])


def _released(state: House, fact: Fact) -> None:
    state.quarantined.pop(fact.data["stream"], None)


def _outage(state: House, fact: Fact) -> None:
    span = [datetime.fromisoformat(fact.data["since"]), datetime.fromisoformat(fact.data["until"])]
    state.outages = [*state.outages, span][-KEPT_OUTAGES:]


def _refused(state: House, fact: Fact) -> None:
    who = fact.data["who"]
    state.refused[who] = state.refused.get(who, 0) + fact.data.get("count", 1)


def _impaired(state: House, fact: Fact) -> None:
    state.impaired[fact.data["what"]] = fact.data.get("detail", "")


def _recovered(state: House, fact: Fact) -> None:
    state.impaired.pop(fact.data["what"], None)


def _opened(state: Programme, fact: Fact) -> None:
    data = fact.data
    state.numbered += 1
    state.improvements[data["id"]] = Improvement(
        id=data["id"],
        incident=data["incident"],
        title=data["title"],
        owner=data["owner"],
        due=datetime.fromisoformat(data["due"]),
        remind_at=datetime.fromisoformat(data["remind_at"]),
        opened_at=fact.at,
    )


def _done(status: Any) -> Callable[[Programme, Fact], None]:
    def apply(state: Programme, fact: Fact) -> None:
        state.improvements[fact.data["id"]].status = status

    return apply


def _reminded(state: Programme, fact: Fact) -> None:
    state.improvements[fact.data["id"]].reminded = True


def _overdue(state: Programme, fact: Fact) -> None:
    state.improvements[fact.data["id"]].overdue = True


def _evidence_round(state: House, fact: Fact) -> None:
    state.evidence_round_at = fact.at


INTAKE: dict[str, Callable[[Any, Fact], None]] = {
    "alert.received": _received,
    "alert.repeated": _alert_repeated,
    "alert.declared": _dealt_with,
    "alert.attached": _dealt_with,
    "alert.dismissed": _dealt_with,
    "alert.kept": _dealt_with,
    "alert.overdue": _alert_overdue,
}
HOUSE: dict[str, Callable[[Any, Fact], None]] = {
    "node.started": no_change,
    "node.stopped": no_change,
    "node.outage": _outage,
    "refused": _refused,
    "quarantine.entered": _quarantined,
    "quarantine.left": _released,
    "machine.impaired": _impaired,
    "machine.recovered": _recovered,
    "evidence.round": _evidence_round,
    "record.restored": no_change,
    "record.moved": no_change,
    "record.exported": no_change,
}
PROGRAMME: dict[str, Callable[[Any, Fact], None]] = {
    "improvement.opened": _opened,
    "improvement.done": _done("done"),
    "improvement.accepted": _done("accepted"),
    "improvement.reminded": _reminded,
    "improvement.overdue": _overdue,
}
