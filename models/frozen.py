"""Documents that are frozen into an incident, stored once by their content (promise P10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from models.canonical import document_digest
from models.plan import Plan, lay_out
from models.playbook import Playbook
from models.policy import Policy
from models.scenario import Scenario


@dataclass(frozen=True, kw_only=True)
class Document:
    """Exact bytes and their digest."""

    digest: str
    body: bytes


@dataclass(frozen=True, kw_only=True)
class FrozenPlaybook:
    """A playbook with all that it calls, at the versions of one day."""

    name: str
    version: str
    document: Document
    plan: Plan


def _document(content: Any) -> Document:
    body = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return Document(digest=document_digest(body), body=body)


def freeze_policy(policy: Policy) -> Document:
    """The document of routes, severity criteria, limits and permissions."""
    return _document(policy.model_dump(mode="json"))


def thaw_policy(body: bytes) -> Policy:
    """The policy in a stored document; what this version does not know any more is passed over."""
    return Policy.model_validate_json(body, extra="ignore")


def freeze_scenario(scenario: Scenario) -> Document:
    """The document of what is played in an exercise."""
    return _document(scenario.model_dump(mode="json", by_alias=True))


def thaw_scenario(body: bytes) -> Scenario:
    """The scenario in a stored document; what this version does not know any more is passed over."""
    return Scenario.model_validate_json(body, extra="ignore")


def freeze_playbook(name: str, playbooks: Mapping[str, Playbook]) -> FrozenPlaybook:
    """The playbook `name` with what it calls. Raises KeyError if it, or one it calls, does not exist."""
    plan = lay_out(playbooks[name], playbooks.__getitem__)
    called = {planned.step.call for planned in plan.steps.values() if planned.step.call}
    content = {
        "playbook": plan.playbook.model_dump(mode="json", by_alias=True),
        "calls": {call: playbooks[call].model_dump(mode="json", by_alias=True) for call in sorted(called)},
    }
    return FrozenPlaybook(name=name, version=plan.playbook.version, document=_document(content), plan=plan)


def thaw_plan(body: bytes) -> Plan:
    """The plan in a stored document."""
    content = orjson.loads(body)
    called = {name: Playbook.model_validate(one, extra="ignore") for name, one in content["calls"].items()}
    return lay_out(Playbook.model_validate(content["playbook"], extra="ignore"), called.__getitem__)
