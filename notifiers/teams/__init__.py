"""Microsoft Teams and whatever else apprise reaches: `render` is pure, `deliver` hands it to apprise."""
