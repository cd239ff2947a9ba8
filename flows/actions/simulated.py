"""The actions of a drill: none is run. A step is only begun, in the name of the scenario, which ends it.

The flows are those of production. What they would call is left out, and the claim is the scenario's, for as
long as the story needs, so that no conductor that starts again takes it back.
"""

from __future__ import annotations

NODE = "scenario"
"""Who has a machine step of a drill in hand."""
EPOCH = 1
LEASE_SECONDS = 366 * 86_400
"""Longer than any step takes in a story."""
