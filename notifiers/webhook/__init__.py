"""Telling the institution's other systems, signed after Standard Webhooks; no channel of people's."""
