"""
Where everything is kept: records and their one timer, the outbox, the audit, events, policies and decisions.

Read `tables.py` first (what is kept), then `database.py` (transactions, and what SQLite needs). One file per part of
`triage.ports.Unit`: `records.py`, `related.py`, `intake.py`, `outbox.py`, `audit.py`, `policies.py`, `control.py`.
Nothing here knows business time, rules or sinks, and nothing here reads the clock.
"""
