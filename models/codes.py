"""A code for somebody who holds a signed link: sent another way than the link, it shows that they are they.

Whoever reads over one channel has the link; they have not the code as well. The code follows from the fact
that asked for it and the installation's key, and is worked out where it is sent and where it is compared: it
lies in no record and no table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.commands import Command
from models.errors import Refused
from models.fact import Draft
from models.organisation import Person
from models.permission import require
from models.reach import allowed
from models.reason import Reason
from models.rules.common import Decided
from models.rules.pages import find_page
from models.state import Incident
from models.world import World

TEMPLATE = "notice.code"
SUBJECT = "code"
PRIVATE = ("sms", "voice", "slack", "email")
"""Channels that reach one person alone. Others read the console, the file and a room."""
UNKNOWN_CARRIER = "-"


@dataclass(frozen=True, kw_only=True)
class AskCode(Command):
    """Send me a code for what this page asks, by another channel than `carrier`, which carried the link."""

    page: int
    carrier: str


def other_channels(person: Person, carrier: str, world: World) -> list[str]:
    """Channels that reach this person alone, are trusted, and did not carry the link; their own order first.

    None for a link of which nobody knows what carried it: any of them may have.
    """
    if not carrier:
        return []
    named = dict.fromkeys((*person.channels, *PRIVATE))
    usable = (one for one in named if one in PRIVATE and one in world.channels and one != carrier)
    return [one for one in usable if person.address(one) and allowed(world, person, one)]


def ask_code(state: Incident, command: AskCode, world: World) -> Decided:
    """A message with a code is on its way, to the person of the link and to nobody else."""
    require(command, "ack", state, world)
    page = find_page(state, command.page, command.who)
    person = world.directory.person(command.who)
    channels = other_channels(person, command.carrier, world) if person is not None else []
    if not channels:
        raise Refused(Reason.NO_OTHER_CHANNEL, {"who": command.who, "channel": command.carrier or "?"})
    told: dict[str, Any] = {"person": command.who, "role": "", "channels": channels}
    data = {
        "template": TEMPLATE,
        "subject": f"{SUBJECT}:{page.id}:{command.carrier or UNKNOWN_CARRIER}",
        "recipients": [told],
    }
    return [Draft(kind="message.requested", data=data)]
