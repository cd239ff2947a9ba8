"""A text that a person writes: from a file, or in the editor of their choice."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from console.cli.session import Session
from models.audience import MAX_BODY


def text_given(session: Session, from_: Path | None, draft: str | None, limit: int = MAX_BODY) -> str:
    """The text of a file, or `draft` after an editor; one of them, and exit 2 with advice otherwise."""
    if (from_ is None) == (draft is None):
        key = "no_text" if from_ is None else "one_text"
        session.wrong(session.texts(f"communication.usage.{key}"))
    text = _from_file(session, from_) if from_ is not None else _edited(session, draft or "")
    if len(text) > limit:
        session.wrong(session.texts("communication.usage.too_long", length=len(text), limit=limit))
    return text


def _from_file(session: Session, path: Path) -> str:
    try:
        return session.read(path, "--from").decode("utf-8-sig")
    except UnicodeDecodeError:
        session.wrong(session.texts("communication.usage.not_utf8", path=path))


def _edited(session: Session, draft: str) -> str:
    """What was saved; leaving the editor without saving does nothing, as with any other program."""
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="hikeshi-") as folder:  # 0700: the text may be confidential
        path = Path(folder) / "text.txt"
        path.write_text(draft, encoding="utf-8")
        before = path.stat().st_mtime_ns
        try:
            subprocess.run([*shlex.split(command), str(path)], check=True)  # noqa: S603 - the person's own editor
        except (OSError, ValueError, subprocess.CalledProcessError) as wrong:
            session.wrong(session.texts("communication.usage.editor", why=wrong))
        if path.stat().st_mtime_ns == before:
            session.wrong(session.texts("communication.usage.unchanged"))
        return _from_file(session, path)
