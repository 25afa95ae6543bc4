"""
The rule language: text with positions in, compiled rules out, and the exact instant at which one can next hold.

Read `language.py` first (what a rule is), then `compile.py` and `evaluate.py` (when it holds and when next).
`parse.py`, `load.py`, `check.py` and `analysis.py` turn files into rules and say all that is wrong with them.
"""
