"""
`triage tryout`: the last days of an organisation under a policy, on one page: caught, how early, missed, how noisy.

`look.py` plays history through the replay and counts; `page.py` writes it as HTML that needs nothing from outside.
"""

from triage.tryout.look import Tryout, look
from triage.tryout.page import page

__all__ = ["Tryout", "look", "page"]
