"""A record run again: its facts become the acts that made them, and these run through the rules once more."""
