"""Conditions in playbooks: `decided("isolate-segment") == "isolate"`.

Jinja2 parses them; only comparisons, `and`, `or`, `not`, `in`, constants and the functions below are let
through, so an expression cannot loop, reach an attribute, or cost more than its length.
"""

from __future__ import annotations

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
STEP_FUNCTIONS = ("decided", "done", "skipped", "output")
MAX_NODES = 60

_ALLOWED = (
    nodes.Template, nodes.Output, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Const,
    nodes.Name, nodes.Call, nodes.List, nodes.Tuple,
)  # fmt: skip
_environment = ImmutableSandboxedEnvironment(cache_size=0)


@lru_cache(maxsize=2048)
def _compile(source: str, known: frozenset[str] = frozenset(FUNCTIONS)) -> Callable[..., Any]:
    calls_in(source, known)  # refuses what does not parse, and all that a condition may not hold
    return _environment.compile_expression(source, undefined_to_none=True)


class Unknown:
    """The value of what nobody knows yet. There is one: UNKNOWN."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN = Unknown()


class _Guess:
    """Stands for something unknown: whatever is asked of it, the answer is the one guess."""

    def __init__(self, guess: bool) -> None:
        self._guess = guess

    def __bool__(self) -> bool:
        return self._guess

    def _answer(self, other: object) -> bool:
        return self._guess

    __lt__ = __le__ = __gt__ = __ge__ = __contains__ = _answer
    __eq__ = __ne__ = _answer
    __hash__ = None  # type: ignore[assignment]


@lru_cache(maxsize=2048)
def calls_in(source: str, known: frozenset[str] = frozenset(FUNCTIONS)) -> tuple[tuple[str, str | None], ...]:
    """The functions that `source` calls, each with its first argument if that is a constant.

    Raises BadExpression if it holds anything else than what conditions are made of; `known` are the functions
    that it may call.
    """
    try:
        tree = _environment.parse("{{ (" + source + ") }}")
    except TemplateSyntaxError as wrong:
        raise BadExpression(f"{source!r}: {wrong.message}") from wrong
    if len(tree.body) != 1:
        raise BadExpression(f"{source!r}: write one condition, no template")
    found = []
    for count, node in enumerate(_walk(tree)):
        if count > MAX_NODES:
            raise BadExpression(f"{source!r}: too long; split it into steps")
        if not isinstance(node, _ALLOWED):
            raise BadExpression(f"{source!r}: {type(node).__name__} is not allowed in a condition")
        if isinstance(node, nodes.Call):
            found.append(_call(source, node, known))
        elif isinstance(node, nodes.Name) and node.name not in known:
            raise BadExpression(f"{source!r}: unknown name {node.name!r}; known: {', '.join(sorted(known))}")
    return tuple(found)


def _walk(node: nodes.Node) -> list[nodes.Node]:
    return [node, *(inner for child in node.iter_child_nodes() for inner in _walk(child))]


def _call(source: str, node: nodes.Call, known: frozenset[str]) -> tuple[str, str | None]:
    if not isinstance(node.node, nodes.Name) or node.kwargs or node.dyn_args or node.dyn_kwargs:
        raise BadExpression(f"{source!r}: call one of {', '.join(sorted(known))} with plain arguments")
    first = node.args[0] if node.args else None
    return node.node.name, str(first.value) if isinstance(first, nodes.Const) else None


def evaluate(source: str, names: Mapping[str, Callable[..., Any]], *, unknown_is_false: bool = False) -> bool:
    """Whether the condition holds. Raises BadExpression if it cannot be evaluated.

    `unknown_is_false`: comparing with what is not known yet is false, as in a playbook's `when`.
    """
    try:
        return bool(_compile(source)(**names))
    except (UndefinedError, TypeError, ValueError, KeyError) as wrong:
        if unknown_is_false and isinstance(wrong, TypeError):
            return False
        raise BadExpression(f"{source!r}: {wrong}") from wrong


def weigh(source: str, names: Mapping[str, Callable[..., Any]]) -> bool | None:
    """Whether the condition holds where something may be unknown: yes, no, or None for "that depends".

    It is tried twice, once with every unknown against it and once with every unknown for it. Raises
    BadExpression if it cannot be evaluated.
    """
    against, in_favour = (_weigh(source, names, guess) for guess in (False, True))
    return against if against == in_favour else None


def _weigh(source: str, names: Mapping[str, Callable[..., Any]], guess: bool) -> bool:
    def asked(function: Callable[..., Any]) -> Callable[..., Any]:
        def answer(*args: Any) -> Any:
            value = function(*args)
            return _Guess(guess) if value is UNKNOWN else value

        return answer

    try:
        return bool(_compile(source, frozenset(names))(**{name: asked(one) for name, one in names.items()}))
    except (UndefinedError, TypeError, ValueError, KeyError) as wrong:
        raise BadExpression(f"{source!r}: {wrong}") from wrong
