"""What a node does beside paging: none of it delays a page.

Most of it is done by one node for all that share the record, for as long as it holds the lease of that name;
docs/architecture.md says which.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from console.announcing import Announcer
from console.hooks import Hooks
from console.living import EVIDENCE
from console.opening import House, secrets_of
from console.relay import RELAYING, Relays
from console.rounds import Rounds
from console.web.running import Run
from models.errors import BadConfiguration
from notifiers.leases import Leases, Work
from notifiers.message import Notifier

MAILBOX = "mailbox"


class Beside:
    """The second path, the webhooks, the mailbox, and looking after what is kept."""

    def __init__(self, house: House, run: Run, leases: Leases, wake: Callable[[], None]) -> None:
        """`wake` tells the outbox that something may have to leave."""
        self.relays = Relays(house, run)
        self.hooks = Hooks(house, run)
        self._rounds = Rounds(house, run)
        self._house, self._run, self._leases, self._wake = house, run, leases, wake
        self._problems: dict[str, str] = {}

    def tasks(self, stop: asyncio.Event) -> list[asyncio.Task[None]]:
        """Begun; each goes on until `stop`."""
        works: dict[str, Work] = {
            RELAYING: self.relays.run,
            "webhooks": self.hooks.run,
            EVIDENCE: self._rounds.run,
            MAILBOX: self._mailbox,
        }
        return self._begun(works, stop)

    def of_production(
        self, stop: asyncio.Event, notifiers: Mapping[str, Notifier]
    ) -> list[asyncio.Task[None]]:
        """As `tasks`, what a drill does not do: it announces nothing and keeps no keys."""
        works: dict[str, Work] = {
            "announcements": self._announce,
            "keeping": partial(self._keep, dict(notifiers)),
        }
        return self._begun(works, stop)

    def _begun(self, works: Mapping[str, Work], stop: asyncio.Event) -> list[asyncio.Task[None]]:
        ours = self._leases.while_ours
        return [asyncio.create_task(ours(name, stop, work)) for name, work in works.items()]

    def problems(self) -> dict[str, str]:
        """What is not in order, for health."""
        return self._problems | self.relays.problems() | self.hooks.problems()

    async def _mailbox(self, stop: asyncio.Event) -> None:
        """Read the mailbox, if one is set up. Without its secret pages go on, and health says so."""
        settings = self._house.institution.settings.mailbox
        if settings is not None:
            from console.mailbox import Mailbox  # noqa: PLC0415 - only where a mailbox is set up

            try:
                password = secrets_of(self._house.institution.directory)(settings.password)
            except BadConfiguration as missing:
                self._problems[MAILBOX] = str(missing)
            else:
                await Mailbox(self._house, password, self._run, self._wake).run(stop)
        await stop.wait()

    async def _announce(self, stop: asyncio.Event) -> None:
        """Ask those who have to read a new version of a playbook, once; then there is nothing more to do."""
        await Announcer(self._house, self._run).run(stop)
        await stop.wait()

    async def _keep(self, notifiers: dict[str, Notifier], stop: asyncio.Event) -> None:
        """Checkpoints, their copies elsewhere, and the clock."""
        from console.keeping import Keeper  # noqa: PLC0415 - after the first page's way is warm

        await Keeper(self._house, notifiers, self._run).run(stop)
