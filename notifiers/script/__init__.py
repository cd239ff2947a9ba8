"""The channel of a drill for people whose roles the script plays."""

from notifiers.script.deliver import ScriptNotifier

__all__ = ["ScriptNotifier"]
