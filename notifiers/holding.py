"""What an outbox has for itself among several nodes: rows in its hand, and channels it alone speaks to.

Each is a lease that is renewed at every beat. On SQLite there is one node, and nothing to renew.
"""

from __future__ import annotations

from collections.abc import Collection

from models.desk import Desk
from models.record import Tx, micros
from notifiers.claims import Claims
from notifiers.leases import DELIVER, ONCE, Leases
from notifiers.pacing import MINUTE, Pacing


class Holding:
    """Renews both. Call from the writer's thread."""

    def __init__(self, desk: Desk, claims: Claims, pacing: Pacing, paced: Collection[str]) -> None:
        """`paced` are the channels whose pace is that of all nodes together."""
        self._desk = desk
        self._claims = claims
        self._pacing = pacing
        self._paced = paced
        self.join(claims.leases)

    @property
    def leases(self) -> Leases:
        """Those of the life that we are in."""
        return self._claims.leases

    def join(self, leases: Leases) -> None:
        """Deliver in the life of a node."""
        self._claims.leases = leases
        leases.want(DELIVER + one for one in self._paced)

    def closed(self) -> set[str]:
        """Channels that another node speaks to now: one at a time, or their pace would be kept by nobody."""
        return {one for one in self._paced if not self.leases.has(DELIVER + one)}

    def renew(self) -> None:
        """Keep what is in hand for another while, and ask for what we would do alone."""
        if not self.leases.shared:
            return
        until = self.leases.until()
        with self._desk.record.begin() as tx:
            names, rows = self.renew_in(tx)
        self.renewed(names, rows, until)

    def renew_in(self, tx: Tx) -> tuple[list[str], set[int]]:
        """As `renew`, inside a transaction of the caller's, which calls `renewed` after its commit."""
        now = self._desk.clock.now()
        return self.leases.renew(tx, now), self._claims.renew(tx, now)

    def renewed(self, names: list[str], rows: set[int], until: float) -> None:
        """It is committed: these are ours until then, on the monotonic clock."""
        self._claims.renewed(rows, until)
        for name in self.leases.renewed(names, until):
            self._inherit(name.removeprefix(DELIVER))

    def _inherit(self, channel: str) -> None:
        """A channel that another had until now: what it took in this minute counts."""
        if self._pacing.room(channel) is not None:
            since = micros(self._desk.clock.now()) - int(MINUTE * 1_000_000)
            self._pacing.leaves(channel, self._claims.sent_since(channel, since))

    def lose(self) -> None:
        """The others have given us up: nothing that we have in hand is ours."""
        self._claims.lose()

    def leave(self) -> None:
        """A process that delivers once is through."""
        if self.leases.shared and self.leases.life.node.startswith(ONCE):
            with self._desk.record.begin() as tx:
                self.leases.give_back(tx)
