"""Texts that a playbook drafts for people to send: Jinja2 in a sandbox, strict names, bounded cost.

`{{ x | gap }}` shows a visible gap where nothing is known yet, so that no draft goes out looking complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, Undefined, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedEnvironment

from models.errors import BadInput

NAMES = ("incident", "organisation", "services", "now", "var", "output")
CALLS = frozenset({"var", "output"})
GAP = "【未記入 / to be filled in】"
FILTERS = ("gap", "join", "upper", "lower", "length", "first", "last", "trim")
OURS = ("gap", "join")
MAX_NODES = 400
MAX_CHARACTERS = 20_000
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Call,
    nodes.Filter, nodes.If, nodes.CondExpr, nodes.For, nodes.Compare, nodes.Operand, nodes.And, nodes.Or,
    nodes.Not, nodes.List, nodes.Tuple,
)  # fmt: skip


def gap(value: Any) -> Any:
    """The value, or a mark that nobody overlooks if there is none."""
    return GAP if isinstance(value, Undefined) or value is None or value in ("", [], ()) else value


def join(value: Iterable[Any], by: str = "") -> str:
    """The parts with `by` between them. Bounded: joins within joins multiply, which no other filter does."""
    parts, between = [str(one) for one in value], str(by)
    if sum(map(len, parts)) + len(between) * len(parts) > MAX_CHARACTERS:
        raise BadInput(f"joins to more than {MAX_CHARACTERS} characters; shorten it")
    return between.join(parts)


def _environment() -> SandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False
    )
    known: dict[str, Callable[..., Any]] = {name: made.filters[name] for name in FILTERS if name not in OURS}
    made.filters.clear()
    made.filters.update(known, gap=gap, join=join)
    made.globals.clear()
    made.tests.clear()
    return made


_ENVIRONMENT = _environment()


def render_draft(source: str, names: Mapping[str, Any], calls: frozenset[str] = CALLS) -> str:
    """The text with its names filled in. Raises BadInput if it cannot be rendered.

    Only names that are given, no more than one loop in another's place, and a bounded length: a loop runs
    over a list that is given, so the cost is the text's length times that list's. `calls` are the functions
    that it may call.
    """
    try:
        text = _compile(source, calls).render(names)
    except (TemplateError, TypeError, ValueError, LookupError, AttributeError, RecursionError) as wrong:
        raise BadInput(f"does not render: {wrong}") from wrong
    if len(text) > MAX_CHARACTERS:
        raise BadInput(f"renders to more than {MAX_CHARACTERS} characters; shorten it")
    return text


@lru_cache(maxsize=512)
def _compile(source: str, calls: frozenset[str] = CALLS) -> Template:
    for count, (node, loops) in enumerate(_walk(_ENVIRONMENT.parse(source), 0)):
        if count > MAX_NODES:
            raise BadInput("is too long for a draft; split it")
        _allow(node, loops, calls)
    return _ENVIRONMENT.from_string(source)


def _allow(node: nodes.Node, loops: int, calls: frozenset[str]) -> None:
    if not isinstance(node, _ALLOWED):
        raise BadInput(f"uses {type(node).__name__}, which a draft may not")
    if isinstance(node, nodes.Call) and getattr(node.node, "name", "") not in calls:
        known = " or ".join(f"{name}(…)" for name in sorted(calls, reverse=True))
        raise BadInput(f"calls something else than {known}")
    if loops > 1:
        raise BadInput("has a loop within a loop, which a draft may not")
    if isinstance(node, nodes.For) and not isinstance(node.iter, nodes.Name):
        raise BadInput("loops over something that is no list of the incident")


def _walk(node: nodes.Node, loops: int) -> Iterator[tuple[nodes.Node, int]]:
    inside = loops + isinstance(node, nodes.For)
    yield node, inside
    for child in node.iter_child_nodes():
        yield from _walk(child, inside)
