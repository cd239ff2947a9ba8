"""An alert as sent, read into fields: nothing a sender writes may raise, mislead or be lost."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.alerts import MAX_DEPTH, MAX_TITLE, ReadAlert, clean, holds, read_alert
from models.installation import Mapping, Rule, Source
from playbooks.institution import Institution

NOW = datetime(2026, 11, 22, 18, 5, tzinfo=UTC)
ALERTS = Path(__file__).parents[2] / "examples" / "alerts"
WAZUH: dict[str, Any] = orjson.loads((ALERTS / "wazuh-ransomware.json").read_bytes())
EDR: dict[str, Any] = orjson.loads((ALERTS / "edr-alert.json").read_bytes())


def source(bank: Institution, name: str) -> Source:
    return next(one for one in bank.intake.sources if one.id == name)


def read(bank: Institution, content: Any, name: str = "wazuh", **change: Any) -> ReadAlert:
    body = content if isinstance(content, bytes) else orjson.dumps(content)
    made = source(bank, name).model_copy(update=change)
    return read_alert(made, body, bank.organisation, bank.playbooks, NOW)


def changed(content: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one field changed; ... takes it out."""
    made = copy.deepcopy(content)
    *heads, last = path.split(".")
    place = made
    for head in heads:
        place = place[head]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return made


def test_the_wazuh_sample_is_read_as_the_rules_of_the_example_say(bank: Institution) -> None:
    found = read(bank, WAZUH)
    assert found == ReadAlert(
        key="mihon-wazuh01/100231/027",
        title=f"{WAZUH['rule']['description']} (cb-batch01)",
        level="13",
        occurred=datetime(2026, 11, 22, 17, 58, 43, 512000, tzinfo=UTC),
        playbook="ransomware",
        severity="high",
        services=("core-banking",),
        do="declare",
    )


def test_the_edr_sample_is_read_by_its_mapping(bank: Institution) -> None:
    found = read(bank, EDR, "edr")
    assert (found.key, found.level, found.do) == ("mihon-bank/DET-2026-118204", "critical", "declare")
    assert (found.playbook, found.services) == ("ransomware", ("internet-banking",))
    assert found.occurred == datetime(2026, 11, 22, 18, 4, 9, tzinfo=UTC)


def test_a_wazuh_alert_of_the_manager_itself_needs_neither_address_nor_manager(bank: Institution) -> None:
    """As Wazuh's integrator hands it over."""
    found = read(
        bank,
        {
            "timestamp": "2026-11-22T17:59:19.905+0000",
            "rule": {"level": 10, "description": "testing", "id": "1234", "groups": ["test"]},
            "agent": {"id": "000", "name": "localhost.localdomain"},
            "id": "1795370359.1549653",
            "location": "/test",
        },
    )
    assert (found.key, found.do, found.readable) == ("/1234/000", "propose", True)
    assert found.title == "testing (localhost.localdomain)"
    assert read(bank, changed(WAZUH, "agent.name", ...)).title == WAZUH["rule"]["description"]


def test_the_same_matter_has_the_same_key_and_another_one_has_not(bank: Institution) -> None:
    again = changed(WAZUH, "id", "1795370999.1")
    assert read(bank, again).key == read(bank, WAZUH).key
    keys = {read(bank, changed(WAZUH, path, "x")).key for path in ("rule.id", "agent.id", "manager.name")}
    assert len(keys | {read(bank, WAZUH).key}) == 4


def test_parts_of_a_key_cannot_be_moved_into_each_other(bank: Institution) -> None:
    one = read(bank, changed(changed(EDR, "tenant", "a/b"), "detection.id", "c"), "edr").key
    two = read(bank, changed(changed(EDR, "tenant", "a"), "detection.id", "b/c"), "edr").key
    assert (one, two) == ("a%2Fb/c", "a/b%2Fc")
    long, longer = ("x" * 5_000, "x" * 5_001)
    first, second = (read(bank, changed(EDR, "tenant", tenant), "edr").key for tenant in (long, longer))
    assert first != second and len(first) < 200


@pytest.mark.parametrize(
    ("why", "body", "problem"),
    [
        ("nothing at all", b"", "not JSON"),
        ("no JSON", b"level=13 ransomware", "not JSON"),
        ("JSON cut short", orjson.dumps(WAZUH)[:-40], "not JSON"),
        ("invalid UTF-8", b'{"rule": "\xff\xfe"}', "not JSON"),
        ("half a surrogate pair", b'{"rule": "\\ud800"}', "not JSON"),
        ("a number that is none", b'{"rule": {"level": NaN}}', "not JSON"),
        ("infinity", b'{"rule": {"level": Infinity}}', "not JSON"),
        ("nested without end", b"[" * 100_000, "not JSON"),
        ("a list", b"[1]", "one JSON object"),
        ("a text", b'"alert"', "one JSON object"),
        ("too deep", b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), "deeper than 30"),
        ("too deep in lists", b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", "deeper than 30"),
        ("too long", b'{"a":"' + b"x" * 262_144 + b'"}', "the source allows 262144"),
    ],
)
def test_a_body_that_cannot_be_read_is_kept_and_named(
    bank: Institution, why: str, body: bytes, problem: str
) -> None:
    found = read(bank, body)
    assert not found.readable and problem in found.problem, why
    assert (found.do, found.title, found.playbook) == ("propose", "wazuh", None)
    assert found.key.startswith("unreadable/") and len(found.key) < 300


@pytest.mark.parametrize("path", ["rule.level", "rule.description", "rule.id", "agent.id"])
@pytest.mark.parametrize("value", [..., None, "", {"a": 1}, ["x"]])
def test_a_field_that_is_missing_or_of_the_wrong_type_is_named(
    bank: Institution, path: str, value: Any
) -> None:
    found = read(bank, changed(WAZUH, path, value))
    assert not found.readable and path in found.problem and path in found.key


@pytest.mark.parametrize("level", ["high", 13.5, -1, True, "1e2"])
def test_a_wazuh_level_is_a_whole_number(bank: Institution, level: Any) -> None:
    assert "rule.level" in read(bank, changed(WAZUH, "rule.level", level)).problem


@pytest.mark.parametrize("path", ["rule", "agent"])
@pytest.mark.parametrize("value", [None, "x", 3, [], ["a"]])
def test_a_whole_part_of_the_wrong_type_is_no_crash(bank: Institution, path: str, value: Any) -> None:
    assert not read(bank, changed(WAZUH, path, value)).readable


@pytest.mark.parametrize("value", [{"a": "ransom"}, [["ransom"]], [{"id": "T1486"}]])
def test_words_that_rules_cannot_look_through_are_not_passed_over(bank: Institution, value: Any) -> None:
    assert "rule.groups" in read(bank, changed(WAZUH, "rule.groups", value)).problem


def test_a_source_without_a_mapping_says_so(bank: Institution) -> None:
    assert "mapping" in read(bank, EDR, "edr", mapping=None).problem


@pytest.mark.parametrize(
    ("why", "at", "expected", "doubt"),
    [
        ("Wazuh's own form", "2026-11-22T17:58:43.512+0000", "2026-11-22T17:58:43.512000+00:00", ""),
        ("another zone", "2026-11-23T03:00:00+09:00", "2026-11-22T18:00:00+00:00", ""),
        ("seconds since 1970", 1_795_370_400, "2026-11-22T18:00:00+00:00", ""),
        ("milliseconds since 1970", 1_795_370_400_000, "2026-11-22T18:00:00+00:00", ""),
        ("a clock a minute ahead", "2026-11-22T18:06:00Z", "2026-11-22T18:06:00+00:00", ""),
        ("none given", None, None, ""),
        ("no zone: a guess would move a deadline", "2026-11-22T18:00:00", None, "has no zone"),
        ("a clock years ahead", "2031-01-01T00:00:00Z", None, "does not fit"),
        ("a clock that lost its time", "1970-01-01T00:00:10Z", None, "does not fit"),
        ("before the first year", "0001-01-01T00:00:00+14:00", None, "not taken over"),
        ("no time", "yesterday", None, "not taken over"),
        ("far too long", "2" * 100_000, None, "not taken over"),
        ("a truth value", True, None, "not taken over"),
        ("a list", ["2026-11-22T18:00:00Z"], None, "not taken over"),
        ("a number beyond all calendars", 1e300, None, "not taken over"),
        ("a negative one", -1e18, None, "not taken over"),
    ],
)
def test_a_time_is_taken_over_only_if_it_can_be_believed(
    bank: Institution, why: str, at: Any, expected: str | None, doubt: str
) -> None:
    found = read(bank, changed(WAZUH, "timestamp", at))
    assert (found.occurred.isoformat() if found.occurred else None) == expected, why
    assert doubt in found.problem and bool(doubt) == bool(found.problem), why
    assert found.readable and found.do == "declare", why


def test_a_mapping_may_leave_out_time_and_level_and_count_into_lists(bank: Institution) -> None:
    mapping = Mapping(key=("events.1.id",), title="events.1.name", hosts=("events.0.hosts",))
    content = {
        "events": [{"hosts": ["ad-dc01", "IB-AP01.mihon.example.jp.", "", None]}, {"id": 7, "name": "n"}]
    }
    found = read(bank, content, "edr", mapping=mapping, rules=())
    assert (found.key, found.title, found.level, found.occurred) == ("7", "n", "", None)
    assert (found.do, set(found.services)) == ("propose", {"identity", "internet-banking"})
    for path in ("events.9.id", "events.x.id", "events.0.hosts.0.deeper", "events.1234567"):
        other = mapping.model_copy(update={"key": (path,)})
        assert f"{path}: missing" in read(bank, content, "edr", mapping=other).problem


@pytest.mark.parametrize(
    ("host", "services"),
    [
        ("cb-batch01", ("core-banking",)),
        ("CB-BATCH01.mihon.example.jp", ("core-banking",)),
        ("xcb-batch01", ()),
        ("10.20.4.31", ()),
        ("10", ()),
        ("..", ()),
    ],
)
def test_services_are_found_by_host(bank: Institution, host: str, services: tuple[str, ...]) -> None:
    assert read(bank, changed(WAZUH, "agent.name", host)).services == services


def test_an_address_is_matched_whole_only(bank: Institution) -> None:
    core = next(one for one in bank.organisation.services if one.id == "core-banking")
    addressed = core.model_copy(update={"hosts": ("10.20.4.31",)})
    organisation = bank.organisation.model_copy(update={"services": (addressed,)})
    body = orjson.dumps(changed(WAZUH, "agent.name", "10"))
    found = read_alert(source(bank, "wazuh"), body, organisation, bank.playbooks, NOW)
    assert found.services == ("core-banking",)


@pytest.mark.parametrize(
    ("why", "rule", "level", "fits"),
    [
        ("no condition fits all", Rule(do="keep"), "critical", True),
        ("a number reaches", Rule(do="keep", at_least=7), "7.5", True),
        ("a number does not reach", Rule(do="keep", at_least=8), "7.5", False),
        ("a word reaches no number", Rule(do="keep", at_least=0), "critical", False),
        ("a level in any case of letters", Rule(do="keep", levels=("CRITICAL",)), "critical", True),
        ("another level", Rule(do="keep", levels=("high",)), "critical", False),
        ("a word that is there", Rule(do="keep", words=("nothing", "t1486")), "critical", True),
        ("a word that is not", Rule(do="keep", words=("nothing",)), "critical", False),
        ("all conditions must hold", Rule(do="keep", levels=("critical",), words=("nothing",)), "x", False),
    ],
)
def test_a_rule_fits_if_all_its_conditions_hold(
    bank: Institution, why: str, rule: Rule, level: str, fits: bool
) -> None:
    found = read(bank, changed(EDR, "detection.severity", level), "edr", rules=(rule,))
    assert (found.do == "keep") is fits, why
    assert found.do in {"keep", "propose"}, why


def test_the_first_rule_that_fits_decides(bank: Institution) -> None:
    rules = (
        Rule(do="declare", playbook="unknown", severity="low"),
        Rule(do="keep", playbook="ransomware"),
    )
    found = read(bank, WAZUH, rules=rules)
    assert (found.do, found.playbook, found.severity) == ("declare", "unknown", "low")


def test_a_rule_without_a_playbook_or_with_one_that_is_gone_leaves_it_to_the_words(bank: Institution) -> None:
    assert read(bank, WAZUH, rules=(Rule(do="declare"),)).playbook == "ransomware"
    assert read(bank, WAZUH, rules=(Rule(do="declare", playbook="gone"),)).playbook == "ransomware"
    dull = changed(changed(WAZUH, "rule.mitre", ...), "rule.groups", ["syslog"])
    dull = changed(dull, "rule.description", "disk treatment full, 100 hosts")
    assert read(bank, dull, rules=()).playbook is None


def test_where_several_playbooks_fit_priority_decides(bank: Institution) -> None:
    both = changed(WAZUH, "rule.groups", ["ATM", "ransomware"])
    assert read(bank, both, rules=()).playbook == "ransomware"
    only = changed(changed(both, "rule.mitre", ...), "rule.groups", ["atm"])
    assert read(bank, changed(only, "rule.description", "x"), rules=()).playbook == "atm-outage"


@pytest.mark.parametrize(
    ("words", "sought", "found"),
    [
        (("medical treatment",), "atm", False),
        (("ATM offline",), "atm", True),
        (("ransomware seen",), "ransom", True),
        (("T1486.001",), "T1486", True),
        (("T14860",), "T148", False),
        (("100 hosts",), "1", False),
        (("社内で暗号化が進行",), "暗号化", True),
        (("a", "b"), "  ", False),
        ((), "x", False),
        (("c++ (x)",), "(x)", True),
    ],
)
def test_a_word_is_found_where_a_person_would_see_it(
    words: tuple[str, ...], sought: str, found: bool
) -> None:
    assert holds(words, sought) is found


def test_titles_are_one_bounded_line_without_hidden_characters(bank: Institution) -> None:
    nasty = "a\x1b[31m\r\n\x00b\u202ec\u200bd<!channel> " + "長" * 1_000_000
    title = read(bank, changed(WAZUH, "rule.description", nasty), max_bytes=10_000_000).title
    assert title.startswith("a[31m bcd<!channel>") and title.endswith("(cb-batch01)")
    assert len(title) <= MAX_TITLE
    assert clean("\x00\u202e", 10) == ""
    assert read(bank, changed(EDR, "detection.title", "\x07"), "edr").title == "edr"


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_PATHS = st.sampled_from(
    ["timestamp", "rule", "rule.level", "rule.description", "rule.id", "rule.groups", "rule.mitre",
     "rule.mitre.id", "agent", "agent.id", "agent.name", "agent.ip", "manager", "manager.name"]
)  # fmt: skip


@given(path=_PATHS, value=_VALUES)
@settings(max_examples=150, deadline=None)
def test_whatever_stands_in_a_field_the_alert_is_read_or_named(
    bank: Institution, path: str, value: Any
) -> None:
    try:
        body = orjson.dumps(changed(WAZUH, path, value))
    except orjson.JSONEncodeError:
        body = b"\xff"
    found = read(bank, body)
    assert found.readable or found.problem
    assert found.title and len(found.title) <= MAX_TITLE and found.title.isprintable()
    assert len(found.key) < 500 and len(found.problem) <= MAX_TITLE
