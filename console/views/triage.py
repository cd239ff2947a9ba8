"""The triage queue, and what an alert would do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from console.triage import Known, Preview, Related
from console.views.naming import Naming
from console.views.sheet import Line, Row, Section, Table, harmless
from models.clock import iso
from models.state import Alert

Judged = tuple[Alert, tuple[Related, ...], Known]
COLUMNS = ("id", "source", "level", "severity", "title", "services", "playbook", "related", "count", "limit")
MAX_LINES = 40


def queue(many: Sequence[Judged], naming: Naming) -> Section:
    """Alerts on the table: those that are late first, then by their limit."""
    texts = naming.texts
    title = texts("words.title.alerts")
    if not many:
        return Section(title=title, parts=(Line(text=texts("words.none")),))
    rows = tuple(_row(one, naming) for one in sorted(many, key=_urgency))
    headers = tuple(texts(f"triage.column.{name}") for name in COLUMNS)
    table = Table(headers=headers, rows=rows, whole=(0,))
    return Section(title=title, parts=(table, Line(text=texts("triage.how"), style="dim")))


def _urgency(judged: Judged) -> tuple[bool, str, str]:
    limit = judged[0].overdue_at
    return (limit is not None, iso(limit) if limit else "", judged[0].id)


def _row(judged: Judged, naming: Naming) -> Row:
    alert, near, also = judged
    texts, limit = naming.texts, alert.overdue_at
    again = texts("triage.again", count=also.count, before=also.before)
    cells = (
        alert.id,
        alert.source,
        naming.text(alert.level, 40),
        naming.severity(alert.severity) if alert.severity else "",
        _title(alert, also, naming),
        naming.services(tuple(alert.services)),
        naming.playbook(alert.proposed) if alert.proposed else "",
        _near(near, naming),
        again if also.before else str(also.count),
        texts("triage.late") if limit is None else naming.times.left(limit, naming.now),
    )
    return Row(cells=cells, style="bad" if limit is None or not alert.readable else "plain")


def _title(alert: Alert, also: Known, naming: Naming) -> str:
    if not alert.readable:
        return naming.texts("triage.unreadable", problem=naming.text(alert.problem, 200))
    title = naming.text(alert.title, 200)
    return naming.texts("triage.over", title=title) if also.over else title


def _near(near: Iterable[Related], naming: Naming) -> str:
    said = (f"{one.incident} ({naming.texts(f'triage.why.{one.why}')})" for one in near)
    return naming.texts("words.comma").join(said)


def _near_json(near: Iterable[Related]) -> list[dict[str, str]]:
    return [{"incident": one.incident, "why": one.why} for one in near]


def queue_json(judged: Judged, naming: Naming) -> dict[str, object]:
    """One alert of the queue for programs."""
    alert, near, also = judged
    return {
        "id": alert.id,
        "source": alert.source,
        "key": alert.key,
        "title": naming.text(alert.title),
        "level": naming.text(alert.level),
        "severity": alert.severity,
        "services": list(alert.services),
        "count": also.count,
        "before": also.before,
        "over": also.over,
        "at": iso(alert.at),
        "proposed": alert.proposed,
        "related": _near_json(near),
        "limit": iso(alert.overdue_at) if alert.overdue_at else None,
        "readable": alert.readable,
        "problem": naming.text(alert.problem),
    }


def previewed(one: Preview, naming: Naming) -> Section:
    """What one alert would do, and by which rule."""
    texts, alert = naming.texts, one.alert
    said = {
        "source": one.source.id,
        "key": harmless(alert.key, 300),
        "level": alert.level,
        "at": naming.at(alert.occurred) if alert.occurred else "",
        "rule": texts("triage.rule", number=alert.rule) if alert.rule else texts("triage.no_rule"),
        "severity": naming.severity(alert.severity) if alert.severity else "",
        "services": naming.services(alert.services),
        "playbook": naming.playbook(alert.playbook) if alert.playbook else "",
        "related": _near(one.related, naming),
        "problem": harmless(alert.problem, 300),
    }
    lines = [Line(text=_what(one, naming), style="strong")]
    lines += [Line(text=f"{texts(f'triage.column.{key}')}: {value or '–'}") for key, value in said.items()]
    lines += [
        Line(text=harmless(line), style="dim", indent=1) for line in alert.text.splitlines()[:MAX_LINES]
    ]
    return Section(title=harmless(alert.title, 300), parts=tuple(lines))


def _what(one: Preview, naming: Naming) -> str:
    texts = naming.texts
    if one.counted is not None:
        return texts("triage.would.counted", alert=one.counted)
    if not one.alert.readable:
        return texts("triage.would.unreadable")
    return texts("triage.would.ended" if one.alert.ended else f"triage.would.{one.alert.do}")


def preview_json(one: Preview) -> dict[str, object]:
    """The same for programs."""
    alert = one.alert
    return {
        "source": one.source.id,
        "key": alert.key,
        "title": alert.title,
        "level": alert.level,
        "occurred": iso(alert.occurred) if alert.occurred else None,
        "rule": alert.rule,
        "do": alert.do,
        "playbook": alert.playbook,
        "severity": alert.severity,
        "services": list(alert.services),
        "counted": one.counted,
        "related": _near_json(one.related),
        "ended": alert.ended,
        "readable": alert.readable,
        "problem": alert.problem,
        "text": alert.text,
    }
