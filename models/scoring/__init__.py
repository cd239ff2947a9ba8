"""What an exercise showed, from its record and nothing else: pure, and nothing is inferred.

What a scripted responder did, or control for a role that nobody played, is marked and never counts as a
success of anybody's. What the record cannot show stays unknown, and no rating is proposed for it. A rating
proposed here is a proposal: an evaluator confirms it on an observation, or changes it.
"""
