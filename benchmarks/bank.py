"""The bank that is measured: the shipped example in a directory of its own, on a real disk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from models.clock import Clock, SystemClock
from models.commands import Actor, Command, Declare
from models.desk import Desk
from models.errors import HikeshiError
from models.premises import Outcome, Premises
from models.record import Record, Tx
from notifiers.slack.fake import FakeSlack
from playbooks import starter
from playbooks.institution import Institution, load

SECRETS = {
    "HIKESHI_WAZUH_SECRET": "wazuh-bench-secret-0123456789abcdef",
    "HIKESHI_EDR_SECRET": "edr-bench-secret-0123456789abcdef",
    "HIKESHI_SLACK_TOKEN": FakeSlack.token,
    "HIKESHI_FIREWALL_TOKEN": "firewall-bench-secret",
}
"""What the directory's files name, for the processes that are started; they open nothing."""
ANALYST = Actor(person="suzuki-daichi", via="cli")
SCRIBE = Actor(person="yamamoto-rin", via="cli")
LEAD = Actor(person="sato-kenji", via="cli")
CISO = Actor(person="kato-hiroshi", via="cli")
DEPUTY = Actor(person="tanaka-misaki", via="cli")
_CHANNELS = re.compile(r"channels: \[console, file\]")
_PER_MINUTE = re.compile(r"per_minute: \d+")
ALERT = Path(__file__).parent / "alert.json"


@dataclass(frozen=True, kw_only=True)
class Bank:
    """A directory of the institution's."""

    directory: Path
    url: str = ""
    """Of its record on a server; a SQLite file in the directory if empty."""

    @property
    def database(self) -> Path:
        """Where the record lies."""
        return self.directory / "var" / "hikeshi.db"

    def institution(self) -> Institution:
        """The directory, read."""
        return load(self.directory)

    def record(self) -> Record:
        """Its record, on a connection of its own."""
        return Record(self.url) if self.url else Record.at(self.database)

    def desk(self, clock: Clock | None = None) -> Desk:
        """A desk with nothing cached on the bank's own database, which is laid down if need be."""
        record = self.record()
        record.migrate()
        return Desk(record, premises(self.institution()), clock or SystemClock())


def found(directory: Path, slack_url: str | None = None) -> Bank:
    """Write the example bank to `directory`; with a Slack, everybody is reached there first.

    Otherwise everybody is reached by the file channel, which costs a line on the disk. The number of alerts
    that a source may post in a minute is raised: its limit is not what is measured.
    """
    starter.write(directory, "ja")
    organisation = directory / "organisation.yaml"
    first = "slack" if slack_url else "file"
    text = _CHANNELS.sub(f"channels: [{first}]", organisation.read_text(encoding="utf-8"))
    organisation.write_text(text, encoding="utf-8")
    intake = directory / "intake.yaml"
    intake.write_text(_PER_MINUTE.sub("per_minute: 100000", intake.read_text(encoding="utf-8")), "utf-8")
    if slack_url:
        with (directory / "settings.toml").open("a", encoding="utf-8") as settings:
            settings.write(f'\n[slack]\ntoken = "env:HIKESHI_SLACK_TOKEN"\nbase_url = "{slack_url}"\n')
    return Bank(directory=directory)


def premises(institution: Institution) -> Premises:
    """What the desk needs of a directory."""
    return Premises(
        organisation=institution.organisation,
        policy=institution.policy,
        playbooks=institution.playbooks,
        channels=frozenset({"console", "file"} | ({"slack"} if institution.settings.slack else set())),
    )


def declare(desk: Desk, playbook: str = "unknown") -> str:
    """Open an incident and return its number."""
    command = Declare(actor=ANALYST, text="端末でファイルの拡張子が一斉に変わった", playbooks=(playbook,))
    return accepted(desk.handle(None, command)).stream


def accepted(outcome: Outcome) -> Outcome:
    """The outcome, if the record has it. Raises HikeshiError: a refusal would be measured as work."""
    if not outcome.accepted:
        raise HikeshiError(f"{outcome.stream}: {outcome.refused} {dict(outcome.detail)}")
    return outcome


def write_in(desk: Desk, tx: Tx, stream: str, commands: list[Command]) -> int:
    """Take many commands in one transaction of the caller's; the number of facts."""
    return sum(len(desk.handle_in(tx, stream, command).facts) for command in commands)


def alert_body(number: int, at: datetime) -> bytes:
    """An alert as Wazuh posts it; each number is a matter of its own, so each opens an incident."""
    content = orjson.loads(ALERT.read_bytes())
    content["id"] = f"1795370323.{number:08d}"
    content["timestamp"] = at.isoformat(timespec="milliseconds")
    content["agent"] = {"id": f"{number:05d}", "name": f"cb-batch{number:05d}", "ip": "10.20.4.31"}
    return orjson.dumps(content)
