"""A part that leaves when whoever started it has gone: `python -m console.leash MODULE [ARGUMENT …]`.

Its standard input is a pipe of which only the starter has the other end. However the starter dies, SIGKILL
included, the pipe ends; the part is then asked to stop, and is gone soon after, with its port and its locks.
"""

from __future__ import annotations

import asyncio
import os
import runpy
import signal
import sys
import threading
from collections.abc import Callable

LEAVE_SECONDS = 5.0
_gone = threading.Event()


def stopping() -> list[signal.Signals]:
    """The signals that ask a process to stop. A SIGHUP that was ignored at the start (`nohup`) stays so."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return numbers


def stop_on_signals(stop: Callable[[], None]) -> None:
    """Call `stop` in the running loop at SIGINT, SIGTERM, SIGHUP: a closed terminal is an end like others."""
    loop = asyncio.get_running_loop()
    for number in stopping():
        loop.add_signal_handler(number, stop)


def _leave_with_starter() -> None:
    """Wait for the end of the pipe; ask ourselves to stop, then go whatever we are doing."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    _gone.wait(LEAVE_SECONDS)
    os._exit(1)


def main() -> None:
    """Run the module that the arguments name, as `python -m` would."""
    module = sys.argv[1]
    threading.Thread(target=_leave_with_starter, name="leash", daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
