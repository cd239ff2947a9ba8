"""The evidence folder: sealed for plain age, stored once, nothing left of what was broken off."""

from __future__ import annotations

import io
import os
import resource
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyrage
import pytest

from flows.actions.store import PIN, PINNED, SEALED, Writer, held, pinned, place_of, remove, sweep
from models.errors import ActionFailed

ROOT = Path(__file__).parents[2]
BYTES = secrets.token_bytes(3_000_017)


@pytest.fixture
def key() -> pyrage.x25519.Identity:
    return pyrage.x25519.Identity.generate()


def put(folder: Path, data: bytes, *seal_to: str) -> Writer:
    with Writer(folder, seal_to) as writer:
        for start in range(0, len(data), 1 << 16):
            writer.write(data[start : start + (1 << 16)])
        writer.keep()
    return writer


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("size", [0, 1, 65_536, len(BYTES)])
def test_what_is_sealed_is_opened_by_plain_age(
    tmp_path: Path, key: pyrage.x25519.Identity, size: int
) -> None:
    data = BYTES[:size]
    writer = put(tmp_path, data, str(key.to_public()))
    (there,) = files(tmp_path)
    assert there.name == sha256(data).hexdigest() + SEALED
    assert there == tmp_path / writer.stored
    assert pyrage.decrypt(there.read_bytes(), [key]) == data
    assert there.read_bytes().startswith(b"age-encryption.org/v1\n")
    assert writer.digest == "sha256:" + sha256(data).hexdigest()
    assert writer.stored_digest == "sha256:" + sha256(there.read_bytes()).hexdigest()
    assert writer.stored_size == there.stat().st_size
    assert writer.sealed_to == (str(key.to_public()),)
    assert there.stat().st_mode & 0o777 == 0o400


def test_no_byte_of_what_is_sealed_lies_there_in_clear(tmp_path: Path, key: pyrage.x25519.Identity) -> None:
    with Writer(tmp_path, [str(key.to_public())]) as writer:
        writer.write(b"the customer's number " * 10_000)
        for part in files(tmp_path):
            assert b"customer" not in part.read_bytes()
        writer.keep()


def test_several_keys_open_the_same_object(tmp_path: Path, key: pyrage.x25519.Identity) -> None:
    other = pyrage.x25519.Identity.generate()
    writer = put(tmp_path, b"memory", str(key.to_public()), str(other.to_public()))
    for one in (key, other):
        opened = io.BytesIO()
        pyrage.decrypt_io(io.BytesIO((tmp_path / writer.stored).read_bytes()), opened, [one])
        assert opened.getvalue() == b"memory"


def test_a_key_that_is_none_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ActionFailed, match="age-keygen"):
        Writer(tmp_path, ["age1nothing"])
    assert files(tmp_path) == []


def objects(folder: Path) -> list[Path]:
    return [path for path in files(folder) if not path.name.startswith(".")]


def test_the_same_bytes_are_stored_once(tmp_path: Path) -> None:
    first, second = put(tmp_path, BYTES), put(tmp_path, BYTES)
    assert len(objects(tmp_path)) == 1
    assert (first.was_there, second.was_there) == (False, True)
    assert (first.stored, first.stored_digest) == (second.stored, second.stored_digest)


def test_what_was_sealed_before_is_never_taken_for_the_same(tmp_path: Path) -> None:
    """Nobody can look into it: it may be damaged, planted, or sealed to a key that was changed since."""
    old, new = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    first = put(tmp_path, b"memory", str(old.to_public()))
    (tmp_path / first.stored).chmod(0o600)
    (tmp_path / first.stored).write_bytes(b"garbage")
    second = put(tmp_path, b"memory", str(new.to_public()))
    assert (tmp_path / first.stored).read_bytes() == b"garbage", "it stays as it is, to be examined"
    there = tmp_path / second.stored
    assert place_of(tmp_path, second.stored) == there
    assert pyrage.decrypt(there.read_bytes(), [new]) == b"memory"
    assert second.stored_digest == "sha256:" + sha256(there.read_bytes()).hexdigest()
    assert not second.was_there


def test_what_is_used_again_is_pinned_until_it_is_on_record_or_a_day_is_over(tmp_path: Path) -> None:
    put(tmp_path, b"x").recorded()
    again = put(tmp_path, b"x")
    until = pinned(tmp_path, again.stored)
    assert until is not None and timedelta(hours=23) < until - datetime.now(UTC) <= PINNED
    again.recorded()
    assert pinned(tmp_path, again.stored) is None
    put(tmp_path, b"x")
    (pin,) = (tmp_path / "sha256").glob(f"{PIN}*")
    old = pin.rename(pin.with_name(f"{PIN}{int((datetime.now(UTC) - PINNED).timestamp()) - 1}-a"))
    assert pinned(tmp_path, again.stored) is None
    sweep(tmp_path)
    assert not old.exists() and (tmp_path / again.stored).read_bytes() == b"x"
    assert pinned(tmp_path, put(tmp_path, b"y").stored) is None
    assert pinned(tmp_path, f"sha256/00/{'0' * 64}") is None


def test_nothing_is_removed_while_somebody_gives_an_object_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.actions.store.HELD_SECONDS", 0.1)
    refused = pytest.raises(ActionFailed, match="run it again")
    with held(tmp_path), held(tmp_path), refused, held(tmp_path, alone=True):
        pytest.fail("it was held")
    with held(tmp_path, alone=True):
        pass


class Planted(BaseException):
    """What no library says that it raises."""


def test_a_seal_that_ends_before_its_end_is_no_object(
    tmp_path: Path, key: pyrage.x25519.Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(source: Any, sink: Any, _: object) -> None:
        sink.write(b"age-encryption.org/v1\n")
        raise Planted("panic")

    monkeypatch.setattr(pyrage, "encrypt_io", breaks)
    with pytest.raises(ActionFailed, match="panic"):
        put(tmp_path, b"memory", str(key.to_public()))
    with Writer(tmp_path, [str(key.to_public())]) as writer:
        # More than the pipe takes, twice: its number may be another file's by then.
        for _ in range(2):
            with pytest.raises(ActionFailed, match="sealed"):
                for _ in range(64):
                    writer.write(b"x" * 65_536)
    assert files(tmp_path) == []


def test_what_lies_there_in_clear_is_not_sealed_a_second_time(
    tmp_path: Path, key: pyrage.x25519.Identity
) -> None:
    put(tmp_path, b"old")
    again = put(tmp_path, b"old", str(key.to_public()))
    assert len(objects(tmp_path)) == 1
    assert (again.sealed_to, again.stored_digest) == ((), again.digest)


@pytest.mark.parametrize("how", ["rot", "link", "folder"])
def test_other_bytes_under_the_name_are_left_and_ours_are_kept_beside_them(tmp_path: Path, how: str) -> None:
    there = tmp_path / put(tmp_path, b"true").stored
    there.unlink()
    other = tmp_path / "other"
    other.write_bytes(b"true")
    if how == "rot":
        there.write_bytes(b"fake")
    elif how == "link":
        there.symlink_to(other)
    else:
        there.mkdir()
    first, second = put(tmp_path, b"true"), put(tmp_path, b"true")
    assert first.stored == second.stored != there.relative_to(tmp_path).as_posix()
    assert place_of(tmp_path, first.stored).read_bytes() == b"true"
    assert (first.was_there, second.was_there) == (False, True)
    assert how != "rot" or there.read_bytes() == b"fake"


def test_when_every_name_is_taken_by_other_bytes_somebody_has_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.actions.store.MAX_BESIDE", 2)
    for _ in range(2):
        there = tmp_path / put(tmp_path, b"true").stored
        there.chmod(0o600)
        there.write_bytes(b"fake")
    with pytest.raises(ActionFailed, match="have it examined"):
        put(tmp_path, b"true")


@pytest.mark.parametrize("sealed", [False, True])
def test_leaving_without_keeping_leaves_nothing(
    tmp_path: Path, key: pyrage.x25519.Identity, sealed: bool
) -> None:
    with Writer(tmp_path, [str(key.to_public())] if sealed else []) as writer:
        writer.write(BYTES)
    assert files(tmp_path) == []


FULL = """
import sys
from pathlib import Path
from typing import Any
from flows.actions.store import Writer
try:
    with Writer(Path(sys.argv[1]), sys.argv[2:]) as writer:
        for _ in range(64):
            writer.write(b"x" * 65536)
        writer.keep()
except OSError as wrong:
    print("said:", wrong.strerror)
"""


def limited(size: int) -> Callable[[], None]:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("size", [0, 100, 65_537, 1_000_000])
def test_a_full_disk_is_said_and_nothing_is_left(
    tmp_path: Path, key: pyrage.x25519.Identity, sealed: bool, size: int
) -> None:
    to = [str(key.to_public())] if sealed else []
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", FULL, str(tmp_path), *to],
        capture_output=True, text=True, timeout=30, preexec_fn=limited(size), check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT,
    )  # fmt: skip
    assert done.stdout == "said: File too large\n", done.stderr
    assert files(tmp_path) == []


SLOW = """
import sys, time
from pathlib import Path
from typing import Any
from flows.actions.store import Writer
with Writer(Path(sys.argv[1]), sys.argv[3:]) as writer:
    writer.write(b"x" * int(sys.argv[2]))
    print("here", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("size", [0, 1, 65_536, 2_000_001])
def test_killed_at_any_byte_leaves_nothing_under_a_name_and_the_next_cleans_up(
    tmp_path: Path, key: pyrage.x25519.Identity, sealed: bool, size: int
) -> None:
    to = [str(key.to_public())] if sealed else []
    command = [sys.executable, "-c", SLOW, str(tmp_path), str(size), *to]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=ROOT) as process:  # noqa: S603
        assert process.stdout is not None and process.stdout.readline() == b"here\n"
        assert sweep(tmp_path) == 0, "what is still being written is left alone"
        process.kill()
    assert [one.name.startswith(".part-") for one in files(tmp_path)] == [True]
    put(tmp_path, b"next")
    assert [one.name for one in files(tmp_path)] == [sha256(b"next").hexdigest()]


def test_only_names_that_a_writer_gives_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    outside = tmp_path / "secret"
    outside.write_text("x")
    for name in ("../secret", "sha256/../../secret", "", "sha256/aa/../../x"):
        with pytest.raises(ActionFailed, match="no object"):
            place_of(folder, name)
    writer = put(folder, b"x")
    assert remove(folder, writer.stored) is True
    assert remove(folder, writer.stored) is False
    assert outside.exists()
