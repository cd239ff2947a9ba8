"""Bare Prefect, as one would write it by hand: `python -m benchmarks.prefect_child called|served URL`.

`called`: for each line on stdin the flow is called in this process. `served`: a deployment is served, and
its flow runs in a process of its own whenever the server has a run for it. The settings are Prefect's own.
"""

from __future__ import annotations

import asyncio
import sys

from prefect import flow, serve, task
from prefect.deployments.runner import RunnerDeployment

from benchmarks.prefect_names import DEPLOYMENT, READY, STEPS
from benchmarks.telling import post


@task
def tell(url: str, what: str) -> None:
    """One step."""
    post(url, what)


@flow
def alert(url: str, what: str) -> None:
    """A flow with one task: the shortest way from something that happened to somebody who is told."""
    tell(url, what)


@flow
def steps(url: str) -> None:
    """Ten steps, one after the other."""
    for number in range(1, STEPS + 1):
        tell(url, f"step-{number:02d}")


async def called(url: str) -> None:
    """Call the flow for each line: it names what is told."""
    print(READY, flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        await asyncio.to_thread(alert, url, line.strip())


def served() -> None:
    """Serve both; whoever creates a run gives it the address."""
    deployments = [one.to_deployment(name=DEPLOYMENT) for one in (alert, steps)]
    serve(*(one for one in deployments if isinstance(one, RunnerDeployment)))


if __name__ == "__main__":
    if sys.argv[1] == "called":
        asyncio.run(called(sys.argv[2]))
    else:
        served()
