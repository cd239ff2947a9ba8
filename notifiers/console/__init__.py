"""The console channel."""

from notifiers.console.deliver import ConsoleNotifier

__all__ = ["ConsoleNotifier"]
