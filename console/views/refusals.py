"""Why a rule said no, and what to do about it, in words. There is a text for every Reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from console.views.causes import cause, gate, without_command
from console.views.fieldtexts import factor_text, field_text, labelled
from console.views.naming import Naming
from console.views.sheet import harmless
from console.views.shifts import defect_text
from models.reason import Reason
from models.state import Incident

MAX_NAMED = 12


def what(naming: Naming, reason: Reason, detail: Mapping[str, object]) -> str:
    """The reason as a sentence."""
    if reason is Reason.NO_SUCH_PAGE:
        return _no_such_page(naming, detail)
    return naming.texts(_key(naming, reason, detail, "what"), **_values(naming, detail))


def advice(naming: Naming, reason: Reason, detail: Mapping[str, object]) -> str:
    """What to do next."""
    return naming.texts(_key(naming, reason, detail, "do"), **_values(naming, detail))


def on_a_page(naming: Naming, reason: Reason, detail: Mapping[str, object]) -> tuple[str, str]:
    """Both for whoever has a form before them: fields by their labels, and no command to type."""
    labels = {name: one for name, one in _labelled(naming, detail).items() if name in detail}
    special = f"refused.web.{reason.name}-{detail.get('case', '')}"
    key = special if naming.texts.has(special) else f"refused.web.{reason.name}"
    values = _values(naming, detail) | labels
    if reason is Reason.NO_SUCH_PAGE:
        said = what(naming, reason, detail)
    else:
        said = naming.texts(_key(naming, reason, detail, "what"), **values)
    said = without_command(said)
    if naming.texts.has(key):
        return said, naming.texts(key, **values)
    do = advice(naming, reason, detail)
    return said, naming.texts("refused.web.otherwise") if _COMMAND.search(do) else do


_COMMAND = re.compile(r"hikeshi [a-z]|(?<![\w-])--[a-z]")


def _labelled(naming: Naming, detail: Mapping[str, object]) -> dict[str, str]:
    """The fields of a refusal as they are called on the form of its step."""
    found = naming.world.steps(naming.state) if isinstance(naming.state, Incident) else {}
    planned = found.get(str(detail.get("step", "")))
    titles = {one.id: one.title.lang(naming.lang) for one in planned.step.record} if planned else {}
    shown = {}
    for kind in ("fields", "wrong", "factors"):
        many = detail.get(kind)
        many = list(many) if isinstance(many, (list, tuple)) else []
        texts = [labelled(naming, str(one), titles) for one in many[:MAX_NAMED]]
        more = ["…"] if len(many) > MAX_NAMED else []
        shown[kind] = naming.texts("words.comma").join([*texts, *more])
    if (name := str(detail.get("field", ""))) in titles:
        shown["field"] = titles[name]
    elif naming.texts.has(f"fields.of-form.{name}"):
        shown["field"] = naming.texts(f"fields.of-form.{name}")
    return shown


def _key(naming: Naming, reason: Reason, detail: Mapping[str, object], part: str) -> str:
    """Where the text is: a rule may say by `case` that its refusal asks for other words than the reason's."""
    special = f"refused.case.{reason.name}.{detail.get('case', '')}.{part}"
    return special if naming.texts.has(special) else f"refused.{reason.name}.{part}"


def _values(naming: Naming, detail: Mapping[str, object]) -> dict[str, str]:
    values = {name: _value(naming, name, value) for name, value in detail.items()}
    values["id"] = str(detail.get("step", ""))
    values["holder_id"] = str(detail.get("holder", ""))
    gates = detail.get("gates")
    values["gate_id"] = str(gates[0]) if isinstance(gates, (list, tuple)) and gates else "GATE"
    return {"incident": naming.state.stream, **values}


def _no_such_page(naming: Naming, detail: Mapping[str, object]) -> str:
    """Which pages are open, each with its matter: a number alone helps nobody to choose."""
    pages = [f"#{page.id} {naming.subject(page.subject)}" for page in naming.state.open_pages()]
    known = naming.texts("words.comma").join(pages[:MAX_NAMED]) or naming.texts("words.none")
    if detail.get("page") in {"", None}:
        return naming.texts("words.which_page", known=known)
    return naming.texts("refused.NO_SUCH_PAGE.what", page=_value(naming, "page", detail["page"]), known=known)


def _value(naming: Naming, name: str, value: Any) -> str:
    if isinstance(value, (list, tuple, set, frozenset)):
        kinds = {
            "steps": "id",
            "after": "step",
            "gates": "gate",
            "causes": "cause",
            "needs": "who",
            "defects": "defect",
            "fields": "field",
            "wrong": "field",
            "factors": "factor",
        }
        shown = [_one(naming, kinds.get(name, "id"), str(one)) for one in list(value)[:MAX_NAMED]]
        more = ["…"] if len(value) > MAX_NAMED else []
        return naming.texts("words.comma").join([*shown, *more]) or naming.texts("words.none")
    return _one(naming, name, "" if value is None else str(value))


def _one(naming: Naming, kind: str, value: str) -> str:
    say = _NAMED.get(kind)
    return say(naming, value) if say is not None else harmless(value, 300)


_NAMED: Mapping[str, Callable[[Naming, str], str]] = {
    "who": Naming.who,
    "holder": Naming.who,
    "by": Naming.who,
    "step": Naming.step,
    "gate": gate,
    "defect": defect_text,
    "field": field_text,
    "factor": factor_text,
    "cause": cause,
    "instant": lambda naming, value: naming.times.at(datetime.fromisoformat(value)),
    "audience": lambda naming, value: naming.texts.word("communication.audience", value),
    "status": lambda naming, value: naming.texts.word("words.status", value),
}
