"""The record and its rules: what happened, what follows, what is due. No I/O but the record's own."""
