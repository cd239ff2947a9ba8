"""An incident, and others, in which every field that people or machines fill in holds a hostile text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from console.intake import receive
from console.opening import House
from models import commands as c
from models.answers import AskOpinion, Decline, TimelineEntry
from models.commands import Actor, Command
from models.communication import AddInquiry, SendSituation
from models.custody import HoldEvidence, TransferEvidence
from models.evidence import Particulars
from models.impact import RecordImpact
from models.reason import Reason
from models.reports import JudgeObligation, ReportSituation
from models.scope import AddScope, FixScope, NewItem
from tests.console.webhouse import wazuh

SATO = Actor(person="sato-kenji", via="test")
TANAKA = Actor(person="tanaka-misaki", via="test")
INC = "INC-2026-0001"
HARMLESS = {Reason.FIELD_WRONG, Reason.TOO_LONG, Reason.EMPTY, Reason.REASON_MISSING, Reason.ALREADY}
"""How a rule may say no to such a text; anything else would mean that it was never tried."""
STEPS = 40
"""Steps cost a row on every page, and an incident takes no more than 400."""


def poison(house: House, texts: Sequence[str], every: int = 1) -> None:
    """Put every text into every kind of field; all of them together where there is one field only.

    With `every` each text goes into one field of so many, and another text into the next.
    """
    whole = " ".join(texts)
    _handle(house, None, c.Declare(actor=SATO, text=whole[:290], playbooks=("short",), severity="high"))
    for command in _together(house, whole):
        _handle(house, INC, command)
    for number, text in enumerate(texts):
        for place, command in enumerate(_each(house, number, text)):
            if (place + number) % every == 0:
                _handle(house, INC, command)
    for number, text in enumerate(texts):
        if number % every:
            continue
        _handle(house, None, c.Declare(actor=TANAKA, text=text, playbooks=("short",), severity="high"))
        host = {"name": text, "ip": text, "id": f"{number:03d}"}
        receive(house, "wazuh", wazuh(level=11, id=f"r{number}", description=text, agent=host))


def _handle(house: House, stream: str | None, command: Command) -> None:
    outcome = house.desk.handle(stream, command)
    assert outcome.refused is None or outcome.refused in HARMLESS, (command, outcome.refused, outcome.detail)


def _together(house: House, whole: str) -> Iterator[Command]:
    """What an incident has once."""
    page = next(iter(house.desk.incident(INC).pages.values()))
    called = Actor(person=page.reached["0"][0].person, via="test")
    yield Decline(actor=called, page=page.id, reason=whole[:400])
    yield c.SetSeverity(actor=SATO, severity="critical", reason=whole[:7_000])
    yield ReportSituation(actor=SATO, text=whole[:7_000])
    yield SendSituation(actor=SATO, text=whole[:7_000], to=("ciso",))
    yield JudgeObligation(actor=SATO, obligation="JP-PPC", applicable=True, reason=whole[:7_000])
    yield c.Done(actor=SATO, step="short/look", values={"seen": whole[:900], "count": "1"}, note=whole[:900])
    yield AskOpinion(actor=SATO, step="short/first", person="mori-chie", question=whole[:900])


def _each(house: House, number: int, text: str) -> Iterator[Command]:
    """What it may have many of."""
    now = house.desk.clock.now()
    yield c.Note(actor=SATO, text=text)
    yield c.Note(actor=SATO, for_="kato-hiroshi", text=text)
    yield TimelineEntry(actor=SATO, at=now, text=text, said_by=text, source=text)
    yield AddScope(actor=SATO, items=(NewItem(kind="host", name=text, source=text, note=text),))
    yield AddScope(actor=SATO, items=(NewItem(kind="indicator", name=text, type="other"),))
    for one in list(house.desk.incident(INC).scope)[:1]:
        yield FixScope(actor=SATO, ids=(one,), text=text)
    about = Particulars(words=(("tool", text), ("host", text), ("reason", text)))
    size, digest = number + 1, f"sha256:{number + 1:064x}"
    yield c.AddEvidence(
        actor=SATO, source="memory", description=text, name=text, digest=digest, size=size, about=about
    )
    for item in list(house.desk.incident(INC).evidence)[:1]:
        yield HoldEvidence(actor=SATO, how="hold", reason=text, ids=(item,))
        yield TransferEvidence(actor=SATO, id=item, to=text, organisation=text, purpose=text, place=text)
    yield RecordImpact(actor=SATO, kind="people", value="12000", source=text)
    yield AddInquiry(actor=SATO, asker="press", count=1, topic="atm-card", note=text)
    due = now + timedelta(days=20)
    yield c.AddImprovement(actor=SATO, title=text, owner="sato-kenji", due=due)
    yield c.ServiceFact(actor=SATO, service="internet-banking", what="impacted", instant=now, note=text)
    if number < STEPS:
        yield c.AddStep(
            actor=SATO, step=f"s{number}", title=text, phase="triage", owner="csirt-lead", reason=text
        )
