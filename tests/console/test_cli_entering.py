"""token, login, session at the command line."""

from __future__ import annotations

from console.web.once import Once
from console.web.sessions import Sessions
from console.web.tokens import visitor_of
from tests.console.clihouse import Cli, bank_in, cli

__all__ = ["bank_in", "cli"]
UNTIL = "2027-03-31"


def issue(cli: Cli, *more: str, person: str = "mori-chie", who: str = "sato") -> dict[str, object]:
    answer = cli.run(
        "token", "issue", person, "--name", "siem", "--until", UNTIL, "--json", *more, who=who
    )  # fmt: skip
    assert answer.code == 0, answer.err
    return dict(answer.json)


def test_a_token_is_shown_once_and_listed_without_what_opens_it(cli: Cli) -> None:
    token = str(issue(cli, "--role", "csirt-duty", "--reason", "alerts")["token"])
    house = cli.house
    visitor = visitor_of(house, token, "ja")
    assert visitor is not None and visitor.person == "mori-chie"
    listed = cli.run("token", "list")
    assert "siem" in listed.out and token not in listed.out and "csirt-duty" in listed.out
    assert cli.run("token", "list", "--json").json[0] == {
        "name": "siem",
        "person": "mori-chie",
        "roles": ["csirt-duty"],
        "looks": False,
        "until": "2027-03-31T14:59:59.000000Z",
        "over": False,
        "by": "sato-kenji",
    }
    cli.done("token", "revoke", "siem", "--reason", "replaced")
    assert cli.run("token", "list", "--json").json[0]["over"] is True
    shown = cli.run("token", "issue", "mori-chie", "--name", "two", "--until", UNTIL, "--look")
    assert "hikeshi-" in shown.out and shown.code == 0
    assert "only reads" in cli.run("token", "list").out


def test_whoever_has_no_right_issues_and_sees_their_own_only(cli: Cli) -> None:
    other = cli.run("token", "issue", "mori-chie", "--name", "x", "--until", UNTIL, who="ito")
    assert other.code == 1
    issue(cli)
    assert cli.run("token", "list", who="ito").out.strip() == "There is no token."
    assert cli.run("token", "revoke", "siem", "--reason", "x", who="ito").code == 1
    assert cli.run("token", "list", "--json", who="nobody").json == []


def test_a_link_logs_oneself_in_and_another_only_by_right(cli: Cli) -> None:
    made = cli.run("login", "link", "--json", who="ito").json
    assert made["person"] == "ito-shota" and made["minutes"] == 15
    assert made["url"].startswith("http://127.0.0.1:8410/login/once/")
    house = cli.house
    held = Once(house).look("login", made["url"].rsplit("/", 1)[1])
    assert held is not None and held.data == {"by": "ito-shota"}
    assert cli.run("login", "link", "sato", who="ito").code == 1
    assert "works once" in cli.run("login", "link", "ito", "--minutes", "5").out
    assert cli.run("login", "link", who="nobody").code == 1


def test_sessions_are_seen_and_ended_by_whose_they_are_and_by_right(cli: Cli) -> None:
    house = cli.house
    sessions = Sessions(house)
    assert cli.run("session", "list").out.strip() == "No browser is logged in."
    mine, theirs = sessions.open("test", person="ito-shota"), sessions.open("test", person="mori-chie")
    key, other = sessions.visitor(mine), sessions.visitor(theirs)
    assert key is not None and other is not None
    assert [one["key"] for one in cli.run("session", "list", "--json", who="ito").json] == [key.key]
    assert cli.run("session", "end", other.key, who="ito").code == 1
    assert cli.run("session", "end", "", who="ito").code == 1
    assert sessions.visitor(theirs) is not None
    cli.done("session", "end", key.key, who="ito")
    assert sessions.visitor(mine) is None
    assert other.key in cli.run("session", "list").out
    cli.done("session", "end", other.key, "--reason", "a lost laptop")
    assert sessions.visitor(theirs) is None
    assert "a lost laptop" in cli.run("log", "house").out
