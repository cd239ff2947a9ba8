"""Rules and dashboards ask for what a node really tells; each rule fires on a series made for it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from sqlalchemy import update

from console.monitoring.dashboard import PANELS, dashboard
from console.monitoring.writing import rules
from console.texts import texts
from models.audit import KINDS
from models.punctual import KINDS as DUE
from models.record import STREAM
from playbooks.institution import Institution
from tests.console.clihouse import Cli, cli
from tests.console.webhouse import Web, make_house

__all__ = ["cli"]
PROMTOOL = shutil.which("promtool")
DOCS = Path(__file__).parents[2] / "docs" / "monitoring.md"
NAMES = re.compile(r"\bhikeshi_[a-z_]+")
PARTS = re.compile(r"_(bucket|sum|count)$")
FIRES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "HikeshiDown": ({'up{job="hikeshi"}': "0x60"}, {"job": "hikeshi"}),
    "HikeshiRecordUnreachable": ({"hikeshi_record_reachable": "0x60"}, {}),
    "HikeshiPageStuck": ({"hikeshi_page_oldest_seconds": "61+15x60"}, {}),
    "HikeshiTimersLate": ({"hikeshi_next_due_seconds": "-16-15x60"}, {}),
    "HikeshiLateness": (
        {'hikeshi_due_late_seconds_count{kind="page"}': "0 0 1x58",
         'hikeshi_due_late_seconds_bucket{kind="page",le="5"}': "0x60"},
        {"kind": "page"},
    ),
    "HikeshiQuarantined": ({"hikeshi_streams_quarantined": "1x60"}, {}),
    "HikeshiImpaired": ({'hikeshi_impaired{what="channel"}': "1x60"}, {"what": "channel"}),
    "HikeshiAuditFinding": ({'hikeshi_audit_findings{kind="watch"}': "1x60"}, {"kind": "watch"}),
    "HikeshiAuditorSilent": ({"hikeshi_audit_age_seconds": "181+15x60"}, {}),
    "HikeshiConductorSilent": (
        {'hikeshi_node_age_seconds{part="conductor"}': "31+15x60"}, {"part": "conductor"},
    ),
    "HikeshiPrefectDown": ({"hikeshi_prefect_up": "0x60"}, {}),
    "HikeshiMessagesGivenUp": (
        {'hikeshi_deliveries_total{channel="slack",outcome="given-up"}': "0x30 1x30"}, {"channel": "slack"},
    ),
    "HikeshiClocksBreached": ({'hikeshi_clocks{state="breached"}': "1x60"}, {}),
    "HikeshiWritesSlow": (
        {'hikeshi_record_write_seconds_bucket{le="0.5"}': "0x60",
         'hikeshi_record_write_seconds_bucket{le="1"}': "0+10x60",
         'hikeshi_record_write_seconds_bucket{le="+Inf"}': "0+10x60"}, {},
    ),
    "HikeshiCheckpointOld": ({"hikeshi_checkpoint_age_seconds": "93601+15x60"}, {}),
    "HikeshiRelayBehind": ({'hikeshi_relay_waiting{sink="vault"}': "1001x60"}, {"sink": "vault"}),
}  # fmt: skip
"""By alert a series that makes it fire, and the labels that it then has besides its severity."""
QUIET = {
    "up": "1x60", "hikeshi_record_reachable": "1x60", "hikeshi_page_oldest_seconds": "0x60",
    "hikeshi_next_due_seconds": "300x60", 'hikeshi_impaired{what="channel"}': "0x60",
    'hikeshi_impaired{what="prefect"}': "1x60", "hikeshi_audit_age_seconds": "10x60",
    'hikeshi_audit_findings{kind="watch"}': "0x60", "hikeshi_prefect_up": "1x60",
    'hikeshi_due_late_seconds_count{kind="page"}': "0+1x60",
    'hikeshi_due_late_seconds_bucket{kind="page",le="5"}': "0+1x60",
    'hikeshi_clocks{state="breached"}': "0x60", "hikeshi_relay_waiting": "3x60",
    'hikeshi_deliveries_total{channel="slack",outcome="sent"}': "0+1x60",
    'hikeshi_record_write_seconds_bucket{le="0.5"}': "0+10x60",
    'hikeshi_record_write_seconds_bucket{le="+Inf"}': "0+10x60",
}  # fmt: skip


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(rules(), encoding="utf-8")
    found: list[dict[str, Any]] = YAML(typ="safe").load(path)["groups"][0]["rules"]
    return found


@pytest.fixture
def web(bank: Institution, desk: Any, tmp_path: Path) -> Web:
    return Web(make_house(bank, desk, tmp_path))


async def test_only_what_a_node_tells_is_asked_for(web: Web, shipped: list[dict[str, Any]]) -> None:
    told = set(re.findall(r"# TYPE (\S+)", (await web.ask("GET", "/metrics")).text))
    asked = {name for one in shipped for name in NAMES.findall(one["expr"])}
    asked |= {name for panel in PANELS for name in NAMES.findall(panel.query)}
    unknown = {name for name in asked if name not in told and PARTS.sub("", name) not in told}
    assert asked and not unknown


def test_each_rule_has_a_series_a_runbook_and_both_languages(shipped: list[dict[str, Any]]) -> None:
    headings = {line[4:] for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("### ")}
    assert {one["alert"] for one in shipped} == FIRES.keys() == headings
    for one in shipped:
        notes = one["annotations"]
        assert notes["runbook_url"] == f"docs/monitoring.md#{one['alert'].lower()}"
        assert notes["summary"].isascii() and not notes["summary_ja"].isascii()
        assert one["labels"]["severity"] in {"critical", "warning", "info"}


def test_dashboards_say_the_same_in_both_languages() -> None:
    drawn = {lang: dashboard(lang)["panels"] for lang in ("ja", "en")}
    assert [one["targets"] for one in drawn["ja"]] == [one["targets"] for one in drawn["en"]]
    assert len({one["id"] for one in drawn["en"]}) == len(PANELS)
    places = {(one["gridPos"]["x"], one["gridPos"]["y"]) for one in drawn["en"]}
    assert len(places) == len(PANELS)


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
def test_every_rule_fires_on_its_series_and_none_when_all_is_well(
    tmp_path: Path, shipped: list[dict[str, Any]]
) -> None:
    (tmp_path / "hikeshi.rules.yaml").write_text(rules(), encoding="utf-8")
    queries = [
        {"record": f"panel:{number}", "expr": panel.query.replace("$job", "hikeshi")}
        for number, panel in enumerate(PANELS)
    ]
    (tmp_path / "panels.yaml").write_text(json.dumps({"groups": [{"name": "p", "rules": queries}]}))
    tests = [_tested(one, *FIRES[one["alert"]]) for one in shipped]
    quiet = [{"alertname": one["alert"], "eval_time": "14m", "exp_alerts": []} for one in shipped]
    tests.append({"interval": "15s", "input_series": _series(QUIET), "alert_rule_test": quiet})
    whole = {"rule_files": ["hikeshi.rules.yaml"], "evaluation_interval": "15s", "tests": tests}
    (tmp_path / "tests.yaml").write_text(json.dumps(whole), encoding="utf-8")
    for command in (["check", "rules", "hikeshi.rules.yaml", "panels.yaml"], ["test", "rules", "tests.yaml"]):
        done = subprocess.run(  # noqa: S603 - as found above
            [PROMTOOL or "", *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def _series(series: dict[str, str]) -> list[dict[str, str]]:
    return [{"series": name, "values": values} for name, values in series.items()]


def _tested(rule: dict[str, Any], series: dict[str, str], labels: dict[str, str]) -> dict[str, Any]:
    said = {
        name: re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found[1]], text)
        for name, text in rule["annotations"].items()
    }
    expected = [{"exp_labels": {**labels, **rule["labels"]}, "exp_annotations": said}]
    asked = {"alertname": rule["alert"], "eval_time": "14m", "exp_alerts": expected}
    return {"interval": "15s", "input_series": _series(series), "alert_rule_test": [asked]}


def test_by_hand_the_files_are_written_and_the_auditor_is_asked(cli: Cli) -> None:
    folder = cli.directory / "out"
    wrote = cli.run("monitoring", str(folder), "--json")
    assert sorted(Path(one).name for one in wrote.json["files"]) == [
        "hikeshi.dashboard.en.json", "hikeshi.dashboard.ja.json", "hikeshi.rules.yaml",
    ]  # fmt: skip
    assert json.loads((folder / "hikeshi.dashboard.ja.json").read_text())["title"] == "Hikeshi の稼働状況"
    assert cli.run("monitoring", "/dev/null/x").code == 2

    cli.run("declare", "Files encrypted")
    clean = cli.run("audit")
    assert (clean.code, "Nothing is wrong" in clean.out) == (0, True)

    with cli.house.record.begin() as tx:
        tx.connection.execute(update(STREAM).where(STREAM.c.kind == "incident").values(wanted=77))
    found = cli.run("audit", lang="ja")
    assert found.code == 1 and "保存内容と事実の不一致" in found.out and "wanted" in found.out
    assert [one["kind"] for one in cli.run("audit", "--json").json["findings"]] == ["derived"]


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_everything_that_the_auditor_names_has_words(lang: str) -> None:
    say = texts(lang)
    for key in [*(f"finding.{one}" for one in KINDS), *(f"due.{one}" for one in DUE)]:
        assert say(f"monitoring.{key}")
