"""Decisions per second with 200 rules, and rule evaluation beside CEL (Rust) and rule-engine on the same rules."""

from __future__ import annotations

import random
import time
from typing import Any

from triage.config import load_policy
from triage.domain.facts import Facts
from triage.domain.work import Event
from triage.observe import observe
from triage.pipeline import advance, decide
from triage.policy import Policy, compile_policy

START = 1_767_600_000_000
HOUR = 3_600_000
RULES = 200
RECORDS = 400

BASE = """
objects:
  Case:
    calendar: support
    fields:
      status: Status
      priority: {from: Priority, type: picklist, values: [Low, Medium, High, Critical], ordered: true}
      owner: OwnerId
      region: {from: Region__c, type: picklist, values: [EMEA, AMER, APAC, LATAM, ANZ]}
      product: {from: Product__c, type: picklist, values: [P0, P1, P2, P3, P4, P5, P6, P7, P8, P9]}
      seats: {from: Seats__c, type: integer}
      amount: {from: Amount__c, type: number}
      health: {from: Health__c, type: number}
calendars:
  support: {tz: Europe/London, weekly: {mon-fri: ["09:00-17:30"]}}
milestones:
  first_response: {object: Case, target: {default: 8h}, complete: [is_contacted]}
  resolution: {object: Case, target: {default: 40h}, complete: [is_closed]}
templates: {look: {subject: "look at it", body: "please"}}
"""


def rules_text(rng: random.Random, *, with_equality: bool) -> str:
    """Return 200 rules of three leaves, about a tenth of them true on a random record; every fourth has a clock."""
    lines = ["object: Case", "rules:"]
    for number in range(RULES):
        leaves = _equality_leaves(rng) if with_equality else _range_leaves(rng)
        if number % 4 == 0:
            leaves[2] = rng.choice(["sla.used >= 80%", "age >= 6h", "milestone.resolution.remaining <= 20%"])
        when = "".join(f"      - {leaf}\n" for leaf in leaves)
        lines.append(f"  - id: rule-{number}\n    when:\n{when}    do: [{{notify: {{who: owner, template: look}}}}]")
    return "\n".join(lines) + "\n"


def _equality_leaves(rng: random.Random) -> list[str]:
    regions = rng.sample(["EMEA", "AMER", "APAC", "LATAM", "ANZ"], 3)
    products = rng.sample([f"P{n}" for n in range(10)], 5)
    return [f"region in [{', '.join(regions)}]", f"product in [{', '.join(products)}]", _range(rng, "seats", 0.46)]


def _range_leaves(rng: random.Random) -> list[str]:
    return [_range(rng, name, 0.56) for name in ("seats", "amount", "health")]


def _range(rng: random.Random, name: str, share: float) -> str:
    cut = round(1000 * (1 - share) + rng.uniform(-120, 120))
    return f"{name} >= {cut}"


def record(rng: random.Random, number: int) -> dict[str, Any]:
    """Return one record's CRM values."""
    return {
        "Status": "New",
        "Priority": rng.choice(["Low", "Medium", "High", "Critical"]),
        "OwnerId": f"005{rng.randrange(40):03d}",
        "Region__c": rng.choice(["EMEA", "AMER", "APAC", "LATAM", "ANZ"]),
        "Product__c": f"P{rng.randrange(10)}",
        "Seats__c": rng.randrange(1000),
        "Amount__c": rng.randrange(1000),
        "Health__c": rng.randrange(1000),
    }


def policy(seed: int, *, with_equality: bool) -> Policy:
    """Return the benchmark's policy."""
    texts = {"base.yaml": BASE, "rules.yaml": rules_text(random.Random(seed), with_equality=with_equality)}
    return compile_policy(load_policy(texts), virtual=True)


def facts(policy: Policy, seed: int) -> list[Facts]:
    """Return records that have just been created."""
    rng = random.Random(seed)
    made = []
    for number in range(RECORDS):
        event = Event(
            at=START, type="created", event_id=str(number), object="Case", id=f"500{number}",
            changes=record(rng, number),
        )  # fmt: skip
        made.append(observe(None, event, policy, {}, "bench"))
    return made


def rate(work: Any, times: int) -> float:
    """Return calls per second of *work*, the best of three rounds of *times*."""
    best = 0.0
    for _ in range(3):
        begin = time.process_time()
        count = 0
        for _ in range(times):
            count += work()
        best = max(best, count / (time.process_time() - begin))
    return best


def run() -> list[tuple[str, float, str]]:
    """Return the figures: decisions a second when everything fires, and when it has fired already."""
    rows = []
    for label, with_equality in (("with equality leaves", True), ("range leaves only", False)):
        made = policy(7, with_equality=with_equality)
        fresh = facts(made, 8)
        settled = [advance(one, made, START)[0] for one in fresh]
        later = START + 3 * HOUR

        def first(made: Policy = made, fresh: list[Facts] = fresh) -> int:
            for one in fresh:
                decide(one, made, START)
            return len(fresh)

        def again(made: Policy = made, settled: list[Facts] = settled, later: int = later) -> int:
            for one in settled:
                decide(one, made, later)
            return len(settled)

        matches = sum(len(decide(one, made, START).matches) for one in fresh) / len(fresh)
        rows.append((f"decide, 200 rules, {label}: matching", 100 * matches / RULES, "% of rules"))
        rows.append((f"decide, 200 rules, {label}: every match fires", rate(first, 5), "decisions/s"))
        rows.append((f"decide, 200 rules, {label}: matches fired before", rate(again, 5), "decisions/s"))
    return rows + others()


def others() -> list[tuple[str, float, str]]:
    """Return rule evaluations a second beside CEL (Rust) and rule-engine: the same 200 static rules, same records."""
    import cel
    import rule_engine

    rng = random.Random(7)
    leaves = [_equality_leaves(rng) for _ in range(RULES)]
    text = "object: Case\nrules:\n" + "".join(_static_rule(number, three) for number, three in enumerate(leaves))
    made = compile_policy(load_policy({"base.yaml": BASE, "rules.yaml": text}), virtual=True)
    book = made.objects["Case"].book
    records = [one.item.fields for one in facts(made, 8)]
    programs = [cel.compile(" && ".join(map(_as_cel, three))) for three in leaves]
    engine_rules = [rule_engine.Rule(" and ".join(map(_as_cel, three))) for three in leaves]

    def ours() -> int:
        for values in records:
            book.index.candidates(values)
        return RULES * len(records)

    def in_cel() -> int:
        for values in records[:40]:
            context = {name: values[name] for name in ("region", "product", "seats")}
            for program in programs:
                program.execute(context)
        return RULES * 40

    def in_rule_engine() -> int:
        for values in records[:5]:
            for rule in engine_rules:
                rule.matches(values)
        return RULES * 5

    for values in records[:40]:
        mask = book.index.candidates(values)
        context = {name: values[name] for name in ("region", "product", "seats")}
        for number, program in enumerate(programs):
            if bool(program.execute(context)) != bool(mask >> number & 1):
                raise AssertionError(f"rule {number} differs from CEL on {context}")
    mine, rust, python = rate(ours, 5), rate(in_cel, 1), rate(in_rule_engine, 1)
    return [
        ("rule evaluation: this package", mine, "rules/s"),
        ("rule evaluation: this package / common-expression-language", mine / rust, "x"),
        ("rule evaluation: this package / rule-engine", mine / python, "x"),
    ]


def _static_rule(number: int, leaves: list[str]) -> str:
    when = "".join(f"      - {leaf}\n" for leaf in leaves)
    return f"  - id: rule-{number}\n    when:\n{when}    do: [{{notify: {{who: owner, template: look}}}}]\n"


def _as_cel(leaf: str) -> str:
    """Return a leaf as CEL and rule-engine both read it: names in a list need quotes."""
    head, bracket, names = leaf.partition("[")
    if not bracket:
        return leaf
    quoted = ", ".join(f"'{name.strip()}'" for name in names.rstrip("]").split(","))
    return f"{head}[{quoted}]"


if __name__ == "__main__":
    for name, value, unit in run():
        print(f"{name:70} {value:14,.1f} {unit}")
