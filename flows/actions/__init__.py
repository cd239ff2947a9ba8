"""What a machine can do in a step: call a named target, run a listed program, copy files as evidence.

What the package offers is imported when it is asked for: the pager compares stored evidence and needs the
store, and must not load the actions for that.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flows.actions.parameters import Variables, resolve
    from flows.actions.registry import ACTIONS, Actions, look, run
    from flows.actions.values import (
        ActionContext,
        ActionResult,
        CollectedItem,
        LeftOut,
        Occasion,
        Params,
        Value,
    )

__all__ = [
    "ACTIONS",
    "ActionContext",
    "ActionResult",
    "Actions",
    "CollectedItem",
    "LeftOut",
    "Occasion",
    "Params",
    "Value",
    "Variables",
    "look",
    "resolve",
    "run",
]
_PARAMETERS = frozenset({"Variables", "resolve"})
_REGISTRY = frozenset({"ACTIONS", "Actions", "look", "run"})


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "parameters" if name in _PARAMETERS else "registry" if name in _REGISTRY else "values"
    return getattr(import_module(f"{__name__}.{home}"), name)
