"""An incident as a report (Markdown) or as data (JSON: the facts as stored, with their texts)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import orjson

from console.texts import texts
from console.views import decisions as decided
from console.views import incident as screen
from console.views import review
from console.views.naming import Naming
from console.views.sheet import Line, Section, Table, dull
from models.clock import iso
from models.desk import Desk
from models.fact import Fact
from models.state import Improvement, Incident, Programme

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#!$])")
_SCHEME = re.compile(r"\b(https?|ftp)://", re.IGNORECASE)
_WWW = re.compile(r"\bwww\.", re.IGNORECASE)
_LIST = re.compile(r"^(\s*)([-+]|\d+[.)])(?=\s)")


@dataclass(frozen=True, kw_only=True)
class _Case:
    """All that is told of one incident."""

    state: Incident
    facts: list[Fact]
    head: str
    improvements: list[Improvement]
    naming: Naming


def markdown(desk: Desk, stream: str, lang: str) -> str:
    """The report of an incident in `ja` or `en`. Raises NotFound.

    Everything in it is escaped, and addresses are written so that no reader makes them links.
    """
    case = _gather(desk, stream, lang)
    say, times = case.naming.texts, case.naming.times
    head = [
        f"# {escape(say('words.export.title', incident=stream))}",
        "",
        f"- {escape(say('words.export.made_at', at=times.at(case.naming.now, seconds=True)))}",
        f"- {escape(say('words.export.head_sha', hash=case.head))}",
    ]
    parts = review.sections(case.state, case.facts, case.improvements, case.naming)
    return "\n".join([*head, *(line for part in parts for line in _section(part))]) + "\n"


def as_json(desk: Desk, stream: str, lang: str) -> str:
    """The facts exactly as they are stored, their texts, and a summary. Raises NotFound."""
    case = _gather(desk, stream, lang)
    content = {
        "incident": stream,
        "made_at": iso(case.naming.now),
        "head": {"seq": case.state.seq, "hash": case.head},
        "summary": screen.as_json(case.state, case.naming),
        "facts": [orjson.loads(fact.body()) for fact in case.facts],
        "texts": {digest: text for digest, text in case.naming.beside.items() if text is not None},
        "disposed": [digest for digest, text in case.naming.beside.items() if text is None],
    }
    return orjson.dumps(content, default=_plain, option=orjson.OPT_INDENT_2).decode()


def decisions_markdown(desk: Desk, stream: str, lang: str) -> str:
    """Each decision with who was entitled then, why and on what evidence. Raises NotFound."""
    case = _gather(desk, stream, lang)
    head = f"# {escape(case.naming.texts('decisions.title', incident=stream))}"
    parts = decided.sections(decided.accounts(case.facts), case.naming)
    return "\n".join([head, *(line for part in parts for line in _section(part))]) + "\n"


def decisions_json(desk: Desk, stream: str, lang: str) -> str:
    """The same for programs. Raises NotFound."""
    case = _gather(desk, stream, lang)
    told = [decided.as_json(one, case.naming) for one in decided.accounts(case.facts)]
    content = {"incident": stream, "made_at": iso(case.naming.now), "decisions": told}
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()


def _plain(value: object) -> object:
    import msgspec  # noqa: PLC0415 - only what is no JSON by itself

    return msgspec.to_builtins(value)


def _gather(desk: Desk, stream: str, lang: str) -> _Case:
    state = desk.incident(stream)
    with desk.record.read() as tx:
        facts = tx.facts(stream)
        _, head = tx.head(stream)
    programme = desk.state("programme")
    beside = desk.texts(stream)
    improvements: list[Improvement] = []
    if isinstance(programme, Programme):
        improvements = [
            programme.improvements[one] for one in state.improvements if one in programme.improvements
        ]
        beside = {**desk.texts("programme"), **beside} if improvements else beside
    naming = Naming(texts=texts(lang), world=desk.world(state), state=state, beside=beside)
    own = replace(naming, beside=desk.texts(stream)) if improvements else naming
    return _Case(
        state=state,
        facts=facts,
        head=head.hex(),
        improvements=[_with_title(one, naming) for one in improvements],
        naming=own,
    )


def _with_title(one: Improvement, naming: Naming) -> Improvement:
    """The programme's texts lie in another stream; the title is resolved before they are left behind."""
    import msgspec  # noqa: PLC0415

    return msgspec.structs.replace(one, title=naming.text(one.title))


def escape(text: str) -> str:
    """Text that means nothing in Markdown or HTML, on one line, with dead links."""
    plain = " ".join(dull(text).split("\n"))
    dead = _SCHEME.sub(lambda found: found[1].lower().replace("tt", "xx", 1) + "[:]//", plain)
    dead = _WWW.sub("www[.]", dead).replace("&", "&amp;")
    return _LIST.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", dead))


def _section(section: Section) -> Iterator[str]:
    yield from ("", f"## {escape(section.title)}", "")
    for part in section.parts:
        yield from _table(part) if isinstance(part, Table) else _line(part)


def _line(line: Line) -> Iterator[str]:
    yield f"{'  ' * line.indent}- {escape(line.text)}"


def _table(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(escape(header) for header in table.headers)} |"
    yield f"|{' --- |' * len(table.headers)}"
    for row in table.rows:
        yield f"| {' | '.join(escape(cell) or ' ' for cell in row.cells)} |"
    yield ""
