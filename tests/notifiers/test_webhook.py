"""What a webhook sends: the signature as the standard's own example has it, the words, and the bounds."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from examples.webhooks.receiver import wrong_with
from models.clock import ExerciseClock
from models.errors import BadConfiguration
from models.fold import kinds_of
from models.state import Incident
from notifiers.webhook import event, words
from notifiers.webhook.deliver import BODY_MOST, Receiver
from notifiers.webhook.signing import ID, SIGNATURE, TIMESTAMP, key_of, signed_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the standard's own example
NOW = datetime.fromtimestamp(1614265330, UTC)
ROW: dict[str, Any] = {
    "key": "INC-2026-0001/1/webhook/siem",
    "body": orjson.dumps(
        {"type": "incident.declared", "incident": "INC-2026-0001", "seq": 1, "drill": False}
    ).decode(),
}


def test_the_signature_is_that_of_the_example_of_the_standard() -> None:
    headers = signed_headers([key_of(SECRET)], "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', NOW)
    assert headers == {
        ID: "msg_p5jXN8AQM9LWM0D4loKWxJek",
        TIMESTAMP: "1614265330",
        SIGNATURE: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_while_a_secret_is_changed_both_sign_and_either_receiver_believes_it() -> None:
    new, old = b"n" * 24, b"o" * 24
    headers = signed_headers([new, old], "x/1", b"{}", NOW)
    for key in (new, old):
        assert wrong_with(key, headers, b"{}", NOW.timestamp()) == ""
    assert wrong_with(b"other" * 6, headers, b"{}", NOW.timestamp()) == "wrong signature"


@pytest.mark.parametrize(
    ("change", "late", "why"),
    [
        ({}, 301, "too old"),
        ({}, -301, "too old"),
        ({ID: "x/2"}, 0, "wrong signature"),
        ({TIMESTAMP: str(1614265331)}, 0, "wrong signature"),
        ({SIGNATURE: ""}, 0, "wrong signature"),
        ({SIGNATURE: "v1,ü"}, 0, "wrong signature"),
    ],
)
def test_the_example_receiver_believes_nothing_old_or_changed(
    change: dict[str, str], late: int, why: str
) -> None:
    headers = signed_headers([b"n" * 24], "x/1", b"{}", NOW) | change
    assert wrong_with(b"n" * 24, headers, b"{}", NOW.timestamp() + late) == why


@pytest.mark.parametrize(
    "secret",
    ["", "plain", "whsec_", "whsec_!!!!", "whsec_" + base64.b64encode(b"short").decode(), "c2VjcmV0" * 6],
)
def test_what_is_no_secret_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(BadConfiguration) as refused:
        key_of(secret)
    assert len(secret) <= len("whsec_") or secret not in str(refused.value)


def test_every_kind_of_fact_has_words_in_both_languages_and_a_drill_is_marked() -> None:
    for kind in kinds_of(Incident):
        for drill, ja, en in ((False, "INC-1: ", "INC-1: "), (True, "【訓練】INC-1: ", "[DRILL] INC-1: ")):
            said = words.said({"type": kind, "incident": "INC-1", "drill": drill})
            assert said["ja"].startswith(ja) and said["en"].startswith(en)
            assert said["ja"] != said["en"]


def test_the_words_are_of_facts_that_there_are() -> None:
    known = kinds_of(Incident)
    assert [kind for kind in words._KINDS if kind not in known] == []
    assert [name for name in words._FAMILIES if not any(kind.startswith(f"{name}.") for kind in known)] == []


def test_a_title_leaves_only_if_given_on_one_line_and_short() -> None:
    plain = orjson.loads(event.body(ROW, "https://node.example/incidents/INC-2026-0001"))
    assert "title" not in plain
    assert plain["v"] == 1 and plain["id"] == ROW["key"]
    assert plain["link"] == "https://node.example/incidents/INC-2026-0001"
    titled = orjson.loads(event.body(ROW, "", "a\nb\u202e" + "c" * 500))
    assert titled["title"].startswith("a b") and len(titled["title"]) <= event.TITLE_MOST


async def test_what_is_too_large_is_not_sent_at_all() -> None:
    receiver = Receiver("http://127.0.0.1:1/secret-path", [b"k" * 24], ExerciseClock(NOW), 1.0)
    answer = await receiver.tell("x", b"x" * (BODY_MOST + 1))
    assert (answer.status, "larger" in answer.error) == (413, True)
    gone = await receiver.tell("x", b"{}")
    assert gone.status == 0 and "127.0.0.1" in gone.error and "secret-path" not in gone.error
    assert "secret-path" not in repr(receiver)
    await receiver.close()
    await receiver.close()
