"""Verify a Hikeshi record without Hikeshi: Python 3.11 or later and its standard library are enough.

    python verify.py hikeshi.db                        a copy of the database (SQLite)
    python verify.py export.zip                        an archive made by `hikeshi export --archive`
    python verify.py FOLDER                            the segments of the second path
    python verify.py hikeshi.db --checkpoint kept.json --key HEX --tsa authority.pem

What is recomputed: each chain of facts from the stored bytes; heads, texts and documents by their digests;
the chain and the signatures (Ed25519) of the checkpoints; time-stamps if `openssl` is there. A chain alone
does not show that its end was cut off, that it was computed anew, or that an incident is gone: for that give
a checkpoint that you kept elsewhere. Exit code: 0 sound, 1 altered, 2 cannot be read.
"""
