"""The app's manifest: within the limits of Slack's schema, and nothing in it that nothing uses."""

from __future__ import annotations

from typing import Any

import pytest

from notifiers.slack.manifest import REQUEST_PATH, WORDS, is_address, manifest
from notifiers.slack.scopes import APP_SCOPES, SCOPES, missing

BOTH = pytest.mark.parametrize("lang", ["ja", "en"])


@BOTH
def test_words_keep_the_limits_of_slacks_schema(lang: str) -> None:
    made = manifest(lang)
    shown = made["display_information"]
    assert len(shown["name"]) <= 35
    assert 0 < len(shown["description"]) <= 140
    shortcuts = made["features"]["shortcuts"]
    assert [(one["type"], one["callback_id"]) for one in shortcuts] == [
        ("global", "hikeshi_declare"),
        ("message", "hikeshi_timeline"),
        ("message", "hikeshi_evidence"),
    ]
    assert all(0 < len(one["name"]) <= 24 and 0 < len(one["description"]) <= 150 for one in shortcuts)
    [command] = made["features"]["slash_commands"]
    assert command["command"] == "/hikeshi"
    assert len(command["usage_hint"]) <= 1_000
    assert all(len(one) <= 50 for one in made["oauth_config"]["scopes"]["bot"])
    assert set(WORDS["ja"]) == set(WORDS["en"])


def test_socket_mode_needs_no_address() -> None:
    made = manifest("en")
    assert made["settings"]["socket_mode_enabled"] is True
    assert "http" not in str(made)


def test_over_http_all_requests_go_to_one_path() -> None:
    made = manifest("en", "https://hikeshi.example.jp/")
    whole = f"https://hikeshi.example.jp{REQUEST_PATH}"
    assert made["settings"]["socket_mode_enabled"] is False
    assert made["settings"]["interactivity"]["request_url"] == whole
    assert made["features"]["slash_commands"][0]["url"] == whole


def test_the_manifest_asks_for_the_scopes_of_the_table_and_no_user_token() -> None:
    scopes: dict[str, Any] = manifest("ja")["oauth_config"]["scopes"]
    assert scopes == {"bot": [scope.name for scope in SCOPES]}
    assert len(set(scopes["bot"])) == len(SCOPES)
    assert "event_subscriptions" not in manifest("ja")["settings"], "no conversation is listened to"
    assert not {one.name for one in APP_SCOPES} & set(scopes["bot"])


def test_each_scope_says_why_and_what_needs_it() -> None:
    assert [one.name for one in SCOPES if not one.why] == []
    assert [one.name for one in SCOPES if not one.methods] == ["commands"]


ADDRESSES = [
    ("https://hikeshi.example.jp", True),
    ("https://hikeshi.example.jp:8443/base", True),
    ("http://127.0.0.1:8410", True),
    ("http://hikeshi.example.jp", False),
    ("https://", False),
    ("https://a.example/?x=1", False),
    ("https://a.example/#x", False),
    ("ftp://a.example", False),
    ("https://a b.example", False),
]


@pytest.mark.parametrize(("url", "fits"), ADDRESSES)
def test_slack_reaches_https_addresses(url: str, fits: bool) -> None:
    assert is_address(url) is fits


def test_what_a_token_lacks_is_named() -> None:
    everything = ",".join(scope.name for scope in SCOPES)
    assert missing(everything) == ()
    assert missing(f" {everything} , admin ") == ()
    lacking = missing(everything.replace("pins:write,", ""))
    assert [scope.name for scope in lacking] == ["pins:write"]
    assert len(missing("")) == len(SCOPES)
