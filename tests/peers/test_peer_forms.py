"""People can do what the message or the modal offers, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.boltapp import FORM, PAGE
from tests.peers.forms import CannotDo, fill, press

Json = dict[str, Any]


def modal(*elements: Json, optional: bool = True) -> Json:
    """A modal with one input for each element, in blocks b0, b1, ..."""
    blocks = [
        {"type": "input", "block_id": f"b{number}", "optional": optional, "element": element}
        for number, element in enumerate(elements)
    ]
    return {"type": "modal", "blocks": [{"type": "divider"}, *blocks]}


def option(value: str) -> Json:
    return {"text": {"type": "plain_text", "text": value.upper()}, "value": value}


def test_a_press_carries_what_the_button_says() -> None:
    action = press({"blocks": PAGE}, "take")
    assert (action["type"], action["block_id"], action["value"]) == ("button", "answer", "7")


def test_an_accessory_is_pressed_too() -> None:
    accessory = {"type": "overflow", "action_id": "more", "options": [option("a"), option("b")]}
    action = press({"blocks": [{"type": "section", "block_id": "s", "accessory": accessory}]}, "more", "b")
    assert (action["block_id"], action["selected_option"]) == ("s", option("b"))


@pytest.mark.parametrize(
    ("action_id", "chosen", "why"),
    [
        ("gone", None, "shows no 'gone', only .'take', 'severity'."),
        ("severity", "sev9", "offers no 'sev9', only .'sev1'."),
    ],
)
def test_what_is_not_shown_cannot_be_pressed(action_id: str, chosen: str | None, why: str) -> None:
    with pytest.raises(CannotDo, match=why):
        press({"blocks": PAGE}, action_id, chosen)


def test_a_message_without_blocks_shows_nothing() -> None:
    with pytest.raises(CannotDo, match="only \\[\\]"):
        press({"text": "plain"}, "take")


@pytest.mark.parametrize(
    ("element", "answer", "state"),
    [
        ({"type": "plain_text_input"}, "a", {"value": "a"}),
        ({"type": "number_input"}, "12", {"value": "12"}),
        ({"type": "static_select", "options": [option("a")]}, "a", {"selected_option": option("a")}),
        (
            {"type": "static_select", "option_groups": [{"options": [option("a")]}]},
            "a",
            {"selected_option": option("a")},
        ),
        (
            {"type": "checkboxes", "options": [option("a"), option("b")]},
            ("a", "b"),
            {"selected_options": [option("a"), option("b")]},
        ),
        ({"type": "checkboxes", "options": [option("a")]}, "a", {"selected_options": [option("a")]}),
        ({"type": "datepicker"}, "2026-11-23", {"selected_date": "2026-11-23"}),
        ({"type": "users_select"}, "U0SATO001", {"selected_user": "U0SATO001"}),
    ],
)
def test_an_answer_takes_the_shape_that_slack_gives_it(element: Json, answer: Any, state: Json) -> None:
    view = modal(element | {"action_id": "field"})
    assert fill(view, {"field": answer}) == {"b0": {"field": {"type": element["type"]} | state}}


@pytest.mark.parametrize(
    ("element", "state"),
    [
        ({"type": "plain_text_input"}, {"value": None}),
        ({"type": "plain_text_input", "initial_value": "a"}, {"value": "a"}),
        ({"type": "radio_buttons", "options": [option("a")]}, {"selected_option": None}),
        ({"type": "static_select", "initial_option": option("a")}, {"selected_option": option("a")}),
        ({"type": "checkboxes", "initial_options": [option("a")]}, {"selected_options": [option("a")]}),
        ({"type": "users_select", "initial_user": "U1"}, {"selected_user": "U1"}),
    ],
)
def test_what_nobody_touched_keeps_its_initial_value(element: Json, state: Json) -> None:
    view = modal(element | {"action_id": "field"})
    assert fill(view, {}) == {"b0": {"field": {"type": element["type"]} | state}}


@pytest.mark.parametrize(
    ("view", "answers", "why"),
    [
        (FORM, {}, "'reason' must be filled"),
        (FORM, {"reason": ""}, "'reason' must be filled"),
        (FORM, {"reason": "x" * 201}, "0 to 200 characters, not 201"),
        (FORM, {"reason": "a", "other": "b"}, "no field .'other'., only .'instead', 'reason'."),
        (FORM, {"reason": "a", "instead": "suzuki"}, "offers no 'suzuki'"),
        (modal({"type": "file_input", "action_id": "field"}), {"field": "a"}, "can give to file_input"),
        (modal({"type": "checkboxes", "action_id": "f"}, optional=False), {}, "'f' must be filled"),
    ],
)
def test_what_slacks_client_would_not_submit_is_refused(view: Json, answers: Any, why: str) -> None:
    with pytest.raises(CannotDo, match=why):
        fill(view, answers)
