"""Rotas with an hour that nobody has, with two shifts in a row, with deputies in a circle who are all away.

Warnings, for the coming 60 days, one for each role or person and fault: a route that nobody can answer is an
error of its own (see `cover`), and the rota alone can be meant like that.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

from models.oncall import Gap, gaps
from models.organisation import Organisation
from playbooks.check.view import View
from playbooks.defect import Defect
from playbooks.document import KeyPath

AHEAD = timedelta(days=60)
_WRONG = {
    "nobody": "nobody is on duty as {who}",
    "unreachable": "nobody on duty as {who} has a channel that is set up",
    "too-long": "{who} is on duty for more than 16 hours without a break",
    "circle": "the deputies of {who} go in a circle ({people}) and all are away",
}
_EXPECTED = {
    "nobody": "a shift, an override or a deputy for every hour",
    "unreachable": "a channel that is set up",
    "too-long": "somebody else for the second shift",
    "circle": "a deputy outside the circle",
}


def defects(view: View) -> Iterator[Defect]:
    """What `hikeshi oncall gaps` finds in the roles that have a rota."""
    if view.organisation is None or view.directory is None:
        return
    document = view.document("organisation.yaml")
    rotas = {rota.id for rota in view.organisation.rotas}
    roles = [role.id for role in view.organisation.roles if role.rota in rotas]
    found: dict[tuple[str, str], list[Gap]] = {}
    for gap in gaps(view.directory, roles, view.now, view.now + AHEAD, view.channels):
        found.setdefault((gap.kind, gap.who), []).append(gap)
    zone = ZoneInfo(view.organisation.zone)
    for (kind, who), many in found.items():
        first = many[0]
        local = first.since.astimezone(zone)
        hours = sum((one.until - one.since for one in many), timedelta(0)) / timedelta(hours=1)
        said = _WRONG[kind].format(who=who, people=" > ".join((*first.people, *first.people[:1])))
        when = f"from {local:%Y-%m-%d %H:%M} ({local:%Z}), {hours:.3g} hours in all"
        path = _place(view.organisation, first)
        yield document.defect(path, f"{said} {when}", _EXPECTED[kind], severity="warning")


def _place(organisation: Organisation, gap: Gap) -> KeyPath:
    """The person or the role it is about, as the file has it."""
    if gap.kind in {"too-long", "circle"}:
        return ("people", [one.id for one in organisation.people].index(gap.who))
    return ("roles", [one.id for one in organisation.roles].index(gap.who))
