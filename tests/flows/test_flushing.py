"""What is written goes to the disk while more comes; an error of the disk is told, and nothing is kept."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from flows.actions import flushing
from flows.actions.flushing import Flushing
from flows.actions.store import Writer


def test_a_large_object_is_flushed_on_the_way_and_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    real = os.fdatasync

    def counted(number: int) -> None:
        flushed.append(os.fstat(number).st_size)
        real(number)

    monkeypatch.setattr(os, "fdatasync", counted)
    monkeypatch.setattr(flushing, "EVERY_BYTES", 100_000)
    content = os.urandom(1_000_000)
    with Writer(tmp_path) as writer:
        for start in range(0, len(content), 50_000):
            writer.write(content[start : start + 50_000])
            if start == 500_000:
                writer._flushing.wait()
        writer.keep()
    assert (tmp_path / writer.stored).read_bytes() == content
    assert writer.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert 1 <= len(flushed) <= 10
    assert flushed[0] < len(content), "before the end"


def test_an_error_of_the_disk_is_told_and_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(number: int) -> None:
        del number
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", broken)
    monkeypatch.setattr(flushing, "EVERY_BYTES", 1)
    with Writer(tmp_path) as writer:
        writer.write(b"some bytes")
        with pytest.raises(OSError, match="Input/output error"):
            writer.keep()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_little_is_not_flushed_by_itself(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        one = Flushing(file.fileno())
        one.written(1_000)
        one.end()
        assert one._thread is None
