"""
Opens model folders and scores records with them: data only, without scikit-learn, pandas or torch.

Read `folder.py` first (what a model folder is and when it is refused), then `tabular.py` (features to a calibrated
score with reasons), then `local.py` (the `Scorer` of the models at hand). Not here: fitting (`training/`), features
(`triage/features`), thresholds of rules, and what to do about a score.
"""
