"""The board of an incident for Slack: what is going on, what breaks next, who is wanted. Pure.

Pinned in the incident's channel and edited in place; `/hikeshi status` shows the same privately.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from console.slack.blocks import said, tell, words
from console.views.clocks import OVER as CLOCK_OVER
from console.views.clocks import Clock, clocks
from console.views.gates import soon
from console.views.naming import Naming
from models.policy import PHASES
from models.state import Incident, StepState
from notifiers.acts import incident_acts
from notifiers.slack import escape
from notifiers.slack.buttons import actions_block

MAX_CLOCKS, MAX_STEPS, MAX_PAGES, MAX_GATES, MAX_GATE = 8, 10, 5, 3, 250
Block = dict[str, Any]
MARKS = {"breached": "🔴", "forecast-to-break": "🟠", "warned": "🟡", "waiting": "⚪"}


def blocks(naming: Naming, link: str = "") -> list[Block]:
    """The whole board. `link` is an address of ours for more."""
    state = naming.state
    if not isinstance(state, Incident):
        return []
    t = naming.texts
    found = [_head(state, naming), _people(state, naming)]
    for title, lines in (
        ("slack.board.clocks", _clocks(naming)),
        ("slack.board.decisions", list(_steps(state, naming, decisions=True))),
        ("slack.board.steps", list(_steps(state, naming, decisions=False))),
        ("slack.board.pages", list(_pages(state, naming))),
        ("slack.board.gates", [words(line.text, MAX_GATE) for line in soon(state, naming)[:MAX_GATES]]),
    ):
        if lines:
            found.append(said(escape.bold(words(t(title))), *lines))
    if link:
        found.append(said(f"{escape.bold(words(t('slack.board.link')))} {escape.link(link)}"))
    at = words(t("slack.board.at", at=naming.times.at(naming.now)))
    found.append({"type": "context", "elements": [{"type": "mrkdwn", "text": at, "verbatim": True}]})
    buttons = actions_block(incident_acts(state), naming.lang)
    return [*found, buttons] if buttons else found


def mark(naming: Naming) -> str:
    """【訓練】 in a drill."""
    state = naming.state
    drill = naming.world.drill or (isinstance(state, Incident) and state.drill)
    return "【訓練】" if drill else ""


def topic(naming: Naming) -> str:
    """One line of plain text for the channel's topic; Slack reads mentions and links in it too."""
    state = naming.state
    if not isinstance(state, Incident):
        return ""
    commander = naming.who(state.assigned.get("commander")) if "commander" in state.assigned else "-"
    line = (
        f"[{naming.severity(state.severity)}] {state.stream} {naming.text(state.title, 80)}"
        f" | {_phases(state, naming)} | {naming.texts('slack.commander')}: {commander}"
    )
    return escape.cut(f"{mark(naming)}{words(line, 240)}", 250)


def one_line(naming: Naming) -> str:
    """An incident in one line, with what breaks next."""
    state = naming.state
    if not isinstance(state, Incident):
        return ""
    running = _running(naming)
    following = f" ⏱ {_clock(running[0], naming)}" if running else ""
    phases = words(_phases(state, naming))
    head = escape.bold(mark(naming) + words(f"{state.stream} [{naming.severity(state.severity)}]"))
    return f"{head} {words(naming.text(state.title), 120)} | {phases}{following}"


def clock_blocks(naming: Naming) -> list[Block]:
    """All running clocks, what breaks next first."""
    lines = [_clock(one, naming) for one in _running(naming)]
    return [said(*lines[start : start + 10]) for start in range(0, len(lines), 10)] or [
        said(words(naming.texts("slack.no-clocks")))
    ]


def _head(state: Incident, naming: Naming) -> Block:
    t = naming.texts
    status = t.word("words.status", state.status)
    head = f"{state.stream} [{naming.severity(state.severity)}] {status}"
    return said(
        escape.bold(mark(naming) + words(head)),
        words(naming.text(state.title), 300),
        tell(t("slack.board.phase"), _phases(state, naming)),
    )


def _phases(state: Incident, naming: Naming) -> str:
    names = [
        naming.phase(name)
        for name in (*PHASES, "communication")
        if name in state.phases and state.phases[name].status == "open"
    ]
    return naming.texts("words.comma").join(names) or naming.texts.word("words.status", state.status)


def _people(state: Incident, naming: Naming) -> Block:
    t = naming.texts
    named = [
        tell(
            f"{t(f'slack.{role}')}:", naming.holders(role) if role in state.assigned else t("slack.not-named")
        )
        for role in ("commander", "scribe")
    ]
    return said(*named)


def _running(naming: Naming) -> list[Clock]:
    return [
        one for one in clocks(naming) if one.status not in CLOCK_OVER and one.kind not in {"page", "step"}
    ]


def _clocks(naming: Naming) -> list[str]:
    return [_clock(one, naming) for one in _running(naming)[:MAX_CLOCKS]]


def _clock(one: Clock, naming: Naming) -> str:
    if one.at is None:
        needs = naming.texts("words.comma").join(
            naming.texts.word("words.instant", need) for need in one.needs
        )
        return f"⚪ {words(one.what, 160)} – {words(naming.texts('slack.clock-waits', needs=needs))}"
    sign = MARKS.get(one.status, "🟢")
    left = naming.times.left(one.at, naming.now)
    return f"{sign} {words(one.what, 160)} – {words(naming.times.due(one.at))} ({words(left)})"


def _steps(state: Incident, naming: Naming, *, decisions: bool) -> Iterator[str]:
    """What people have to do or decide, the nearest limit first."""
    open_steps = []
    for known in state.steps.values():
        planned = naming.planned(known.key) if known.status in {"ready", "started", "held"} else None
        if planned is None or planned.step.kind in {"action", "call"}:
            continue
        if (planned.step.kind == "decision") is decisions:
            owner = known.owner or planned.step.acts
            if known.proposed is not None:
                # It is the second person's turn now.
                owner = planned.step.approver or owner
            open_steps.append((known.limit_at is None, known.limit_at, known, naming.title(planned), owner))
    for _, _, known, title, owner in sorted(open_steps, key=_first)[:MAX_STEPS]:
        yield _step(known, title, owner, naming)
    if len(open_steps) > MAX_STEPS:
        yield words(naming.texts("words.more", n=len(open_steps) - MAX_STEPS))


def _first(row: tuple[bool, Any, StepState, str, str | None]) -> tuple[bool, float, str]:
    return row[0], row[1].timestamp() if row[1] else 0.0, row[2].key


def _step(known: StepState, title: str, owner: str | None, naming: Naming) -> str:
    sign = {"started": "▶", "held": "⛔"}.get(known.status, "▫")
    limit = f" {words(f'⏱ {naming.times.left(known.limit_at, naming.now)}')}" if known.limit_at else ""
    who = naming.who(known.started_by) if known.started_by else naming.holders(owner)
    if known.proposed is not None:
        who = naming.texts("slack.board.proposed", who=naming.holders(owner))
    return f"{sign} {words(title, 120)} – {words(who, 80)}{limit}"


def _pages(state: Incident, naming: Naming) -> Iterator[str]:
    for page in state.open_pages()[:MAX_PAGES]:
        people = naming.people(page.reached.get(str(page.level), []))
        yield f"📟 {words(naming.subject(page.subject), 120)} – {words(people, 120)}"
