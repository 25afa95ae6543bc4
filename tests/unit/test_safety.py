"""Caps, digests and the clean-up after an outage: actions and counts in, statuses out."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.build import ORG, at, make_policy
from triage.domain.decision import Action
from triage.domain.instant import DAY, MINUTE
from triage.safety import Bucket, apply_caps, buckets_of, catch_up, digest

NOW = at("12:02")
POLICY = make_policy()


def action(number: int = 1, **more: Any) -> Action:
    """Return a notice about record *number*, due and decided now."""
    settings: dict[str, Any] = {
        "object": "Case", "id": str(number), "rule": "r", "step": "", "position": 0, "kind": "notify",
        "target": "user:bob", "due": NOW, "at": NOW, "episode": "e", "key": f"k{number}",
    }  # fmt: skip
    return Action(**(settings | more))


def capped(text: str, actions: list[Action], usage: dict[Bucket, int] | None = None) -> Any:
    """Return what is let through under these caps."""
    return apply_caps(actions, usage or {}, make_policy("", f"safety: {{caps: {{{text}}}}}"), NOW, ORG)


class TestCaps:
    @pytest.mark.parametrize(
        ("text", "statuses"),
        [
            ("rule: {per_5_minutes: 2}", "pph"), ("rule: {per_day: 1}", "phh"),
            ("recipient: {per_5_minutes: 2}", "pph"),
            ("organisation: {per_day: 2}", "pph"), ("rule: {per_5_minutes: 0, per_day: 0}", "ppp"),
        ],
    )  # fmt: skip
    def test_what_exceeds_a_cap_is_held(self, text: str, statuses: str) -> None:
        found = capped(text, [action(n) for n in range(3)])
        assert "".join(one.status[0] for one in found.actions) == statuses

    def test_there_is_one_alert_for_a_cap_in_its_window(self) -> None:
        found = capped("rule: {per_5_minutes: 1}", [action(n) for n in range(4)])
        assert found.alerts == ("cap: 1 for rule r per 5 minutes reached; the rest is held until somebody releases it",)
        assert found.actions[1].note == "cap: 1 for rule r per 5 minutes"
        again = capped("rule: {per_5_minutes: 1}", [action(9)], found.added)
        assert (again.actions[0].status, again.alerts) == ("held", ())

    def test_counts_of_before_count(self) -> None:
        used = {Bucket("rule", "r", "day", NOW - NOW % DAY): 1}
        assert capped("rule: {per_day: 2}", [action(1), action(2)], used).actions[1].status == "held"

    def test_a_new_window_begins_at_nothing(self) -> None:
        used = {Bucket("rule", "r", "5 minutes", NOW - NOW % (5 * MINUTE) - 5 * MINUTE): 99}
        assert capped("rule: {per_5_minutes: 1}", [action()], used).actions[0].status == "planned"

    def test_other_rules_and_recipients_have_caps_of_their_own(self) -> None:
        actions = [action(1), action(2, rule="s"), action(3, target="user:cat")]
        assert {one.status for one in capped("recipient: {per_day: 1}", actions[::2]).actions} == {"planned"}
        assert {one.status for one in capped("rule: {per_day: 1}", actions[:2]).actions} == {"planned"}

    def test_only_messages_count_for_a_recipient(self) -> None:
        actions = [action(n, kind="reassign") for n in range(3)]
        assert {one.status for one in capped("recipient: {per_day: 1}", actions).actions} == {"planned"}

    @pytest.mark.parametrize("status", ["would_have", "backlog", "suppressed", "held", "cancelled", "superseded"])
    def test_what_does_not_leave_does_not_count(self, status: Any) -> None:
        found = capped("rule: {per_day: 1}", [action(1, status=status), action(2)])
        assert [one.status for one in found.actions] == [status, "planned"]
        assert all(count == 1 for count in found.added.values())

    def test_a_held_action_uses_up_no_other_cap(self) -> None:
        found = capped("rule: {per_day: 1}", [action(1), action(2)])
        assert found.added[Bucket("organisation", ORG, "day", NOW - NOW % DAY)] == 1

    def test_a_customer_is_acknowledged_once_a_day_however_the_address_is_written(self) -> None:
        actions = [action(n, kind="acknowledge", target=name, rule=f"r{n}")
                   for n, name in enumerate(("customer:a@x", "customer:A@X", "customer:b@x"))]  # fmt: skip
        assert [one.status for one in capped("rule: {per_day: 9}", actions).actions] == ["planned", "held", "planned"]

    def test_unnamed_customers_count_by_record(self) -> None:
        actions = [action(n, kind="acknowledge", target="customer", rule=f"r{n}") for n in (1, 1, 2)]
        assert [one.status for one in capped("rule: {per_day: 9}", actions).actions] == ["planned", "held", "planned"]

    def test_buckets_of_names_every_count_that_caps_ask_for(self) -> None:
        found = capped("rule: {per_day: 1}", [action(1), action(2)])
        policy = make_policy("", "safety: {caps: {rule: {per_day: 1}}}")
        assert set(found.added) <= set(buckets_of(action(1), policy, NOW, ORG))


class TestCatchUp:
    LATE = NOW - 20 * MINUTE

    def test_of_late_changes_of_owner_the_last_of_each_record_is_kept(self) -> None:
        actions = [
            action(1, kind="reassign", due=self.LATE - 2), action(2, kind="reassign", due=self.LATE),
            action(1, kind="move", due=self.LATE, rule="s"),
        ]  # fmt: skip
        found = catch_up(actions, NOW, POLICY)
        assert [one.status for one in found] == ["superseded", "planned", "planned"]
        assert found[0].note == "late; overtaken by s"

    def test_late_notices_to_one_recipient_become_one(self) -> None:
        actions = [action(n, due=self.LATE) for n in (1, 2)] + [action(3, due=self.LATE, target="user:cat")]
        found = catch_up(actions, NOW, POLICY)
        assert [one.status for one in found] == ["planned", "superseded", "planned"]
        assert [line["id"] for line in found[0].params["digest"]] == ["1", "2"]
        assert found[1].note == "in the digest k1"
        assert "digest" not in found[2].params

    def test_what_is_not_late_is_left_alone(self) -> None:
        actions = [action(n, kind=kind) for n in (1, 1) for kind in ("reassign", "notify")]
        assert list(catch_up(actions, NOW, POLICY)) == actions
        at_the_limit = [replace(one, due=NOW - POLICY.safety.late_after) for one in actions]
        assert list(catch_up(at_the_limit, NOW, POLICY)) == at_the_limit

    def test_what_will_not_leave_overtakes_nothing(self) -> None:
        actions = [action(1, kind="reassign", due=self.LATE), action(1, kind="reassign", due=self.LATE, status="held")]
        assert [one.status for one in catch_up(actions, NOW, POLICY)] == ["planned", "held"]

    def test_doing_it_again_changes_nothing(self) -> None:
        actions = [action(n, kind=kind, due=self.LATE) for n in (1, 2) for kind in ("reassign", "move", "notify")]
        once = catch_up(actions, NOW, POLICY)
        assert catch_up(once, NOW, POLICY) == once


class TestDigest:
    @pytest.mark.parametrize(("count", "left"), [(5, 5), (6, 1)])
    def test_more_messages_than_allowed_to_one_recipient_become_one(self, count: int, left: int) -> None:
        found = digest([action(n) for n in range(count)], POLICY)
        assert sum(one.status == "planned" for one in found) == left

    def test_other_kinds_and_other_recipients_are_left_alone(self) -> None:
        actions = [action(n, target=f"user:u{n}") for n in range(9)] + [action(n, kind="reassign") for n in range(9)]
        assert list(digest(actions, POLICY)) == actions

    def test_a_digest_of_digests_tells_of_everything(self) -> None:
        late = [action(n, due=NOW - 20 * MINUTE) for n in range(8)]
        found = digest(catch_up([*late, *(action(n) for n in range(8, 14))], NOW, POLICY), POLICY)
        (told,) = [one for one in found if one.status == "planned"]
        assert [line["id"] for line in told.params["digest"]] == [str(n) for n in range(14)]

    def test_keys_stay_as_they_are(self) -> None:
        actions = [action(n) for n in range(9)]
        assert [one.key for one in digest(actions, POLICY)] == [one.key for one in actions]
