"""
The command line: arguments in, services called, answers printed. No rule, no clock arithmetic, no SQL.

`main.py` has the entry point and what every command shares; `offline.py` the commands that need no store (calendars,
decide, rules, replay, init, demo), `work.py` those that work on one (ingest, run, pending, explain, actions),
`operate.py` those that steer it (publish, promote, stop, backlog, undo, db, doctor), `upkeep.py` those that restore,
prune and erase.
"""
