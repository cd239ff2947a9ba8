"""Communication checks as people type them, and what people see: messages, the linked page, health."""

from __future__ import annotations

import orjson

from console.web.links import read
from console.web.pages import acknowledge, sheet, shown
from models.comcheck import Comcheck
from models.state import Programme
from tests.console.clihouse import Cli, cli
from tests.console.webhouse import Web

__all__ = ["cli"]
SATO, KATO = "sato-kenji", "kato-hiroshi"


def latest(cli: Cli) -> Comcheck:
    state = cli.house.desk.state("programme")
    assert isinstance(state, Programme)
    return next(reversed(state.comchecks.values()))


def lines(cli: Cli) -> list[dict[str, object]]:
    """What the file channel was given."""
    text = (cli.directory / "var" / "messages.jsonl").read_text(encoding="utf-8")
    return [orjson.loads(line) for line in text.splitlines()]


def test_a_route_is_tested_and_the_result_shown(cli: Cli) -> None:
    started = cli.run("comcheck", "main", "--level", "2", "--reason", "monthly", "--page-now")
    assert started.code == 0, started.err
    assert "communication check CC-0001 of the route main" in started.out
    assert started.out.count("page.asked") == 0
    sent = [line for line in lines(cli) if line["template"] == "page.comcheck"]
    assert {line["person"] for line in sent} == {SATO, "tanaka-misaki"}
    for line in sent:
        assert str(line["text"]).startswith("【通信試験】［実際のインシデントではない］CC-0001")
        assert "報告ルート「インシデント報告ルート」の通信試験（経路: file）" in str(line["text"])
        assert "届かなかった人" in str(line["text"])
        assert "monthly" in str(line["text"])
        [own] = [one for one in latest(cli).of(str(line["person"])) if one.channel == "file"]
        assert f"hikeshi ack programme {own.page}" in str(line["text"])
    page = next(one.page for one in latest(cli).of(SATO) if one.channel == "file")
    cli.done("ack", "programme", str(page), who="sato")
    running = cli.run("comcheck", "show")
    assert "RUNNING" in running.out
    assert "reached: 1 of 2" in running.out
    assert "reached (cli)" in running.out
    cli.clock.advance(latest(cli).ends_at - cli.clock.now())
    cli.house.desk.tick("programme")
    over = cli.run("comcheck", "show", "1").out
    assert over.count("NO ANSWER") == 3
    [told] = cli.run("--json", "comcheck", "list").json
    assert [(one["person"], one["why_not"]) for one in told["people"]] == [
        (SATO, None),
        ("tanaka-misaki", "not answered"),
    ]
    assert told["people"][0]["channels"][1]["answered_after_seconds"] == 0
    assert "Misaki Tanaka" in cli.run("comcheck", "list").out


def test_who_was_not_reached_shows_in_health_until_a_later_test(cli: Cli) -> None:
    cli.done("comcheck", "start", "main", "--level", "3", "--within", "1m")
    cli.clock.advance(latest(cli).ends_at - cli.clock.now())
    cli.house.desk.tick("programme")
    assert "not reached by the last communication check (CC-0001): Hiroshi Kato" in cli.run("health").out
    assert cli.run("--json", "health").json["unreached"] == {KATO: "CC-0001"}
    cli.done("comcheck", "main", "--level", "3")
    cli.done("ack", "programme", who="kato")
    assert cli.run("--json", "health").json["unreached"] == {}


def test_the_linked_page_of_a_test_says_so_and_takes_the_answer(cli: Cli) -> None:
    cli.done("comcheck", "main", "--level", "3")
    [page, _] = [one.page for one in latest(cli).asks]
    web = Web(cli.house)
    link = read(web.key, web.token("programme", page, KATO), cli.clock.now())
    values = shown(cli.house, sheet(cli.house, link))
    assert values["asked"].startswith("通信試験")
    assert values["brief"]["severity"] == "実際のインシデントではない"
    assert values["waiting"]
    other = read(web.key, web.token("programme", page, SATO), cli.clock.now())
    assert sheet(cli.house, other).standing == "outsider"
    acknowledge(cli.house, link)
    assert sheet(cli.house, link).standing == "mine"
    assert latest(cli).of(KATO)[0].via == "web"


def test_a_route_or_a_number_that_there_is_not(cli: Cli) -> None:
    refused = cli.run("comcheck", "mian")
    assert refused.code == 1
    assert 'there is no route "mian". Known: clock-other, confirm' in refused.err
    assert cli.run("comcheck", "main", "--within", "soon").code == 2
    assert cli.run("comcheck", "show").out.count("No communication check has been made yet") == 1
    assert cli.run("--json", "comcheck", "show").json is None
    assert cli.run("comcheck", "show", "7").code == 2
    assert cli.run("comcheck", "show", "x").code == 2


def test_a_test_is_told_in_japanese_too(cli: Cli) -> None:
    cli.done("comcheck", "decision", "--reason", "月次")
    said = cli.run("comcheck", "show", lang="ja").out
    assert "案件によって決まるため試験していない宛先: authority" in said
    assert "理由: 月次" in said
    assert "通信試験 CC-0001 を開始" in cli.run("log", "programme", lang="ja").out
