"""
A record and its own past in, a table of features out: the same code when a model is fitted and when it scores.

Read `spec.py` first (which columns become what), then `extract.py`. Point in time is kept here: nothing later than
`now` can enter, and what triage itself wrote is no feature. Not here: anything fitted (that is in `scoring/` and in
the model folder), files, and the clock.
"""

from triage.features.extract import Extractor, FeatureTable, extract_features
from triage.features.spec import FeatureSpec

__all__ = ["Extractor", "FeatureSpec", "FeatureTable", "extract_features"]
