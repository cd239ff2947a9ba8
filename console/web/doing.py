"""Forms as data: which command, which fields, what they are called. One template draws all of them.

A form is shown where the person may do it, as far as the table of permissions says; whether it is done is
the rules' to decide, and their refusal is shown where the form stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from console.views.naming import Naming
from console.web.asking import Ask
from console.web.rendering import page_words
from models.permission import TABLE
from models.state import Incident

Kind = Literal["text", "area", "number", "local", "date", "select", "checks", "flag", "file"]
Options = tuple[tuple[str, str], ...]
MAX_PEOPLE = 300
NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9-]+")


def anchor(*parts: str) -> str:
    """A name for a place on a page."""
    return NOT_IN_AN_ID.sub("-", "-".join(parts)).strip("-").lower()


@dataclass(frozen=True, kw_only=True)
class Input:
    """One thing that is asked. `unknown` is the field of the tick that says that nobody knows."""

    name: str
    label: str
    kind: Kind = "text"
    required: bool = False
    hint: str = ""
    options: Options = ()
    value: str = ""
    unknown: str = ""
    rows: int = 3

    @property
    def id(self) -> str:
        """Within its form."""
        return anchor(self.name)


@dataclass(frozen=True, kw_only=True)
class Doing:
    """A form that does one command. `hidden` are fields that are not asked; they say which form it is."""

    id: str
    operation: str
    title: str
    button: str
    here: str
    inputs: tuple[Input, ...] = ()
    hidden: Mapping[str, str] = field(default_factory=dict)
    several: tuple[tuple[str, str], ...] = ()
    """Hidden fields of which there may be more than one of a name."""
    warning: str = ""
    hint: str = ""
    style: Literal["", "second", "danger"] = ""
    open: bool = False
    spot: str = ""
    """The place on the page to which one comes back; empty: the form itself."""

    @property
    def upload(self) -> bool:
        """Whether it has a file."""
        return any(one.kind == "file" for one in self.inputs)

    def about(self, hidden: Mapping[str, str]) -> Doing:
        """The same about something else than the incident."""
        return replace(self, hidden=hidden)

    @property
    def place(self) -> str:
        """The page and the place on it where the form stands."""
        return f"{self.here}#{self.spot or self.id}"


@dataclass(frozen=True, kw_only=True)
class Forms:
    """Makes the forms of one page about one incident, for whoever looks. `here` is the page's address."""

    ask: Ask
    state: Incident
    naming: Naming
    here: str
    spot: str = ""
    """What the places of steps on this page are called: `step` or `decision`."""

    @cached_property
    def words(self) -> Mapping[str, Any]:
        """What forms and fields are called."""
        return page_words("acts", self.ask.lang)

    @cached_property
    def roles(self) -> frozenset[str]:
        """What the person is in this incident, now."""
        return self.naming.world.roles_of(self.state, self.person)

    @property
    def person(self) -> str:
        """Who looks; empty for an inspector, who does nothing."""
        return self.ask.visitor.person or "" if self.ask.visitor.viewer.inspector is None else ""

    def may(self, *rights: str) -> bool:
        """Whether the table of permissions lets them do one of these."""
        if not self.person or self.ask.is_vendor:
            return False
        return any(self._may(one) for one in rights)

    def _may(self, right: str) -> bool:
        allowed = set(self.naming.world.policy.permissions.get(right, TABLE[right]))
        if "owner" in allowed:
            services = self.naming.world.organisation.services
            allowed |= {one.owner for one in services if one.id in self.state.services}
        return "*" in allowed or bool(allowed & self.roles)

    def form(
        self,
        name: str,
        operation: str,
        *inputs: Input,
        of: str = "",
        hidden: Mapping[str, str] | None = None,
        several: tuple[tuple[str, str], ...] = (),
    ) -> Doing:
        """The form of this name in the words; `of` tells it from others of its kind on the page."""
        said = self.words["form"][name]
        step = (hidden or {}).get("step", "")
        return Doing(
            id=anchor(name, of),
            operation=operation,
            title=said["title"],
            button=said["button"],
            here=self.here,
            inputs=inputs,
            hidden={"incident": self.state.stream, **(hidden or {})},
            several=several,
            warning=said.get("warning", ""),
            hint=said.get("hint", ""),
            style=said.get("style", "second"),
            spot=anchor(self.spot, step) if self.spot and step else "",
        )

    def field(self, name: str, kind: Kind = "text", *, required: bool = False, **more: Any) -> Input:
        """A field; its label and its hint stand in the words under its name, or under `word`."""
        word = more.pop("word", name.removesuffix(".local").removesuffix(".text"))
        hint = self.said_of("hint", word)
        made = Input(name=name, label=self.words["field"][word], kind=kind, required=required, hint=hint)
        return replace(made, **more)

    def said_of(self, table: str, word: str) -> str:
        """A hint of this name, empty if there is none; times are meant in the institution's zone."""
        return str(self.words[table].get(word, "")).format(zone=self.naming.world.organisation.zone)

    def reason(self) -> Input:
        """Why: most acts ask for it."""
        return self.field("reason", "area", required=True)

    @cached_property
    def scribe(self) -> bool:
        """Whether the person may write for others."""
        return not self.ask.is_vendor and self.may("record-for")

    def in_the_name_of(self) -> list[Input]:
        """For whom it is written, where the person may write for others."""
        return [self.choice("for", self.people, word="for")] if self.scribe else []

    def at(self) -> Input:
        """When it really was, if not now."""
        return self.field("at.local", "local")

    def choice(self, name: str, options: Iterable[tuple[str, str]], **more: Any) -> Input:
        """One of these."""
        return self.field(name, "select", options=tuple(options), **more)

    def someone(self, name: str = "person", **more: Any) -> Input:
        """One of the institution's people."""
        return self.choice(name, self.people, **{"required": True, **more})

    @cached_property
    def people(self) -> Options:
        """Everybody in the directory who is of the house, by name."""
        lang = self.naming.lang
        found = [one for one in self.naming.world.organisation.people if one.third_party is None]
        return tuple(
            (one.id, one.name.lang(lang) + (f" ({one.title.lang(lang)})" if one.title else ""))
            for one in found[:MAX_PEOPLE]
            if one.id not in self.state.restriction.barred
        )

    @cached_property
    def parties(self) -> Options:
        """The third parties of the register."""
        lang = self.naming.lang
        return tuple((one.id, one.name.lang(lang)) for one in self.naming.world.organisation.third_parties)

    @cached_property
    def services(self) -> Options:
        """The services of the register."""
        lang = self.naming.lang
        return tuple((one.id, one.name.lang(lang)) for one in self.naming.world.organisation.services)

    def worded(self, table: str, names: Iterable[str]) -> Options:
        """Each of these with its word from the interface's own texts."""
        return tuple((one, self.naming.texts.word(table, one)) for one in names)
