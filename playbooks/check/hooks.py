"""What `[[webhooks]]` names and is not there: kinds of fact that never occur, a severity, a secret's file."""

from __future__ import annotations

from collections.abc import Iterator

from models.fold import kinds_of
from models.hooks import Webhook, fits
from models.state import Incident
from playbooks.check.view import View
from playbooks.defect import Defect, one_of, quoted
from playbooks.document import Document, KeyPath


def defects(view: View) -> Iterator[Defect]:
    """A system that is never told because of a slip is found before an incident, not in it."""
    settings = view.contents.settings
    if settings is None or "settings.toml" not in view.contents.documents:
        return
    document = view.document("settings.toml")
    for number, hook in enumerate(settings.webhooks):
        yield from _hook(view, document, ("webhooks", number), hook)


def _hook(view: View, document: Document, path: KeyPath, hook: Webhook) -> Iterator[Defect]:
    known = kinds_of(Incident)
    for place, pattern in enumerate(hook.kinds):
        if not any(fits(pattern, kind) for kind in known):
            expected = one_of(known, pattern) if "*" not in pattern else "a family such as `page.*`, or `*`"
            yield document.defect(
                (*path, "kinds", place), f"no incident has facts of the kind {quoted(pattern)}", expected
            )
    severity = view.contents.severity
    if hook.from_severity is not None and severity is not None and severity.rank(hook.from_severity) < 0:
        ids = [one.id for one in severity.severities]
        yield document.defect(
            (*path, "from"),
            f"{quoted(hook.from_severity)} is no severity",
            one_of(ids, hook.from_severity),
        )
    for name in ("secret", "secret_before"):
        kind, _, file = (getattr(hook, name) or "").partition(":")
        if kind == "file" and not (view.contents.directory / file).is_file():
            yield document.defect((*path, name), f"there is no file {file}", "a file that holds the secret")
