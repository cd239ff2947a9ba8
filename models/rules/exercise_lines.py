"""An inject as the record holds it: its place in the script, and its texts beside the fact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from models.exercise_script import milliseconds

if TYPE_CHECKING:
    from models.scenario import Inject


def line_of(inject: Inject) -> dict[str, Any]:
    """When it is due and upon what, as data of a fact; what is not said is left out."""
    line: dict[str, Any] = {"id": inject.id, "kind": inject.kind}
    if inject.at is not None:
        line["at_ms"] = milliseconds(inject.at)
    if inject.after is not None and inject.later is not None:
        line |= {"after": inject.after, "later_ms": milliseconds(inject.later)}
    if inject.when is not None:
        line["when"] = inject.when
    return line


def written(inject: Inject) -> dict[str, Any]:
    """The inject as a scenario writes it."""
    return inject.model_dump(mode="json", by_alias=True, exclude_none=True)


def texts_of(document: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text for people in it with its place: `title.ja`, `expect.0.text.en`."""
    if isinstance(document, dict) and set(document) == {"ja", "en"}:
        yield from ((f"{path}.{lang}", said) for lang, said in document.items())
    elif isinstance(document, (dict, list)):
        inner = document.items() if isinstance(document, dict) else enumerate(document)
        for key, value in inner:
            yield from texts_of(value, f"{path}.{key}" if path else str(key))
