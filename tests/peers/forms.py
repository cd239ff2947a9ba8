"""What a person can do with a message's buttons and a modal's fields, and nothing else.

Pure. Shapes as Slack documents them: a pressed element is one entry of `actions`, a submitted modal is
`view.state.values[block_id][action_id]`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]
Answer = str | tuple[str, ...]
"""What is typed, chosen (an option's value, an id, a date) or ticked (several)."""

_ONE_OPTION = frozenset({"static_select", "radio_buttons", "overflow"})
_OPTIONS = frozenset({"checkboxes", "multi_static_select"})
_TYPED = frozenset({"plain_text_input", "email_text_input", "url_text_input", "number_input"})
_CHOSEN = {
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "users_select": "selected_user",
    "channels_select": "selected_channel",
    "conversations_select": "selected_conversation",
}


class CannotDo(LookupError):
    """Slack's client offers no such thing, or would not let it pass."""


def press(message: Json, action_id: str, answer: str | None = None) -> Json:
    """The action of pressing a button of `message`, or of choosing the option with the value `answer`.

    Raises CannotDo if the message shows no such element or option.
    """
    for block, element in elements(message):
        if element.get("action_id") == action_id:
            action = {"type": element["type"], "action_id": action_id, "block_id": block.get("block_id")}
            if element["type"] == "button":
                return action | {"value": element.get("value"), "text": element.get("text")}
            return action | _answered(element, answer or "")
    shown = [element.get("action_id") for _, element in elements(message)]
    raise CannotDo(f"the message shows no {action_id!r}, only {shown}")


def elements(message: Json) -> Iterator[tuple[Json, Json]]:
    """Each interactive element with its block: of actions, of inputs, and beside sections."""
    for block in message.get("blocks") or []:
        inside = [*(block.get("elements") or []), block.get("accessory"), block.get("element")]
        yield from ((block, element) for element in inside if element and element.get("action_id"))


def fill(view: Json, answers: Mapping[str, Answer]) -> dict[str, dict[str, Json]]:
    """The state of `view` with `answers` by action id; what is not answered keeps its initial value.

    Raises CannotDo for an unknown field or option, an empty field that must be filled, and text outside the
    field's lengths: Slack's client would not submit.
    """
    fields = {
        element["action_id"]: (block, element)
        for block, element in elements(view)
        if block["type"] == "input"
    }
    if unknown := set(answers) - set(fields):
        raise CannotDo(f"the modal has no field {sorted(unknown)}, only {sorted(fields)}")
    state: dict[str, dict[str, Json]] = {}
    for name, (block, element) in fields.items():
        filled = _answered(element, answers[name]) if name in answers else _initial(element)
        value = next((filled[key] for key in filled if key != "type"), None)
        if not value and not block.get("optional"):
            raise CannotDo(f"the modal's field {name!r} must be filled")
        state.setdefault(block.get("block_id") or "", {})[name] = filled
    return state


def _answered(element: Json, answer: Answer) -> Json:
    kind = element["type"]
    if kind in _TYPED and isinstance(answer, str):
        _fits(element, answer)
        return {"type": kind, "value": answer or None}
    if kind in _ONE_OPTION and isinstance(answer, str):
        return {"type": kind, "selected_option": _option(element, answer)}
    if kind in _OPTIONS:
        several = (answer,) if isinstance(answer, str) else answer
        return {"type": kind, "selected_options": [_option(element, each) for each in several]}
    if kind in _CHOSEN and isinstance(answer, str):
        return {"type": kind, _CHOSEN[kind]: answer or None}
    raise CannotDo(f"{answer!r} is nothing that a person can give to {kind}")


def _initial(element: Json) -> Json:
    kind = element["type"]
    if kind in _TYPED:
        return {"type": kind, "value": element.get("initial_value")}
    if kind in _ONE_OPTION:
        return {"type": kind, "selected_option": element.get("initial_option")}
    if kind in _OPTIONS:
        return {"type": kind, "selected_options": element.get("initial_options") or []}
    chosen = _CHOSEN.get(kind, "value")
    return {"type": kind, chosen: element.get(chosen.replace("selected_", "initial_"))}


def _option(element: Json, value: str) -> Json:
    groups = element.get("option_groups") or [element]
    offered: list[Json] = [option for group in groups for option in group.get("options") or []]
    for option in offered:
        if option.get("value") == value:
            return option
    values = [each.get("value") for each in offered]
    raise CannotDo(f"{element['action_id']!r} offers no {value!r}, only {values}")


def _fits(element: Json, answer: str) -> None:
    least, most = element.get("min_length", 0), element.get("max_length", 3_000)
    if answer and not least <= len(answer) <= most:
        raise CannotDo(f"{element['action_id']!r} takes {least} to {most} characters, not {len(answer)}")
