"""
Bring your own language model: asked only where the policy says so, bounded by the local model and by a budget.

Read `scorer.py` first (`LlmScorer`, a `triage.ports.Scorer` around another one), then `asking.py` (one question:
reserve, ask, settle). What may leave is made by `fencing.py`, `masking.py` and `prompting.py`; what comes back goes
through `answers.py` and `bounds.py`. `providers/` has one thin adapter per vendor's SDK, imported when first used.
No rule, threshold or target is decided here, and no word of a model is anything but a reason beside a score.
"""
