"""The ways to log in: this machine's account, a link that works once, an inspector's token, a provider."""
