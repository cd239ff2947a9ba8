"""The second path: each fact also leaves this host, so that whoever owns the host cannot take it back."""
