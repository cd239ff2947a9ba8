"""The mailbox: each mail becomes one alert, however often either side breaks down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from console.mailbox import Mailbox, MailboxError
from console.opening import House
from models.desk import Desk
from models.errors import BadConfiguration, RecordUnwritable
from models.record import Tx
from models.state import House as HouseState
from models.state import Intake
from playbooks.institution import Institution
from tests.console.imapserver import ImapServer
from tests.console.webhouse import document, kinds, make_house, rows

T = TypeVar("T")
REPORT = (Path(__file__).parents[2] / "examples" / "alerts" / "mail-report.eml").read_bytes()


def mail(number: int) -> bytes:
    return REPORT.replace(b"20261123024107", str(20261123000000 + number).encode())


@pytest.fixture
def server() -> Iterator[ImapServer]:
    with ImapServer() as running:
        yield running


@pytest.fixture
def house(bank: Institution, desk: Desk, tmp_path: Path, server: ImapServer) -> House:
    box = {
        "host": "127.0.0.1",
        "port": server.port,
        "tls": "none",
        "user": server.user,
        "password": "env:MAIL_SECRET",
        "every": "1s",
    }
    return make_house(bank, desk, tmp_path, mailbox=box)


class Woken:
    """Counts how often the outbox was woken, and runs the writer's work at once."""

    def __init__(self) -> None:
        self.times = 0

    def wake(self) -> None:
        self.times += 1

    async def run(self, work: Callable[[], T], /) -> T:
        return work()


def reader(house: House, server: ImapServer, woken: Woken | None = None) -> Mailbox:
    """A mailbox as after a start of the node: it remembers nothing but the record."""
    by = woken or Woken()
    return Mailbox(house, server.password, by.run, by.wake)


def table(house: House) -> Intake:
    state = house.desk.state("intake")
    assert isinstance(state, Intake)
    return state


async def test_a_mail_becomes_an_alert_and_its_bytes_are_kept(house: House, server: ImapServer) -> None:
    server.put(REPORT)
    woken = Woken()
    assert await reader(house, server, woken).turn() == 1
    [row] = rows(house)
    assert (row["source"], row["status"], document(house, row["document"])) == ("mail", "table", REPORT)
    [alert] = table(house).alerts.values()
    assert (house.desk.texts("intake")[alert.title] or "").startswith("不審なメールについて")
    assert server.unseen() == [] and woken.times == 1
    assert "LOGOUT" in server.log and not any(server.password in line for line in server.log)


async def test_nothing_is_taken_twice_over_restarts(house: House, server: ImapServer) -> None:
    server.put(mail(1), mail(2))
    for _ in range(3):
        await reader(house, server).turn()
    server.mails[0].seen = False  # somebody marks it as unread
    server.put(mail(3))
    assert await reader(house, server).turn() == 1
    assert len(rows(house)) == 3


async def test_at_the_first_visit_what_people_have_read_is_theirs(house: House, server: ImapServer) -> None:
    server.put(mail(1), seen=True)
    server.put(mail(2))
    server.put(mail(3), seen=True)
    await reader(house, server).turn()
    assert len(rows(house)) == 1
    server.put(mail(4), seen=True)
    await reader(house, server).turn()
    assert len(rows(house)) >= 2, "from then on every new mail counts, read or not"


@pytest.mark.parametrize("breaks_at", ["LOGIN", "SELECT", "SEARCH", "FETCH", "STORE"])
async def test_a_server_that_breaks_off_loses_and_repeats_nothing(
    house: House, server: ImapServer, breaks_at: str
) -> None:
    server.put(mail(1), mail(2))
    server.breaks_at = breaks_at
    with pytest.raises(MailboxError):
        await reader(house, server).turn()
    server.breaks_at = ""
    await reader(house, server).turn()
    await reader(house, server).turn()
    keys = [row["key"] for row in rows(house)]
    assert len(keys) == 2 == len(set(keys))


@pytest.mark.parametrize("step", ["keep", "append", "derive"])
async def test_a_record_that_cannot_be_written_leaves_the_mail_where_it_is(
    house: House, server: ImapServer, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*args: Any, **more: Any) -> None:
        raise RecordUnwritable("the disk is full; free space")

    server.put(mail(1))
    monkeypatch.setattr(Tx, step, full)
    with pytest.raises(RecordUnwritable):
        await reader(house, server).turn()
    assert server.unseen() == [1]
    monkeypatch.undo()
    await reader(house, server).turn()
    assert len(rows(house)) == 1 and server.unseen() == []


async def test_a_folder_laid_down_anew_brings_nothing_back(house: House, server: ImapServer) -> None:
    server.put(mail(1), mail(2))
    await reader(house, server).turn()
    server.validity = 18
    server.put(mail(3))
    for one in server.mails:
        one.seen = False
    await reader(house, server).turn()
    assert [row["count"] for row in rows(house)] == [1, 1, 1]
    assert kinds(house, "intake").count("alert.received") == 3
    assert server.unseen() == []


async def test_a_mail_that_goes_meanwhile_is_passed_over(house: House, server: ImapServer) -> None:
    server.put(mail(1), mail(2))
    imap = server.mails.pop(0)
    server.mails.append(imap)
    assert await reader(house, server).turn() == 2
    server.mails.clear()
    assert await reader(house, server).turn() == 0


async def test_a_mail_beyond_the_bound_is_cut(house: House, server: ImapServer) -> None:
    assert house.institution.settings.mailbox is not None
    settings = house.institution.settings.mailbox.model_copy(update={"max_bytes": 2_000})
    made = make_house(house.institution, house.desk, house.data, mailbox=settings.model_dump())
    server.put(REPORT + b"x" * 100_000)
    await reader(made, server).turn()
    assert len(document(made, rows(made)[0]["document"]) or b"") == 2_000


async def test_hostile_mails_are_alerts_like_others(house: House, server: ImapServer) -> None:
    raws = [b"", b"\x00\xff" * 99, b"Subject: <!channel> \x1b[2J\nFrom: =?x?B?%%?=\n\n<script>", b"\n" * 50]
    server.put(*raws)
    await reader(house, server).turn()
    assert {document(house, row["document"]) for row in rows(house)} == set(raws)
    texts = [house.desk.texts("intake")[one.title] or "" for one in table(house).alerts.values()]
    assert all(text.isprintable() for text in texts)


async def test_a_mailbox_that_stays_shut_pages_once_and_says_when_it_is_back(
    house: House, server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.mailbox.wait", _no_wait)
    stop, box = asyncio.Event(), reader(house, server)
    server.breaks_at = "LOGIN"
    running = asyncio.create_task(box.run(stop))
    await _until(lambda: "mailbox" in _house(house).impaired)
    server.breaks_at = ""
    await _until(lambda: "mailbox" not in _house(house).impaired)
    stop.set()
    await running
    assert kinds(house, "house").count("machine.impaired") == 1
    assert [page.event for page in _house(house).pages.values()] == ["impaired"]


async def _no_wait(event: asyncio.Event, seconds: float) -> bool:
    await asyncio.sleep(0.01)
    return event.is_set()


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


def _house(house: House) -> HouseState:
    state = house.desk.state("house")
    assert isinstance(state, HouseState)
    return state


async def test_a_wrong_password_is_not_repeated_in_the_error(house: House, server: ImapServer) -> None:
    woken = Woken()
    with pytest.raises(MailboxError) as wrong:
        await Mailbox(house, "falsch-1", woken.run, woken.wake).turn()
    assert "falsch-1" not in str(wrong.value) and "check [mailbox]" in str(wrong.value)


def test_without_settings_there_is_no_mailbox(bank: Institution, desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration):
        Mailbox(make_house(bank, desk, tmp_path), "x", Woken().run, Woken().wake)
