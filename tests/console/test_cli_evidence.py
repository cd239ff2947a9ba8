"""`hikeshi evidence …`: the ledger at the command line, with real files, keys and processes."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyrage
import pytest

from console.export import markdown
from flows.actions.store import Writer
from models.commands import Actor, AddEvidence
from models.custody import DisposeEvidence
from models.evidence import Particulars
from tests.console.clihouse import Cli, cli

ROOT = Path(__file__).parents[2]
__all__ = ["cli"]
INC = "INC-2026-0001"
ADD = ("evidence", "add", INC, "memory", "--description", "Memory of a host")
HAND = ("--purpose", "analysis", "--place", "room 3")


@pytest.fixture
def bank(cli: Cli) -> Cli:
    cli.done("declare", "Files are encrypted", "--playbook", "short")
    return cli


def given(folder: Path, data: bytes = b"memory of a host", name: str = "image.mem") -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


def item(bank: Cli, number: str = "EV-0001") -> dict[str, Any]:
    return dict(bank.run("evidence", "show", INC, number, "--json").json)


def seal(bank: Cli) -> pyrage.x25519.Identity:
    """From now on what is preserved is sealed; the key that opens it."""
    key = pyrage.x25519.Identity.generate()
    settings = bank.directory / "settings.toml"
    settings.write_text(settings.read_text() + f'\n[evidence]\nseal_to = ["{key.to_public()}"]\n')
    from console.opening import open_house  # noqa: PLC0415

    bank.house.record.close()
    bank.house = open_house(bank.directory, bank.clock)
    return key


def close(bank: Cli) -> None:
    bank.done("dismiss", INC, "--reason", "it was a test of ours")


# -- recording ----------------------------------------------------------------------------------------------


def test_every_field_of_a_custody_form_is_shown_and_given_to_programs(bank: Cli, tmp_path: Path) -> None:
    bank.done(
        *ADD, "--file", given(tmp_path), "--step", "look", "--kind", "medium", "--make", "Dell",
        "--model", "R7",
        "--serial", "S-1", "--owner", "IT", "--host", "cb-01", "--account", "root", "--clock-offset", "-250",
        "--command", "avml", "--reason", "the CISO", "--volatility", "2", "--storage", "safe 2",
        "--seal", "L-9",
        "--witness", "Ono", "--at", "2026-11-24T11:00:00+09:00",
    )  # fmt: skip
    known = item(bank)
    assert {name: known[name] for name in ("make", "model", "serial", "owner", "host", "account")} == {
        "make": "Dell", "model": "R7", "serial": "S-1", "owner": "IT", "host": "cb-01", "account": "root"
    }  # fmt: skip
    assert (known["clock_offset_ms"], known["volatility"], known["phase"]) == (-250, 2, "triage")
    assert known["collected_at"] == "2026-11-24T02:00:00.000000Z"
    assert known["location"] == str(tmp_path / "image.mem")
    assert known["tool"] == "hikeshi evidence add"
    assert (known["storage"]["place"], known["seal"], known["witness"]) == ("safe 2", "L-9", "Ono")
    shown = bank.run("evidence", "show", INC, "1").out
    for word in ("Dell", "S-1", "-250 ms", "the CISO", "safe 2", "L-9", "Ono", "avml", known["digest"]):
        assert word in shown, word


def test_an_item_that_is_no_file_is_recorded_and_a_clock_that_nobody_compared_says_so(bank: Cli) -> None:
    bank.done(
        "evidence", "add", INC, "server", "--description", "The batch server", "--kind", "device",
        "--serial", "X1", "--collected-by", "Mori, Forensics KK", "--storage", "their laboratory",
    )  # fmt: skip
    known = item(bank)
    assert (known["kind"], known["digest"], known["collected_by"]) == ("device", None, "Mori, Forensics KK")
    assert known["holder"] == {"id": None, "name": "Mori, Forensics KK"}
    assert not known["secures_analysis"]
    shown = bank.run("evidence", "show", INC, "EV-0001").out
    assert "not compared with a reference" in shown
    assert "[device]" in bank.run("evidence", "list", INC).out


def test_what_is_referenced_stays_where_it_lies(bank: Cli, tmp_path: Path) -> None:
    path = given(tmp_path)
    bank.done(*ADD, "--reference", path)
    known = item(bank)
    assert known["digest"] == "sha256:" + sha256(b"memory of a host").hexdigest()
    assert known["storage"]["place"] == path and known["storage"]["object"] is None
    assert not bank.house.evidence.exists()
    assert bank.run("evidence", "verify", INC).code == 0
    Path(path).write_bytes(b"memory of a hoax")
    broken = bank.run("evidence", "verify", INC, "--json")
    assert broken.code == 1
    assert broken.json["items"][0]["result"] == "different"


def test_the_same_file_again_is_a_duplicate_and_not_stored_twice(bank: Cli, tmp_path: Path) -> None:
    path = given(tmp_path)
    for _ in range(2):
        bank.done(*ADD, "--file", path)
    assert item(bank, "EV-0002")["duplicate_of"] == "EV-0001"
    assert "the same bytes as EV-0001" in bank.run("evidence", "list", INC).out
    assert len([one for one in bank.house.evidence.rglob("*") if one.is_file()]) == 1


def test_devices_pipes_links_and_folders_are_not_read(bank: Cli, tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(given(tmp_path))
    for path, words in (
        (str(pipe), "no regular file"),
        ("/dev/zero", "no regular file"),
        (str(tmp_path), "no regular file"),
        (str(link), "symbolic link"),
    ):
        for option in ("--file", "--reference"):
            answer = bank.run(*ADD, option, path)
            assert answer.code == 1, path
            assert words in answer.err
    assert bank.run("evidence", "list", INC, "--json").json == []


@pytest.mark.parametrize("size", [1_000, (3 << 20) + 3])
def test_a_file_that_changes_while_it_is_read_is_kept_and_marked_with_both_digests(
    bank: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    path = Path(given(tmp_path, b"a" * size))
    writing = Writer.write

    def slow(self: Writer, piece: bytes) -> None:
        with path.open("ab") as other:
            other.write(b"more")
        writing(self, piece)

    monkeypatch.setattr(Writer, "write", slow)
    bank.done(*ADD, "--file", str(path))
    known = item(bank)
    now = sha256(path.read_bytes()).hexdigest()
    assert known["partial"] and known["digest"] in known["problem"] and now in known["problem"]
    assert not known["secures_analysis"]
    assert "(partial)" in bank.run("evidence", "list", INC).out


def test_nothing_is_copied_for_somebody_who_may_not_record_it(bank: Cli, tmp_path: Path) -> None:
    path = given(tmp_path)
    for arguments in ((*ADD, "--file", path), (*ADD, "--file", path, "--step", "nothing")):
        assert bank.run(*arguments, who="watanabe").code == 1
    assert bank.run(*ADD, "--file", path, "--volatility", "9").code == 1
    assert bank.run(*ADD, "--file", path, "--reference", path).code == 2
    assert not bank.house.evidence.exists()


def test_names_in_any_encoding(bank: Cli, tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/\xff\xfe\x1b[31m.mem"
    Path(os.fsdecode(odd)).write_bytes(b"x")
    bank.done(*ADD, "--file", os.fsdecode(odd))
    assert r"\xff\xfe" in item(bank)["name"]
    assert "\x1b" not in bank.run("evidence", "show", INC, "1").out
    assert bank.run(*ADD, "--reference", os.fsdecode(odd)).code == 2


# -- sealing ------------------------------------------------------------------------------------------------


def test_sealed_evidence_is_verified_without_its_key_and_opened_by_plain_age(
    bank: Cli, tmp_path: Path
) -> None:
    key = seal(bank)
    bank.done(*ADD, "--file", given(tmp_path))
    known = item(bank)
    there = bank.house.evidence / known["storage"]["object"]
    assert pyrage.decrypt(there.read_bytes(), [key]) == b"memory of a host"
    assert known["storage"]["digest"] == "sha256:" + sha256(there.read_bytes()).hexdigest()
    assert bank.run("evidence", "verify", INC).code == 0
    own = given(tmp_path, f"# created: now\n{key}\n".encode(), "key.txt")
    assert bank.run("evidence", "verify", INC, "--identity", own).code == 0
    wrong = given(tmp_path, str(pyrage.x25519.Identity.generate()).encode(), "other.txt")
    answer = bank.run("evidence", "verify", INC, "--identity", wrong)
    assert answer.code == 1 and "cannot be opened" in answer.err
    there.chmod(0o600)
    there.write_bytes(b"age-encryption.org/v1 and no more")
    bank.run("evidence", "verify", INC, "--identity", wrong)
    assert item(bank)["verified"]["result"] == "different"
    assert "AGE-SECRET" not in answer.err
    assert bank.run("evidence", "verify", INC, "--identity", given(tmp_path, b"-", "none")).code != 0
    assert "sealed (age)" in bank.run("evidence", "list", INC).out


def test_a_sealed_object_that_holds_something_else_is_found_with_the_key(bank: Cli, tmp_path: Path) -> None:
    """Somebody who can write the folder seals other bytes to the same key, before the item is recorded."""
    key = seal(bank)
    digest = sha256(b"memory of a host").hexdigest()
    there = bank.house.evidence / "sha256" / digest[:2] / f"{digest}.age"
    there.parent.mkdir(parents=True)
    planted = pyrage.encrypt(b"something else", [key.to_public()])
    there.write_bytes(planted)
    bank.done(*ADD, "--file", given(tmp_path))
    assert item(bank)["storage"]["object"] != f"sha256/{digest[:2]}/{digest}.age", "ours lies beside it"
    about = Particulars(
        stored_digest="sha256:" + sha256(planted).hexdigest(),
        stored_size=len(planted),
        sealed_to=(str(key.to_public()),),
    )
    add = AddEvidence(
        actor=Actor(person="sato-kenji", name="sato"), source="memory", description="-", about=about,
        digest=f"sha256:{digest}", size=16, stored=f"sha256/{digest[:2]}/{digest}.age",
    )  # fmt: skip
    assert bank.house.desk.handle(INC, add).accepted
    own = given(tmp_path, str(key).encode(), "key.txt")
    assert bank.run("evidence", "verify", INC).code == 0, "without the key only the sealed bytes are known"
    assert bank.run("evidence", "verify", INC, "--identity", own).code == 3


# -- custody ------------------------------------------------------------------------------------------------


def test_a_hand_over_with_the_digest_computed_anew_and_its_receipt(bank: Cli, tmp_path: Path) -> None:
    bank.done(*ADD, "--file", given(tmp_path))
    bank.done("evidence", "transfer", INC, "1", "--to", "suzuki", *HAND, "--check")
    moved = item(bank)["transfers"][0]
    assert (moved["released_by"], moved["result"]) == ("sato-kenji", "same")
    assert "RECEIPT NOT CONFIRMED" in bank.run("evidence", "show", INC, "1").out
    refused = bank.run("evidence", "transfer", INC, "1", "--to", "kato", *HAND)
    assert refused.code == 1 and "is held by" in refused.err
    bank.done("confirm", INC, str(moved["fact"]), who="suzuki")
    assert item(bank)["transfers"][0]["receipt_confirmed_at"] is not None
    assert "receipt confirmed" in bank.run("evidence", "show", INC, "1").out


def test_an_expert_outside_and_a_third_party_of_the_register(bank: Cli, tmp_path: Path) -> None:
    bank.done(*ADD, "--file", given(tmp_path))
    refused = bank.run("evidence", "transfer", INC, "1", "--to", "Mori", *HAND)
    assert refused.code == 1 and "--organisation" in refused.err
    bank.done("evidence", "transfer", INC, "1", "--to", "Mori", "--organisation", "Forensics KK", *HAND)
    shown = bank.run("evidence", "show", INC, "1").out
    assert "Mori (Forensics KK)" in shown and "held by: Mori" in shown
    digest = "sha256:" + "0" * 64
    bank.run("evidence", "transfer", INC, "1", "--to", "sato", *HAND, "--digest", digest)
    assert item(bank)["transfers"][1]["result"] == "different"
    assert "DIGEST DIFFERS" in bank.run("evidence", "show", INC, "1").out
    bank.done("evidence", "transfer", INC, "1", "--to", "core-vendor", *HAND)
    assert item(bank)["holder"]["id"] == "core-vendor"


def test_a_check_of_what_has_no_bytes_here_is_wrong_usage(bank: Cli) -> None:
    bank.done(*ADD)
    answer = bank.run("evidence", "transfer", INC, "1", "--to", "suzuki", *HAND, "--check")
    assert answer.code == 2 and "--digest" in answer.err
    assert bank.run("evidence", "verify", INC).code == 0
    assert bank.run("evidence", "show", INC, "EV-0009").code == 1


def test_damage_is_an_exit_code_a_page_and_red_in_the_list(bank: Cli, tmp_path: Path) -> None:
    bank.done(*ADD, "--file", given(tmp_path))
    there = bank.house.evidence / item(bank)["storage"]["object"]
    there.chmod(0o600)
    there.write_bytes(b"memory of a hoax")
    answer = bank.run("evidence", "verify", INC, "1")
    assert answer.code == 3, "recorded, and nobody has been paged yet"
    assert "DIFFERS FROM ITS DIGEST" in bank.run("evidence", "list", INC).out
    assert [one.event for one in bank.house.desk.incident(INC).open_pages()][-1] == "evidence-damaged"
    there.unlink()
    assert bank.run("evidence", "verify", INC, "--json").json["items"][0]["result"] == "missing"
    assert item(bank)["verified"]["result"] == "missing"


# -- the end ------------------------------------------------------------------------------------------------


def test_disposal_removes_the_object_and_keeps_digest_and_chain(bank: Cli, tmp_path: Path) -> None:
    bank.done(*ADD, "--file", given(tmp_path))
    bank.done("evidence", "transfer", INC, "1", "--to", "suzuki", *HAND)
    digest, there = item(bank)["digest"], bank.house.evidence / item(bank)["storage"]["object"]
    dispose = ("evidence", "dispose", INC, "1", "--reason", "kept long enough", "--authority", "rule 7")
    assert bank.run(*dispose, who="kato").code == 1
    close(bank)
    assert bank.run(*dispose).code == 1, "the CSIRT does not decide this"
    bank.done("evidence", "hold", INC, "--reason", "the police asked")
    held = bank.run(*dispose, who="kato")
    assert held.code == 1 and "legal hold" in held.err
    assert "LEGAL HOLD" in bank.run("evidence", "show", INC, "1").out
    bank.done("evidence", "release", INC, "--reason", "over")
    bank.done(*dispose, who="kato")
    assert not there.exists()
    known = item(bank)
    assert known["digest"] == digest and len(known["transfers"]) == 1
    assert (known["disposed"]["object"], known["disposed"]["authority"]) == ("removed", "rule 7")
    assert bank.run("verify").code == 0
    assert bank.run("evidence", "verify", INC).code == 0


def test_what_another_item_still_needs_is_not_removed(bank: Cli, tmp_path: Path) -> None:
    path = given(tmp_path)
    bank.done(*ADD, "--file", path)
    bank.done("declare", "Another one", "--playbook", "short")
    bank.done("evidence", "add", "INC-2026-0002", "memory", "--description", "-", "--file", path)
    there = bank.house.evidence / item(bank)["storage"]["object"]
    close(bank)
    bank.done("evidence", "dispose", INC, "1", "--reason", "-", "--authority", "-", who="kato")
    assert there.exists()
    assert item(bank)["disposed"]["object"] == "shared"


def test_a_hold_after_the_decision_comes_before_the_object_goes(bank: Cli, tmp_path: Path) -> None:
    bank.done(*ADD, "--file", given(tmp_path))
    there = bank.house.evidence / item(bank)["storage"]["object"]
    close(bank)
    owner = next(one.id for one in bank.house.institution.organisation.people if one.account == "kato")
    decided = DisposeEvidence(actor=Actor(person=owner, name="kato"), id="EV-0001", reason="-", authority="-")
    assert bank.house.desk.handle(INC, decided).accepted
    bank.done("evidence", "hold", INC, "--reason", "the police asked")
    dispose = ("evidence", "dispose", INC, "1", "--reason", "-", "--authority", "-")
    for who in ("kato", "sato"):
        assert bank.run(*dispose, who=who).code == 1
        assert there.exists(), "nobody removes first and asks afterwards"
    number = str(bank.house.desk.incident(INC).evidence_holds[0].seq)
    bank.done("evidence", "release", INC, "--reason", "over", "--hold", number)
    bank.done(*dispose, who="kato")
    assert not there.exists()


def test_a_scribe_cannot_have_evidence_destroyed_in_another_name(bank: Cli, tmp_path: Path) -> None:
    bank.done(*ADD, "--file", given(tmp_path))
    there = bank.house.evidence / item(bank)["storage"]["object"]
    close(bank)
    dispose = ("evidence", "dispose", INC, "1", "--reason", "-", "--authority", "-", "--for", "kato")
    refused = bank.run(*dispose)
    assert refused.code == 1 and "for somebody else" in refused.err
    assert there.exists()


def test_what_a_collector_has_taken_again_and_not_recorded_yet_is_not_removed(
    bank: Cli, tmp_path: Path
) -> None:
    bank.done(*ADD, "--file", given(tmp_path))
    there = bank.house.evidence / item(bank)["storage"]["object"]
    close(bank)
    with Writer(bank.house.evidence) as writer:
        writer.write(b"memory of a host")
        writer.keep()
    assert writer.was_there
    dispose = ("evidence", "dispose", INC, "1", "--reason", "-", "--authority", "-")
    refused = bank.run(*dispose, who="kato")
    assert refused.code == 1 and "run this again" in refused.err
    assert there.exists() and item(bank)["disposed"]["object"] == "not removed yet"
    writer.recorded()
    bank.done(*dispose, who="kato")
    assert not there.exists()


def test_a_link_in_the_place_of_an_object_is_no_object(bank: Cli, tmp_path: Path) -> None:
    path = given(tmp_path)
    bank.done(*ADD, "--file", path)
    there = bank.house.evidence / item(bank)["storage"]["object"]
    there.unlink()
    there.symlink_to(path)
    broken = bank.run("evidence", "verify", INC, "--json").json
    assert broken["items"][0]["result"] == "unreadable"


def test_what_is_computed_from_a_file_is_not_given_by_hand(bank: Cli, tmp_path: Path) -> None:
    path = given(tmp_path)
    for option in (("--digest", "sha256:" + "0" * 64), ("--size", "1")):
        for how in ("--file", "--reference"):
            answer = bank.run(*ADD, how, path, *option)
            assert answer.code == 2 and "computed" in answer.err
    assert not bank.house.evidence.exists()


def test_a_removal_that_was_interrupted_is_taken_up_again(bank: Cli, tmp_path: Path) -> None:
    bank.done(*ADD, "--file", given(tmp_path))
    close(bank)
    owner = next(one.id for one in bank.house.institution.organisation.people if one.account == "kato")
    decided = DisposeEvidence(actor=Actor(person=owner, name="kato"), id="EV-0001", reason="-", authority="-")
    assert bank.house.desk.handle(INC, decided).accepted
    assert "NOT REMOVED YET" in bank.run("evidence", "show", INC, "1").out
    bank.done("evidence", "dispose", INC, "1", "--reason", "-", "--authority", "-", who="kato")
    assert item(bank)["disposed"]["object"] == "removed"


def test_a_text_is_disposed_of_and_the_chain_stays_whole(bank: Cli, tmp_path: Path) -> None:
    bank.done(*ADD, "--file", given(tmp_path), "--owner", "Taro Yamada, 1 Chome")
    digest = bank.house.desk.incident(INC).evidence["EV-0001"].words["owner"]
    close(bank)
    gone = ("evidence", "dispose-text", INC, digest, "--reason", "privacy")
    assert bank.run(*gone).code == 1
    bank.done(*gone, who="kato")
    verified = bank.run("verify", "--json")
    assert verified.code == 0 and verified.json["disposed"] == 1
    assert item(bank)["owner"] is None
    assert "(disposed of)" in bank.run("evidence", "show", INC, "1").out


# -- the list -----------------------------------------------------------------------------------------------


def test_the_list_by_phase_and_the_report_hold_every_collected_log(bank: Cli, tmp_path: Path) -> None:
    bank.done(*ADD, "--file", given(tmp_path))
    bank.done("evidence", "add", INC, "fw-logs", "--description", "-", "--at", "2026-11-20T00:00:00Z")
    whole = bank.run("evidence", "list", INC, "--by-phase", "--json").json
    assert whole["by_phase"] == {"before": ["EV-0002"], "triage": ["EV-0001"]}
    assert (whole["format"], whole["hold"]) == ("hikeshi-evidence/1", None)
    shown = bank.run("evidence", "list", INC, "--by-phase").out
    assert shown.index("before any phase") < shown.index("EV-0002") < shown.index("EV-0001")
    bank.done("evidence", "transfer", INC, "1", "--to", "Mori", "--organisation", "KK", *HAND)
    report = markdown(bank.house.desk, INC, "en")
    assert item(bank)["digest"] in report and "Mori" in report
    assert "EV-0001" in markdown(bank.house.desk, INC, "ja")


def test_what_is_still_to_be_preserved_comes_in_the_order_of_volatility(cli: Cli, tmp_path: Path) -> None:
    cli.done("declare", "Files are encrypted", "--playbook", "ransomware")
    shown = cli.run("evidence", "list", INC).out
    classes = [int(line.split("class ")[1][0]) for line in shown.splitlines() if "volatility class" in line]
    assert classes == sorted(classes) and len(classes) > 2
    assert "lost by waiting" in shown, shown
    assert "still there for" in shown, shown
    assert "retention of Sessions of those logged on" in cli.run("clocks", INC).out
    cli.done("evidence", "add", INC, "logon-sessions", "--description", "-", "--file", given(tmp_path))
    assert "retention:logon-sessions" not in [
        one["id"] for one in cli.run("clocks", INC, "--json").json if one.get("status") == "running"
    ]


def test_the_texts_are_there_in_both_languages(bank: Cli, tmp_path: Path) -> None:
    bank.done(*ADD, "--file", given(tmp_path))
    bank.run("evidence", "transfer", INC, "1", "--to", "suzuki", *HAND)
    shown = bank.run("evidence", "show", INC, "1", lang="ja").out
    assert "受領未確認" in shown and "ダイジェスト未照合" in shown


# -- real processes -----------------------------------------------------------------------------------------


def start(bank: Cli, *arguments: str, **more: Any) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HIKESHI_")}
    environment |= {
        "PYTHONPATH": str(ROOT), "HIKESHI_DIR": str(bank.directory), "HIKESHI_LANG": "en",
        "HIKESHI_ACCOUNT": "sato",
    }  # fmt: skip
    command = [sys.executable, "-c", "from console.main import run; run()", *arguments]
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        command, env=environment, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more
    )


def test_killed_in_the_middle_nothing_is_recorded_and_the_next_run_is_whole(
    bank: Cli, tmp_path: Path
) -> None:
    path = Path(given(tmp_path, b""))
    with path.open("wb") as file:
        file.truncate(1 << 32)
    with start(bank, *ADD, "--file", str(path)) as process:
        while not list(bank.house.evidence.rglob(".part-*")):
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
    assert bank.run("evidence", "list", INC, "--json").json == []
    assert [one.name[:6] for one in bank.house.evidence.rglob("*") if one.is_file()] == [".part-"]
    bank.done(*ADD, "--file", given(tmp_path, b"small", "small"))
    assert [one.stat().st_size for one in bank.house.evidence.rglob("*") if one.is_file()] == [5]


def test_a_full_disk_is_a_clear_error_and_leaves_nothing(bank: Cli, tmp_path: Path) -> None:
    path = given(tmp_path, b"x" * 40_000_000)

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, 20_000_000))

    with start(bank, *ADD, "--file", path, preexec_fn=limit) as process:
        said = process.stderr.read() if process.stderr else ""
    assert process.returncode == 1
    assert "cannot be written" in said and "--reference" in said and "image.mem" not in said
    assert not [one for one in bank.house.evidence.rglob("*") if one.is_file()]
    assert json.loads(bank.run("evidence", "list", INC, "--json").out) == []
