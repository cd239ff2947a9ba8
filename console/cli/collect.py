"""evidence collect: a collector by hand, without a node and without Prefect, recorded as the person's act."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from console.cli.arguments import Incident
from console.cli.given import writes
from console.cli.progress import Progress
from console.cli.session import REFUSED, Session

if TYPE_CHECKING:
    from flows.actions import ActionContext, ActionResult
    from models.state import Incident as State
    from models.targets import Target

Opt = typer.Option
DEFAULT_SECONDS = 3_600
Outcome = Literal["done", "failed", "unreachable"]


def register(group: typer.Typer) -> None:
    """Add the command to those about evidence."""
    writes(group, "collect")(evidence_collect)


def evidence_collect(  # noqa: PLR0913 - one option for each thing that a collection may need
    session: Session,
    *,
    incident: Incident,
    target: Annotated[str, typer.Argument(metavar="TARGET")],
    param: Annotated[list[str] | None, Opt("--param", metavar="NAME=VALUE", show_default=False)] = None,
    since: Annotated[str | None, Opt("--from", metavar="TIME", show_default=False)] = None,
    until: Annotated[str | None, Opt("--until", metavar="TIME", show_default=False)] = None,
    source: Annotated[str, Opt("--source", metavar="TEXT", show_default=False)] = "",
    step: Annotated[str | None, Opt("--step", metavar="STEP", show_default=False)] = None,
    within: Annotated[str | None, Opt("--within", metavar="SPAN", show_default=False)] = None,
) -> None:
    """Collect evidence from a target; refused before anything is read, or on record from its beginning."""
    from flows.actions.values import salvaged  # noqa: PLC0415
    from models.collecting import BeginCollection, EndCollection  # noqa: PLC0415

    state = session.incident(incident)
    known, use = _target(session, target)
    params: dict[str, Any] = session.pairs(param or [], "--param")
    for name, value in (("from", since), ("until", until)):
        if (instant := session.instant(value, f"--{name}")) is not None:
            params[name] = instant.isoformat()
    seconds = session.seconds(within, "--within") or DEFAULT_SECONDS
    fields: dict[str, Any] = {"target": target, "source": source or target, "step": step}
    begun = session.ask(state.stream, BeginCollection, **fields)
    context = _context(session, state, seconds)

    def end(outcome: Outcome, error: str) -> None:
        """What was kept goes on record whatever it came to; of a bad end it says so (FSA-2.5.2.2-B1)."""
        kept = context.kept if outcome == "done" else salvaged(context.kept)
        items = tuple(asdict(item) for item in kept)
        session.write(
            state.stream,
            EndCollection,
            begun=begun.facts[0].seq,
            outcome=outcome,
            items=items,
            error=error,
            **fields,
        )

    try:
        outcome, error = _run(session, (use, known), params, context)
    except Exception as wrong:
        # The name of the error alone: what a library says may quote a secret.
        end("failed", type(wrong).__name__)
        raise
    end(outcome, error)
    if error:
        session.say(error, "bad", stderr=True)
        raise typer.Exit(REFUSED)


def _target(session: Session, name: str) -> tuple[Target, str]:
    """The target and the action that collects from it; exit 2 with those that there are."""
    from models.targets import collecting  # noqa: PLC0415

    targets = session.house.institution.targets.targets
    known = targets.get(name)
    use = collecting(known) if known is not None else None
    if known is None or use is None:
        fitting = ", ".join(sorted(one for one, found in targets.items() if collecting(found) is not None))
        session.wrong(session.texts("words.usage.choice", option="TARGET", value=name, known=fitting or "-"))
    return known, use


def _context(session: Session, state: State, seconds: int) -> ActionContext:
    from console.opening import secrets_of  # noqa: PLC0415
    from flows.actions import ActionContext  # noqa: PLC0415
    from flows.actions.occasion import occasion_of  # noqa: PLC0415

    house = session.house
    return ActionContext(
        evidence_dir=house.evidence,
        secrets=secrets_of(house.institution.directory),
        base=house.institution.directory,
        now=session.now,
        timeout_seconds=float(seconds),
        idempotency_key=f"{state.stream}/collect/{state.seq}",
        settings=house.institution.settings,
        occasion=occasion_of(state),
    )


def _run(
    session: Session, what: tuple[str, Target], params: dict[str, Any], context: ActionContext
) -> tuple[Outcome, str]:
    """What it came to, and why if it did not go well; what it kept is in the context."""
    from flows.actions import run  # noqa: PLC0415
    from models.errors import ActionFailed, SourceUnreachable  # noqa: PLC0415

    telling = _Telling()
    use, target = what
    try:
        result: ActionResult = asyncio.run(run(use, target, params, telling.into(context)))
    except SourceUnreachable as lost:
        return "unreachable", str(lost)
    except ActionFailed as failed:
        return "failed", str(failed)
    except KeyboardInterrupt:
        return "failed", session.texts("evidence.collect.stopped")
    finally:
        telling.over()
    for one in result.left_out:
        session.say(
            session.texts("evidence.collect.left", source=one.source, why=one.reason), "dim", stderr=True
        )
    return "done", ""


class _Telling:
    """How far each object has come, on standard error."""

    def __init__(self) -> None:
        self._name = ""
        self._progress: Progress | None = None

    def into(self, context: ActionContext) -> ActionContext:
        """The same context, told to us."""
        return replace(context, progress=self._told)

    def _told(self, name: str, size: int) -> None:
        if self._progress is None or name != self._name:
            self.over()
            self._name, self._progress = name, Progress(name, 0)
        self._progress(size)

    def over(self) -> None:
        """Leave the line, if there is one."""
        if self._progress is not None:
            self._progress.over()
