"""Who may do what: one table, over which the institution's policy may write its own rows.

`*` is everybody in the directory; `anyone`, of looking only, whoever the operating system lets open the data
folder. What a route or a playbook names (acknowledging, deciding, doing one's own step) is decided there and
not here; who may know of an incident at all is decided in `models.access`.
"""

from __future__ import annotations

from models.commands import Command
from models.errors import Refused
from models.fact import SYSTEM
from models.reason import Reason
from models.state import Incident, StreamState
from models.world import World

EVERYBODY = ("*",)
_CSIRT = ("csirt-duty", "csirt-lead", "commander", "scribe", "ciso")
_LEAD = ("csirt-lead", "commander", "ciso")
TABLE: dict[str, tuple[str, ...]] = {
    "declare": EVERYBODY,
    "note": EVERYBODY,
    "ack": EVERYBODY,
    "delegate": EVERYBODY,
    "decline": EVERYBODY,
    "approve": EVERYBODY,
    "opinion": EVERYBODY,
    "hand-over": EVERYBODY,
    "confirm": EVERYBODY,
    "done": EVERYBODY,
    "decide": EVERYBODY,
    "start": EVERYBODY,
    "dismiss": _CSIRT,
    "cancel": _LEAD,
    "merge": _LEAD,
    "link": _CSIRT,
    "resolve": _LEAD,
    "close": _LEAD,
    "reopen": _LEAD,
    "playbook": _LEAD,
    "playbook-announce": _LEAD,
    "playbook-read": EVERYBODY,
    "step-add": _CSIRT,
    "step-skip": _LEAD,
    "step-na": _LEAD,
    "step-assign": _CSIRT,
    "step-retry": _CSIRT,
    "withdraw": _LEAD,
    "override": EVERYBODY,
    "severity": _CSIRT,
    "instant": _CSIRT,
    "role": _LEAD,
    "shifts": _LEAD,
    "service": (*_CSIRT, "owner"),
    "impact": (*_CSIRT, "owner", "it-ops", "legal", "privacy-lead", "pr"),
    "forecast": (*_CSIRT, "owner", "it-ops"),
    "report-judge": (*_LEAD, "legal", "cio", "president"),
    "report-draft": (*_CSIRT, "legal"),
    "report-submit": (*_CSIRT, "legal"),
    "situation": _CSIRT,
    "vendor": (*_CSIRT, "it-ops", "owner", "legal"),
    "evidence": (*_CSIRT, "it-ops"),
    "evidence-verify": (*_CSIRT, "it-ops", "legal"),
    "evidence-hold": (*_LEAD, "legal"),
    "evidence-dispose": ("ciso", "cio", "president"),
    "scope": (*_CSIRT, "it-ops"),
    "scope-accept": ("ciso", "cio", "president"),
    "scope-retract": _LEAD,
    "party-notice": (*_LEAD, "legal"),
    "share": (*_CSIRT, "legal"),
    "share-sent": (*_LEAD, "legal"),
    "recovery-point": (*_CSIRT, "it-ops", "owner"),
    "improvement": _CSIRT,
    "improvement-end": _LEAD,
    "programme": (*_LEAD, "internal-audit"),
    "programme-sign-off": ("ciso", "cio", "president"),
    "finding": (*_LEAD, "internal-audit"),
    "finding-fix": _LEAD,
    "finding-retest": (*_LEAD, "internal-audit"),
    "finding-accept": ("ciso", "cio", "president"),
    "alert": _CSIRT,
    "out-of-band": ("csirt-lead", "commander", "ciso", "cio"),
    "comcheck": _CSIRT,
    "key": ("ciso", "cio"),
    "message": (*_CSIRT, "pr", "legal", "privacy-lead", "branch-lead", "vendor-desk"),
    "message-approve": EVERYBODY,
    "message-sent": (*_CSIRT, "pr", "legal", "privacy-lead", "branch-lead", "vendor-desk"),
    "message-withdraw": (*_LEAD, "pr"),
    "inquiry": (*_CSIRT, "pr", "legal", "branch-lead", "vendor-desk", "owner"),
    "record-export": (*_CSIRT, "cio", "legal", "internal-audit"),
    "record-restore": ("csirt-lead", "commander", "ciso", "cio", "hikeshi-admin"),
    "restrict": (*_LEAD, "president"),
    "break-glass": EVERYBODY,
    "inspector": ("ciso", "csirt-lead", "president"),
    "token": ("csirt-lead", "ciso", "cio", "hikeshi-admin"),
    "token-own": EVERYBODY,
    "login": ("csirt-lead", "ciso", "cio", "hikeshi-admin"),
    "login-own": EVERYBODY,
    "session": ("csirt-lead", "ciso", "cio", "hikeshi-admin"),
    "session-own": EVERYBODY,
    "drill": EVERYBODY,
    "drill-sign-off": ("ciso", "cio", "president"),
    "look": ("anyone",),
    "look-house": ("anyone",),
    "look-intake": ("anyone",),
    "look-programme": ("anyone",),
    "look-drill": ("anyone",),
    "look-metrics": ("anyone",),
    "verify": ("anyone",),
    "export": ("anyone",),
    "record-for": ("scribe", "csirt-lead", "commander"),
}
LASTING = frozenset(
    {
        "restrict", "role", "shifts", "hand-over", "step-assign", "playbook", "cancel", "dismiss", "merge",
        "resolve", "close", "reopen",
    }
)  # fmt: skip
"""What outlasts the hours of broken glass, or ends the incident: its rights do not reach so far."""


def require(
    command: Command, name: str, state: StreamState | None, world: World, owner: str | None = None
) -> frozenset[str]:
    """The roles of the person whose act it is, if they may do it. Raises Refused otherwise.

    `owner` is the role that a row's word `owner` stands for: the owner of the system in question.
    """
    actor = command.actor.person
    if actor == SYSTEM:
        return frozenset({SYSTEM})
    if actor is None or world.directory.person(actor) is None:
        raise Refused(Reason.UNKNOWN_PERSON, {"who": command.actor.name})
    incident = state if isinstance(state, Incident) else None
    if command.for_ is not None:
        _require_scribe(command, incident, world)
    roles = world.roles_of(incident, command.who, glass=name not in LASTING)
    allowed = world.policy.permissions.get(name, TABLE[name])
    if owner is not None:
        allowed = tuple(owner if one == "owner" else one for one in allowed)
    if "*" not in allowed and not roles & set(allowed):
        raise Refused(Reason.ROLE_MISSING, {"who": command.who, "needs": sorted(allowed), "command": name})
    return roles


def _require_scribe(command: Command, incident: Incident | None, world: World) -> None:
    """Only a scribe, or the CSIRT, writes for somebody else; that person exists."""
    if world.directory.person(command.for_ or "") is None:
        raise Refused(Reason.UNKNOWN_PERSON, {"who": command.for_})
    # Broken glass gives no right to write in another's name.
    own = world.roles_of(incident, command.actor.person or "", glass=False)
    allowed = world.policy.permissions.get("record-for", TABLE["record-for"])
    if not own & set(allowed):
        raise Refused(
            Reason.ROLE_MISSING,
            {"who": command.actor.person, "needs": sorted(set(allowed)), "command": "record-for"},
        )
