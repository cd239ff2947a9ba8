"""Who a message is for, how far its text may travel, who has to approve it, and what its text may not lack.

TLP 2.0 (FIRST): RED is for the eyes of named people, AMBER+STRICT stays in the institution, AMBER may go to
those outside who need to know, GREEN to the community, CLEAR to everybody. What each audience may get, and
the shipped chains of approval, are [G]: customary, for the institution to check.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

Audience = Literal["customers", "press", "branches", "call-centre", "third-party", "staff", "other"]
Tlp = Literal["RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR"]
Asker = Literal["customers", "press", "authority", "branch", "third-party", "staff", "other"]
ALL_LABELS: tuple[Tlp, ...] = ("RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR")
_NEED_TO_KNOW: tuple[Tlp, ...] = ("AMBER", "GREEN", "CLEAR")
LABELS: Mapping[Audience, tuple[Tlp, ...]] = {
    "press": ("CLEAR",),
    "customers": _NEED_TO_KNOW,
    "third-party": _NEED_TO_KNOW,
    "other": _NEED_TO_KNOW,
    "call-centre": ("AMBER+STRICT", *_NEED_TO_KNOW),
    "branches": ("AMBER+STRICT", *_NEED_TO_KNOW),
    "staff": ALL_LABELS,
}
"""Whom `other` means nobody knows beforehand, so it counts as outside. RED names people: staff at most."""

APPROVALS: Mapping[Audience, tuple[str, ...]] = {
    "customers": ("pr", "legal", "ciso"),
    "press": ("pr", "ciso", "president"),
    "branches": ("branch-lead",),
    "call-centre": ("branch-lead",),
    "third-party": ("csirt-lead",),
    "staff": ("csirt-lead",),
    "other": ("pr", "ciso"),
}
"""[G] Roles in the order in which they approve; `approvals` in routes.yaml says otherwise."""

MAX_BODY = 20_000
DRILL = "【訓練】DRILL"
_GAP = re.compile(r"【(?:要記入|未記入)[^】]*】|\[TO FILL[^\]]*\]", re.IGNORECASE)
_LABEL = re.compile(rf"(?:{re.escape(DRILL)} )?TLP:[A-Z+]+\s*")


def gaps(text: str) -> int:
    """How many marks are left where somebody has to fill something in."""
    return len(_GAP.findall(text))


def labelled(body: str, tlp: Tlp, *, drill: bool) -> str:
    """The text with its label as the first and the last line, as TLP 2.0 wants it; a drill says so there."""
    label = f"{DRILL} TLP:{tlp}" if drill else f"TLP:{tlp}"
    return f"{label}\n\n{unlabelled(body)}\n\n{label}\n"


def unlabelled(text: str) -> str:
    """The text alone: labels at its head and foot, which somebody may have edited, are set anew."""
    lines = text.replace("\r\n", "\n").strip().split("\n")
    while lines and (not lines[0].strip() or _LABEL.fullmatch(lines[0].strip())):
        lines.pop(0)
    while lines and (not lines[-1].strip() or _LABEL.fullmatch(lines[-1].strip())):
        lines.pop()
    return "\n".join(lines)
