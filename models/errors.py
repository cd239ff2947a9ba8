"""Everything Hikeshi raises on purpose, in one tree. Each message says what to do next.

HikeshiError
├── BadInput                     what was given cannot be used
│   ├── BadConfiguration         defects in the institution's files, all of them at once
│   ├── BadExpression            a `when:` or `until:` that cannot be evaluated
│   └── NaiveInstant             a time without a zone
├── Refused                      a rule said no; carries the named reason
├── RecordError
│   ├── RecordConflict           somebody else appended first: reload and decide again
│   ├── RecordBusy               the database is locked by another process for too long
│   ├── RecordUnwritable         disk full, read-only, or gone
│   ├── RecordDamaged            the stored bytes and their hash do not agree
│   └── RecordTooNew             written by a newer Hikeshi
│       └── Outdated             another version has taken the record over from this process
├── RecordMoved                  the record is no longer as whoever asks has seen it
├── NotFound                     no such incident, step, person, …
└── ActionFailed                 a machine step did not do what it should
    ├── SourceUnreachable        a source of evidence could not be reached, or broke off
    └── OutcomeUnknown           it may or may not have happened
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.reason import Reason


class HikeshiError(Exception):
    """Something Hikeshi noticed itself; the message says what to do."""


class BadInput(HikeshiError):
    """What was given cannot be used; the message names the field and what is expected."""


class BadConfiguration(BadInput):
    """The institution's files have defects; `hikeshi check DIR` lists them all."""


class BadExpression(BadInput):
    """A condition in a playbook cannot be evaluated; the message names the part that cannot."""


class NaiveInstant(BadInput):
    """A time without a zone; write it with an offset, for example 2026-11-23T03:00:00+09:00."""


class Refused(HikeshiError):
    """A rule said no. `reason` is the rule's name for it, `detail` fills the text that people read."""

    def __init__(self, reason: Reason, detail: Mapping[str, object] | None = None) -> None:
        self.reason = reason
        self.detail = dict(detail or {})
        super().__init__(f"{reason.value}: {self.detail}" if self.detail else reason.value)


class RecordError(HikeshiError):
    """The record could not be read or written."""


class RecordConflict(RecordError):
    """Somebody else appended to the stream first; load it again and decide again."""


class RecordBusy(RecordError):
    """The record is locked by another process; try again, and see `hikeshi health` if it lasts."""


class RecordUnwritable(RecordError):
    """The record cannot be written (disk full, read-only, or gone); free space or mend the disk."""


class RecordLost(RecordUnwritable):
    """The database does not answer; nothing of this transaction was stored. Try again when it runs."""


class RecordUncertain(RecordError):
    """The connection broke while it was being stored, and nobody could tell since: look before repeating."""


class RecordDamaged(RecordError):
    """Stored bytes and their hash do not agree; keep a copy of the database and restore a backup."""


class RecordTooNew(RecordError):
    """The record was written by a newer Hikeshi; use that version, or a backup from before."""


class Outdated(RecordTooNew):
    """Another version of Hikeshi has taken this record over; start that version instead of this one."""


class WouldSilence(RecordError):
    """An older version pages by this record, and a command of this one would end that; start its node."""


class RollbackRefused(RecordError):
    """The record cannot be taken back to an older version; the message names the fact, or what still runs."""


class RecordMoved(HikeshiError):
    """Somebody else wrote to the record since it was read; read it again, and decide anew."""


class Superseded(RecordError):
    """This life of a node was given up by the others; it starts anew under another epoch."""


class NameTaken(HikeshiError):
    """A node of this name is alive on another machine; give this one a name of its own (HIKESHI_NODE)."""


class RecordElsewhere(RecordError):
    """The record was moved; nothing is recorded here any more. Put where it lies into settings.toml."""


class NotFound(HikeshiError):
    """There is no such thing; the message names what was looked for."""


class ActionFailed(HikeshiError):
    """A machine step did not do what it should; the message says what happened."""


class SourceUnreachable(ActionFailed):
    """A source of evidence gives nothing, or broke off; what it had may soon be overwritten."""


class OutcomeUnknown(ActionFailed):
    """A machine step may or may not have taken effect; its crash class says what follows."""
