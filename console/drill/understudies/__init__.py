"""Understudies (演習の代役): scripted people for the roles of a drill that nobody plays.

What they do follows from the record, the scenario and the drill's seed, and from nothing else: neither the
speed of the exercise clock, nor a pause, nor a restart changes it. They act through the desk like anyone,
and never for a role that somebody present plays.
"""
