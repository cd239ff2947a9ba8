"""How the peers' steps tell the receiver: one POST, by the standard library, the same for all of them."""

from __future__ import annotations

from urllib.request import Request, urlopen


def post(url: str, what: str) -> None:
    """Tell the receiver that a step is done."""
    request = Request(f"{url}/{what}", data=b"{}", method="POST")  # noqa: S310 - an http address of ours
    with urlopen(request, timeout=10) as answer:  # noqa: S310
        answer.read()
