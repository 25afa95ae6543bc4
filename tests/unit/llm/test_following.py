"""The scorer that follows the policy in force: who is asked changes with it, and nobody where none is named."""

from __future__ import annotations

import uuid

from tests.support.llm import FIELDS, LLM, LOCAL, Scripted, case, message, reply
from triage.engine import PureEngine
from triage.errors import VendorRefused
from triage.llm.following import TELL_EVERY, FollowingScorer
from triage.llm.scorer import LlmScorer
from triage.metrics import TriageCollector
from triage.ports import Scorer
from triage.publishing import publish
from triage.rules.llm_policy import LlmPolicy
from triage.store.memory import MemoryStore
from triage.testing import START, FixedScorer, ManualClock, RecordingSink
from triage.worker import Worker

AGED = "object: Case\nrules:\n  - id: old\n    when: [age >= 3h]\n    do: [{reprioritise: {raise: 1}}]\n"


class Lines:
    """A journal kept in a list."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, dict[str, str | int | bool]]] = []

    def tell(self, what: str, level: str = "info", **said: str | int | bool) -> None:
        self.told.append((what, level, said))


class House:
    """A store, a vendor that says what it is told to, and a scorer between them."""

    def __init__(self, vendor: Scripted) -> None:
        self.store, self.clock, self.vendor = MemoryStore("acme"), ManualClock(START), vendor
        self.made: list[LlmPolicy] = []
        self.journal = Lines()
        self.scorer = FollowingScorer(FixedScorer(LOCAL), self.store, self.clock, self.around, journal=self.journal)

    def around(self, local: Scorer, policy: LlmPolicy) -> LlmScorer:
        self.made.append(policy)
        return LlmScorer(
            local, policy, self.store, self.clock, secrets=lambda _: "k", ids=lambda: uuid.uuid4().hex,
            opening=lambda: self.vendor,
        )  # fmt: skip

    def publish(self, llm: str) -> None:
        texts = {"fields.yaml": FIELDS, "rules.yaml": AGED, **({"llm.yaml": llm} if llm else {})}
        publish(self.store, PureEngine(), texts, self.clock.now(), actor="tests")

    def score(self, text: str) -> dict[str, object]:
        item = case(subject=text, description="nobody can log in")
        return dict(self.scorer.score([(item, [message(text)])], self.clock.now())[0].values)


def test_without_a_policy_or_a_section_llm_nobody_is_asked() -> None:
    """The local scores come as they are; health is off."""
    house = House(Scripted(reply()))
    assert house.score("one") == LOCAL.values
    house.publish("")
    assert house.score("two") == LOCAL.values
    assert (house.made, house.vendor.prompts, house.scorer.health().state) == ([], [], "off")


def test_a_policy_that_names_a_model_is_followed_from_the_next_score_on() -> None:
    """Published: asked. Published without it: asked no more. The same section again keeps the same asker."""
    house = House(Scripted(reply()))
    house.publish(LLM)
    house.score("one")
    house.publish(LLM + "\n")
    house.score("two")
    assert (len(house.made), len(house.vendor.prompts)) == (1, 2)
    house.publish("")
    house.score("three")
    assert len(house.vendor.prompts) == 2
    house.scorer.close()


def test_health_goes_into_metrics() -> None:
    """A worker whose scorer asks shows spend, budget and whether somebody has to mend anything."""
    house = House(Scripted(reply()))
    house.publish(LLM)
    house.score("one")
    worker = Worker(house.store, RecordingSink(), PureEngine(), house.clock, scorer=house.scorer)
    names = {metric.name: metric for metric in TriageCollector(lambda: {"acme": worker}).collect()}
    assert names["triage_llm_ok"].samples[0].value == 1.0
    assert names["triage_llm_budget_dollars"].samples[0].value == 5.0
    worker.close()


def test_a_fault_of_the_settings_is_told_once_in_the_journal() -> None:
    """A refused key: local scores, one line with the code and the fix, and none again until it changes."""
    house = House(Scripted(VendorRefused("auth", "bad key")))
    house.publish(LLM)
    assert house.score("one")["urgency.score"] == LOCAL.values["urgency.score"]
    house.clock.move(TELL_EVERY)
    house.score("two")
    ((what, level, said),) = house.journal.told
    assert (what, level, said["code"]) == ("language_model", "error", "auth")
    assert "llm.key" in str(said["fix"])
