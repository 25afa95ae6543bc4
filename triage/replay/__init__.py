"""
A past, played again: an event log or a CRM export through the same `decide`, with a virtual clock.

`history.py` reads an export back into events, `source.py` accounts for every line of whatever was given, `world.py`
holds the records as they stand, `engine.py` is the clock (read it first), `lines.py` what comes out. `foresight.py` and
`preview.py` judge a policy by a replay. Nothing here decides, and nothing here touches the world.
"""
