"""The files for a service manager, a container and a database name what there is."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path

from console.main import execute
from console.rights import DOORS
from tests.postgres import Postgres

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "examples" / "deploy"


def unit(name: str) -> configparser.ConfigParser:
    made = configparser.ConfigParser(strict=False, interpolation=None)
    made.optionxform = str  # type: ignore[assignment,method-assign]
    made.read(DEPLOY / name, encoding="utf-8")
    return made


def test_units_start_what_there_is_as_nobody_special_and_again_and_again() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    for name in ("hikeshi.service", "hikeshi-worker.service"):
        service = unit(name)["Service"]
        program = service["ExecStart"].split()[0].rsplit("/", 1)[1]
        assert program in {*scripts, "prefect"}
        assert service["Restart"] == "always"
        assert service["User"] == "hikeshi"
        assert service["NoNewPrivileges"] == "yes"
        assert service["UMask"] == "0077"
    assert unit("hikeshi.service")["Service"]["ExecStart"].endswith("hikeshi up")
    assert execute(["up", "--help"]) == 0


def test_the_container_installs_what_is_locked_and_asks_whether_traffic_may_come() -> None:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    [locked] = re.findall(r"--require-hashes -r /source/(\S+)", text)
    lines = (ROOT / locked).read_text(encoding="utf-8")
    assert "psycopg-binary==" in lines
    assert "opentelemetry-sdk==" in lines
    assert lines.count("--hash=sha256:") >= lines.count("==")
    assert "GET /ready" in DOORS
    assert "/ready" in text
    assert not re.search(r"(?i)password|secret=|token=", text.replace("secrets come", ""))


def test_the_database_is_made_as_the_file_says(postgres: Postgres) -> None:
    lines = (DEPLOY / "database.sql").read_text(encoding="utf-8").replace("hikeshi", "hikeshi_made")
    statements = [one.strip() for one in re.sub(r"--.*", "", lines).split(";") if one.strip()]
    assert len(statements) == 3
    with postgres.connect("postgres") as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload,unused-ignore]
