"""What control does with the script: give an inject, leave it out, change or add one, speak for others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from models.errors import BadExpression, Refused
from models.exercise import MAX_ADDED, Exercise, FireInject, Line, PutInject, SkipInject, SpeakFor
from models.exercise_conditions import FUNCTIONS
from models.exercise_script import Script, milliseconds
from models.expression import calls_in
from models.fact import Draft, place
from models.reach import reachable
from models.reason import Reason
from models.rules.common import Decided, text
from models.rules.exercise_common import (
    CONTROL,
    control_of,
    must_be,
    must_may,
    notice,
    to_people,
    to_roles,
    wrong,
)
from models.rules.exercise_lines import line_of, texts_of, written
from models.world import World

if TYPE_CHECKING:
    from models.scenario import Inject

CONTROL_PARTY = "control"
"""The party that speaks when nobody's voice is lent."""
MAX_SAID = 4_000


def fire(state: Exercise, command: FireInject, world: World) -> Decided:
    """Now, whatever its time and condition."""
    must_may(state, command, world, CONTROL)
    must_be(state, "running")
    _waiting(state, command.inject)
    script = Script(world.scenario, state)
    played = milliseconds(script.played_of(world.now))
    return delivery(state, command.inject, "fired", played, world)


def skip(state: Exercise, command: SkipInject, world: World) -> Decided:
    """It does not come in; what follows it stays where it is planned."""
    must_may(state, command, world, CONTROL)
    must_be(state, "prepared", "running")
    _waiting(state, command.inject)
    played = milliseconds(Script(world.scenario, state).played_of(world.now))
    data = {"inject": command.inject, "how": "skipped", "played_ms": played}
    return [Draft(kind="inject.skipped", data=data, texts={"reason": text(command.reason, "reason")})]


def delivery(state: Exercise, name: str, how: str, played_ms: int, world: World) -> list[Draft]:
    """An inject comes in: the fact, and the message to whoever plays the roles it goes to."""
    inject = Script(world.scenario, state).inject(name)
    data: dict[str, Any] = {"inject": name, "how": how, "played_ms": played_ms}
    if inject is None:
        return [Draft(kind="inject.delivered", data=data)]
    data |= {"from": inject.from_, "to": list(inject.to), "channel": inject.channel}
    people = to_roles(state, inject.to, world)
    if not reachable(people):
        # Nobody hears of it otherwise: control reads it out, or answers for whoever is not there.
        data["unreached"] = True
        people += to_people(state, control_of(state), world)
    return [
        Draft(kind="inject.delivered", data=data),
        notice("notice.inject", f"inject:{name}", people),
    ]


def _waiting(state: Exercise, name: str) -> Line:
    line = state.lines.get(name)
    if line is None:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": name, "known": sorted(state.lines)})
    if name in state.injects:
        raise Refused(Reason.ALREADY, {"what": f"{name}: {state.injects[name].how}"})
    return line


# -- changing the script ------------------------------------------------------------------------------------


def put(state: Exercise, command: PutInject, world: World) -> Decided:
    """A whole inject, new or instead of one that has not come in. Its texts lie beside the fact."""
    must_may(state, command, world, CONTROL)
    must_be(state, "prepared", "running")
    inject = _read(command.inject)
    if inject.id in state.lines:
        _waiting(state, inject.id)
    elif len(state.added) >= MAX_ADDED:
        raise wrong("inject", f"at most {MAX_ADDED} injects of control's own", len(state.added) + 1)
    defects = [*_unfit(inject, world), *_untimed(state, inject)]
    if defects:
        raise Refused(Reason.FIELD_WRONG, {"fields": defects})
    document = written(inject)
    texts = {f"inject.{path}": said for path, said in texts_of(document)}
    if command.reason.strip():
        texts["reason"] = text(command.reason, "reason")
    for path in texts:
        if path != "reason":
            place(document, path.removeprefix("inject."), "")
    line = line_of(inject)
    if state.status == "running":
        line["not_before_ms"] = milliseconds(Script(world.scenario, state).played_of(world.now))
    data = {"line": line, "inject": document, "changed": inject.id in state.lines}
    return [Draft(kind="inject.put", data=data, texts=texts)]


def _read(given: dict[str, object]) -> Inject:
    """Raises Refused with every field that is wrong."""
    from models.scenario import Inject  # noqa: PLC0415 - a node that plays nothing need not read it

    try:
        return Inject.model_validate(given)
    except ValidationError as bad:
        fields = [f"{'.'.join(map(str, one['loc'])) or 'inject'}: {one['msg']}" for one in bad.errors()]
        raise Refused(Reason.FIELD_WRONG, {"fields": fields}) from bad


def _unfit(inject: Inject, world: World) -> list[str]:
    """What the scenario does not have."""
    scenario = world.scenario
    if scenario is None:
        return []
    roles = {one.role for one in scenario.roles}
    sources = roles | {one.id for one in scenario.outside} | {CONTROL_PARTY}
    objectives = {one.id for one in scenario.objectives}
    defects = [f"to: expected one of {', '.join(sorted(roles))}, got {one}" for one in {*inject.to} - roles]
    if inject.from_ not in sources:
        defects.append(f"from: expected one of {', '.join(sorted(sources))}, got {inject.from_}")
    for one in {*inject.objectives} - objectives:
        defects.append(f"objectives: expected one of {', '.join(sorted(objectives))}, got {one}")
    return sorted(defects)


def _untimed(state: Exercise, inject: Inject) -> list[str]:
    """What is wrong with when it comes: an unreadable condition, or a place in no chain that begins."""
    defects = []
    if inject.when is not None:
        try:
            calls_in(inject.when, FUNCTIONS)
        except BadExpression as bad:
            defects.append(f"when: {bad}")
    before, seen = inject.after, {inject.id}
    while before is not None and before not in seen and before in state.lines:
        seen.add(before)
        before = state.lines[before].after
    if before is not None:
        what = "a circle" if before in seen else f"no inject {before}"
        defects.append(f"after: expected an inject of the script that comes before it, got {what}")
    return defects


# -- speaking for others ------------------------------------------------------------------------------------


def speak(state: Exercise, command: SpeakFor, world: World) -> Decided:
    """Control lends its voice to a party outside, or to a role that nobody plays."""
    must_may(state, command, world, CONTROL)
    must_be(state, "running")
    known = {CONTROL_PARTY}
    if world.scenario is not None:
        known |= {one.id for one in world.scenario.outside} | {one.role for one in world.scenario.roles}
    if command.party not in known:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": command.party, "known": sorted(known)})
    people = to_roles(state, command.to, world)
    if not people:
        raise wrong("to", "roles that somebody plays", ", ".join(command.to))
    data = {"party": command.party, "to": list(command.to)}
    said = Draft(kind="exercise.said", data=data, texts={"text": text(command.text, "text", MAX_SAID)})
    return [said, notice("notice.said", f"said:{state.seq + 1}", people)]
