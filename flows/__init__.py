"""Flows: what a machine does in an incident, phase by phase. It executes and shows; the record remembers."""
