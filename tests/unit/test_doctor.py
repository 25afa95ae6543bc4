"""What the doctor finds: nothing failing stays hidden, nothing sound is called a fault."""

from __future__ import annotations

from pathlib import Path

from triage.doctor import Check, examine, retrying
from triage.domain.instant import HOUR, MINUTE
from triage.errors import SinkBusy, SinkRefused
from triage.testing import SMALL_POLICY, Sandbox


def busy(_: object) -> None:
    raise SinkBusy("out.jsonl: No space left on device")


def refuse(_: object) -> None:
    raise SinkRefused("no such field")


def checks(sandbox: Sandbox, folder: str = "nowhere", *, named: bool = False) -> dict[str, Check]:
    return {check.name: check for check in examine(sandbox.store, folder, sandbox.clock.now(), named=named)}


def test_actions_that_are_sent_again_are_a_warning_with_the_sinks_words() -> None:
    sandbox = Sandbox(answer=busy)
    sandbox.create("1")
    sandbox.after(HOUR)
    found = checks(sandbox)["actions"]
    assert found.mark == "warning"
    assert found.found == "1 ready; 1 being retried: out.jsonl: No space left on device"
    with sandbox.store.read() as unit:
        assert [one.error for one in retrying(unit)] == ["out.jsonl: No space left on device"]


def test_dead_actions_are_a_fault() -> None:
    sandbox = Sandbox(answer=refuse)
    sandbox.create("1")
    sandbox.after(HOUR)
    assert checks(sandbox)["actions"].mark == "fault"


def test_actions_that_are_done_are_well() -> None:
    sandbox = Sandbox()
    sandbox.create("1")
    sandbox.after(HOUR)
    assert checks(sandbox)["actions"] == Check(name="actions", found="1 done")


def test_the_default_folder_need_not_be_there_and_a_named_one_must() -> None:
    sandbox = Sandbox()
    assert checks(sandbox)["policy files"].mark == "ok"
    found = checks(sandbox, named=True)["policy files"]
    assert (found.mark, found.found) == ("fault", "nowhere is not a folder")
    assert "--policy" in found.fix


def test_findings_are_counted_in_good_english(tmp_path: Path) -> None:
    for name, text in SMALL_POLICY.items():
        (tmp_path / name).write_text(text.replace("priority == High", "priority == High\n      - priority == Low"))
    found = checks(Sandbox(), str(tmp_path), named=True)["policy files"]
    assert found.mark == "warning"
    assert found.found in ("1 finding", "2 findings")


def test_how_late_a_timer_is_comes_in_whole_minutes() -> None:
    sandbox = Sandbox()
    sandbox.create("1")
    sandbox.clock.move(2 * HOUR + MINUTE + 1234)
    assert checks(sandbox)["timers"].found == "the next timer is 1h1m overdue"


def test_people_who_can_never_be_given_anything_are_told_of() -> None:
    """A shift that is no calendar's and a silent presence are warnings; the rest is told beside them."""
    sandbox = Sandbox(SMALL_POLICY | {"routing.yaml": "routing: {stale_after: 10m}"})
    assert checks(sandbox)["people"].mark == "ok"
    sandbox.agent("ann", presence="online", shift="moon")
    sandbox.agent("bob", presence="online", capacity=0)
    sandbox.agent("cat", presence="online", capacity=5000)
    sandbox.clock.move(11 * MINUTE)
    found = checks(sandbox)["people"]
    assert (found.mark, found.fix) == ("warning", "mend the directory, or tell it by `agent` events")
    assert found.found.split("; ")[:4] == [
        "3 of 3 are there",
        "shift unknown: 1 of 3, judged by their presence alone: no calendar 'moon'",
        "presence stale: nothing told of 3 of 3 for too long, they are given nothing",
        "capacity 0: 1 of 3 take nothing",
    ]


def test_a_pool_with_nobody_in_it_and_what_waits_for_somebody_are_told() -> None:
    sandbox = Sandbox()
    told = checks(sandbox)["people"].found
    assert told.endswith("nobody is in seniors: what they are given goes to the queue of that name")
    sandbox.agent("ann", presence="offline", pools=["seniors"])
    sandbox.happen("related", "001A", object="Account", changes={"Tier__c": "Gold"})
    sandbox.create("1", AccountId="001A")
    sandbox.after(2 * HOUR)
    assert checks(sandbox)["people"].found.endswith("1 actions wait for who can take them")
