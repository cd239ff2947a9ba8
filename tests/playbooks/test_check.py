"""`hikeshi check`: one example for each defect, and what no example directory can show."""

from __future__ import annotations

import re
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from playbooks.check import check
from playbooks.reading import Defect

EXAMPLES = Path(__file__).parents[2] / "examples"
DEFECTS = EXAMPLES / "defects"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def errors(directory: Path) -> list[str]:
    return [_plain(defect, directory) for defect in check(directory, NOW) if defect.severity == "error"]


def warnings(directory: Path, now: datetime = NOW) -> list[str]:
    return [_plain(defect, directory) for defect in check(directory, now) if defect.severity == "warning"]


def _plain(defect: Defect, directory: Path) -> str:
    return str(defect).replace(f"{directory}/", "")


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """A copy of the small institution without a defect, to break."""
    return Path(shutil.copytree(DEFECTS / "base", tmp_path / "bank"))


def edit(bank: Path, file: str, old: str, new: str) -> None:
    text = (bank / file).read_text()
    assert old in text, f"{file} no longer holds {old!r}"
    (bank / file).write_text(text.replace(old, new, 1))


def test_the_example_bank_has_no_defect_and_is_looked_at_quickly() -> None:
    began = time.perf_counter()
    assert errors(EXAMPLES / "mihon-bank") == []
    assert time.perf_counter() - began < 20, "ten times the slack of 2 s"


def test_the_base_of_the_examples_has_no_defect() -> None:
    assert errors(DEFECTS / "base") == []


@pytest.mark.parametrize(
    "example", sorted(p.name for p in DEFECTS.iterdir() if p.is_dir() and p.name != "base")
)
def test_each_example_has_exactly_its_one_defect(example: str) -> None:
    directory = DEFECTS / example
    found = errors(directory)
    assert found == (directory / "expected.txt").read_text().splitlines()
    assert len(found) == 1


def test_defects_of_several_files_are_told_together_and_a_broken_file_hides_only_its_own(bank: Path) -> None:
    (bank / "severity.yaml").write_text("severities: [")
    edit(bank, "organisation.yaml", "rto: 8h", "rto: 48h")
    edit(bank, "intake.yaml", "playbook: ransomware", "playbook: ransom-ware")
    edit(bank, "playbooks/pc-malware.yaml", "stops: [internet-banking]", "stops: [internet]")
    assert [line.split(":")[0] for line in errors(bank)] == [
        "intake.yaml",
        "organisation.yaml",
        "playbooks/pc-malware.yaml",
        "severity.yaml",
    ]


def test_a_quorum_that_too_few_people_could_reach_is_a_defect(bank: Path) -> None:
    path = bank / "playbooks/pc-malware.yaml"
    seat = "quorum: {of: [ciso, csirt-lead], need: 2}"
    path.write_text(path.read_text().replace("authority: ciso", seat, 1))
    assert errors(bank) == [], "two people, two seats"
    path.write_text(path.read_text().replace("csirt-lead], need", "nobody], need", 1))
    assert any("'nobody' is no role" in one for one in errors(bank))


def test_a_decision_that_only_one_person_could_make_and_approve_is_a_defect(bank: Path) -> None:
    edit(bank, "playbooks/pc-malware.yaml", "authority: ciso", "authority: ciso\n    four_eyes: true")
    assert errors(bank) == [], "a deputy could"
    text = (bank / "organisation.yaml").read_text()
    (bank / "organisation.yaml").write_text(re.sub(r"deputies: \[.*\]", "deputies: []", text))
    [found] = [line for line in errors(bank) if "four_eyes" in line]
    assert "could decide and approve" in found


@pytest.mark.parametrize(
    "file", ["organisation.yaml", "routes.yaml", "severity.yaml", "targets.yaml", "intake.yaml"]
)
def test_one_unreadable_file_is_one_defect(bank: Path, file: str) -> None:
    (bank / file).write_text("a: [")
    assert [line.split(":")[0] for line in errors(bank)] == [file]


def test_an_unreadable_playbook_is_one_defect_where_others_name_it(bank: Path) -> None:
    (bank / "playbooks/ransomware.yaml").write_text("a: [")
    assert [line.split(":")[0] for line in errors(bank)] == ["playbooks/ransomware.yaml"]


def test_an_empty_directory_lacks_the_files_that_must_be_there(tmp_path: Path) -> None:
    lacking = {line.split(":")[0] for line in errors(tmp_path) if "cannot be read" in line}
    assert lacking == {"organisation.yaml", "routes.yaml", "severity.yaml"}


def test_what_shipped_playbooks_need_is_told_once_where_it_can_be_mended(bank: Path) -> None:
    (bank / "targets.yaml").unlink()
    (bank / "playbooks/pc-malware.yaml").unlink()
    (bank / "scenarios/pc-drill.yaml").unlink()
    edit(bank, "organisation.yaml", "  - {id: scribe, title: {ja: 記録係, en: Scribe}}\n", "")
    edit(bank, "organisation.yaml", "scribe, ", "")
    found = errors(bank)
    assert next(line for line in found if "organisation.yaml" in line).startswith(
        "organisation.yaml:17:1: roles: the shipped playbooks need the role or third party 'scribe' ("
    )
    targets = [
        line for line in found if line.startswith("targets.yaml:1:1: targets: the shipped playbooks need")
    ]
    assert len(targets) == len(found) - 1 > 2


def test_a_gap_tells_its_first_hour_in_the_institutions_zone_and_all_its_hours(bank: Path) -> None:
    away = '{since: "2026-12-01T09:30:00+09:00", until: "2026-12-02T21:30:00+09:00"}'
    for account in ("account: aoki", "account: baba"):
        edit(bank, "organisation.yaml", account, f"{account}\n    absences: [{away}]")
    found = errors(bank)
    assert len(found) == 6, "each level and each last resort"
    assert all("from 2026-12-01 09:30 (JST), 36 hours in all" in line for line in found)


def test_a_deputy_fills_a_gap(bank: Path) -> None:
    away = '{since: "2026-12-01T09:30:00+09:00", until: "2026-12-02T21:30:00+09:00"}'
    edit(bank, "organisation.yaml", "account: aoki", f"account: aoki\n    absences: [{away}]")
    assert errors(bank) == []


def test_an_absence_beyond_ninety_days_is_none_yet(bank: Path) -> None:
    away = '{since: "2027-03-01T09:30:00+09:00", until: "2027-03-02T21:30:00+09:00"}'
    for account in ("account: aoki", "account: baba"):
        edit(bank, "organisation.yaml", account, f"{account}\n    absences: [{away}]")
    assert errors(bank) == []


def test_somebody_whose_only_channel_is_not_set_up_answers_nobody(bank: Path) -> None:
    edit(
        bank,
        "organisation.yaml",
        "    account: baba\n    channels: [console]",
        "    email: b@example.jp\n    channels: [email]",
    )
    found = errors(bank)
    assert "the channel email is used, but settings.toml does not set it up" in found[0]
    assert any("routes[house].exhausted.to: nobody can answer cio from" in line for line in found)
    edit(bank, "settings.toml", 'data = "var"', 'data = "var"\n[email]\nhost = "h"\nsender = "s@example.jp"')
    assert errors(bank) == []


def test_everybody_whom_a_level_may_reach_needs_its_channel_deputies_too(bank: Path) -> None:
    edit(bank, "settings.toml", 'data = "var"', 'data = "var"\n[email]\nhost = "h"\nsender = "s@example.jp"')
    edit(
        bank,
        "routes.yaml",
        "{to: [ciso], within: 15m, repeat: 5m}",
        "{to: [ciso], within: 15m, channels: [console, email]}",
    )
    assert [line.split(": ")[2].split(" can")[0] for line in errors(bank)] == ["aoki", "baba"]


def test_whom_a_step_names_is_known_only_with_the_step(bank: Path) -> None:
    edit(
        bank, "routes.yaml", "{to: [ciso], within: 15m, repeat: 5m}", "{to: [authority, owner], within: 15m}"
    )
    assert errors(bank) == []


def test_unread_files_are_warned_of(bank: Path) -> None:
    (bank / "organization.yaml").write_text("name: x")
    (bank / "playbooks/ddos.yml").write_text("playbook: ddos")
    found = [line for line in warnings(bank) if "not read" in line]
    assert found == [
        "organization.yaml:1:1: (file): warning: this file is not read; "
        "expected a known one (did you mean `organisation.yaml`?)",
        "playbooks/ddos.yml:1:1: (file): warning: this file is not read; expected the name ddos.yaml",
    ]


def test_a_playbook_that_was_not_reviewed_for_too_long_is_warned_of(bank: Path) -> None:
    told = [
        line
        for line in warnings(bank, datetime(2027, 11, 3, tzinfo=UTC))
        if "review" in line and "pc-mal" in line
    ]
    assert told == [
        "playbooks/pc-malware.yaml:4:11: reviewed: warning: the review was due on 2027-11-01 (every 365d); "
        "expected the date of a newer review"
    ]
    assert not [
        line
        for line in warnings(bank, datetime(2027, 10, 31, tzinfo=UTC))
        if "pc-mal" in line and "review" in line
    ]


def test_a_review_in_the_future_is_warned_of(bank: Path) -> None:
    edit(bank, "playbooks/pc-malware.yaml", "2026-11-01", "2027-11-01")
    assert any("2027-11-01 is in the future" in line for line in warnings(bank))


def test_items_that_a_playbook_leaves_uncovered_are_named_in_one_warning(bank: Path) -> None:
    told = next(line for line in warnings(bank) if "covers nothing of" in line)
    assert "FSA-2.5.2.5-B1" in told
    assert "FSA-2.5.2.1-B2" not in told, "a step has it"
    edit(bank, "playbooks/pc-malware.yaml", "priority: 3", "priority: 3\ncovers: [FSA-2.5.2.5-B1]")
    assert "FSA-2.5.2.5-B1" not in next(line for line in warnings(bank) if "covers nothing of" in line)


def test_an_own_catalogue_adds_items_that_playbooks_may_name(bank: Path) -> None:
    edit(bank, "playbooks/pc-malware.yaml", "FSA-2.5.2.1-B2", "OWN-1")
    assert len(errors(bank)) == 1
    item = {"id": "OWN-1", "edition": "2026-04-01", "origin": "own", "level": "basic", "section": '"7"'}
    rest = {
        "summary": "{ja: 規程, en: House rule}",
        "source": "規程集",
        "confidence": "C1",
        "scope": "playbook",
    }
    lines = [f"{key}: {text}" for key, text in {**item, **rest}.items()]
    (bank / "catalogue.yaml").write_text("items:\n  - " + "\n    ".join(lines))
    assert errors(bank) == []


STEP = """\
  - id: extra
    phase: lessons
    kind: manual
    owner: ciso
    title: {ja: 追加, en: Extra}
"""
CALL = (
    "  - {id: part, phase: recovery, kind: call, call: part, title: {ja: 部分, en: Part}, with: {depth: 1}}\n"
)


@pytest.mark.parametrize(
    ("sentence", "extra", "says"),
    [
        (
            "a phase asked for by a wrong name",
            '    when: phase_ended("triag")\n',
            "phase_ended('triag') names nothing",
        ),
        ("a variable that is not declared", '    when: var("hosts")\n', "var('hosts') names nothing"),
        ("a service that is not there", '    when: affected("atm")\n', "affected('atm') names nothing"),
        (
            "a source that nobody preserves",
            '    when: evidence("memory")\n',
            "evidence('memory') names nothing",
        ),
        ("a function without its step", "    when: done()\n", "done(…) is asked otherwise than it can be"),
        ("a function that is not asked", "    when: done\n", "'done' is named, and not asked"),
        ("a step that is worked out", "    when: done(round())\n", "done() names no step"),
        ("more than one service", '    when: affected("a", "b")\n', "expected one name in quotes"),
        ("a rank with a name", '    when: severity("high") > 1\n', "expected nothing between the brackets"),
        (
            "a field that is not recorded",
            '    when: output("name-pc", "hots")\n',
            "'name-pc' does not record 'hots'",
        ),
        ("output without a field", '    when: output("name-pc")\n', "expected two names in quotes"),
        (
            "a decision asked of a manual step",
            '    when: decided("name-pc") == "x"\n',
            "'name-pc' is no decision",
        ),
        ("an option in a list", '    when: decided("cut-off") in ["cut", "burn"]\n', "has no option 'burn'"),
        (
            "a loop whose end is asked of nobody",
            '    repeat: {until: done("nobody"), at_most: 3}\n',
            "no step 'nobody'",
        ),
        (
            "a stop decided by nobody",
            "    stops: [core-banking]\n    decided_by: nobody\n",
            "'nobody' is no decision of this",
        ),
        (
            "a stop decided too late",
            "    after: [what-first]\n    stops: [core-banking]\n    decided_by: cut-off\n",
            "'cut-off' is not before this step",
        ),
        (
            "a stop whatever is decided",
            "    after: [cut-off]\n    stops: [core-banking]\n    decided_by: cut-off\n",
            "stops a service whatever 'cut-off' decides",
        ),
        (
            "a stop allowed by who weighed nothing",
            "    after: [cut-off]\n    stops: [core-banking]\n    decided_by: what-first\n",
            "'what-first' does not weigh what a shutdown costs",
        ),
        (
            "a factor of one's own",
            "    guideline: [FSA-2.5.2.9-B1]\n",
            "'FSA-2.5.2.9-B1' is no guideline item",
        ),
        ("any of steps that are not there", "    after_any: [nobody]\n", "no step 'nobody' in this playbook"),
        (
            "a field recorded twice",
            "    record: [{id: a, title: A}, {id: a, title: B}]\n",
            "the id 'a' is there twice",
        ),
    ],
)
def test_steps_that_cannot_work(bank: Path, sentence: str, extra: str, says: str) -> None:
    path = bank / "playbooks/pc-malware.yaml"
    path.write_text(path.read_text() + STEP + extra)
    found = errors(bank)
    assert len(found) == 1, sentence
    assert says in found[0]
    assert "steps[extra]" in found[0]


@pytest.mark.parametrize(
    "extra",
    [
        '    when: phase_ended("communication") and severity() >= 1 and round() == 1\n',
        '    when: var("host") != "" and affected("internet-banking") and evidence("logon-sessions")\n',
        "    repeat: {until: round() >= 2, at_most: 3}\n    record: [{id: left, title: L, type: number}]\n",
        '    repeat: {until: done("extra"), at_most: 3}\n',
        "    after: [what-first, cut-off]\n    stops: [affected-services]\n    decided_by: cut-off\n"
        '    when: decided("cut-off") == "cut"\n',
        '    after_any: [what-first, cut-off]\n    when: skipped("cut-off") or done("cut-off")\n',
        '    when: output("name-pc", "host") in ["a", "b"] or output("list-sessions", "anything")\n',
    ],
)
def test_steps_that_work(bank: Path, extra: str) -> None:
    path = bank / "playbooks/pc-malware.yaml"
    path.write_text(path.read_text() + STEP + extra)
    assert errors(bank) == []


PART = """\
playbook: part
version: 1.0.0
title: {ja: 部分, en: Part}
reviewed: 2026-11-01
priority: 5
variables: {depth: {type: number}}
steps:
  - {id: one, phase: recovery, kind: manual, owner: ciso, title: {ja: 一, en: One}}
  - {id: two, phase: PHASE, kind: manual, owner: ciso, title: {ja: 二, en: Two}AFTER}
"""


def add_part(bank: Path, phase: str, after: str = "", call: str = CALL, then: str = "") -> None:
    (bank / "playbooks/part.yaml").write_text(PART.replace("PHASE", phase).replace("AFTER", after))
    path = bank / "playbooks/pc-malware.yaml"
    path.write_text(path.read_text() + call + then)


def test_a_called_playbook_is_part_of_the_order(bank: Path) -> None:
    add_part(
        bank, "recovery", ", after: [one]", then=STEP + '    after: [part]\n    when: done("part/two")\n'
    )
    assert errors(bank) == []


def test_a_called_step_in_an_earlier_phase_than_its_call_waits_for_itself(bank: Path) -> None:
    add_part(bank, "analysis")
    found = errors(bank)
    assert len(found) == 1
    assert "waits for itself" in found[0]
    assert "pc-malware/part" in found[0]


def test_a_called_step_may_only_name_steps_of_its_own_playbook(bank: Path) -> None:
    add_part(bank, "recovery", ", after: [cut-off]")
    assert any(
        "playbooks/part.yaml" in line and "no step 'cut-off' in this playbook" in line
        for line in errors(bank)
    )


def test_what_a_call_passes_must_be_variables_of_the_called(bank: Path) -> None:
    add_part(bank, "recovery", call=CALL.replace("depth", "deepth"))
    assert [line.split("; ")[1] for line in errors(bank)] == ["expected a known one (did you mean `depth`?)"]


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ("output('name-cp', 'host')", "output('name-cp') names nothing"),
        ("var('hots')", "var('hots') names nothing"),
        ("7 * 7", "uses Mul, which a draft may not"),
        ("secrets.token", "'secrets' is undefined"),
    ],
)
def test_drafts_are_rendered_in_both_languages(bank: Path, new: str, says: str) -> None:
    path = bank / "playbooks/pc-malware.yaml"
    path.write_text(path.read_text().replace("output('name-pc', 'host')", new))
    assert [says in line and line.split(": ")[1] for line in errors(bank)] == [
        "steps[tell-pr].draft.ja",
        "steps[tell-pr].draft.en",
    ]


ACTION = """\
  - id: block
    phase: containment
    kind: action
    use: http.request
    target: firewall-api
    params: {operation: block, subject: $SUBJECT}
    on_crash: probe
    probe: {use: http.request, target: firewall-status, params: {operation: block, subject: x}, done_if: DONE}
    title: {ja: 遮断, en: Block}
"""


@pytest.mark.parametrize(
    ("subject", "done", "says"),
    [
        ("host", 'output("state") == "active"', None),
        ("hots", 'output("state") == "active"', "'$hots' is no variable"),
        ("host", 'done("name-pc")', "asks something else than what the probe found"),
        ("host", 'output("state") = 1', "expected token"),
    ],
)
def test_actions_and_their_probes(bank: Path, subject: str, done: str, says: str | None) -> None:
    path = bank / "playbooks/pc-malware.yaml"
    path.write_text(path.read_text() + ACTION.replace("SUBJECT", subject).replace("DONE", repr(done)))
    found = errors(bank)
    assert len(found) == (says is not None)
    assert all(says is not None and says in line for line in found)


def test_a_choice_outside_its_list_is_told(bank: Path) -> None:
    edit(bank, "targets.yaml", "{host: {type: host}}", "{host: {type: choice, choices: [pc-1]}}")
    edit(bank, "playbooks/pc-malware.yaml", "params: {host: $host}", "params: {host: pc-2}")
    shipped = [line for line in errors(bank) if "library" in line]
    assert next(line for line in errors(bank) if line not in shipped).endswith(
        "got 'pc-2'; expected a known one (did you mean `pc-1`?)"
    )


BACKWARDS = 'since: "2026-12-02T00:00:00Z", until: "2026-12-01T00:00:00Z"'


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "account: aoki",
            'account: aoki\n    absences: [{since: "2026-12-02T00:00:00Z", until: "2026-12-01T00:00:00Z"}]',
            "ends before it begins",
        ),
        (
            "rotate: weekly}",
            f"rotate: weekly}}\n    overrides: [{{{BACKWARDS}, people: [aoki]}}]",
            "ends before it begins",
        ),
        (
            "rotate: weekly}",
            f"rotate: weekly}}\n    overrides: [{{{BACKWARDS}, people: [aoki, aki]}}]",
            "'aki' is no person",
        ),
        (
            "{id: ciso, title: CISO}",
            "{id: ciso, title: CISO}\n  - {id: aoki, title: Aoki}",
            "aoki is also a person",
        ),
        ("number: F-1", "number: ' '", "third_parties[forensics].contract.number: is empty"),
    ],
)
def test_small_slips_in_the_organisation(bank: Path, old: str, new: str, says: str) -> None:
    edit(bank, "organisation.yaml", old, new)
    assert any(says in line for line in errors(bank))


def test_an_optional_step_of_an_ended_phase_may_be_asked_about(bank: Path) -> None:
    edit(
        bank,
        "playbooks/pc-malware.yaml",
        "    owner: csirt-duty\n",
        "    owner: csirt-duty\n    optional: true\n",
    )
    path = bank / "playbooks/pc-malware.yaml"
    path.write_text(path.read_text() + STEP + '    when: done("name-pc")\n')
    assert errors(bank) == []


def test_a_step_that_waits_for_any_of_two_is_reached_by_either(bank: Path) -> None:
    path = bank / "playbooks/pc-malware.yaml"
    path.write_text(path.read_text() + STEP + "    after_any: [extra, name-pc]\n")
    assert errors(bank) == []
    edit(bank, "playbooks/pc-malware.yaml", "after_any: [extra, name-pc]", "after_any: [extra]")
    assert ["waits for itself: pc-malware/extra > pc-malware/extra" in line for line in errors(bank)] == [
        True
    ]


def test_parts_of_an_overridden_playbook_are_not_looked_at_as_if_they_stood_alone(bank: Path) -> None:
    text = (bank / "playbooks/pc-malware.yaml").read_text()
    for name in ("ransomware", "unknown"):
        (bank / f"playbooks/{name}.yaml").write_text(
            text.replace("playbook: pc-malware", f"playbook: {name}")
        )
    assert errors(bank) == []


def test_a_severity_that_is_none_and_a_route_twice(bank: Path) -> None:
    edit(bank, "routes.yaml", "  - id: main\n", "  - id: house\n    applies: {severity_at_least: highest}\n")
    assert [line.split(": ", 1)[1] for line in errors(bank) if "high" in line or "twice" in line] == [
        "routes[house].id: the id 'house' is there twice; expected another one: see line 2",
        "routes[house].applies.severity_at_least: 'highest' is no severity; "
        "expected a known one (did you mean `high`?)",
    ]


def test_an_item_of_the_plan_that_no_playbook_covers_is_warned_of(bank: Path) -> None:
    (bank / "catalogue.yaml").write_text(
        "items: [{id: OWN-PLAN-1, edition: 2026-04-01, origin: own, level: basic, section: '7',"
        " summary: x, source: S1, confidence: C1, scope: plan}]"
    )
    assert any("no playbook covers" in line and "OWN-PLAN-1" in line for line in warnings(bank))


def test_an_expert_who_is_not_listed_and_roles_that_are_unknown_to_permissions(bank: Path) -> None:
    edit(bank, "playbooks/pc-malware.yaml", "priority: 3", "priority: 3\nexperts: [forensic]")
    edit(bank, "routes.yaml", "routes:\n", "permissions: {close: [cisso]}\nroutes:\n")
    assert [line.split(": ", 1)[1].split(";")[0] for line in errors(bank)] == [
        "experts[0]: 'forensic' is no third party",
        "permissions.close[0]: 'cisso' is no role",
    ]


def test_the_sources_that_the_example_bank_shows_as_comments_are_sound(tmp_path: Path) -> None:
    bank = Path(shutil.copytree(EXAMPLES / "mihon-bank", tmp_path / "bank"))
    head, sign, shown = (bank / "targets.yaml").read_text().partition("  # web1-logs:")
    lines = (sign + shown).splitlines()
    taken = [line.replace("  # ", "  ", 1) for line in lines]
    kept = [line for line in taken if not re.match(r"  [A-Z]", line)]
    (bank / "targets.yaml").write_text(head + "\n".join(kept) + "\n")
    wrong = errors(bank)
    assert len(wrong) == 2, wrong
    assert all("settings.toml" in one for one in wrong), "Slack and the mailbox have to be set up first"
