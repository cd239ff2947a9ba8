"""The description of the API is whole and true: a program that others wrote tries it at a real node."""

from __future__ import annotations

import asyncio
import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from console.operations.catalogue import operations
from console.web.api import identity
from console.web.api.openapi import document
from console.web.api.problems import STATUS
from console.web.sessions import digest
from models.actor import Actor
from models.commands import Declare
from models.entering import ALL_ROLES, IssueToken
from tests.browser.roomnode import Room, opened
from tests.console.apihouse import SATO, TANAKA

TOKEN = "a-token-for-the-tests-of-the-description"  # noqa: S105 - of the tests
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance,negative_data_rejection"
)
MOST = 10_000_000


def every(lang: str = "en") -> list[tuple[str, str, dict[str, Any]]]:
    paths = document(lang)["paths"]
    return [(method, path, one) for path, many in paths.items() for method, one in many.items()]


def test_every_operation_is_described_with_its_fields_and_problems() -> None:
    found = {(method.upper(), path): one for method, path, one in every()}
    for operation in operations().values():
        one = found[(operation.method, f"/api/v1{operation.path}")]
        assert one["summary"] and one["operationId"] and {"200", "401", "403", "422"} <= set(one["responses"])
        named = {parameter["name"] for parameter in one["parameters"]}
        body = one.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        named |= set(body.get("properties", ()))
        assert {field.name for field in operation.fields} <= named, operation.name
    assert {"/api/v1/incidents/{incident}/events", "/api/alerts/{source}", "/api/gateway", "/health"} <= {
        path for _, path, _ in every()
    }


def test_ids_are_unique_and_both_languages_are_there() -> None:
    ids = [one["operationId"] for _, _, one in every()]
    assert len(set(ids)) == len(ids)
    assert [one["summary"] for _, _, one in every("ja")] != [one["summary"] for _, _, one in every("en")]


def test_every_reference_leads_somewhere() -> None:
    whole = document("en")

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                at: Any = whole
                for part in value["$ref"].removeprefix("#/").split("/"):
                    at = at[part]
            for one in value.values():
                walk(one)
        elif isinstance(value, list):
            for one in value:
                walk(one)

    walk(whole)


def test_every_example_is_of_its_own_schema() -> None:
    for _, path, one in every():
        content = one.get("requestBody", {}).get("content", {}).get("application/json", {})
        schema, example = content.get("schema", {}), content.get("example", {})
        assert set(example) <= set(schema.get("properties", example)), path
        assert set(schema.get("required", ())) <= set(example), path


def test_every_status_of_a_problem_is_described() -> None:
    described = set(document("en")["components"]["responses"]) | {"405"}
    assert {str(status) for status in STATUS.values()} <= described


async def tried(room: Room, *more: str) -> str:
    """What schemathesis says of this node; it has to be content."""
    house = room.house
    until = house.desk.clock.now() + timedelta(days=1)
    issue = IssueToken(
        actor=Actor(person=SATO, via="test"), name="tests", person=TANAKA, roles=(ALL_ROLES,),
        until=until, digest=digest(TOKEN),
    )  # fmt: skip
    assert (await room.act("house", issue)).refused is None
    await room.act(None, Declare(actor=Actor(person=TANAKA, via="test"), text="x"))
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{room.url}/api/v1/openapi.json",
        "-H", f"Authorization: Bearer {TOKEN}", "--checks", CHECKS, "--seed", "1", "--no-shrink",
        "--suppress-health-check", "all", "--warnings", "off", "--no-color",
        "--exclude-path-regex", "events|alerts|gateway|^/health", *more,
    ]  # fmt: skip
    # What it has found once it would try again, and what others run beside it shall not see it.
    child = await asyncio.create_subprocess_exec(
        *command, cwd=room.directory.parent, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await child.communicate()
    assert child.returncode == 0, said.decode()[-6_000:]
    return said.decode()


@pytest.fixture(autouse=True)
def no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many requests as it likes."""
    for name in ("PER_MINUTE", "PER_MINUTE_OF_PEER", "UNKNOWN_PER_MINUTE"):
        monkeypatch.setattr(identity, name, MOST)


async def test_a_part_of_it_is_true_at_a_real_node(tmp_path: Path) -> None:
    async with opened(tmp_path) as room:
        async with httpx.AsyncClient(base_url=room.url) as client:
            assert (await client.get("/api/v1/openapi.json")).json()["openapi"].startswith("3.1")
        wanted = "/incidents$|/incidents/.incident.$|/note$|/log$|/clocks$|evidence/add|scope/"
        said = await tried(room, "--include-path-regex", wanted, "--phases", "fuzzing", "-n", "8")
        assert "Tested:" in said


@pytest.mark.slow
async def test_all_of_it_is_true_at_a_real_node(tmp_path: Path) -> None:
    async with opened(tmp_path) as room:
        said = await tried(room, "--phases", "examples,fuzzing", "-n", "6")
        selected, tested = (re.search(rf"{word}: +(\d+)", said) for word in ("Selected", "Tested"))
        assert selected is not None and tested is not None and selected[1] == tested[1]
        assert int(tested[1]) >= len(operations()) - 1
