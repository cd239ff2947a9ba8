"""Measures for Prometheus (text format 0.0.4). Counts only: nothing that names an incident or a person.

Every label has few values, which come from the code or from the institution's settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from console.counting import Counts
from console.opening import House
from console.web import figures
from console.web.figures import Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


@dataclass(frozen=True, kw_only=True)
class Family:
    """One measure: what it is, and how it is told."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    help: str


FAMILIES: tuple[Family, ...] = tuple(
    Family(name=f"hikeshi_{name}", kind=kind, help=text) for name, kind, text in figures.FAMILIES
)
_NAMES = {one.name.removeprefix("hikeshi_") for one in FAMILIES}


def measures(house: House, status: Mapping[str, Any], counts: Counts) -> str:
    """The page that Prometheus reads. Reads the record by its indexes; folds nothing. Raises RecordError."""
    found: figures.Found = {"record_reachable": [("", {}, 1.0)]}
    found |= figures.of_record(house) | figures.of_status(status) | figures.of_process(counts)
    return _page(found)


def unreachable(counts: Counts) -> str:
    """The same while the record does not answer: what this process knows by itself."""
    gone: figures.Found = {"record_reachable": [("", {}, 0.0)]}
    return _page(gone | figures.of_process(counts))


def _page(found: Mapping[str, Iterable[Sample]]) -> str:
    assert found.keys() <= _NAMES, found.keys() - _NAMES  # noqa: S101 - a measure without a word of help
    return "".join(line for family in FAMILIES for line in _written(family, found.get(family.name[8:], ())))


def _written(family: Family, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n"
    for suffix, labels, value in samples:
        inner = ",".join(f'{name}="{text.translate(_ESCAPED)}"' for name, text in labels.items())
        # Fifteen digits: by `g` alone a count beyond a million would lose its last ones.
        name = f"{family.name}{suffix}"
        yield f"{name}{{{inner}}} {value:.15g}\n" if inner else f"{name} {value:.15g}\n"
