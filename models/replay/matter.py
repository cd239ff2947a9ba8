"""Facts about the matter of an incident, read back as commands: services, harm, reports, messages, evidence,
scope, sharing, who may know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from models.collecting import BeginCollection, EndCollection
from models.commands import AddEvidence, AddImprovement, Command, ServiceFact, SetRecoveryPoint
from models.communication import (
    AddInquiry,
    ApproveMessage,
    DraftMessage,
    EditMessage,
    RecordSending,
    RejectMessage,
    SendSituation,
    SubmitMessage,
    WithdrawMessage,
)
from models.custody import (
    DisposeEvidence,
    DisposeTexts,
    Found,
    HoldEvidence,
    RecordRemoval,
    TransferEvidence,
    VerifyEvidence,
)
from models.evidence import Particulars
from models.impact import ForecastService, RecordImpact
from models.replay.past import Group, instant
from models.reports import DraftReport, JudgeObligation, ReportSituation, SubmitReport, VendorFact
from models.restriction import BreakGlass, EndGlass, RecordRead, Restrict
from models.scope import (
    AcceptScope,
    AddScope,
    FixScope,
    NewItem,
    RetractScope,
    SettleParty,
    UpdateScope,
)
from models.sharing import PrepareSharing, RecordShared

Build = Callable[[Group], Command]
_WORDS = frozenset(
    {
        "make", "model", "serial", "owner", "host", "account", "location", "collected_by", "tool", "command",
        "reason", "storage", "seal", "witness",
    }
)  # fmt: skip


def _when(text: str) -> datetime:
    found = instant(text)
    assert found is not None  # noqa: S101 - the fact holds one
    return found


# -- services and harm --------------------------------------------------------------------------------------


def _impacted(g: Group) -> Command:
    return ServiceFact(
        **g.base,
        service=g.data["service"],
        what="impacted",
        instant=instant(g.data["since"]),
        level=g.data.get("level", ""),
        note=g.text("note"),
        source=g.data["by"],
        confidence=g.data["confidence"],
    )


def _level(g: Group) -> Command:
    return ServiceFact(
        **g.base,
        service=g.data["service"],
        what="level",
        instant=instant(g.data["instant"]),
        level=g.data["level"],
        note=g.text("note"),
    )


def _checked(g: Group) -> Command:
    return ServiceFact(**g.base, service=g.data["service"], what="works" if g.data["works"] else "fails")


def _confirmed(g: Group) -> Command:
    what: Any = f"confirmed-by-{g.data['side']}"
    return ServiceFact(**g.base, service=g.data["service"], what=what)


def _impact(g: Group) -> Command:
    return RecordImpact(
        **g.base,
        kind=g.data["kind"],
        value=g.written(g.data["value"]),
        source=g.text("source"),
        confidence=g.data["confidence"],
    )


def _recovery_point(g: Group) -> Command:
    data = g.data
    return SetRecoveryPoint(
        **g.base,
        id=data["id"],
        service=data["service"],
        instant=_when(data["instant"]),
        tamper=data["tamper"],
        malware=data["malware"],
        kind=data.get("kind", "backup"),
        tested=data.get("tested", ""),
    )


# -- reports and messages -----------------------------------------------------------------------------------


def _judged(g: Group) -> Command:
    applicable = g.data["applicable"]
    return JudgeObligation(
        **g.base, obligation=g.data["obligation"], applicable=applicable, reason=g.text("reason")
    )


def _submitted(g: Group) -> Command:
    return SubmitReport(
        **g.base,
        obligation=g.data["obligation"],
        stage=g.data["stage"],
        instant=instant(g.data["instant"]),
        receipt=g.text("receipt"),
        update=g.main.kind == "report.updated",
    )


def _situation(g: Group) -> Command:
    if "people" in g.data:
        return SendSituation(**g.base, text=g.text("text"), to=tuple(g.data["to"]))
    return ReportSituation(**g.base, text=g.text("text"))


def _vendor(g: Group) -> Command:
    return VendorFact(
        **g.base,
        party=g.data["party"],
        what=g.data["what"],
        answered=g.main.kind == "vendor.answered",
        instant=instant(g.data["instant"]),
    )


def _drafted(g: Group) -> Command:
    data = g.data
    base = {**g.base, "lang": data["version"], "document": data["document"], "gaps": data["gaps"]}
    if data["message"] in g.past.messages:
        return DraftMessage(**base, of=data["message"])
    return DraftMessage(
        **base,
        audience=data["audience"],
        tlp=data["tlp"],
        template=data.get("template", ""),
        corrects=data.get("corrects", ""),
        party=data.get("party", ""),
    )


def _edited(g: Group) -> Command:
    data = g.data
    return EditMessage(
        **g.base,
        message=data["message"],
        version=data["version"],
        document=data["document"],
        gaps=data["gaps"],
    )


def _sent(g: Group) -> Command:
    at = instant(g.data["instant"])
    return RecordSending(**g.base, message=g.data["message"], via=g.text("via"), instant=at)


def _inquiry(g: Group) -> Command:
    return AddInquiry(
        **g.base,
        asker=g.data["asker"],
        count=g.data["count"],
        topic=g.data.get("topic", ""),
        note=g.text("note"),
    )


# -- evidence -----------------------------------------------------------------------------------------------


def items_of(g: Group) -> tuple[Mapping[str, Any], ...]:
    """What a machine kept, as it said so."""
    return tuple(
        _item(g, one.data, one.at if one.at != one.recorded_at else None) for one in g.of("evidence.added")
    )


def _item(g: Group, data: Mapping[str, Any], at: datetime | None) -> Mapping[str, Any]:
    words = {
        "name": g.text("name", data),
        "source": g.text("location", data),
        "problem": g.text("problem", data),
    }
    words |= {name: g.text(name, data) for name in ("host", "account", "tool", "command")}
    covers = data.get("covers", ("", ""))
    offset = data.get("clock_offset_ms")
    return {
        **words,
        "digest": data["digest"],
        "size": int(data["size"]),
        "stored": data["stored"],
        "offset_ms": int(offset) if offset is not None else None,
        "stored_digest": data.get("stored_digest", ""),
        "stored_size": int(data.get("stored_size", 0)),
        "sealed_to": tuple(data.get("sealed_to", ())),
        "range_from": covers[0],
        "range_until": covers[1],
        "collected_at": at.isoformat() if at is not None else None,
    }


def _evidence(g: Group) -> Command:
    data = g.data
    offset = data.get("clock_offset_ms")
    covers = data.get("covers", ("", ""))
    about = Particulars(
        kind=data.get("item", "file"),
        words=tuple((name, g.text(name)) for name in sorted(_WORDS & data.keys())),
        clock_offset_ms=int(offset) if offset is not None else None,
        volatility=data.get("volatility"),
        stored_digest=data.get("stored_digest", ""),
        stored_size=int(data.get("stored_size", 0)),
        sealed_to=tuple(data.get("sealed_to", ())),
        covers=(covers[0], covers[1]),
        referenced=data.get("referenced", False),
        problem=g.text("problem"),
    )
    return AddEvidence(
        **g.base,
        source=data["source"],
        description=g.text("description"),
        digest=data.get("digest"),
        size=int(data["size"]),
        name=g.text("name"),
        stored=data["stored"],
        step=data.get("step"),
        partial=data["partial"],
        about=about,
    )


def _transferred(g: Group) -> Command:
    return TransferEvidence(
        **g.base,
        id=g.data["id"],
        to=g.data.get("received_by") or g.text("received_name"),
        organisation=g.text("organisation"),
        purpose=g.text("purpose"),
        place=g.text("place"),
        digest=g.data.get("digest"),
    )


def _verified(g: Group) -> Command:
    digests = g.data.get("found", {})
    results: list[Any] = [name for name in g.data if name != "found"]
    found = [
        Found(id=one, result=result, digest=digests.get(one)) for result in results for one in g.data[result]
    ]
    return VerifyEvidence(**g.base, found=tuple(found))


def _held(g: Group) -> Command:
    return HoldEvidence(**g.base, how="hold", ids=tuple(g.data["ids"]), reason=g.text("reason"))


def _released(g: Group) -> Command:
    g.refs["hold"] = g.data["hold"]
    ids, hold = tuple(g.data["ids"]), g.data["hold"]
    return HoldEvidence(**g.base, how="release", ids=ids, hold=hold, reason=g.text("reason"))


def _disposed(g: Group) -> Command:
    reason, authority = g.text("reason"), g.text("authority")
    return DisposeEvidence(**g.base, id=g.data["id"], reason=reason, authority=authority)


def _begun(g: Group) -> Command:
    target, source = g.data["target"], g.data["source"]
    return BeginCollection(**g.base, target=target, source=source, step=g.data.get("step"))


def _collected(g: Group) -> Command:
    begun = g.past.by_seq[g.data["begun"]].data
    g.refs["begun"] = g.data["begun"]
    return EndCollection(
        **g.base,
        begun=g.data["begun"],
        target=g.data["target"],
        source=begun["source"],
        outcome=g.data["outcome"],
        step=begun.get("step"),
        items=items_of(g),
        error=g.text("error"),
    )


# -- scope --------------------------------------------------------------------------------------------------


def _scope_added(g: Group) -> Command:
    items = [_new(g, one) for fact in g.facts if fact.kind == "scope.added" for one in [fact.data]]
    for fact in g.of("scope.imported"):
        items += [_new(g, fact.data["items"][number]) for number in _in_order(fact.data["items"])]
    again = [(fact.data["id"], fact.data) for fact in g.of("scope.seen")]
    again += [
        (number, fact.data["items"][number])
        for fact in g.of("scope.met")
        for number in _in_order(fact.data["items"])
    ]
    items += [_seen(g, number, data) for number, data in again]
    origin = g.data.get("origin", "")
    return AddScope(**g.base, items=tuple(items), origin=origin, digest=g.data.get("digest", ""))


def _in_order(numbers: Mapping[str, Any]) -> list[str]:
    """Stored names stand in the order of their letters; numbers want that of their size."""
    return sorted(numbers, key=lambda one: (len(one), one))


def _new(g: Group, data: Mapping[str, Any]) -> NewItem:
    return NewItem(kind=data["kind"], name=g.text("name", data), type=data.get("type", ""), **_known(g, data))


def _seen(g: Group, number: str, data: Mapping[str, Any]) -> NewItem:
    kind, type_, name = g.past.scope[number]
    return NewItem(kind=kind, name=name, type=type_, **_known(g, data))


def _known(g: Group, data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "first_seen": instant(data.get("first_seen")),
        "last_seen": instant(data.get("last_seen")),
        "confidence": data.get("confidence", ""),
        "source": g.text("source", data),
        "evidence": data.get("evidence", ""),
        "party": data.get("party", ""),
        "note": g.text("note", data),
    }


def _updated(g: Group) -> Command:
    return UpdateScope(**g.base, id=g.data["id"], **_known(g, g.data))


def _ids(g: Group) -> tuple[str, ...]:
    return tuple(one for fact in g.facts for one in fact.data.get("ids", [fact.data.get("id")]))


def _fixed(g: Group) -> Command:
    return FixScope(
        **g.base,
        ids=_ids(g),
        text=g.text("fix"),
        step=g.data.get("step", ""),
        evidence=g.data.get("evidence", ""),
    )


# -- sharing, and who may know ------------------------------------------------------------------------------


def _prepared(g: Group) -> Command:
    data = g.data
    return PrepareSharing(
        **g.base,
        part=data["part"],
        tlp=data["tlp"],
        digest=data["digest"],
        files=data["files"],
        indicators=data["indicators"],
        allowed=tuple(g.body(data["allowed"][number]) for number in _in_order(data.get("allowed", {}))),
    )


def _shared(g: Group) -> Command:
    return RecordShared(
        **g.base,
        sharing=g.data["id"],
        to=g.text("to"),
        via=g.text("via"),
        message=g.data.get("message", ""),
        instant=instant(g.data["instant"]),
    )


def _restricted(g: Group) -> Command:
    if g.main.kind == "incident.restricted":
        names = tuple(one for one in g.data["people"] if one != g.who) + tuple(g.data["roles"])
        return Restrict(**g.base, reason=g.text("reason"), people=names, bar=tuple(g.data["barred"]))
    removed = [one.data for one in g.of("reader.removed")]
    return Restrict(
        **g.base,
        reason=g.text("reason"),
        people=tuple(one.data["reader"] for one in g.of("reader.added")),
        remove=tuple(one["reader"] for one in removed if not one.get("barred")),
        bar=tuple(one["reader"] for one in removed if one.get("barred")),
    )


MATTER: dict[str, Build] = {
    "service.impacted": _impacted,
    "service.level": _level,
    "service.restored": _level,
    "service.checked": _checked,
    "service.confirmed": _confirmed,
    "service.forecast": lambda g: ForecastService(
        **g.base, service=g.data["service"], eta=_when(g.data["eta"])
    ),
    "impact.recorded": _impact,
    "recovery_point.set": _recovery_point,
    "improvement.added": lambda g: AddImprovement(
        **g.base, title=g.text("title"), owner=g.data["owner"], due=_when(g.data["due"])
    ),
    "obligation.judged": _judged,
    "report.drafted": lambda g: DraftReport(
        **g.base, obligation=g.data["obligation"], stage=g.data["stage"], document=g.data["document"]
    ),
    "report.submitted": _submitted,
    "report.updated": _submitted,
    "situation.reported": _situation,
    "vendor.asked": _vendor,
    "vendor.answered": _vendor,
    "outgoing.drafted": _drafted,
    "outgoing.edited": _edited,
    "outgoing.submitted": lambda g: SubmitMessage(**g.base, message=g.data["message"]),
    "outgoing.approved": lambda g: ApproveMessage(
        **g.base, message=g.data["message"], read=g.data["versions"]
    ),
    "outgoing.rejected": lambda g: RejectMessage(
        **g.base, message=g.data["message"], reason=g.text("reason")
    ),
    "outgoing.sent": _sent,
    "outgoing.withdrawn": lambda g: WithdrawMessage(
        **g.base, message=g.data["message"], reason=g.text("reason")
    ),
    "inquiry.counted": _inquiry,
    "evidence.added": _evidence,
    "evidence.transferred": _transferred,
    "evidence.verified": _verified,
    "evidence.held": _held,
    "evidence.released": _released,
    "evidence.disposed": _disposed,
    "evidence.removed": lambda g: RecordRemoval(**g.base, id=g.data["id"], how=g.data["how"]),
    "text.disposed": lambda g: DisposeTexts(
        **g.base, digests=tuple(one.data["digest"] for one in g.facts), reason=g.text("reason")
    ),
    "collection.begun": _begun,
    "collection.ended": _collected,
    "scope.added": _scope_added,
    "scope.imported": _scope_added,
    "scope.met": _scope_added,
    "scope.seen": _updated,
    "scope.fixed": _fixed,
    "scope.fixed_many": _fixed,
    "scope.accepted": lambda g: AcceptScope(**g.base, ids=_ids(g), reason=g.text("reason")),
    "scope.accepted_many": lambda g: AcceptScope(**g.base, ids=_ids(g), reason=g.text("reason")),
    "scope.retracted": lambda g: RetractScope(**g.base, ids=_ids(g), reason=g.text("reason")),
    "scope.retracted_many": lambda g: RetractScope(**g.base, ids=_ids(g), reason=g.text("reason")),
    "party.settled": lambda g: SettleParty(**g.base, party=g.data["party"], reason=g.text("reason")),
    "sharing.prepared": _prepared,
    "sharing.shared": _shared,
    "incident.restricted": _restricted,
    "incident.unrestricted": lambda g: Restrict(**g.base, reason=g.text("reason"), lift=True),
    "reader.added": _restricted,
    "reader.removed": _restricted,
    "glass.broken": lambda g: BreakGlass(**g.base, reason=g.text("reason")),
    "glass.ended": lambda g: EndGlass(**g.base),
    "incident.read": lambda g: RecordRead(**g.base, reader=g.data["reader"], surface=g.data["surface"]),
}
"""Builders by the kind that a command's facts begin with."""
