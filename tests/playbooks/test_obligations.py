"""Reports owed, as data: what is shipped is sound, own files add and override, and every form renders."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from models.errors import BadInput
from models.obligation import Obligation
from playbooks.check import check
from playbooks.drafts import GAP
from playbooks.obligations import (
    SHIPPED,
    SHIPPED_FORMS,
    Form,
    FormItem,
    ObligationsFile,
    editions,
    forms_of,
    merged,
    shipped,
    shipped_forms,
)
from playbooks.reporting import FORM_CALLS, FORM_NAMES, draft_report, try_form

BASE = Path(__file__).parents[2] / "examples" / "defects" / "base"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
EXCHANGE = "  - {id: exchange, name: TSE, kind: authority, provides: Market, hours: 9-17}\n"
OWN = """\
  - id: ZENGIN-NOTICE
    edition: 2026-04-01
    effective_from: 2026-04-01
    title: {ja: 全銀ネットへの連絡, en: Notice to Zengin-Net}
    applies_if: affected("core-banking")
    recipient: {ja: 全銀ネット, en: Zengin-Net}
    party: zengin
    form: generic
    law: {ja: 取決め, en: Rules for members}
    source: 取決め
    confidence: G
    stages:
      - id: first
        title: {ja: 第一報, en: First word}
        deadline: {earliest: [{from: recognised, limit: 30m}]}
      - id: plan
        title: {ja: 復旧計画, en: Recovery plan}
        deadline: {earliest: [{from: "submitted:first", limit: 1bd, calendar: bank, ends: "17:00"}]}
"""


SEVERITIES = """\
  - {id: medium, title: {ja: 中, en: Medium}, nisc: 2, fire: medium}
  - {id: high, title: {ja: 高, en: High}, nisc: 3, fire: high}
  - {id: critical, title: {ja: 重大, en: Critical}, nisc: 4, fire: high}
"""


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """The small institution, with the exchange and all severities that shipped rules ask for."""
    made = Path(shutil.copytree(BASE, tmp_path / "bank"))
    criteria = (made / "severity.yaml").read_text(encoding="utf-8")
    high = next(line for line in criteria.splitlines() if "id: high" in line)
    (made / "severity.yaml").write_text(criteria.replace(f"{high}\n", SEVERITIES), encoding="utf-8")
    with (made / "organisation.yaml").open("a", encoding="utf-8") as file:
        file.write(EXCHANGE)
    return made


def told(bank: Path, text: str) -> list[str]:
    """Everything that `check` says of this obligations.yaml, warnings too."""
    (bank / "obligations.yaml").write_text(text, encoding="utf-8")
    found = [str(one) for one in check(bank, NOW) if "obligations.yaml" in one.file]
    return [one.replace(f"{bank}/", "") for one in found]


def with_own(*changes: tuple[str, str], more: str = "") -> str:
    """An obligations.yaml with one obligation, changed in places."""
    text = OWN
    for old, new in changes:
        assert old in text, f"the obligation no longer holds {old!r}"
        text = text.replace(old, new, 1)
    return f"obligations:\n{text}{more}"


# -- what is shipped ----------------------------------------------------------------------------------------


def test_the_shipped_obligations_and_forms_are_sound_as_an_institutions_own(bank: Path) -> None:
    text = SHIPPED.read_text(encoding="utf-8") + SHIPPED_FORMS.read_text(encoding="utf-8")
    assert told(bank, text) == []


def test_every_shipped_obligation_says_what_it_rests_on_and_names_forms_that_are_there() -> None:
    forms = forms_of(None)
    for one in shipped():
        assert one.source, one.id
        assert one.form in forms, one.id
        assert all(stage.form is None or stage.form in forms for stage in one.stages), one.id
    assert len(shipped()) > 12


def test_editions_of_one_id_stand_in_the_order_of_their_days() -> None:
    found = editions(reversed(shipped()))["JP-FSA-SYS"]
    assert [one.edition for one in found] == [date(2025, 10, 1), date(2026, 10, 1)]
    assert found[0].effective_to == date(2026, 9, 30)


# -- merging ------------------------------------------------------------------------------------------------


def own(one: Obligation, **changes: Any) -> Obligation:
    """This obligation as an institution would write it for itself."""
    return one.model_copy(update=changes)


def ppc() -> Obligation:
    return next(one for one in shipped() if one.id == "JP-PPC")


def test_without_a_file_what_is_shipped_is_what_there_is() -> None:
    found = merged(None)
    assert found.obligations == shipped()
    assert set(found.origins.values()) == {"shipped"}


def test_the_same_id_and_edition_takes_the_place_of_what_is_shipped() -> None:
    mine = own(ppc(), owner="privacy-lead")
    found = merged(ObligationsFile(obligations=(mine,)))
    assert len(found.obligations) == len(shipped())
    assert [one.owner for one in found.obligations if one.id == "JP-PPC"] == ["privacy-lead"]
    assert found.origins["JP-PPC", "2022-04-01"] == "overrides"


def test_another_edition_or_another_id_is_added() -> None:
    later = own(ppc(), edition=date(2027, 4, 1), effective_from=date(2027, 4, 1))
    other = own(ppc(), id="OWN-1")
    found = merged(ObligationsFile(obligations=(later, other)))
    assert len(found.obligations) == len(shipped()) + 2
    assert found.origins["JP-PPC", "2022-04-01"] == "shipped"
    assert found.origins["JP-PPC", "2027-04-01"] == "own"
    assert found.origins["OWN-1", "2022-04-01"] == "own"


def test_what_is_left_out_leaves_with_all_its_editions_and_an_own_one_may_come_in_its_place() -> None:
    found = merged(ObligationsFile(without=("JP-FSA-SYS", "JP-PPC"), obligations=(own(ppc(), owner="pr"),)))
    ids = [one.id for one in found.obligations]
    assert "JP-FSA-SYS" not in ids
    assert ids.count("JP-PPC") == 1
    assert found.origins["JP-PPC", "2022-04-01"] == "own"


def test_an_own_form_takes_the_place_of_a_shipped_one_or_is_added() -> None:
    item = FormItem.model_validate({"id": "a", "title": "A", "text": "{{ now }}"})
    mine = tuple(Form.model_validate({"id": name, "title": name, "items": [item]}) for name in ("ppc", "own"))
    found = forms_of(ObligationsFile(forms=mine))
    assert (found["ppc"], found["own"]) == mine
    assert set(found) == {form.id for form in shipped_forms()} | {"own"}
    assert set(forms_of(None)) == {form.id for form in shipped_forms()}


def test_an_older_edition_that_ends_before_an_own_one_begins_overlaps_nothing(bank: Path) -> None:
    later = OWN.replace("2026-04-01", "2027-04-01")
    ended = ("effective_from: 2026-04-01", "effective_from: 2026-04-01\n    effective_to: 2027-03-31")
    assert told(bank, with_own(ended, more=later)) == []


# -- slips that would go unseen -----------------------------------------------------------------------------

FORM = 'forms:\n  - {id: own, title: Own, items: [{id: a, title: A, text: "TEXT"}]}\n'
RULE = 'affected("core-banking")'
FIRST = "{earliest: [{from: recognised, limit: 30m}]}"
NEVER_STARTS = "no clock of first, plan starts"


@pytest.mark.parametrize(
    ("sentence", "old", "new", "says"),
    [
        ("a zone that is none", "form: generic", "zone: Asia/Tokio", "did you mean `Asia/Tokyo`?"),
        ("a stage twice", "id: plan", "id: first", "the id 'first' is there twice"),
        ("named and not asked", RULE, "important", "'important' is named, and not asked"),
        ("asked with too much", RULE, 'important("atm")', "expected nothing between the brackets"),
        ("asked with too little", RULE, "affected()", "expected one name in quotes"),
        ("asked of a name", RULE, "impact(important())", "expected one name in quotes"),
        ("two conditions", RULE, 'important(), known("recognised")', "not several with commas"),
        ("a text and a number", RULE, 'impact("assets") > 3', "a comparison of things of one kind"),
        ("yes and a text", RULE, 'known("recognised") > "a"', "a comparison of things of one kind"),
        ("hidden behind another", RULE, 'important() or 1 in profile("listed")', "things of one kind"),
        ("something in a number", RULE, '1 in impact("people")', "things of one kind"),
        ("a profile of another kind", "calendar: bank", 'roll_unless: profile("sector") > 1', "one kind"),
        ("a time of its own", "calendar: bank", "roll_at: same-time", "expected day-end or HH:MM"),
        ("a hundred years", "limit: 30m", "limit: 99999d", "expected at most 3660d"),
        ("a number in quotes", RULE, 'impact("people") > "1000"', "is a number and never '1000'"),
        ("a text before", RULE, '"x" == impact("people")', "is a number and never 'x'"),
        ("several words as one", RULE, 'impact("data") == "financial"', 'expected "sensitive" in impact('),
        ("a word never among them", RULE, '"finance" in impact("data")', "did you mean `financial`?"),
        ("one of two words", RULE, 'impact("purpose") in ["improper", "evil"]', "is never 'evil'"),
        ("a sector", RULE, 'profile("sector") == "banks"', "profile(sector) is never 'banks'"),
        ("an instant", RULE, 'known("recognized")', "did you mean `recognised`?"),
        ("a playbook", RULE, 'playbook("ransom-ware")', "did you mean `ransomware`?"),
        ("a severity", RULE, 'severity_at_least("hihg")', "did you mean `high`?"),
        ("no condition", RULE, RULE + " and", "expected a condition over"),
        ("of the profile alone", "calendar: bank", "roll_unless: important()", "unknown name 'important'"),
        ("no such profile", "calendar: bank", 'roll_unless: profile("listd")', "did you mean `listed`?"),
        ("one event", FIRST, '{"on": "submitted:plan", internal: 1h}', NEVER_STARTS),
        ("at once", FIRST, '{at_once: "submitted:first", internal: 1h}', NEVER_STARTS),
        ("a need", "limit: 30m", 'limit: 30m, requires: ["submitted:plan"]', NEVER_STARTS),
        ("a need there is not", "limit: 30m", "limit: 30m, requires: [classifed]", "`classified`?"),
        (
            "a switch",
            "limit: 30m",
            "limit: 30m, within_of: {instant: classifed, of: recognised, span: 1h}",
            "within_of.instant: 'classifed' is no instant",
        ),
        ("an event there is not", FIRST, '{"on": restord, internal: 1h}', "did you mean `restored`?"),
        ("the form of a stage", "id: plan", "id: plan\n        form: genric", "'genric' is no form"),
        ("the rule of a stage", "id: plan", "id: plan\n        applies_if: known('x')", "'x' is no instant"),
    ],
)
def test_a_slip_in_an_obligation_is_one_defect(
    bank: Path, sentence: str, old: str, new: str, says: str
) -> None:
    found = told(bank, with_own((old, f"'{new}'" if old == RULE else new)))
    assert len(found) == 1, (sentence, found)
    assert says in found[0], sentence


@pytest.mark.parametrize(
    ("sentence", "text", "says"),
    [
        ("a name", "{{ incidnt | gap }}", "did you mean `incident`?"),
        ("a part", "{{ organisation.nmae | gap }}", "did you mean `name`?"),
        ("a part of a text", "{{ now.hour | gap }}", "asks for 'hour', which now does not have"),
        ("an instant", "{{ instant('recognized') | gap }}", "did you mean `recognised`?"),
        ("a kind of harm", "{{ impact('persons') | gap }}", "impact('persons') is never known"),
        ("a kind of thing", "{{ scope('hosts') | join | gap }}", "did you mean `host`?"),
        ("a finding", "{{ review('reason') | gap }}", "expected one of cause, entry_route"),
        ("a stage of nobody", "{{ submitted('frist') | gap }}", "did you mean `first`?"),
        ("something not given", "{{ instant(now) | gap }}", "instant(None) is never known"),
        ("a sum", "{{ 7 * 7 }}", "uses Mul, which a draft may not"),
    ],
)
def test_a_form_that_asks_for_what_there_is_not_is_one_defect(
    bank: Path, sentence: str, text: str, says: str
) -> None:
    """`gap` would mark it as not known yet, in every draft and for ever."""
    found = told(bank, with_own(more=FORM.replace("TEXT", text)))
    assert len(found) == 1, (sentence, found)
    assert says in found[0], sentence


@pytest.mark.parametrize(
    "text",
    [
        "{% for one in decisions %}{{ loop.index }}. {{ one }}{% endfor %}",
        "{% if instant('restored') %}{{ instant('restored') }}{% else %}{{ none | gap }}{% endif %}",
        "{{ submitted('first') | gap }} {{ submitted('data-subjects') | gap }} {{ stage }}",
    ],
)
def test_a_form_may_list_ask_and_choose(bank: Path, text: str) -> None:
    assert told(bank, with_own(more=FORM.replace("TEXT", text))) == []


def test_ids_of_forms_and_of_their_items_are_there_once(bank: Path) -> None:
    item = "{id: a, title: A, text: x}"
    form = f"  - {{id: own, title: Own, items: [{item}, {item}]}}\n"
    found = told(bank, with_own(more="forms:\n" + form + form))
    assert [one.split("; ")[0].split(": ", 1)[1] for one in found] == [
        "forms[own].items[a].id: the id 'a' is there twice",
        "forms[own].id: the id 'own' is there twice",
        "forms[own].items[a].id: the id 'a' is there twice",
    ]


def test_what_is_left_out_must_be_there_to_be_left_out(bank: Path) -> None:
    assert told(bank, "without: [JP-TSE, JP-PCC]\n") == [
        "obligations.yaml:1:19: without[1]: 'JP-PCC' is no shipped obligation; "
        "expected a known one (did you mean `JP-PPC`?)"
    ]


def test_a_recipient_without_a_telephone_is_warned_of(bank: Path) -> None:
    (found,) = told(bank, with_own(("party: zengin", "party: zengn")))
    assert "party: warning: 'zengn' is no third party" in found


def test_a_term_that_waits_for_itself_is_none_while_another_one_starts(bank: Path) -> None:
    two = '[{from: recognised, limit: 1h}, {from: "submitted:plan", limit: 1h}]'
    assert told(bank, with_own((FIRST, f"{{earliest: {two}}}"))) == []
    assert NEVER_STARTS in told(bank, with_own((FIRST, f"{{latest: {two}}}")))[0]


def test_a_severity_that_shipped_rules_ask_for_and_that_is_none_here_is_warned_of(bank: Path) -> None:
    def lacking() -> list[str]:
        return [one.wrong for one in check(bank, NOW) if one.path == "severities"]

    assert lacking() == []
    shutil.copy(BASE / "severity.yaml", bank)
    assert lacking() == [
        "JP-CRCA asks for at least 'medium', which is no severity here",
        "JP-TSE asks for at least 'critical', which is no severity here",
    ]
    (bank / "obligations.yaml").write_text("without: [JP-CRCA]\n", encoding="utf-8")
    assert len(lacking()) == 1


def test_a_playbook_may_name_what_the_institution_left_out_and_that_is_said(bank: Path) -> None:
    (bank / "obligations.yaml").write_text("without: [JP-PPC]\n", encoding="utf-8")
    found = [one for one in check(bank, NOW) if "'JP-PPC' is no obligation" in one.wrong]
    assert found
    assert {one.severity for one in found} == {"warning"}


# -- forms --------------------------------------------------------------------------------------------------


def nothing_known() -> dict[str, Any]:
    """What a form may use when nobody knows anything yet."""
    names: dict[str, Any] = dict.fromkeys(FORM_NAMES)
    names |= {"stage": "first", "evidence": "0", "now": "2026-11-24 12:00 +09:00"}
    names |= {name: [] for name in ("services", "decisions", "steps_done", "recovery", "reported")}
    names |= {"incident": {"id": "INC-2026-0001", "title": None, "declared_at": None, "severity": None}}
    names |= {"organisation": {"name": "みほん銀行"}, "improvements": []}
    return names | {name: (lambda _: None) for name in FORM_CALLS} | {"scope": lambda _: []}


def all_known() -> dict[str, Any]:
    """What a form may use when everything is known."""
    names: dict[str, Any] = {name: f"<{name}>" for name in FORM_NAMES}
    names |= {name: [f"<{name}>"] for name in ("services", "decisions", "steps_done", "recovery", "reported")}
    names |= {"incident": {key: f"<{key}>" for key in ("id", "title", "declared_at", "severity")}}
    names |= {"organisation": {"name": "みほん銀行"}, "improvements": ["<improvement>"]}
    return names | {name: (lambda _: "<known>") for name in FORM_CALLS} | {"scope": lambda _: ["<thing>"]}


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("form", shipped_forms(), ids=lambda form: form.id)
def test_every_form_marks_its_gaps_while_nothing_is_known(form: Form, lang: str) -> None:
    text = draft_report(form, nothing_known(), lang)
    sections = text.split("\n## ")[1:]
    assert len(sections) == len(form.items)
    for section, item in zip(sections, form.items, strict=True):
        asks = "| gap" in item.text.lang(lang)
        assert (GAP in section) == asks, item.id
        assert item.title.lang(lang) in section
    assert "None" not in text
    assert "作成できませんでした" not in text
    assert "could not be drafted" not in text


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("form", shipped_forms(), ids=lambda form: form.id)
def test_only_what_the_record_does_not_hold_stays_a_gap_when_all_is_known(form: Form, lang: str) -> None:
    for item in form.items:
        text = draft_report(form.model_copy(update={"items": (item,)}), all_known(), lang)
        assert text.count(GAP) == item.text.lang(lang).count("{{ none | gap }}"), item.id
        assert "{{" not in text


@pytest.mark.parametrize(("lang", "says"), [("ja", "手で書いてください"), ("en", "write it by hand")])
def test_an_item_that_cannot_be_rendered_says_so_and_spoils_no_other(lang: str, says: str) -> None:
    texts = {"before": "{{ incident.id }}", "wrong": "{{ incident.id.nothing }}", "after": "{{ now }}"}
    items = [{"id": name, "title": name, "text": text} for name, text in texts.items()]
    form = Form.model_validate({"id": "own", "title": "Own", "items": items})
    before, wrong, after = draft_report(form, nothing_known(), lang).split("\n## ")[1:]
    assert before == "1. before\n\nINC-2026-0001\n"
    assert says in wrong
    assert after == "3. after\n\n2026-11-24 12:00 +09:00\n"


def test_what_people_wrote_is_text_in_a_draft_and_no_template() -> None:
    names = nothing_known() | {"incident": {"id": "INC-2026-0001", "title": "{{ 7 * 7 }}"}}
    form = Form.model_validate(
        {"id": "own", "title": "Own", "items": [{"id": "a", "title": "A", "text": "{{ incident.title }}"}]}
    )
    assert "{{ 7 * 7 }}" in draft_report(form, names, "en")


def test_a_text_is_tried_over_nothing_at_all() -> None:
    try_form("{{ instant('recognised') | gap }} {{ scope('host') | join | gap }} {{ decisions | length }}")
    with pytest.raises(BadInput, match="calls something else than"):
        try_form("{{ output('a', 'b') }}")
