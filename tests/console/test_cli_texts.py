"""Every word that people read exists in Japanese and in English, and says what it has to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from console.cli.app import build
from console.texts import LANGUAGES, Texts, texts
from console.views import causes, facts
from models.exercise import Exercise
from models.fold import kinds_of
from models.gate import GATES
from models.policy import PHASES, Event
from models.reason import Reason
from models.rules.incident import INSTANTS
from models.scope import KINDS as SCOPE_KINDS
from models.state import House, Incident, IncidentStatus, Intake, Programme, StepStatus

BOTH = pytest.mark.parametrize("say", [texts(lang) for lang in LANGUAGES], ids=LANGUAGES)
KINDS = sorted(kind for state in (Incident, Intake, House, Programme, Exercise) for kind in kinds_of(state))
JAPANESE = re.compile(r"[ぁ-んァ-ヶ一-龠]")
PLACES = re.compile(r"\{(\w+)\}")


@BOTH
@pytest.mark.parametrize("reason", list(Reason), ids=str)
def test_every_reason_says_why_and_what_to_do(say: Texts, reason: Reason) -> None:
    assert say.entries[f"refused.{reason.name}.what"].strip()
    assert say.entries[f"refused.{reason.name}.do"].strip()
    assert say.entries[f"refused.short.{reason.name}"].strip()


@BOTH
@pytest.mark.parametrize("kind", [*KINDS, *facts.variants()])
def test_every_kind_of_fact_has_a_sentence(say: Texts, kind: str) -> None:
    assert say.entries[f"facts.{kind}"].strip()


@BOTH
def test_words_of_every_list_that_screens_show(say: Texts) -> None:
    wanted = [
        *(f"words.status.{name}" for name in (*get_args(StepStatus), *get_args(IncidentStatus))),
        *(f"words.event.{name}" for name in get_args(Event)),
        *(f"words.phase.{name}" for name in (*PHASES, "communication")),
        *(f"words.instant.{name}" for name in INSTANTS),
        *(f"words.scope.{name}" for name in SCOPE_KINDS),
        *(f"words.gate.{name}" for name in GATES),
        *(f"words.cause.{name}" for name in causes.KINDS),
    ]
    assert [key for key in wanted if not say.has(key)] == []


def test_both_languages_have_the_same_texts_with_the_same_places() -> None:
    one, other = texts("ja").entries, texts("en").entries
    mine = [key for key in one if key.split(".")[0] in {"facts", "help", "refused", "words"}]
    assert set(one) == set(other)
    assert [key for key in mine if set(PLACES.findall(one[key])) != set(PLACES.findall(other[key]))] == []


def test_japanese_texts_are_japanese_and_english_ones_are_not() -> None:
    sentences = ("refused", "facts", "help.command", "words.cause", "words.usage")
    ja = [k for k, v in texts("ja").entries.items() if k.startswith(sentences) and not JAPANESE.search(v)]
    en = [k for k, v in texts("en").entries.items() if k.startswith(sentences) and JAPANESE.search(v)]
    assert ja == []
    assert en == []


def _walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from _walk(child, (*path, name))


@BOTH
def test_every_command_has_help_an_example_and_explained_options(say: Texts) -> None:
    missing = []
    for path, command in _walk(build(say)):
        name = " ".join(path)
        missing += [] if command.help else [f"{name}: help"]
        missing += [] if command.epilog or hasattr(command, "commands") else [f"{name}: example"]
        missing += [f"{name} {one.name}" for one in command.params if not one.help]
    assert missing == []


def test_every_example_names_a_command_and_options_that_exist() -> None:
    tree = dict(_walk(build(texts("en"))))
    for key, example in texts("en").entries.items():
        if not key.startswith("help.example.") or key == "help.example.hikeshi":
            continue
        path = tuple(key.removeprefix("help.example.").split("."))
        assert example.startswith(f"hikeshi {' '.join(path)}"), example
        options = {option for one in tree[path].params for option in one.opts}
        assert set(re.findall(r"(?<!\S)--[a-z-]+", example)) <= options, example
