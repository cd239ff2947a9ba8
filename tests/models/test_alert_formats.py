"""Alerts of known tools and mails, read from documented samples; nothing in them may raise or mislead."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models.alerts import MAX_ITEMS, MAX_TITLE, ReadAlert, read_alert, read_alerts
from models.fieldpath import MAX_VALUES, Place, all_texts, texts_at, value_at
from models.formats import FORMATS
from models.installation import Mapping, Rule, Source
from models.mail import MAX_TEXT, read_mail
from models.policy import Limits
from playbooks.institution import Institution

NOW = datetime(2026, 11, 22, 18, 5, tzinfo=UTC)
ALERTS = Path(__file__).parents[2] / "examples" / "alerts"
SAMPLES = {
    "alertmanager": "alertmanager-group.json",
    "sentinel": "sentinel-incident.json",
    "elastic": "elastic-alerts.json",
    "defender": "defender-alert.json",
    "splunk": "splunk-webhook.json",
}
MAIL = (ALERTS / "mail-report.eml").read_bytes()


def sample(format_: str) -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads((ALERTS / SAMPLES[format_]).read_bytes())
    return content


def source(format_: Any, **more: Any) -> Source:
    return Source.model_validate({"id": format_, "format": format_, "secret": "env:X"} | more)


def read(bank: Institution, format_: str, content: Any, **more: Any) -> tuple[ReadAlert, ...]:
    body = content if isinstance(content, bytes) else orjson.dumps(content)
    made = source(format_, **more)
    return read_alerts(made, body, bank.organisation, bank.playbooks, NOW, bank.policy.severity)


@pytest.mark.parametrize(
    ("format_", "key", "level", "playbook", "services", "occurred"),
    [
        ("sentinel", "5b0c4e1e-8d5f-4a57-9a3e-1d2f3c4b5a69", "High", "ransomware", ("core-banking",),
         "2026-11-22T17:57:01.123456+00:00"),
        ("elastic", "3c5a1a44-6f1c-4a0a-9a58-0e1f6a0d7c21/cb-db01", "critical", "ransomware",
         ("core-banking",), "2026-11-22T17:59:44.120000+00:00"),
        ("defender", "00000000-0000-4000-8000-000000000003/da638679876543210987_-1216113845", "high",
         "ransomware", ("internet-banking",), "2026-11-22T17:59:08.293117+00:00"),
        ("splunk", "SA-Mihon/Ransomware - mass rename on servers/cb-batch01", "critical", "ransomware",
         ("core-banking",), "2026-11-22T17:58:00.512000+00:00"),
    ],
)  # fmt: skip
def test_the_documented_sample_of_each_format_is_read(  # noqa: PLR0917 - a row of the table
    bank: Institution,
    format_: str,
    key: str,
    level: str,
    playbook: str,
    services: tuple[str, ...],
    occurred: str,
) -> None:
    rules = [{"at_least": 4, "do": "declare"}, {"do": "propose"}]
    found = read(bank, format_, sample(format_), rules=rules)[0]
    assert found.readable, found.problem
    assert (found.key, found.level, found.playbook, found.services) == (key, level, playbook, services)
    assert found.occurred is not None and found.occurred.isoformat() == occurred
    assert (found.do, found.rule) == ("declare", 1)


def test_a_group_of_alertmanager_holds_several_alerts_and_resolved_ones_never_open(bank: Institution) -> None:
    first, second, over = read(bank, "alertmanager", sample("alertmanager"), rules=[{"do": "declare"}])
    assert (first.do, first.services, first.level) == ("declare", ("core-banking",), "critical")
    assert second.do == "declare" and second.key != first.key
    assert (over.do, over.ended, over.level) == ("keep", True, "resolved")
    assert first.occurred == datetime(2026, 11, 22, 17, 58, 26, 739266, tzinfo=UTC)


@pytest.mark.parametrize("instance", ["cb-db01:9100", "https://cb-db01.mihon.example.jp/x", "CB-DB01."])
def test_a_host_is_found_with_its_port_or_in_its_address(bank: Institution, instance: str) -> None:
    content = sample("alertmanager")
    content["alerts"][0]["labels"] = {"alertname": "x", "instance": instance}
    assert read(bank, "alertmanager", content)[0].services == ("core-banking",)


def test_elastic_writes_its_fields_flat_or_nested(bank: Institution) -> None:
    flat, nested = read(bank, "elastic", sample("elastic"))
    assert (nested.key, nested.level) == ("aa0b8c1d/br-file03", "medium")
    assert flat.readable and nested.readable and nested.title == "Unusual process on a server"
    [alone] = read(bank, "elastic", sample("elastic")["alerts"][0])
    assert alone == flat


@pytest.mark.parametrize(
    ("format_", "path", "value"),
    [
        ("sentinel", ("object", "properties", "status"), "Closed"),
        ("defender", ("status",), "resolved"),
        ("elastic", ("alerts", 0, "kibana.alert.workflow_status"), "closed"),
    ],
)
def test_what_is_closed_at_the_sender_is_only_kept(
    bank: Institution, format_: str, path: tuple[Any, ...], value: str
) -> None:
    content = sample(format_)
    _put(content, path, value)
    found = read(bank, format_, content, rules=[{"do": "declare"}])[0]
    assert (found.do, found.ended) == ("keep", True)


def test_splunk_without_a_name_is_known_by_its_search(bank: Institution) -> None:
    content = sample("splunk") | {"search_name": None}
    [found] = read(bank, "splunk", content)
    assert found.readable and "scheduler__admin" in found.title


def test_a_format_is_read_by_the_institutions_own_mapping_if_it_has_one(bank: Institution) -> None:
    mapping = {"key": ["sid"], "title": "result.signature", "level": "result.count"}
    [found] = read(
        bank, "splunk", sample("splunk"), mapping=mapping, rules=[{"at_least": 1000, "do": "declare"}]
    )
    assert (found.title, found.do) == ("Multiple file renames with new extension", "declare")


# -- gravity, services, age ---------------------------------------------------------------------------------


def test_a_services_tier_raises_the_severity_and_never_lowers_it(bank: Institution) -> None:
    tiers = {1: "critical", 2: "medium"}
    rules = [{"do": "declare", "severity": "high", "raise_for_tier": tiers}]
    assert read(bank, "sentinel", sample("sentinel"), rules=rules)[0].severity == "critical"
    rules = [{"do": "declare", "severity": "high", "raise_for_tier": {1: "low"}}]
    assert read(bank, "sentinel", sample("sentinel"), rules=rules)[0].severity == "high"
    elsewhere = sample("sentinel")
    elsewhere["object"]["properties"]["relatedEntities"] = []
    rules = [{"do": "declare", "raise_for_tier": tiers}]
    assert read(bank, "sentinel", elsewhere, rules=rules)[0].severity is None


def test_the_tools_word_stands_for_a_severity_unless_a_rule_says(bank: Institution) -> None:
    words = {"High": "high"}
    assert read(bank, "sentinel", sample("sentinel"), severities=words)[0].severity == "high"
    rules = [{"do": "propose", "severity": "low"}]
    assert read(bank, "sentinel", sample("sentinel"), severities=words, rules=rules)[0].severity == "low"


def test_an_old_alert_is_kept_and_not_declared(bank: Institution) -> None:
    content = sample("sentinel")
    content["object"]["properties"]["firstActivityTimeUtc"] = "2026-11-10T00:00:00Z"
    [found] = read(bank, "sentinel", content, rules=[{"do": "declare"}])
    assert (found.do, found.readable) == ("keep", True) and "long ago" in found.problem
    [found] = read(bank, "sentinel", content, rules=[{"do": "declare"}], older_than="30d")
    assert found.do == "declare"


def test_limits_of_triage_may_differ_by_severity() -> None:
    one = Limits.model_validate({"triage_within": "20m"})
    assert one.triage_limit("high").total_seconds() == 1_200
    table = Limits.model_validate({"triage_within": {"high": "5m", "default": "1h"}})
    assert [table.triage_limit(name).total_seconds() for name in ("high", "low", None)] == [300, 3_600, 3_600]
    bare = Limits.model_validate({"triage_within": {"high": "5m", "low": "10m"}})
    assert bare.triage_limit(None).total_seconds() == 300, "what nobody thought of is urgent"


# -- several alerts, paths ----------------------------------------------------------------------------------


def test_more_alerts_than_are_read_are_said_to_be_there(bank: Institution) -> None:
    content = sample("alertmanager")
    content["alerts"] = [content["alerts"][0] | {"fingerprint": str(n)} for n in range(MAX_ITEMS + 5)]
    found = read(bank, "alertmanager", content)
    assert len(found) == MAX_ITEMS + 1
    assert not found[-1].readable and str(MAX_ITEMS + 5) in found[-1].problem


def test_one_bad_alert_of_a_group_takes_no_other_with_it(bank: Institution) -> None:
    content = sample("alertmanager")
    content["alerts"][1] = "nonsense"
    content["alerts"][2] = {"labels": []}
    found = read(bank, "alertmanager", content)
    assert [one.readable for one in found] == [True, False, False]


@pytest.mark.parametrize("items", [None, [], {}, "x", 3])
def test_a_group_without_alerts_is_unreadable(bank: Institution, items: Any) -> None:
    [found] = read(bank, "alertmanager", sample("alertmanager") | {"alerts": items})
    assert not found.readable and "alerts" in found.problem


def test_paths_reach_lists_alternatives_and_keys_with_dots() -> None:
    post = {"top": "T", "a": {"b.c": [{"d": 1}, {"d": [2, None, {"x": 1}]}]}, "empty": ""}
    place = Place(content=post["a"], post=post)
    assert texts_at(place, "b.c.*.d") == ["1", "2"]
    assert value_at(place, "no.such|$.empty|$.top") == "T"
    assert value_at(place, "b.c.7.d") is None and value_at(place, "b.c.x") is None
    assert texts_at(Place(content={"m": {"p": 1, "q": {"r": 2}}}, post={}), "m.*") == ["1"]
    many = {"many": [{"v": n} for n in range(MAX_VALUES * 3)]}
    assert len(all_texts(Place(content=many, post=many), ("many.*.v",), 9)) == MAX_VALUES


@pytest.mark.parametrize("path", ["a..b", "", "a b", "a|", ".a", "a?b", ".".join("a" * 17)])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        Mapping(key=("a",), title=path)


def test_a_source_that_is_posted_to_needs_a_secret() -> None:
    with pytest.raises(ValidationError, match="secret"):
        Source(id="x", format="splunk")
    assert Source(id="mail", format="mail").secret is None


def test_a_storm_begins_where_the_source_says_or_at_a_part_of_its_limit() -> None:
    assert source("splunk", storm_from=7).calm_up_to == 7
    assert source("splunk", per_minute=600).calm_up_to == 20
    assert source("splunk", per_minute=1).calm_up_to == 2


# -- mails --------------------------------------------------------------------------------------------------


def test_a_mail_is_read_without_its_attachments_scripts_and_links() -> None:
    found = read_mail(MAIL)
    assert (found.sender, found.subject) == ("田中 一郎 <tanaka@customer.example.jp>", "不審なメールについて")
    assert found.text == "御行を名乗るフィッシングのメールが届きました。\nリンク先: こちら"
    assert found.attachments == ("evidence.zip",)
    assert found.date == "2026-11-23T02:41:07+09:00"


def test_a_mail_becomes_an_alert_for_triage(bank: Institution) -> None:
    [found] = read(bank, "mail", MAIL)
    assert found.title == "不審なメールについて (田中 一郎 <tanaka@customer.example.jp>)"
    assert (found.do, found.level, found.readable) == ("propose", "", True)
    assert found.text.startswith("御行を名乗る") and found.occurred is not None
    rules = [{"words": ["フィッシング"], "do": "declare", "severity": "medium"}]
    assert read(bank, "mail", MAIL, rules=rules)[0].do == "declare"


def test_a_copied_message_id_hides_no_other_mail(bank: Institution) -> None:
    [other] = read(bank, "mail", MAIL.replace("フィッシング".encode(), "脅迫".encode()))
    assert other.key != read(bank, "mail", MAIL)[0].key


def test_an_old_mail_is_still_looked_at(bank: Institution) -> None:
    [found] = read(bank, "mail", MAIL.replace(b"23 Nov 2026", b"23 Nov 2025"))
    assert found.do == "propose"


@pytest.mark.parametrize(
    ("why", "raw"),
    [
        ("nothing", b""),
        ("no mail at all", b"\x00\xff" * 500),
        ("an unknown charset", b"Subject: =?x-no?B?4pi6?=\nContent-Type: text/plain; charset=x\n\n\xff"),
        ("broken encoding", b"Subject: =?utf-8?B?%%%?=\nContent-Transfer-Encoding: base64\n\n%%%"),
        ("a charset that is none", b"Content-Type: text/plain; charset*=broken''%ZZ\n\nx"),
        ("no such date", b"Date: 99 Foo 2026 99:99\n\nx"),
        ("a date beyond all", b"Date: Mon, 1 Jan 99999999 00:00:00 +9999\n\nx"),
        ("headers without end", b"X: " + b"a" * 100_000 + b"\n\n"),
        ("crooked HTML", b"Content-Type: text/html\n\n<![if<p <!-- <script><b>" + b"<" * 5_000),
        ("CDATA and declarations", b"Content-Type: text/html\n\n<!DOCTYPE [<!ENTITY x 'y'>]><![CDATA[x]]>"),
        ("a section of no kind", b"Content-Type: text/html\n\nseen<![foo[x]]>"),
        ("a file name with a NUL", b"Content-Type: application/x; name*=a\x00b''%FF\n\nx"),
        ("crooked uuencode", b"Content-Transfer-Encoding: x-uuencode\n\nbegin 644 f\n\x7f\x7f\x01\nend\n"),
        ("a file name that is none", b"Content-Type: application/x; name*0*=x''%FF; name*1=y\n\nx"),
    ],
)  # fmt: skip
def test_no_mail_is_a_crash(bank: Institution, why: str, raw: bytes) -> None:
    [found] = read(bank, "mail", raw)
    assert found.readable and found.title and len(found.title) <= MAX_TITLE, why


def test_a_part_that_the_library_cannot_decode_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions of Python differ in what they raise for crooked encodings."""

    def crooked(*args: Any, **more: Any) -> bytes:
        raise ValueError("illegal character")

    monkeypatch.setattr(Message, "get_payload", crooked)
    found = read_mail(b"Subject: s\nContent-Type: text/plain\n\nx")
    assert (found.subject, found.text) == ("s", "")


def test_a_mail_nested_without_end_is_kept_with_its_headers() -> None:
    inner = b"x"
    for number in range(1_500):
        edge = b"e%d" % number
        inner = (
            b'Content-Type: multipart/mixed; boundary="' + edge + b'"\n\n--' + edge + b"\n" + inner + b"\n"
        )
    found = read_mail(b"Subject: deep\n" + inner)
    assert found.subject == "deep" and "nested too deep" in found.problem


def test_a_long_text_is_cut() -> None:
    assert len(read_mail(b"Content-Type: text/plain\n\n" + b"a" * 1_000_000).text) == MAX_TEXT


# -- whatever is sent ---------------------------------------------------------------------------------------

HOSTILE = st.sampled_from(
    ["<!channel> @here", "\u202e\x00\x1b[2J", "{{7*7}}", "<script>x</script>", "='cmd'!A0", "x" * 70_000]
)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | HOSTILE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def _places(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    return [place for key, child in items for place in ((*before, key), *_places(child, (*before, key)))]


def _put(content: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        content = content[key]
    content[path[-1]] = value


PLACES = [(name, place) for name in SAMPLES for place in _places(sample(name))]


@given(where=st.sampled_from(PLACES), value=ANY)
@settings(max_examples=250, deadline=None)
def test_whatever_stands_in_any_field_of_any_format(
    bank: Institution, where: tuple[str, tuple[Any, ...]], value: Any
) -> None:
    format_, place = where
    content = copy.deepcopy(sample(format_))
    _put(content, place, value)
    for found in read(bank, format_, content, rules=[{"at_least": 3, "do": "declare"}]):
        assert found.readable or found.problem
        assert found.title and len(found.title) <= MAX_TITLE and found.title.isprintable()
        assert len(found.key) < 700 and len(found.level) <= 40 and found.level.isprintable()


@given(cut=st.integers(0, len(MAIL)), junk=st.binary(max_size=40))
@settings(max_examples=150, deadline=None)
def test_whatever_stands_in_a_mail(bank: Institution, cut: int, junk: bytes) -> None:
    raw = MAIL[:cut] + junk + MAIL[cut + len(junk) :]
    found = read_alert(Source(id="mail", format="mail"), raw, bank.organisation, bank.playbooks, NOW)
    assert found.readable and found.title.isprintable() and len(found.text) <= MAX_TEXT


def test_every_format_has_its_sample() -> None:
    assert set(FORMATS) == set(SAMPLES)
    assert Rule(do="keep").raise_for_tier == {}
