"""What the play came to, in words."""

from __future__ import annotations

import json

import msgspec
import pytest

from tests.unit.demo.scenes import action, breach, known, played
from triage.demo.scores import Scored
from triage.demo.summary import CASES_SHOWN, Files, figures, saved, summarise, top_rescues
from triage.domain.instant import HOUR, MINUTE

FILES = Files("triage-data/demo.db", "triage-data/demo.jsonl", "configs/example")


def text(found=None, facts=None) -> str:
    return "\n".join(summarise(found or played(), facts or {}, FILES))


@pytest.mark.parametrize(
    "part",
    [
        "Played 2026-09-01T22:00:00Z to 2026-09-02T22:00:00Z",
        "12 events on 4 records, 5 timers fired",
        "9 taken in, 2 repeated, 1 refused; 3 were people's reactions",
        "Effects planned: 3 (1 done, 2 held)",
        "at most 1m of virtual time",
        "by the models of sentiment (s1), urgency (u1): 4 records, 9 times; 1 of 1 actions had a score",
        "because account.tier == Gold (is Gold)",
        "not missed: first_response, otherwise late by 1h",
    ],
)
def test_the_summary_says(part):
    """Counts, reasons and what was kept."""
    assert part in text()


def test_a_play_that_was_stopped_is_said_to_be_half():
    """Nobody takes a half for the whole."""
    assert text(played(finished=False)).startswith("Stopped half way:")


def test_a_play_without_models_says_so_in_one_line():
    """Why, and what follows from it."""
    found = text(played(scored=Scored(refused="models: no model in it")))
    assert "Nothing was scored, so rules that read scores stayed silent: models: no model in it\n" in found
    assert "Scored here" not in found


def test_figures_tell_of_the_scoring():
    """With the same numbers as the line."""
    told = json.loads(msgspec.json.encode(figures(played(), FILES)))["scoring"]
    assert told["models"] == {"sentiment": "s1", "urgency": "u1"}
    assert (told["records"], told["events"], told["actions"], told["refused"]) == (4, 9, 1, "")


def test_promises_are_compared_milestone_by_milestone():
    """Without escalation first, with it second, all of them below."""
    found = played(
        missed=(breach("50002", "resolution"),),
        missed_without=(breach(), breach("50003"), breach("50002", "resolution")),
    )
    rows = [line.split() for line in text(found).splitlines()]
    assert ["first_response", "2", "0"] in rows
    assert ["resolution", "1", "1"] in rows
    assert ["all", "3", "1"] in rows


def test_saved_are_promises_missed_without_and_not_with_escalation():
    """The same run of the same milestone is compared."""
    found = played(missed=(breach("50002"),), missed_without=(breach("50001"), breach("50002")))
    assert saved(found) == {"Case/50001": [breach("50001")]}


def test_records_that_kept_most_come_first():
    """Then those with the most urgent actions, then the plainest."""
    found = played(
        actions=(action(record="50001"), action(record="50002", priority=20), action(record="50003")),
        missed_without=(breach("50003"),),
    )
    assert [one.record for one in top_rescues(found, 5)] == ["Case/50003", "Case/50002", "Case/50001"]


def test_what_people_ordered_is_no_escalation():
    """A pull-back is carried out like a rule's action, and told nowhere as one."""
    assert top_rescues(played(actions=(action("override"),)), 5) == ()


def test_runs_of_one_milestone_are_told_once():
    """Three replies kept are one line, with the latest of them."""
    found = played(missed_without=tuple(breach(milestone="reply", late=n * HOUR, due=n) for n in (1, 3, 2)))
    assert "not missed: reply (3 times), otherwise late by up to 3h of open time" in text(found)


def test_a_reason_is_not_said_twice_in_a_row():
    """Two actions of one rule have one reason."""
    found = played(actions=(action(number=1), action(number=2)))
    assert text(found).count("because") == 1


def test_paths_with_blanks_are_quoted():
    """A command that is shown can be typed."""
    lines = list(summarise(played(), {}, Files("my data/demo.db", "my data/demo.jsonl", "configs/example")))
    assert lines[-1] == "  triage replay 'my data/demo.jsonl' --policy configs/example"


def test_at_most_four_records_are_told():
    """However many there were."""
    found = played(actions=tuple(action(record=f"5{n:04}") for n in range(20)))
    assert len(top_rescues(found, CASES_SHOWN)) == CASES_SHOWN


def test_a_record_is_told_by_its_names():
    """Priority, tier, account and subject, as far as they are known."""
    facts = known(priority="High", subject="Invoice 4711", **{"account.tier": "Gold", "account.name": "Amber Labs"})
    assert "Case/50001 (High, Gold, Amber Labs, Invoice 4711)" in text(facts=facts)


def test_many_actions_of_one_record_are_cut():
    """Three are told, the rest counted."""
    found = played(actions=tuple(action(number=n) for n in range(8)))
    assert "    and 5 more" in text(found)


def test_what_was_missed_all_the_same_is_said():
    """The summary hides no failure."""
    found = played(missed=(breach(late=90 * MINUTE),), missed_without=(breach(late=9 * HOUR),))
    assert "missed all the same: first_response, by 1h30m" in text(found)


def test_rules_beyond_the_first_twelve_are_added_up():
    """The counts by rule make up all that was carried out."""
    found = played(actions=tuple(action(f"rule-{n:02}") for n in range(15)))
    lines = text(found).splitlines()
    begin = lines.index("Carried out, by rule:")
    rows = [line.split() for line in lines[begin + 1 : begin + 14]]
    assert sum(int(row[0]) for row in rows) == 15
    assert rows[-1][1:] == ["by", "3", "other", "rules"]


def test_three_commands_to_try_name_the_files():
    """The last three lines can be typed as they stand."""
    lines = text().splitlines()
    assert lines[-4] == "Try next:"
    assert lines[-3] == "  triage explain Case/50001 --db triage-data/demo.db --at 2026-09-02T22:00:00Z"
    assert lines[-2] == "  triage audit --record Case/50001 --db triage-data/demo.db"
    assert lines[-1] == "  triage replay triage-data/demo.jsonl --policy configs/example"


def test_a_play_without_escalations_still_ends_with_commands():
    """Stopped at once, there is nothing to tell and something to try."""
    found = text(played(actions=(), missed_without=(), states={}))
    assert "What was escalated" not in found
    assert "triage replay" in found


def test_a_breach_of_seconds_is_a_minute_at_least():
    """Nothing is late by nothing."""
    assert "otherwise late by 1m of open time" in text(played(missed_without=(breach(late=1),)))
