"""The command line against a node elsewhere: what is said, done and written is as it would be there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.remote import sending
from console.remote.sending import CONNECT_SECONDS
from tests.console.remotehouse import ROOT, Bank, Thief, node_of, notes, steady

INC = "INC-2026-0001"
RUN = "from console.main import run; run()"


TOKENS: dict[str, dict[str, str]] = {}
"""By the node's address."""


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    with node_of(tmp_path_factory.mktemp("remote")) as found:
        yield found


@pytest.fixture
def bank(
    there: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Bank:
    """The bank with its first incident."""
    monkeypatch.setattr(sending, "PAUSES", (0.01, 0.01, 0.01))
    # One token a person for the whole node: nobody may have more than a few in use.
    tokens = TOKENS.setdefault(there[1], {})
    made = Bank(directory=there[0], url=there[1], monkeypatch=monkeypatch, capsys=capsys, tokens=tokens)
    if not made.local("list", "--json").json:
        assert made.remote("declare", "Files encrypted", "--playbook", "short").code == 0
    return made


LOOKS = [
    ["list"], ["show", "1"], ["show", INC, "--json"], ["log", "1"], ["log", "house"], ["log", "1", "--json"],
    ["clocks", "1"], ["step", "list", "1"], ["step", "show", "1", "look"], ["decisions", "1"],
    ["gates", "1"], ["instants", "1"], ["evidence", "list", "1"], ["scope", "list", "1"],
    ["service", "list", "1"], ["report", "list", "1"], ["message", "templates"], ["alert", "list"],
    ["improvement", "list"], ["oncall"], ["route", "show", "main"], ["exercise", "year"], ["coverage"],
    ["playbook", "list"], ["playbook", "show", "short"], ["export", "1"], ["export", "1", "--format", "json"],
    ["show", "99"], ["show", "99", "--json"], ["message", "show", "1", "M-9"], ["metrics"],
]  # fmt: skip


def test_what_is_looked_at_from_elsewhere_is_what_is_seen_there(bank: Bank) -> None:
    for arguments in LOOKS:
        for lang in ("en", "ja") if arguments[0] in {"show", "list"} else ("en",):
            # The record may grow between the two: the node sends messages meanwhile.
            for _ in range(3):
                here, far = bank.local(*arguments, lang=lang), bank.remote(*arguments, lang=lang)
                if steady(here.out) == steady(far.out):
                    break
            assert steady(far.out) == steady(here.out), arguments
            assert steady(far.err) == steady(here.err), arguments
            assert far.code == here.code, arguments


def test_what_is_done_from_elsewhere_is_done_as_that_person(bank: Bank) -> None:
    said = bank.remote("note", "1", "seen from outside", "--for", "mori-chie")
    assert (said.code, said.err) == (0, "")
    assert "note: seen from outside" in said.out
    assert "Kenji Sato" in bank.local("log", "1").out.splitlines()[-1] or "seen from outside" in (
        bank.local("log", "1").out
    )
    refused = bank.remote("done", "1", "first")
    local = bank.local("done", "1", "first")
    assert (refused.code, refused.err) == (local.code, local.err) == (1, local.err)
    told = bank.remote("resolve", "1", "--cause", "a", "--entry-route", "b", "--json", person="mori-chie")
    assert told.code == 1
    assert told.json["reason"] == "role missing" and told.json["do"]


def test_wrong_usage_is_found_here_or_there_with_the_same_code(bank: Bank) -> None:
    for arguments in (
        ["declare"], ["done", "1"], ["list", "--nothing"], ["declare", "x", "--occurred", "yesterday"],
        ["note", "1", "x", "--at", "2026-11-24T03:00"], ["export", "1", "--format", "pdf"],
    ):  # fmt: skip
        assert bank.remote(*arguments).code == bank.local(*arguments).code == 2, arguments


def test_files_are_read_here_and_written_here(bank: Bank, tmp_path: Path) -> None:
    seen = tmp_path / "memory.txt"
    seen.write_text("a dump", encoding="utf-8")
    added = bank.remote(
        "evidence", "add", "1", "pc-7", "--description", "dump", "--file", str(seen), "--json"
    )
    assert added.code == 0, added
    assert "memory.txt" in bank.local("evidence", "list", "1").out
    ics = tmp_path / "clocks.ics"
    written = bank.remote("clocks", "1", "--ics", str(ics))
    assert written.code == 0 and str(ics) in written.out + written.err
    assert ics.read_text(encoding="utf-8").startswith("BEGIN:VCALENDAR")
    report = tmp_path / "report.md"
    assert str(report) in bank.remote("export", "1", "--out", str(report)).err
    assert INC in report.read_text(encoding="utf-8")
    archive = tmp_path / "all.zip"
    archive.write_bytes(b"mine")
    kept = bank.remote("export", "1", "--archive", str(archive))
    assert kept.code == 2 and archive.read_bytes() == b"mine"
    assert bank.remote("evidence", "add", "1", "x", "--description", "d", "--file", "/nothing").code == 2
    unwritable = bank.remote("clocks", "1", "--ics", str(tmp_path / "no" / "x.ics"))
    assert unwritable.code == 2 and "--ics" in unwritable.err


def test_what_cannot_be_written_here_is_not_put_on_record_there(bank: Bank, tmp_path: Path) -> None:
    assert bank.local("role", "1", "commander", "sato-kenji").code == 0
    assert bank.local("scope", "add", "1", "host", "cb-batch01", "--source", "x").code == 0
    asked = ["share", "prepare", "1", "--tlp", "amber", "--out"]
    nowhere, folder = tmp_path / "no" / "p.zip", tmp_path / "folder"
    folder.mkdir()
    for out in (nowhere, folder):
        said = bank.remote(*asked, str(out))
        assert said.code == 2, said
    assert "SHR-001" not in bank.local("share", "list", "1").out
    made = bank.remote(*asked, str(tmp_path / "p.zip"))
    assert made.code == 0 and (tmp_path / "p.zip").read_bytes().startswith(b"PK"), made


def test_what_is_only_possible_there_says_so(bank: Bank) -> None:
    for arguments in (["page-now"], ["key", "rotate", "--reason", "x"], ["relay", "now"]):
        said = bank.remote(*arguments)
        assert said.code == 1 and "node's own machine" in said.err, arguments
    hidden = bank.remote("evidence", "add", "1", "x", "--description", "d", "--reference", "/dev/sda")
    assert hidden.code == 2 and "--reference" in hidden.err


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"HIKESHI_URL": "http://hikeshi.example.jp"}, "begin with https://"),
        ({"HIKESHI_URL": "hikeshi.example.jp"}, "no address of a node"),
        ({"HIKESHI_URL": "https://me:secret-word@hikeshi.example.jp"}, "nothing but host"),
        ({"HIKESHI_TOKEN": ""}, "no token is"),
        ({"HIKESHI_TOKEN": "two secret-word"}, "no token"),
        ({"HIKESHI_TOKEN": "", "HIKESHI_TOKEN_FILE": "/nothing"}, "cannot be read"),
        ({"HIKESHI_CA_FILE": "/nothing"}, "no such file"),
    ],
)
def test_what_is_not_set_up_is_said_before_anything_is_sent(
    bank: Bank, environment: dict[str, str], words: str
) -> None:
    said = bank.remote("list", **environment)
    assert said.code == 2 and words in said.err
    assert "secret-word" not in said.err + said.out


def test_a_token_that_is_wrong_over_or_in_a_file(bank: Bank, tmp_path: Path) -> None:
    wrong = bank.remote("list", HIKESHI_TOKEN="hikeshi-not-this-one")  # noqa: S106 - made up
    assert wrong.code == 1 and "does not know this token" in wrong.err
    assert "not-this-one" not in wrong.err
    told = bank.remote("list", "--json", HIKESHI_TOKEN="x").json  # noqa: S106 - made up
    assert (told["accepted"], told["recorded"]) == (False, "no")
    file = tmp_path / "token"
    file.write_text(bank.tokens["sato-kenji"] + "\n", encoding="ascii")
    assert bank.remote("list", HIKESHI_TOKEN="", HIKESHI_TOKEN_FILE=str(file)).code == 0


def test_what_somebody_may_not_know_of_is_not_there_from_elsewhere_either(bank: Bank) -> None:
    declared = bank.local("declare", "an insider", "--playbook", "short", "--json").json["stream"]
    assert bank.local("restrict", declared, "--reason", "insider").code == 0
    for arguments in (["show", declared], ["log", declared], ["note", declared, "x"]):
        hidden = bank.remote(*arguments, person="mori-chie")
        assert hidden.code == 1 and "there is no incident" in hidden.err, arguments
    assert declared not in bank.remote("list", person="mori-chie").out
    assert declared in bank.remote("list").out


def test_a_directory_that_is_named_goes_before_the_node(bank: Bank) -> None:
    said = bank.remote("list", "--dir", str(bank.directory), HIKESHI_TOKEN="")
    assert said.code == 0 and INC in said.out


def test_a_node_that_is_not_there_and_one_that_is_something_else(bank: Bank) -> None:
    gone = bank.remote("note", "1", "x", HIKESHI_URL="http://127.0.0.1:1")
    assert gone.code == 1
    assert "cannot be reached" in gone.err and "NOTHING WAS RECORDED" in gone.err and "call" in gone.err
    told = bank.remote("note", "1", "x", "--json", HIKESHI_URL="http://127.0.0.1:1").json
    assert (told["reason"], told["recorded"]) == ("unreachable", "no")
    assert "NOTHING WAS" not in bank.remote("list", HIKESHI_URL="http://127.0.0.1:1").err
    other = bank.remote("list", HIKESHI_URL=f"{bank.url}/elsewhere")
    assert other.code == 1 and "not Hikeshi" in other.err
    assert CONNECT_SECONDS <= 5


def test_a_lost_answer_is_asked_for_again_under_the_same_key(bank: Bank) -> None:
    with Thief(bank.url, lose=2) as thief:
        said = bank.remote("note", "1", "told through a bad line", HIKESHI_URL=thief.url)
    assert said.code == 0, said
    assert len(thief.heard) == 3 and len(set(thief.heard)) == 1 and thief.heard[0][0]
    assert notes(bank, "told through a bad line") == 1


def test_when_no_answer_comes_it_says_that_nobody_knows(bank: Bank) -> None:
    with Thief(bank.url, lose=99) as thief:
        said = bank.remote("note", "1", "told into the dark", HIKESHI_URL=thief.url)
        told = bank.remote("note", "1", "told again", "--json", HIKESHI_URL=thief.url).json
        looked = bank.remote("list", HIKESHI_URL=thief.url)
    assert said.code == 1 and "NOT KNOWN WHETHER" in said.err and "hikeshi log" in said.err
    assert (told["reason"], told["recorded"]) == ("unknown", "unknown")
    assert looked.code == 1 and "NOT KNOWN" not in looked.err
    assert notes(bank, "told into the dark") == 1


@pytest.mark.parametrize(
    "instead",
    [
        "HTTP/1.1 307 x\r\nLocation: /elsewhere\r\n",
        "HTTP/1.1 429 x\r\nContent-Type: application/problem+json\r\n",
        "HTTP/1.1 401 x\r\nContent-Type: application/problem+json\r\n",
        "HTTP/1.1 500 x\r\nContent-Type: application/problem+json\r\n",
    ],
)
def test_what_comes_after_a_lost_answer_says_nothing_of_what_was_lost(bank: Bank, instead: str) -> None:
    problem = '{"reason": "x", "detail": "no"}'
    answer = f"{instead}Content-Length: {len(problem)}\r\nConnection: close\r\n\r\n{problem}"
    with Thief(bank.url, lose=1, instead=answer) as thief:
        text = f"told and then {instead[9:12]}"
        told = bank.remote("note", "1", text, "--json", HIKESHI_URL=thief.url).json
    assert (told["reason"], told["recorded"]) == ("unknown", "unknown") and "hikeshi log" in told["do"]
    assert notes(bank, text) == 1


def test_a_node_that_failed_does_not_say_that_nothing_was_recorded(bank: Bank) -> None:
    head = "HTTP/1.1 500 x\r\nContent-Type: application/problem+json\r\nContent-Length: 34\r\n"
    with Thief(
        bank.url, lose=0, instead=head + 'Connection: close\r\n\r\n{"reason":"internal","do":"look"}  '
    ) as thief:
        told = bank.remote("note", "1", "x", "--json", HIKESHI_URL=thief.url).json
    assert (told["reason"], told["recorded"]) == ("internal", "unknown")


def test_a_real_process_starts_at_once_and_shows_no_token(bank: Bank) -> None:
    bank.remote("list")
    token = bank.tokens["sato-kenji"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HIKESHI_")}
    environment |= {"HIKESHI_URL": bank.url, "HIKESHI_TOKEN": token, "PYTHONPATH": str(ROOT)}
    heavy = "{'sqlalchemy', 'sqlmodel', 'fastapi', 'prefect', 'models.desk', 'alembic'}"
    code = (
        "import sys\nfrom console.main import execute\nfound = execute(sys.argv[1:])\n"
        f"print(found, sorted({heavy} & set(sys.modules)), file=sys.stderr)"
    )
    ended = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code, "list", "--json"],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.stderr.splitlines()[-1] == "0 []", ended
    assert token not in ended.stdout + ended.stderr
    assert INC in json.dumps(json.loads(ended.stdout))


def test_following_prints_what_is_new_until_it_is_stopped(bank: Bank, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HIKESHI_")}
    bank.remote("list")
    environment |= {
        "HIKESHI_URL": bank.url, "HIKESHI_TOKEN": bank.tokens["sato-kenji"], "HIKESHI_LANG": "en",
        "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    with subprocess.Popen(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", RUN, "log", "1", "--follow"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert "incident declared" in process.stdout.readline()
            bank.local("note", "1", "while it is followed")
            lines = iter(process.stdout.readline, "")
            found = next(line for line in lines if "while it is followed" in line)
            assert found
        finally:
            process.kill()
