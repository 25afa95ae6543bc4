"""
History in, a model folder out: `python -m training`, also `triage-train`.

Read `cli.py` first (what can be asked), then `fit.py` (one fit from start to end). Tables, guards and splits come
before it (`tables.py`, `guards.py`, `splits.py`), the card after it (`card.py`). Not here: features (they are
`triage/features`, the same code as live) and serving (`triage/scoring`). Nothing in `triage` imports this package.
"""
