"""Rehearsal (予行): many simulated runs of a plan, by the rules themselves, on virtual time. Pure: no I/O."""
