"""The switch between Prefect and no engine.

`flow` and `task` make Prefect's own objects where Prefect can be used, and otherwise plain ones that are
called the same way, keep the same time limits and retries, and have the same `.fn`. What the functions do
stays the same, because the record, not the engine, says what is left to do.

The choice is made when this module is imported. HIKESHI_ENGINE=none in the environment switches Prefect off;
`engine_state` tells what was chosen and why. Importing this never fails for want of Prefect.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, cast

from flows.server import CLIENT_LIMITS
from models.errors import ActionFailed, OutcomeUnknown

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
MayRetry = Callable[[BaseException], bool]
Async = Callable[P, Coroutine[Any, Any, R]]

SWITCH = "HIKESHI_ENGINE"
ARTIFACT_SECONDS = 2.0
_UNUSABLE = (ImportError, AttributeError, TypeError, ValueError, LookupError, RuntimeError, OSError)
"""What an import of Prefect, or of another version of it, has been seen to raise."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What a flow of ours returns: the name of its final state and what it says, for people."""

    name: str
    message: str


class Runnable(Protocol[P, R_co]):
    """A flow or a task, with or without an engine. Awaiting a call runs it."""

    name: str

    @property
    def fn(self) -> Callable[P, Coroutine[Any, Any, R_co]]: ...

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]: ...

    def with_options(
        self, *, name: str | None = None, timeout_seconds: float | None = None, retries: int | None = None
    ) -> Runnable[P, R_co]:
        """A copy with other limits; what is None stays as it is."""
        ...


def certain_failure(problem: BaseException) -> bool:
    """Whether nothing has taken effect for certain, so that trying again cannot do a thing twice."""
    return isinstance(problem, ActionFailed) and not isinstance(problem, OutcomeUnknown)


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a flow or task. `run_name` may hold parameters (`{incident}`), for the UI only."""

    name: str
    run_name: str | None = None
    timeout_seconds: float | None = None
    retries: int = 0
    retry_delay_seconds: float = 0.0
    may_retry: MayRetry = certain_failure
    tags: tuple[str, ...] = ()


class Plain(Generic[P, R]):
    """A flow or task without an engine: calls its function within its time limit, again where it may."""

    def __init__(self, fn: Async[P, R], options: Options) -> None:
        self._fn = fn
        self.options = options
        self.name = options.name
        update_wrapper(self, fn)

    @property
    def fn(self) -> Async[P, R]:
        """The function itself, without limits."""
        return self._fn

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it. Raises TimeoutError beyond the limit, else what the function raises."""
        limits = self.options
        for _ in range(limits.retries):
            try:
                return await self._once(*args, **kwargs)
            except (ActionFailed, TimeoutError, OSError) as problem:
                if not limits.may_retry(problem):
                    raise
            await asyncio.sleep(limits.retry_delay_seconds)
        return await self._once(*args, **kwargs)

    async def _once(self, *args: P.args, **kwargs: P.kwargs) -> R:
        async with asyncio.timeout(self.options.timeout_seconds):
            return await self._fn(*args, **kwargs)

    def with_options(
        self, *, name: str | None = None, timeout_seconds: float | None = None, retries: int | None = None
    ) -> Plain[P, R]:
        """A copy with other limits; what is None stays as it is."""
        old = self.options
        options = Options(
            name=name or old.name,
            run_name=old.run_name,
            timeout_seconds=old.timeout_seconds if timeout_seconds is None else timeout_seconds,
            retries=old.retries if retries is None else retries,
            retry_delay_seconds=old.retry_delay_seconds,
            may_retry=old.may_retry,
            tags=old.tags,
        )
        return Plain(self._fn, options)


class Engine(Protocol):
    """What runs flows and tasks."""

    def flow(self, fn: Async[P, R], options: Options) -> Runnable[P, R]: ...

    def task(self, fn: Async[P, R], options: Options) -> Runnable[P, R]: ...

    def completed(self, ended: Ended) -> Ended: ...

    def artifact(
        self, kind: str, key: str, content: object, description: str
    ) -> Awaitable[object] | None: ...

    def tags(self, names: Iterable[str]) -> AbstractContextManager[object]: ...

    @property
    def errors(self) -> tuple[type[BaseException], ...]:
        """What publishing may raise."""
        ...


class NoEngine:
    """The functions alone."""

    errors: tuple[type[BaseException], ...] = ()

    def flow(self, fn: Async[P, R], options: Options) -> Runnable[P, R]:
        return Plain(fn, options)

    def task(self, fn: Async[P, R], options: Options) -> Runnable[P, R]:
        return Plain(fn, options)

    def completed(self, ended: Ended) -> Ended:
        return ended

    def artifact(self, kind: str, key: str, content: object, description: str) -> Awaitable[object] | None:
        return None

    def tags(self, names: Iterable[str]) -> AbstractContextManager[object]:
        return nullcontext()


class PrefectEngine:
    """Prefect. Making one raises one of _UNUSABLE if a call that we use is missing or has changed."""

    def __init__(self) -> None:
        self._prefect = importlib.import_module("prefect")
        self._states = importlib.import_module("prefect.states")
        self._artifacts = importlib.import_module("prefect.artifacts")
        self._no_cache = importlib.import_module("prefect.cache_policies").NO_CACHE
        client_errors = importlib.import_module("httpx").HTTPError
        own_errors = importlib.import_module("prefect.exceptions").PrefectException
        self.errors: tuple[type[BaseException], ...] = (*_UNUSABLE, client_errors, own_errors, TimeoutError)
        self._smoke()

    def _smoke(self) -> None:
        """Make one of everything; nothing is run and no server is asked."""

        async def nothing() -> None: ...

        options = Options(name="smoke", run_name="smoke", timeout_seconds=1, retries=1, tags=("smoke",))
        for made in (self.flow(nothing, options), self.task(nothing, options)):
            made.with_options(name="smoke", timeout_seconds=2, retries=0)
            if made.fn is not nothing:
                raise TypeError("the function is not kept as `.fn`")
        state = self.completed(Ended(name="Smoke", message="smoke"))
        if (state.name, state.message) != ("Smoke", "smoke"):
            raise TypeError("a state does not keep its name")
        for kind in ("table", "markdown"):
            inspect.signature(self._publisher(kind)).bind(**{kind: "", "key": "smoke", "description": ""})
        with self.tags(["smoke"]):
            pass

    def flow(self, fn: Async[P, R], options: Options) -> Runnable[P, R]:
        made = self._prefect.flow(
            name=options.name,
            flow_run_name=options.run_name,
            timeout_seconds=options.timeout_seconds,
            validate_parameters=False,
            persist_result=False,
            log_prints=False,
        )(fn)
        return cast(Runnable[P, R], made)

    def task(self, fn: Async[P, R], options: Options) -> Runnable[P, R]:
        made = self._prefect.task(
            name=options.name,
            task_run_name=options.run_name,
            timeout_seconds=options.timeout_seconds,
            retries=options.retries,
            retry_delay_seconds=options.retry_delay_seconds,
            retry_condition_fn=_retry_condition(options.may_retry),
            tags=list(options.tags),
            cache_policy=self._no_cache,
            persist_result=False,
            log_prints=False,
        )(fn)
        return cast(Runnable[P, R], made)

    def completed(self, ended: Ended) -> Ended:
        # `data` is what the caller of the flow gets: the same then with and without Prefect.
        return cast(Ended, self._states.Completed(name=ended.name, message=ended.message, data=ended))

    def artifact(self, kind: str, key: str, content: object, description: str) -> Awaitable[object] | None:
        publish = self._publisher(kind)
        return cast(Awaitable[object], publish(**{kind: content, "key": key, "description": description}))

    def _publisher(self, kind: str) -> Callable[..., Any]:
        return cast(Callable[..., Any], getattr(self._artifacts, f"acreate_{kind}_artifact"))

    def tags(self, names: Iterable[str]) -> AbstractContextManager[object]:
        return cast(AbstractContextManager[object], self._prefect.tags(*names))


def _retry_condition(may_retry: MayRetry) -> Callable[..., Any]:
    """`may_retry` as Prefect asks it: with the state, whose result is the error."""

    async def condition(_task: object, _run: object, state: Any) -> bool:
        problem = await state.result(raise_on_failure=False)
        return isinstance(problem, BaseException) and may_retry(problem)

    return condition


def choose(environ: Mapping[str, str]) -> tuple[Engine, str]:
    """The engine to use and the state it is in: prefect, absent, off, or `mismatch: …`. Never raises."""
    if environ.get(SWITCH, "").strip().lower() == "none":
        return NoEngine(), "off"
    for name, value in CLIENT_LIMITS.items():
        os.environ.setdefault(name, value)
    try:
        return PrefectEngine(), "prefect"
    except ModuleNotFoundError as missing:
        if missing.name == "prefect":
            return NoEngine(), "absent"
        return NoEngine(), f"mismatch: {missing}"
    except _UNUSABLE as wrong:
        return NoEngine(), f"mismatch: {type(wrong).__name__}: {wrong}"


_engine, _state = choose(os.environ)


def engine_state() -> str:
    """`prefect`, `absent`, `off`, or `mismatch: ` and what does not fit."""
    return _state


def flow(
    *,
    name: str,
    run_name: str | None = None,
    timeout_seconds: float | None = None,
) -> Callable[[Async[P, R]], Runnable[P, R]]:
    """Make a flow of an async function. For tags see `with_tags`; sub-flows and tasks take them over.

    It is never retried: it is short, and started again when the record says so. Beyond `timeout_seconds` a
    call raises TimeoutError. A function that returns `completed(…)` gives its caller the `Ended` in it, with
    and without Prefect.
    """
    options = Options(name=name, run_name=run_name, timeout_seconds=timeout_seconds)
    return lambda fn: _engine.flow(fn, options)


def task(  # noqa: PLR0913 - the options of one decorator, all by name
    *,
    name: str,
    run_name: str | None = None,
    timeout_seconds: float | None = None,
    retries: int = 0,
    retry_delay_seconds: float = 0.0,
    may_retry: MayRetry = certain_failure,
    tags: tuple[str, ...] = (),
) -> Callable[[Async[P, R]], Runnable[P, R]]:
    """Make a task of an async function. Times are in seconds; beyond the limit it raises TimeoutError.

    It is run again up to `retries` times, and only after what `may_retry` allows: by default after a failure
    that has certainly changed nothing, never after a time-out or an unknown outcome.
    """
    options = Options(
        name=name,
        run_name=run_name,
        timeout_seconds=timeout_seconds,
        retries=retries,
        retry_delay_seconds=retry_delay_seconds,
        may_retry=may_retry,
        tags=tags,
    )
    return lambda fn: _engine.task(fn, options)


def completed(name: str, message: str) -> Ended:
    """The final state of a flow, by a name that says what is awaited: `completed("AwaitingDecision", …)`.

    With Prefect this is its `Completed` state, which shows by that name; it has `.name` and `.message` too.
    """
    return _engine.completed(Ended(name=name, message=message))


def with_tags(*names: str) -> AbstractContextManager[object]:
    """Tags for all flows and tasks called within. Ids only: Prefect's UI has no rights per person."""
    return _engine.tags(names)


async def publish_table(key: str, rows: list[dict[str, Any]], description: str = "") -> bool:
    """Show a table beside the run; `key` is lower-case letters, digits and dashes. Whether it was published.

    Never raises, and takes ARTIFACT_SECONDS at most: a picture is not worth waiting for.
    """
    return await _publish("table", key, rows, description)


async def publish_markdown(key: str, markdown: str, description: str = "") -> bool:
    """As `publish_table`, with Markdown. Text from outside must have been escaped before."""
    return await _publish("markdown", key, markdown, description)


async def _publish(kind: str, key: str, content: object, description: str) -> bool:
    coming = _engine.artifact(kind, key, content, description)
    if coming is None:
        return False
    publishing = asyncio.ensure_future(coming)
    # Not `wait_for`: it would wait on for a client that is slow to notice its cancellation.
    await asyncio.wait({publishing}, timeout=ARTIFACT_SECONDS)
    if not publishing.done():
        publishing.add_done_callback(_look_away)
        publishing.cancel()
        return False
    try:
        publishing.result()
    except _engine.errors:
        return False
    return True


def _look_away(late: asyncio.Future[object]) -> None:
    """Take the outcome of what nobody waits for, so that asyncio does not complain of an error nobody saw."""
    if not late.cancelled():
        late.exception()
