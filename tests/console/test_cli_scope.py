"""The scope at the command line: singly, from tables and bundles, fixed by the thousand, as a table again."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console import scopefile
from console.views.times import read_instant
from tests.console.clihouse import Cli, cli

INC = "INC-2026-0001"
__all__ = ["cli"]
HEAD = "kind,type,name,first_seen,last_seen,confidence,source,evidence,party,note\n"


@pytest.fixture
def bank(cli: Cli) -> Cli:
    cli.done("declare", "odd", "--playbook", "short")
    return cli


def scope(cli: Cli, *arguments: str) -> Any:
    return cli.run("scope", "list", INC, "--json", *arguments).json


def put(folder: Path, name: str, body: str | bytes) -> str:
    path = folder / name
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    return str(path)


def test_an_indicator_is_shown_so_that_nobody_clicks_it(bank: Cli) -> None:
    said = bank.done(
        "scope", "add", INC, "indicator", "hxxps://Evil[.]Example/x", "--confidence", "80",
        "--party", "core-vendor",
        "--first-seen", "2026-11-24T09:00:00+09:00", "--source", "EDR", "--note", "beacon",
    ).out  # fmt: skip
    assert "hxxps://evil[.]example/x" in said
    shown = bank.run("show", INC).out + bank.run("scope", "list", INC).out + bank.run("log", INC).out
    assert "hxxps://evil[.]example/x" in shown and "https://evil" not in shown
    assert "80 %" in shown and "core-vendor" in shown and "NOT FIXED" in shown
    (item,) = scope(bank)
    assert (item["name"], item["type"], item["open"]) == ("https://evil.example/x", "url", True)


def test_a_wrong_indicator_says_what_was_expected(bank: Cli) -> None:
    answer = bank.run("scope", "add", INC, "indicator", "evil", "--type", "domain")
    assert answer.code == 1
    assert "expected a domain such as evil.example" in answer.err
    assert bank.run("scope", "add", INC, "indicator", "x", "--type", "garden").code == 1
    assert scope(bank) == []


def test_items_are_updated_fixed_accepted_and_retracted(bank: Cli) -> None:
    for name in ("pc-1", "pc-2", "pc-3", "pc-4"):
        bank.done("scope", "add", INC, "terminal", name)
    said = bank.done("scope", "update", INC, "sc-001", "--confidence", "confirmed", "--note", "seen").out
    assert "confidence confirmed" in said
    not_yet = bank.run("scope", "fix", INC, "SC-001,SC-002", "--fix", "rebuilt", "--step", "look")
    assert (not_yet.code, "expected one that is done" in not_yet.err) == (1, True)
    bank.done("done", INC, "look", "--set", "seen=note", "--set", "count=3")
    bank.done("scope", "fix", INC, "SC-001,SC-002", "--fix", "rebuilt", "--step", "look")
    bank.done("scope", "accept", INC, "SC-003", "--reason", "locked", who="kato")
    bank.done("scope", "retract", INC, "SC-004", "--reason", "scanner")
    assert [one["state"] for one in scope(bank)] == ["fixed", "fixed", "accepted", "retracted"]
    assert scope(bank, "--open") == [] and scope(bank, "--kind", "host") == []
    assert "false alarm (scanner)" in bank.run("scope", "list", INC).out
    for wrong in (("fix", INC, "--fix", "x"), ("fix", INC, "SC-001", "--all", "--fix", "x")):
        assert bank.run("scope", *wrong).code == 2
    assert bank.run("scope", "list", INC, "--kind", "garden").code == 2


# -- tables -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_a_table_in_each_encoding_of_the_field(bank: Cli, tmp_path: Path, encoding: str) -> None:
    text = (
        "種類,型,名称,初認,最終,確度,備考,id\n"
        'サーバー,,勘定系01,2026-11-24T03:05:00+09:00,,likely,"一行目\n二行目",9\n'
        ",,evil[.]example,,2026-11-24T11:00+09:00,70,,\n"
        "\n"
    )
    file = put(tmp_path, "範囲.csv", text.encode(encoding))
    assert bank.run("scope", "import", INC, file, "--dry-run").code == 0
    assert scope(bank) == []
    bank.done("scope", "import", INC, file)
    server, domain = scope(bank)
    assert (server["kind"], server["name"], server["note"]) == ("server", "勘定系01", "一行目\n二行目")
    assert (domain["kind"], domain["type"], domain["confidence"]) == ("indicator", "domain", "70")
    again = bank.run("scope", "import", INC, file)
    assert again.code == 0 and len(scope(bank)) == 2


BAD: list[tuple[str, str | bytes, list[str]]] = [
    ("nothing in it", "", ["line 1"]),
    ("a head alone", HEAD, ["line 1: expected a line of names"]),
    ("no name", "kind,type\nhost,\n", ["at least name"]),
    ("an unknown field", "name,garden\nx,y\n", ["column 2: no field 'garden'"]),
    ("a field twice", "name,kind,value\nx,host,y\n", ["column 3: name is there twice"]),
    ("too many cells", "kind,name\nhost,a,b\n", ["line 2: expected 2 cells, got 3"]),
    ("a quote without end", 'name\n"x\n', ["is no CSV"]),
    ("a NUL", "name\nx\x00\n", ["line 2: holds a NUL"]),
    ("neither encoding", b"name\n\x81\xff\xff\n", ["expected UTF-8 or cp932"]),
    ("a cell without end", "name,note\nevil.example," + "x" * 10_001 + "\n", ["column 2 (note)"]),
    (
        "all at once",
        HEAD
        + "host,,,,,,,,,\ngarden,,x,,,,,,,\n,ipv4,999.1.1.1,yesterday,2026-11-24T25:00,sure,,EV-9,nobody,\n",
        ["line 2, name", "line 3, kind", "line 4, column 4 (first_seen)", "line 4, column 5 (last_seen)",
         "line 4, name", "line 4, confidence", "line 4, evidence", "line 4, party"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("what", "body", "said"), BAD, ids=[one[0] for one in BAD])
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_a_bad_table_says_all_that_is_wrong_and_nothing_is_recorded(
    bank: Cli, tmp_path: Path, what: str, body: str | bytes, said: list[str], dry: list[str]
) -> None:
    answer = bank.run("scope", "import", INC, put(tmp_path, "x.csv", body), *dry)
    assert answer.code == 1
    assert [one for one in said if one not in answer.err] == []
    assert scope(bank) == []


def test_sizes_have_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scopefile, "MAX_LINES", 3)
    found = scopefile.from_csv(b"name\n" + b"evil.example\n" * 9, read_it)
    assert found.defects == ["line 5: expected at most 3 lines; split the file"]
    assert scopefile.from_csv(b"," * 60 + b"\n", read_it).defects
    monkeypatch.setattr(scopefile, "MAX_BYTES", 3)
    assert "split" in scopefile.from_csv(b"name\n", read_it).defects[0]
    assert "split" in scopefile.from_stix(b"{    }", "x").defects[0]


def read_it(text: str) -> Any:
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    return read_instant(text, ZoneInfo("Asia/Tokyo"), whole_day=False)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=200), st.text(alphabet='name,kind"\n\r\t=@\x00あ', max_size=80).map(str.encode)
    )
)
def test_whatever_lies_in_a_file_is_taken_or_said_to_be_wrong(body: bytes) -> None:
    for found in (scopefile.from_csv(body, read_it), scopefile.from_stix(body, "x")):
        assert bool(found.defects) or bool(found.items)


def test_the_scope_as_a_table_is_no_formula_and_comes_back(bank: Cli, tmp_path: Path) -> None:
    bank.done("scope", "add", INC, "account", "=cmd|' /C calc'!A0", "--note", "@SUM(1)")
    bank.done("scope", "add", INC, "indicator", "evil.example")
    out = tmp_path / "scope.csv"
    bank.done("scope", "export", INC, "--out", str(out))
    text = out.read_text(encoding="utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert not [one for one in cells if one.startswith(("=", "@", "+", "-"))]
    bank.done("declare", "another", "--playbook", "short")
    bank.done("scope", "import", "INC-2026-0002", str(out))
    back = bank.run("scope", "list", "INC-2026-0002", "--json").json
    assert [one["name"] for one in back] == [one["name"] for one in scope(bank)]


def test_a_name_comes_back_as_it_was_and_a_screen_is_told_nothing(bank: Cli, tmp_path: Path) -> None:
    names = ["evil  name\u200b.exe", "a\u202eexe.txt", "\x1b]0;x\x07b", "＝cmd", "'=cmd"]
    for one in names:
        bank.done("scope", "add", INC, "account", one)
    assert [one["name"] for one in scope(bank)] == names
    out = tmp_path / "scope.csv"
    bank.done("scope", "export", INC, "--out", str(out))
    cells = [cell for row in csv.reader(io.StringIO(out.read_text(encoding="utf-8-sig"))) for cell in row]
    assert not [one for one in cells if one.startswith("＝")]
    again = bank.run("scope", "import", INC, str(out))
    assert len(scope(bank)) == len(names), again.out
    shown = bank.run("scope", "list", INC).out + bank.run("scope", "list", INC, "--json").out
    assert not set(shown) & set("\x1b\u202e\u200b\x07")


# -- STIX ---------------------------------------------------------------------------------------------------

_ID = "11111111-1111-4111-8111-11111111111"
AT = "2026-11-24T00:00:00.000Z"


def indicator(number: int, pattern: str, **fields: Any) -> dict[str, Any]:
    shape = {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{_ID}{number}", "created": AT}
    return shape | {"modified": AT, "pattern": pattern, "pattern_type": "stix", "valid_from": AT} | fields


def bundle(*objects: Any) -> str:
    return json.dumps({"type": "bundle", "id": f"bundle--{_ID}0", "objects": list(objects)})


def sco(kind: str, number: int = 1, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "spec_version": "2.1", "id": f"{kind}--{_ID}{number}"} | fields


def test_a_bundle_brings_indicators_and_observables_and_lists_the_rest(bank: Cli, tmp_path: Path) -> None:
    hashes = {"MD5": "0" * 32, "SHA-256": "1" * 64, "SSDEEP": "x"}
    text = bundle(
        indicator(1, "[domain-name:value = 'evil.example']", confidence=85, description="C2"),
        indicator(2, "[file:hashes.'SHA-256' = '" + "A" * 64 + "' OR ipv4-addr:value = '203.0.113.7']"),
        indicator(3, "[process:name = 'x' AND process:pid = 3]"),
        indicator(4, "[url:value = 'http://old.example/']", revoked=True),
        indicator(5, "rule x {}", pattern_type="yara"),
        sco("file", hashes=hashes),
        sco("file", 2, name="a.exe"),
        sco("file", 3, size=1),
        sco("ipv6-addr", value="2001:db8::7"),
        sco("mutex", name="Global\\x"),
        sco("process", pid=1),
        {"type": "observed-data", "id": f"observed-data--{_ID}1", "object_refs": [f"ipv6-addr--{_ID}1"],
         "first_observed": "2026-11-23T00:00:00Z", "last_observed": "2026-11-23T01:00:00Z"},
        {"type": "identity", "id": f"identity--{_ID}1", "name": "Somebody"},
    )  # fmt: skip
    answer = bank.run("scope", "import", INC, put(tmp_path, "x.json", text))
    assert answer.code == 0, answer.err
    found = {one["type"]: one for one in scope(bank)}
    assert [one["type"] for one in scope(bank)] == [
        "domain", "sha256", "ipv4", "md5", "sha256", "filename", "ipv6", "mutex",
    ]  # fmt: skip
    assert (found["domain"]["confidence"], found["domain"]["note"]) == ("85", "C2")
    assert found["ipv6"]["first_seen"].startswith("2026-11-23T00") and found["ipv6"]["source"] == "x.json"
    for left in (
        "indicator, pattern",
        "indicator, revoked",
        "indicator, yara",
        "(file)",
        "(process)",
        "(identity)",
    ):
        assert left in answer.err


BAD_BUNDLES: list[tuple[str, str, str]] = [
    ("no JSON", "{", "is no JSON"),
    ("no bundle", "[]", "expected a STIX 2.1 bundle"),
    ("objects are none", '{"type": "bundle", "objects": 1}', "expected a STIX 2.1 bundle"),
    ("an object is none", bundle(1, {"type": 1}), "objects[1]: expected an object with type and id"),
    ("nothing to take", bundle(), "there is none"),
    ("a broken pattern", bundle(indicator(1, "[domain-name:value = ")), "is no STIX 2.1 indicator"),
    ("a field is missing", bundle({"type": "indicator", "id": "x"}), "is no STIX 2.1 indicator"),
    ("a value is wrong", bundle(indicator(1, "[ipv4-addr:value = '999.1.1.1']")), "expected an IPv4 address"),
    ("a value is no text", bundle(sco("url", value=1)), "expected a text for its url"),
    ("too deep", bundle(sco("url", value="http://a.example", x=json.loads("[" * 60 + "]" * 60))), "levels"),
    ("deeper than JSON", bundle()[:-2] + "[" * 5_000 + "]" * 5_000 + "]}", "is no JSON"),
]


@pytest.mark.parametrize(("what", "body", "said"), BAD_BUNDLES, ids=[one[0] for one in BAD_BUNDLES])
def test_a_bad_bundle_says_what_is_wrong(bank: Cli, tmp_path: Path, what: str, body: str, said: str) -> None:
    answer = bank.run("scope", "import", INC, put(tmp_path, "x.json", body))
    assert answer.code == 1
    assert said in answer.err
    assert scope(bank) == []


def test_what_is_no_file_or_of_no_known_form_is_wrong_usage(bank: Cli, tmp_path: Path) -> None:
    assert bank.run("scope", "import", INC, str(tmp_path / "none.csv")).code == 2
    assert bank.run("scope", "import", INC, put(tmp_path, "x.txt", "name\n")).code == 2
    answer = bank.run("scope", "import", INC, put(tmp_path, "x.csv", "name\nx y\n,"), "--json")
    assert answer.code == 0 or answer.json["defects"]


def test_five_thousand_indicators_are_quick(bank: Cli, tmp_path: Path) -> None:
    lines = "".join(f"indicator,ipv4,203.{one // 250}.{one % 250}.1,,,80,feed,,,\n" for one in range(5_000))
    started = time.perf_counter()
    bank.done("scope", "import", INC, put(tmp_path, "x.csv", HEAD + lines))
    taken = time.perf_counter() - started
    started = time.perf_counter()
    bank.done("scope", "fix", INC, "--all", "--kind", "indicator", "--fix", "blocked")
    fixed = time.perf_counter() - started
    started = time.perf_counter()
    shown = bank.run("show", INC).out
    print(f"import {taken:.2f} s, fix {fixed:.2f} s, show {time.perf_counter() - started:.2f} s")
    assert "5000" in shown and shown.count("203[.]") < 30
    assert scope(bank, "--open") == []
    assert taken < 20 and fixed < 10


PLAIN = "[ipv4-addr:value = '203.0.113.7']"
NESTED = "(" * 400 + "a:b = 1" + ")" * 400


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(f"[{NESTED}]", id="nested"),
        pytest.param("[" + " AND ".join(["a:b = 1"] * 1_000) + "]", id="a thousand AND"),
        pytest.param("[" + " AND ".join(["a:b=1"] * 350) + "]", id="as many as the bound lets through"),
        pytest.param(" OR ".join(["[a:b = 1]"] * 3_000), id="three thousand OR"),
    ],
)
def test_a_pattern_too_deep_for_the_library_is_left_out(bank: Cli, tmp_path: Path, pattern: str) -> None:
    answer = bank.run("scope", "import", INC, put(tmp_path, "x.json", bundle_of(pattern, PLAIN)))
    assert answer.code == 0, answer.err
    found = scopefile.from_stix(bundle_of(pattern, PLAIN), "x")
    assert (len(found.left_out), len(found.items), found.defects) == (1, 1, [])


def test_only_so_many_patterns_cost_the_library_s_grammar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scopefile, "MAX_GRAMMARS", 2)
    found = scopefile.from_stix(bundle_of(*["[a:b = 1 AND a:c = 2]"] * 5, PLAIN), "x")
    assert (found.grammars, len(found.left_out), found.defects) == (2, 5, [])


def test_what_a_bundle_calls_its_objects_reaches_no_terminal(bank: Cli, tmp_path: Path) -> None:
    body = json.loads(bundle_of("[ipv4-addr:value = '203.0.113.7']"))
    body["objects"] += [
        {"type": "tool\x1b[2J", "id": "tool--\x1b]0;owned\x07"},
        {"type": "url", "id": "url--\x1b[31m", "value": 7},
    ]
    shown = bank.run("scope", "import", INC, put(tmp_path, "x.json", json.dumps(body)))
    body["objects"].pop()
    good = bank.run("scope", "import", INC, put(tmp_path, "y.json", json.dumps(body)))
    assert (shown.code, good.code) == (1, 0)
    for one in (shown, good):
        assert "\x1b" not in one.out + one.err and "\x07" not in one.out + one.err


def bundle_of(*patterns: str) -> bytes:
    at = "2026-11-24T00:00:00.000Z"
    own = {"type": "indicator", "spec_version": "2.1", "created": at, "modified": at, "valid_from": at}
    objects = [
        own | {"id": f"indicator--{uuid4()}", "pattern": one, "pattern_type": "stix"} for one in patterns
    ]
    return json.dumps({"type": "bundle", "id": f"bundle--{uuid4()}", "objects": objects}).encode()
