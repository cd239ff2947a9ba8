"""What a form of the war room sent: read with a bound, and turned into the fields of a command.

A field of a form is called as the command's. What a browser gives otherwise is marked by the end of its name:

    set.host=x          one of the pairs of `set`
    at.local=…          a time without its zone, as `datetime-local` gives it: the institution's zone is meant
    factor.window.unknown=on   nobody knows it, in place of a value
    factor.services.all=a, =b  several of one list, joined by commas
    from.text=…         the content of a file, typed

A path on this machine's disk is never a field: a file is what was uploaded, or what was typed.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from python_multipart.exceptions import MultipartParseError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from console.operations.catalogue import Operation
from console.texts import texts
from console.web.security import TooLarge, TooSlow, read_body, within
from models.errors import HikeshiError

MAX_FORM = 262_144
MAX_FIELDS = 200
FORM_WITHIN_SECONDS = 10.0
MAX_UPLOAD = 64 * 1024 * 1024
MAX_FILES = 4
UPLOAD_WITHIN_SECONDS = 300.0
MAX_FILE_NAME = 120
WITHOUT_FILE = "without_file"
OWN = frozenset({"csrf", "next", "once", "back", WITHOUT_FILE})
"""Fields of every form of ours, which are no fields of the command."""
ELSEWHERE = frozenset({"reference", "edit"})
"""Fields that mean the machine where the node runs: nobody reads its disk, or opens its editor, by a form."""
UNKNOWN = "unknown"
_NOT_IN_A_NAME = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|\ud800-\udfff]")


class NoForm(HikeshiError):
    """It is no form of ours, or more than one may hold."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """What was sent: texts by field, and files by field."""

    fields: Mapping[str, list[str]]
    files: Mapping[str, UploadFile] = field(default_factory=dict)

    def own(self, name: str, default: str = "") -> str:
        """One of the fields that are no field of the command."""
        return self.fields.get(name, [default])[0]

    def close(self) -> None:
        """Let the files go."""
        for one in self.files.values():
            one.file.close()

    @property
    def size(self) -> int:
        """Characters of all texts."""
        return sum(len(one) for values in self.fields.values() for one in values)

    @property
    def content(self) -> dict[str, list[str]]:
        """All that tells two forms apart: of files their names and sizes."""
        return dict(self.fields) | {
            f"{name}:file": [one.filename or "", str(one.size)] for name, one in self.files.items()
        }


async def read_form(request: Request) -> Form:
    """The form, with its files on disk. Raises NoForm if it is none, too large, or too slow in coming."""
    try:
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            return await _multipart(request)
        body = await read_body(request, MAX_FORM, FORM_WITHIN_SECONDS)
        fields = parse_qs(
            body.decode("ascii"), max_num_fields=MAX_FIELDS, errors="strict", keep_blank_values=True
        )
        return Form(fields=fields)
    except (TooLarge, TooSlow, ValueError, MultiPartException, MultipartParseError, KeyError) as wrong:
        raise NoForm("the form could not be read; go back, load the page again and send it again") from wrong


async def _multipart(request: Request) -> Form:
    parser = MultiPartParser(
        request.headers,
        _bounded(request),
        max_files=MAX_FILES,
        max_fields=MAX_FIELDS,
        max_part_size=MAX_FORM,
    )
    parsed = await parser.parse()
    fields: dict[str, list[str]] = {}
    files: dict[str, UploadFile] = {}
    for name, value in parsed.multi_items():
        if isinstance(value, UploadFile):
            if value.filename and name not in files:
                files[name] = value
            else:
                value.file.close()
        else:
            fields.setdefault(name, []).append(value)
    form = Form(fields=fields, files=files)
    if form.size > MAX_FORM:
        form.close()
        raise TooLarge
    return form


async def _bounded(request: Request) -> AsyncGenerator[bytes, None]:
    """The body as it comes, never more than a form with its files may have."""
    read = 0
    async for chunk in within(request, UPLOAD_WITHIN_SECONDS):
        read += len(chunk)
        if read > MAX_UPLOAD:
            raise TooLarge
        yield chunk


# -- into the fields of a command ---------------------------------------------------------------------------


def given(operation: Operation, form: Form, zone: ZoneInfo, lang: str) -> dict[str, Any]:
    """The command's fields out of a form's texts. Raises HikeshiError for what contradicts itself."""
    flags = {one.name for one in operation.fields if one.kind == "flag"}
    many = {one.name for one in operation.fields if one.many}
    closed = ELSEWHERE | {one.name for one in operation.fields if one.goes_in}
    found: dict[str, Any] = {}
    for name, values in _plain(form.fields, many, zone, lang).items():
        base, dot, key = name.partition(".")
        if base in OWN or base in closed:
            continue
        if dot and base in many:
            pairs = [f"{key}={value}" for value in values if value]
            if pairs:
                found.setdefault(base, []).extend(pairs)
        elif name in flags:
            found[name] = values[-1] not in {"", "no"}
        elif filled := [one for one in values if one]:
            # An empty field says nothing: a browser sends it all the same.
            found[name] = filled if name in many else filled[-1]
    return found


def must_have_file(operation: Operation, form: Form, lang: str) -> None:
    """Evidence has its file, or somebody has ticked that there is none. Raises HikeshiError otherwise."""
    if operation.name == "evidence add" and "file" not in form.files and form.own(WITHOUT_FILE) != "on":
        raise HikeshiError(texts(lang)("evidence.no-file"))


def _plain(
    fields: Mapping[str, list[str]], many: set[str], zone: ZoneInfo, lang: str
) -> dict[str, list[str]]:
    """The same with what a browser gives in its own way turned into what a command line would say."""
    found = {name: list(values) for name, values in fields.items() if not _marked(name, many)}
    for name in (one for one in fields if _marked(one, many)):
        base, _, end = name.rpartition(".")
        said = _READ[end]([one for one in fields[name] if one], zone)
        if not said:
            continue
        if any(found.get(base, ())):
            # Nobody guesses which of the two was meant.
            raise HikeshiError(texts(lang)("fields.twice", name=base.rpartition(".")[2]))
        found[base] = said
    return found


def _marked(name: str, many: set[str]) -> bool:
    """Whether the end of the name says how it is given; a pair may be called like such an end."""
    base, _, end = name.rpartition(".")
    return bool(base) and base not in many and end in _READ


def _local(values: list[str], zone: ZoneInfo) -> list[str]:
    return [aware(one, zone) for one in values]


def _all(values: list[str], zone: ZoneInfo) -> list[str]:
    return [", ".join(values)] if values else []


def _nobody_knows(values: list[str], zone: ZoneInfo) -> list[str]:
    return [UNKNOWN] if values and values[-1] != "no" else []


_READ = {"local": _local, "all": _all, UNKNOWN: _nobody_knows}


def aware(local: str, zone: ZoneInfo) -> str:
    """A local time with the offset that the zone has then.

    What is no time, and what the zone's clocks show twice or never, stays as it is: the command says why.
    """
    try:
        naive = datetime.fromisoformat(local)
    except ValueError:
        return local
    if naive.tzinfo is not None:
        return local
    first, second = (naive.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    return first.isoformat() if first.utcoffset() == second.utcoffset() else local


# -- files --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def filed(operation: Operation, form: Form) -> Iterator[dict[str, Path]]:
    """The files of a form where the command can read them, by field; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="hikeshi-form-") as folder:
        found: dict[str, Path] = {}
        for one in operation.fields:
            if not one.goes_in:
                continue
            path = _written(Path(folder, one.name), one.name, form)
            if path is not None:
                found[one.name] = path
        yield found


def _written(folder: Path, name: str, form: Form) -> Path | None:
    upload = form.files.get(name)
    typed = form.fields.get(f"{name}.text", [""])[-1]
    if upload is None and not typed.strip():
        return None
    folder.mkdir()
    if upload is None:
        path = folder / "text.md"
        path.write_text(typed.replace("\r\n", "\n"), encoding="utf-8")
        return path
    path = folder / file_name(upload.filename or "")
    upload.file.seek(0)
    with path.open("xb") as to:
        shutil.copyfileobj(upload.file, to)
    return path


def file_name(said: str) -> str:
    """A name by which a file may lie in a folder of its own, near to what its sender called it."""
    clean = _NOT_IN_A_NAME.sub("_", said.rpartition("\\")[2].rpartition("/")[2]).strip(". ")
    return clean.encode()[:MAX_FILE_NAME].decode("utf-8", "ignore") or "file"
