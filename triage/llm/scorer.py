"""Scores by a local model, with a language model asked where the policy wants it. The local score is always there."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from triage.domain.work import Event, Scores, WorkItem
from triage.errors import StoreError
from triage.llm.answers import Finding
from triage.llm.asking import Asker, Outcome, decode_answer
from triage.llm.bounds import Merged, fallen_back, merge
from triage.llm.health import LlmHealth, health_of, told
from triage.llm.prompting import Question, question
from triage.llm.providers.opening import Secrets, open_provider
from triage.llm.vendor import SETTING_FAULTS, Provider
from triage.ports import Clock, Scorer, Store
from triage.rules.llm_policy import LlmPolicy, Task

Item = tuple[WorkItem, Sequence[Event]]

_VALUE = {"sentiment": "sentiment.score", "intent": "intent.label", "product_line": "product_line.label",
          "language": "language.code"}  # fmt: skip


class LlmScorer:
    """
    See `triage.ports.Scorer`. Never raises for what a vendor does: each item has the local scores at the least.

    One call a record for all that is wanted of it; none where an answer to the same text is kept. Why no model was
    heard stands as a code in `reasons["llm"]`, and so does `disagrees:<task>`.
    """

    def __init__(
        self,
        local: Scorer,
        policy: LlmPolicy | None,
        ledger: Store,
        clock: Clock,
        *,
        secrets: Secrets,
        ids: Callable[[], str],
        opening: Callable[[], Provider] | None = None,
        chance: random.Random | None = None,
    ) -> None:
        """
        Args:
            policy: None: nothing is ever asked.
            secrets: `triage.config.read_secret`; called when something is first asked.
            ids: Random words that nobody can guess (`uuid4().hex`).
            opening: Gives the provider instead of the policy's own, for tests.
        """
        self._local = local
        self._policy = policy
        self._store = ledger
        self._clock = clock
        self._asker: Asker | None = None
        if policy is not None:
            used = policy
            usual = opening or (lambda: open_provider(used, ledger.org, secrets, clock.now))
            self._asker = Asker(policy, ledger, clock, usual, ids, chance=chance)

    def score(
        self, items: Sequence[Item], now: int, wanted: Collection[str] = (), *, at_once: bool = False
    ) -> list[Scores]:
        """
        Return one Scores per item, in order.

        Args:
            at_once: Somebody waits: the policy's deadline is that of all items together, not of each. What was not
                asked by then has its local scores, with the code `deadline`.
        """
        local = self._local.score(items, now, wanted)
        if self._policy is None or self._asker is None:
            return local
        asked = [self._question(item, own, wanted) for item, own in zip(items, local, strict=True)]
        pairs = list(zip(asked, local, strict=True))
        until = self._clock.now() + self._policy.deadline if at_once else None
        outcomes = self._outcomes({one.key: (one, own) for one, own in pairs if one is not None}, until)
        return [own if one is None else self._scored(own, one, outcomes[one.key]) for one, own in pairs]

    def health(self) -> LlmHealth:
        """Return how asking goes: this process's fuse first, then what the store says of all of them."""
        if self._policy is None or self._asker is None:
            return LlmHealth()
        with self._store.read() as unit:
            found = health_of(self._policy, unit, self._clock.now())
        fuse = self._asker.breaker
        if not fuse.until:
            return found
        state = "fault" if fuse.code in SETTING_FAULTS else "resting"
        return told(found, state, fuse.code, since=fuse.since, until=fuse.until)  # type: ignore[arg-type]

    def close(self) -> None:
        """Close connections."""
        if self._asker is not None:
            self._asker.close()

    def _question(self, item: Item, own: Scores, wanted: Collection[str]) -> Question | None:
        """Return what to ask about one record, None for nothing."""
        policy = self._policy
        if policy is None:
            return None
        record, past = item
        tasks = [task for task in policy.tasks_of(record.object) if not wanted or task.name in wanted]
        chosen = [task for task in tasks if is_asked(task, record, own)]
        return question(record, past, chosen, policy) if chosen else None

    def _outcomes(self, asked: dict[str, tuple[Question, Scores]], until: int | None) -> dict[str, Outcome]:
        """Return what came of each question by key: kept answers first, the rest asked at the same time."""
        try:
            with self._store.read() as unit:
                kept = unit.llm.answers(list(asked))
        except StoreError:
            return dict.fromkeys(asked, Outcome(code="ledger"))
        found = {key: Outcome(code="cached", found=decode_answer(text)) for key, text in kept.items()}
        rest = {key: one for key, one in asked.items() if key not in found}
        return found | dict(zip(rest, self._ask_all(list(rest.values()), until), strict=True))

    def _ask_all(self, asked: Sequence[tuple[Question, Scores]], until: int | None) -> list[Outcome]:
        ask = partial(self._ask, until)
        if len(asked) < 2 or self._policy is None:
            return [ask(one) for one in asked]
        with ThreadPoolExecutor(min(self._policy.parallel, len(asked)), "llm-ask") as pool:
            return list(pool.map(ask, asked))

    def _ask(self, until: int | None, pair: tuple[Question, Scores]) -> Outcome:
        one, own = pair
        if self._asker is None:
            return Outcome(code="off")
        return self._asker.ask(one, purpose_of(one), lambda found: self._merge(own, one, found).compared, until=until)

    def _merge(self, own: Scores, one: Question, found: Mapping[str, Finding]) -> Merged:
        assert self._policy is not None
        return merge(own, found, one.tasks, self._policy, version_of(self._policy, one))

    def _scored(self, own: Scores, one: Question, outcome: Outcome) -> Scores:
        return self._merge(own, one, outcome.found).scores if outcome.found else fallen_back(own, outcome.code)


def is_asked(task: Task, item: WorkItem, own: Scores) -> bool:
    """Tell whether *task* is asked about this record: by its mode, the local score, and for shadow by its id."""
    if task.mode == "shadow":
        drawn = int.from_bytes(hashlib.sha256(f"{task.name}|{item.object}|{item.id}".encode()).digest()[:4], "big")
        return drawn % 1000 < task.sample
    if task.mode == "escalate_to_llm":
        missing = _VALUE.get(task.name, f"{task.name}.score") not in own.values
        return missing or own.values.get(f"{task.name}.abstained") is True
    return task.mode != "local"


def purpose_of(asked: Question) -> str:
    """Return `shadow` where nothing of the answer is used, else `answer`."""
    return "shadow" if all(task.mode == "shadow" for task in asked.tasks) else "answer"


def version_of(policy: LlmPolicy, asked: Question) -> str:
    """Return the model version that a score carries: vendor, model and prompt."""
    return f"{policy.provider}/{policy.model}#{asked.prompt}"
