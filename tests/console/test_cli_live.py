"""`hikeshi check --live` and `hikeshi slack manifest`, as people type them, against peers that run here."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

from console import live
from console.live import Live, look
from console.opening import House
from models.commands import Actor
from models.installation import EmailSettings, Settings, SlackSettings
from models.links import missing_links
from models.node import register
from models.outofband import ConfirmTrust, ProposeTrust
from models.policy import Policy
from notifiers.message import Delivery, Message, Sent
from notifiers.probing import CODES, Finding, finding
from notifiers.slack.fake import FakeSlack
from tests.console.clihouse import Cli, cli

__all__ = ["cli"]
KATO = "kato-hiroshi"


def furnished(cli: Cli, **settings: Any) -> House:
    """The bank with other settings, on the same record."""
    old = cli.house.institution
    changed = Settings.model_validate(old.settings.model_dump() | settings)
    return replace(cli.house, institution=replace(old, settings=changed))


def found(made: Live, channel: str) -> list[tuple[str, str]]:
    return [(one.code, one.subject) for one in made.findings if one.channel == channel]


async def test_slack_and_mail_are_asked_side_by_side_and_all_is_named(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeSlack() as slack, mail_server() as port:
        for person in cli.house.institution.organisation.people:
            if person.slack and person.id != KATO:
                slack.directory.person(person.slack)
        slack.directory.channel("C0MIHONCSIRT", member=False)
        slack.directory.scopes.discard("bookmarks:write")
        monkeypatch.setenv("HIKESHI_SLACK_TOKEN", slack.token)
        monkeypatch.setenv("HIKESHI_SLACK_APP", "xapp-wrong")
        house = furnished(
            cli,
            slack=SlackSettings(
                token="env:HIKESHI_SLACK_TOKEN",  # noqa: S106 a reference
                app_token="env:HIKESHI_SLACK_APP",  # noqa: S106 a reference
                base_url=slack.base_url,
            ),
            email=EmailSettings(host="127.0.0.1", port=port, sender="a@b.example", security="none"),
        )
        made = await look(house)
    assert found(made, "slack") == [
        ("scope-missing", "bookmarks:write"),
        ("app-token-refused", ""),
        ("person-unknown", KATO),
        ("channel-not-joined", "C0MIHONCSIRT"),
    ]
    assert found(made, "email") == [("address-refused", KATO)]
    assert not made.ok
    assert made.asked == ("console", "file", "slack", "email", "public_url")
    assert "xapp-wrong" not in repr(made)


@asynccontextmanager
async def mail_server() -> AsyncIterator[int]:
    """A server that does not know Hiroshi Kato."""

    class Handler:
        async def handle_RCPT(
            self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
        ) -> str:
            envelope.rcpt_tos.append(address)
            return "550 no such user" if address.startswith("hiroshi.kato@") else "250 OK"

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Handler(), hostname="mx.example"), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_a_secret_that_is_missing_hides_no_other_channel(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HIKESHI_SLACK_TOKEN", raising=False)
    house = furnished(
        cli,
        slack=SlackSettings(token="env:HIKESHI_SLACK_TOKEN"),  # noqa: S106 a reference
        email=EmailSettings(host="127.0.0.1", port=1, sender="a@b.example", security="none"),
    )
    made = await look(house)
    assert found(made, "slack") == [("secret-missing", "")]
    assert found(made, "email") == [("smtp-unreachable", "")]


async def test_a_bank_without_channels_is_told_that_only_the_screen_reaches_people(cli: Cli) -> None:
    made = await look(cli.house)
    assert made.ok, "notes do not fail the check"
    assert {one.code for one in made.findings} == {"console-only", "url-here-only", "node-absent"}


class Stuck:
    """A channel that never answers, or falls over."""

    can_read_back = False

    def __init__(self, name: str, *, breaks: bool = False) -> None:
        self.name, self.breaks, self.closed = name, breaks, False

    async def deliver(self, message: Message) -> Delivery:
        return Sent(receipt="1")

    async def arrived(self, message: Message) -> Sent | None:
        return None

    async def close(self) -> None:
        self.closed = True

    async def probe(self, people: Any) -> list[Any]:
        if self.breaks:
            raise LookupError("secret inside")
        await asyncio.Event().wait()
        return []


class Dumb:
    """A channel that cannot be asked beforehand."""

    name, can_read_back = "dumb", False

    async def deliver(self, message: Message) -> Delivery:
        return Sent(receipt="1")

    async def arrived(self, message: Message) -> Sent | None:
        return None

    async def close(self) -> None:
        """Nothing to let go."""


async def test_a_channel_that_hangs_or_falls_over_costs_the_others_nothing(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = Stuck("stuck")
    channels = {"stuck": stuck, "broken": Stuck("broken", breaks=True), "dumb": Dumb()}
    monkeypatch.setattr(live, "build", lambda *_, **__: dict(channels))
    async with asyncio.timeout(5):
        made = await look(cli.house, seconds=0.3)
    assert found(made, "stuck") == [("timed-out", "")]
    assert found(made, "broken") == [("channel-broken", "")]
    assert found(made, "dumb") == [("no-probe", "")]
    assert "secret inside" not in repr(made)
    assert stuck.closed


# -- the public address -------------------------------------------------------------------------------------

ANSWERS = [
    ("a node that is well", 200, {"lateness_seconds": 0, "version": "1"}, None),
    ("a node that is impaired is reached all the same", 503, {"lateness_seconds": 9, "version": "1"}, None),
    ("somebody else's page", 200, {"hello": "world"}, "url-not-ours"),
    ("a list", 200, [], "url-not-ours"),
    ("no JSON", 200, "<html>", "url-not-ours"),
    ("far too much", 200, "x" * 200_000, "url-not-ours"),
]


@pytest.mark.parametrize(("why", "status", "body", "code"), ANSWERS, ids=[row[0] for row in ANSWERS])
async def test_the_address_in_the_links_leads_to_a_hikeshi(
    cli: Cli, why: str, status: int, body: Any, code: str | None
) -> None:
    async def answer(request: web.Request) -> web.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=status, text=text)

    app = web.Application()
    app.router.add_get("/health", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        made = await look(furnished(cli, public_url=f"{url}/"))
    finally:
        await runner.cleanup()
    assert found(made, "public_url") == ([(code, url)] if code else []), why


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[bad"])
async def test_an_address_where_nobody_answers(cli: Cli, url: str) -> None:
    assert found(await look(furnished(cli, public_url=url)), "public_url") == [("url-unreachable", url)]


@pytest.mark.parametrize(
    ("host", "here"), [("localhost", True), ("::1", True), ("10.0.0.5", False), ("node.example", False)]
)
async def test_links_to_this_machine_alone_are_noted(cli: Cli, host: str, here: bool) -> None:
    codes = found(await look(furnished(cli, host=host)), "public_url")
    assert codes == ([("url-here-only", host)] if here else [])


# -- links that routes rely on ------------------------------------------------------------------------------


def test_people_without_the_channel_that_a_route_relies_on(cli: Cli) -> None:
    bank = cli.house.institution
    routes = bank.policy.model_dump()["routes"]
    main = next(one for one in routes if one["id"] == "main")
    main["levels"][3]["channels"] = ("slack",)
    policy = Policy.model_validate(bank.policy.model_dump() | {"routes": [main]})
    set_up = frozenset({"console", "file", "slack"})
    [only] = missing_links(bank.organisation, policy, set_up)
    assert (only.person, only.channel, only.routes) == ("watanabe-osamu", "slack", ("main",))
    nowhere = missing_links(bank.organisation, policy, set_up - {"slack"})
    assert {one.person for one in nowhere} == {"watanabe-osamu", "yoshida-emi"}
    assert missing_links(bank.organisation, bank.policy, set_up) == ()


def test_a_rota_is_looked_at_whole_and_not_only_who_is_on_duty_now(cli: Cli) -> None:
    bank = cli.house.institution
    people = tuple(one.model_copy(update={"channels": ("email",)}) for one in bank.organisation.people)
    organisation = bank.organisation.model_copy(update={"people": people})
    missing = missing_links(organisation, bank.policy, frozenset({"console"}))
    on_rota = {name for rota in organisation.rotas for shift in rota.shifts for name in shift.people}
    assert on_rota <= {one.person for one in missing}


# -- as typed -----------------------------------------------------------------------------------------------


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    """A Slack in a thread of its own: the command brings its own loop."""
    fake, ready, over = FakeSlack(), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with fake:
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    yield fake
    loop.call_soon_threadsafe(over.set)
    thread.join(10)
    loop.close()


def test_the_check_says_what_is_missing_and_what_to_do(
    cli: Cli, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIKESHI_SLACK_TOKEN", slack.token)
    settings = cli.directory / "settings.toml"
    table = f'\n[slack]\ntoken = "env:HIKESHI_SLACK_TOKEN"\nbase_url = "{slack.base_url}"\n'
    settings.write_text(settings.read_text(encoding="utf-8") + table, encoding="utf-8")
    cli.house = furnished(
        cli,
        slack=SlackSettings(token="env:HIKESHI_SLACK_TOKEN", base_url=slack.base_url),  # noqa: S106
    )
    said = cli.run("check", str(cli.directory), "--live")
    assert said.code == 1
    assert "slack: Slack does not know Kenji Sato (U0SATO001)" in said.out
    assert "Mend slack: of these people" in said.out
    assert "slack: the duty channel C0MIHONCSIRT does not exist" in said.out
    assert "things are missing (console, file, slack, public_url;" in said.out
    assert slack.token not in said.out
    told = cli.run("--json", "check", str(cli.directory), "--live").json
    assert (told["ok"], told["live"]["ok"]) == (False, False)
    assert {one["severity"] for one in told["defects"]} <= {"warning"}
    assert {one["code"] for one in told["live"]["findings"] if one["severity"] == "missing"} == {
        "person-unknown",
        "channel-unknown",
    }
    assert "Slack にいない人: 佐藤 健二" in cli.run("check", str(cli.directory), "--live", lang="ja").out


def test_a_sound_bank_passes(cli: Cli) -> None:
    said = cli.run("check", str(cli.directory), "--live")
    assert said.code == 0, said.out
    assert "only the console reaches: Kenji Sato" in said.out
    assert "Live: nothing is missing" in said.out


def test_with_defects_in_the_files_nobody_is_asked(cli: Cli) -> None:
    (cli.directory / "routes.yaml").write_text("routes: 3\n", encoding="utf-8")
    said = cli.run("--json", "check", str(cli.directory), "--live")
    assert said.code == 1
    assert "live" not in said.json


def test_whom_the_last_communication_check_missed_fails_the_live_check(cli: Cli) -> None:
    cli.done("comcheck", "main", "--level", "3", "--within", "1m")
    cli.house.desk.tick("programme")
    said = cli.run("check", str(cli.directory), "--live")
    assert said.code == 1
    assert "comcheck: not reached by the last communication check: Hiroshi Kato (CC-0001" in said.out


def test_every_finding_has_words_in_both_languages(cli: Cli) -> None:
    from console.texts import texts  # noqa: PLC0415

    for lang in ("ja", "en"):
        for part in ("what", "do"):
            have = {key for key in texts(lang).entries if key.startswith(f"readiness.live.{part}.")}
            assert have == {f"readiness.live.{part}.{code}" for code in CODES}


def test_the_manifest_is_written_to_the_screen_or_a_file(cli: Cli, tmp_path: Path) -> None:
    made = cli.run("slack", "manifest").json
    assert made["settings"]["socket_mode_enabled"] is True
    path = tmp_path / "manifest.json"
    said = cli.run("slack", "manifest", "--http", "https://node.example", "--out", str(path), lang="ja")
    assert said.code == 0
    assert said.out == ""
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["settings"]["interactivity"]["request_url"] == "https://node.example/slack/events"
    assert written["features"]["shortcuts"][0]["name"] == "インシデントを宣言する"
    assert cli.run("slack", "manifest", "--http", "http://node.example").code == 2


async def test_that_no_node_runs_is_said_and_that_one_does_is_not(cli: Cli) -> None:
    assert ("node-absent", "") in found(await look(cli.house), "node")
    with cli.house.record.begin() as tx:
        register(tx, "pager", cli.clock.now())
    assert found(await look(cli.house), "node") == []


async def test_a_channel_that_is_out_of_band_is_asked_nothing(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Watched(Dumb):
        name = "file"

        async def probe(self, people: object) -> list[Finding]:
            return [finding("file", "file-not-writable")]  # it was asked

    desk = cli.house.desk
    wanted = ProposeTrust(actor=Actor(person="sato-kenji"), way="out-of-band", channels=("file",), reason="x")
    asked = desk.handle("house", wanted)
    second = ConfirmTrust(actor=Actor(person=KATO), proposal=asked.facts[0].seq)
    assert desk.handle("house", second).accepted
    monkeypatch.setattr(live, "_channels", lambda house: ({"file": Watched()}, []))
    made = await look(cli.house)
    assert found(made, "file") == [("out-of-band", "")]
    assert "file" not in made.asked
