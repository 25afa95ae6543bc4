"""
A sample organisation of ours, invented from a seed: who works there, who writes to it, and what happens in six days.

Here are the people, the customers' words, the stories of cases, leads and deals, and how people react to an escalation.
Not here: anything random without its seed, any clock, any trained model, and any score: whoever plays the organisation
lets models score it. How customers felt and what leads are worth is the stories' own knowledge, which no event tells;
the default models are fitted on it (with other seeds). Read `organisation.py` first.
"""

from triage.sample.organisation import Organisation, invent
from triage.sample.people import AGENTS, DAYS, START
from triage.sample.reactions import react
from triage.sample.script import Script

__all__ = ["AGENTS", "DAYS", "START", "Organisation", "Script", "invent", "react"]
