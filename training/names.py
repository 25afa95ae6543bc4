"""What the name of a column says of when it is written. A name alone proves little: see `guards` for the evidence."""

from __future__ import annotations

import re
from typing import NamedTuple

_SPLIT = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]")
_EARLIER = re.compile(
    r"\b(previous|prior|prev|past|hist|history|historical|initial|original|first|opening|expected|planned|target|due|"
    r"estimated|before|requested|promised|p)\b"
)


class Saying(NamedTuple):
    """
    What a name says, and the AUC from which its column is believed to leak: 0 always, else above that alone.

    Where `steps` is true the name alone may mean anything (a marital status, a state of the Union): the floor counts
    where one of the values says that something ended, else `UNSURE` does.
    """

    text: str
    floor: float
    steps: bool = False


UNSURE = 0.75
"""The floor of a column whose name is also that of much which is known from the start."""
_MARK = Saying("it is marked as known only after the outcome", 0.0)
_END = Saying("its name is that of a value written when the record ends", 0.0)
_COUNT = Saying("it counts what happens over the whole life of the record", 0.0)
_LATEST = Saying("it holds the latest state of something that is rewritten as the record is worked", 0.53)
_SINCE = Saying("it holds the latest state of something that is rewritten as the record is worked", UNSURE)
_JUDGED = Saying("it is a judgement that people or tools write while they work the record", 0.53)
_RATED = Saying("it is a judgement that people or tools write while they work the record", UNSURE)
_RESULT = Saying("its name is that of a result", 0.53)
_ANY_RESULT = Saying("its name is that of a result", 0.65)
_STATE = Saying("its name is that of a result", 0.53, steps=True)
_LENGTH = Saying("a length of time that is known only when it is over", 0.72)
_WHEN = r"(date|dates|at|on|by|by id|time|timestamp|code|codes|notes?|reason|month|day|id)"

_SAYINGS: tuple[tuple[re.Pattern[str], Saying], ...] = tuple(
    (re.compile(pattern), saying)
    for pattern, saying in (
        (r"^(leak|y)\b", _MARK),
        (r"^is (closed|won|lost|converted|violated|completed|resolved|escalated|stopped|cancell?ed|solved)\b", _END),
        (r"^(made|met|missed|in|within) sla\b|\bsla (breach|breached|violated|met|missed|result)\b|\bviolat", _END),
        (r"\b(closed|close|closure|closing) " + _WHEN + r"\b|^closed$", _END),
        (
            r"\b(resolved|resolve|solved|fixed|completed|completion|cancelled|canceled|cancellation) " + _WHEN + r"\b",
            _END,
        ),
        (r"^(was |date |time )?(resolved|solved|completed|completion|cancelled|canceled)$", _END),
        (r"^((case|ticket|issue|incident) )?resolution\b|\btime to (resolution|resolve|close)\b", _END),
        (r"^converted (date|at|on|account|contact|opportunity)\b", _END),
        (r"\b(conversion|win|won|lost|loss) (date|reason|at)\b", _END),
        (r"\bfinal (state|status|priority|severity|owner|group|team|queue|value|amount|stage|decision)\b", _END),
        (r"^actual (date|start|end|finish|time|hours|effort|close|delivery|amount|value|cost|revenue)\b", _END),
        (r"^(system modstamp|last modified( by)?( date| id)?|sys updated( at| by| on)?)$", _END),
        (r"\b(reopen(ed|s|ing)?|re ?assign(ed|ment|ments)?|escalation|hop|transfer)s? (count|number|total)\b", _COUNT),
        (r"\b(event|update|mod|touch|change|history)s? count\b|\bnumber of (events|updates|reopens|changes)\b", _COUNT),
        (r"\bsince\b.*\b(activity|touch|action|event|interaction|contacted|login|seen|engagement)\b", _SINCE),
        (r"\b(latest|last) (\w+ )?(activity|touch|action|event|interaction|contacted|updated?|viewed)\b", _LATEST),
        (r"\blast (referenced|login|seen|engagement)\b", _LATEST),
        (r"\b(tag|tags)$|^(lead|deal) ?(quality|grade|rating|temperature)$", _JUDGED),
        (r"^(customer )?(quality|grade|rating|temperature)$", _RATED),
        (r"^(lead|deal) (profile|quality|grade|rating|score|status|stage)\b", _JUDGED),
        (r"\b(activity|profile|engagement|behaviou?r|fit) (index|score|grade|rating)\b", _JUDGED),
        (r"\b(label|annotator|gold|annotation) (confidence|agreement)\b|\bnegative reason\b", _JUDGED),
        (r"\b(outcome|disposition|csat|nps|afterwards)\b|^(customer |client )?satisfaction( score| rating)?$", _RESULT),
        (r"\b(churn|cancel|cancellation|rejection|lost|loss|exit|return|refund|termination)\w* reason\b", _RESULT),
        (r"\b(result|reason|survey|after|post)\b(?! (hours|code|office|al|graduate))", _ANY_RESULT),
        (r"\b(status|stage|stage name|state)$", _STATE),
        (r"\b(duration|elapsed|handle time|handling time|time (to|until) \w+|lifetime)\b", _LENGTH),
    )
)


def words_of_name(name: str) -> str:
    """Return the words of a column name in lower case: `CloseCode__c` and `close_code` are `close code`."""
    bare = re.sub(r"__(c|r|pc)$", "", name)
    return " ".join(word.lower() for word in _SPLIT.findall(bare))


def saying_of(name: str) -> Saying | None:
    """Return what *name* says of being written late, None where it says nothing, or that it is an earlier value."""
    words = words_of_name(name)
    for pattern, saying in _SAYINGS:
        if pattern.search(words) and (saying is _MARK or not _EARLIER.search(words)):
            return saying
    return None
