"""Every named point at which a process may die, one after the other, by a real process that dies there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.chaos import bank
from tests.chaos.bank import ROOT
from tests.chaos.play import Order, Row, Scene, played
from tests.models.test_crash import PACKAGES, POINT

REACH_SECONDS = 60.0
OFTEN = {"facts-written": 30, "before-commit": 60, "after-commit": 60, "outbox-written": 3}
"""Points that are passed before there is an incident: at which time to die."""
BY_COMMAND = {
    "archive-written": ("sato", "export", "--all", "--archive", "{folder}/out.zip"),
    "key-recorded": ("kato", "key", "rotate", "--reason", "chaos"),
    "restored-not-committed": ("sato", "restore", "{folder}/vault", "--take-over", "chaos"),
}
"""Points of commands, with whoever gives them; the second time they have to succeed."""
ELSEWHERE = {"moved-not-committed": "tests/console/test_move.py"}
"""Points of what is no part of a running town, and the tests that die there."""
BESIDE = """
[[relay]]
name = "vault"
kind = "folder"
path = "{vault}"

[[webhooks]]
name = "siem"
url = "{url}/hook"
secret = "env:HIKESHI_SIEM_SECRET"
kinds = ["*"]
"""


def names() -> list[str]:
    """All points of the source."""
    texts = [
        file.read_text(encoding="utf-8") for one in PACKAGES for file in sorted((ROOT / one).rglob("*.py"))
    ]
    return sorted({name for text in texts for name in POINT.findall(text)})


def points(order: Order) -> Row:
    """A town for each point, and the commands after the last."""
    begun, whole = time.monotonic(), Row(scenario="points", seed=order.seed)
    for name in names():
        if name in BY_COMMAND or name in ELSEWHERE:
            continue
        row = at_point(replace(order, folder=order.folder / name, incidents=1, seconds=REACH_SECONDS), name)
        _add(whole, row, name)
    for name in BY_COMMAND:
        if wrong := _by_command(order.folder, name):
            whole.faults.append(f"{name}: {wrong}")
        whole.kills += 1
    whole.seconds = round(time.monotonic() - begun, 1)
    return whole


def _add(whole: Row, row: Row, name: str) -> None:
    for figure in ("incidents", "kills", "messages", "lost", "doubled", "repeated"):
        setattr(whole, figure, getattr(whole, figure) + getattr(row, figure))
    whole.faults += [f"{name}: {fault}" for fault in row.faults]
    if not row.kills:
        whole.faults.append(f"{name}: nobody died there in {REACH_SECONDS:g} s")


def at_point(order: Order, name: str) -> Row:
    """A town that dies at one point, starts again without it, and gets done."""
    vault = order.folder / "vault"
    vault.mkdir(parents=True)

    def prepare(scene: Scene) -> None:
        scene.town.crash_at = f"{name}:{OFTEN.get(name, 1)}"
        with (scene.town.bank / "settings.toml").open("a", encoding="utf-8") as settings:
            settings.write(BESIDE.format(vault=vault, url=scene.receiver.url))

    channels = "file" if name == "line-written" else "sms, file"
    return played(name, order, dying, prepare, channels=channels)


def dying(scene: Scene) -> Iterator[float]:
    """Wait until somebody has died; then start all anew, without the point."""
    ever: set[int] = set()
    until = time.monotonic() + REACH_SECONDS
    while time.monotonic() < until:
        now = set(scene.town.family())
        if ever - now:
            scene.kills += 1
            break
        ever |= now
        yield 0.1
    scene.town.stop()
    scene.town.crash_at = ""
    scene.town.start()
    yield 0.5


def _by_command(folder: Path, name: str) -> str:
    """What is wrong with a command that dies at its point and is given again; empty if nothing is."""
    made = next(one for one in sorted(folder.iterdir()) if (one / "bank").is_dir())
    place = made / "bank"
    if name == "restored-not-committed":
        place = folder / "other"
        shutil.copytree(made / "bank", place, ignore=shutil.ignore_patterns("var"))
    who, *words = BY_COMMAND[name]
    arguments = [word.format(folder=made) for word in words]
    first = _hikeshi(place, who, name, arguments)
    if first.returncode != -signal.SIGKILL:
        return f"nobody died there: {first.returncode} {first.stderr[-300:]}"
    again = _hikeshi(place, who, "", arguments)
    if again.returncode:
        return f"given again: {again.returncode} {again.stderr[-300:]}"
    sound = _hikeshi(place, who, "", ["verify"])
    return f"verify: {sound.stdout[-300:]}" if sound.returncode else ""


def _hikeshi(place: Path, who: str, at: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "HIKESHI_"))}
    environment |= {
        "HIKESHI_DIR": str(place),
        "HIKESHI_ACCOUNT": who,
        "HIKESHI_LANG": "en",
        "HIKESHI_CRASH_AT": at,
        "HIKESHI_GATEWAY_SECRET": bank.GATEWAY_SECRET,
        "HIKESHI_SIEM_SECRET": bank.SIEM_SECRET,
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "console.main", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
