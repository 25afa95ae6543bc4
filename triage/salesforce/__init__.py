"""
The one room that talks to Salesforce: log in, read what changes, act once, know who is there.

`settings.py` says how to connect, `client.py` is the seam over simple-salesforce and `session.py` its transport.
`polling.py`, `bulk.py` and `changes.py` read records, `translate.py` makes our events of them, and `feed.py` hands
these on. `writer.py` is a sink. `sandbox/` is an organisation to try it all on, and shares no code with the rest but
`wire.py`, the messages of the Pub/Sub API. No decision is taken here. `importing.py` makes policies
of its metadata, and `native.py` is its own escalation, literally. Read `client.py` first.
"""
