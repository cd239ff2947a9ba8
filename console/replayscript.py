"""A record of this house as the scenario of a drill: the file that `hikeshi drill prepare` plays."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML

from console.opening import House
from models.errors import BadInput
from models.replay.exercise import Sources, script_of
from models.replay.recorded import read_back
from playbooks.check import check
from playbooks.defect import Defects, errors_of
from playbooks.scenarios import OWN_FOLDER

HEAD = "# Made by `hikeshi replay {stream} --as-exercise`: read it through before it is played.\n"


def write(house: House, stream: str, spoken: Callable[[str], str], into: House | None = None) -> Path:
    """Lay the scenario down among the institution's own, checked; its file. Names go through `spoken`.

    `into` is the institution's house where `house` is that of a drill. Raises BadInput if there is one
    already, nothing was decided, or few may know of it; Defects if it does not fit here.
    """
    into = into or house
    if house.desk.incident(stream).restriction.on:
        raise BadInput(
            f"{stream} is restricted, and a scenario is read by whoever can read the directory; "
            "lift the restriction first (`hikeshi restrict {stream} --lift --reason …`)"
        )
    with house.record.read() as tx:
        facts, texts = tx.facts(stream), tx.texts(stream, 0)
    desk, today = house.desk, into.desk.clock.now()
    used = {fact.data["playbook"] for fact in facts if fact.kind == "playbook.added"}
    steps = {
        key: step
        for name in sorted(used)
        if name in desk.library
        for key, step in desk.library[name].plan.steps.items()
    }
    sources = Sources(
        recorded=read_back(facts, texts),
        texts=texts,
        steps=steps,
        directory=desk.directory,
        zone=house.institution.organisation.zone,
        day=today.date(),
        spoken=spoken,
        origin=house.drill.drill if house.drill is not None else stream,
        drill=house.drill is not None,
    )
    content = script_of(sources)
    path = into.institution.directory / OWN_FOLDER / f"{content['scenario']}.yaml"
    if path.exists():
        raise BadInput(f"{path} is there already; move it away, or play it with `hikeshi drill prepare`")
    out = StringIO()
    YAML().dump(content, out)
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEAD.format(stream=sources.origin) + out.getvalue(), encoding="utf-8")
    wrong = [one for one in errors_of(check(into.institution.directory, today)) if one.file == str(path)]
    if wrong:
        path.unlink()
        raise Defects(wrong)
    return path
