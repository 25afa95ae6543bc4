"""
The sample organisation played through the real worker and store, in accelerated virtual time.

`main` is what the command line calls; `play.py` is the loop, and the file to read first. `board.py` shows it while it
runs, `scores.py` remembers what the models said, `breaches.py` counts what was missed with and without escalation,
`summary.py` says so at the end. Nothing here touches anything outside: the policy is virtual, the models lie on this
machine, and what is written lies in the folder of the store.
"""

from triage.demo.main import main
from triage.demo.play import Played, Player

__all__ = ["Played", "Player", "main"]
