"""`targets.yaml`: everything that an action may touch, by name. Never frozen.

Actions that change something take `http` and `command`; the others are sources of evidence, and only read.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from models.values import Duration, Frozen, Id, SecretRef

_LOOPBACK = re.compile(r"^http://(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:\d+)?(/|$)")
JsonPath = Annotated[str, Field(pattern=r"^[A-Za-z0-9_@$-]+(\.[A-Za-z0-9_@$-]+)*$", max_length=200)]
QueryName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.$\[\]-]+$", max_length=100)]
_FINGERPRINT = re.compile(r"^SHA256:[A-Za-z0-9+/]{43}$")
_KEY_TYPE = re.compile(r"^(ssh-|ecdsa-|sk-)[a-z0-9@.-]+$")
_PLACE = re.compile(r"\{([a-z][a-z0-9_-]*)\}")
ARGUMENT = re.compile(r"^(?P<option>--?[A-Za-z0-9][A-Za-z0-9_.-]*=)?\{(?P<name>[a-z][a-z0-9_-]*)\}$")
"""A parameter in an allow-listed command: a whole argument, or what follows `--option=`."""
_WILD = re.compile(r"[*?\[]")
GIB = 1_073_741_824


def is_loopback(url: str) -> bool:
    """Whether a plain http address leads to this machine."""
    return _LOOPBACK.match(url) is not None


class Parameter(Frozen):
    """A typed parameter of a command or request; text never starts with a dash."""

    type: Literal["text", "host", "number", "path", "choice"] = "text"
    choices: tuple[str, ...] = ()
    max_length: int = Field(default=200, ge=1, le=4096)


def argv_defects(argv: tuple[str, ...], parameters: Mapping[str, Parameter]) -> tuple[str, ...]:
    """What is wrong with an allow-listed command itself, in words; empty if nothing is."""
    used: set[str] = set()
    found = []
    if _PLACE.search(argv[0]):
        found.append("argv.0: the program itself cannot be a parameter")
    for number, argument in enumerate(argv[1:], start=1):
        names = _PLACE.findall(argument)
        used.update(names)
        if names and not ARGUMENT.match(argument):
            found.append(f"argv.{number}: a parameter is a whole argument or follows `--option=`")
    found += [f"argv: {{{name}}} is not among the parameters" for name in sorted(used - set(parameters))]
    found += [f"parameters.{name}: used nowhere in argv" for name in sorted(set(parameters) - used)]
    return tuple(found)


class HttpTarget(Frozen):
    """A named HTTP endpoint that playbooks may call; the URL never comes from a playbook."""

    kind: Literal["http"]
    method: Literal["GET", "POST", "PUT", "DELETE", "PATCH"] = "POST"
    url: str = Field(pattern=r"^https?://[^\s]+$")
    secret: SecretRef | None = Field(default=None, description="sent as a bearer token")
    headers: dict[str, str] = Field(default_factory=dict)
    parameters: dict[str, Parameter] = Field(default_factory=dict, description="sent as a JSON body or query")
    max_bytes: int = Field(default=1_048_576, ge=1, le=104_857_600)
    outputs: dict[str, JsonPath] = Field(
        default_factory=dict, description="recorded field -> path in the answer"
    )
    ok: tuple[int, ...] = (200, 201, 202, 204)

    @model_validator(mode="after")
    def _secrets_are_not_sent_in_clear(self) -> HttpTarget:
        _not_in_clear(self.url, self.secret)
        return self


class CommandTarget(Frozen):
    """An allow-listed program with its arguments; `{name}` stands for a typed parameter. No shell."""

    kind: Literal["command"]
    argv: tuple[str, ...] = Field(min_length=1)
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    max_bytes: int = Field(default=1_048_576, ge=1, le=104_857_600)
    preserve: bool = Field(default=False, description="keep the output as evidence")


class FileTarget(Frozen):
    """Folders from which files may be copied as evidence."""

    kind: Literal["files"]
    root: str = Field(description="absolute path; nothing outside it is read")
    patterns: tuple[str, ...] = Field(default=("*",), min_length=1)
    max_files: int = Field(default=1_000, ge=1, le=100_000)
    max_bytes: int = Field(default=GIB, ge=1)


# -- sources elsewhere --------------------------------------------------------------------------------------


def _host_key(value: str) -> str:
    """A fingerprint, or a line of known_hosts with or without the name in front. Raises ValueError."""
    text = " ".join(value.split())
    if _FINGERPRINT.match(text) or key_of_line(text) is not None:
        return text
    raise ValueError(
        "expected the fingerprint (SHA256:…, from `ssh-keygen -lf`) or the line of the key "
        "(ssh-ed25519 AAAA…), as the host's administrator gives it"
    )


def key_of_line(text: str) -> tuple[str, bytes] | None:
    """The type and the bytes of the key in a line of known_hosts; None if it is none."""
    parts = text.split()
    for number, word in enumerate(parts[:2]):
        if _KEY_TYPE.match(word) and len(parts) > number + 1:
            try:
                key = base64.b64decode(parts[number + 1], validate=True)
            except (binascii.Error, ValueError):
                return None
            named = word.encode()
            return (word, key) if key[4 : 4 + len(named)] == named else None
    return None


HostKey = Annotated[str, AfterValidator(_host_key), Field(max_length=4_000)]


class SshTarget(Frozen):
    """A host that is asked over SSH: one allow-listed command, or files that are read by SFTP.

    The host key is pinned: what the host shows is compared with it, and nothing is ever trusted on first use.
    """

    kind: Literal["ssh"]
    host: str = Field(pattern=r"^[A-Za-z0-9.:_-]+$", max_length=253)
    port: int = Field(default=22, ge=1, le=65535)
    user: str = Field(min_length=1, max_length=100)
    host_keys: tuple[HostKey, ...] = Field(
        min_length=1, max_length=10, description="fingerprints or known_hosts lines; one must be the host's"
    )
    key: SecretRef | None = Field(default=None, description="private key; this or `password`")
    passphrase: SecretRef | None = Field(default=None, description="of the private key")
    password: SecretRef | None = None
    argv: tuple[str, ...] = Field(default=(), description="the command; this or `paths`")
    paths: tuple[str, ...] = Field(default=(), description="absolute; wildcards in the last part only")
    parameters: dict[str, Parameter] = Field(default_factory=dict, description="of the command")
    max_files: int = Field(default=100, ge=1, le=10_000)
    max_bytes: int = Field(default=GIB, ge=1, description="of all together")
    measure_clock: bool = Field(default=True, description="ask `date` first, to know how far it is off")

    @model_validator(mode="after")
    def _one_way_in_and_one_thing_to_take(self) -> SshTarget:
        if (self.key is None) == (self.password is None):
            raise ValueError("key: expected either `key` or `password`, such as key: file:secrets/forensic")
        if bool(self.argv) == bool(self.paths):
            raise ValueError("argv: expected either a command (`argv`) or files (`paths`)")
        if self.argv and (found := argv_defects(self.argv, self.parameters)):
            raise ValueError("; ".join(found))
        if self.paths and self.parameters:
            raise ValueError("parameters: only a command has them, not `paths`")
        for path in self.paths:
            folder, _, name = path.rpartition("/")
            if not path.startswith("/") or ".." in path.split("/") or _WILD.search(folder) or not name:
                raise ValueError(f"paths: expected an absolute path, wildcards at its end only, got {path}")
        return self


class LogsTarget(Frozen):
    """Logs that an HTTP API gives out by time range. It is only asked, by GET."""

    kind: Literal["logs"]
    url: str = Field(pattern=r"^https?://[^\s]+$")
    secret: SecretRef | None = Field(default=None, description="sent as a bearer token")
    headers: dict[str, str] = Field(default_factory=dict)
    parameters: dict[str, Parameter] = Field(default_factory=dict, description="sent in the query")
    from_as: QueryName = Field(default="from", description="query field of the range's beginning")
    until_as: QueryName = Field(default="until", description="query field of its end")
    times: Literal["iso", "seconds", "milliseconds"] = "iso"
    before: Duration = Field(
        default="24h", validate_default=True, description="how long before the incident the range begins"
    )
    next: JsonPath | Literal["link"] | None = Field(
        default=None, description="where an answer names what follows; `link` for the header of that name"
    )
    next_as: QueryName | None = Field(
        default=None, description="query field that takes it; without one it is an address at the same host"
    )
    page_as: QueryName | None = Field(default=None, description="query field that counts the pages")
    page_from: int = Field(default=1, ge=0, le=1)
    items: JsonPath | None = Field(default=None, description="the list in an answer; an empty one is the end")
    max_pages: int = Field(default=1_000, ge=1, le=100_000)
    page_bytes: int = Field(
        default=16_777_216, ge=1_024, le=268_435_456, description="of a page that is followed"
    )
    max_bytes: int = Field(default=GIB, ge=1, description="of all pages together")

    @model_validator(mode="after")
    def _pages_have_an_end(self) -> LogsTarget:
        _not_in_clear(self.url, self.secret)
        if self.next is not None and self.page_as is not None:
            raise ValueError("page_as: expected either `next` or `page_as`, not both")
        if self.page_as is not None and self.items is None:
            raise ValueError("items: expected the path of the list; an empty one ends the counted pages")
        if self.next_as is not None and self.next is None:
            raise ValueError("next_as: it takes what `next` finds, and there is no `next`")
        return self


class SlackTarget(Frozen):
    """The incident's own channel in Slack, or a named one: messages, threads, and a list of the files."""

    kind: Literal["slack"]
    channel: str | None = Field(
        default=None, pattern=r"^[CGD][A-Z0-9]{2,30}$", description="channel id; default: the incident's own"
    )
    max_messages: int = Field(default=20_000, ge=1, le=1_000_000)
    max_bytes: int = Field(default=268_435_456, ge=1)


class MailTarget(Frozen):
    """Mails in the mailbox of settings.toml, as they lie there. Nothing is marked as read."""

    kind: Literal["mail"]
    folder: str | None = Field(default=None, pattern=r"^[ !#-\[\]-~]+$", max_length=200)
    max_messages: int = Field(default=200, ge=1, le=10_000)
    max_bytes: int = Field(default=GIB, ge=1, description="of all mails together")


def _not_in_clear(url: str, secret: str | None) -> None:
    if secret is not None and url.startswith("http://") and not is_loopback(url):
        raise ValueError("url: expected https, because a secret is sent (http only to this machine)")


Target = Annotated[
    HttpTarget | CommandTarget | FileTarget | SshTarget | LogsTarget | SlackTarget | MailTarget,
    Field(discriminator="kind"),
]


class Targets(Frozen):
    """`targets.yaml`: everything that an action may touch, by name."""

    targets: dict[Id, Target] = Field(default_factory=dict)


RANGE = ("from", "until")
_OPTIONAL: Mapping[type, tuple[str, ...]] = {
    LogsTarget: RANGE,
    SlackTarget: RANGE,
    MailTarget: ("message-id", "sender", "subject", *RANGE),
}
USES: Mapping[str, type] = {
    "http.request": HttpTarget,
    "command.run": CommandTarget,
    "file.collect": FileTarget,
    "ssh.collect": SshTarget,
    "logs.collect": LogsTarget,
    "slack.collect": SlackTarget,
    "mail.collect": MailTarget,
}
"""An action's name, and the kind of target it takes."""
_KINDS: Mapping[type, str] = {
    HttpTarget: "http",
    CommandTarget: "command",
    FileTarget: "files",
    SshTarget: "ssh",
    LogsTarget: "logs",
    SlackTarget: "slack",
    MailTarget: "mail",
}


def kind_of(target: type) -> str:
    """The word that a file says for this kind of target."""
    return _KINDS[target]


def parameters_of(target: Target) -> Mapping[str, Parameter]:
    """What has to be given: all of it."""
    return (
        target.parameters if isinstance(target, HttpTarget | CommandTarget | SshTarget | LogsTarget) else {}
    )


def optional_of(target: Target) -> tuple[str, ...]:
    """What may be given besides."""
    return _OPTIONAL.get(type(target), ())


def collecting(target: Target) -> str | None:
    """The action that collects from this target; None if it is no source of evidence."""
    if isinstance(target, HttpTarget) or (isinstance(target, CommandTarget) and not target.preserve):
        return None
    return next(use for use, kind in USES.items() if isinstance(target, kind))


def place_of(target: Target) -> str:
    """The host that is asked, as evidence names it; empty for what lies here or in the settings."""
    if isinstance(target, SshTarget):
        return target.host if target.port == 22 else f"{target.host}:{target.port}"  # noqa: PLR2004 - SSH's own
    if isinstance(target, LogsTarget):
        return urlsplit(target.url).netloc.rpartition("@")[2]
    return ""
