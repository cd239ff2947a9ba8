"""Many pages that wait for one destination leave as one message that names them all.

Each row keeps its own key and is marked by the proof of the message that carried it. What was tried together
goes again together, before anything newer, so that a copy carries the key of the first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from notifiers.claims import Item
from notifiers.message import Message, blank_context

TEMPLATE = "page.bundle"
_PAGE = "page."


def run_of(queue: Sequence[Item], more_than: int) -> list[Item]:
    """The first of `queue`, in order, that leave as one message; empty if they leave one by one.

    `more_than` pages have to wait, none of them tried before, or all of them; 0 bundles nothing.
    """
    run: list[Item] = []
    for item in queue:
        alike = not run or _tried(item) == _tried(run[0])
        if not item.envelope.template.startswith(_PAGE) or not alike:
            break
        run.append(item)
    return run if more_than and len(run) > more_than else []


def _tried(item: Item) -> bool:
    return item.envelope.tries > 1


def bundle(messages: Sequence[Message]) -> Message:
    """One message for several to the same address, the gravest first, else in the order of asking."""
    first = messages[0]
    ordered = sorted(messages, key=lambda one: -_rank(one))  # stable: the order of asking stays
    context = blank_context() | {"organisation": first.context.get("organisation", "")}
    return Message(
        key=key_of([one.key for one in messages]),
        channel=first.channel,
        address=first.address,
        person=first.person,
        lang=first.lang,
        kind=first.kind,
        template=TEMPLATE,
        context=context,
        attempt=max(one.attempt for one in messages),
        drill=any(one.drill for one in messages),
        bundle=tuple(ordered),
    )


def key_of(keys: Sequence[str]) -> str:
    """`bundle/DIGEST/ADDRESS`: the same for the same rows, however often they are sent together."""
    digest = hashlib.sha256("\n".join(sorted(keys)).encode("utf-8", "surrogatepass")).hexdigest()[:20]
    return f"bundle/{digest}/{keys[0].rpartition('/')[2]}"


def _rank(message: Message) -> int:
    rank = message.context.get("rank")
    return rank if isinstance(rank, int) else 0
