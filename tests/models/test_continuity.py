"""The rules of the second path: what a line says, when a sink is late, and who may take a record over."""

from __future__ import annotations

from base64 import b64decode
from datetime import timedelta
from typing import Any

import pytest

from models.commands import Impair
from models.errors import BadInput
from models.exporting import MAX_NAMED, NoteExport
from models.lines import (
    anchor_line,
    checkpoint_line,
    document_line,
    fact_line,
    key_line,
    read_line,
    text_line,
)
from models.reason import Reason
from models.relaying import FolderRelay, ObjectRelay, Standing, SyslogRelay, pause_seconds
from models.restoring import MAX_HEADS, RestoreRecord
from tests.models.small import AMY, BEN, FAY, MACHINE, NIGHT, by, scene

HOUSE = "house"
AGE = "age1" + "q" * 58
OBJECT = {"name": "a", "kind": "object", "endpoint": "https://objects.example.jp", "bucket": "facts",
          "access_key": "env:A", "secret_key": "env:B"}  # fmt: skip


def test_each_line_says_what_it_was_made_of() -> None:
    body = b'{"recorded_at":"2026-11-22T18:00:00.000000Z","seq":1}'
    fact = fact_line("INC-2026-0001", 1, "note.added", b"\x01", body)
    assert (fact.at, fact.hash) == ("2026-11-22T18:00:00.000000Z", "01")
    assert read_line(fact.raw)["body"].encode() == body
    text = read_line(text_line("house", 2, "t:00", b"\x02", None).raw)
    assert (text["salt"], text["body"]) == ("02", None)
    assert b64decode(read_line(document_line("sha256:00", "x/y", b"\x00\xff").raw)["body"]) == b"\x00\xff"
    assert read_line(checkpoint_line(7, "{}", "k", "00").raw)["number"] == 7
    assert read_line(key_line("k", "aa", {"at": "-"}).raw)["public"] == "aa"
    assert read_line(anchor_line({"checkpoint": 7}).raw)["checkpoint"] == 7


def test_a_header_before_a_line_is_passed_over() -> None:
    assert read_line(b'<109>1 2026 host hikeshi - x [a b="c"] {"t":"fact","seq":1}')["seq"] == 1


@pytest.mark.parametrize("raw", [b"", b"nothing", b'{"t":', b'{"t":1}', b'{"t":"fact"} and more'])
def test_what_is_no_line_is_said(raw: bytes) -> None:
    with pytest.raises(BadInput):
        read_line(raw)


@pytest.mark.parametrize(
    ("model", "fields", "said"),
    [
        (
            FolderRelay,
            {"name": "a", "kind": "folder", "path": "x", "seal_to": ["ssh-rsa x"]},
            "age recipients",
        ),
        (ObjectRelay, OBJECT | {"endpoint": "http://objects.example.jp"}, "expected https"),
        (ObjectRelay, OBJECT | {"prefix": "no-slash"}, "prefix"),
        (SyslogRelay, {"name": "a", "kind": "syslog", "host": ""}, "host"),
    ],
)
def test_settings_that_would_not_hold_are_refused(model: Any, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        model.model_validate(fields)


def test_settings_that_hold() -> None:
    assert FolderRelay.model_validate({"name": "a", "kind": "folder", "path": "x", "seal_to": [AGE]}).texts
    assert ObjectRelay.model_validate(OBJECT | {"endpoint": "http://127.0.0.1:9000"}).mode == "compliance"
    assert not SyslogRelay.model_validate({"name": "a", "kind": "syslog", "host": "h"}).texts


def test_a_sink_is_late_by_the_time_since_it_last_had_everything() -> None:
    after = timedelta(minutes=2)
    assert not Standing().is_late(NIGHT, after)
    behind = Standing(behind_since=NIGHT, tries=2)
    assert not behind.is_late(NIGHT + timedelta(seconds=119), after)
    assert behind.is_late(NIGHT + after, after)
    assert pause_seconds(Standing(), timedelta(seconds=1)) == 1
    assert pause_seconds(behind, timedelta(seconds=1)) == 2
    assert pause_seconds(Standing(tries=99), timedelta(seconds=1)) == 60


def test_a_sink_that_is_late_pages_once() -> None:
    made = scene()
    late = Impair(actor=MACHINE, what="relay vault", detail="nothing is mounted there")
    assert made.do(late, HOUSE) == ("machine.impaired", "page.asked")
    assert made.do(late, HOUSE) == ()
    assert made.do(Impair(actor=MACHINE, what="relay vault", mended=True), HOUSE)[0] == "machine.recovered"


def take_over(who: str, reason: str = "The data centre burns", streams: int = 1) -> RestoreRecord:
    heads = {f"INC-2026-{n:04d}": (3, "ab") for n in range(1, streams + 1)}
    return RestoreRecord(
        actor=by(who), source="/vault", reason=reason, heads=heads, root="cd", counts={"queued": 2}
    )


def test_who_takes_a_record_over_and_why_is_a_fact() -> None:
    made = scene()
    assert made.do(take_over(BEN), HOUSE) == ("record.restored",)
    [fact] = made.facts("record.restored", HOUSE)
    assert (fact.data["streams"], fact.data["facts"], fact.data["queued"]) == (1, 3, 2)
    assert fact.data["heads"] == {"INC-2026-0001": [3, "ab"]}
    assert fact.data["reason"].startswith("t:") and fact.data["source"].startswith("t:")


def test_many_heads_are_covered_by_the_root_alone() -> None:
    made = scene()
    made.do(take_over(BEN, streams=MAX_HEADS + 50), HOUSE)
    [fact] = made.facts("record.restored", HOUSE)
    assert len(fact.data["heads"]) == MAX_HEADS
    assert fact.data["streams"] == MAX_HEADS + 50


def test_not_everybody_may_take_a_record_over_and_nobody_without_a_reason() -> None:
    made = scene()
    assert made.says(take_over(AMY), HOUSE).reason is Reason.ROLE_MISSING
    assert made.says(take_over(BEN, " "), HOUSE).reason is Reason.EMPTY


def test_who_takes_records_out_of_the_house_is_a_fact() -> None:
    made = scene()
    many = tuple(f"INC-2026-{number:04d}" for number in range(1, MAX_NAMED + 2))
    assert made.do(NoteExport(actor=by(AMY), streams=many, everything=True, texts=False), HOUSE) == (
        "record.exported",
    )
    [fact] = made.facts("record.exported", HOUSE)
    assert (fact.actor, fact.data["count"], len(fact.data["streams"])) == (AMY, MAX_NAMED + 1, MAX_NAMED)
    assert (fact.data["everything"], fact.data["texts"], fact.data["objects"]) == (True, False, False)
    assert made.says(NoteExport(actor=by(FAY), streams=()), HOUSE).reason is Reason.ROLE_MISSING
