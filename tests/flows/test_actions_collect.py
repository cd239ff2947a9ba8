"""`file.collect` on real files: links, pipes, files that change, caps, and the evidence folder itself."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.actions import ActionContext, ActionResult, CollectedItem, run
from flows.actions.collect import MAX_DEPTH
from flows.actions.store import PIECE_BYTES, Writer
from models.clock import monotonic
from models.errors import ActionFailed
from models.targets import FileTarget

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def make_context(folder: Path, *, timeout_seconds: float = 30.0) -> ActionContext:
    """A context whose institution's directory and evidence lie in `folder`."""
    (folder / "bank" / "logs").mkdir(parents=True)
    return ActionContext(
        evidence_dir=folder / "evidence",
        secrets=str,
        base=folder / "bank",
        now=NOW,
        timeout_seconds=timeout_seconds,
        idempotency_key="INC-2026-0001/collect/1",
    )


@pytest.fixture
def context(tmp_path: Path) -> ActionContext:
    return make_context(tmp_path)


@pytest.fixture
def logs(context: ActionContext) -> Path:
    return context.base / "logs"


def target(root: str = "logs", **fields: object) -> FileTarget:
    return FileTarget.model_validate({"kind": "files", "root": root, **fields})


async def collect(context: ActionContext, **fields: object) -> ActionResult:
    return await run("file.collect", target(**fields), {}, context)  # type: ignore[arg-type]


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def timeless(item: CollectedItem) -> CollectedItem:
    """An item without the instant of its collection."""
    return replace(item, collected_at="")


def stored(context: ActionContext, result: ActionResult) -> dict[str, bytes]:
    return {item.name: (context.evidence_dir / item.stored).read_bytes() for item in result.evidence}


def reasons(result: ActionResult) -> dict[str, str]:
    return {Path(each.source).name: each.reason for each in result.left_out}


async def test_files_are_kept_by_their_digest_read_only(context: ActionContext, logs: Path) -> None:
    (logs / "deep").mkdir()
    large = os.urandom(PIECE_BYTES + 17)
    (logs / "auth.log").write_bytes(large)
    (logs / "deep" / "web.log").write_bytes(b"GET /")
    result = await collect(context, patterns=["*.log"])
    assert stored(context, result) == {"auth.log": large, "deep/web.log": b"GET /"}
    assert result.outputs == {"files": "2", "bytes": str(len(large) + 5), "partial": "no", "left_out": "0"}
    first = result.evidence[0]
    assert (first.digest, first.size, first.problem) == (digest(large), len(large), None)
    assert first.stored == f"sha256/{first.digest[7:9]}/{first.digest[7:]}"
    assert first.source == str((logs / "auth.log").resolve())
    assert stat.S_IMODE((context.evidence_dir / first.stored).stat().st_mode) == 0o400
    assert not list(context.evidence_dir.rglob(".part-*"))


async def test_an_absolute_root_and_a_relative_one_are_the_same(context: ActionContext, logs: Path) -> None:
    (logs / "a.log").write_bytes(b"a")
    relative, absolute = await collect(context), await collect(context, root=str(logs))
    assert [timeless(one) for one in relative.evidence] == [timeless(one) for one in absolute.evidence]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param("*", {"a.log", "b.txt", "d/a.log", "d/c.log"}, id="everything, at any depth"),
        pytest.param("a.log", {"a.log", "d/a.log"}, id="a name, at any depth"),
        pytest.param("d/*", {"d/a.log", "d/c.log"}, id="a path below the root"),
        pytest.param("*.txt", {"b.txt"}, id="an ending"),
    ],
)
async def test_patterns(context: ActionContext, logs: Path, pattern: str, expected: set[str]) -> None:
    (logs / "d").mkdir()
    for name in ("a.log", "b.txt", "d/a.log", "d/c.log"):
        (logs / name).write_text(name)
    assert {item.name for item in (await collect(context, patterns=[pattern])).evidence} == expected


async def test_links_are_never_followed(context: ActionContext, logs: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "shadow").write_text("secret")
    (logs / "real.log").write_text("real")
    (logs / "file-link").symlink_to(outside / "shadow")
    (logs / "folder-link").symlink_to(outside)
    (logs / "loop").symlink_to(logs)
    result = await collect(context)
    assert stored(context, result) == {"real.log": b"real"}
    linked = "a symbolic link, not followed"
    assert reasons(result) == {"file-link": linked, "folder-link": linked, "loop": linked}
    assert result.outputs["left_out"] == "3"


async def test_pipes_sockets_and_devices_are_left_alone(context: ActionContext, logs: Path) -> None:
    (logs / "real.log").write_text("real")
    os.mkfifo(logs / "pipe")
    began = monotonic()
    result = await collect(context)
    assert monotonic() - began < 5
    assert reasons(result) == {"pipe": "no regular file"}
    assert stored(context, result) == {"real.log": b"real"}


async def test_a_folder_swapped_for_a_link_while_it_runs_leads_nowhere(
    context: ActionContext, logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.log").write_text("secret")
    (logs / "real.log").write_text("real")
    (logs / "inner").mkdir()
    really_open = os.open

    def swap_first(path: str, flags: int, *args: int, **options: int) -> int:
        if path == "inner":
            (logs / "inner").rmdir()
            (logs / "inner").symlink_to(outside)
        return really_open(path, flags, *args, **options)

    monkeypatch.setattr(os, "open", swap_first)
    result = await collect(context)
    assert (logs / "inner").is_symlink()
    assert stored(context, result) == {"real.log": b"real"}
    assert set(reasons(result)) == {"inner"}


async def test_a_file_that_changes_while_it_is_read_is_kept_with_both_digests(
    context: ActionContext, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = logs / "live.log"
    file.write_bytes(b"x" * PIECE_BYTES * 2)
    really_write = Writer.write
    changes = iter([True])

    def write_and_change(writer: Writer, piece: bytes) -> None:
        really_write(writer, piece)
        if next(changes, False):
            with file.open("r+b") as live:
                live.write(b"Y")

    monkeypatch.setattr(Writer, "write", write_and_change)
    [item] = (await collect(context)).evidence
    kept = (context.evidence_dir / item.stored).read_bytes()
    assert item.digest == digest(kept) == digest(b"x" * PIECE_BYTES * 2)
    now = digest(b"Y" + b"x" * (PIECE_BYTES * 2 - 1))
    assert item.problem == (
        f"changed while it was read: kept {item.digest}, afterwards {now} ({PIECE_BYTES * 2} bytes)"
    )


async def test_more_files_than_allowed_are_a_marked_part(context: ActionContext, logs: Path) -> None:
    for number in range(5):
        (logs / f"{number}.log").write_text(str(number))
    result = await collect(context, max_files=3)
    assert stored(context, result) == {"0.log": b"0", "1.log": b"1", "2.log": b"2"}
    assert result.outputs["partial"] == "yes"
    assert "more than 3 files" in result.summary


async def test_as_many_files_as_allowed_are_the_whole(context: ActionContext, logs: Path) -> None:
    for number in range(3):
        (logs / f"{number}.log").write_text(str(number))
    assert (await collect(context, max_files=3, max_bytes=3)).outputs["partial"] == "no"


async def test_more_bytes_than_allowed_are_a_marked_part(context: ActionContext, logs: Path) -> None:
    (logs / "0.log").write_bytes(b"a" * 60)
    (logs / "1.log").write_bytes(b"b" * 60)
    (logs / "2.log").write_bytes(b"c" * 60)
    result = await collect(context, max_bytes=100)
    assert stored(context, result) == {"0.log": b"a" * 60, "1.log": b"b" * 40}
    assert result.evidence[1].problem == "more than 100 bytes, the rest is missing"
    assert result.evidence[1].digest == digest(b"b" * 40)
    assert result.outputs == {"files": "2", "bytes": "100", "partial": "yes", "left_out": "0"}


async def test_when_its_time_is_over_what_was_taken_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make_context(tmp_path, timeout_seconds=0.3)
    (context.base / "logs" / "0.log").write_bytes(b"x" * PIECE_BYTES * 4)
    (context.base / "logs" / "1.log").write_bytes(b"never reached")
    really_write = Writer.write

    def write_slowly(writer: Writer, piece: bytes) -> None:
        threading.Event().wait(0.2)
        really_write(writer, piece)

    monkeypatch.setattr(Writer, "write", write_slowly)
    result = await collect(context)
    [item] = result.evidence
    assert item.problem == "the time of 0.3 s is over, the rest is missing"
    assert 0 < item.size < PIECE_BYTES * 4
    assert result.outputs["partial"] == "yes"


async def test_a_changed_file_is_not_read_again_beyond_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make_context(tmp_path, timeout_seconds=0.3)
    file = context.base / "logs" / "live.log"
    file.write_bytes(b"x" * PIECE_BYTES * 4)
    really_write = Writer.write

    def change_and_wait(writer: Writer, piece: bytes) -> None:
        really_write(writer, piece)
        with file.open("ab") as live:
            live.write(b"more")
        threading.Event().wait(0.5)

    monkeypatch.setattr(Writer, "write", change_and_wait)
    [item] = (await collect(context)).evidence
    assert item.problem is not None
    assert item.problem.endswith(f"kept {item.digest}, not read again, the time is over")


async def test_a_cancelled_collection_stops_and_leaves_no_half_object(
    context: ActionContext, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        (logs / f"{number}.log").write_bytes(b"%d" % number)
    begun = threading.Event()
    really_write = Writer.write

    def write_slowly(writer: Writer, piece: bytes) -> None:
        begun.set()
        threading.Event().wait(0.1)
        really_write(writer, piece)

    monkeypatch.setattr(Writer, "write", write_slowly)
    collecting = asyncio.create_task(collect(context))
    await asyncio.to_thread(begun.wait, 10)
    collecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await collecting
    names = [path.name for path in context.evidence_dir.rglob("*") if path.is_file()]
    assert len(names) < 50
    assert not [name for name in names if name.startswith(".part-")]
    # What was taken until then is not lost to whoever records the outcome.
    assert {item.digest.removeprefix("sha256:") for item in context.kept} == set(names)


def objects(context: ActionContext) -> list[Path]:
    """What is stored; a pin keeps an object until its item is on record, and is no further one."""
    found = context.evidence_dir.rglob("*")
    return [path for path in found if path.is_file() and not path.name.startswith(".pin-")]


async def test_collecting_twice_stores_once(context: ActionContext, logs: Path) -> None:
    (logs / "a.log").write_bytes(b"same")
    (logs / "b.log").write_bytes(b"same")
    first = await collect(context)
    [before] = [path.stat() for path in objects(context)]
    again = await collect(context)
    assert [timeless(one) for one in again.evidence] == [timeless(one) for one in first.evidence]
    [after] = [path.stat() for path in objects(context)]
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


async def test_other_bytes_under_a_digest_are_not_overwritten(context: ActionContext, logs: Path) -> None:
    (logs / "a.log").write_bytes(b"good")
    (logs / "b.log").write_bytes(b"other")
    name = hashlib.sha256(b"good").hexdigest()
    forged = context.evidence_dir / "sha256" / name[:2] / name
    forged.parent.mkdir(parents=True)
    forged.write_bytes(b"forged")
    result = await collect(context)
    assert forged.read_bytes() == b"forged"
    assert stored(context, result) == {"a.log": b"good", "b.log": b"other"}, "the good copy lies beside it"
    assert reasons(result) == {}


async def test_the_evidence_folder_is_not_collected_into_itself(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    (tmp_path / "bank" / "logs" / "a.log").write_bytes(b"a")
    await collect(context)
    result = await collect(context, root=str(tmp_path))
    assert set(stored(context, result)) == {"bank/logs/a.log"}
    assert reasons(result) == {"evidence": "the evidence folder itself"}


async def test_folders_deeper_than_the_bound_are_named(context: ActionContext, logs: Path) -> None:
    (logs / "a.log").write_bytes(b"a")
    deepest = logs.joinpath(*(f"d{n}" for n in range(MAX_DEPTH + 1)))
    deepest.mkdir(parents=True)
    (deepest / "b.log").write_bytes(b"b")
    result = await collect(context)
    assert stored(context, result) == {"a.log": b"a"}
    assert reasons(result) == {f"d{MAX_DEPTH}": f"deeper than {MAX_DEPTH} folders"}


async def test_names_that_are_no_text_are_spelt_out(context: ActionContext, logs: Path) -> None:
    (Path(os.fsdecode(os.fsencode(logs) + b"/\xff\n.log"))).write_bytes(b"odd")
    [item] = (await collect(context)).evidence
    assert item.name == "\\xff\\n.log"
    item.source.encode("utf-8")


async def test_reading_does_not_touch_the_time_of_access(context: ActionContext, logs: Path) -> None:
    file = logs / "a.log"
    file.write_bytes(b"a")
    os.utime(file, ns=(1_000_000_000, 2_000_000_000))
    await collect(context)
    assert file.stat().st_atime_ns == 1_000_000_000


@pytest.mark.parametrize("root", ["logs", "missing", "file"])
async def test_an_empty_collection_is_a_failure(context: ActionContext, root: str) -> None:
    (context.base / "file").write_text("no folder")
    with pytest.raises(ActionFailed, match="nothing was collected"):
        await collect(context, root=root)


async def test_parameters_are_refused(context: ActionContext, logs: Path) -> None:
    (logs / "a.log").write_bytes(b"a")
    with pytest.raises(ActionFailed, match="takes no parameters"):
        await run("file.collect", target(), {"root": "/etc"}, context)


async def test_a_folder_that_cannot_be_written_is_named(context: ActionContext, logs: Path) -> None:
    (logs / "a.log").write_bytes(b"a")
    context.evidence_dir.write_text("a file where the folder should be")
    with pytest.raises(ActionFailed, match=r"a\.log: "):
        await collect(context)
