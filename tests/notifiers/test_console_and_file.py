"""The two channels that are always there, and what `build` makes of the settings."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import notifiers
from models.clock import monotonic
from models.installation import EmailSettings, Settings, SlackSettings
from notifiers.console import ConsoleNotifier
from notifiers.file import FileNotifier, deliver
from notifiers.message import Failed, Message, Sent

Make = Callable[..., Message]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


async def test_a_page_on_the_console_is_a_block_with_words(message: Make) -> None:
    stream = io.StringIO()
    console = ConsoleNotifier(stream)
    assert await console.deliver(message(address="yamada")) == Sent(receipt="block 1")
    lines = stream.getvalue().splitlines()
    assert lines[0] == lines[-1] == "─" * 72
    assert lines[1] == "■ 呼出 → yamada"
    assert lines[2].startswith("［SEV1 重大］INC-2026-0001")
    assert lines[4] == "  何が起きたか: EDR が 12 台の端末で暗号化の挙動を検知"
    assert await console.arrived(message()) is None
    await console.close()
    assert stream.closed is False


async def test_a_notice_in_english_says_so(message: Make) -> None:
    stream = io.StringIO()
    await ConsoleNotifier(stream).deliver(message("notice.acknowledged", lang="en"))
    assert "□ NOTICE → U0YAMADA" in stream.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
async def test_outside_text_sends_nothing_to_the_terminal(
    message: Make, terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal() if terminal else io.StringIO()
    evil = "\x1b[2J\x1b]0;pwned\x07\x9b31m\u202e\r上書き[bold]x[/bold]:fire:"
    await ConsoleNotifier(stream).deliver(message(what=evil, address=evil, step_text=evil))
    written = stream.getvalue()
    assert not set(written) & set("\x1b\x07\x9b\u202e\r")
    assert "[bold]x[/bold]:fire:" in written


async def test_colour_only_adds_to_the_words(message: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    plain, coloured = io.StringIO(), Terminal()
    evil = message(what="[red]x[/red] :fire: \x1b[2J")
    await ConsoleNotifier(plain).deliver(evil)
    await ConsoleNotifier(coloured).deliver(evil)
    assert "\x1b[1;31m" in coloured.getvalue()
    stripped = coloured.getvalue().replace("\x1b[1;31m", "").replace("\x1b[0m", "")
    assert stripped == plain.getvalue()


async def test_a_terminal_without_japanese_still_gets_the_page(message: Make) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    assert isinstance(await ConsoleNotifier(stream).deliver(message()), Sent)
    assert b"INC-2026-0001" in raw.getvalue()


async def test_a_closed_console_is_no_delivery(message: Make) -> None:
    stream = io.StringIO()
    stream.close()
    failed = await ConsoleNotifier(stream).deliver(message())
    assert isinstance(failed, Failed) and failed.retry == "later"


async def test_a_screen_that_nobody_reads_stops_nothing_and_the_next_channel_gets_the_page(
    message: Make,
) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    with suppress(BlockingIOError):
        while os.write(write, b"x" * 65_536):
            pass
    os.set_blocking(write, True)
    with os.fdopen(write, "w", encoding="utf-8") as full:
        console = ConsoleNotifier(full, within_seconds=0.2)
        since, turns = monotonic(), 0
        delivering = asyncio.create_task(console.deliver(message()))
        while not delivering.done():
            turns += 1
            await asyncio.sleep(0.01)
        begun = await delivering
        assert isinstance(begun, Failed) and begun.retry == "unclear", "it may still be shown"
        assert turns > 5, "the rest of the node went on"
        behind = await console.deliver(message(key="k2"))
        assert isinstance(behind, Failed) and behind.retry == "later"
        assert monotonic() - since < 2
        os.set_blocking(read, False)
        shown = b""
        for _ in range(100):
            with suppress(BlockingIOError):
                shown += os.read(read, 1_000_000)
            await asyncio.sleep(0.01)
        assert b"INC-2026-0001" in shown
        assert isinstance(await console.deliver(message(key="k3")), Sent), "somebody reads again"
    os.close(read)


async def test_the_standard_output_is_looked_up_when_it_is_needed(
    message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = ConsoleNotifier()
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    await console.deliver(message())
    assert "INC-2026-0001" in stream.getvalue()


async def test_a_line_holds_the_message_and_its_words(message: Make, tmp_path: Path) -> None:
    path = tmp_path / "var" / "messages.jsonl"
    channel = FileNotifier(path)
    assert await channel.deliver(message()) == Sent(receipt="offset 0")
    second = await channel.deliver(message(key="k2", attempt=2))
    first_line, second_line = path.read_text().splitlines()
    assert second == Sent(receipt=f"offset {len(first_line.encode()) + 1}")
    assert json.loads(first_line)["key"] == message().key
    assert json.loads(second_line)["text"].startswith("【再送】［SEV1 重大］")
    assert json.loads(second_line)["context"]["incident"] == "INC-2026-0001"
    assert path.stat().st_mode & 0o777 == 0o600
    assert await channel.arrived(message(key="k2")) == second
    assert await channel.arrived(message(key="k3")) is None
    await channel.close()


async def test_nothing_arrived_where_there_is_no_file(message: Make, tmp_path: Path) -> None:
    assert await FileNotifier(tmp_path / "none").arrived(message()) is None


async def test_a_key_inside_another_message_is_no_arrival(message: Make, tmp_path: Path) -> None:
    channel = FileNotifier(tmp_path / "messages")
    await channel.deliver(message(key="k1", what='"key":"k2" k2', title="k2"))
    assert await channel.arrived(message(key="k2")) is None


async def test_a_line_torn_by_a_crash_is_absent_and_harms_no_other(message: Make, tmp_path: Path) -> None:
    path = tmp_path / "messages"
    channel = FileNotifier(path)
    await channel.deliver(message(key="k1"))
    path.write_bytes(path.read_bytes()[:-20])
    assert await channel.arrived(message(key="k1")) is None
    sent = await channel.deliver(message(key="k2"))
    assert await channel.arrived(message(key="k2")) == sent


@pytest.mark.parametrize("rest", [b'["k1"]\n', b'"k1"\n', b"k1\n"])
async def test_foreign_lines_are_passed_over(message: Make, tmp_path: Path, rest: bytes) -> None:
    path = tmp_path / "messages"
    path.write_bytes(rest)
    assert await FileNotifier(path).arrived(message(key="k1")) is None


async def test_outside_text_forges_no_line(message: Make, tmp_path: Path) -> None:
    path = tmp_path / "messages"
    forged = 'x\n{"key":"forged"}\n\u2028\x85'
    await FileNotifier(path).deliver(message(what=forged, person=forged, address=forged))
    assert path.read_bytes().count(b"\n") == 1


@pytest.mark.parametrize(
    "bad", [{"x": object()}, {"x": "\ud800"}, {"x": 2**70}], ids=["object", "text", "int"]
)
async def test_a_context_that_json_cannot_hold_loses_no_page(
    message: Make, tmp_path: Path, bad: dict[str, Any]
) -> None:
    path = tmp_path / "messages"
    assert isinstance(await FileNotifier(path).deliver(message(extra=bad)), Sent)
    line = json.loads(path.read_text())
    assert line["context"] == {}
    assert "INC-2026-0001" in line["text"]


async def test_a_full_disk_is_later_and_an_unconfirmed_write_unclear(
    message: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    channel = FileNotifier(tmp_path / "messages")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        failed = await channel.deliver(message())
        assert isinstance(failed, Failed) and failed.retry == "unclear"
        assert await channel.arrived(message()) is not None
    monkeypatch.setattr(deliver, "_write_all", full)
    failed = await channel.deliver(message())
    assert failed == Failed(error="messages cannot be written: No space left on device", retry="later")


async def test_a_write_in_pieces_is_finished(
    message: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: whole(descriptor, data[:100]))
    channel = FileNotifier(tmp_path / "messages")
    await channel.deliver(message())
    assert await channel.arrived(message()) == Sent(receipt="offset 0")


async def test_the_embedded_default_needs_no_secret(tmp_path: Path) -> None:
    def unasked(name: str) -> str:
        raise AssertionError(f"{name} is not needed")

    built = notifiers.build(Settings(), unasked, tmp_path, lambda: unasked("key").encode())
    assert list(built) == ["console", "file"]
    assert [built[name].can_read_back for name in built] == [False, True]


async def test_what_the_settings_name_is_built_with_its_secret(message: Make, tmp_path: Path) -> None:
    asked: list[str] = []

    def secrets(name: str) -> str:
        asked.append(name)
        return "hidden"

    settings = Settings(
        slack=SlackSettings(token="env:SLACK_TOKEN", base_url="http://127.0.0.1:9/api"),  # noqa: S106 a name
        email=EmailSettings(
            host="mx.example",
            sender="h@bank.example",
            user="h",
            password="file:smtp.txt",  # noqa: S106 a name
        ),
    )
    built = notifiers.build(settings, secrets, tmp_path, bytes)
    assert asked == ["env:SLACK_TOKEN", "file:smtp.txt"]
    assert {name: channel.name for name, channel in built.items()} == {
        name: name for name in ("console", "file", "slack", "email")
    }
    assert "hidden" not in repr(built)
    no_login = Settings(email=EmailSettings(host="mx.example", sender="h@bank.example"))
    assert "email" in notifiers.build(no_login, secrets, tmp_path, bytes)
    assert len(asked) == 2
    for channel in built.values():
        await channel.close()


def test_a_channel_not_in_use_is_not_imported() -> None:
    """The command line imports this package; Slack and mail would cost it half a second."""
    code = (
        "import sys, pathlib, notifiers; from models.installation import Settings;"
        "notifiers.build(Settings(), str, pathlib.Path('.'), bytes);"
        "print([name for name in ('slack_sdk', 'aiohttp', 'aiosmtplib', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"
