"""The one retry policy: what may be tried again, and after how long. The SDKs' own retries are off."""

from __future__ import annotations

import random

from triage.domain.instant import SECOND
from triage.errors import VendorBusy, VendorError

ATTEMPTS = 4
FIRST = SECOND // 2
LONGEST = 8 * SECOND


def pause(error: VendorError, attempt: int, left: int, chance: random.Random) -> int | None:
    """
    Return how many ms to wait before the next attempt, None where there is to be none.

    Only what may work later is tried again. Retry-After is kept to the letter: where it does not fit into the *left*
    ms, nothing is. Else the wait doubles, with full jitter.

    Args:
        attempt: How many attempts there have been.
    """
    if not isinstance(error, VendorBusy) or attempt >= ATTEMPTS:
        return None
    wait = error.after or int(chance.random() * min(LONGEST, FIRST * 2**attempt))
    return wait if wait < left else None
