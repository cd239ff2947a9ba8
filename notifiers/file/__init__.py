"""The file channel."""

from notifiers.file.deliver import FileNotifier

__all__ = ["FileNotifier"]
