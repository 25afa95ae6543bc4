"""
Clocks and milestones: when they start, pause, complete, and the instant at which a share of them is used up.

Read `clocks.py` (what runs, and when an amount is used up), then `milestones.py` (the state machine over events).
"""
