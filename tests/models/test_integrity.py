"""What the house remembers of its keys, anchors and clock, and who may change a key."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from models.integrity import AcceptKey, NoteAnchor, NoteClock, NoteKey, too_far, worth_noting
from models.keeping import IntegritySettings
from models.reason import Reason
from models.state import House
from models.upkeep import TimeNoted, Upkeep
from tests.models.small import AMY, CHO, MACHINE, NIGHT, Scene, by, scene

STAMP = "sha256:ab"
SECOND = timedelta(seconds=1)


def key(how: Any = "made", name: str = "k1", who: Any = MACHINE, **more: Any) -> NoteKey:
    """A key comes into use."""
    return NoteKey(actor=who, how=how, key=name, public=f"{name}-public", stated_at=NIGHT, **more)


def upkeep(made: Scene) -> Upkeep:
    """What the house remembers."""
    state = made.desk.state("house")
    assert isinstance(state, House)
    return state.upkeep


def test_the_first_key_is_made_and_the_same_again_is_refused() -> None:
    made = scene()
    assert made.do(key(), "house") == ("key.made",)
    assert upkeep(made).key == "k1"
    assert upkeep(made).keys == {"k1": "k1-public"}
    assert made.says(key(), "house").reason is Reason.ALREADY


def test_a_key_is_rotated_by_somebody_entitled_and_the_signature_stays_with_it() -> None:
    made = scene()
    made.do(key(), "house")
    rotated = key("rotated", "k2", by(CHO), before="k1", signature="ab", reason="yearly")
    assert made.do(rotated, "house") == ("key.rotated",)
    [fact] = made.facts("key.rotated", "house")
    assert (fact.data["before"], fact.data["signature"], fact.actor) == ("k1", "ab", CHO)
    assert fact.data["reason"].startswith("t:")
    assert upkeep(made).key == "k2"
    assert list(upkeep(made).keys) == ["k1", "k2"]


def test_nobody_else_rotates_a_key_and_nobody_without_a_reason() -> None:
    made = scene()
    made.do(key(), "house")
    assert made.says(key("rotated", "k2", by(AMY), reason="-"), "house").reason is Reason.ROLE_MISSING
    assert made.says(key("rotated", "k2", by(CHO)), "house").reason is Reason.REASON_MISSING


def test_a_key_that_nothing_signed_for_pages_somebody() -> None:
    made = scene()
    made.do(key(), "house")
    kinds = made.do(key("replaced", "k2", reason="another file"), "house")
    assert kinds == ("key.replaced", "machine.impaired", "page.asked")
    [fact] = made.facts("key.replaced", "house")
    assert fact.data["before"] == "k1"
    assert "signature" not in fact.data
    assert made.says(AcceptKey(actor=by(AMY), reason="-"), "house").reason is Reason.ROLE_MISSING
    assert made.says(AcceptKey(actor=by(CHO), reason=" "), "house").reason is Reason.REASON_MISSING
    assert made.do(AcceptKey(actor=by(CHO), reason="planned"), "house") == ("key.accepted", "page.stopped")
    assert made.says(AcceptKey(actor=by(CHO), reason="again"), "house").reason is Reason.ALREADY


def test_an_anchor_is_remembered_by_its_kind() -> None:
    made = scene()
    stamped = NoteAnchor(actor=MACHINE, checkpoint=3, kind="rfc3161", place="tsa", token=STAMP)
    assert made.do(stamped, "house") == ("anchor.placed",)
    made.do(NoteAnchor(actor=MACHINE, checkpoint=4, kind="mail", place="cho"), "house")
    assert upkeep(made).anchored == {"rfc3161": 3, "mail": 4}
    assert [fact.data.get("token") for fact in made.facts("anchor.placed", "house")] == [STAMP, None]


def test_the_clocks_offset_is_remembered_with_its_sign() -> None:
    made = scene()
    made.do(NoteClock(actor=MACHINE, source="ntp", synchronised=True, offset=-SECOND, error=SECOND), "house")
    clock = upkeep(made).clock
    assert clock == TimeNoted(at=NIGHT, source="ntp", synchronised=True, offset=-SECOND, error=SECOND)
    made.do(NoteClock(actor=MACHINE, source="system", synchronised=False), "house")
    assert upkeep(made).clock == TimeNoted(at=NIGHT, source="system", synchronised=False)


@pytest.mark.parametrize(
    ("sentence", "last", "after", "expected"),
    [
        ("nothing was known", None, timedelta(0), True),
        ("the same a minute later", {}, timedelta(minutes=1), False),
        ("the same an hour later", {}, timedelta(hours=1), True),
        ("the clock went back an hour", {}, timedelta(hours=-1), True),
        ("another source answers", {"source": "system"}, timedelta(0), True),
        ("it was not synchronised", {"synchronised": False}, timedelta(0), True),
        ("it was too far off, and is no more", {"offset": 2 * SECOND}, timedelta(0), True),
        ("it was off by less", {"offset": SECOND / 2}, timedelta(0), False),
        ("how far was not known", {"offset": None}, timedelta(0), False),
    ],
)
def test_when_a_comparison_is_worth_a_fact(
    sentence: str, last: dict[str, Any] | None, after: timedelta, expected: bool
) -> None:
    plain: dict[str, Any] = {"at": NIGHT, "source": "ntp", "synchronised": True, "offset": timedelta(0)}
    known = TimeNoted(**plain | last) if last is not None else None
    command = NoteClock(actor=MACHINE, source="ntp", synchronised=True, offset=timedelta(0))
    assert worth_noting(known, command, NIGHT + after, SECOND) is expected, sentence


def test_a_clock_is_too_far_off_in_either_direction() -> None:
    assert too_far(2 * SECOND, SECOND)
    assert too_far(-2 * SECOND, SECOND)
    assert not too_far(SECOND, SECOND)
    assert not too_far(None, SECOND)


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"key": "secret itself"}, "key"),
        ({"mail": {"to": []}}, "to"),
        ({"ntp": "a b"}, "ntp"),
        ({"object_store": {"endpoint": "http://s3.example.jp", "bucket": "abc"}}, "https"),
        ({"timestamp": {"url": "ftp://tsa"}}, "url"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], wrong: str) -> None:
    store = settings.get("object_store")
    if store is not None:
        store |= {"access": "env:A", "secret": "env:B"}
    with pytest.raises(ValidationError, match=wrong):
        IntegritySettings.model_validate(settings)


def test_an_object_store_of_this_machine_may_be_plain() -> None:
    store = {"endpoint": "http://127.0.0.1:9000", "bucket": "abc", "access": "env:A", "secret": "env:B"}
    settings = IntegritySettings.model_validate({"object_store": store})
    assert settings.object_store is not None
    assert settings.object_store.retention_days == 3_650
