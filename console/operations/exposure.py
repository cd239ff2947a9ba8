"""What of the command line is reachable from outside this machine, and what is not, with the reason for each.

A command runs here, with the rights of the node. So whatever names a path of this machine, starts a program
of its user's, or asks back on a terminal is taken out, or becomes a file that is handed in or out. A test
walks all commands and fails for a parameter that nobody has looked at.
"""

from __future__ import annotations

from typing import Literal

NOT_OFFERED: dict[str, str] = {
    "restore": "reads an archive that lies on this machine and takes over its records",
    "move": "takes the record of this machine to another database, while nothing of Hikeshi runs",
    "key rotate": "makes a private key in a file of this machine, and may throw the old one away",
    "evidence collect": (
        "runs for up to an hour with the node's own rights to the targets; a step of the playbook has the "
        "conductor do it, the command line of this machine does it by hand"
    ),
    "inspector grant": "answers with a new secret: whoever steals a token must not make others with it",
    "token issue": "answers with a new secret: whoever steals a token must not make others with it",
    "login link": "answers with a new secret: whoever steals a token must not make others with it",
}
"""Commands of the tables of rights that are offered to nobody over the network, and why."""

ALSO: dict[str, str] = {
    "playbook list": "look",
    "playbook show": "look",
    "playbook diff": "look",
    "coverage": "look-programme",
    "checkpoint list": "look-house",
    "checkpoint export": "look-house",
    "key show": "look-house",
    "relay status": "look-house",
    "intake test": "look-intake",
}
"""Commands without a row of their own, with the row that somebody needs who is not on this machine."""

COMMON = frozenset({"dir_", "lang_", "json_", "help"})
"""Options of a terminal: a door says these in its own way."""

HIDDEN: dict[str, str] = {
    "--page-now": "it is the node that is asked, and it pages",
    "--follow": "never ends; over the network a stream does that",
    "log --raw": "for a record that this version cannot read, by somebody at this machine",
    "--edit": "starts the editor of this machine's user",
    "evidence add --reference": "a file that stays where it lies on this machine",
    "evidence verify --identity": "a private key is not sent over the network",
    "verify record": "another record on this machine",
    "verify --checkpoint": "files of this machine",
    "verify --key": "may name a file of this machine",
    "verify --tsa": "a file of this machine",
    "key show --out": "the answer has the key",
    "export --out": "the answer is the report",
    "playbook show --out": "the answer is the playbook",
    "drill report --out": "the answer is the report",
    "replay --out": "the answer is the replay",
    "replay --with": "a directory or file of this machine",
    "replay --as-exercise": "writes a scenario into the institution's directory",
    "replay --to": "a directory of this machine",
}
"""Parameters that are not offered: by their spelling, or by the command's name and it."""

IN: frozenset[str] = frozenset(
    {
        "declare --from", "scope import file", "situation send --from", "message draft --from",
        "message edit --from", "evidence add --file", "drill import file", "intake test file",
        "drill edit file", "drill add file", "shifts set file",
    }
)  # fmt: skip
"""Parameters that name a file: over the network it is handed in."""

OUT: dict[str, str] = {
    "clocks --ics": "clocks.ics",
    "oncall --ics": "oncall.ics",
    "export --archive": "archive.zip",
    "report draft --out": "report.md",
    "situation draft --out": "situation.txt",
    "message show --out": "message.txt",
    "scope export --out": "scope.csv",
    "share prepare --out": "package.zip",
    "shifts plan --out": "shifts.txt",
    "drill result --out": "result.json",
    "checkpoint export file": "checkpoint.jsonl",
}
"""Parameters that say where to write, and what the file is called: over the network it is the answer."""

TEXTS: dict[str, str] = {
    "drill import --key": "the key itself, in hexadecimal digits",
    "playbook diff --from": "a version or an incident; a file only on a terminal",
    "playbook diff --to": "a version or an incident; a file only on a terminal",
    "evidence add --location": "what is written down, not looked at",
    "evidence add --storage": "what is written down, not looked at",
}
"""Parameters that look as if they named a file and do not, or not from outside."""

ALL_KNOWN: frozenset[str] = frozenset({"verify", "checkpoint export", "checkpoint list", "relay status"})
"""Commands that name every record there is: only for whoever may know of all of them."""

ONLY: dict[str, str] = {
    "playbook diff --from": r"(?:\d+\.\d+\.\d+|(?:INC-\d{4}-)?\d{1,6})",
    "playbook diff --to": r"(?:\d+\.\d+\.\d+|(?:INC-\d{4}-)?\d{1,6})",
    "replay incident": r"(?:INC-\d{4}-)?\d{1,6}",
}
"""What such a value has to look like in whole, so that no other meaning of it is reached."""

SLOW: frozenset[str] = frozenset(
    {"export", "verify", "evidence add", "evidence verify", "evidence transfer", "metrics", "drill abort",
     "drill report", "drill result", "replay", "share prepare", "coverage", "intake test", "scope import"}
)  # fmt: skip
"""Commands that may take seconds or more: done in a thread of their own, one at a time, beside the pages."""

Side = Literal["hidden", "in", "out", "plain"]


def side_of(command: str, spelling: str) -> Side:
    """How a parameter of a command is offered; `spelling` is its longest option, or its name by place."""
    whole = f"{command} {spelling}"
    if spelling in HIDDEN or whole in HIDDEN:
        return "hidden"
    if whole in IN:
        return "in"
    return "out" if whole in OUT else "plain"
