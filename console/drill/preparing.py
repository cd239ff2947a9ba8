"""Making a drill's directory from the institution's: the same people, routes and playbooks, and no address.

What could reach anything of production stays behind: addresses, targets, channels, keys, secrets, alerts'
secrets, the record. An address that stands in a free text as well is struck out there.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from ruamel.yaml import YAML

from models.drillfile import DRILL_FILE, PARTICIPANTS_FILE, DrillFile, without_addresses
from models.errors import BadInput
from models.frozen import freeze_scenario
from models.installation import Intake, Source
from models.organisation import Organisation, ThirdParty
from models.policy import Route
from models.programme import Organiser
from models.scenario import Scenario
from models.telephone import e164
from playbooks import schemas
from playbooks.catalogue import OWN_FILE as CATALOGUE
from playbooks.institution import Institution, RoutesFile
from playbooks.library import OWN_FOLDER as PLAYBOOKS
from playbooks.scenarios import OWN_FOLDER as SCENARIOS

STRUCK_OUT = "【訓練】"
"""What stands where an address was, in a text that is kept."""
COPIED = ("severity.yaml", "obligations.yaml", "messages.yaml", CATALOGUE)
"""Files that are taken over as they stand, addresses struck out."""
FIRST_PORT, PORTS = 8_420, 400
SHORTEST_ADDRESS = 5
IGNORED = "var/\nschemas/\n"
_HOUR = re.compile(r"^([01]?\d|2[0-3]):[0-5]\d$")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a drill is to be. `startex` is the hour of the story at STARTEX, aware."""

    drill: str
    scenario: Scenario
    source: Path
    startex: datetime
    seed: int
    prepared: datetime
    hikeshi: str
    by: Organiser = "internal"
    organiser: str = ""


def startex_at(scenario: Scenario, given: str | None, now: datetime, zone: str) -> datetime:
    """The hour of the story at STARTEX: today's at the scenario's hour, another hour, or a whole instant.

    `given` is `HH:MM` or an instant with its offset. Raises BadInput if it is neither.
    """
    local = now.astimezone(ZoneInfo(zone))
    hour = given or scenario.start.time
    if _HOUR.match(hour):
        return datetime.combine(local.date(), time.fromisoformat(hour.zfill(5)), ZoneInfo(zone))
    try:
        at = datetime.fromisoformat(hour)
    except ValueError as wrong:
        raise BadInput(
            f"--hour: expected an hour such as 00:40, or 2026-11-25T00:40+09:00, got {hour!r}"
        ) from wrong
    return at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(zone))


def write(directory: Path, institution: Institution, plan: Plan) -> tuple[DrillFile, int]:
    """Lay the drill's directory down, whole or not at all: what `drill.yaml` says, and the node's port.

    Raises BadInput if there is something already, or it cannot be written.
    """
    if directory.exists() and any(directory.iterdir()):
        raise BadInput(f"{directory} is not empty; choose another place with --to, nothing was written")
    part = directory.with_name(f".{directory.name}.part")
    file, port = _file(plan, institution), free_port(int(plan.drill.rpartition("-")[2]))
    try:
        part.mkdir(parents=True, mode=0o700)
        for name, text in files(institution, plan, file, port).items():
            place = part / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        schemas.write(part)
        part.rename(directory)
    except OSError as wrong:
        raise BadInput(
            f"{directory} cannot be written: {wrong.strerror}; choose another place with --to"
        ) from wrong
    return file, port


def files(institution: Institution, plan: Plan, file: DrillFile, port: int) -> dict[str, str]:
    """Every file of the drill's directory by its place, without any address of production."""
    made = {
        "organisation.yaml": _yaml(_organisation(institution.organisation)),
        "routes.yaml": _yaml(_routes(institution)),
        "intake.yaml": _yaml(_intake(institution.intake)),
        "targets.yaml": _TARGETS + "targets: {}\n",
        "settings.toml": _settings(institution, plan, port),
        DRILL_FILE: _DRILL + _yaml(file, flow=False),
        PARTICIPANTS_FILE: _PARTICIPANTS,
        f"{SCENARIOS}/{plan.scenario.scenario}.yaml": plan.source.read_text(encoding="utf-8"),
        ".gitignore": IGNORED,
    }
    for path in _copied(institution.directory):
        made[str(path.relative_to(institution.directory))] = path.read_text(encoding="utf-8")
    gone = addresses(institution.organisation)
    return {name: _struck(text, gone) for name, text in made.items()}


def addresses(organisation: Organisation) -> tuple[str, ...]:
    """Every address of production's organisation, as written and as it would be used; long ones first."""
    found: set[str | None] = {organisation.bridge, organisation.duty_channel}
    for person in organisation.people:
        found |= {person.slack, person.email, person.phone, person.number}
    for party in organisation.third_parties:
        found |= {party.phone, party.email, e164(party.phone)}
    found |= {*re.findall(r"[+\d][\d-]{8,}\d", organisation.bridge or "")}
    return tuple(
        sorted((one for one in found if one and len(one) >= SHORTEST_ADDRESS), key=len, reverse=True)
    )


def free_port(number: int) -> int:
    """A port for the drill's node that nobody has now: each drill begins to look at another one."""
    for turn in range(PORTS):
        port = FIRST_PORT + (number + turn) % PORTS
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    return 0


def _copied(directory: Path) -> Iterator[Path]:
    yield from (directory / name for name in COPIED if (directory / name).is_file())
    yield from sorted((directory / PLAYBOOKS).glob("*.yaml"))


def _struck(text: str, gone: tuple[str, ...]) -> str:
    for one in gone:
        text = text.replace(one, STRUCK_OUT)
    return text


def _file(plan: Plan, institution: Institution) -> DrillFile:
    return DrillFile(
        drill=plan.drill,
        scenario=plan.scenario.scenario,
        digest=freeze_scenario(plan.scenario).digest,
        seed=plan.seed,
        startex=plan.startex,
        institution=institution.organisation.name.ja[:200],
        organiser=plan.organiser,
        by=plan.by,
        prepared=plan.prepared,
        hikeshi=plan.hikeshi,
    )


def _organisation(organisation: Organisation) -> Organisation:
    return organisation.model_copy(
        update={
            "bridge": None,
            "duty_channel": None,
            "people": tuple(without_addresses(one) for one in organisation.people),
            "third_parties": tuple(_party(one) for one in organisation.third_parties),
        }
    )


def _party(party: ThirdParty) -> ThirdParty:
    """A third party that nobody can call: the controller plays it."""
    gone = STRUCK_OUT if party.phone or party.email else None
    return party.model_copy(update={"phone": gone, "email": None})


def _routes(institution: Institution) -> RoutesFile:
    policy = institution.policy
    return RoutesFile(
        routes=tuple(_everywhere(one) for one in policy.routes),
        limits=policy.limits,
        permissions=policy.permissions,
        approvals=policy.approvals,
        lists=policy.lists,
    )


def _everywhere(route: Route) -> Route:
    """The route without channels of its own: in a drill each person's own are used."""
    levels = tuple(one.model_copy(update={"channels": ()}) for one in route.levels)
    return route.model_copy(update={"levels": levels})


def _intake(intake: Intake) -> Intake:
    return Intake(sources=tuple(_source(one) for one in intake.sources))


def _source(source: Source) -> Source:
    if source.secret is None:
        return source
    name = re.sub(r"[^A-Z0-9]", "_", source.id.upper())
    return source.model_copy(update={"secret": f"env:HIKESHI_DRILL_{name}"})


def _settings(institution: Institution, plan: Plan, port: int) -> str:
    return _SETTINGS.format(drill=plan.drill, lang=institution.settings.lang, port=port)


def _yaml(value: BaseModel, *, flow: bool | None = None) -> str:
    """The value as YAML that reads back the same; `flow` None: short lists and mappings on one line."""
    made: Any = value.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = flow
    writer.allow_unicode = True
    writer.width = 110
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    text = StringIO()
    writer.dump(made, text)
    return text.getvalue()


_DRILL = """\
# drill.yaml - this directory is that of a drill (演習). All in it is practice; nothing reaches production.
"""
_TARGETS = """\
# targets.yaml - a drill touches nothing: how long machine steps take and what comes out stands in
# the scenario (`outcomes`).
"""
_PARTICIPANTS = """\
# yaml-language-server: $schema=schemas/participants.schema.json
# participants.yaml - who is reached in this drill, and where. Whoever is not in it is reached nowhere:
# the script plays their roles. An address counts once the person has confirmed it.
#
# people:
#   - {person: suzuki-daichi, slack: U0000000}
#   - {person: kato-hiroshi, email: kato@example.jp}
#   - {person: sato-kenji, channels: [console]}        # at the facilitator's own screen
people: []
"""
_SETTINGS = """\
# settings.toml - of the drill {drill} alone. Channels, secrets and port are its own.
lang = "{lang}"
port = {port}

# To play in Slack use a workspace or an app of its own; its secrets are named HIKESHI_DRILL_…, because
# nothing else of the environment comes into a drill:
#
# [slack]
# token = "env:HIKESHI_DRILL_SLACK_TOKEN"
# app_token = "env:HIKESHI_DRILL_SLACK_APP_TOKEN"
"""
