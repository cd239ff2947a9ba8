"""What the benchmarks say of what they measured: the book, the report, the charts. Nothing is timed."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import httpx
import pytest

from benchmarks import report
from benchmarks.bare_prefect import descendants, kill_tree
from benchmarks.book import Book, Run
from benchmarks.chart import Bar, Chart, svg
from benchmarks.entry import ENTRIES
from benchmarks.figure import Figure, conditions
from benchmarks.receiver import Receiver

SVG = "{http://www.w3.org/2000/svg}"
DOCS = Path(__file__).parents[2] / "docs"
ALERT = "alert → first page at the receiver, p50"


def figure(value: float, target: float | None = 15, name: str = ALERT) -> Figure:
    return Figure(name=name, value=value, unit="ms", n=60, target=target)


def book(*figures: Figure, failed: str = "") -> Book:
    run = Run(at="2026-11-30T01:00:00Z", seconds=9, load=4.2, figures=list(figures), failed=failed)
    return Book(conditions=conditions(), runs={"alert": run})


def test_the_book_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = book(figure(17.4), figure(3, target=None, name="another"))
    written.write(tmp_path / "bench.json")
    read = Book.read(tmp_path / "bench.json")
    assert read.runs == written.runs
    assert read.missed() == [ALERT]
    assert Book.read(tmp_path / "none.json").runs == {}


def test_what_was_not_measured_counts_as_missed() -> None:
    assert book(figure(9), failed="TimeoutError: ").missed() == ["alert: not measured"]


def test_the_report_puts_the_promise_beside_the_figure_and_says_the_load(tmp_path: Path) -> None:
    report.write_report(book(figure(17.4)), tmp_path / "bench.md")
    text = (tmp_path / "bench.md").read_text("utf-8")
    assert f"| {ALERT} | ≤ 15 ms | 17.4 ms | **no** | 60 | 4.2 |" in text
    assert "Not a quiet machine" in text


def test_docs_keep_what_people_wrote_around_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(report, "PICTURES", tmp_path)
    peer = "bare Prefect, deployment run: trigger → receiver, p50"
    report.write_docs(book(figure(17.4), figure(8_800, target=None, name=peer)))
    text = page.read_text("utf-8")
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "](pictures/bench-alert.svg)" in text
    assert "Prefect deployment run 8,800 ms (×506)" in (tmp_path / "bench-alert.svg").read_text("utf-8")


def test_a_chart_is_an_image_with_words_and_what_it_says_is_text() -> None:
    bars = (
        Bar(label="<ours> & co", value=2, kind="ours", shown="2 ms"),
        Bar(label="theirs", value=9, kind="peer", shown="9 ms"),
    )
    drawn = svg(
        Chart(title="a < b", bars=bars, more_is_better=False, foot="quiet", limit=4, limit_shown="≤ 4")
    )
    root = ET.fromstring(drawn)  # noqa: S314 - drawn by us
    assert root.get("role") == "img"
    assert (root.findtext(f"{SVG}desc") or "").startswith("a < b. <ours> & co 2 ms; theirs 9 ms (×4.5)")
    assert len(root.findall(f"{SVG}rect")) == 2
    assert "prefers-color-scheme: dark" in drawn


def test_every_chart_lies_on_the_page_with_words() -> None:
    text = (DOCS / "performance.md").read_text("utf-8")
    shown = dict(re.findall(r"!\[([^\]]+)\]\(pictures/(bench-[\w-]+\.svg)\)", text))
    drawn = {one.name for one in (DOCS / "pictures").glob("bench-*.svg")}
    assert drawn
    assert set(shown.values()) == drawn
    for name in drawn:
        ET.fromstring((DOCS / "pictures" / name).read_text("utf-8"))  # noqa: S314 - drawn by us


def test_all_of_it_fits_into_the_time_that_is_promised() -> None:
    assert sum(one.seconds for one in ENTRIES) <= 40 * 60
    assert sum(one.quick or 0 for one in ENTRIES) <= 9 * 60
    assert len({one.name for one in ENTRIES}) == len(ENTRIES)


async def test_the_receiver_kills_at_the_instant_that_was_named() -> None:
    """At "arrived" nothing is answered; at "answered" the answer has left."""
    async with Receiver() as receiver:
        receiver.trap("step-02", "answered", lambda: None)

        async with httpx.AsyncClient(headers={"Idempotency-Key": "k"}, trust_env=False) as client:
            await client.post(f"{receiver.url}/step-01")
            kept = receiver.sprung
            await client.post(f"{receiver.url}/step-02")
            assert (kept, receiver.sprung) == (False, True)
            receiver.trap("step-03", "arrived", lambda: None)
            with pytest.raises(httpx.RemoteProtocolError):
                await client.post(f"{receiver.url}/step-03")
        assert [(post.what, post.key) for post in receiver.posts] == [(f"step-0{n}", "k") for n in (1, 2, 3)]
        assert receiver.answered == ["step-01", "step-02"]


def test_a_process_is_killed_with_all_that_it_has_started() -> None:
    """Those in a session of their own as well."""
    inner = "from subprocess import Popen; Popen(['sleep', '60'], start_new_session=True); print(); input()"
    process = subprocess.Popen(  # noqa: S603 - this interpreter
        (sys.executable, "-c", inner), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    below = descendants(process.pid)
    assert len(below) == 1
    kill_tree(process.pid)
    process.communicate()
    assert process.returncode == -9
    # Its parent is dead, so whoever adopted it has buried it or will: it runs no more.
    stat = Path(f"/proc/{below[0]}/stat")
    assert not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] in {"Z", "X"}
