"""What the machine drafts and people send: the text of a notice, and the review when the lessons begin.

A draft is a document beside the record; the fact names it by its digest. Facts about a draft that cannot be
made are no use to whoever has to send it, so the draft itself says what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from console.export import escape, markdown
from flows.place import ACTOR, Place
from models.canonical import document_digest
from models.commands import DraftNotice, DraftReview
from models.crashpoint import crash_point
from models.errors import BadInput
from models.frozen import Document
from models.plan import PlannedStep
from models.state import Incident
from models.world import World
from playbooks.drafts import GAP, render_draft

LANGS = ("ja", "en")
MEDIA_NOTICE = "application/vnd.hikeshi.notice+json"
MEDIA_REVIEW = "text/markdown"
_UNDRAFTED = {
    "ja": "【下書きを作成できませんでした】手順の本文を見て手で書いてください。理由: {why}",
    "en": "[No draft could be made] Please write it by hand from the step's text. Reason: {why}",
}
_YES_NO = {"ja": ("はい", "いいえ"), "en": ("yes", "no")}
_HEADS = {
    "ja": (
        "振り返りの下書き",
        "この文書は記録から機械が作った下書きです。評価と改善は人が書き加えます。",
        "まだ終わっていない手順",
        "なし",
    ),
    "en": (
        "Draft of the review",
        "Drafted from the record by the machine. People add the assessment and the improvements.",
        "Steps not finished",
        "none",
    ),
}
_UNFINISHED = frozenset({"ready", "started", "held", "failed", "unknown"})


def needs_draft(state: Incident, planned: PlannedStep) -> bool:
    """Whether the step is a notice that somebody may send now and that has no draft yet."""
    known = state.steps.get(planned.key)
    return (
        planned.step.draft is not None
        and known is not None
        and known.status in {"ready", "started"}
        and known.drafted is None
    )


async def draft_notice(place: Place, incident: str, planned: PlannedStep) -> bool:
    """Draft one notice in both languages and record it; whether the record took it."""
    state = place.desk.incident(incident)
    world = place.desk.world(state)
    body = orjson.dumps(
        {lang: notice_text(place, state, world, planned, lang) for lang in LANGS}, option=orjson.OPT_SORT_KEYS
    )
    digest = _keep(place, body, MEDIA_NOTICE)
    outcome = await place.handle(incident, DraftNotice(actor=ACTOR, step=planned.key, document=digest))
    crash_point("drafted")
    return outcome.accepted


def notice_text(place: Place, state: Incident, world: World, planned: PlannedStep, lang: str) -> str:
    """The notice in `ja` or `en`; if it does not render, a text that says so and why."""
    assert planned.step.draft is not None  # noqa: S101 - `needs_draft` has looked
    try:
        return render_draft(planned.step.draft.lang(lang), _names(place, state, world, planned, lang))
    except BadInput as wrong:
        return _UNDRAFTED[lang].format(why=wrong)


def _names(place: Place, state: Incident, world: World, planned: PlannedStep, lang: str) -> Mapping[str, Any]:
    texts = place.desk.texts(state.stream)

    def shown(value: Any) -> Any:
        return _shown(place, texts, value, lang)

    def variable(name: str) -> Any:
        return shown(state.variables.get(f"{planned.scope}.{name}", planned.arguments.get(name)))

    def output(step: str, field: str) -> Any:
        known = state.steps.get(planned.resolve(step))
        return shown(known.outputs.get(field)) if known else None

    return {
        "incident": {
            "id": state.stream,
            "title": texts.get(state.title),
            "severity": _severity(world, state, lang),
            "declared_at": place.local(state.declared_at) if state.declared_at else None,
        },
        "organisation": {"name": place.organisation.name.lang(lang)},
        "services": [_service(world, name, lang) for name, one in state.services.items() if one.since],
        "now": place.local(world.now),
        "var": variable,
        "output": output,
    }


def _shown(place: Place, texts: Mapping[str, str | None], value: Any, lang: str) -> Any:
    """A recorded value for people: texts by their digest, instants in local time, yes and no in words."""
    if isinstance(value, bool):
        return _YES_NO[lang][0 if value else 1]
    if not isinstance(value, str):
        return value
    if value.startswith("t:") and value in texts:
        return texts[value]
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return value
    return place.local(at) if at.tzinfo is not None else value


def _severity(world: World, state: Incident, lang: str) -> str | None:
    found = (one.title.lang(lang) for one in world.policy.severity.severities if one.id == state.severity)
    return next(found, None)


def _service(world: World, name: str, lang: str) -> str:
    service = world.directory.service(name)
    return service.name.lang(lang) if service else name


def _keep(place: Place, body: bytes, media: str) -> str:
    """Store a document before the fact that names it; one that no fact names is harmless."""
    document = Document(digest=document_digest(body), body=body)
    with place.house.record.begin() as tx:
        tx.keep(document, media)
    return document.digest


# -- the review ---------------------------------------------------------------------------------------------


def review_is_due(place: Place, state: Incident) -> bool:
    """Whether the lessons have begun, or begun again, and no review was drafted since."""
    lessons = state.phases.get("lessons")
    if lessons is None or not lessons.times:
        return False
    with place.house.record.read() as tx:
        facts = tx.facts(state.stream)
    for fact in reversed(facts):
        if fact.kind == "review.drafted":
            return False
        if fact.kind in {"phase.opened", "phase.reopened"} and fact.data["phase"] == "lessons":
            return True
    return False


async def draft_review(place: Place, incident: str) -> bool:
    """Draft the review in the institution's language and record it; whether the record took it."""
    state = place.desk.incident(incident)
    text = review_text(place, state, place.lang)
    digest = _keep(place, text.encode(), MEDIA_REVIEW)
    outcome = await place.handle(incident, DraftReview(actor=ACTOR, document=digest))
    crash_point("drafted")
    return outcome.accepted


def review_text(place: Place, state: Incident, lang: str) -> str:
    """The report of the incident as Markdown in `ja` or `en`, with what nobody has finished yet."""
    title, note, unfinished, none = _HEADS[lang]
    _, _, report = markdown(place.desk, state.stream, lang).partition("\n")
    texts = place.desk.texts(state.stream)
    left = [
        f"- {escape(_title(texts, planned.step.title.lang(lang)))}"
        for key, planned in place.desk.world(state).steps(state).items()
        if (known := state.steps.get(key)) is not None and known.status in _UNFINISHED
    ]
    head = [f"# {title} {state.stream}", "", f"> {note}"]
    return "\n".join([*head, report, f"## {unfinished}", "", *(left or [f"- {none}"])]) + "\n"


def _title(texts: Mapping[str, str | None], title: str) -> str:
    """A step's title; that of a step added by hand lies beside the record."""
    return (texts.get(title) or GAP) if title.startswith("t:") else title


def plain(text: str) -> str:
    """Outside text as one line in which Markdown and HTML mean nothing."""
    line = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+!|~&" else c for c in line)
