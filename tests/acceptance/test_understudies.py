"""Nights without the usual channel: by SMS and voice, and with a channel that is taken out of band."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.web.links import signing_key
from models.outofband import ConfirmTrust, ProposeTrust
from models.premises import Outcome
from models.reason import Reason
from notifiers.gateway.deliver import GatewayNotifier
from notifiers.gateway.fake import FakeGateway, Taken
from notifiers.message import Message, Notifier
from notifiers.outbox import Outbox
from notifiers.trust import OUT_OF_BAND, guarded
from playbooks.institution import Institution
from tests.conftest import THREE_AT_NIGHT
from tests.console.webhouse import Web, make_house
from tests.models.small import playbook, step
from tests.scripts import Postbox, Script, by

QUIET = playbook("unknown", step("look", optional=True))
DUTY, LEAD, DEPUTY, CISO = "nakamura-yui", "sato-kenji", "tanaka-misaki", "kato-hiroshi"
CHANNELS = {
    DUTY: ("sms", "voice", "email"),
    LEAD: ("voice", "email"),
    DEPUTY: ("email", "sms"),
    CISO: ("email",),
}
SET_UP = frozenset({"console", "file", "email", "sms", "voice"})
HOUSE = "house"


class Night:
    """A declared incident of people whom telephones and mail reach, with a gateway that takes and answers."""

    def __init__(self, bank: Institution, data: Path) -> None:
        people = [
            person.model_copy(update={"channels": CHANNELS.get(person.id, ("console",))})
            for person in bank.organisation.people
        ]
        organisation = bank.organisation.model_copy(update={"people": tuple(people)})
        self.script = Script(
            bank, THREE_AT_NIGHT, organisation=organisation, channels=SET_UP, playbooks={"unknown": QUIET}
        )
        desk, clock = self.script.desk, self.script.clock
        self.gateway = FakeGateway(clock=clock)
        self.run(self.gateway.__aenter__())
        self.mail = Postbox("email", clock)
        settings = {"gateway": {"url": self.gateway.url, "secret": "env:HIKESHI_GATEWAY_SECRET"}}
        house = make_house(bank, desk, data, **settings)
        key = signing_key(house)
        telephones = [
            GatewayNotifier(name, url=self.gateway.url, secret=self.gateway.secret, code_key=key, clock=clock)
            for name in ("sms", "voice")
        ]
        channels: list[Notifier] = [self.script.postbox, self.mail, *telephones]

        async def ask() -> frozenset[str]:
            return desk.distrusted()

        async def here(call: Any) -> Any:
            return call()

        notifiers = guarded({one.name: one for one in channels}, ask)
        self.script.outbox = Outbox(desk, notifiers, here, fallback=("console",))
        self.web = Web(house)

    def run(self, work: Any) -> Any:
        return self.script._runner.run(work)

    def close(self) -> None:
        """Whatever is left in a channel was not expected."""
        for one in self.script.outbox.notifiers.values():
            self.run(one.close())
        self.run(self.gateway.__aexit__(None, None, None))
        assert self.gateway.taken == [] and self.mail.got == []

    def telephone(self, channel: str) -> Taken:
        """The next message that a telephone got."""
        self.script.deliver()
        taken = self.gateway.taken.pop(0)
        assert taken.channel == channel, taken
        return taken

    def mailed(self, person: str) -> Message:
        self.script.deliver()
        got = self.mail.got.pop(0).message
        assert got.person == person, got
        return got

    def answers(self, taken: Taken, text: str, **more: Any) -> Any:
        """Somebody answers a message; what the gateway is told."""
        headers, body = self.gateway.reply(taken, text, **more)
        answer = self.run(self.web.ask("POST", "/api/gateway", content=body, headers=headers))
        self.script.deliver()
        return answer.json()["result"]

    def agree(self, way: Any, *channels: str) -> Outcome:
        """The lead proposes, whoever may agree hears of it elsewhere, the CISO confirms."""
        proposed = self.script.act(
            ProposeTrust(actor=by(LEAD), way=way, channels=channels, reason="不審な転送設定"), HOUSE
        )
        self.script.deliver()
        told = [one for one in self.gateway.taken if one.key.startswith(f"{HOUSE}/")]
        for one in told:
            self.gateway.taken.remove(one)
        keys = [one.key for one in told]
        for box in (self.script.postbox.got, self.mail.got):
            mine = [one for one in box if one.message.template == "notice.trust_proposed"]
            box[:] = [one for one in box if one not in mine]
            keys += [one.message.key for one in mine]
        assert keys
        assert not {key.rsplit("/", 1)[1].partition(":")[0] for key in keys} & set(channels)
        return self.script.act(ConfirmTrust(actor=by(CISO), proposal=proposed.facts[0].seq), HOUSE)


@pytest.fixture
def night(bank: Institution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    monkeypatch.setenv("HIKESHI_GATEWAY_SECRET", "gateway-secret-of-a-fake")
    for name in ("HIKESHI_WAZUH_SECRET", "HIKESHI_EDR_SECRET"):
        monkeypatch.setenv(name, "of-the-tests")
    made = Night(bank, tmp_path)
    with made.script:
        made.script.declare(DUTY, "行内端末で見慣れない画面")
        yield made
        made.close()


def call(night: Night) -> Taken:
    """The duty officer's first page by SMS, with the notice of the one step there is."""
    page = night.telephone("sms")
    assert (page.kind, night.telephone("sms").kind) == ("page", "notice")
    return page


def test_an_answer_by_sms_stops_all_others(night: Night) -> None:
    page = call(night)
    night.script.forward("5m")
    voice, mail = night.telephone("voice"), night.mailed(DEPUTY)
    assert voice.to == "+818055550101" and mail.template == "page.declared"
    assert night.answers(page, page.code) == "done"
    acked = night.script.page()
    assert (acked.state, acked.acked_by) == ("acknowledged", DUTY)
    assert night.telephone("voice").kind == "notice" and night.mailed(DEPUTY).kind == "notice"
    night.script.done(DUTY, "look")
    night.script.forward("24h")


def test_a_key_pressed_in_a_call_takes_the_page_over(night: Night) -> None:
    call(night)
    night.script.forward("5m")
    voice = night.telephone("voice")
    night.mailed(DEPUTY)
    assert night.answers(voice, "1") == "done"
    assert night.script.page().acked_by == LEAD
    assert night.telephone("sms").kind == "notice" and night.mailed(DEPUTY).kind == "notice"
    night.script.done(LEAD, "look")
    night.script.forward("24h")


def test_with_mail_out_of_band_pages_go_on_without_it_and_links_in_mails_are_dead(night: Night) -> None:
    call(night)
    night.script.forward("5m")
    night.telephone("voice")
    night.mailed(DEPUTY)
    token = night.web.token(night.script.stream, night.script.page().id, DEPUTY, "email")
    assert night.run(night.web.ask("GET", f"/p/{token}")).status_code == 200
    assert night.agree("out-of-band", "email").kinds() == ("trust.withdrawn",)
    assert night.run(night.web.ask("GET", f"/p/{token}")).status_code == 403
    assert night.run(night.web.press(token)).status_code == 403
    assert night.script.page().state == "open"
    # The CISO has nothing but mail: the fallback gets it, and the next level does not wait for a screen.
    night.script.forward("5m")
    shown = night.script.expect_page(CISO, "page.declared")
    assert shown.channel == "console"
    night.script.expect_pages("watanabe-osamu", "yoshida-emi")
    given_up = [fact for fact in _facts(night) if fact.kind == "message.given_up"]
    assert [(one.data["channel"], one.data["detail"]) for one in given_up] == [("email", OUT_OF_BAND)]
    assert night.agree("in-band", "email").kinds() == ("trust.restored",)
    assert night.run(night.web.press(token)).status_code == 303
    assert night.script.page().acked_by == DEPUTY
    night.script.deliver()
    assert night.script.set_aside("notice.acknowledged") == 2
    assert [night.telephone(one).kind for one in ("sms", "voice")] == ["notice", "notice"]
    assert night.mailed(CISO).kind == "notice"
    night.script.done(DEPUTY, "look")
    night.script.forward("24h")


def test_what_waits_for_a_channel_goes_on_at_once_when_it_is_taken_out(night: Night) -> None:
    call(night)
    with night.script.desk.record.begin() as tx:
        tx.connection.exec_driver_sql(
            "update outbox set state = 'queued', next_try_at = next_try_at + 30000000"
        )
    night.agree("out-of-band", "sms")
    page = night.telephone("voice")
    assert (page.to, page.kind, night.telephone("voice").kind) == ("+818055550106", "page", "notice")
    assert night.answers(page, "1") == "done"
    night.script.done(DUTY, "look")
    night.script.forward("24h")


def test_an_answer_over_a_channel_that_is_out_of_band_is_refused_and_recorded(night: Night) -> None:
    page = call(night)
    night.agree("out-of-band", "sms")
    headers, body = night.gateway.reply(page, f"1 {page.code}")
    answer = night.run(night.web.ask("POST", "/api/gateway", content=body, headers=headers))
    assert answer.status_code == 403 and answer.json() == {"result": "out-of-band", "reply": ""}
    assert night.script.page().state == "open"
    refused = [fact for fact in _facts(night, HOUSE) if fact.kind == "refused"]
    assert [(one.data["who"], one.data["reason"]) for one in refused] == [
        (DUTY, Reason.CHANNEL_DISTRUSTED.value)
    ]
    night.script.ack(DUTY)
    night.script.done(DUTY, "look")
    night.script.forward("24h")


def _facts(night: Night, stream: str = "") -> list[Any]:
    with night.script.desk.record.read() as tx:
        return tx.facts(stream or night.script.stream)
