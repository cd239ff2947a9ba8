"""What a condition refers to, beyond what models.expression lets through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Environment, nodes

from models import obligation
from playbooks.defect import quoted

STEP_TAKES: Mapping[str, tuple[int, ...]] = {
    "decided": (1,), "done": (1,), "skipped": (1,), "output": (2,), "var": (1,), "severity": (0,),
    "affected": (1,), "phase_ended": (1,), "evidence": (1,), "round": (0,),
}  # fmt: skip
"""How many arguments each function of a step's condition takes (see models.readiness)."""
PROBE_TAKES: Mapping[str, tuple[int, ...]] = {"output": (1, 2)}
"""`done_if` asks what the probe found, with or without the step before the field."""
RULE_TAKES: Mapping[str, tuple[int, ...]] = {name: (1,) for name in obligation.FUNCTIONS} | {
    "important": (0,)
}
"""The same for the rules of obligations and severity (see models.clocks.owed)."""
_SAID = {0: "nothing", 1: "one name in quotes", 2: "two names in quotes"}
_ENVIRONMENT = Environment(autoescape=True)


@dataclass(frozen=True)
class Asked:
    """One call in a condition, with its constant arguments; `equals` are the constants it is compared to."""

    function: str
    arguments: tuple[str | None, ...]
    equals: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def asked(source: str) -> tuple[Asked, ...]:
    """The calls of a condition that `models.expression.calls_in` has let through."""
    return tuple(_calls(_ENVIRONMENT.parse("{{ (" + source + ") }}")))


def _calls(tree: nodes.Template) -> Iterator[Asked]:
    compared: dict[int, tuple[str, ...]] = {}
    for compare in tree.find_all(nodes.Compare):
        if isinstance(compare.expr, nodes.Call):
            compared[id(compare.expr)] = tuple(
                text
                for operand in compare.ops
                if operand.op in ("eq", "ne", "in", "notin")
                for text in _texts(operand.expr)
            )
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name):
            constants = tuple(
                str(argument.value) if isinstance(argument, nodes.Const) else None for argument in call.args
            )
            yield Asked(call.node.name, constants, compared.get(id(call), ()))


@lru_cache(maxsize=4096)
def _only_named(source: str) -> tuple[str, ...]:
    """Functions that are named in a condition and not called."""
    tree = _ENVIRONMENT.parse("{{ (" + source + ") }}")
    called = {id(call.node) for call in tree.find_all(nodes.Call)}
    return tuple(name.name for name in tree.find_all(nodes.Name) if id(name) not in called)


def not_asked(source: str, takes: Mapping[str, tuple[int, ...]]) -> Iterator[tuple[str, str]]:
    """What is wrong, and what is expected: a function that is named and not called always holds, and one that
    is called with too little or too much never can be.
    """
    for name in _only_named(source):
        yield f"{quoted(name)} is named, and not asked", f"{name}(…)"
    for call in asked(source):
        counts = takes.get(call.function, (len(call.arguments),))
        if len(call.arguments) not in counts:
            yield otherwise(call, counts)


def otherwise(call: Asked, counts: tuple[int, ...]) -> tuple[str, str]:
    """That a call cannot be asked like this, and what belongs between its brackets."""
    said = " or ".join(_SAID[count] for count in counts)
    return f"{call.function}(…) is asked otherwise than it can be", f"{said} between the brackets"


def _texts(node: nodes.Expr) -> Iterator[str]:
    items = node.items if isinstance(node, (nodes.List, nodes.Tuple)) else [node]
    for item in items:
        if isinstance(item, nodes.Const) and isinstance(item.value, str):
            yield item.value
