"""The e-mail channel: `render` is pure, `deliver` talks SMTP."""
