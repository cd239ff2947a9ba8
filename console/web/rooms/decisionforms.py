"""What somebody can do about a decision or a gate, as forms; who is not entitled is told who is."""

from __future__ import annotations

from collections.abc import Iterator

from console.web.doing import Doing, Forms, Input, Kind
from console.web.rooms.stepforms import opinions
from models.factors import FACTOR_TYPES
from models.plan import PlannedStep
from models.rules.overriding import authorities
from models.rules.voting import seats_of
from models.state import ENDED, StepState
from models.world import World

_KINDS: dict[str, Kind] = {"services": "checks", "text": "area"}


def entitled(planned: PlannedStep, forms: Forms) -> bool:
    """Whether the person may make this decision now, in their own right or for somebody who is away."""
    if planned.step.quorum is not None:
        return bool(seats_of(forms.state, planned, forms.person, forms.naming.world))
    return holds(planned.step.authority or "", forms)


def holds(role: str, forms: Forms) -> bool:
    """Whether the person has this role now."""
    world: World = forms.naming.world
    holders = world.holders(forms.state, role) if role else ()
    return role in forms.roles or any(one.person.id == forms.person for one in holders)


def weighed(name: str, forms: Forms) -> Input:
    """A factor as a field of its type; `unknown` is always an answer."""
    kind = FACTOR_TYPES.get(name, "text")
    ends = ".all" if kind == "services" else ""
    return Input(
        name=f"factor.{name}{ends}",
        label=forms.naming.texts.word("words.factor", name),
        kind=_KINDS.get(kind, "text"),
        required=True,
        hint=forms.said_of("hint", f"factor-{name}"),
        options=forms.services if kind == "services" else (),
        unknown=f"factor.{name}.unknown",
    )


def choosing(planned: PlannedStep, known: StepState, forms: Forms) -> Iterator[Doing]:
    """Deciding, proposing or voting; approving or not what another has proposed."""
    if forms.state.status in ENDED or not forms.person or forms.ask.is_vendor:
        return
    step, of, hidden = planned.step, planned.key, {"step": planned.key}
    if known.proposed is not None:
        yield from _second(planned, known, forms)
    elif known.status in {"ready", "started"} and (entitled(planned, forms) or forms.scribe):
        name = "vote" if step.quorum is not None else "propose" if step.approver else "decide"
        yield forms.form(name, "decide", *_asked(planned, forms), of=of, hidden=hidden)
    if forms.person in known.votes:
        vote = hidden | {"vote": "on"}
        yield forms.form("withdraw-vote", "withdraw", forms.reason(), of=of, hidden=vote)
    if (known.choice or known.proposed) and (entitled(planned, forms) or forms.may("withdraw")):
        yield forms.form("withdraw", "withdraw", forms.reason(), of=of, hidden=hidden)
    alone = step.approver is None and step.quorum is None
    if known.choice and alone and entitled(planned, forms):
        anew = hidden | {"supersede": "on"}
        yield forms.form("supersede", "decide", *_asked(planned, forms), of=of, hidden=anew)
    yield from opinions(planned, known, forms)


def _second(planned: PlannedStep, known: StepState, forms: Forms) -> Iterator[Doing]:
    """The other pair of eyes; never one of the first."""
    proposed = known.proposed
    if proposed is None or forms.person in {proposed.by, proposed.recorded_by}:
        return
    if holds(planned.step.approver or "", forms):
        of, hidden = planned.key, {"step": planned.key, "proposal": str(proposed.seq)}
        remark = forms.field("reason", "area")
        yield forms.form("approve", "approve", remark, of=of, hidden=hidden)
        yield forms.form("reject", "reject", forms.reason(), of=of, hidden={"step": planned.key})


def _asked(planned: PlannedStep, forms: Forms) -> list[Input]:
    lang = forms.naming.lang
    options = [(one.id, one.title.lang(lang)) for one in planned.step.options]
    factors = [weighed(name, forms) for name in planned.step.weighed]
    option = forms.choice("option", options, required=True)
    return [option, *factors, forms.reason(), *forms.in_the_name_of(), forms.at()]


def passing(gate: str, step: str, forms: Forms) -> Iterator[Doing]:
    """Passing a closed gate, for whoever has that authority."""
    if forms.roles & set(authorities(gate, forms.naming.world)) and forms.may("override"):
        hidden = {"gate": gate, "step": step}
        yield forms.form("override", "override", forms.reason(), of=f"{gate}-{step}", hidden=hidden)


def taking_back(key: str, forms: Forms) -> Iterator[Doing]:
    """Taking the passing of a gate back."""
    gate, _, step = key.partition("@")
    if forms.roles & set(authorities(gate, forms.naming.world)) and forms.may("override"):
        hidden = {"gate": gate, "step": step, "withdraw": "on"}
        yield forms.form("override-withdraw", "override", forms.reason(), of=f"{gate}-{step}", hidden=hidden)
