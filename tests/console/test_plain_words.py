"""Words for people on pages: what machines said in English, and titles where the command line has ids."""

from __future__ import annotations

import pytest

from console.texts import texts
from console.views.machine import from_machine, output_title


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            "nothing was done, the target was not reached: ConnectError",
            "何も実行されていません。対象に接続できませんでした（ConnectError）",
        ),
        ("2 files, 557 bytes, 0 left out", "2 件を取得、557 バイト、取得しなかったもの 0 件"),
        (
            "1 files, 5 bytes, 3 left out; partial: the time is over",
            "1 件を取得、5 バイト、取得しなかったもの 3 件。一部のみ（the time is over）",
        ),
        ("something else", "something else"),
    ],
)
def test_what_an_action_said_is_said_again_in_japanese(said: str, expected: str) -> None:
    assert from_machine(said, texts("ja")) == expected


def test_a_result_without_a_title_keeps_its_name() -> None:
    assert output_title("summary", texts("ja")) == "要約"
    assert output_title("rule-id", texts("ja")) == "rule-id"
