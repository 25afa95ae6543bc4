"""One thin adapter per vendor over its own SDK, imported when the policy first asks for it. `opening.py` chooses."""
