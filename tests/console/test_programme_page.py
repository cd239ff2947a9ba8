"""docs/exercise-programme.md is typed as it stands, every command of it, and says what it shows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from tests.console.clihouse import Cli, cli
from tests.console.test_cli_exercises import KEY, result, written
from tests.test_docs import DOCS, SCRIPT, _commands, _plain

__all__ = ["cli"]
PAGE = DOCS / "exercise-programme.md"


def typed() -> Iterator[tuple[str, list[str], list[str]]]:
    """Whose each command is, its words, and the lines that the page shows under it."""
    for found in SCRIPT.finditer(PAGE.read_text(encoding="utf-8")):
        for command, shown in _commands(found["body"]):
            words = shlex.split(command.replace("$KEY", KEY.id))
            who = words.pop(0).partition("=")[2] if "=" in words[0] else "sato"
            assert words[0] == "hikeshi", command
            yield who, words[1:], [line for line in shown if line.strip()]


def test_the_page_goes_as_it_says(cli: Cli) -> None:
    file = written(cli, result())
    commands = list(typed())
    assert len(commands) > 20
    for who, words, shown in commands:
        answer = cli.run(*(file if word == "result.json" else word for word in words), who=who)
        assert answer.code == 0, (words, answer.out, answer.err)
        for line in shown:
            assert _plain(line.strip()) in _plain(answer.out), (line, answer.out)


def test_every_command_in_the_text_is_one_that_the_page_or_another_test_types() -> None:
    """What is named between the blocks is shown in one of them, or belongs to another page."""
    text = SCRIPT.sub("", PAGE.read_text(encoding="utf-8"))
    named = {" ".join(found.split()[:2]) for found in re.findall(r"`hikeshi ([a-z-]+ ?[a-z-]*)", text)}
    shown = {" ".join(words[:2]) for _, words, _ in typed()}
    assert named - shown <= {
        "metrics",
        "health",
        "exercise findings",
        "--dir",
        "drill prepare",
        "drill signoff",
    }
