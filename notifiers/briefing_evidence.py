"""What a page about damaged evidence says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.evidence import STORE
from models.state import Incident
from notifiers.briefing_names import Matter, person_name, text_of

_FINDINGS: Mapping[str, Mapping[str, str]] = {
    "ja": {
        "different": "保全時のダイジェストと一致しません",
        "missing": "保管場所にありません",
        "unreadable": "読み取れません",
        "handed": "引渡し時に、受領者の照合値が一致しませんでした",
    },
    "en": {
        "different": "its bytes are not those that were preserved",
        "missing": "it is not where it was stored",
        "unreadable": "it could not be read",
        "handed": "the receiver found another digest when it was handed over",
    },
}


def brief_evidence(number: str, matter: Matter, lang: str) -> dict[str, Any]:
    """The item, what was found, and who has it."""
    item = matter.state.evidence.get(number) if isinstance(matter.state, Incident) else None
    if item is None:
        return {}
    result = item.check.result if item.check is not None else ""
    finding = _FINDINGS[lang].get(result) or _FINDINGS[lang]["handed"]
    holder = "" if item.holder == STORE else person_name(matter.world, item.holder, lang)
    return {
        "reason": finding,
        "command": f"hikeshi evidence show {matter.state.stream} {number}",
        "extra": {
            "id": number,
            "name": text_of(matter, item.name) or item.source,
            "finding": finding,
            "holder": holder or text_of(matter, item.holder_name),
        },
    }
