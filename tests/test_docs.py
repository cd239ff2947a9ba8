"""The docs fail here when they lie: every table is held against the code, every example is parsed or run.

`HIKESHI_WRITE_DOCS=1 pytest tests/test_docs.py` writes the tables anew and keeps what people wrote in their
last column; what is new there stays empty, and the test fails until somebody has said what it means.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from models.playbook import Playbook
from models.scenario import Scenario
from playbooks.catalogue import Catalogue
from playbooks.document import read_document
from playbooks.institution import FILES
from playbooks.reading import fit
from tests.doctables import GENERATED, ROOT, cells_of, leaves, model_at, rendered

BASH = shutil.which("bash") or "/bin/bash"
DOCS = ROOT / "docs"
WRITE = os.environ.get("HIKESHI_WRITE_DOCS") == "1"
OWN = (
    "access", "api", "architecture", "clocks", "collectors", "commands", "communication", "configuration",
    "continuity", "drills", "escalation", "evidence", "exercise-programme", "gates", "guideline", "inspector",
    "many-machines", "monitoring", "notifications", "operations", "out-of-band", "pages", "playbooks",
    "quickstart", "reliability",
    "readiness", "record", "rehearsal", "replay", "rota",
    "scenarios", "scope", "security", "slack",
)  # fmt: skip
PAGES = [ROOT / "README.md", ROOT / "README.ja.md", *(DOCS / f"{name}.md" for name in (*OWN, "access"))]
TABLE = re.compile(r"<!-- table: (?P<what>[^\n]+?) -->\n(?P<body>.*?)<!-- end -->", re.DOTALL)
BLOCK = re.compile(r"^```(?P<lang>\w*)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
EXAMPLE = re.compile(
    r"<!-- check: (?P<model>[\w.]+) -->\n```(?P<lang>yaml|toml)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE
)
LINK = re.compile(r"\[[^\]]*\]\((?!https?:)(?P<target>[^)\s]+)\)")
PICTURE = re.compile(r"!\[(?P<words>[^\]]*)\]\((?P<path>[^)\s]+\.png)\)")
SCRIPT = re.compile(
    r"(?:<!-- (?P<how>[a-z0-9: ]+) -->\n)?```console\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE
)


# -- the tables ---------------------------------------------------------------------------------------------


def tables(page: Path) -> dict[str, str]:
    """The tables of a page by what they show."""
    return {found["what"]: found["body"] for found in TABLE.finditer(page.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_say_what_the_code_says(page: Path) -> None:
    if WRITE:
        text = page.read_text(encoding="utf-8")
        page.write_text(
            TABLE.sub(
                lambda m: f"<!-- table: {m['what']} -->\n{rendered(m['what'], m['body'])}<!-- end -->", text
            ),
            encoding="utf-8",
        )
    for what, body in tables(page).items():
        assert body == rendered(what, body), f"{page.name}: `{what}` differs; see the head of this file"
        rows = [cells_of(line) for line in body.splitlines() if line.startswith("|")]
        empty = [row[0] for row in rows if not row[-1]]
        assert not empty, f"{page.name}: `{what}`: nobody has said what {', '.join(empty)} means"


def test_everything_that_can_be_named_has_its_table() -> None:
    shown = {what for page in PAGES for what in tables(page)}
    needed = {*GENERATED, "permissions", "gates", "channels", "variables", "commands"}
    needed |= {f"doors {what}" for what in ("commands", "endpoints", "slack", "machines")}
    needed |= {
        f"facts {stream}" for stream in ("incident", "intake", "house", "programme", "exercise", "any")
    }
    needed |= {
        f"list {name}" for name in ("events", "phases", "instants", "scope-kinds", "factors", "on-crash")
    }
    needed |= {f"fields {model.__module__}.{model.__name__}" for model in _models_of_files()}
    assert not needed - shown


def _models_of_files() -> set[type[BaseModel]]:
    """Every model that a file of the institution is made of."""
    found: set[type[BaseModel]] = set()
    waiting: list[Any] = [*FILES.values(), Playbook, Scenario, Catalogue]
    while waiting:
        one = waiting.pop()
        waiting += get_args(one)
        if isinstance(one, type) and issubclass(one, BaseModel) and one not in found:
            found.add(one)
            waiting += [field.annotation for field in one.model_fields.values()]
    return {model for model in found if model.__name__ != "Text"}


# -- examples, commands and links ---------------------------------------------------------------------------


def _examples() -> Iterator[Any]:
    for page in PAGES:
        for number, found in enumerate(EXAMPLE.finditer(page.read_text(encoding="utf-8"))):
            yield pytest.param(found, id=f"{page.stem}-{number}")


@pytest.mark.parametrize("found", list(_examples()))
def test_example_of_a_file_is_what_its_model_takes(found: re.Match[str], tmp_path: Path) -> None:
    path = tmp_path / f"example.{found['lang']}"
    path.write_text(found["body"], encoding="utf-8")
    document, defects = read_document(path)
    assert document is not None, defects
    value, wrong = fit(document, model_at(found["model"]))
    assert value is not None and not [*defects, *wrong]


def test_every_block_of_configuration_is_checked() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = [found for found in BLOCK.finditer(text) if found["lang"] in {"yaml", "toml"}]
        assert len(blocks) == len(list(EXAMPLE.finditer(text))), (
            f"{page.name}: a block has no `check:` before it"
        )


def _commands_on(page: Path) -> Iterator[str]:
    """Each `hikeshi …` in a block or in the text."""
    text = page.read_text(encoding="utf-8")
    yield from re.findall(r"^(?:\$ )?((?:[A-Z_]+=\S+ )*hikeshi .*)$", text, re.MULTILINE)
    yield from re.findall(r"`(hikeshi [^`]+)`", BLOCK.sub("", text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_is_shown_exists(page: Path) -> None:
    known = dict(leaves())
    groups = {path[:deep] for path in known for deep in range(1, len(path))}
    for line in _commands_on(page):
        words = shlex.split(line.split(" &")[0].split(" #")[0].replace("…", ""), posix=True)
        words = [word for word in words if "=" not in word.split("-", 1)[0] or word.startswith("-")]
        rest = words[words.index("hikeshi") + 1 :]
        if not rest or rest[0].startswith("--") or rest[0] != rest[0].lower():
            continue
        path = tuple(rest[:1])
        while path in groups and len(path) < len(rest):
            path = tuple(rest[: len(path) + 1])
        if path in groups:
            continue
        assert path in known, f"{page.name}: {line}"
        options = {name for one in known[path].params for name in one.opts}
        used = {word.split("=")[0] for word in rest if re.match(r"^--[a-z]", word)}
        assert used <= options | {"--help"}, f"{page.name}: {line}"


def _anchor(heading: str) -> str:
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


def _headings(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_resolve(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for found in LINK.finditer(text):
        name, _, anchor = found["target"].partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page.name}: {found['target']}"
        if anchor:
            assert anchor in {_anchor(one) for one in _headings(target)}, f"{page.name}: {found['target']}"


def test_every_picture_is_on_a_page_and_small_enough_to_load() -> None:
    """What is shown exists (the links say so); what lies there is shown, with words for who cannot see it."""
    shown = [
        ((page.parent / found["path"]).resolve(), found["words"])
        for page in PAGES
        for found in PICTURE.finditer(page.read_text(encoding="utf-8"))
    ]
    # Charts are drawn from figures: tests/benchmarks holds them to the page that they are on.
    taken = {one.resolve() for one in (DOCS / "pictures").iterdir() if not one.name.startswith("bench-")}
    assert {path for path, _ in shown} == taken
    for path, words in shown:
        head = path.read_bytes()
        assert head.startswith(b"\x89PNG\r\n"), path.name
        assert len(head) <= 200_000, path.name
        # A phone's page is narrow; what is wider than a desk's window is shrunk until nobody can read it.
        assert 390 <= int.from_bytes(head[16:20], "big") <= 1_280, path.name
        assert words.strip(), path.name


def test_every_page_is_reached_from_the_readme() -> None:
    """By a link there, or by links of the pages that it links to."""
    reached: set[Path] = set()
    waiting = [PAGES[0]]
    while waiting:
        page = waiting.pop()
        targets = {
            (page.parent / found["target"].partition("#")[0]).resolve()
            for found in LINK.finditer(page.read_text(encoding="utf-8"))
        }
        fresh = {one for one in targets if one.suffix == ".md" and one.exists()} - reached
        reached |= fresh
        waiting += fresh
    assert {(DOCS / f"{name}.md").resolve() for name in OWN} <= reached


def test_both_readmes_say_the_same() -> None:
    english, japanese = PAGES[:2]
    assert len(_headings(english)) == len(_headings(japanese))
    assert _typed(english) == _typed(japanese)
    targets = [
        [found["target"] for found in LINK.finditer(page.read_text(encoding="utf-8"))] for page in PAGES[:2]
    ]
    assert set(targets[0]) - {"README.ja.md"} == set(targets[1]) - {"README.md"}
    assert len(english.read_text(encoding="utf-8").splitlines()) <= 280


def _typed(page: Path) -> list[str]:
    """The commands of the blocks, without what is said beside them."""
    return [
        re.sub(r'"[^"]*"', '""', line.split("  #")[0]).strip()
        for block in BLOCK.finditer(page.read_text(encoding="utf-8"))
        for line in block["body"].splitlines()
        if line.startswith("$ ")
    ]


def test_each_test_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGES[0].read_text(encoding="utf-8")))
    assert named
    for path, function in named:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        names = {
            node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert not function or function in names, f"{path}::{function}"
    assert {f"P{n}" for n in range(1, 11)} <= set(
        re.findall(r"\bP\d+\b", PAGES[0].read_text(encoding="utf-8"))
    )


# -- the first minutes, for real ---------------------------------------------------------------------------


def _commands(body: str) -> list[tuple[str, list[str]]]:
    """Each command with the lines that the page shows under it. A here-document belongs to its command."""
    found: list[tuple[str, list[str]]] = []
    document = False
    for line in body.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
            document = line.endswith("<<'END'")
        elif document:
            found[-1] = (f"{found[-1][0]}\n{line}", [])
            document = line != "END"
        else:
            found[-1][1].append(line)
    return found


def _plain(text: str) -> str:
    """Times and numbers differ from run to run, and so does where lines break."""
    return re.sub(r"\s+", " ", re.sub(r"\d+", "N", text))


class Reader:
    """Types what the quickstart shows, in one shell that keeps its variables, and reads what comes back."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        own = {
            name: value for name, value in os.environ.items() if not name.startswith(("HIKESHI_", "PREFECT_"))
        }
        # No Prefect here: the page says what happens then, and the flows have tests of their own.
        self.environment = own | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}",
            "PREFECT_API_URL": "http://127.0.0.1:9/api",
            "NO_COLOR": "1",
        }
        self.kept = folder / "kept.sh"
        self.kept.write_text(f"cd {shlex.quote(str(folder))}\n", encoding="utf-8")
        self.background: subprocess.Popen[bytes] | None = None

    def block(self, how: str, body: str) -> None:
        """One block of the page; `not here` is for what takes longer than a test may."""
        for command, shown in _commands(body) if how != "not here" else ():
            if how == "window":
                self.start(command)
            else:
                self.type(command, shown, int(how.removeprefix("exit: ")) if how else 0)

    def type(self, command: str, shown: list[str], code: int) -> None:
        """Run one command and hold what it says against the page."""
        command = command.replace("8410", str(self.port))
        script = f". {self.kept}\n{command}"
        ran = subprocess.run(  # noqa: S603 - the commands of our own page
            [BASH, "-c", script],
            check=False,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        said = ran.stdout + ran.stderr
        assert ran.returncode == code, f"{command}\n{said}"
        for line in filter(None, (line.strip() for line in shown)):
            if line != "…":
                assert _plain(line) in _plain(said), f"{command}\nshows {line!r}, said:\n{said}"
        if re.match(r"(export|cd) ", command):
            with self.kept.open("a", encoding="utf-8") as kept:
                kept.write(f"{command}\n")

    def start(self, command: str) -> None:
        """What runs in a window of its own, on a port that nobody has."""
        with (self.folder / "up.log").open("wb") as screen:
            self.background = subprocess.Popen(  # noqa: S603 - the commands of our own page
                [BASH, "-c", f". {self.kept}\nexec {command.split('#', 1)[0]} --port {self.port}"],
                env=self.environment,
                stdout=screen,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until = time.monotonic() + 90
        while not self._answers():
            assert time.monotonic() < until, (self.folder / "up.log").read_text(encoding="utf-8")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=2):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    def stop(self) -> None:
        """Ctrl-C in that window ends it in good order."""
        if self.background is not None:
            os.killpg(self.background.pid, signal.SIGINT)
            try:
                assert self.background.wait(60) == 0
            finally:
                if self.background.poll() is None:
                    os.killpg(self.background.pid, signal.SIGKILL)
            self.background = None


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "page",
    [PAGES[0], pytest.param(DOCS / "quickstart.md", marks=pytest.mark.slow)],
    ids=lambda page: page.stem,
)
def test_the_first_minutes_go_as_the_page_says(page: Path, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the alert is posted by curl, which is not installed here")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    reader = Reader(tmp_path, free_port())
    try:
        for found in SCRIPT.finditer(page.read_text(encoding="utf-8")):
            reader.block(found["how"] or "", found["body"])
        _link_opens((tmp_path / "up.log").read_text(encoding="utf-8"))
    finally:
        reader.stop()


def _link_opens(screen: str) -> None:
    """The link of a page on the screen shows the matter."""
    link = re.search(r"■ [^□■]*?(http://127\.0\.0\.1:\d+/p/[\w.-]+)", screen)
    assert link is not None, screen
    with urllib.request.urlopen(link[1], timeout=5) as answer:  # noqa: S310 - matched above
        assert answer.status == 200
        assert b"INC-" in answer.read()
