"""How messages reach people: one package per channel, each with its rendering apart from its delivery."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from notifiers.message import Notifier

if TYPE_CHECKING:
    from models.installation import EmailSettings, GatewaySettings, Settings, SlackSettings, TeamsSettings

Secrets = Callable[[str], str]
"""From a reference such as `env:SLACK_TOKEN` to the secret itself."""


def build(
    settings: Settings,
    secrets: Secrets,
    data_dir: Path,
    code_key: Callable[[], bytes],
    *,
    drill: bool = False,
) -> dict[str, Notifier]:
    """The channels that `settings` name, by name; console and file are always there.

    `secrets` is called at once for each secret that is needed, and whatever it raises goes through. The file
    channel writes `messages.jsonl` in `data_dir`. `code_key` gives the key of signed links, which makes the
    codes of a gateway's messages; it is called only if there is one, and may raise too. Nothing connects
    before the first message. In a `drill` there is the channel `script` besides.
    """
    from notifiers.console import ConsoleNotifier  # noqa: PLC0415 a channel not in use costs no import
    from notifiers.file import FileNotifier  # noqa: PLC0415

    notifiers: list[Notifier] = [ConsoleNotifier(), FileNotifier(data_dir / "messages.jsonl")]
    if drill:
        from notifiers.script import ScriptNotifier  # noqa: PLC0415

        notifiers.append(ScriptNotifier())
    if settings.slack is not None:
        notifiers.append(_slack(settings.slack, secrets))
    if settings.email is not None:
        notifiers.append(_email(settings.email, secrets))
    if settings.teams is not None:
        notifiers.append(_teams(settings.teams, secrets))
    if settings.gateway is not None:
        notifiers += _gateway(settings.gateway, secrets, code_key())
    return {notifier.name: notifier for notifier in notifiers}


def _slack(settings: SlackSettings, secrets: Secrets) -> Notifier:
    from notifiers.slack.deliver import SlackNotifier  # noqa: PLC0415

    return SlackNotifier(
        token=secrets(settings.token),
        base_url=settings.base_url,
        timeout_seconds=settings.timeout.total_seconds(),
        buttons=settings.app_token is not None or settings.signing_secret is not None,
        app_token=secrets(settings.app_token) if settings.app_token else None,
    )


def _email(settings: EmailSettings, secrets: Secrets) -> Notifier:
    from notifiers.email.deliver import EmailNotifier  # noqa: PLC0415

    return EmailNotifier(settings, secrets(settings.password) if settings.password else None)


def _teams(settings: TeamsSettings, secrets: Secrets) -> Notifier:
    from notifiers.teams.deliver import TeamsNotifier  # noqa: PLC0415

    urls = {name: secrets(reference) for name, reference in settings.urls.items()}
    return TeamsNotifier(urls, timeout_seconds=settings.timeout.total_seconds())


def _gateway(settings: GatewaySettings, secrets: Secrets, code_key: bytes) -> list[Notifier]:
    from notifiers.gateway.deliver import GatewayNotifier  # noqa: PLC0415

    secret, seconds = secrets(settings.secret), settings.timeout.total_seconds()
    return [
        GatewayNotifier(name, url=settings.url, secret=secret, code_key=code_key, timeout_seconds=seconds)
        for name in settings.channels
    ]
