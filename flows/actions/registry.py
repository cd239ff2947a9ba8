"""Which actions there are, and the one way to run them.

A drill runs with another set of actions, and with nothing else changed: `run` takes the set as an argument.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from flows.actions.collect import collect
from flows.actions.command import run_command
from flows.actions.http import request
from flows.actions.logs import collect as collect_logs
from flows.actions.parameters import Variables, resolve
from flows.actions.values import ActionContext, ActionResult, Params
from models.errors import ActionFailed, BadExpression
from models.expression import evaluate
from models.playbook import Probe
from models.targets import USES, MailTarget, SlackTarget, SshTarget, Target


async def _ssh(target: SshTarget, params: Params, context: ActionContext) -> ActionResult:
    # Loaded when wanted: the libraries for SSH and Slack take their time, and most processes need neither.
    from flows.actions.ssh import collect as collect_ssh  # noqa: PLC0415

    return await collect_ssh(target, params, context)


async def _slack(target: SlackTarget, params: Params, context: ActionContext) -> ActionResult:
    from flows.actions.slack import collect as collect_slack  # noqa: PLC0415

    return await collect_slack(target, params, context)


async def _mail(target: MailTarget, params: Params, context: ActionContext) -> ActionResult:
    from flows.actions.mail import collect as collect_mail  # noqa: PLC0415

    return await collect_mail(target, params, context)


Action = Callable[[Any, Params, ActionContext], Awaitable[ActionResult]]
Actions = Mapping[str, tuple[type, Action]]

ACTIONS: Actions = MappingProxyType(
    {
        use: (USES[use], action)
        for use, action in (
            ("http.request", request),
            ("command.run", run_command),
            ("file.collect", collect),
            ("ssh.collect", _ssh),
            ("logs.collect", collect_logs),
            ("slack.collect", _slack),
            ("mail.collect", _mail),
        )
    }
)
"""An action's name, the kind of target it takes, and what it does."""


async def run(
    use: str, target: Target, params: Params, context: ActionContext, actions: Actions = ACTIONS
) -> ActionResult:
    """Run the action named `use` on `target`. `params` hold no `$name` any more (see `resolve`).

    Raises ActionFailed if it did not take effect, OutcomeUnknown if that cannot be told.
    """
    if use not in actions:
        raise ActionFailed(f"there is no action {use!r}; known: {', '.join(actions)}")
    kind, action = actions[use]
    if not isinstance(target, kind):
        raise ActionFailed(f"{use} does not take a target of kind {target.kind!r}; mend targets.yaml")
    return await action(target, params, context)


async def look(
    probe: Probe,
    target: Target,
    context: ActionContext,
    variables: Variables = MappingProxyType({}),
    actions: Actions = ACTIONS,
) -> bool | None:
    """Whether the action that `probe` looks after has taken effect; None if the look itself failed.

    The probe's parameters may name `variables`; its `done_if` reads what it found by `output("field")`. None
    means unclear, never no. Raises nothing that an action raises.
    """
    try:
        found = await run(probe.use, target, resolve(probe.params, variables), context, actions)
        return evaluate(probe.done_if, {"output": lambda *names: found.outputs.get(names[-1])})
    except (ActionFailed, BadExpression):
        return None
