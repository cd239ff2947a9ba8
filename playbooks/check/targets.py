"""Targets: allow-listed commands that cannot be put together, and sources whose settings are missing."""

from __future__ import annotations

from collections.abc import Iterator

from models.installation import Settings
from models.targets import CommandTarget, MailTarget, SlackTarget, Target, argv_defects
from playbooks.check.view import View
from playbooks.defect import Defect, quoted
from playbooks.document import Document

FILE = "targets.yaml"


def defects(view: View) -> Iterator[Defect]:
    """What would only be noticed when the target is needed."""
    if view.targets is None or FILE not in view.contents.documents:
        return
    document, settings = view.document(FILE), view.contents.settings
    for name, target in view.targets.items():
        if isinstance(target, CommandTarget):
            for wrong in argv_defects(target.argv, target.parameters):
                yield document.defect(("targets", name, "argv"), wrong, "each parameter used, and declared")
        elif settings is not None:
            yield from _settings(document, name, target, settings)


def _settings(document: Document, name: str, target: Target, settings: Settings) -> Iterator[Defect]:
    path = ("targets", name)
    if isinstance(target, SlackTarget) and settings.slack is None:
        wrong = f"{quoted(name)} collects from Slack, but settings.toml does not set it up"
        yield document.defect(path, wrong, "a table [slack] in settings.toml", key=True)
    elif isinstance(target, SlackTarget) and target.channel is None and settings.slack is not None:
        if settings.slack.room is None:
            wrong = f"{quoted(name)} collects the incident's own channel, and incidents get none"
            yield document.defect(path, wrong, "`channel`, or [slack.room] in settings.toml", key=True)
    elif isinstance(target, MailTarget) and settings.mailbox is None:
        wrong = f"{quoted(name)} collects from the mailbox, but settings.toml names none"
        yield document.defect(path, wrong, "a table [mailbox] in settings.toml", key=True)
