"""The manifest of the Slack app: what is needed and no more, as Slack's own page for new apps takes it.

Limits of the schema (Slack's app manifest, version 1): name 35, description 140, name of a shortcut 24
characters; the tests hold the words below against them. No event is subscribed to: Hikeshi acts on presses,
forms, commands and shortcuts, which are interactivity, and reads no conversation that it is not asked about.
"""

from __future__ import annotations

import re
from typing import Any

from notifiers.slack.scopes import SCOPES

COMMAND = "/hikeshi"
DECLARE, TIMELINE, EVIDENCE = "declare", "timeline", "evidence"
"""Callback ids of the shortcuts: one global, two of a message."""
REQUEST_PATH = "/slack/events"
"""Where Slack's requests arrive if there is no Socket Mode."""
COLOUR = "#8b1a1a"
_HTTPS = re.compile(r"https://[^\s/?#]+[^\s?#]*|http://(127\.0\.0\.1|localhost)(:\d+)?(/[^\s?#]*)?")

WORDS: dict[str, dict[str, str]] = {
    "ja": {
        "description": "サイバーインシデント対応の指揮: 呼出・受領・判断・手順・記録",
        "command": "インシデントの宣言と状況確認",
        "usage": "[説明] | status | clocks | who | help",
        "declare": "インシデントを宣言する",
        "declare-why": "フォームに記入してインシデントを宣言し、担当者を呼び出します",
        "timeline": "時系列に加える",
        "timeline-why": "このメッセージをインシデントの時系列に記録します",
        "evidence": "証拠として保全する",
        "evidence-why": "このメッセージのファイルをインシデントの証拠として保全します",
    },
    "en": {
        "description": "Incident response: pages, acknowledgements, decisions, steps, the record",
        "command": "Declare an incident, or see how things stand",
        "usage": "[what happened] | status | clocks | who | help",
        "declare": "Declare an incident",
        "declare-why": "Fill in a form; the incident is declared and people are paged",
        "timeline": "Add to the timeline",
        "timeline-why": "Records this message in the timeline of an incident",
        "evidence": "Keep as evidence",
        "evidence-why": "Keeps the files of this message as evidence of an incident",
    },
}


def is_address(url: str) -> bool:
    """Whether Slack's requests can go to `url`: https, or this machine for trying out."""
    return _HTTPS.fullmatch(url) is not None


def manifest(lang: str, url: str | None = None) -> dict[str, Any]:
    """The manifest in `ja` or `en`: Socket Mode, or requests to `url` (https, without its path)."""
    words = WORDS[lang]
    requests = f"{url.rstrip('/')}{REQUEST_PATH}" if url else None
    return {
        "_metadata": {"major_version": 1, "minor_version": 1},
        "display_information": {
            "name": "Hikeshi",
            "description": words["description"],
            "background_color": COLOUR,
        },
        "features": {
            # Messages to a person need the tab; nothing reads what people would write there.
            "app_home": {
                "home_tab_enabled": False,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": True,
            },
            "bot_user": {"display_name": "Hikeshi", "always_online": True},
            "shortcuts": [
                _shortcut(DECLARE, "global", words),
                _shortcut(TIMELINE, "message", words),
                _shortcut(EVIDENCE, "message", words),
            ],
            "slash_commands": [_command(words, requests)],
        },
        "oauth_config": {"scopes": {"bot": [scope.name for scope in SCOPES]}},
        "settings": {
            "interactivity": {"is_enabled": True} | ({"request_url": requests} if requests else {}),
            "org_deploy_enabled": False,
            "socket_mode_enabled": requests is None,
            "token_rotation_enabled": False,
        },
    }


def _shortcut(name: str, kind: str, words: dict[str, str]) -> dict[str, str]:
    return {
        "name": words[name],
        "type": kind,
        "callback_id": f"hikeshi_{name}",
        "description": words[f"{name}-why"],
    }


def _command(words: dict[str, str], requests: str | None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "command": COMMAND,
        "description": words["command"],
        "usage_hint": words["usage"],
        # Mentions arrive as ids and not as names that anybody may have.
        "should_escape": True,
    }
    return made | ({"url": requests} if requests else {})
