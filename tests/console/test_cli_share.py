"""Sharing packages: what helps others goes in, nobody of ours does, and nothing is given away unrecorded."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import stix2

from console import leaks, sharing
from models.clock import utc
from models.desk import Desk
from tests.console.clihouse import START, Cli, cli

INC = "INC-2026-0001"
CANARY = "カナリア"
__all__ = ["cli"]


@pytest.fixture
def bank(cli: Cli) -> Cli:
    cli.done("declare", f"{CANARY} odd", "--playbook", "ransomware")
    for one in ("hxxps://evil[.]example/a", "203.0.113.7", "a" * 64, "JA3 xyz"):
        cli.done(
            "scope",
            "add",
            INC,
            "indicator",
            one,
            "--confidence",
            "80",
            "--source",
            f"{CANARY} EDR",
            "--note",
            f"seen on cb-batch01 by {CANARY}",
            "--first-seen",
            "2026-11-24T01:00:00+09:00",
        )
    cli.done("scope", "add", INC, "server", "cb-batch01")
    cli.done("scope", "add", INC, "account", f"svc-{CANARY}")
    return cli  # fmt: skip


def prepare(cli: Cli, out: Path, *arguments: str, tlp: str = "amber") -> Any:
    return cli.run("share", "prepare", INC, "--tlp", tlp, "--out", str(out), *arguments)


def everything(folder: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in folder.iterdir())


@pytest.mark.parametrize("tlp", ["RED", "amber+strict", "TLP:AMBER", "green", "clear", "white"])
def test_the_bundle_is_sound_stix_under_its_label(bank: Cli, tmp_path: Path, tlp: str) -> None:
    out = tmp_path / "package"
    assert prepare(bank, out, "--malware", "Evilware", "--note", "Beacons every hour.", tlp=tlp).code == 0
    label = {"white": "CLEAR"}.get(tlp, tlp.upper().removeprefix("TLP:"))
    text = (out / "indicators.stix.json").read_text(encoding="utf-8")
    bundle = stix2.parse(text, allow_custom=True)
    raw = json.loads(text)["objects"]
    marks = [one for one in raw if one["type"] == "marking-definition"]
    assert [one["name"] for one in marks] == [f"TLP:{label}"]
    assert marks[0]["extensions"][sharing._TLP_EXTENSION]["tlp_2_0"] == label.lower()
    for one in raw:
        if one is not marks[0]:
            assert one["object_marking_refs"] == [marks[0]["id"]]
            assert {"type", "spec_version", "id", "created", "modified"} <= set(one)
        assert "created_by_ref" not in one
    indicators = [one for one in raw if one["type"] == "indicator"]
    assert {one["pattern"] for one in indicators} == {
        "[url:value = 'https://evil.example/a']",
        "[ipv4-addr:value = '203.0.113.7']",
        f"[file:hashes.'SHA-256' = '{'a' * 64}']",
    }
    assert all({"pattern_type", "valid_from"} <= set(one) and one["confidence"] == 80 for one in indicators)
    techniques = [one["name"] for one in raw if one["type"] == "attack-pattern"]
    assert "T1486" in techniques
    assert [one.name for one in bundle.objects if one.type == "malware"] == ["Evilware"]
    assert [one["content"] for one in raw if one["type"] == "note"] == ["Beacons every hour."]


def test_people_read_it_defanged_in_both_languages_and_machines_as_a_table(bank: Cli, tmp_path: Path) -> None:
    out = tmp_path / "package"
    prepare(bank, out)
    for lang, title in (("ja", "攻撃技術情報"), ("en", "Attack technical information")):
        text = (out / f"technical.{lang}.md").read_text(encoding="utf-8")
        assert text.startswith("TLP:AMBER\n") and text.rstrip().endswith("TLP:AMBER")
        assert title in text and "https://evil" not in text and "203.0.113.7" not in text
    rows = list(csv.DictReader(io.StringIO((out / "indicators.csv").read_text(encoding="utf-8-sig"))))
    assert [one["value"] for one in rows] == ["https://evil.example/a", "203.0.113.7", "a" * 64, "JA3 xyz"]
    assert {one["tlp"] for one in rows} == {"TLP:AMBER"}


def test_no_free_text_of_the_incident_reaches_the_technical_package(bank: Cli, tmp_path: Path) -> None:
    out = tmp_path / "package"
    assert prepare(bank, out).code == 0
    text = everything(out)
    state = bank.house.desk.incident(INC)
    beside = bank.house.desk.texts(INC)
    known = leaks.names(bank.house.institution.organisation, state, beside)
    assert len(known) > 50
    assert CANARY not in text and INC not in text
    assert leaks.leaks({"all": text}, known) == []


def kinds_of_names(cli: Cli) -> dict[str, str]:
    """A name of each kind that the directory and the incident have."""
    bank = cli.house.institution.organisation
    person = next(one for one in bank.people if one.email)
    service = next(one for one in bank.services if one.hosts)
    party = next(one for one in bank.third_parties if one.kind == "vendor")
    return {
        "institution": bank.name.ja,
        "institution-en": bank.name.en,
        "person": person.name.ja,
        "person-id": person.id,
        "account": person.account or "",
        "mail": person.email or "",
        "mail-domain": (person.email or "").rpartition("@")[2],
        "service": service.name.ja,
        "host": service.hosts[0].upper(),
        "third-party": party.name.ja,
        "incident": INC.lower(),
        "other-incident": "INC-2025-0999",
        "scope": f"svc-{CANARY}",
        "address": "192[.]168[.]10[.]3",
        "address6": "fe80::1",
    }


@pytest.mark.parametrize("form", ["stix", "csv", "md"])
def test_a_name_of_ours_is_found_wherever_a_person_puts_it(bank: Cli, tmp_path: Path, form: str) -> None:
    for number, (kind, name) in enumerate(kinds_of_names(bank).items()):
        assert name, kind
        out = tmp_path / kind
        if form == "csv":
            bank.done("scope", "add", INC, "indicator", f"text {name}", "--type", "other")
            left_out = [f"--without=SC-{one:03d}" for one in range(7, 7 + number)]
            answer = prepare(bank, out, "--format", form, *left_out)
        else:
            answer = prepare(bank, out, "--format", form, "--note", f"Found at {name} (3).")
        assert answer.code == 1, (kind, answer.out)
        assert "line" in answer.err
        assert not out.exists()
    assert bank.run("share", "list", INC, "--json").json == []


KNOWN = {"aoi bank": "institution", "cb-batch01": "scope", "bank\\svc-a": "scope"}


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        pytest.param("x.md", "Aoi  Bank", "aoi bank", id="two spaces"),
        pytest.param("x.md", "Aoi\u00a0Bank", "aoi bank", id="a space that does not break"),
        pytest.param("x.md", "A\u200boi Ba\u00adnk", "aoi bank", id="nothing that shows"),
        pytest.param("x.csv", "cb\u2010batch01, cb\u2212batch01", "cb-batch01", id="another dash"),
        pytest.param(
            "x.json", r"[user-account:user_id = 'bank\\\\svc-a']", "bank\\svc-a", id="escaped twice"
        ),
        pytest.param("x.json", r'{"note": "bank\\svc-a"}', "bank\\svc-a", id="escaped once"),
        pytest.param("x.md", "::ffff:a00:1", "::ffff:a00:1", id="IPv4 in IPv6"),
        pytest.param("x.md", "100.64.7.7", "100.64.7.7", id="shared address space"),
    ],
)
def test_no_disguise_passes(file: str, text: str, found: str) -> None:
    known = {leaks._folded(name): what for name, what in KNOWN.items()}
    assert [name for _, _, _, name in leaks.leaks({file: text}, known)] == [found]


def test_the_note_for_people_obeys_nothing() -> None:
    package = sharing.Technical(tlp="CLEAR", made_at=utc(START), note="a\u202eb\x1b[2Jc\rd\r\ne")
    text = sharing.technical_files(package, ("md",))["technical.en.md"]
    assert not set(text) & set("\u202e\x1b\r")
    assert "c d e" in text


def test_what_its_maker_lets_pass_is_on_record(bank: Cli, tmp_path: Path) -> None:
    bank.done("scope", "add", INC, "indicator", "10.1.2.3")
    refused = prepare(bank, tmp_path / "a", "--json")
    assert refused.code == 1 and "10.1.2.3" in json.dumps(refused.json)
    assert prepare(bank, tmp_path / "b", "--without", "SC-007").code == 0
    assert prepare(bank, tmp_path / "c", "--allow", "10.1.2.3").code == 0
    made = bank.run("share", "list", INC, "--json").json
    assert [one["allowed"] for one in made] == [[], ["10.1.2.3"]]
    assert "10.1.2.3" in bank.run("share", "list", INC).out
    assert prepare(bank, tmp_path / "d", "--without", "SC-099").code == 2


def test_the_record_has_the_digest_of_what_was_written(bank: Cli, tmp_path: Path) -> None:
    out = tmp_path / "technical.zip"
    answer = prepare(bank, out, "--json")
    assert answer.code == 0
    (fact,) = [one for one in answer.json["facts"] if one["kind"] == "sharing.prepared"]
    with zipfile.ZipFile(out) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    each = {name: f"sha256:{hashlib.sha256(body).hexdigest()}" for name, body in found.items()}
    assert fact["data"]["files"] == each
    lines = "".join(f"{each[name][7:]}  {name}\n" for name in sorted(each))
    assert fact["data"]["digest"] == f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"
    assert prepare(bank, out).code == 2, "nothing that is there already is written over"


def test_a_package_lies_nowhere_under_its_name_before_it_is_on_record(
    bank: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[bool] = []
    handle = Desk.handle

    def looking(self: Desk, *arguments: Any, **named: Any) -> Any:
        there.append(out.exists())
        return handle(self, *arguments, **named)

    monkeypatch.setattr(Desk, "handle", looking)
    for out in (tmp_path / "package", tmp_path / "package.zip"):
        assert prepare(bank, out).code == 0
        assert out.exists()
    assert there and not any(there)
    assert [one for one in tmp_path.iterdir() if one.name.startswith(".share")] == []


def test_the_two_parts_are_apart(bank: Cli, tmp_path: Path) -> None:
    out = tmp_path / "damage"
    assert prepare(bank, out, "--part", "damage").code == 0
    text = everything(out)
    assert "cb-batch01" in text and INC in text
    assert "evil" not in text and "203" not in text.replace("2026", "")


def test_who_may_not_share_leaves_nothing_behind(bank: Cli, tmp_path: Path) -> None:
    for out in (tmp_path / "folder", tmp_path / "x.zip"):
        answer = bank.run("share", "prepare", INC, "--tlp", "amber", "--out", str(out), who=who_may_not(bank))
        assert answer.code == 1
        assert not out.exists()
    assert [one for one in tmp_path.iterdir() if one.name.startswith(".share")] == []
    assert prepare(bank, tmp_path / "none" / "x").code == 2
    assert prepare(bank, tmp_path / "x", tlp="purple").code == 2


def who_may_not(cli: Cli) -> str:
    """The account of somebody without a role that may share."""
    may = {"csirt-duty", "csirt-lead", "commander", "scribe", "ciso", "legal"}
    directory = cli.house.desk.directory
    people = cli.house.institution.organisation.people
    return next(one.account for one in people if one.account and not directory.roles_of(one.id, START) & may)


def test_giving_it_away_is_recorded_with_its_approved_letter(bank: Cli, tmp_path: Path) -> None:
    prepare(bank, tmp_path / "p")
    digest = bank.run("share", "list", INC, "--json").json[0]["digest"].removeprefix("sha256:")[:12]
    letter = tmp_path / "letter.txt"
    letter.write_text("Indicators.", encoding="utf-8")
    draft = ("message", "draft", INC, "--audience", "other", "--tlp", "AMBER", "--from")
    bank.done(*draft, str(letter))
    sent = ("share", "sent", INC, "shr-001", "--to", "fisac", "--via", "portal")
    other = bank.run(*sent, "--message", "msg-001")
    assert other.code == 2 and digest in other.err, "the letter is not about this package"
    letter.write_text(f"Indicators, package {digest}.", encoding="utf-8")
    bank.done(*draft, str(letter))
    waiting = bank.run(*sent, "--message", "MSG-002")
    assert waiting.code == 1, "nobody has approved it"
    bank.done(*sent)
    assert "WITHOUT APPROVAL" in bank.run("share", "list", INC).out
    assert bank.run("share", "sent", INC, "SHR-009", "--to", "x", "--via", "y").code == 1


def test_what_stays_in_the_house_is_not_given_away(bank: Cli, tmp_path: Path) -> None:
    prepare(bank, tmp_path / "p", tlp="amber+strict")
    answer = bank.run("share", "sent", INC, "SHR-001", "--to", "fisac", "--via", "portal")
    assert answer.code == 1 and "AMBER+STRICT" in answer.err


def test_a_package_without_anything_is_sound_as_well() -> None:
    files = sharing.technical_files(sharing.Technical(tlp="CLEAR", made_at=utc(START)), sharing.FORMATS)
    stix2.parse(files["indicators.stix.json"], allow_custom=True)
