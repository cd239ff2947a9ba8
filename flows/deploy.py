"""Registers the flow of an incident with a Prefect server: `python -m flows.deploy`.

It reads prefect.yaml, from the checkout or as the wheel brought it along, makes the work pool if there is
none, and puts the deployment there or brings it up to date. PREFECT_API_URL names the server. Prefect's own
`prefect deploy` reads the same file.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ruamel.yaml import YAML

from flows.api import Api, ApiRefused, ApiSilent
from flows.workers import FLOW
from models.errors import HikeshiError

FILE = "prefect.yaml"
PLACES = (Path(__file__).resolve().parent.parent / FILE, Path(sys.prefix) / "share" / "hikeshi" / FILE)
POOL_TYPE = "process"
TRIES = 5


def deployments() -> list[Mapping[str, Any]]:
    """What prefect.yaml says is to be deployed. Raises HikeshiError if there is none."""
    file = next((one for one in PLACES if one.is_file()), None)
    if file is None:
        raise HikeshiError(f"there is no {FILE}; install Hikeshi from its wheel, or work in its checkout")
    found: list[Mapping[str, Any]] = YAML(typ="safe").load(file.read_text(encoding="utf-8"))["deployments"]
    return found


async def deploy(api: Api) -> list[str]:
    """Register all; what they are called there. Raises ApiSilent, ApiRefused."""
    return [await _one(api, each) for each in deployments()]


async def _when_it_answers(api: Api) -> list[str]:
    """A server that has only just been started is slow to answer."""
    for _ in range(TRIES - 1):
        with suppress(ApiSilent):
            return await deploy(api)
    return await deploy(api)


async def _one(api: Api, wanted: Mapping[str, Any]) -> str:
    pool = wanted["work_pool"]["name"]
    await _make_pool(api, pool)
    flow = await api.call("POST", "/flows/", {"name": FLOW})
    body = {
        "name": wanted["name"],
        "flow_id": flow["id"],
        "entrypoint": wanted["entrypoint"],
        "description": wanted["description"],
        "tags": wanted["tags"],
        "work_pool_name": pool,
        "job_variables": wanted["work_pool"]["job_variables"],
        "enforce_parameter_schema": False,
        "pull_steps": [],
    }
    await api.call("POST", "/deployments/", body)
    return f"{FLOW}/{wanted['name']} -> {pool}"


async def _make_pool(api: Api, name: str) -> None:
    try:
        await api.call("GET", f"/work_pools/{quote(name, safe='')}")
    except ApiRefused as refused:
        if refused.status != HTTPStatus.NOT_FOUND:
            raise
        await api.call("POST", "/work_pools/", {"name": name, "type": POOL_TYPE})


def main() -> int:
    """Entry: `python -m flows.deploy`."""
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        print("hikeshi: set PREFECT_API_URL to the Prefect server's address, such as http://HOST:4200/api",
              file=sys.stderr)  # fmt: skip
        return 2
    try:
        for line in asyncio.run(_when_it_answers(Api(url, os.environ))):
            print(line)
    except HikeshiError as failed:
        print(f"hikeshi: {failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
