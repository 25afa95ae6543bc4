"""
`triage init`: somebody's export looked at, a policy drafted from it. Text in, text out; nothing is decided here.

`drafting.py` is the door (`draft`), `columns.py` tells what a column holds, `vocabulary.py` what it is probably called
with us, `pages.py` writes the YAML. What could be read in two ways becomes a question, never a guess.
"""

from triage.init.drafting import Draft, draft
from triage.init.parts import Question

__all__ = ["Draft", "Question", "draft"]
