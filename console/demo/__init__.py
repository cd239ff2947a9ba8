"""`make demo`: one incident from the alert to its lessons, on the real stack, with scripted people.

Only the clock is an exercise clock, and only the people are scripted: the node, its pages, the conductor, the
Prefect server, the record and the messages are those of every day, marked 【訓練】.
"""
