"""Templates for messages to those whom an incident concerns: shipped [G], and the institution's own by id."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal

from pydantic import Field

from models.audience import Audience
from models.errors import BadInput
from models.values import Frozen, Id, Text
from playbooks.catalogue import FOLDER
from playbooks.defect import Defects, errors_of
from playbooks.drafts import render_draft
from playbooks.reading import read_yaml

SHIPPED = FOLDER / "messages.yaml"
OWN_FILE = "messages.yaml"
NAMES = ("incident", "organisation", "now", "services", "since", "recovery")
CALLS = frozenset({"instant", "impact"})


class MessageTemplate(Frozen):
    """A first text for an audience; a template over the record in both languages."""

    id: Id
    audience: Audience
    title: Text
    text: Text
    confidence: Literal["G", "own"] = Field(
        default="own", description="G: customary wording that the institution has yet to check"
    )


class MessagesFile(Frozen):
    """`messages.yaml`: texts of the institution's own, in the place of shipped ones with the same id."""

    messages: tuple[MessageTemplate, ...] = Field(max_length=100)


@lru_cache(maxsize=1)
def shipped_messages() -> tuple[MessageTemplate, ...]:
    """The templates of the package. Raises Defects if somebody has damaged it."""
    found, defects = read_yaml(SHIPPED, MessagesFile)
    if found is None:
        raise Defects(errors_of(defects))
    return found.messages


def templates(own: MessagesFile | None) -> dict[str, MessageTemplate]:
    """By id: the institution's own first, so that its first text for an audience is the one that is used."""
    mine = own.messages if own is not None else ()
    return {one.id: one for one in (*shipped_messages(), *mine)} | {one.id: one for one in mine}


def for_audience(many: Mapping[str, MessageTemplate], audience: str) -> list[MessageTemplate]:
    """Those for an audience, the institution's own first."""
    found = [one for one in many.values() if one.audience == audience]
    return sorted(found, key=lambda one: one.confidence != "own")


def fill(template: MessageTemplate, names: Mapping[str, Any], lang: str) -> str:
    """The text in `ja` or `en`. Raises BadInput if it does not render."""
    return render_draft(template.text.lang(lang), names, CALLS)


def try_template(template: MessageTemplate) -> None:
    """Render both texts over nothing at all. Raises BadInput if one asks for what there is not."""
    nothing: Callable[[str], None] = lambda name: None  # noqa: E731 - the same for every call
    names: dict[str, Any] = dict.fromkeys(NAMES, "") | dict.fromkeys(CALLS, nothing)
    names |= {
        "incident": dict.fromkeys(("id", "title", "declared_at", "severity"), ""),
        "organisation": {"name": ""},
        "services": [],
        "recovery": [],
    }
    for lang in ("ja", "en"):
        try:
            fill(template, names, lang)
        except BadInput as wrong:
            raise BadInput(f"{lang}: {wrong}") from wrong
