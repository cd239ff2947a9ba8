"""What a machine can do in a step: call a named target, run a listed program, copy files as evidence."""

from flows.actions.parameters import Variables, resolve
from flows.actions.registry import ACTIONS, Actions, look, run
from flows.actions.values import ActionContext, ActionResult, CollectedItem, LeftOut, Occasion, Params, Value

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
