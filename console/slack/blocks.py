"""The parts that Slack dialogs are put together from, each cut to Slack's limits: pure.

Labels, hints and options are plain text, in which Slack finds no mention and no link; sections hold escaped
mrkdwn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from notifiers.rendering import clean, cut, one_line
from notifiers.slack import escape

MAX_TITLE, MAX_OPTION, MAX_OPTIONS, MAX_SECTION, MAX_HINT, MAX_LABEL = 24, 75, 100, 2_900, 300, 150
MAX_INPUT = 3_000
MAX_RADIO = 10
Block = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One option: what is recorded, what people read, and a line beneath it."""

    value: str
    text: str
    about: str = ""


def plain(text: str, limit: int) -> dict[str, Any]:
    """Text that Slack reads nothing into. An empty one would be refused."""
    return {"type": "plain_text", "text": cut(one_line(text), limit) or "-", "emoji": False}


def said(*lines: str) -> Block:
    """Lines of escaped mrkdwn (`tell`, `escape.bold`)."""
    text = escape.cut("\n".join(line for line in lines if line), MAX_SECTION) or "-"
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def tell(label: str, text: str, limit: int = 600) -> str:
    """A labelled line, the text made harmless; empty without a text."""
    return f"{escape.bold(escape.escape(label))} {escape.escape(cut(clean(text), limit))}" if text else ""


def words(text: str, limit: int = 600) -> str:
    """Text of the record as harmless mrkdwn."""
    return escape.escape(cut(clean(text), limit))


def write(  # noqa: PLR0913 - one argument for each thing Slack lets a field say
    block: str,
    label: str,
    *,
    long: bool = False,
    optional: bool = False,
    given: str = "",
    hint: str = "",
    most: int = MAX_INPUT,
) -> Block:
    """A field to write in."""
    element: dict[str, Any] = {
        "type": "plain_text_input",
        "action_id": block,
        "multiline": long,
        "max_length": min(most, MAX_INPUT),
    }
    if given:
        element["initial_value"] = given[: min(most, MAX_INPUT)]
    return _input(block, label, element, optional=optional, hint=hint)


def choose(  # noqa: PLR0913 - as above
    block: str,
    label: str,
    choices: Iterable[Choice],
    *,
    given: str = "",
    optional: bool = False,
    hint: str = "",
    radio: bool = False,
) -> Block:
    """One of several, as buttons if they are few and have to be read, else as a list."""
    options = [_option(one, radio=radio) for one in list(choices)[:MAX_OPTIONS]]
    if not options:
        # Slack refuses a list with nothing in it, and with it the whole dialog.
        return said(tell(label, "-"))
    kind = "radio_buttons" if radio and len(options) <= MAX_RADIO else "static_select"
    element: dict[str, Any] = {"type": kind, "action_id": block, "options": options}
    initial = next((one for one in options if one["value"] == given), None)
    if initial is not None:
        element["initial_option"] = initial
    return _input(block, label, element, optional=optional, hint=hint)


def choose_many(block: str, label: str, choices: Iterable[Choice], *, hint: str = "") -> Block:
    """Any number of several."""
    options = [_option(one) for one in list(choices)[:MAX_OPTIONS]]
    if not options:
        return said(tell(label, "-"))
    element = {"type": "multi_static_select", "action_id": block, "options": options}
    return _input(block, label, element, optional=True, hint=hint)


def _option(one: Choice, *, radio: bool = False) -> dict[str, Any]:
    option: dict[str, Any] = {"text": plain(one.text, MAX_OPTION), "value": one.value}
    return option | ({"description": plain(one.about, MAX_OPTION)} if radio and one.about else {})


def _input(block: str, label: str, element: dict[str, Any], *, optional: bool, hint: str) -> Block:
    found = {
        "type": "input",
        "block_id": block,
        "label": plain(label, MAX_LABEL),
        "element": element,
        "optional": optional,
    }
    return found | ({"hint": plain(hint, MAX_HINT)} if hint else {})


def given(view: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """What was filled in, by block: text, the chosen value, or a list of them; what is empty is left out."""
    found: dict[str, str | list[str]] = {}
    values = (view.get("state") or {}).get("values") or {}
    for block, fields in values.items():
        field = next(iter(fields.values()), None) if isinstance(fields, dict) else None
        value = _given(field) if isinstance(field, dict) else ""
        if value:
            found[str(block)] = value
    return found


def _given(field: Mapping[str, Any]) -> str | list[str]:
    if isinstance(field.get("selected_options"), list):
        return [str(one.get("value", "")) for one in field["selected_options"] if isinstance(one, dict)]
    option = field.get("selected_option")
    if isinstance(option, dict):
        return str(option.get("value", ""))
    value = field.get("value")
    return value.strip() if isinstance(value, str) else ""
