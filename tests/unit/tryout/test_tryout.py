"""The last days on one page: what was caught and missed is counted, and nothing in it can run or be loaded."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from triage.config import load_policy
from triage.domain.instant import DAY, HOUR, MINUTE, parse_instant
from triage.policy import Policy, compile_policy
from triage.replay.history import read_log
from triage.replay.source import Entry, History
from triage.tryout import Tryout, look, page
from triage.tryout.page import lead_text

POLICY = """
objects:
  Case:
    fields: {status: Status, priority: Priority, owner: OwnerId, is_closed: {from: IsClosed, type: boolean}}
milestones:
  resolution: {object: Case, target: 10h, complete: [is_closed]}
directory: {queues: [Late]}
object: Case
rules:
  - id: warn-high
    when: [priority == High, milestone.resolution.remaining <= 4h]
    do: [{reassign: {to: {queue: Late}}}]
"""
DAY_ONE = "2026-01-01T00:00:00Z"


def policy() -> Policy:
    return compile_policy(load_policy({"policy.yaml": POLICY}), virtual=True)


def history(*lines: str) -> History:
    events = [one for one in read_log(lines) if not hasattr(one, "reason") or one.__class__.__name__ == "Event"]
    return History(entries=tuple(Entry(event, "log", number) for number, event in enumerate(events, 1)))  # type: ignore[arg-type]


def case(name: str, at: str, priority: str, closed: str = "") -> list[str]:
    lines = [f'{{"at":"{at}","type":"created","object":"Case","id":"{name}","changes":{{"Priority":"{priority}"}}}}']
    if closed:
        lines.append(
            f'{{"at":"{closed}","type":"updated","object":"Case","id":"{name}","changes":{{"IsClosed":true}}}}'
        )
    return lines


def lived() -> Tryout:
    """One breach caught, one missed, one kept after a warning, one from long ago."""
    lines = [
        *case("old", "2025-01-01T00:00:00Z", "High", "2025-01-02T00:00:00Z"),
        *case("caught", "2026-01-10T00:00:00Z", "High", "2026-01-10T12:00:00Z"),
        *case("missed", "2026-01-11T00:00:00Z", "Low", "2026-01-11T12:00:00Z"),
        *case("kept", "2026-01-12T00:00:00Z", "High", "2026-01-12T08:00:00Z"),
    ]
    return look(history(*lines), policy(), days=30)


def test_breaches_of_the_days_are_caught_or_missed() -> None:
    found = lived()
    assert (found.records, found.breaches, found.caught_count) == (3, 2, 1)
    assert [(one.id, one.lead, one.rule) for one in found.caught] == [("caught", 4 * HOUR, "warn-high")]
    assert [one.id for one in found.missed] == ["missed"]


def test_noise_is_counted_by_rule_and_recipient() -> None:
    found = lived()
    (rule,) = found.noise
    assert (rule.rule, rule.actions, rule.records, rule.held_back) == ("warn-high", 2, 2, 0)
    assert found.recipients == (("queue:Late", 2),)
    assert found.foresight.milestones[0].needless == 1


def test_days_end_where_they_are_told_to() -> None:
    lines = case("late", "2026-01-10T00:00:00Z", "High", "2026-01-10T12:00:00Z")
    found = look(history(*lines), policy(), days=1, until=parse_instant("2026-01-10T05:00:00Z"))
    assert (found.breaches, found.actions, found.until - found.since) == (0, 0, DAY)


def test_a_history_without_events_is_an_empty_page() -> None:
    found = look(history(), policy())
    assert found.breaches == 0
    assert "None." in page(found, policy="p", source="s")


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href") or name.startswith("on")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing() -> None:
    text = page(lived(), policy="configs/example", source="export")
    tags = _Tags()
    tags.feed(text)
    assert tags.open == []
    assert tags.links == []
    assert not {"script", "link", "img", "iframe"} & set(tags.names)
    assert "default-src 'none'" in text
    assert not re.search(r"https?://", text)


def test_every_text_of_the_outside_is_escaped() -> None:
    hostile = "<script>alert(1)<script>\"'&"
    lines = case("x<b>", "2026-01-10T00:00:00Z", "High", "2026-01-10T12:00:00Z")
    text = page(look(history(*lines), policy()), policy=hostile, source=hostile)
    assert "<script" not in text
    assert "x<b>" not in text
    assert "&lt;script&gt;" in text


def test_a_day_says_what_was_broken_on_it_and_a_group_where() -> None:
    """Every day is there, and what was missed is told by promise and priority."""
    found = lived()
    assert len(found.days) == 31
    assert [(day.date, day.caught, day.missed) for day in found.days if day.caught or day.missed] == [
        ("2026-01-10", 1, 0), ("2026-01-11", 0, 1),
    ]  # fmt: skip
    assert [(one.milestone, one.priority, one.broken, one.caught) for one in found.where] == [
        ("resolution", "High", 1, 1), ("resolution", "Low", 1, 0),
    ]  # fmt: skip
    assert (found.acted, found.needless, found.usual_lead, found.by_lead["4-8 h"]) == (2, 1, 4 * HOUR, 1)
    (rule,) = found.noise
    assert (rule.warned, rule.needless) == (1, 1)


def test_the_days_end_about_when_the_last_record_came_in() -> None:
    """Old records that change months after the export's last one do not move the days away from the rest."""
    lines = [
        *case("a", "2026-01-10T00:00:00Z", "High", "2026-01-10T12:00:00Z"),
        *case("b", "2025-12-30T00:00:00Z", "Low"),
    ]
    lines.append(
        '{"at":"2026-09-01T00:00:00Z","type":"updated","object":"Case","id":"b","changes":{"Priority":"High"}}'
    )
    found = look(history(*lines), policy())
    assert found.until == parse_instant("2026-01-10T12:00:00Z")
    assert found.breaches == 2


def test_the_page_says_it_in_words_and_names_no_path() -> None:
    """Who gets the page wants a sentence, and nothing of the machine it was made on."""
    text = page(lived(), policy="/home/me/policy", source="/srv/exports/march")
    assert "2 promises were broken in 30 days. The policy would have acted on 50% of them beforehand" in text
    assert "/srv" not in text
    assert "/home" not in text
    assert "march under the policy policy" in text


def test_a_lead_reads_in_its_largest_unit() -> None:
    assert [lead_text(one) for one in (None, 36 * HOUR, 90 * MINUTE, 5 * MINUTE, 4000)] == [
        "-", "1.5 d", "1.5 h", "5.0 min", "4 s",
    ]  # fmt: skip
