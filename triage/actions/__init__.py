"""
From rules that hold to actions with keys: which match, which of those may fire now, and what exactly they do.

Read in order: `view.py` (one record at one instant), `matches.py` (what holds, and when that changes), `admit.py`
(mode, override, once, cool-down, delivery window, repeats), `plan.py` (targets, texts, keys), `effects.py` (what a done
action changed, as an event). Nothing here does an action.
"""
