"""How often something may be tried, by name: memory has a bound, whoever knocks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from console.web.alerts import Bucket

MOST_NAMES = 1_000


class Turns:
    """`per_minute` tries of each name, coming back evenly.

    Beyond a thousand names whoever has not knocked for longest is forgotten: they have their tries again,
    which is what `all_per_minute` is for.
    """

    def __init__(self, per_minute: int, all_per_minute: int, monotonic: Callable[[], float]) -> None:
        self._per_minute, self._monotonic = per_minute, monotonic
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._all = Bucket(all_per_minute, monotonic)

    def take(self, name: str) -> int:
        """0 if it may be tried now, else the seconds until it may."""
        bucket = self._buckets.pop(name, None) or Bucket(self._per_minute, self._monotonic)
        self._buckets[name] = bucket
        if len(self._buckets) > MOST_NAMES:
            self._buckets.popitem(last=False)
        return bucket.take() or self._all.take()
