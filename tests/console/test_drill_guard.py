"""P8: what of production a drill's process can get at. Each test fails as soon as one way is open."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from console.drill import guard
from console.drill.running import _library
from console.opening import open_house
from models.errors import HikeshiError
from tests.console.drillhouse import Beside, prepare

SECRETS = {"HIKESHI_SLACK_TOKEN": "xoxb-production", "PREFECT_API_KEY": "pnu-production", "AWS_SECRET": "aws"}
WAYS = """
import ctypes, glob, json, os, pathlib, shutil, sqlite3, subprocess, sys
bank, drill = sys.argv[1], sys.argv[2]
one = os.path.join(bank, "organisation.yaml")
key = os.path.join(bank, "var", "signing.key")
database = os.path.join(bank, "var", "hikeshi.db")

def secret():
    return [one for one in os.environ.values() if "production" in one or one == "aws" or bank in one][0]

def linked():
    os.symlink(one, os.path.join(drill, "link.yaml"))
    return open(os.path.join(drill, "link.yaml")).read()

def hard():
    os.link(one, os.path.join(drill, "hard.yaml"))
    return open(os.path.join(drill, "hard.yaml")).read()

def rows():
    return sqlite3.connect(database).execute("select count(*) from fact").fetchone()[0]

def by_uri():
    opened = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    return opened.execute("select count(*) from fact").fetchone()[0]

def native():
    libc = ctypes.CDLL(None, use_errno=True)
    number = libc.open(one.encode(), 0)
    if number < 0:
        raise OSError(ctypes.get_errno(), "open")
    return os.read(number, 20).decode(errors="replace")

def by_cat():
    done = subprocess.run(["cat", one], capture_output=True, check=True)
    return done.stdout.decode()[:20]

def by_python():
    code = f"print(open({one!r}).read()[:20])"
    return subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, check=True).stdout.decode()

ways = {
    "open": lambda: open(one).read(),
    "key": lambda: open(key, "rb").read(),
    "os.open": lambda: os.open(one, os.O_RDONLY),
    "pathlib": lambda: pathlib.Path(one).read_text(),
    "relative": lambda: open(os.path.join(drill, os.path.relpath(one, drill))).read(),
    "listdir": lambda: os.listdir(bank),
    "scandir": lambda: list(os.scandir(bank)),
    "glob": lambda: glob.glob(os.path.join(bank, "*.yaml"))[0],
    "copy": lambda: shutil.copy(one, os.path.join(drill, "copy.yaml")),
    "sqlite": rows,
    "sqlite-uri": by_uri,
    "symlink": linked,
    "hard-link": hard,
    "proc-root": lambda: open(f"/proc/self/root{one}").read(),
    "proc-environ": lambda: open(f"/proc/{os.getppid()}/environ", "rb").read(),
    "write": lambda: open(os.path.join(bank, "routes.yaml"), "a").close() or "written",
    "proc-maps": lambda: open(f"/proc/{os.getppid()}/maps", "rb").read(10),
    "environment": secret,
    "native": native,
    "cat": by_cat,
    "child-python": by_python,
}
found = {}
for name, way in ways.items():
    try:
        found[name] = repr(way())[:60]
    except (OSError, IndexError, sqlite3.Error, subprocess.CalledProcessError) as no:
        found[name] = None
own = {
    "own": open(os.path.join(drill, "organisation.yaml")).read()[:5],
    "wrote": open(os.path.join(drill, "var", "note"), "w").write("x"),
    "started": subprocess.run(["true"], check=True).returncode,
}
print(json.dumps({"found": found, "own": own}))
"""
NATIVE = ("native", "cat", "child-python")
"""Ways past Python, which only the kernel can close."""


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Beside:
    made = prepare(tmp_path, monkeypatch)
    house = open_house(made.bank)
    house.record.close()
    (made.bank / "var" / "signing.key").write_text("a key of production", encoding="utf-8")
    return made


def asked(beside: Beside, before: str = "") -> dict[str, Any]:
    """What a process of the drill, started as `hikeshi drill run` does, gets at."""
    script = beside.drill / "var" / "ways.py"
    script.parent.mkdir(exist_ok=True)
    arm = "from pathlib import Path\nfrom console.drill import guard\nimport sys\n"
    script.write_text(f"{arm}{before}\nguard.arm(Path(sys.argv[2]))\n{textwrap.dedent(WAYS)}", "utf-8")
    environment = guard.environment(beside.drill, os.environ | SECRETS | {"HIKESHI_DIR": str(beside.bank)})
    environment["PYTHONPATH"] = str(_library(beside.drill))
    environment.pop(guard.VARIABLE)
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-P", str(script), str(beside.bank), str(beside.drill)],
        env=environment,
        cwd=beside.drill,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.skipif(not guard.landlock_version(), reason="this kernel has no Landlock")
def test_behind_landlock_no_way_leads_to_production(beside: Beside) -> None:
    answer = asked(beside)
    assert {name: got for name, got in answer["found"].items() if got is not None} == {}
    assert answer["own"] == {"own": "name:", "wrote": 1, "started": 0}


def test_landlock_alone_closes_every_way_but_what_the_environment_holds(beside: Beside) -> None:
    if not guard.landlock_version():
        pytest.skip("this kernel has no Landlock")
    answer = asked(beside, "guard._audit = lambda listed: None")
    assert {name: got for name, got in answer["found"].items() if got is not None} == {}


def test_without_landlock_every_way_of_python_is_closed_and_what_is_left_is_known(beside: Beside) -> None:
    answer = asked(beside, "guard.landlock_version = lambda: 0")
    assert {name for name, got in answer["found"].items() if got is not None} <= set(NATIVE)
    assert answer["own"] == {"own": "name:", "wrote": 1, "started": 0}


def test_without_any_guard_the_ways_are_open_so_the_tests_above_can_fail(beside: Beside) -> None:
    off = "guard.landlock_version = lambda: 0\nguard._audit = lambda listed: None"
    found = asked(beside, off)["found"]
    assert {name for name, got in found.items() if got is None} <= {"environment"}


def test_every_python_that_a_drill_starts_arms_the_hook_by_itself(beside: Beside) -> None:
    environment = guard.environment(beside.drill, os.environ) | {"PYTHONPATH": str(_library(beside.drill))}
    code = f"print(open({str(beside.bank / 'routes.yaml')!r}).read())"
    done = subprocess.run(  # noqa: S603 - our own line
        [sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert "PermissionError" in done.stderr
    assert done.stdout == ""


def test_the_environment_of_a_drill_has_its_own_secrets_and_no_others(beside: Beside) -> None:
    given = {
        **SECRETS,
        "PATH": "/usr/bin",
        "LC_ALL": "C",
        "HIKESHI_DRILL_SLACK_TOKEN": "xoxb-drill",
        "HIKESHI_DIR": str(beside.bank),
        "PREFECT_API_URL": "http://production:4200/api",
        "HIKESHI_TOKEN": "t",
        "HIKESHI_ACCOUNT": "sato",
        "HOME": str(Path.home()),
    }
    made = guard.environment(beside.drill, given)
    assert made["HIKESHI_DRILL_SLACK_TOKEN"] == "xoxb-drill"  # noqa: S105 - made up
    assert made["HIKESHI_DIR"] == str(beside.drill)
    assert made["HOME"].startswith(str(beside.drill))
    assert not {*SECRETS, "PREFECT_API_URL", "HIKESHI_TOKEN", "HIKESHI_ACCOUNT"} & set(made)
    assert str(beside.bank) not in "".join(made.values())


def test_an_institution_that_lies_where_every_program_reads_gets_no_drill(
    beside: Beside, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from console.main import execute  # noqa: PLC0415 - as somebody types it

    monkeypatch.setattr(guard, "SYSTEM", (*guard.SYSTEM, str(beside.bank.parent)))
    again = ["--dir", str(beside.bank), "--lang", "en", "drill", "prepare", "blind-quiet-monday", "--to"]
    assert execute([*again, str(beside.drill.parent / "second")]) == 1
    assert "could not be kept out" in capsys.readouterr().err
    assert not (beside.drill.parent / "second").exists()


def test_a_kernel_that_refuses_the_guard_stops_the_drill(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HikeshiError, match="cannot be fenced off"):
        guard._called(-1)
