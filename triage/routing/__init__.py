"""
Who takes it: an action's target as written turned into the one it is for, judged at the instant it fires.

Read `assign.py`. Nobody is an answer with its reason (`Assignment.target` empty), never an error.
"""
