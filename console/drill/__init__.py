"""Drills: their directory, their node, and who acts in them."""
