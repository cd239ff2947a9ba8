"""The sinks that `settings.toml` names, with their secrets."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

from models.clock import Clock
from models.errors import BadConfiguration
from models.relaying import FolderRelay, ObjectRelay, RelaySink, SyslogRelay
from notifiers.relay.folder import FolderSink
from notifiers.relay.sealing import sealer
from notifiers.relay.sink import Sink


def build(settings: RelaySink, directory: Path, secrets: Callable[[str], str], clock: Clock) -> Sink:
    """One sink. Raises BadConfiguration if a secret or a file that it names is missing."""
    if isinstance(settings, FolderRelay):
        return FolderSink(
            directory / settings.path,
            texts=settings.texts,
            mount=settings.mount,
            segment_bytes=settings.segment_bytes,
            seal=sealer(settings.seal_to),
        )
    if isinstance(settings, SyslogRelay):
        return _syslog(settings, directory)
    return _object(settings, secrets, clock)


def _syslog(settings: SyslogRelay, directory: Path) -> Sink:
    from notifiers.relay.syslog import SyslogSink  # noqa: PLC0415

    context = None
    if settings.tls and settings.ca is not None:
        try:
            context = ssl.create_default_context(cafile=str(directory / settings.ca))
        except (OSError, ssl.SSLError) as wrong:
            raise BadConfiguration(f"relay {settings.name}: ca: cannot be read: {wrong}") from wrong
    return SyslogSink(settings, context)


def _object(settings: ObjectRelay, secrets: Callable[[str], str], clock: Clock) -> Sink:
    from notifiers.objectstore import ObjectStore  # noqa: PLC0415
    from notifiers.relay.objects import ObjectSink  # noqa: PLC0415

    store = ObjectStore(
        settings.endpoint,
        settings.bucket,
        secrets(settings.access_key),
        secrets(settings.secret_key),
        settings.region,
    )
    return ObjectSink(store, settings, clock.now, sealer(settings.seal_to))
