"""The ledger of the kinds of fact: since which release each is read, and since which it is written.

Readers of a new kind ship one release before its writers. While machines are upgraded one by one, and after
an upgrade that was taken back, the release before meets nothing that it cannot read. A new version of a
kind's data is a line of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from models.errors import HikeshiError
from models.release import FIRST, VERSION, order


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of fact in one version of its data."""

    name: str
    v: int = 1
    read_since: str
    written_since: str


_OF_THE_FIRST = """
    alert.attached alert.declared alert.dismissed alert.kept alert.overdue alert.received alert.repeated
    anchor.placed
    approval.asked
    clock.breached clock.ended clock.forecast clock.met clock.missed clock.over clock.set clock.warned
    collection.begun collection.ended
    comcheck.ended comcheck.started
    confirm.asked
    confirmed
    decision.approved decision.made decision.proposed decision.rejected decision.superseded decision.voted
    decision.withdrawn
    drill_finding.added drill_finding.changed drill_finding.dropped
    ending.reached
    evidence.added evidence.disposed evidence.held evidence.released evidence.removed evidence.round
    evidence.transferred evidence.verified
    exercise.aborted exercise.ended exercise.prepared exercise.said exercise.signed_off exercise.staffed
    exercise.started
    finding.accepted finding.fixed finding.opened finding.overdue finding.reminded finding.reopened
    finding.retested
    gate.held gate.overridden gate.passed
    glass.broken glass.ended
    hotwash.said
    impact.recorded
    improvement.accepted improvement.added improvement.done improvement.opened improvement.overdue
    improvement.reminded
    incident.absorbed incident.cancelled incident.closed incident.declared incident.dismissed
    incident.linked incident.merged incident.read incident.reopened incident.resolved incident.restricted
    incident.unrestricted
    inject.delivered inject.put inject.skipped
    inquiry.counted
    inspector.granted inspector.revoked
    instant.set
    key.accepted key.made key.replaced key.rotated
    leap.told
    login.offered
    machine.impaired machine.recovered
    message.failed message.given_up message.requested message.sent
    node.outage node.started node.stopped
    note.added
    notice.drafted
    objective.rated
    obligation.judged obligation.proposed
    observation.written
    opinion.asked opinion.given
    outcome.told
    outgoing.approved outgoing.drafted outgoing.edited outgoing.rejected outgoing.sent outgoing.submitted
    outgoing.voided outgoing.withdrawn
    override.spent override.withdrawn
    page.acknowledged page.asked page.declined page.delegated page.escalated page.exhausted page.hurried
    page.lapsed page.repeated page.seen page.stopped page.unanswerable page.worked
    participant.absent participant.confirmed participant.enrolled participant.returned
    party.owed party.settled
    phase.ended phase.opened phase.reopened
    playbook.added playbook.announced playbook.dropped playbook.moved playbook.read
    programme.cancelled programme.held programme.planned programme.signed_off
    quarantine.entered quarantine.left
    questions.answered
    reader.added reader.removed
    reading.complete reading.overdue reading.withdrawn
    record.exported record.moved record.restored
    recovery_point.set
    refused
    rules.changed
    reopening.declined reopening.proposed
    reply.taken
    report.drafted report.submitted report.updated
    review.drafted
    role.assigned role.handed_over
    room.opened
    scope.accepted scope.accepted_many scope.added scope.fixed scope.fixed_many scope.imported scope.met
    scope.retracted scope.retracted_many scope.seen
    service.checked service.confirmed service.forecast service.impacted service.level service.loss
    service.restored service.resumed service.stopped
    session.ended session.opened
    severity.proposed severity.set
    sharing.prepared sharing.shared
    shift.begun shift.missed shift.passed
    shifts.set
    situation.reported
    source.unreachable
    step.added step.assigned step.done step.failed step.handed_over step.not_applicable step.overdue
    step.ready step.refused step.repeated step.reset step.skipped step.started step.unknown
    text.disposed
    time.compared
    timing.set
    token.issued token.revoked
    trust.proposed trust.restored trust.withdrawn
    vendor.answered vendor.asked
    vote.withdrawn
"""
LATER: tuple[Kind, ...] = ()
"""What came after the first release, as `Kind(name="…", read_since="0.2.0", written_since="0.3.0")`."""
LEDGER: tuple[Kind, ...] = (
    *(Kind(name=name, read_since=FIRST, written_since=FIRST) for name in _OF_THE_FIRST.split()),
    *LATER,
)


def defects(ledger: Iterable[Kind]) -> Iterator[str]:
    """What is wrong with a ledger, a line each."""
    seen: dict[str, int] = {}
    for kind in ledger:
        if kind.v != seen.get(kind.name, 0) + 1:
            yield f"{kind.name} v{kind.v}: the versions of a kind are counted from 1, without gaps"
        seen[kind.name] = kind.v
        if kind.read_since == kind.written_since == FIRST:
            continue
        if order(kind.written_since) <= order(kind.read_since):
            yield (
                f"{kind.name} v{kind.v} is written since {kind.written_since} and read since "
                f"{kind.read_since}: let its readers ship a release before its writers"
            )


def readable_by(version: str, ledger: Iterable[Kind] = LEDGER) -> frozenset[tuple[str, int]]:
    """The kinds, with the version of their data, that a release can read."""
    return frozenset((one.name, one.v) for one in ledger if order(one.read_since) <= order(version))


def writable_by(version: str, ledger: Iterable[Kind] = LEDGER) -> frozenset[tuple[str, int]]:
    """The kinds, with the version of their data, that a release may write."""
    return frozenset((one.name, one.v) for one in ledger if order(one.written_since) <= order(version))


READABLE = readable_by(VERSION)
_WRITABLE = writable_by(VERSION)


def must_be_writable(name: str, v: int) -> None:
    """Raises HikeshiError for a kind that this release only reads: the one before could not."""
    if (name, v) not in _WRITABLE:
        raise HikeshiError(
            f"a fact of kind {name} v{v} is not written by {VERSION}: models/kinds.py says since which "
            "release (a defect of Hikeshi)"
        )
