"""The web server of the node, which leaves the signals to it."""

from __future__ import annotations

from typing import Any

import uvicorn


class Quiet(uvicorn.Server):
    """Leaves the signals to the node, which has more to stop than the server."""

    def install_signal_handlers(self) -> None:
        """None of its own."""

    def capture_signals(self) -> Any:
        from contextlib import nullcontext  # noqa: PLC0415

        return nullcontext()
