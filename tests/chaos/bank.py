"""The bank in which things go wrong: the example, paging by telephone, in seconds where it has minutes."""

from __future__ import annotations

import re
import secrets
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from console.opening import open_house
from console.web.sessions import digest
from models.actor import Actor
from models.entering import ALL_ROLES, IssueToken

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "mihon-bank"
GATEWAY_SECRET = "of-a-loopback-gateway"  # noqa: S105 - opens nothing but a test's own receiver
SIEM_SECRET = "whsec_" + "aGlrZXNoaS1jaGFvcy0tLS0tLS0tLS0t"
PLAYBOOK = "chaos"
STEPS = f"""
playbook: {PLAYBOOK}
version: 1.0.0
title: 試験用 / for tests
reviewed: 2026-11-01
priority: 9
variables:
  number: {{type: text}}
steps:
  - {{id: begin, phase: triage, kind: manual, owner: csirt-duty, after: [], title: 始める,
     record: [{{id: number, title: number, type: text}}], sets: {{number: number}}}}
  - {{id: safe, phase: containment, kind: action, use: http.request, target: machine, on_crash: idempotent,
     params: {{name: safe, subject: $number}}, after: [begin], title: 何度でも}}
  - {{id: looked, phase: containment, kind: action, use: http.request, target: machine, on_crash: probe,
     params: {{name: looked, subject: $number}}, after: [begin], title: 見てから,
     probe: {{use: http.request, target: machine-state, params: {{name: looked, subject: $number}},
             done_if: 'output("state") == "done"'}}}}
  - {{id: asked, phase: containment, kind: action, use: http.request, target: machine, on_crash: ask,
     params: {{name: asked, subject: $number}}, after: [begin], title: 人に聞く}}
  - {{id: collect, phase: preservation, kind: action, use: file.collect, target: log-archive,
     preserves: [logs], on_crash: idempotent, volatility: 5, after: [begin], title: 集める}}
  - {{id: tell, phase: communication, kind: notice, owner: pr, to: [branch-lead],
     after: [begin], title: 知らせる, draft: {{ja: 障害です, en: It is down}}}}
  - {{id: first, phase: containment, kind: decision, authority: ciso, decides: containment-or-preservation,
     after: [begin], title: どちらが先か, recommend: contain, otherwise: 待つ,
     options: [{{id: contain, title: 封じる}}, {{id: preserve, title: 残す}}]}}
  - {{id: cut, phase: containment, kind: decision, authority: ciso, within: 4s, after: [first], title: 切るか,
     stops: [internet-banking], factors: [window, duration, services, alternative, customers-affected],
     options: [{{id: cut, title: 切る}}, {{id: watch, title: 見る}}], recommend: cut, otherwise: 広がる}}
  - {{id: cut-off, phase: containment, kind: action, use: http.request, target: machine, on_crash: probe,
     params: {{name: cut-off, subject: $number}}, after: [cut], when: 'decided("cut") == "cut"', title: 切る,
     stops: [internet-banking], decided_by: cut,
     probe: {{use: http.request, target: machine-state, params: {{name: cut-off, subject: $number}},
             done_if: 'output("state") == "done"'}}}}
"""
TARGETS = """
  machine:
    kind: http
    method: POST
    url: {url}/effects
    parameters: {{name: {{type: text}}, subject: {{type: text}}}}
    outputs: {{state: state}}
  machine-state:
    kind: http
    method: GET
    url: {url}/effects
    parameters: {{name: {{type: text}}, subject: {{type: text}}}}
    outputs: {{state: state}}
"""
_MINUTES = re.compile(r"(within|repeat|renew): (\d+)m\b")
_EVERY = re.compile(r"every: (\d+)m\b")


def make(
    directory: Path,
    receiver_url: str,
    *,
    database: str = "",
    data: str = "var",
    channels: str = "sms, file",
) -> Path:
    """The bank in `directory`; its people are reached by telephone, and where that fails by a file.

    `database` and `data` are as in settings.toml.
    """
    shutil.copytree(EXAMPLE, directory, ignore=shutil.ignore_patterns("var", "schemas", "scenarios"))
    (directory / "playbooks" / f"{PLAYBOOK}.yaml").write_text(STEPS, encoding="utf-8")
    with (directory / "targets.yaml").open("a", encoding="utf-8") as file:
        file.write(TARGETS.format(url=receiver_url))
    people = (directory / "organisation.yaml").read_text(encoding="utf-8")
    people = people.replace("channels: [console, file]", f"channels: [{channels}]")
    (directory / "organisation.yaml").write_text(people, encoding="utf-8")
    routes = (directory / "routes.yaml").read_text(encoding="utf-8")
    routes = _EVERY.sub("every: 20s", _MINUTES.sub(r"\1: \2s", routes)).replace("renew: 30s", "renew: 300s")
    (directory / "routes.yaml").write_text(routes, encoding="utf-8")
    settings = (directory / "settings.toml").read_text(encoding="utf-8")
    settings = settings.replace('fallback = ["console"]', 'fallback = ["file"]')
    settings = settings.replace('data = "var"', f'data = "{data}"')
    if database:
        settings = f'database = "{database}"\n{settings}'
    settings += f'\n[gateway]\nurl = "{receiver_url}/messages"\nsecret = "env:HIKESHI_GATEWAY_SECRET"\n'
    settings += 'timeout = "3s"\nchannels = ["sms"]\n'
    (directory / "settings.toml").write_text(settings, encoding="utf-8")
    return directory


def tokens(directory: Path) -> dict[str, str]:
    """A token for everybody of the bank, on record; made before anything runs."""
    house = open_house(directory)
    made = {}
    try:
        until = datetime.now(UTC) + timedelta(days=30)
        for person in house.institution.organisation.people:
            token = secrets.token_urlsafe(24)
            command = IssueToken(
                actor=Actor(person="sato-kenji", name="sato", via="test"), person=person.id,
                name=f"chaos-{person.id}", until=until, digest=digest(token), roles=(ALL_ROLES,),
                reason="chaos",
            )  # fmt: skip
            outcome = house.desk.handle("house", command)
            if outcome.accepted:
                made[person.id] = token
    finally:
        house.record.close()
    return made


def roles(directory: Path) -> dict[str, frozenset[str]]:
    """Who may speak for which role."""
    house = open_house(directory)
    try:
        return {one.id: frozenset(one.roles) for one in house.institution.organisation.people}
    finally:
        house.record.close()
