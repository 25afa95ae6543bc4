"""
What comes in, made trustworthy: lines and records in, typed values or a refusal with its reason out. Pure.

`event.py` reads one line of the event contract (`parse_event`), `values.py` turns CRM values into typed ones by the
field map (`coerce`), `record.py` reads one whole record (`parse_record`). `numbers.py`, `instants.py` and `text.py`
hold how amounts, local times and text are read. Nothing is re-exported here; files and folders are `replay/`'s.
"""
