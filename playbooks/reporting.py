"""Drafting a report by its form: each item is rendered for itself, and one that cannot be says so in its
place.

Names that a form's text may use are those of FORM_NAMES and FORM_CALLS; what nobody knows yet is marked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from models.errors import BadInput
from playbooks.drafts import render_draft
from playbooks.obligations import Form

FORM_NAMES = (
    "incident", "organisation", "now", "stage", "services", "downtime", "evidence", "decisions", "steps_done",
    "recovery", "reported", "improvements",
)  # fmt: skip
FORM_CALLS = frozenset({"instant", "impact", "scope", "review", "submitted"})
_UNWRITTEN = {
    "ja": "【この項目は作成できませんでした。手で書いてください: {why}】",
    "en": "[This item could not be drafted; write it by hand: {why}]",
}


def draft_report(form: Form, names: Mapping[str, Any], lang: str) -> str:
    """The report as Markdown in `ja` or `en`."""
    parts = [f"# {form.title.lang(lang)}", ""]
    for number, item in enumerate(form.items, start=1):
        parts += [f"## {number}. {item.title.lang(lang)}", "", _item(item.text.lang(lang), names, lang), ""]
    return "\n".join(parts)


def _item(source: str, names: Mapping[str, Any], lang: str) -> str:
    try:
        return render_draft(source, names, FORM_CALLS)
    except BadInput as wrong:
        return _UNWRITTEN[lang].format(why=wrong)


def try_form(source: str) -> None:
    """Render a text over nothing at all. Raises BadInput if it asks for what there is not."""
    nothing: Callable[[str], None] = lambda name: None  # noqa: E731 - the same for every call
    listed: Callable[[str], list[str]] = lambda name: []  # noqa: E731
    names: dict[str, Any] = dict.fromkeys(FORM_NAMES, "")
    names |= {
        "incident": dict.fromkeys(("id", "title", "declared_at", "severity"), ""),
        "organisation": {"name": ""},
    }
    names |= {
        name: [] for name in ("services", "decisions", "steps_done", "recovery", "reported", "improvements")
    }
    names |= {name: listed if name == "scope" else nothing for name in FORM_CALLS}
    render_draft(source, names, FORM_CALLS)
