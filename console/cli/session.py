"""One call of the command line: whose it is, in which directory, in which language, and how it is answered.

Nothing heavy is imported before a command asks for the house: `--help` must not wait for the desk.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from zoneinfo import ZoneInfo

import typer

from console.texts import Texts, texts

if TYPE_CHECKING:
    from datetime import datetime

    from console.opening import House
    from console.reading import Reader
    from console.views.naming import Naming
    from console.visitor import Visitor
    from models.access import Viewer
    from models.commands import Actor, Command
    from models.desk import Desk
    from models.frozen import Document
    from models.premises import Outcome
    from models.state import Incident, StreamState

REFUSED = 1
WRONG_USAGE = 2
NOBODY_PAGED = 3
MAX_FILE_BYTES = 16 * 1024 * 1024
MAX_DIGITS = 12
"""More digits than any number of an incident, a page or a fact will have."""
PATHS = frozenset({"file", "from_", "out", "identity"})
"""A file may be called by any bytes; all else is text and goes into the record."""
OTHER_STREAMS = ("intake", "house", "programme", "exercise")


@dataclass(frozen=True, kw_only=True)
class Given:
    """What was given besides the command's own arguments. `house` is one that is open already."""

    directory: str | None = None
    lang: str = "ja"
    json: bool = False
    for_: str | None = None
    page_now: bool = False
    house: House | None = None
    visitor: Visitor | None = None
    """Somebody who asks over the network; else it is whoever runs this process."""


class Session:
    """What a command works with."""

    def __init__(self, given: Given, surface: str = "") -> None:
        """`surface` is the command's whole name, such as `step show`: recorded where reading is."""
        self.given = given
        self.surface = surface
        self._asked = False

    @cached_property
    def texts(self) -> Texts:
        """The interface's words."""
        return texts(self.given.lang)

    @property
    def house(self) -> House:
        """The institution's directory, opened; refused to whoever may not look. Raises HikeshiError."""
        house = self._house
        if not self._asked:
            self._asked = True
            self._must_look()
        return house

    @cached_property
    def _house(self) -> House:
        """Opened once; that it is a drill's is said before anything else."""
        house = self.given.house or self._opened()
        from console.cli import output  # noqa: PLC0415

        line = None
        if house.drill is not None and not self.given.json:
            from console.views.drill import first_line  # noqa: PLC0415

            line = first_line(house.desk, house.drill, self.texts)
        output.begin_with(line)
        if line is not None and self.given.visitor is not None and self.given.visitor.door == "api":
            # A command line elsewhere has to say it as well as one here: whose hour this is not.
            output.show([line])
        if house.defects and self.given.house is None:
            self._warn_of_defects(house.defects)
        return house

    def _opened(self) -> House:
        from console.opening import find_directory, open_house  # noqa: PLC0415

        try:
            return open_house(find_directory(self.given.directory), leads=False)
        except OSError as wrong:
            path = self.given.directory or "."
            self.wrong(self.texts("words.usage.file", option="--dir", path=path, why=wrong.strerror))

    def _warn_of_defects(self, defects: tuple[str, ...]) -> None:
        """The files have defects, and those that were last sound are used: said each time, on the side."""
        from console.cli import output  # noqa: PLC0415
        from console.views.sheet import Line  # noqa: PLC0415

        said = self.texts("words.last_good", n=len(defects), first=defects[0])
        output.show([Line(text=said, style="bad")], stderr=True)

    @property
    def desk(self) -> Desk:
        """The desk."""
        return self.house.desk

    @property
    def now(self) -> datetime:
        """The instant, aware, UTC."""
        if self.given.house is not None:
            return self.given.house.desk.clock.now()
        if self.in_drill:
            return self._house.desk.clock.now()
        from models.clock import SystemClock  # noqa: PLC0415

        return SystemClock().now()

    @cached_property
    def in_drill(self) -> bool:
        """Whether the directory is that of a drill, whose time is not that of the machine."""
        from console.opening import find_directory  # noqa: PLC0415
        from models.errors import NotFound  # noqa: PLC0415
        from playbooks.drillfiles import is_drill  # noqa: PLC0415

        try:
            return is_drill(find_directory(self.given.directory))
        except (NotFound, OSError):
            return False

    @property
    def zone(self) -> ZoneInfo:
        """The institution's zone."""
        return ZoneInfo(self.house.institution.organisation.zone)

    # -- who ------------------------------------------------------------------------------------------------

    @cached_property
    def account(self) -> str:
        """The operating system's account.

        HIKESHI_ACCOUNT counts only for the owner of the data directory, who could write the record anyway;
        `via` then says who that was.
        """
        from console.cli.account import named, real  # noqa: PLC0415

        if self.given.visitor is not None:
            return self.given.visitor.name
        return named(self.house.data) or real()

    @cached_property
    def viewer(self) -> Viewer:
        """Who looks: the person behind the account, an inspector, or nobody in particular."""
        from console.cli.account import viewer  # noqa: PLC0415

        if self.given.visitor is not None:
            return self.given.visitor.viewer
        return viewer(self._house.desk, self.account)

    @cached_property
    def reader(self) -> Reader:
        """What this person may know of."""
        from console.reading import Reader  # noqa: PLC0415

        way = "cli" if self.given.visitor is None else self.given.visitor.door
        return Reader(desk=self.desk, viewer=self.viewer, surface=f"{way}:{self.surface}")

    def _must_look(self) -> None:
        """Refuse whoever may not use this way of looking at all."""
        from console.cli import account, report  # noqa: PLC0415
        from console.rights import look_of  # noqa: PLC0415
        from models.access import may_look  # noqa: PLC0415
        from models.reason import Reason  # noqa: PLC0415
        from models.state import House as State  # noqa: PLC0415

        right = look_of(self.surface)
        desk = self._house.desk
        if account.stale(self.viewer, desk, token=self.given.visitor is None):
            account.record_refusal(desk, self.actor, Reason.INSPECTION_OVER, self.surface)
            report.refused(self, None, Reason.INSPECTION_OVER, {})
        if right is None:
            return
        world = desk.world(State(stream="house"))
        if not may_look(right, self.viewer, world).whole:
            needs = sorted(world.policy.permissions.get(right, ()))
            account.record_refusal(desk, self.actor, Reason.ROLE_MISSING, self.surface)
            detail = {"who": self.actor.person or self.account, "needs": needs, "command": right}
            report.refused(self, None, Reason.ROLE_MISSING, detail)

    @property
    def actor(self) -> Actor:
        """The person behind the account; the desk refuses whom the directory does not know."""
        from console.cli.account import via  # noqa: PLC0415
        from models.access import INSPECTING  # noqa: PLC0415
        from models.commands import Actor  # noqa: PLC0415

        if self.viewer.inspector is not None:
            name = self.viewer.inspector.id
            return Actor(person=None, name=name, via=INSPECTING + name)
        if self.given.visitor is not None:
            return self.given.visitor.actor
        person = self.desk.directory.by_account(self.account)
        return Actor(person=person.id if person else None, name=self.account, via=via(self.account))

    @cached_property
    def is_vendor(self) -> bool:
        """Whether somebody of a third party looks."""
        from models.access import is_vendor  # noqa: PLC0415
        from models.state import House as State  # noqa: PLC0415

        return is_vendor(self.viewer.person, self.desk.world(State(stream="house")))

    def known_actor(self) -> None:
        """Refuse an account that belongs to nobody before anything else is done for it.

        It is on record once a minute, whoever knocks how often: a full disk would stop the pages.
        """
        from console.cli import account, report  # noqa: PLC0415
        from models.reason import Reason  # noqa: PLC0415

        if self.viewer.inspector is not None or self.actor.looks:
            account.record_refusal(self.desk, self.actor, Reason.READ_ONLY, self.surface)
            report.refused(self, None, Reason.READ_ONLY, {"who": self.actor.name})
        if self.actor.person is None:
            account.record_refusal(self.desk, self.actor, Reason.UNKNOWN_PERSON)
            report.refused(self, None, Reason.UNKNOWN_PERSON, {"who": self.account})

    def person(self, name: str) -> str:
        """A person's id, given as id or account; left as it is if the directory has neither."""
        directory = self.desk.directory
        if directory.person(name) is None and (found := directory.by_account(name)) is not None:
            return found.id
        return name

    # -- what -----------------------------------------------------------------------------------------------

    def stream(self, reference: str) -> str:
        """The stream of `INC-2026-0001`, in any case, or of its number alone if only one has it."""
        if reference in OTHER_STREAMS:
            return reference
        if self.is_number(reference):
            from console.cli.looking import incident_ids  # noqa: PLC0415
            from models.state import Incident as State  # noqa: PLC0415

            ends = [one for one in incident_ids(self.house.record) if one.endswith(f"-{int(reference):04d}")]
            known = [one for one in self.desk.readable(ends) if isinstance(one, State)]
            ends = [one.stream for one in known if self.reader.reading(one).some]
            if len(ends) == 1:
                return ends[0]
        return reference.upper()

    def is_number(self, text: str) -> bool:
        """Whether it is a number that something here may have."""
        return text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS

    def incident(self, reference: str) -> Incident:
        """The incident; refused with what to do if there is none, or none for this person."""
        from console.cli import account, report  # noqa: PLC0415
        from models.reason import Reason  # noqa: PLC0415

        state = self.part_of(reference)
        if not self.reader.reading(state).whole:
            account.record_refusal(self.desk, self.actor, Reason.THIRD_PARTY_LIMIT, self.surface)
            report.refused(self, None, Reason.THIRD_PARTY_LIMIT, {"who": self.actor.person or ""})
        return state

    def part_of(self, reference: str) -> Incident:
        """The incident, of which a third party may see its own steps; refused as `incident` does.

        That it was read is recorded if it is restricted. What a person may not know of is not there: answer
        and record are the same as for a number that was never given out.
        """
        from console.cli import account, report  # noqa: PLC0415
        from models.reason import Reason  # noqa: PLC0415
        from models.state import Incident as State  # noqa: PLC0415

        stream = self.stream(reference)
        state = self.desk.state(stream)
        if not isinstance(state, State) or not state.seq or not self.reader.reading(state).some:
            account.record_refusal(
                self.desk, self.actor, Reason.NO_SUCH_INCIDENT, self.surface, detail=stream
            )
            report.refused(self, None, Reason.NO_SUCH_INCIDENT, {"incident": stream})
        if not self.reader.note(state):
            self.say(self.texts("access.not_noted"), "warn", stderr=True)
        return state

    def naming(self, state: StreamState) -> Naming:
        """What it takes to say something about this stream."""
        from console.views.naming import Naming  # noqa: PLC0415

        return Naming(
            texts=self.texts,
            world=self.desk.world(state),
            state=state,
            beside=self.desk.texts(state.stream),
        )

    def instant(self, text: str | None, option: str, *, whole_day: bool = False) -> datetime | None:
        """An instant given on the command line, in UTC; exit 2 with advice if it cannot be read."""
        from console.views.times import read_instant  # noqa: PLC0415
        from models.errors import NaiveInstant  # noqa: PLC0415

        if text is None:
            return None
        try:
            return read_instant(text, self.zone, whole_day=whole_day)
        except NaiveInstant:
            self.wrong(self.texts("words.usage.naive", option=option, value=text))
        except ValueError:
            self.wrong(self.texts("words.usage.instant", option=option, value=text))

    def must_be_text(self, values: Mapping[str, Any]) -> None:
        """Exit 2 with advice if something is no text: bytes that are no UTF-8 cannot be recorded."""
        for name, value in values.items():
            for one in _texts(value) if name not in PATHS else ():
                if any(0xD800 <= ord(char) <= 0xDFFF for char in one):  # noqa: PLR2004 - Unicode's surrogates
                    self.wrong(self.texts("words.usage.not_text", name=name.strip("_")))

    def pairs(self, many: list[str], option: str) -> dict[str, str]:
        """`name=value …` as a mapping; exit 2 with advice if one has no `=`."""
        found = {}
        for one in many:
            name, equals, value = one.partition("=")
            if not equals or not name.strip():
                self.wrong(self.texts("words.usage.pair", option=option, value=one))
            found[name.strip()] = value
        return found

    def seconds(self, text: str | None, option: str) -> int | None:
        """A span such as 30m or 4h in seconds; exit 2 with advice if it cannot be read or is too long."""
        from models.values import parse_duration  # noqa: PLC0415

        if text is None:
            return None
        try:
            return int(parse_duration(text).total_seconds())
        except (ValueError, OverflowError):
            self.wrong(self.texts("words.usage.choice", option=option, value=text, known="30m, 4h, 3d"))

    def one_of(self, value: str, known: tuple[str, ...], option: str) -> None:
        """Exit 2 with advice unless `value` is one of `known`."""
        if value not in known:
            names = ", ".join(known)
            self.wrong(self.texts("words.usage.choice", option=option, value=value, known=names))

    def read(self, path: Path, option: str) -> bytes:
        """The bytes of a file, or of standard input for `-`; exit 2 with advice if it cannot be read."""
        try:
            if str(path) == "-":
                return sys.stdin.buffer.read(MAX_FILE_BYTES)
            with path.open("rb") as file:
                return file.read(MAX_FILE_BYTES)
        except OSError as wrong:
            self.wrong(self.texts("words.usage.file", option=option, path=path, why=wrong.strerror))

    def save(self, path: Path, text: str, option: str = "--out") -> None:
        """Write a text to a file; exit 2 with advice if it cannot be written."""
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as wrong:
            self.wrong(self.texts("words.usage.unwritable", option=option, path=path, why=wrong.strerror))

    def echo(self, text: str) -> None:
        """A text that is the answer as it stands: Markdown, CSV, a calendar."""
        from console.cli import output  # noqa: PLC0415

        output.raw(text)

    def part(self, reference: str, name: str) -> None:
        """One part of what `show` says."""
        from console.cli import output  # noqa: PLC0415
        from console.views import incident as view  # noqa: PLC0415

        state = self.incident(reference)
        if self.given.json:
            output.json(view.part_json(name, state, self.naming(state)))
        else:
            output.show([view.part(name, state, self.naming(state))])

    # -- the answer -----------------------------------------------------------------------------------------

    def ask(
        self,
        stream: str | None,
        kind: Callable[..., Command],
        /,
        *,
        beside: Sequence[tuple[Document, str]] = (),
        **fields: Any,
    ) -> Outcome:
        """Put a command to the desk as this person. A refusal is shown with what to do, and ends the call.

        `beside` are documents that are stored with it, or not at all.
        """
        from console.cli import report  # noqa: PLC0415

        for_ = self.person(self.given.for_) if self.given.for_ else None
        outcome = self.desk.handle(stream, kind(actor=self.actor, for_=for_, **fields), beside=beside)
        if outcome.refused is not None:
            report.refused(self, stream, outcome.refused, outcome.detail)
        return outcome

    def write(self, stream: str | None, kind: Callable[..., Command], /, **fields: Any) -> None:
        """As `ask`, then show what was recorded and what follows; exit 3 if nobody has been paged."""
        from console.cli import report  # noqa: PLC0415

        report.recorded(self, self.ask(stream, kind, **fields))

    def wrong(self, message: str) -> NoReturn:
        """Wrong usage: say what is wrong, exit 2."""
        self.say(message, "bad", stderr=True)
        raise typer.Exit(WRONG_USAGE)

    def say(self, text: str, style: Any = "plain", *, stderr: bool = False) -> None:
        """One line."""
        from console.cli import output  # noqa: PLC0415
        from console.views.sheet import Line  # noqa: PLC0415

        # The name of a file may be no text, and a message about it must come out all the same.
        shown = text.encode("utf-8", "backslashreplace").decode("utf-8")
        output.show([Line(text=shown, style=style)], stderr=stderr)


def _texts(value: Any) -> Iterable[str]:
    """The texts in an argument, which is one, several, or none."""
    if isinstance(value, str):
        return (value,)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else ()
