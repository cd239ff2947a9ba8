"""What has become of a matter since a message about it left: one line, for every copy of it. Pure.

Two people who see different states of the same page work against each other (GoAlert, Grafana OnCall): every
copy says the same, whoever answered where.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from models.state import SETTLED, Incident, Page, StepState, StreamState
from models.world import World
from notifiers.briefing_names import person_name

WORDS: dict[str, dict[str, str]] = {
    "ja": {
        "acknowledged": "✅ {who} が受領しました（{at}）",
        "answered": "{who} は受領済み。まだ必要: {missing}",
        "stopped": "⏹ この呼出は終わりました（{at}）",
        "delegated": "↪ {who} に {until} まで委任中",
        "declined": "🙅 辞退: {who}",
        "escalated": "⏫ {level} 段目へ呼出中（{at}）: {who}",
        "exhausted": "🚨 全段が応答なし。最終連絡先を呼出中（{count} 回目）",
        "decided": "⚖ 判断済み: {choice}（{who}、{at}）",
        "proposed": "⚖ {who} の判断案「{choice}」は、二人目の承認待ちです",
        "done": "✅ 完了: {who}（{at}）",
        "started": "▶ {who} が着手しました（{at}）",
        "skipped": "⏭ この手順は省かれました",
        "failed": "⚠ 失敗または結果不明。確認が必要です",
        "over": "⏹ インシデントは終わりました",
    },
    "en": {
        "acknowledged": "✅ {who} has it ({at})",
        "answered": "{who} answered; still needed: {missing}",
        "stopped": "⏹ this page is over ({at})",
        "delegated": "↪ delegated to {who} until {until}",
        "declined": "🙅 declined: {who}",
        "escalated": "⏫ now paging level {level} ({at}): {who}",
        "exhausted": "🚨 nobody answered on any level; paging the last resort (call {count})",
        "decided": "⚖ decided: {choice} ({who}, {at})",
        "proposed": "⚖ {who} proposes “{choice}”; a second person has to approve",
        "done": "✅ done: {who} ({at})",
        "started": "▶ {who} has started ({at})",
        "skipped": "⏭ this step was left out",
        "failed": "⚠ failed, or the outcome is unknown: somebody has to look",
        "over": "⏹ the incident is over",
    },
}


def page_standing(state: StreamState, page: Page, world: World, lang: str) -> str:
    """How it stands with a page and what it is about; empty while there is nothing to add."""
    parts = [_page(page, world, lang)]
    kind, _, name = page.subject.partition(":")
    if kind == "step" and isinstance(state, Incident):
        parts.append(step_standing(state, name, world, lang))
    return " ／ ".join(part for part in parts if part) if lang == "ja" else "; ".join(filter(None, parts))


def _page(page: Page, world: World, lang: str) -> str:
    words = WORDS[lang]
    if page.state == "acknowledged":
        return words["acknowledged"].format(
            who=person_name(world, page.acked_by, lang), at=_at(page.acked_at, world)
        )
    if page.state == "stopped":
        return words["stopped"].format(at=_at(page.ended_at, world))
    return "; ".join(_open(page, world, lang))


def _open(page: Page, world: World, lang: str) -> list[str]:
    words = WORDS[lang]
    said = []
    if page.acks:
        asked = {one.person for one in page.reached.get(str(page.level), [])} - set(page.acks)
        said.append(
            words["answered"].format(
                who=_names(list(page.acks), world, lang), missing=_names(sorted(asked), world, lang)
            )
        )
    if page.delegated_to and page.delegated_until and page.delegated_until > world.now:
        who = person_name(world, page.delegated_to, lang)
        said.append(words["delegated"].format(who=who, until=_at(page.delegated_until, world)))
    if page.declined:
        said.append(words["declined"].format(who=_names(list(page.declined), world, lang)))
    if page.round:
        said.append(words["exhausted"].format(count=page.calls))
    elif page.level:
        people = [one.person for one in page.reached.get(str(page.level), [])]
        said.append(
            words["escalated"].format(
                level=page.level + 1, at=_at(page.level_at, world), who=_names(people, world, lang)
            )
        )
    return said


def step_standing(state: Incident, key: str, world: World, lang: str) -> str:
    """How it stands with a step; empty while it only waits."""
    known = state.steps.get(key)
    if known is None:
        return ""
    if known.choice is not None or known.proposed is not None:
        return _decision(known, _titles(state, key, world, lang), world, lang)
    words = WORDS[lang]
    if known.status == "done":
        return words["done"].format(who=person_name(world, known.done_by, lang), at=_at(known.done_at, world))
    if known.status == "started" and known.started_by:
        who = person_name(world, known.started_by, lang)
        return words["started"].format(who=who, at=_at(known.started_at, world))
    if known.status in SETTLED:
        return words["skipped"]
    return words["failed"] if known.status in {"failed", "unknown"} else ""


def _titles(state: Incident, key: str, world: World, lang: str) -> dict[str, str]:
    planned = world.step(state, key)
    return {one.id: one.title.lang(lang) for one in planned.step.options} if planned else {}


def _decision(known: StepState, titles: dict[str, str], world: World, lang: str) -> str:
    """Decided, or proposed and waiting for the second person (four eyes)."""
    if known.choice is not None:
        return WORDS[lang]["decided"].format(
            choice=titles.get(known.choice, known.choice),
            who=person_name(world, known.done_by, lang),
            at=_at(known.done_at, world),
        )
    if known.proposed is None:
        return ""
    choice = known.proposed.choice
    return WORDS[lang]["proposed"].format(
        choice=titles.get(choice, choice), who=person_name(world, known.proposed.by, lang)
    )


def _names(people: list[str], world: World, lang: str) -> str:
    comma = "、" if lang == "ja" else ", "
    return comma.join(person_name(world, one, lang) for one in people[:6]) or "-"


def _at(instant: datetime | None, world: World) -> str:
    if instant is None:
        return "-"
    local = instant.astimezone(ZoneInfo(world.organisation.zone))
    today = world.now.astimezone(local.tzinfo).date()
    return f"{local:%H:%M}" if local.date() == today else f"{local:%m/%d %H:%M}"
