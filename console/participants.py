"""`participants.yaml`: the addresses of those who take part in a drill, and the key of their marks."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML

from models.drillfile import PARTICIPANTS_FILE, Enrolled, Participants
from models.errors import BadConfiguration
from playbooks.defect import Defects, errors_of
from playbooks.reading import read_yaml

KEY_FILE = "address.key"
KEY_BYTES = 32
CHANNELS = ("slack", "email", "teams", "sms", "voice", "console", "file")
HERE = ("console", "file")
"""They lie on the drill's own machine and need no address."""
HEAD = (
    "# yaml-language-server: $schema=schemas/participants.schema.json\n"
    "# participants.yaml - who is reached in this drill, and where; whoever is not in it is reached nowhere\n"
)


def read_participants(directory: Path) -> Participants:
    """Who is reached, and where. Raises Defects (a BadConfiguration) with every defect of the file."""
    path = directory / PARTICIPANTS_FILE
    if not path.is_file():
        return Participants()
    found, defects = read_yaml(path, Participants)
    if found is None or errors_of(defects):
        raise Defects(errors_of(defects))
    return found


def enrolled(person: str, addresses: Mapping[str, str]) -> tuple[Enrolled | None, list[str]]:
    """Somebody with these addresses (channel -> address, in their order), or what is wrong with them."""
    wrong = [
        f"address: expected one of {', '.join(CHANNELS)}, got {one}"
        for one in addresses
        if one not in CHANNELS
    ]
    numbers = {addresses[one] for one in ("sms", "voice") if one in addresses}
    if len(numbers) > 1:
        wrong.append("address: sms and voice of one person are one number")
    if wrong:
        return None, wrong
    given: dict[str, Any] = {one: addresses[one] for one in ("slack", "email", "teams") if one in addresses}
    given |= {"phone": numbers.pop()} if numbers else {}
    try:
        return Enrolled(person=person, channels=tuple(addresses), **given), []  # type: ignore[arg-type]
    except ValidationError as no:
        return None, [_said(one) for one in no.errors()]


def _said(one: Any) -> str:
    place = ".".join(str(part) for part in one["loc"]) or "address"
    return f"{place}: {one['msg'].removeprefix('Value error, ')}"


def write_enrolled(directory: Path, one: Enrolled) -> None:
    """Set the addresses of one person; the file is replaced whole. Raises BadConfiguration otherwise."""
    known = read_participants(directory).people
    people = [each for each in known if each.person != one.person] + [one]
    text = StringIO()
    yaml = YAML(typ="rt", pure=True)
    yaml.dump({"people": [each.model_dump(exclude_none=True, mode="json") for each in people]}, text)
    path = directory / PARTICIPANTS_FILE
    _replace(path, (_head(path) or HEAD) + text.getvalue())


def _head(path: Path) -> str:
    """What the file says of itself before its first entry: it stays."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
    return "".join(itertools.takewhile(lambda line: line.startswith("#"), lines))


def _replace(path: Path, text: str) -> None:
    """At once or not at all, for the owner alone: these are people's numbers."""
    try:
        with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=".", delete=False) as part:
            part.write(text)
            part.flush()
            os.fsync(part.fileno())
        Path(part.name).replace(path)
    except OSError as wrong:
        raise BadConfiguration(f"{path} cannot be written: {wrong.strerror}; free the folder") from wrong


def address_key(data: Path) -> bytes:
    """The key of this drill's marks, made when first asked for. Raises BadConfiguration if it is cut."""
    path = data / KEY_FILE
    if not path.is_file():
        new = path.with_name(f"{KEY_FILE}.{os.getpid()}")
        new.touch(mode=0o600)
        new.write_bytes(secrets.token_bytes(KEY_BYTES))
        try:
            # Whoever comes second takes the key of the first.
            os.link(new, path)
        except FileExistsError:
            pass
        finally:
            new.unlink()
    key = path.read_bytes()
    if len(key) < KEY_BYTES:
        raise BadConfiguration(f"{path} is cut; remove it, and have all addresses confirmed again")
    return key
