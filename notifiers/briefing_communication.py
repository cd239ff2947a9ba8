"""What a message says of a situation report, and of a message to others that waits for approval.

The text of a message to others is not sent along: its label may keep it off a channel, and what is approved
is the text that `hikeshi message show` shows, whole and with its digest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from models.communication import Outgoing
from models.state import Incident
from notifiers.briefing_names import Matter, at, person_name, text_of
from notifiers.phrases import PHRASES

PART = 1_400
MAX_PARTS = 8
"""In characters: a part stays within one block of Slack after escaping, all of them within one message."""


def brief_situation(number: str, matter: Matter, lang: str) -> dict[str, Any]:
    """A situation report in parts, each of whole lines."""
    state = matter.state
    reports = state.situation_reports if isinstance(state, Incident) else []
    found = next((one for one in reports if str(one.number) == number), None)
    if found is None:
        return {}
    parts = list(in_parts(text_of(matter, found.text)))
    return {
        "what": "",
        "command": f"hikeshi situation show {state.stream} {number}",
        "extra": {
            "number": number,
            "by": person_name(matter.world, found.by, lang),
            "at": at(found.at, matter.world.organisation.zone, lang),
            "lines": parts[:MAX_PARTS],
            "more": "…" if len(parts) > MAX_PARTS else "",
        },
    }


def in_parts(text: str) -> Iterator[str]:
    """The text cut between lines; a single line that is too long is cut itself."""
    part = ""
    for line in text.splitlines():
        for piece in (line[start : start + PART] for start in range(0, max(1, len(line)), PART)):
            if part and len(part) + len(piece) + 1 > PART:
                yield part
                part = ""
            part = f"{part}\n{piece}" if part else piece
    if part.strip():
        yield part


def brief_message(name: str, matter: Matter, lang: str) -> dict[str, Any]:
    """`MSG-001`, or `MSG-001/ROLE` for whose turn it is."""
    number, _, role = name.partition("/")
    state, words = matter.state, PHRASES[lang]
    message = state.outgoing.get(number) if isinstance(state, Incident) else None
    if message is None:
        return {}
    about = f"{number} ({words[f'audience.{message.audience}']}, TLP:{message.tlp})"
    show = f"hikeshi message show {state.stream} {number}"
    lines = [*_versions(message, matter, lang)]
    if role:
        show += f" → hikeshi message approve|reject {state.stream} {number}"
        title = matter.world.directory.role(role)
        lines.append(words["approves-as"].format(role=title.title.lang(lang) if title else role))
    return {"what": about, "command": show, "extra": {"lines": lines}}


def _versions(message: Outgoing, matter: Matter, lang: str) -> Iterator[str]:
    world, words = matter.world, PHRASES[lang]
    for version in message.versions.values():
        writers = ", ".join(person_name(world, one, lang) for one in version.writers)
        status = words[f"version.{version.status}"]
        said = words["version"].format(lang=version.lang, status=status, writers=writers)
        approved = ", ".join(person_name(world, one.by, lang) for one in version.approvals)
        if approved:
            said += words["approved-by"].format(people=approved)
        reason = text_of(matter, version.reason)
        yield f"{said}: {reason}" if reason else said
