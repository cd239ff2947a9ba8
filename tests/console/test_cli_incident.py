"""A whole incident by the command line, as a script; and what the screens say on the way."""

from __future__ import annotations

import json
from datetime import timedelta

from console.opening import open_house
from console.verify import verify
from models.state import Incident
from tests.console.clihouse import Cli, cli

__all__ = ["cli"]
INC = "INC-2026-0001"


def declared(cli: Cli) -> None:
    """An incident on the short playbook."""
    assert cli.run("declare", "Files encrypted", "--playbook", "short", "--service", "atm").code == 3


def test_what_to_type_for_a_decision_names_its_factors(cli: Cli) -> None:
    declared(cli)
    cli.done("done", INC, "look", "--set", "seen=note", "--set", "count=3")
    line = f"hikeshi decide {INC} short/first OPTION --reason … --factor window=…"
    assert line in cli.run("show", INC).out
    assert line in cli.run("clocks", INC).out


def test_a_refused_ack_names_the_open_pages_with_their_matter(cli: Cli) -> None:
    declared(cli)
    cli.clock.advance(timedelta(minutes=31))
    cli.house.desk.tick(INC)
    page = max(one.id for one in cli.house.desk.incident(INC).open_pages())
    for arguments, said in ((["ack", INC, "999"], 'no page "999". Open: '), (["ack", INC], "which page")):
        answer = cli.run(*arguments, who="mori")
        assert answer.code == 1
        assert said in answer.err
        assert f"#{page} Look [short/look]" in answer.err


def test_a_held_step_says_how_its_gate_is_passed(cli: Cli) -> None:
    declared(cli)
    cli.done("done", INC, "look", "--set", "seen=note", "--set", "count=3")
    reason = ("--reason", "It spreads", "--factor", "window=now")
    cli.done("decide", INC, "first", "contain", *reason, who="kato")
    assert (
        f"hikeshi override {INC} cause-addressed short/resume --reason" in cli.run("done", INC, "resume").err
    )


def test_a_machine_step_that_failed_says_why_and_how_to_go_on(cli: Cli) -> None:
    declared(cli)
    state = cli.house.desk.incident(INC)
    state.steps["short/look"].status = "failed"
    state.steps["short/look"].error = "no such host"
    said = cli.run("step", "show", INC, "look").out
    assert "no such host" in said
    assert f"hikeshi step retry {INC} short/look --reason" in said


def test_show_ends_the_list_of_steps_with_what_to_type(cli: Cli) -> None:
    declared(cli)
    assert f"hikeshi step show {INC} STEP, then hikeshi done {INC} STEP" in cli.run("show", INC).out


def test_whole_incident(cli: Cli) -> None:
    declared(cli)
    cli.done("ack", "1", who="tanaka")
    cli.done("severity", INC, "--impact", "serious", "--urgency", "spreading", "--reason", "It spreads")
    cli.done("role", INC, "commander", "tanaka")
    cli.done("step", "start", INC, "look")
    cli.done("done", INC, "look", "--set", "seen=ransom note", "--set", "count=3", "--note", "by telephone")
    cli.done(
        "decide", INC, "first", "contain", "--reason", "It spreads", "--factor", "window=at once", who="kato"
    )
    held = cli.run("done", INC, "resume")
    assert held.code == 1
    assert "held by a gate" in held.err
    assert "cause addressed" in held.err
    cli.done("scope", "add", INC, "host", "cb-batch01")
    cli.done("scope", "fix", INC, "sc-001", "Rebuilt")
    cli.done("instant", INC, "cause-addressed", "2026-11-24T12:00:00+09:00", "--source", "Patch notes")
    cli.done("service", "restored", INC, "atm", "--note", "80 % of the machines")
    cli.done("service", "works", INC, "atm")
    cli.done("service", "confirm", INC, "atm", "--side", "csirt")
    cli.done("service", "confirm", INC, "atm", "--side", "owner", who="hayashi")
    cli.done("done", INC, "resume")
    cli.done(
        "evidence",
        "add",
        INC,
        "memory",
        "--description",
        "Memory of cb-batch01",
        "--digest",
        "sha256:" + "0" * 64,
    )
    cli.done("resolve", INC, "--cause", "Old firmware", "--entry-route", "VPN")
    early = cli.run("close", INC, "--assessment", "It went well")
    assert early.code == 1
    assert "watch period is not over" in early.err
    assert "there is no improvement" in early.err
    cli.done("done", INC, "learn")
    cli.done("improvement", "add", INC, "Update the VPN", "--owner", "shimizu", "--due", "2027-01-29")
    cli.clock.advance(timedelta(hours=25))
    cli.done("close", INC, "--assessment", "It went well", "--spread", "All branches")
    state = cli.house.desk.incident(INC)
    assert state.status == "closed"
    assert all(phase.status == "ended" for name, phase in state.phases.items() if name != "communication")
    assert "closed" in cli.run("list", "--all").out
    assert "no incident is open" in cli.run("list").out
    assert cli.run("verify").code == 0


def test_the_report_has_it_all(cli: Cli) -> None:
    test_whole_incident(cli)
    report = cli.run("export", INC).out
    for words in (
        "Files encrypted",
        "against the recommendation preserve",
        "by when it must stop: 11/2",
        "Misaki Tanaka (after",
        "memory",
        "Update the VPN",
        "Old firmware",
        "VPN",
    ):
        assert words in report, words
    data = json.loads(cli.run("export", INC, "--format", "json").out)
    facts = data["facts"]
    assert [one["seq"] for one in facts] == list(range(1, len(facts) + 1))
    assert data["texts"][facts[0]["data"]["title"]] == "Files encrypted"
    assert data["summary"]["status"] == "closed"


def test_outside_text_cannot_act_in_the_report(cli: Cli) -> None:
    cli.run("declare", "<script>x</script> | [a](https://evil.example) `b` \x1b[31mred\x1b[0m")
    report = cli.run("export", INC).out
    assert "<script>" not in report
    assert "https://" not in report
    assert "\\[a\\](hxxps\\[:\\]//evil.example)" in report
    assert "\x1b" not in report + cli.run("show", INC).out + cli.run("log", INC).out


def test_declaring_without_a_node_pages_nobody_and_says_so(cli: Cli) -> None:
    answer = cli.run("declare", "営業店端末で暗号化", lang="ja")
    assert answer.code == 3
    assert "記録しました。まだ誰も呼び出していません" in answer.out
    said = cli.run("declare", "again", "--json").json
    assert (said["accepted"], said["opened"], said["paged"]) == (True, "INC-2026-0002", False)


def test_page_now_delivers_the_outbox(cli: Cli) -> None:
    answer = cli.run("declare", "Files encrypted", "--page-now")
    assert answer.code == 0
    assert "people are being paged" in answer.out
    state = cli.house.desk.incident(INC)
    assert [page.sent for page in state.pages.values()] == [1]


def test_page_now_by_itself_keeps_json_clean(cli: Cli) -> None:
    declared(cli)
    answer = cli.run("page-now", "--json")
    assert answer.json["sent"] >= 1
    assert answer.code == 0
    assert "Files encrypted" in answer.err


def test_show_says_who_is_asked_for_what_and_until_when(cli: Cli) -> None:
    declared(cli)
    cli.done("done", INC, "look", "--set", "seen=note", "--set", "count=3")
    shown = cli.run("show", INC).out
    for words in (
        "Files encrypted",
        "NISC 2 / FIRE medium",
        "to be decided by: CISO (Hiroshi Kato)   19 min left",
        "contain: Contain – Traces are lost",
        "preserve: Preserve   * recommended",
        "If nobody decides: It spreads",
        "NOTHING HAS BEEN SENT YET",
        "goes to Kenji Sato, Misaki Tanaka",
        "RTO 4 h",
    ):
        assert words in shown, (words, shown)
    assert cli.run("show", INC, "--json").json["decisions"][0]["options"] == ["contain", "preserve"]


def test_show_as_known_at_leaves_out_what_came_later(cli: Cli) -> None:
    declared(cli)
    cli.clock.advance(timedelta(minutes=10))
    cli.done("done", INC, "look", "--set", "seen=note", "--set", "count=3")
    then = cli.run("show", INC, "--as-known-at", "2026-11-24T12:05:00+09:00").out
    assert "as recorded up to 2026-11-24 12:05 +09:00" in then
    assert "Look [short/look]  ready" in then
    assert "What comes first" not in then
    before = cli.run("show", INC, "--as-known-at", "2026-11-24T11:00:00+09:00")
    assert before.code == 1


def test_clocks_stand_in_the_order_in_which_they_break(cli: Cli) -> None:
    declared(cli)
    cli.done("service", "impact", INC, "zengin-link")
    found = cli.run("clocks", INC, "--json").json
    started = [one["at"] for one in found if one["at"] is not None]
    assert started == sorted(started)
    assert [one["kind"] for one in found][:2] == ["page", "step"]
    waiting = {one["id"]: one for one in found if one["at"] is None}
    assert waiting["rto:zengin-link"]["needs"] == ["determined"]
    assert waiting["rto:zengin-link"]["status"] == "waiting"
    assert found[: len(started)] == [one for one in found if one["at"] is not None]
    text = cli.run("clocks").out
    assert "not started; to be recorded first: determined" in text
    assert "hikeshi done INC-2026-0001 short/look" in text
    assert f"hikeshi instant {INC} determined TIME --source" in text
    cli.done("instant", INC, "determined", "2026-11-24T12:00:00+09:00", "--source", "minutes")
    now = {one["id"]: one for one in cli.run("clocks", INC, "--json").json}
    assert now["rto:zengin-link"]["at"] == "2026-11-24T05:00:00+00:00"


def test_log_is_one_line_a_fact(cli: Cli) -> None:
    declared(cli)
    cli.run("note", INC, "line one\nline two")
    lines = cli.run("log", INC).out.splitlines()
    state = cli.house.desk.incident(INC)
    assert len(lines) == state.seq
    assert lines[-1].endswith("): note: line one line two")
    assert "12:00:00 +09:00  #1" in lines[0]


def test_a_scribe_records_for_somebody_who_then_confirms(cli: Cli) -> None:
    declared(cli)
    cli.done("done", INC, "look", "--set", "seen=note", "--set", "count=3")
    scribe = ["--for", "kato", "--factor", "window=now"]
    cli.done("decide", INC, "first", "preserve", "--reason", "by telephone", *scribe, who="suzuki")
    state = cli.house.desk.incident(INC)
    (waiting,) = state.confirmations
    assert "waits for Hiroshi Kato (written by Daichi Suzuki)" in cli.run("show", INC).out
    assert cli.run("confirm", INC, str(waiting)).code == 1
    cli.done("confirm", INC, str(waiting), who="kato")
    assert not cli.house.desk.incident(INC).confirmations


def test_short_references(cli: Cli) -> None:
    declared(cli)
    assert cli.run("show", "1").code == 0
    assert cli.run("show", "inc-2026-0001").code == 0
    assert cli.run("step", "show", "1", "look").code == 0
    cli.done("done", "1", "look", "--set", "seen=note", "--set", "count=3")
    cli.done("ack", "1", "first", who="kato")
    pages = cli.house.desk.incident(INC).pages.values()
    assert [page.acked_by for page in pages if page.event == "decision"] == ["kato-hiroshi"]
    nobody = cli.run("ack", "1", "nothing-such", who="kato")
    assert nobody.code == 1
    assert 'there is no page "nothing-such"' in nobody.err


def test_step_show_holds_everything_the_step_asks(cli: Cli) -> None:
    declared(cli)
    said = cli.run("step", "show", INC, "look").out
    assert "DO NOT: Do not power off" in said
    assert "--set count=…  How many (number, required)" in said


def test_ending_without_a_response(cli: Cli) -> None:
    for _ in range(4):
        declared(cli)
    cli.done("dismiss", "1", "--reason", "A test")
    cli.done("cancel", "2", "--reason", "Twice")
    cli.done("merge", "3", "4", "--reason", "The same")
    desk = cli.house.desk
    stati = [desk.incident(f"INC-2026-000{n}").status for n in range(1, 5)]
    assert stati == ["dismissed", "cancelled", "merged", "open"]
    assert cli.run("note", "3", "still allowed").code == 0


def test_evidence_file_is_copied_under_its_digest(cli: Cli) -> None:
    declared(cli)
    source = cli.directory / "image.mem"
    source.write_bytes(b"memory of a host")
    cli.done("evidence", "add", INC, "memory", "--description", "Memory", "--file", str(source))
    state = cli.house.desk.incident(INC)
    assert isinstance(state, Incident)
    (item,) = state.evidence.values()
    assert (cli.house.evidence / item.stored).read_bytes() == b"memory of a host"
    assert item.digest == "sha256:" + (cli.house.evidence / item.stored).name
    assert "image.mem" in cli.run("evidence", "list", INC).out


def test_an_altered_fact_is_found(cli: Cli) -> None:
    declared(cli)
    record = cli.house.record
    with record.begin() as tx:
        tx.connection.exec_driver_sql(
            "update fact set body = replace(body, 'person', 'nobody') where seq = 1"
        )
        tx.connection.exec_driver_sql("update text set body = 'other' where seq = 1")
    answer = cli.run("verify")
    assert answer.code == 1
    assert "INC-2026-0001 #1: the stored bytes and their hash do not agree" in answer.out
    assert "was altered" in answer.out


def test_a_record_cut_short_and_a_text_that_is_gone(cli: Cli) -> None:
    declared(cli)
    record = cli.house.record
    with record.begin() as tx:
        tx.connection.exec_driver_sql("update text set body = null where seq = 1")
    with record.read() as tx:
        found = verify(lambda sql, given=(): iter(tx.connection.exec_driver_sql(sql, given)))
    assert any("no decision to dispose of it" in one for one in found.problems)
    cli.house = open_house(cli.directory, cli.clock)
    assert "(disposed of)" in cli.run("show", INC).out
    with record.begin() as tx:
        tx.connection.exec_driver_sql("delete from fact where seq = (select max(seq) from fact)")
    with record.read() as tx:
        found = verify(lambda sql, given=(): iter(tx.connection.exec_driver_sql(sql, given)))
    assert any("ends before its head" in one for one in found.problems)
