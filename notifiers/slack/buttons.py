"""The buttons of a message as a Slack block: pure. Whatever they do, the message's link does too."""

from __future__ import annotations

from typing import Any, Final

from notifiers.message import Act

PREFIX = "hikeshi:"
MAX_BUTTONS = 6
MAX_OPTION_VALUE = 150
MORE = "more"

LABELS: Final[dict[str, dict[str, str]]] = {
    "ja": {
        "ack": "受領する",
        "decline": "辞退…",
        "delegate": "委任…",
        "decide": "判断する…",
        "approve": "承認する…",
        "reject": "差し戻す…",
        "opinion": "意見を求める…",
        "give-opinion": "意見を述べる…",
        "start": "着手する",
        "take": "代わりに引き取る",
        "refuse": "引き継がない…",
        "done": "完了…",
        "hand-over": "引き継ぐ…",
        "message": "文面を読んで承認…",
        "confirm": "内容を確認した",
        "severity": "重大度…",
        "note": "メモ…",
        "fire-inject": "今すぐ付与",
        "skip-inject": "見送る…",
        "pause-drill": "一時停止",
        "resume-drill": "再開",
        "observe": "観察を書く…",
        "more": "その他…",
    },
    "en": {
        "ack": "I have it",
        "decline": "Decline…",
        "delegate": "Delegate…",
        "decide": "Decide…",
        "approve": "Approve…",
        "reject": "Send back…",
        "opinion": "Ask for an opinion…",
        "give-opinion": "Give an opinion…",
        "start": "Start",
        "take": "Take over",
        "refuse": "Do not take it…",
        "done": "Done…",
        "hand-over": "Hand over…",
        "message": "Read and approve…",
        "confirm": "I confirm it",
        "severity": "Severity…",
        "note": "Note…",
        "fire-inject": "Give it now",
        "skip-inject": "Leave it out…",
        "pause-drill": "Pause",
        "resume-drill": "Go on",
        "observe": "Observe…",
        "more": "More…",
    },
}


def action_id(name: str) -> str:
    """The id by which Slack names the button that was pressed."""
    return f"{PREFIX}{name}"


def act_name(action: str) -> str:
    """The act of a button's id; empty if it is none of ours."""
    return action.removeprefix(PREFIX) if action.startswith(PREFIX) else ""


def actions_block(acts: tuple[Act, ...], lang: str) -> dict[str, Any] | None:
    """One block with the buttons; None if there are none. What is beyond six is found under `more`."""
    unique = {act.name: act for act in acts}
    if not unique:
        return None
    shown = sorted(unique.values(), key=lambda act: act.name == MORE)
    if len(shown) > MAX_BUTTONS:
        shown = [*shown[: MAX_BUTTONS - 1], *(act for act in shown[MAX_BUTTONS - 1 :] if act.name == MORE)]
    return {"type": "actions", "elements": [_button(act, lang) for act in shown]}


def _button(act: Act, lang: str) -> dict[str, Any]:
    words = LABELS.get(lang, LABELS["ja"])
    button: dict[str, Any] = {
        "type": "button",
        "action_id": action_id(act.name),
        "text": {"type": "plain_text", "text": words.get(act.name, act.name), "emoji": True},
        "value": act.value,
    }
    return button | ({"style": "primary"} if act.primary else {})
