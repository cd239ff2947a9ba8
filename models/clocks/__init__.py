"""Running targets: what has to be reached by when, what it waits for, and what follows when it is not.

`plan` derives every clock from the record; facts keep its due time with how it came about, so that what is
due is read from the state alone and a later calendar moves nothing unseen.
"""
