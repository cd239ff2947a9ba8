"""What ships as data: the playbooks, the catalogue, the example bank. Data is tested like code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from models.expression import STEP_FUNCTIONS, calls_in, evaluate
from models.plan import Plan, PlannedStep, lay_out
from models.playbook import FACTORS, MAX_ROUNDS, Playbook, Probe, Step
from models.policy import PHASES
from models.targets import CommandTarget, FileTarget, HttpTarget, parameters_of
from models.values import Text
from playbooks.catalogue import GuidelineItem, read_catalogue
from playbooks.check import check
from playbooks.drafts import GAP, render_draft
from playbooks.institution import Institution, load
from playbooks.library import read_library

ROOT = Path(__file__).parents[2]
BANK = ROOT / "examples" / "mihon-bank"
ALERTS = ROOT / "examples" / "alerts"
NOWHERE = ROOT / "examples" / "none-such"
JAPANESE = re.compile(r"[぀-ヿ一-鿿]")
SAME_IN_BOTH = {"TLP", "CISO", "CIO", "JPCERT/CC"}


@cache
def library() -> dict[str, Playbook]:
    entries, defects = read_library(NOWHERE)
    assert not defects
    return {name: entry.playbook for name, entry in entries.items()}


PARTS = tuple(sorted({step.call for book in library().values() for step in book.steps if step.call}))
"""Playbooks that others call."""
WHOLE = tuple(sorted(set(library()) - set(PARTS)))
"""Playbooks that carry an incident from the first alert to the lessons: all that are no parts."""
PROMISED = {
    "cloud-misconfiguration",
    "crypto-outflow",
    "ddos",
    "disinformation",
    "exploited-vulnerability",
    "fraudulent-transfers",
    "infrastructure-outage",
    "insider",
    "personal-data-breach",
    "ransomware",
    "securities-account-takeover",
    "targeted-attack",
    "third-party-compromise",
    "unknown",
    "web-defacement",
}
CUTS = {"isolate-segment", "isolate-host", "block-egress", "drop-remote-access"}
"""What a firewall is asked to do when a service or a line is really cut."""
RECOVERING = {"restore-services", "resume-services"}
LIMITS_AND_CUTS = (
    ("cloud-misconfiguration", "suspend-service", "limit", "suspend"),
    ("crypto-outflow", "stop-withdrawals", "stop-one-coin", "stop-outgoing"),
    ("ddos", "choose-mitigation", "narrow", "disconnect"),
    ("disinformation", "restrict-functions", "restrict", ""),
    ("fraudulent-transfers", "limit-service", "limit", "stop"),
    ("infrastructure-outage", "cut-link", "hold-queues", "cut"),
    ("securities-account-takeover", "restrict-functions", "stop-functions", "stop-online"),
    ("web-defacement", "stop-publication", "pages-only", "take-down"),
)
NEVER_CUTS = {"disinformation"}
"""Limits functions at most."""


@cache
def plan(name: str) -> Plan:
    return lay_out(library()[name], library().__getitem__)


@cache
def catalogue() -> dict[str, GuidelineItem]:
    items, _, defects = read_catalogue(NOWHERE)
    assert not defects
    return items


@cache
def bank() -> Institution:
    return load(BANK)


@cache
def before(name: str, key: str) -> frozenset[str]:
    """All steps that are settled before this one can begin."""
    laid = plan(name)
    found: set[str] = set()
    todo = list(laid.steps[key].after or ())
    while todo:
        ahead = todo.pop()
        if ahead not in found:
            found.add(ahead)
            todo += [*(laid.steps[ahead].after or ()), *laid.children.get(ahead, ())]
    return frozenset(found)


def texts(value: Any) -> Iterator[Text]:
    """Every text for people in a value object, however deep."""
    if isinstance(value, Text):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from texts(getattr(value, name))
    elif isinstance(value, tuple | list):
        for one in value:
            yield from texts(one)
    elif isinstance(value, dict):
        yield from texts(list(value.values()))


def steps(name: str) -> Iterator[PlannedStep]:
    yield from plan(name).steps.values()


def conditions(step: Step) -> list[str]:
    return [one for one in (step.when, step.repeat.until if step.repeat else None) if one]


def preserving(name: str) -> list[PlannedStep]:
    return [planned for planned in steps(name) if planned.step.volatility is not None]


def test_the_library_holds_what_is_promised() -> None:
    assert set(WHOLE) == PROMISED
    for name in WHOLE:
        assert sum(planned.step.kind != "call" for planned in steps(name)) >= 45, name
        assert {planned.step.phase for planned in steps(name)} == {*PHASES, "communication"}, name
        assert library()[name].summary and library()[name].experts and library()[name].watch_period, name


@pytest.mark.parametrize("name", [*WHOLE, *PARTS])
def test_steps_wait_for_steps_that_exist_and_never_in_a_circle(name: str) -> None:
    laid = plan(name)
    for planned in steps(name):
        for ref in (*(planned.after or ()), *planned.after_any):
            assert ref in laid.steps, f"{planned.key} waits for {ref}"
        assert planned.key not in before(name, planned.key)


@pytest.mark.parametrize("name", WHOLE)
def test_in_a_whole_playbook_each_step_says_what_it_waits_for(name: str) -> None:
    """Waiting for whole phases would hold containment up until the last disk is imaged."""
    for planned in steps(name):
        assert planned.after is not None, planned.key


@pytest.mark.parametrize("name", [*WHOLE, *PARTS])
def test_conditions_ask_about_steps_of_their_own_playbook(name: str) -> None:
    laid = plan(name)
    for planned in steps(name):
        for source in conditions(planned.step):
            for function, first in calls_in(source):
                if function in STEP_FUNCTIONS:
                    assert planned.resolve(first or "") in laid.steps, f"{planned.key}: {source}"


@pytest.mark.parametrize("name", [*WHOLE, *PARTS])
def test_a_condition_asks_only_about_what_is_settled_by_then(name: str) -> None:
    for planned in steps(name):
        for function, first in calls_in(planned.step.when) if planned.step.when else ():
            if function in STEP_FUNCTIONS:
                assert planned.resolve(first or "") in before(name, planned.key), planned.key


@pytest.mark.parametrize("name", [*WHOLE, *PARTS])
def test_conditions_compare_with_options_and_fields_that_exist(name: str) -> None:
    laid = plan(name)
    for planned in steps(name):
        for source in conditions(planned.step):
            for ref, choices in re.findall(r'decided\("([^"]+)"\) \S+ (\[[^\]]*\]|"[^"]*")', source):
                options = {option.id for option in laid.steps[planned.resolve(ref)].step.options}
                assert set(re.findall(r'"([^"]+)"', choices)) <= options, planned.key
            for ref, field in re.findall(r'output\("([^"]+)", "([^"]+)"\)', source):
                fields = {one.id for one in laid.steps[planned.resolve(ref)].step.record}
                assert field in fields, planned.key


@pytest.mark.parametrize("name", [*WHOLE, *PARTS])
def test_what_vanishes_first_is_preserved_first(name: str) -> None:
    for scope in {planned.scope for planned in preserving(name)}:
        written = [one.step.volatility or 0 for one in preserving(name) if one.scope == scope]
        assert written == sorted(written), scope
    for planned in preserving(name):
        ahead = before(name, planned.key)
        for earlier in preserving(name):
            if earlier.key in ahead:
                assert (earlier.step.volatility or 0) <= (planned.step.volatility or 0), planned.key


@pytest.mark.parametrize("name", [*WHOLE, *PARTS])
def test_what_is_preserved_says_what_waiting_loses(name: str) -> None:
    for planned in steps(name):
        if planned.step.preserves:
            assert planned.step.lost_by_waiting is not None, planned.key
            assert planned.step.volatility is not None, planned.key
            assert planned.step.within is not None, planned.key


@pytest.mark.parametrize("name", WHOLE)
def test_an_analysis_has_sources_that_are_preserved_before(name: str) -> None:
    """FSA-2.5.2.2-B1."""
    for planned in steps(name):
        if planned.step.phase != "analysis" or planned.step.kind == "call":
            continue
        assert planned.step.sources, planned.key
        ahead = before(name, planned.key)
        secured = {source for one in steps(name) if one.key in ahead for source in one.step.preserves}
        assert set(planned.step.sources) <= secured, planned.key


@pytest.mark.parametrize("name", [*WHOLE, *PARTS])
def test_decisions_show_their_options_price_and_what_silence_means(name: str) -> None:
    for planned in steps(name):
        step = planned.step
        if step.kind != "decision":
            continue
        assert len(step.options) >= 2
        assert all(option.price for option in step.options), planned.key
        assert step.recommend and step.otherwise and step.authority and step.within, planned.key
        if step.stops:
            assert step.factors == FACTORS, planned.key


@pytest.mark.parametrize("name", WHOLE)
def test_containment_or_preservation_is_chosen_before_anything_is_stopped(name: str) -> None:
    """FSA-2.5.2.4-B2."""
    choosing = {planned.key for planned in steps(name) if planned.step.decides}
    stopping = [planned for planned in steps(name) if planned.step.stops]
    assert len(choosing) == 1
    assert bool(stopping) == (name not in NEVER_CUTS)
    for planned in stopping:
        assert choosing & before(name, planned.key), planned.key
        if planned.step.decided_by:
            decision = plan(name).steps[planned.resolve(planned.step.decided_by)].step
            assert decision.kind == "decision" and decision.stops, planned.key
            assert planned.resolve(planned.step.decided_by) in before(name, planned.key), planned.key


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_really_cut_is_under_the_gates_and_what_is_limited_is_not_called_stopped(name: str) -> None:
    """FSA-2.5.2.4-B1: the machine's cuts name their decision; a person who limits functions stops nothing."""
    for planned in steps(name):
        step = planned.step
        if step.params.get("operation") in CUTS:
            assert step.stops and step.decided_by, planned.key
        if step.kind == "manual" and step.stops:
            assert not re.search("限|絞", step.title.ja), planned.key


@pytest.mark.parametrize(("name", "decision", "limiting", "cutting"), LIMITS_AND_CUTS)
def test_an_option_that_only_limits_stops_nothing_and_one_that_cuts_does(
    name: str, decision: str, limiting: str, cutting: str
) -> None:
    key = f"{name}/{decision}"
    options = {option.id for option in plan(name).steps[key].step.options}
    assert {limiting, cutting} - {""} <= options
    assert stopped_by(name, key, limiting) == set()
    assert bool(stopped_by(name, key, cutting)) == (name not in NEVER_CUTS)


def stopped_by(name: str, decision: str, choice: str) -> set[str]:
    """The steps that stop something when the decision takes this option."""
    asking = {"decided": lambda ref: choice}
    following = [one for one in steps(name) if one.step.stops and one.step.kind != "decision"]
    return {
        one.key
        for one in following
        if one.resolve(one.step.decided_by or "") == decision
        and (one.step.when is None or evaluate(one.step.when, asking))
    }


@pytest.mark.parametrize("name", WHOLE)
def test_recovery_checks_come_in_their_order(name: str) -> None:
    """FSA-2.5.2.6-B1 to B5: backup, restored, works, reconnected, both confirm, resumed."""
    calls = [one for one in steps(name) if one.step.call in RECOVERING]
    assert len(calls) == 1
    call = calls[0]
    order = ["works-normally", "reconnect", "csirt-confirms", "decide-resume", "resume"]
    if call.step.call == "restore-services":
        order = ["check-backup", "rebuild-and-restore", *order]
        assert plan(name).steps[f"{call.key}/rebuild-and-restore"].step.restores == ("affected-services",)
    for earlier, later in pairwise(order):
        assert f"{call.key}/{earlier}" in before(name, f"{call.key}/{later}")
    resuming = before(name, f"{call.key}/resume")
    assert f"{call.key}/owner-confirms" in resuming
    assert plan(name).steps[f"{call.key}/reconnect"].step.reconnects == ("affected-services",)
    assert plan(name).steps[f"{call.key}/resume"].step.resumes == ("affected-services",)


@pytest.mark.parametrize("name", WHOLE)
def test_not_yet_sends_the_wave_round_again_within_a_bound(name: str) -> None:
    repeat = next(one.step.repeat for one in steps(name) if one.step.call in RECOVERING)
    assert repeat is not None and repeat.at_most == MAX_ROUNDS
    assert re.search(r'"waves-left".* and decided\("[a-z]+/decide-resume"\) != "not-yet"$', repeat.until)


def test_first_containment_does_not_wait_for_triage_to_end() -> None:
    early = {"ransomware/cut-first-host", "ransomware/backups-offline", "ransomware/contain-or-preserve"}
    for key in early:
        assert before("ransomware", key) == {"ransomware/confirm-alert"}


def test_nothing_is_cleaned_up_before_it_is_preserved() -> None:
    for key in ("ransomware/eradicate/remove-persistence", "ransomware/restore/rebuild-and-restore"):
        assert "ransomware/evidence/disk" in before("ransomware", key)


@pytest.mark.parametrize("name", [*WHOLE, *PARTS])
def test_a_person_at_three_in_the_morning_is_told_everything(name: str) -> None:
    for planned in steps(name):
        step = planned.step
        if step.kind == "manual":
            for said in ("owner", "within", "text", "where", "stop_when", "do_not", "record", "guideline"):
                assert getattr(step, said), f"{planned.key} lacks {said}"
        if step.kind == "notice":
            for said in ("owner", "within", "text", "draft", "to", "record", "guideline"):
                assert getattr(step, said), f"{planned.key} lacks {said}"


def test_the_warnings_that_matter_most_are_there() -> None:
    everything = "\n".join(text.ja for planned in steps("ransomware") for text in texts(planned.step))
    for warning in ("電源を切らない", "攻撃者に気づかれる", "確認前のバックアップ", "支払わない", "駆除"):
        assert warning in everything


@pytest.mark.parametrize("name", [*WHOLE, *PARTS])
def test_every_text_is_japanese_in_ja_and_english_in_en(name: str) -> None:
    for text in texts(library()[name]):
        assert not JAPANESE.search(text.en), text.en
        assert JAPANESE.search(text.ja) or text.ja in SAME_IN_BOTH, text.ja


@pytest.mark.parametrize("name", [*WHOLE, *PARTS])
def test_guideline_ids_are_in_the_catalogue(name: str) -> None:
    for planned in steps(name):
        assert set(planned.step.guideline) <= set(catalogue()), planned.key
    assert set(library()[name].covers) <= set(catalogue())


def covered(name: str) -> set[str]:
    found = {item for planned in steps(name) for item in planned.step.guideline}
    return found.union(*(library()[one].covers for one in library() if one == name))


def test_ransomware_covers_every_item_of_section_2_5() -> None:
    wanted = {item.id for item in catalogue().values() if item.section.startswith("2.5")}
    official = {one for one in wanted if catalogue()[one].origin == "official"}
    assert official - covered("ransomware") == set()


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_playbook_covers_what_each_playbook_should(name: str) -> None:
    wanted = {item.id for item in catalogue().values() if item.scope == "playbook"}
    assert wanted - covered(name) == set()


@pytest.mark.parametrize(
    ("section", "basic", "desirable"),
    [
        ("2.5.1", 1, 1),
        ("2.5.2.1", 3, 0),
        ("2.5.2.2", 2, 0),
        ("2.5.2.3", 5, 0),
        ("2.5.2.4", 2, 1),
        ("2.5.2.5", 1, 0),
        ("2.5.2.6", 6, 0),
        ("2.2.5", 5, 4),
        ("2.6", 10, 5),
    ],
)
def test_these_sections_of_the_catalogue_are_complete(section: str, basic: int, desirable: int) -> None:
    items = [one for one in catalogue().values() if one.section == section and one.origin == "official"]
    assert [one.level for one in items].count("basic") == basic
    assert [one.level for one in items].count("desirable") == desirable


def test_nothing_else_is_called_a_requirement_of_the_guideline() -> None:
    for item in catalogue().values():
        assert item.id.startswith("FSA-" if item.origin == "official" else "SEED-")
        assert (item.origin == "seed") == ("ガイドラインの項目ではない" in item.source)
        assert item.edition.isoformat() == "2025-07-04"


def filled(field: str) -> dict[str, Any]:
    incident = {"id": "INC-2026-0001", "title": field, "severity": field, "declared_at": field}
    return {
        "incident": incident,
        "organisation": {"name": "みほん銀行"},
        "services": ["勘定系システム", "ATM"] if field else [],
        "now": "2026-11-23 03:00 JST",
        "var": lambda name: field or None,
        "output": lambda step, name: field or None,
    }


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_drafts_show_their_gaps_and_lose_them_when_filled(lang: str) -> None:
    drafts = [planned for name in WHOLE for planned in steps(name) if planned.step.draft]
    assert len(drafts) >= 12
    for planned in drafts:
        assert planned.step.draft is not None
        empty = render_draft(planned.step.draft.lang(lang), filled(""))
        assert GAP in empty, planned.key
        full = render_draft(planned.step.draft.lang(lang), filled("調べたこと"))
        assert GAP not in full, planned.key


@pytest.mark.parametrize("name", [*WHOLE, *PARTS])
def test_drafts_ask_for_steps_and_fields_that_exist(name: str) -> None:
    laid = plan(name)
    for planned in steps(name):
        draft = planned.step.draft
        for text in (draft.ja, draft.en) if draft else ():
            for ref, field in re.findall(r'output\("([^"]+)", "([^"]+)"\)', text):
                assert field in {one.id for one in laid.steps[planned.resolve(ref)].step.record}, planned.key


def test_what_is_shared_with_others_holds_nothing_of_the_victim() -> None:
    """FSA-2.5.2.3-B5: attack techniques apart from damage; the draft cannot even name the bank."""
    shared = plan("ransomware").steps["ransomware/reports/share-techniques"].step.draft
    assert shared is not None
    for lang in ("ja", "en"):
        text = render_draft(shared.lang(lang), filled("調べたこと"))
        assert "みほん銀行" not in text and "勘定系" not in text and "INC-" not in text


def test_every_crash_class_and_every_first_action_is_used() -> None:
    actions = [planned.step for planned in steps("ransomware") if planned.step.kind == "action"]
    assert {step.on_crash for step in actions} == {"idempotent", "probe", "ask"}
    assert {step.use for step in actions} == {"http.request", "command.run", "file.collect"}
    assert all(step.timeout for step in actions)
    assert all(step.retries == 0 for step in actions if step.on_crash == "ask")


def test_variables_that_actions_need_are_set_before() -> None:
    for name in WHOLE:
        for planned in steps(name):
            wanted = [str(value)[1:] for value in planned.step.params.values() if str(value).startswith("$")]
            ahead = [one for one in steps(name) if one.key in before(name, planned.key)]
            for variable in wanted:
                setting = [one for one in ahead if one.scope == planned.scope and variable in one.step.sets]
                assert setting, f"{planned.key}: ${variable}"


def test_the_example_banks_targets_take_what_the_playbooks_send() -> None:
    kinds: dict[str, type[BaseModel]] = {
        "http.request": HttpTarget,
        "command.run": CommandTarget,
        "file.collect": FileTarget,
    }
    for name in WHOLE:
        for planned in steps(name):
            asked: list[Step | Probe] = [planned.step] if planned.step.use else []
            asked += [planned.step.probe] if planned.step.probe else []
            for one in asked:
                target = bank().targets.targets[one.target or ""]
                assert type(target) is kinds[one.use or ""], planned.key
                known = parameters_of(target)
                assert set(one.params) == set(known), planned.key
                for param, value in one.params.items():
                    assert not known[param].choices or value in known[param].choices, planned.key


def test_the_example_bank_has_no_defect_at_all() -> None:
    found = check(BANK, datetime(2026, 11, 23, tzinfo=UTC))
    assert [str(defect) for defect in found] == []


def test_the_example_bank_is_of_the_promised_size() -> None:
    organisation = bank().organisation
    assert 14 <= len(organisation.people) <= 21
    assert 6 <= len(organisation.services) <= 9
    assert all(person.account and person.email for person in organisation.people)
    assert {"vendor", "forensics", "counsel", "insurer", "authority", "police", "jpcert", "fisac"} <= {
        party.kind for party in organisation.third_parties
    }


def test_every_role_of_the_shipped_playbooks_is_explained_where_it_is_defined() -> None:
    lines = (BANK / "organisation.yaml").read_text(encoding="utf-8").splitlines()
    shipped = [step for book in library().values() for step in book.steps]
    named = {one for step in shipped for one in (step.owner, step.authority) if one}
    assert named <= {role.id for role in bank().organisation.roles}
    for role in named:
        place = next(n for n, line in enumerate(lines) if re.match(rf"  - \{{?id: {role}\b", line))
        assert lines[place - 1].startswith("  # "), role


def test_the_wazuh_alert_hits_a_host_of_core_banking_and_declares_ransomware() -> None:
    alert = json.loads((ALERTS / "wazuh-ransomware.json").read_text(encoding="utf-8"))
    core = next(one for one in bank().organisation.services if one.id == "core-banking")
    assert alert["agent"]["name"] in core.hosts
    rule = next(one for one in bank().intake.sources if one.id == "wazuh").rules[0]
    words = json.dumps(alert["rule"]).lower()
    assert alert["rule"]["level"] >= (rule.at_least or 0)
    assert any(word.lower() in words for word in rule.words)
    assert (rule.do, rule.playbook) == ("declare", "ransomware")


def test_the_edr_mapping_fits_its_alert() -> None:
    alert = json.loads((ALERTS / "edr-alert.json").read_text(encoding="utf-8"))
    mapping = next(one for one in bank().intake.sources if one.id == "edr").mapping
    assert mapping is not None and mapping.at and mapping.level
    for path in (*mapping.key, mapping.title, mapping.at, mapping.level, *mapping.hosts, *mapping.words):
        value: Any = alert
        for part in path.split("."):
            value = value[part]
        assert value, path
    assert datetime.fromisoformat(alert["detection"]["first_seen"]).tzinfo is not None


def test_an_action_preserves_one_source_so_that_its_files_are_attributed() -> None:
    for name in WHOLE:
        for planned in steps(name):
            if planned.step.kind == "action":
                assert len(planned.step.preserves) <= 1, planned.key
