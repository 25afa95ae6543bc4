"""
The nouns: WorkItem, Event, Agent, Memory, Facts, Action, Decision. Frozen, JSON both ways, no behaviour that decides.

Read `work.py` first (what comes in), then `facts.py` (what is known), then `decision.py` (what goes out).
Instants are integer milliseconds UTC everywhere inside; `instant.py` is the one place that turns them into text.
"""
