"""What a page about an ended phase says: which one, why it may have to be reopened, how to answer."""

from __future__ import annotations

from typing import Any

from models.state import Incident
from notifiers.briefing_names import Matter
from notifiers.phrases import PHRASES

WORDS = {
    "ja": {"scope-grew": "対象範囲に {what} が加わった", "other": "{cause}", "comma": "、"},
    "en": {"scope-grew": "{what} has joined the scope", "other": "{cause}", "comma": ", "},
}


def brief_reopening(name: str, matter: Matter, lang: str) -> dict[str, Any]:
    """The phase in words, the causes, and the two commands that settle it."""
    state = matter.state
    proposed = state.reopenings.get(name) if isinstance(state, Incident) else None
    phase = PHRASES[lang].get(f"phase.{name}", name)
    causes = [_said(one, lang) for one in (proposed.causes if proposed is not None else ())]
    return {
        "phase": phase,
        "reason": WORDS[lang]["comma"].join(causes),
        "command": f"hikeshi reopen {state.stream} --phase {name} --reason …",
        "extra": {
            "part": phase,
            "refuse": f"hikeshi reopen {state.stream} --phase {name} --decline --reason …",
        },
    }


def _said(cause: str, lang: str) -> str:
    kind, _, what = cause.partition(":")
    return WORDS[lang].get(kind, WORDS[lang]["other"]).format(what=what, cause=cause)
