"""Two invented tables to try `triage route` on: leads that wait, and the sales people who could take them."""

from __future__ import annotations

import random

from triage.domain.instant import MINUTE, SECOND, format_instant, parse_instant

LEADS, REPS = 500, 50
AT = parse_instant("2026-01-12T10:00:00Z")
"""When the last of the leads has just come in."""

_LANGUAGES, _REGIONS = ("en", "de", "fr", "es"), ("emea", "americas")
_PRODUCTS = ("billing", "platform", "mobile")
_SEGMENTS = ("Enterprise", "Gold", "Standard", "Standard")


def leads(seed: int = 7, count: int = LEADS) -> str:
    """
    Return *count* leads as CSV, the same for the same *seed*.

    One in fifty asks for more than most can do: a platform expert, or the language as if it were their own.
    """
    rng = random.Random(seed)
    rows = ["id,value,urgency,language,level,region,product,segment,skills,created,previous"]
    for number in range(count):
        product, rare = rng.choice(_PRODUCTS), rng.random() < 0.02
        level = "C2" if rare else rng.choice(("B1", "B2"))
        skills = "platform:5" if rare and product == "platform" else ""
        came = format_instant(AT - rng.randrange(240) * MINUTE // SECOND * SECOND)
        had = f"A{rng.randrange(max(1, REPS)):03}" if rng.random() < 0.05 else ""
        rows.append(
            f"L{number:04},{int(rng.lognormvariate(8.5, 1))},{rng.randint(5, 95)}%,{rng.choice(_LANGUAGES)},{level},"
            f"{rng.choice(_REGIONS)},{product},{rng.choice(_SEGMENTS)},{skills},{came},{had}"
        )
    return "\n".join(rows) + "\n"


def reps(seed: int = 7, count: int = REPS) -> str:
    """Return *count* people as CSV; the first has capacity 0, the second an "unlimited" one, the third is out."""
    rng = random.Random(seed)
    rows = ["id,name,presence,capacity,load,max_per_hour,languages,skills,regions,months,cases,won,value"]
    for number in range(count):
        capacity = {0: 0, 1: 5000}.get(number, rng.randint(6, 12))
        presence = "offline" if number == 2 else rng.choices(("online", "break"), weights=(15, 1))[0]
        spoken = ";".join(f"{name}:{rng.choice(('B2', 'C1', 'C2'))}" for name in rng.sample(_LANGUAGES, 2))
        known = ";".join(f"{name}:{rng.randint(1, 5)}" for name in rng.sample(_PRODUCTS, 2))
        cases, won = rng.randint(0, 80), rng.random() * 0.4
        limit = 20 if number == 1 else ""
        rows.append(
            f"A{number:03},Rep {number},{presence},{capacity},{rng.randint(0, 3)},{limit},{spoken},{known},"
            f"{rng.choice(_REGIONS)},{rng.randint(1, 36)},{cases},{int(cases * won)},{int(cases * won * 6000)}"
        )
    return "\n".join(rows) + "\n"
