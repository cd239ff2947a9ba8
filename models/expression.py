"""Conditions in playbooks: `decided("isolate-segment") == "isolate"`.

Jinja2 parses them; only comparisons, `and`, `or`, `not`, `in`, constants and the functions below are let
through, so an expression cannot loop, reach an attribute, or cost more than its length.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import TemplateSyntaxError, UndefinedError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from models.errors import BadExpression

FUNCTIONS = {
    "decided": "the option chosen in a decision, or none",
    "done": "whether a step is done",
    "skipped": "whether a step was skipped or does not apply",
    "output": "a recorded field of a step: output('step', 'field')",
    "var": "a variable of the playbook",
    "severity": "the rank of the present severity, 0 for the lightest",
    "affected": "whether a service is affected",
    "phase_ended": "whether a phase has ended",
    "evidence": "whether something was preserved of a source",
    "round": "how often this step has been repeated, from 1",
}
_KNOWN = frozenset(FUNCTIONS)
STEP_FUNCTIONS = ("decided", "done", "skipped", "output")
MAX_NODES = 60
MAX_DEPTH = 20
"""Brackets within brackets: far more than anybody reads, and far fewer than the parser's stack bears."""

_ALLOWED = (
    nodes.Template, nodes.Output, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Const,
    nodes.Name, nodes.Call, nodes.List, nodes.Tuple,
)  # fmt: skip
_environment = ImmutableSandboxedEnvironment(cache_size=0)
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)


@lru_cache(maxsize=2048)
def _compile(source: str, known: frozenset[str] = _KNOWN) -> Callable[..., Any]:
    calls_in(source, known)  # refuses what does not parse, and all that a condition may not hold
    # In brackets, as it was parsed: what was let through and what is run must be the same.
    return _environment.compile_expression(f"({source})", undefined_to_none=True)


class Unknown:
    """The value of what nobody knows yet. There is one: UNKNOWN."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN = Unknown()


@lru_cache(maxsize=2048)
def calls_in(source: str, known: frozenset[str] = _KNOWN) -> tuple[tuple[str, str | None], ...]:
    """The functions that `source` calls, each with its first argument if that is a constant.

    Raises BadExpression if it holds anything else than what conditions are made of; `known` are the functions
    that it may call.
    """
    found = []
    try:
        for count, node in enumerate(_walk(_one_condition(source))):
            if count > MAX_NODES:
                raise BadExpression(f"{source!r}: too long; split it into steps")
            if not isinstance(node, _ALLOWED):
                raise BadExpression(f"{source!r}: {type(node).__name__} is not allowed in a condition")
            if isinstance(node, nodes.Call):
                found.append(_call(source, node, known))
            elif isinstance(node, nodes.Name) and node.name not in known:
                names = ", ".join(sorted(known))
                raise BadExpression(f"{source!r}: unknown name {node.name!r}; known: {names}")
    except (TemplateSyntaxError, RecursionError, ValueError) as wrong:
        raise BadExpression(f"{source[:300]!r}: {wrong}") from wrong
    return tuple(found)


def _one_condition(source: str) -> nodes.Template:
    """The parsed source, which is one expression. Raises BadExpression if it is none, or two."""
    if not source.strip():
        raise BadExpression("nothing is asked: write one condition")
    if _depth(source) > MAX_DEPTH:
        raise BadExpression(f"{source[:300]!r}: more than {MAX_DEPTH} brackets within each other; split it")
    tree = _environment.parse("{{ (" + source + ") }}")
    if len(tree.body) != 1 or len(getattr(tree.body[0], "nodes", ())) != 1:
        raise BadExpression(f"{source!r}: write one condition, no template")
    assert isinstance(tree.body[0], nodes.Output)  # noqa: S101 - nothing else has `nodes`
    if isinstance(tree.body[0].nodes[0], nodes.Tuple):
        raise BadExpression(f"{source!r}: write one condition, not several with commas between")
    return tree


def _depth(source: str) -> int:
    """How deep brackets stand within each other; those in quotes are text."""
    depth = deepest = 0
    for char in _QUOTED.sub("", source):
        depth += (char in "([") - (char in ")]")
        deepest = max(deepest, depth)
    return deepest


def _walk(node: nodes.Node) -> list[nodes.Node]:
    return [node, *(inner for child in node.iter_child_nodes() for inner in _walk(child))]


def _call(source: str, node: nodes.Call, known: frozenset[str]) -> tuple[str, str | None]:
    if not isinstance(node.node, nodes.Name) or node.kwargs or node.dyn_args or node.dyn_kwargs:
        raise BadExpression(f"{source!r}: call one of {', '.join(sorted(known))} with plain arguments")
    first = node.args[0] if node.args else None
    return node.node.name, str(first.value) if isinstance(first, nodes.Const) else None


def evaluate(
    source: str,
    names: Mapping[str, Callable[..., Any]],
    *,
    unknown_is_false: bool = False,
    known: frozenset[str] = _KNOWN,
) -> bool:
    """Whether the condition holds. Raises BadExpression if it cannot be evaluated.

    `unknown_is_false`: comparing with what is not known yet is false, as in a playbook's `when`. `known` are
    the functions that it may call: those of a playbook's condition, unless said otherwise.
    """
    try:
        return bool(_compile(source, known)(**names))
    except (UndefinedError, TypeError, ValueError, KeyError) as wrong:
        if unknown_is_false and isinstance(wrong, TypeError):
            return False
        raise BadExpression(f"{source!r}: {wrong}") from wrong


def weigh(source: str, names: Mapping[str, Callable[..., Any]]) -> bool | None:
    """Whether the condition holds where something may be unknown: yes, no, or None for "that depends".

    A function of `names` may return UNKNOWN. Yes and no are certain: whatever the unknown turns out to be,
    the answer stays. Raises BadExpression if it cannot be evaluated.
    """
    try:
        found = _value(_parsed(source, frozenset(names)), names)
    except (TypeError, ValueError, KeyError) as wrong:
        raise BadExpression(f"{source!r}: {wrong}") from wrong
    return None if found is UNKNOWN else bool(found)


def try_all(source: str, names: Mapping[str, Callable[..., Any]]) -> None:
    """Evaluate every call and every comparison for itself, so that none hides behind another that settles it.

    `names` give a sample of what each function returns. Raises BadExpression if one cannot be evaluated.
    """
    for node in _walk(_parsed(source, frozenset(names))):
        try:
            if isinstance(node, nodes.Call):
                _called(node, names)
            elif isinstance(node, nodes.Compare):
                _try_each(node, names)
        except (TypeError, ValueError, KeyError) as wrong:
            raise BadExpression(f"{source!r}: {wrong}") from wrong


def _try_each(node: nodes.Compare, names: Mapping[str, Callable[..., Any]]) -> None:
    left = _value(node.expr, names)
    for operand in node.ops:
        right = _value(operand.expr, names)
        _COMPARE[operand.op](left, right)
        left = right


@lru_cache(maxsize=2048)
def _parsed(source: str, known: frozenset[str]) -> nodes.Expr:
    calls_in(source, known)
    output = _environment.parse("{{ (" + source + ") }}").body[0]
    assert isinstance(output, nodes.Output)  # noqa: S101 - `calls_in` has looked
    return output.nodes[0]


# Kleene's logic, part by part. Trying the whole twice, with every unknown against and then for it, is not
# enough: under a `not` the two trials swap, and `A and not B` would be a certain no while both are unknown.


def _value(node: nodes.Node, names: Mapping[str, Callable[..., Any]]) -> Any:
    return _RULES[type(node)](node, names)


def _either(node: Any, names: Mapping[str, Callable[..., Any]]) -> Any:
    """`and` and `or`: one side can settle it while the other is unknown."""
    settles = isinstance(node, nodes.Or)
    left = _value(node.left, names)
    if left is not UNKNOWN and bool(left) is settles:
        return left
    right = _value(node.right, names)
    if left is UNKNOWN and (right is UNKNOWN or bool(right) is not settles):
        return UNKNOWN
    return right


def _not(node: Any, names: Mapping[str, Callable[..., Any]]) -> Any:
    found = _value(node.node, names)
    return UNKNOWN if found is UNKNOWN else not found


def _called(node: Any, names: Mapping[str, Callable[..., Any]]) -> Any:
    arguments = [_value(one, names) for one in node.args]
    return UNKNOWN if UNKNOWN in arguments else names[node.node.name](*arguments)


def _compared(node: Any, names: Mapping[str, Callable[..., Any]]) -> Any:
    """A chain such as `1 < x < 3`: one comparison that fails settles it."""
    left, answer = _value(node.expr, names), True
    for operand in node.ops:
        right = _value(operand.expr, names)
        found = _COMPARE[operand.op](left, right)
        if found is False:
            return False
        answer, left = UNKNOWN if found is UNKNOWN else answer, right
    return answer


def _among(item: Any, many: Any) -> Any:
    """Whether the item is one of many, some of which may be unknown."""
    if item is UNKNOWN or many is UNKNOWN:
        return UNKNOWN
    if isinstance(many, (list, tuple)) and UNKNOWN in many:
        return True if item in many else UNKNOWN
    return item in many


def _not_among(item: Any, many: Any) -> Any:
    found = _among(item, many)
    return UNKNOWN if found is UNKNOWN else not found


def _known_only(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    def compared(left: Any, right: Any) -> Any:
        return UNKNOWN if UNKNOWN in (left, right) else bool(compare(left, right))

    return compared


_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    **{
        name: _known_only(compare)
        for name, compare in {
            "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "lteq": operator.le,
            "gt": operator.gt, "gteq": operator.ge,
        }.items()
    },
    "in": _among,
    "notin": _not_among,
}  # fmt: skip
_RULES: Mapping[type[nodes.Node], Callable[[Any, Mapping[str, Callable[..., Any]]], Any]] = {
    nodes.And: _either,
    nodes.Or: _either,
    nodes.Not: _not,
    nodes.Call: _called,
    nodes.Compare: _compared,
    nodes.Const: lambda node, names: node.value,
    nodes.Name: lambda node, names: names[node.name],
    nodes.List: lambda node, names: [_value(one, names) for one in node.items],
    nodes.Tuple: lambda node, names: tuple(_value(one, names) for one in node.items),
}
