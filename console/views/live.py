"""What a live check found, in words: what is missing first, each with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from console.views.naming import Naming
from console.views.sheet import Line, harmless

if TYPE_CHECKING:
    from console.live import Live
    from notifiers.probing import Finding

PEOPLE = 12
"""Names in one line; more are counted."""


def lines(live: Live, naming: Naming) -> Iterator[Line]:
    """Findings of one kind on one line, people by name."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for one in sorted(live.findings, key=lambda one: one.severity):
        groups.setdefault((one.channel, one.code, one.why), []).append(one)
    for (channel, _, _), some in groups.items():
        missing = some[0].severity == "missing"
        text = f"{channel}: {_said(some, naming)}"
        yield Line(text=text, style="bad" if missing else "warn")
        do = naming.texts(f"readiness.live.do.{some[0].code}")
        yield Line(text=naming.texts("words.do", text=do), indent=1, style="dim")
    n = len([one for one in live.findings if one.severity == "missing"])
    values = {"n": n, "asked": naming.texts("words.comma").join(live.asked), "seconds": f"{live.seconds:.1f}"}
    key = "readiness.live.ok" if live.ok else "readiness.live.bad"
    yield Line(text=naming.texts(key, **values), style="good" if live.ok else "bad")


def _said(some: list[Finding], naming: Naming) -> str:
    names = [naming.who(one.subject) for one in some[:PEOPLE] if one.subject]
    names += ["…"] if len(some) > PEOPLE else []
    one = some[0]
    subject = naming.texts("words.comma").join(names)
    return naming.texts(f"readiness.live.what.{one.code}", subject=subject, why=harmless(one.why, 300))


def as_json(live: Live, naming: Naming) -> dict[str, Any]:
    """The same for programs."""
    return {
        "ok": live.ok,
        "asked": list(live.asked),
        "seconds": live.seconds,
        "findings": [
            {
                "channel": one.channel,
                "code": one.code,
                "subject": one.subject,
                "why": one.why,
                "severity": one.severity,
                "message": _said([one], naming),
                "do": naming.texts(f"readiness.live.do.{one.code}"),
            }
            for one in live.findings
        ],
    }
