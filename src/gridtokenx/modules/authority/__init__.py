"""The authorities: which nodes may sign batches, who validates, and what is proved against them.

What follows from a misdeed (suspension, loss of a deposit) is not here yet: the office sees it and acts.
"""
