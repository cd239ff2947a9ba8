"""Slack as the war room: what people press, type and see there. The channel itself is `notifiers.slack`."""
