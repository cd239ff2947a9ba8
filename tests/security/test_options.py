"""What reaches a program reaches it as plain text: never as an option, a second command or a line more."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.operations.catalogue import operations
from console.operations.running import arguments
from flows.actions import run
from flows.actions.parameters import problem_of
from models.targets import CommandTarget, Parameter
from tests.flows.test_actions import make_context
from tests.security.corpora import document

OPTIONS, INERT = (tuple(document("options")[name]) for name in ("texts", "inert"))
AT_A_FILE = "@/etc/passwd"
"""Some programs take it for a file; no shell does. An allow-listed command has to be no such program."""


@pytest.mark.parametrize("text", [one for one in OPTIONS if one != AT_A_FILE])
def test_no_text_becomes_an_option_of_a_program(text: str) -> None:
    for kind in ("text", "host", "number", "path", "choice"):
        parameter = Parameter.model_validate({"type": kind, "choices": ["deny"], "max_length": 400})
        assert problem_of(parameter, text) is not None, kind


def test_hosts_numbers_and_choices_are_nothing_else() -> None:
    for text in (*INERT, AT_A_FILE):
        for kind in ("host", "number", "choice"):
            parameter = Parameter.model_validate({"type": kind, "choices": ["deny"]})
            assert problem_of(parameter, text) is not None, (kind, text)


async def test_what_a_shell_would_take_is_one_argument(tmp_path: Path) -> None:
    names = [f"p{number}" for number in range(len(INERT))]
    target = CommandTarget.model_validate(
        {
            "kind": "command",
            "argv": ["printf", "<%s>", *(f"{{{name}}}" for name in names)],
            "parameters": {name: {"type": "text"} for name in names},
        }
    )
    result = await run("command.run", target, dict(zip(names, INERT, strict=True)), make_context(tmp_path))
    assert result.outputs["stdout"] == "".join(f"<{one}>" for one in INERT)


@pytest.mark.parametrize("name", [name for name, one in operations().items() if one.writes])
def test_no_text_becomes_an_option_of_our_own_commands(name: str) -> None:
    one = operations()[name]
    for text in (*OPTIONS[::5], *INERT[::6]):
        values = {field.name: text for field in one.fields if not field.many and field.name != "file"}
        line = arguments(one, values)
        after = line.index("--") if "--" in line else len(line)
        given = [word for word in line[len(name.split()) : after] if not word.startswith("--")]
        assert given == [], (name, given)
