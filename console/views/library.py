"""Playbooks for people to read before they are needed."""

from __future__ import annotations

from console.texts import Texts
from console.views.sheet import Line, Row, Section, Table
from models.playbook import Playbook, Step
from models.policy import PHASES
from models.values import write_duration
from playbooks.institution import Institution


def listing(institution: Institution, texts: Texts) -> Section:
    """All playbooks with where they come from."""
    rows = tuple(
        Row(cells=(one.playbook, one.version, one.title.lang(texts.lang), institution.origins[one.playbook]))
        for one in institution.playbooks.values()
    )
    headers = tuple(texts.word("words.column", name) for name in ("key", "version", "title", "origin"))
    return Section(
        title=texts("words.title.playbooks"), parts=(Table(headers=headers, rows=rows, whole=(0, 1)),)
    )


def as_json(playbook: Playbook, institution: Institution) -> dict[str, object]:
    """One playbook for programs."""
    return {
        "playbook": playbook.playbook,
        "version": playbook.version,
        "title": playbook.title.model_dump(),
        "origin": institution.origins[playbook.playbook],
        "steps": len(playbook.steps),
    }


def _who(step: Step, texts: Texts) -> str:
    """Who acts; of a decision with four eyes, both."""
    if step.quorum is not None:
        of = texts("words.comma").join(step.quorum.of)
        return texts("gates.need", need=step.quorum.need, of=of)
    who = step.acts or texts("words.machine")
    return texts("answers.both", who=who, second=step.approver) if step.approver else who


def whole(playbook: Playbook, texts: Texts) -> list[Section | Line]:
    """A playbook's steps by phase, with who acts and how long they have."""
    lang = texts.lang
    found: list[Section | Line] = [
        Line(text=f"{playbook.title.lang(lang)} ({playbook.playbook} {playbook.version})", style="strong")
    ]
    if playbook.summary is not None:
        found.append(Line(text=playbook.summary.lang(lang)))
    headers = tuple(texts.word("words.column", name) for name in ("key", "kind", "title", "who", "limit"))
    for phase in (*PHASES, "communication"):
        rows = tuple(
            Row(
                cells=(
                    step.id,
                    texts.word("words.kind", step.kind),
                    step.title.lang(lang),
                    _who(step, texts),
                    write_duration(step.within) if step.within else "",
                )
            )
            for step in playbook.steps
            if step.phase == phase
        )
        if rows:
            title = texts.word("words.phase", phase)
            found.append(Section(title=title, parts=(Table(headers=headers, rows=rows, whole=(0,)),)))
    return found
