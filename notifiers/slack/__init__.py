"""The Slack channel: `render` is pure, `deliver` talks to Slack, `fake` is a Slack for tests and the demo."""
