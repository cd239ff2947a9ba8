"""Going on with a record on another machine, from its second path or an export archive.

`reading` takes the source apart, `staging` puts its lines in order and verifies them, `rebuilding` writes
what follows from the facts, `restoring` is the whole.
"""
