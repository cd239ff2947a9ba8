"""What is hurt, and how much: services with their levels and losses, impact, instants, third parties."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from console.views.clocks import order_of_recovery
from console.views.naming import Naming
from console.views.sheet import Line
from models.clocks.loss import NO_POINTS, NONE_USABLE
from models.clocks.services import downtime
from models.fold.matter import at_target
from models.impact import KINDS, NOT_KNOWN
from models.rules.incident import INSTANTS
from models.state import DataLoss, Incident, ServiceState


def services(state: Incident, naming: Naming) -> Iterator[Line]:
    """The affected services in the order of recovery, each with its level, times, forecast and loss."""
    for name, known in sorted(state.services.items(), key=_order):
        done = at_target(known) or (known.targets is None and known.restored_at is not None)
        yield Line(
            text=f"{naming.service(name)} [{name}]: "
            + naming.texts("words.semicolon").join(_facts(name, known, naming)),
            style="good" if done else "warn",
        )
        if known.loss is not None:
            style = "bad" if known.loss.status == "beyond" else "plain"
            yield Line(text=loss(known.loss, known, naming), indent=1, style=style)  # type: ignore[arg-type]


def _order(item: tuple[str, ServiceState]) -> tuple[int, str]:
    return item[1].targets.order if item[1].targets is not None else 99, item[0]


def _facts(name: str, known: ServiceState, naming: Naming) -> Iterator[str]:
    texts = naming.texts
    for key in ("since", "stopped_at", "restored_at", "works_at", "resumed_at"):
        instant = getattr(known, key)
        if instant is not None:
            yield texts(f"words.service.{key}", at=naming.at(instant))
    if known.level:
        yield texts("clocks.service.level", level=naming.level(name, known.level))
    if known.note:
        yield naming.text(known.note, 120)
    for side, who in known.confirmed.items():
        yield texts(f"words.service.confirmed_{side}", who=naming.who(who))
    if known.down_since is not None:
        yield texts("clocks.service.downtime", span=naming.times.span(downtime(known, naming.now)))
    if known.forecast is not None and not at_target(known):
        at, who = naming.at(known.forecast.at), naming.who(known.forecast.by)
        yield texts("clocks.service.forecast", at=at, who=who)
    if known.targets is not None:
        rto, rpo = (timedelta(seconds=one) for one in (known.targets.rto, known.targets.rpo))
        yield f"RTO {naming.times.span(rto)} / RPO {naming.times.span(rpo)}"


def loss(found: DataLoss, known: ServiceState, naming: Naming) -> str:
    """The loss against the target; what is unknown says so."""
    texts = naming.texts
    lost = (
        naming.times.span(timedelta(seconds=found.loss))
        if found.loss is not None
        else texts("clocks.value.unknown")
    )
    rpo = naming.times.span(timedelta(seconds=known.targets.rpo)) if known.targets is not None else ""
    why = why_unknown(found.why, naming)
    point = found.point or why or texts("clocks.why.none-usable")
    said = texts(f"clocks.loss.{found.status}", loss=lost, rpo=rpo, point=point, why=why)
    if found.compromised is None and found.status != "unknown":
        said += texts("words.semicolon") + texts("clocks.loss.provisional")
    return said


def why_unknown(text: str, naming: Naming) -> str:
    """Why nobody can say what is lost, from the rule's own words."""
    head, _, point = text.partition(": ")
    keys = {NO_POINTS: "no-point", NONE_USABLE: "none-usable"}
    if point:
        return naming.texts("clocks.why.to-check", id=point)
    return naming.texts(f"clocks.why.{keys[head]}") if head in keys else head


def impact(state: Incident, naming: Naming) -> Iterator[Line]:
    """Every kind of harm; what nobody knows is shown as unknown."""
    texts = naming.texts
    for kind in KINDS:
        found = state.impacts.get(kind)
        name = texts.word("clocks.impact", kind)
        if found is None or found.value == NOT_KNOWN:
            yield Line(text=f"{name} [{kind}]: {texts('clocks.value.unknown')}", style="dim")
            continue
        words = found.value if isinstance(found.value, list) else [naming.text(found.value)]
        value = texts("words.comma").join(texts.word("clocks.value", one) for one in words)
        sure = texts.word("clocks.confidence", found.confidence)
        who = naming.texts("words.comma").join((sure, naming.text(found.source, 120), naming.who(found.by)))
        yield Line(text=f"{name} [{kind}]: {value}  ({who}, {naming.times.at(found.at)})")


def instants(state: Incident, naming: Naming) -> Iterator[Line]:
    """Every instant that a rule may ask for; one is never inferred from another."""
    for name in ("declared", *INSTANTS):
        at = state.instants.get(name)
        word = naming.texts.word("words.instant", name)
        said = naming.at(at) if at is not None else naming.texts("clocks.value.unknown")
        yield Line(text=f"{word} [{name}]: {said}", style="plain" if at is not None else "dim")


def vendors(state: Incident, naming: Naming) -> Iterator[Line]:
    """What third parties were asked for by contract, and what came."""
    for ask in state.vendors.values():
        what = naming.texts.word("clocks.vendor", ask.what)
        parts = [naming.times.at(ask.asked_at)]
        if ask.within:
            due = ask.asked_at + timedelta(seconds=ask.within)
            parts.append(
                naming.texts(
                    "clocks.report.due", at=naming.times.at(due), left=naming.times.left(due, naming.now)
                )
            )
        if ask.answered_at is not None:
            parts.append(naming.texts("clocks.reached", at=naming.times.at(ask.answered_at)))
        style = "good" if ask.answered_at is not None else "warn"
        text = f"{naming.who(ask.party)}: {what}  {naming.texts('words.semicolon').join(parts)}"
        yield Line(text=text, style=style)  # type: ignore[arg-type]


def in_order(state: Incident, naming: Naming) -> list[Line]:
    """The services, then the order in which they come back."""
    found = list(services(state, naming))
    order = order_of_recovery(naming)
    if order is not None:
        found.append(Line(text=order.title, style="strong"))
        found += [part for part in order.parts if isinstance(part, Line)]
    return found
