"""Takes everything that a drill sends to somebody who is reached nowhere: the script answers for them.

It ends here. What was sent, to whom and when stands in the outbox and in the record; nothing is kept beside.
"""

from __future__ import annotations

from collections.abc import Sequence

from notifiers.message import Delivery, Message, Sent
from notifiers.probing import Addressee, Finding


class ScriptNotifier:
    """Calls every message sent. It exists in drills only."""

    name = "script"
    can_read_back = True

    async def deliver(self, message: Message) -> Delivery:
        """Taken."""
        return Sent(receipt="script")

    async def arrived(self, message: Message) -> Sent | None:
        """What was given to the script has arrived: asking again gives it nothing new."""
        return Sent(receipt="script")

    async def probe(self, people: Sequence[Addressee]) -> list[Finding]:
        """Nothing can be wrong with it."""
        return []

    async def close(self) -> None:
        """Nothing is open."""
