"""The tables of the docs, made from the code, and the last column that people write."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import orjson
from pydantic import BaseModel

from console.cli.app import build
from console.exercising import items_of
from console.rights import DOORS, MACHINES, SLACK, right_of
from console.texts import texts
from console.views.causes import KINDS as CAUSES
from console.web import prometheus
from models.errors import HikeshiError
from models.exercise import Exercise
from models.exercised import SERVED_BY
from models.expression import FUNCTIONS
from models.fold import kinds_of
from models.fold.pages import FOLDS as PAGE_FACTS
from models.gate import CLOSING_BY, GATES
from models.organisation import Channel
from models.permission import TABLE as PERMISSIONS
from models.playbook import _NEEDS, _ONLY, FACTORS, Kind, OnCrash, Playbook
from models.policy import PHASES, Event
from models.reason import Reason
from models.rules.incident import INSTANTS, RELATIONS
from models.scope import KINDS as SCOPE_KINDS
from models.state import House, Incident, Intake, Programme
from models.values import ID_PATTERN
from notifiers.console import ConsoleNotifier
from notifiers.email.deliver import EmailNotifier
from notifiers.file import FileNotifier
from notifiers.gateway.deliver import GatewayNotifier
from notifiers.probing import CODES
from notifiers.script.deliver import ScriptNotifier
from notifiers.slack.deliver import SlackNotifier
from notifiers.slack.scopes import APP_SCOPES, SCOPES
from notifiers.teams.deliver import TeamsNotifier
from playbooks.catalogue import GuidelineItem, read_catalogue
from playbooks.library import read_library
from playbooks.scenarios import shipped_scenarios

ROOT = Path(__file__).parent.parent
EXAMPLE_BANK = ROOT / "examples" / "mihon-bank"
VARIABLE = re.compile(r"HIKESHI_[A-Z_]+")
SOURCES = ("console", "flows", "models", "notifiers", "playbooks")


Rows = list[tuple[str, ...]]
ByHand = tuple[tuple[str, ...], Rows]
"""The heads and the cells of all columns but the last, which people write."""


def _code(value: object) -> str:
    return f"`{value}`"


def _kind_of(schema: Mapping[str, Any]) -> str:
    """A field's type as people read it."""
    some = [one for one in schema.get("anyOf", schema.get("oneOf", ())) if one.get("type") != "null"]
    if some:
        return " or ".join(dict.fromkeys(_kind_of(one) for one in some))
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[1])
    choices = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return ", ".join(_code(one) for one in choices) or _container(schema) or _scalar(schema)


def _span_or(annotation: object, schema: Mapping[str, Any]) -> str:
    """In a schema a span is a string; only the annotation tells."""
    if timedelta.__name__ not in str(annotation):
        return _kind_of(schema)
    return "span or map to span" if "dict[" in str(annotation) else "span"


def _container(schema: Mapping[str, Any]) -> str:
    inner = schema.get("items") or schema.get("additionalProperties")
    word = {"array": "list of ", "object": "map to "}.get(schema.get("type", ""), "")
    return word + (_kind_of(inner) if isinstance(inner, dict) else "texts") if word else ""


def _scalar(schema: Mapping[str, Any]) -> str:
    formats = {"date-time": "instant with offset", "date": "date", "time": "time of day"}
    if schema.get("format") in formats:
        return formats[schema["format"]]
    pattern = schema.get("pattern", "")
    if pattern == ID_PATTERN:
        return "id"
    if pattern.startswith("^(env:"):
        return "secret"
    kind = {"string": "string", "integer": "whole number", "number": "number", "boolean": "yes/no"}
    bounds = [schema.get(name) for name in ("minimum", "maximum")]
    shown = "–".join(f"{bound}" for bound in bounds) if None not in bounds else ""
    return f"{kind.get(schema.get('type', ''), 'any')} {shown}".strip()


def model_at(path: str) -> type[BaseModel]:
    module, name = path.rsplit(".", 1)
    found = getattr(import_module(module), name)
    assert isinstance(found, type) and issubclass(found, BaseModel), path
    return found


def fields(path: str) -> ByHand:
    """The fields of a model with type and default."""
    model = model_at(path)
    schema = model.model_json_schema(by_alias=True, mode="validation")
    schema = schema.get("$defs", {}).get(model.__name__, schema) if "$ref" in schema else schema
    rows: Rows = []
    for name, field in model.model_fields.items():
        shown = field.alias or name
        found = schema["properties"][shown]
        rows.append((_code(shown), _span_or(field.annotation, found), _default(found, field.is_required())))
    return ("field", "type", "default"), rows


def _default(schema: Mapping[str, Any], required: bool) -> str:
    if required:
        return "**needed**"
    value = schema.get("default")
    if value in (None, [], {}, ""):
        return "–"
    return _code(orjson.dumps(value).decode() if not isinstance(value, str) else value)


def facts(stream: str) -> ByHand:
    """The kinds of fact of one stream, those of pages apart."""
    types: Mapping[str, Any] = {
        "incident": Incident,
        "intake": Intake,
        "house": House,
        "programme": Programme,
        "exercise": Exercise,
    }
    kinds = sorted(PAGE_FACTS) if stream == "any" else sorted(kinds_of(types[stream]) - set(PAGE_FACTS))
    return ("fact",), [(_code(kind),) for kind in kinds]


def reasons(_: str) -> Rows:
    """Every named reason, what is said and what to do about it."""
    words = texts("en").entries
    head = ("reason", "in the record", "what is said", "what to do")
    said = [
        (_code(one.name), one.value, words[f"refused.{one.name}.what"], words[f"refused.{one.name}.do"])
        for one in Reason
    ]
    return [head, *said]


def errors(_: str) -> Rows:
    """Every class of the tree of errors, with its advice."""
    rows: Rows = [("error", "is a", "what it means, and what to do")]
    waiting: list[type[HikeshiError]] = [HikeshiError]
    while waiting:
        one = waiting.pop(0)
        above = one.__mro__[1].__name__
        rows.append((_code(one.__name__), _code(above), (one.__doc__ or "").split("\n")[0]))
        waiting += [kind for kind in one.__subclasses__() if kind.__module__ == "models.errors"]
    return rows


def permissions(_: str) -> ByHand:
    """Who may do what."""
    rows: Rows = [
        (_code(name), "everybody" if "*" in roles else ", ".join(map(_code, roles)))
        for name, roles in PERMISSIONS.items()
    ]
    return ("right", "roles"), rows


def doors(what: str) -> Rows:
    """What each door asks for: `commands`, `endpoints`, `slack` or `machines`."""
    if what == "commands":
        return [("command", "needs"), *((_code(f"hikeshi {name}"), right_of(name)) for name in whole_names())]
    if what == "endpoints":
        return [("endpoint", "needs"), *((_code(name), needs) for name, needs in DOORS.items())]
    if what == "slack":
        return [("act in Slack", "needs"), *((_code(name), _code(row)) for name, row in SLACK.items())]
    return [("act", "needs"), *((_code(name), "Hikeshi itself") for name in sorted(MACHINES))]


def whole_names() -> list[str]:
    """Every command by its whole name."""
    return sorted(" ".join(path) for path, _ in leaves())


def gates(_: str) -> ByHand:
    """Every gate with its item of the guideline."""
    rows: Rows = [
        (_code(gate.id), gate.guideline, ", ".join(map(_code, gate.override_by))) for gate in GATES.values()
    ]
    closing = ("`closing`", "FSA-2.5.2.6-B6", ", ".join(map(_code, CLOSING_BY)))
    return ("gate", "guideline", "who may override"), [*rows, closing]


def causes(_: str) -> Rows:
    """What holds a gate, in the words of the screen."""
    words = texts("en").entries
    return [("cause", "what is said"), *((_code(one), words[f"words.cause.{one}"]) for one in CAUSES)]


def functions(_: str) -> Rows:
    """What a condition may ask."""
    return [("function", "gives"), *((_code(name), what) for name, what in FUNCTIONS.items())]


def kinds(_: str) -> Rows:
    """The kinds of step and what each needs and may have."""
    rows: Rows = [("kind", "needs", "fields of this kind alone")]
    for kind in get_args(Kind):
        own = [name.replace("pass_", "with") for name in _ONLY.get(kind, ())]
        rows.append((_code(kind), ", ".join(map(_code, _NEEDS[kind])), ", ".join(map(_code, own)) or "–"))
    return rows


def guideline(_: str) -> Rows:
    """Every item with what Hikeshi does about it."""
    items = read_catalogue(EXAMPLE_BANK)[0]
    shipped = [
        entry.playbook for entry in read_library(EXAMPLE_BANK)[0].values() if entry.origin == "shipped"
    ]
    rows: Rows = [("item", "level", "origin", "covered by", "in short", "here")]
    for item in items.values():
        here = _held_by(item) or _named_in(item, shipped)
        rows.append((_code(item.id), item.level, item.origin, item.scope, item.summary.en, here))
    return rows


FURTHER = {"cause-addressed": ("FSA-2.5.2.6-B5",), "closing": ("FSA-2.5.2.6-B6",)}
"""Items that a gate enforces besides the one that it names."""


def _held_by(item: GuidelineItem) -> str:
    found = [_code(gate.id) for gate in GATES.values() if gate.guideline == item.id]
    found += [_code(gate) for gate, items in FURTHER.items() if item.id in items]
    return f"held by {', '.join(found)}" if found else ""


def _named_in(item: GuidelineItem, shipped: list[Playbook]) -> str:
    for playbook in shipped:
        if item.id in playbook.covers or any(item.id in step.guideline for step in playbook.steps):
            return "steps of shipped playbooks"
    served = ", ".join(_code(f"hikeshi {command}") for command in SERVED_BY.get(item.id, ()))
    if served and any(item.id in items_of(one) for one in shipped_scenarios().values()):
        return f"shipped scenarios; {served}"
    return served or {"governance": "the institution's own"}.get(item.scope, "not yet")


def scopes(_: str) -> Rows:
    """What the Slack app may do; the app-level token's own scope stands last."""
    rows: Rows = [("scope", "for", "methods")]
    return [
        *rows,
        *(
            (_code(one.name), one.why, ", ".join(map(_code, one.methods)) or "–")
            for one in (*SCOPES, *APP_SCOPES)
        ),
    ]


def findings(_: str) -> Rows:
    """What a live check can find, with what to do."""
    words = texts("en").entries
    head = ("finding", "fails the check", "what is said", "what to do")
    return [
        head,
        *(
            (
                _code(code),
                "yes" if severity == "missing" else "no",
                words[f"readiness.live.what.{code}"],
                words[f"readiness.live.do.{code}"],
            )
            for code, severity in CODES.items()
        ),
    ]


def channels(_: str) -> ByHand:
    """Every channel and whether it can be asked what has arrived."""
    all_of = (ConsoleNotifier, FileNotifier, SlackNotifier, EmailNotifier, TeamsNotifier, ScriptNotifier)
    reads = {one.name: one.can_read_back for one in all_of}
    reads |= dict.fromkeys(("sms", "voice"), GatewayNotifier.can_read_back)
    return ("channel", "can be read back"), [
        (_code(name), "yes" if reads[name] else "no") for name in get_args(Channel)
    ]


def variables(_: str) -> ByHand:
    """Every variable of the environment that the code reads; the secrets of the examples apart."""
    found = {"PREFECT_API_URL"}
    for path in (path for folder in SOURCES for path in (ROOT / folder).rglob("*.py")):
        found |= set(VARIABLE.findall(path.read_text(encoding="utf-8")))
    return ("variable",), [(_code(name),) for name in sorted(found) if not name.endswith("_SECRET")]


def listed(name: str) -> ByHand:
    """A plain list of names of the code."""
    lists: Mapping[str, tuple[str, ...]] = {
        "events": get_args(Event),
        "phases": (*PHASES, "communication"),
        "instants": INSTANTS,
        "scope-kinds": SCOPE_KINDS,
        "relations": RELATIONS,
        "factors": FACTORS,
        "on-crash": get_args(OnCrash),
    }
    return (name.rstrip("s"),), [(_code(one),) for one in lists[name]]


@cache
def command_tree() -> Any:
    """The whole command line, in English."""
    return build(texts("en"))


def leaves(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with its words."""
    command = command or command_tree()
    children = getattr(command, "commands", {})
    if not children:
        yield path, command
    for name, child in children.items():
        yield from leaves(child, (*path, name))


NOT_ONLY_LOOKING = ("init", "up", "page-now", "check", "monitoring")
COMMON = ("dir_", "lang_", "json_", "for_", "page_now_", "help")


def commands(_: str) -> str:
    """Every command with its arguments, options and an example."""
    parts = []
    for path, command in leaves():
        example = (command.epilog or "").split("Example:", 1)[-1].strip()
        shown = [one for one in command.params if one.name not in COMMON]
        rows: Rows = [("argument or option", "meaning"), *((_written(one), one.help or "") for one in shown)]
        table = _table(rows) if shown else ""
        writes = any(one.name == "for_" for one in command.params)
        note = "" if writes or path[0] in NOT_ONLY_LOOKING else " It only looks."
        parts.append(
            f"### hikeshi {' '.join(path)}\n\n{command.help}{note}\n\n{table}\n```text\n{example}\n```\n"
        )
    return re.sub(r"\n{3,}", "\n\n", "\n" + "\n".join(parts))


def _written(parameter: Any) -> str:
    name = parameter.opts[0] if parameter.opts[0].startswith("-") else ""
    value = "" if getattr(parameter, "is_flag", False) else parameter.metavar or ""
    text = f"{name} {value}".strip()
    many = "…" if getattr(parameter, "multiple", False) else ""
    return _code(text if parameter.required else f"[{text}]") + many


def measures(_: str) -> Rows:
    """What a node tells Prometheus."""
    rows = [(_code(one.name), one.kind, one.help) for one in prometheus.FAMILIES]
    return [("measure", "type", "meaning"), *rows]


GENERATED: Mapping[str, Callable[[str], Rows]] = {
    "reasons": reasons, "errors": errors, "causes": causes, "functions": functions, "kinds": kinds,
    "guideline": guideline, "scopes": scopes, "findings": findings,
    "measures": measures,
}  # fmt: skip
BY_HAND: Mapping[str, Callable[[str], ByHand]] = {
    "fields": fields, "facts": facts, "permissions": permissions, "gates": gates, "channels": channels,
    "variables": variables, "list": listed,
}  # fmt: skip


# -- the tables of the docs ---------------------------------------------------------------------------------


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").strip()


def _table(rows: Rows) -> str:
    head, *rest = rows
    lines = [head, tuple("---" for _ in head), *rest]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in lines) + "\n"


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def rendered(what: str, body: str) -> str:
    """The table as it ought to be; the last column of one written by hand is taken from `body`."""
    name, _, argument = what.partition(" ")
    if name == "commands":
        return commands(argument)
    if name == "doors":
        return _table(doors(argument))
    if name in GENERATED:
        return _table(GENERATED[name](argument))
    head, rows = BY_HAND[name](argument)
    old = [cells_of(line) for line in body.splitlines() if line.startswith("|")]
    meanings = {cells[0]: cells[-1] for cells in old[2:]}
    last = old[0][-1] if old else "meaning"
    filled = [(*row, meanings.get(_cell(row[0]), "").replace("\\|", "|")) for row in rows]
    return _table([(*head, last), *filled])
