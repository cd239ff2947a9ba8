"""The one document that crosses from a drill to production: what it refuses, and its signature."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from console.signing import Signer, new_key
from models.drillresult import (
    MAX_BYTES,
    SCHEMA,
    DrillResult,
    Expectation,
    Held,
    MeasureResult,
    ObjectiveResult,
    ScenarioPlayed,
    read,
    sign,
)
from models.errors import BadInput
from models.values import Text

AT = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
KEY: Signer = new_key()[0]
DEEP = (
    b'{"result": {"a": ' + b"[" * 1000 + b"]" * 1000 + b'}, "signature": {"public": "' + b"00" * 32 + b'"}}'
)
TEXT = Text(ja="切るかを決める", en="Cutting is decided")


def result(**changed: Any) -> DrillResult:
    """A small result, whole."""
    known: dict[str, Any] = {
        "drill": "DRL-2026-0001",
        "scenario": ScenarioPlayed(id="stolen-key", version="1.0.0", digest="sha256:00", title=TEXT),
        "form": "tabletop",
        "status": "ended",
        "held": Held(started_at=AT, ended_at=AT, played_seconds=3600),
        "made_at": AT,
        "made_by": "ito",
        "objectives": (
            ObjectiveResult(
                id="cut",
                text=TEXT,
                capability="planning",
                expectations=(Expectation(inject="call", text=TEXT, outcome="done", took_seconds=-5),),
                measures=(
                    MeasureResult(kind="rto", service="atm", target_from="service", outcome="unknown"),
                ),
                proposed="P",
                rating="S",
            ),
        ),
    }
    return DrillResult(**known | changed)


def altered(change: Any) -> bytes:
    """A signed file whose content was changed afterwards by `change`."""
    whole = orjson.loads(sign(result(), KEY))
    change(whole)
    return orjson.dumps(whole)


def signed_content(change: Any) -> bytes:
    """A file whose content was changed before it was signed: the signature is right."""

    class Changed(DrillResult):
        def body(self) -> bytes:
            content = orjson.loads(super().body())
            change(content)
            return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)

    return sign(Changed.model_validate(dict(result())), KEY)


def test_a_result_comes_out_of_its_file_as_it_was() -> None:
    found = read(sign(result(), KEY), KEY.id)
    assert found.result == result()
    assert (found.key, found.public) == (KEY.id, KEY.public.hex())
    assert read(sign(result(), KEY)).key == KEY.id


def test_a_file_that_went_through_another_editor_is_still_signed() -> None:
    again = orjson.dumps(dict(reversed(orjson.loads(sign(result(), KEY)).items())))
    assert read(again, KEY.id).result == result()


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("a rating was made better", lambda one: one["result"]["objectives"][0].update(rating="P")),
        ("an objective is gone", lambda one: one["result"].update(objectives=[])),
        ("a field was added", lambda one: one["result"].update(extra=1)),
        ("the signature is another's", lambda one: one["signature"].update(value="00" * 64)),
        ("the key is another's", lambda one: one["signature"].update(public=new_key()[0].public.hex())),
    ],
)
def test_what_was_changed_after_signing_is_refused(what: str, change: Any) -> None:
    with pytest.raises(BadInput, match="signature does not fit"):
        read(altered(change))


def test_a_result_signed_with_another_key_than_the_drills_is_refused() -> None:
    with pytest.raises(BadInput, match=f"expected {'0' * 32}"):
        read(sign(result(), KEY), "0" * 32)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (b"{", "no drill's result"),
        (b"[]", "expected `result` and `signature`"),
        (b'{"result": {}}', "expected `result` and `signature`"),
        (b'{"result": 1, "signature": {}}', "expected `result` and `signature`"),
        (b'{"result": {}, "signature": {}}', "signature.public: expected 32 bytes"),
        (b'{"result": {}, "signature": {"public": "zz"}}', "signature.public: expected 32 bytes"),
        (DEEP, "nested deeper"),
        (b" " * (MAX_BYTES + 1), "at most"),
    ],
)
def test_what_is_no_result_is_refused_with_what_is_wrong(file: bytes, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read(file)


def test_a_result_of_a_newer_version_is_named_as_one() -> None:
    newer = signed_content(lambda one: one.update(schema="hikeshi.drill-result/2"))
    with pytest.raises(BadInput, match=f"expected {SCHEMA}, got 'hikeshi.drill-result/2'"):
        read(newer)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda one: one.update(status="running"), "status"),
        (lambda one: one["held"].update(started_at="2026-11-25T01:00:00"), "held.started_at"),
        (lambda one: one["held"].update(played_seconds=-1), "held.played_seconds"),
        (lambda one: one["held"].update(played_seconds="60"), "held.played_seconds"),
        (lambda one: one["objectives"][0].update(rating="A"), "objectives.0.rating"),
        (lambda one: one.update(unheard=1), "unheard"),
        (lambda one: one.update(drill="../x"), "drill"),
    ],
)
def test_a_signed_document_that_is_not_in_form_is_refused_by_its_field(change: Any, where: str) -> None:
    with pytest.raises(BadInput, match=rf"^{where}: "):
        read(signed_content(change))


def test_a_result_takes_no_naive_instant() -> None:
    with pytest.raises(ValidationError):
        Held(started_at=datetime(2026, 11, 25))  # noqa: DTZ001


def test_a_result_is_confirmed_once_every_objective_is_rated() -> None:
    assert result().confirmed()
    unrated = ObjectiveResult(id="x", text=TEXT, capability="planning")
    assert not result(objectives=(unrated,)).confirmed()
    assert [one.kind for one in result().measures()] == ["rto"]
