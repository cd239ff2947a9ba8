"""A drill's processes: pager, conductor and Prefect server of its own, fenced off from production.

`launch` belongs to the command that somebody typed. `main` is the first process behind the guard, which
starts and keeps the others as `hikeshi up` does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from console.drill import guard
from console.opening import House
from models.clock import monotonic
from models.errors import HikeshiError
from models.record import NODE

READY_SECONDS = 90.0
LOOK_SECONDS = 0.1
END_SECONDS = 12.0
PACKAGES = Path(__file__).resolve().parents[2]
_EVERY_PYTHON = "from console.drill.guard import arm_here\n\narm_here()\n"
"""What every Python of the drill runs first: the audit hook does not go over by itself."""


def launch(
    directory: Path, port: int | None, lang: str, environ: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start the drill's processes behind the guard. They end when we do, however that comes about."""
    library = _library(directory)
    own = guard.environment(directory, environ) | {"PYTHONPATH": str(library), "HIKESHI_LANG": lang}
    module = [sys.executable, "-P", "-m", "console.drill.behind", "console.leash", "console.drill.running"]
    return subprocess.Popen(  # noqa: S603 - our own modules
        [*module, lang, *([str(port)] if port is not None else [])],
        env=own,
        cwd=directory,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )


def _library(directory: Path) -> Path:
    """A folder from which Python finds our packages and nothing that lies beside them."""
    folder = directory / "var" / "lib"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in guard.OWN_PACKAGES:
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(PACKAGES / name)
    (folder / "sitecustomize.py").write_text(_EVERY_PYTHON, encoding="utf-8")
    return folder


def wait_until_ready(house: House, process: subprocess.Popen[bytes], since_epoch: int) -> None:
    """Until the drill's node has come up. Raises HikeshiError if it ends or does not come."""
    until = monotonic() + READY_SECONDS
    while epoch_of(house) <= since_epoch:
        with suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_SECONDS)
        if process.returncode is not None:
            why = f"the drill's processes have ended ({process.returncode})"
            raise HikeshiError(f"{why}; see what they said above")
        if monotonic() > until:
            end(process)
            raise HikeshiError(f"the drill's node did not come up within {READY_SECONDS:g} s; try again")


def epoch_of(house: House) -> int:
    """How often the drill's node has been started."""
    with house.record.read() as tx:
        row = tx.connection.execute(NODE.select().where(NODE.c.id == "pager")).mappings().first()
    return int(row["epoch"]) if row is not None else 0


class Ending:
    """Ends the drill's processes when a signal asks for it: `leave` is its handler, `wait` waits with it.

    The handler itself waits for nothing. It runs in the thread that waits for the process, and that one has
    the lock without which nobody else learns that it has gone.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.until: float | None = None

    @property
    def asked(self) -> bool:
        """Whether somebody has asked them to stop."""
        return self.until is not None

    def leave(self, *_: object) -> None:
        """Ask them to stop."""
        self.until = self.until or monotonic() + END_SECONDS
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGTERM)

    def wait(self) -> int:
        """Until they have ended; their exit code. Asked to stop, they are ended if they do not."""
        while True:
            with suppress(subprocess.TimeoutExpired):
                return self.process.wait(LOOK_SECONDS)
            if self.until is not None and monotonic() > self.until:
                with suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)


def end(process: subprocess.Popen[bytes]) -> int:
    """Ask the drill's processes to stop, and give back their exit code."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def main() -> int:
    """Behind the guard, `python -m console.drill.running LANG [PORT]`: keep the drill's parts running."""
    from console.opening import find_directory  # noqa: PLC0415
    from console.up import up  # noqa: PLC0415

    lang, *rest = sys.argv[1:]
    try:
        return up(find_directory(None), int(rest[0]) if rest else None, lang)
    except (HikeshiError, OSError) as failed:
        print(f"hikeshi: {failed}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
