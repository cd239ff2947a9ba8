"""What a condition refers to, beyond what models.expression lets through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import Environment, nodes

_ENVIRONMENT = Environment(autoescape=True)


@dataclass(frozen=True)
class Asked:
    """One call in a condition, with its constant arguments; `equals` are the constants it is compared to."""

    function: str
    arguments: tuple[str | None, ...]
    equals: tuple[str, ...] = ()


def asked(source: str) -> Iterator[Asked]:
    """The calls of a condition that `models.expression.calls_in` has let through."""
    tree = _ENVIRONMENT.parse("{{ (" + source + ") }}")
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


def _texts(node: nodes.Expr) -> Iterator[str]:
    items = node.items if isinstance(node, (nodes.List, nodes.Tuple)) else [node]
    for item in items:
        if isinstance(item, nodes.Const) and isinstance(item.value, str):
            yield item.value
