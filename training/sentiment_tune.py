"""The fine-tuned candidate: base weights, a recipe that fits the time, torch, export, and the parity gate."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch
from msgspec import Struct
from msgspec.structs import replace
from tokenizers import Tokenizer

from training.bert import Tuned, fill
from training.sentiment_base import Base, load_base
from training.sentiment_calibrate import macro_f1, scaled_loss
from training.sentiment_export import FORMS, Parity, export, gate
from training.sentiment_rows import Cut, Rows
from training.sentiment_tuning import Recipe, logits_of, mix, tokenise, trial, tune
from triage.errors import ModelRefused

if TYPE_CHECKING:
    from training.sentiment import Candidate, Wish

_GATE_TEXTS = 800
_CHOOSE_BY = 1_000
_MOST = 120_000
_LEAST_SHARE = 0.2
"""Of the time, however long reading and trying took."""


class Pace(Struct, frozen=True):
    """The quickest way to train here: threads, bf16 or not, and texts a second as measured."""

    threads: int
    bf16: bool
    speed: float


def tuned(
    rows: Rows, cut: Cut, held: np.ndarray, wish: Wish, elapsed: Callable[[], float], tell: Callable[[str], None]
) -> Candidate:
    """
    Return the candidate whose encoder was fine-tuned on `cut.fit`, as it will be served (int8).

    Args:
        elapsed: Seconds since the fit began; tuning ends when they reach `wish.seconds`.

    Raises:
        ModelRefused: no base weights, or the export does not pass the gate.
    """
    base = load_base(wish.base)
    torch.manual_seed(wish.seed)
    model = Tuned(base.shape)
    before = _copy(model) if fill(model, base.weights) else None
    fitted = rows_to_tune(rows, cut, wish.seed)
    recipe = _recipe(wish, fitted, before is not None)
    ids = tokenise(Tokenizer.from_str(base.tokenizer.decode()), [rows.said[row] for row in fitted], recipe.longest)
    pace = _pace(model, ids, recipe, wish)
    torch.set_num_threads(pace.threads)
    recipe = replace(recipe, threads=pace.threads, bf16=pace.bf16, epochs=_affordable(recipe, len(fitted), pace, wish))
    tell(
        f"fine-tuning {base.name} on {len(fitted):,} rows: {recipe.epochs:g} passes at about {pace.speed:.0f} texts/s, "
        f"at most {wish.seconds:.0f} s"
    )
    left = max(_LEAST_SHARE * wish.seconds, wish.seconds - elapsed())
    done = tune(model, ids, rows.labels[fitted], recipe, budget=left, elapsed=elapsed, report=_reporter(tell))
    tell(f"{done['steps']} of {done['planned']} steps, {done['epochs']:.2f} passes, {done['seconds']:.0f} s")
    facts = {"rows": len(fitted), "recipe": msgspec.to_builtins(recipe), "done": done}
    if before is not None:
        facts["mixed"] = _mixed(model, before, rows, cut, base, recipe, tell)
    return candidate(model, base, rows, held, fitted, facts, tell)


def _copy(model: Tuned) -> dict[str, torch.Tensor]:
    return {name: weight.clone() for name, weight in model.state_dict().items()}


def _mixed(
    model: Tuned, before: Mapping[str, torch.Tensor], rows: Rows, cut: Cut, base: Base, recipe: Recipe,
    tell: Callable[[str], None],
) -> dict[str, Any]:  # fmt: skip
    """Move *model* to the best point between what it was *before* and what it is, by the choosing slice."""
    chosen = cut.choose[:: -(-len(cut.choose) // _CHOOSE_BY)]
    ids = tokenise(Tokenizer.from_str(base.tokenizer.decode()), [rows.said[row] for row in chosen], recipe.longest)
    labels = rows.labels[chosen]
    share, losses = mix(model, before, lambda: scaled_loss(logits_of(model, ids, recipe), labels))
    tell(f"{share:g} of the way from the base to the tuned weights: log loss {losses[f'{share:g}']}, {len(ids):,} rows")
    return {"share": share, "log_loss": losses}


def candidate(
    model: Tuned, base: Base, rows: Rows, held: np.ndarray, fitted: np.ndarray, facts: Mapping[str, Any],
    tell: Callable[[str], None],
) -> Candidate:  # fmt: skip
    """
    Return the tuned *model* as it will be served, with its vectors of the rows *held* out; *facts* are for the card.

    Raises:
        ModelRefused: no form of it passes the parity gate.
    """
    from training.sentiment import Candidate
    from triage.scoring.encoder import Encoder

    graph, parity = _served(model, base, _gate_rows(rows, held, fitted), tell)
    tell(
        f"parity: float32 off by {parity.exact_gap:.1e}, int8 macro-F1 {parity.f1_before:.4f} to {parity.f1_after:.4f}"
    )
    encoder = Encoder(graph, base.tokenizer)
    outside = np.stack([encoder.pooled(rows.said[row]) for row in held])
    whole = {"kind": "fine-tuned encoder", "base": base.name, **facts, "parity": msgspec.to_builtins(parity)}
    weights, intercept = (part.detach().numpy().astype(np.float64) for part in (model.head.weight, model.head.bias))
    return Candidate(
        "fine-tuned encoder",
        graph,
        base.tokenizer,
        base.shape.num_attention_heads,
        weights,
        intercept,
        outside,
        whole,
    )


def _served(
    model: Tuned, base: Base, texts: tuple[list[str], np.ndarray], tell: Callable[[str], None]
) -> tuple[bytes, Parity]:
    """Return the smallest graph that passes the gate, and how near it comes; raise ModelRefused where none does."""
    real, small = export(model, base.shape.num_attention_heads)
    for graph, form in zip(small, FORMS, strict=True):
        try:
            parity = gate(model, (real, graph), base.tokenizer, *texts, macro_f1)
        except ModelRefused as refusal:
            tell(f"{form}: {refusal}")
            continue
        tell(f"served as {form}")
        return graph, parity
    raise ModelRefused("no form of the encoder passes the parity gate")


def rows_to_tune(rows: Rows, cut: Cut, seed: int) -> np.ndarray:
    """Return the rows to tune on: all own ones, and of others at most as many again, or what makes 12,000 of them."""
    random = np.random.default_rng(seed)
    own, others = cut.fit[rows.own[cut.fit]], cut.fit[~rows.own[cut.fit]]
    kept = random.permutation(others)[: max(len(own), 12_000)]
    return np.sort(random.permutation(np.concatenate([own, kept]))[:_MOST])


def _recipe(wish: Wish, fitted: np.ndarray, headed: bool) -> Recipe:
    """Return the recipe by the number of rows; a base that is *headed*, a sentiment model already, needs less of it."""
    count = len(fitted)
    epochs = 6.0 if count < 2_000 else 4.0 if count < 20_000 else 3.0 if count < 40_000 else 2.0
    if headed:
        epochs = max(2.0, epochs - 1.0)
    return Recipe(
        epochs=wish.epochs or epochs, rate=wish.rate or 8e-5, head_rate=3e-4 if headed else 1e-3, seed=wish.seed,
        threads=wish.threads,
    )  # fmt: skip


def _affordable(recipe: Recipe, count: int, pace: Pace, wish: Wish) -> float:
    """
    Return how many passes to plan: no more than fit the time, so that warming up and cooling down keep their shares.

    The trial may have met a busy moment: half as much again is planned, and the clock still ends the run. With one
    thread nothing that was measured may enter.
    """
    if wish.threads == 1:
        return recipe.epochs
    return round(min(recipe.epochs, max(0.25, 1.5 * pace.speed * wish.seconds / count)), 2)


def _pace(model: Tuned, ids: Sequence[Sequence[int]], recipe: Recipe, wish: Wish) -> Pace:
    """Return the pace, the best of a trial; with one thread there is no choice, so that weights can be had again."""
    forms = [wish.bf16] if wish.bf16 is not None else [True, False] if _quick_at_bf16() else [False]
    if wish.threads == 1:
        torch.set_num_threads(1)
        return Pace(1, bool(forms[0]), trial(model, ids, replace(recipe, bf16=bool(forms[0])), _seconds))
    found = []
    for threads in range(wish.threads, 0, -1):
        torch.set_num_threads(threads)
        for form in forms:
            found.append(Pace(threads, bool(form), trial(model, ids, replace(recipe, bf16=bool(form)), _seconds)))
    return max(found, key=lambda pace: pace.speed)


def _seconds() -> float:
    return time.perf_counter()  # noqa: TID251  how fast this machine is, nothing that a model learns from


def _quick_at_bf16() -> bool:
    asked = (getattr(torch.cpu, f"_is_{kind}_supported", None) for kind in ("amx_tile", "avx512_bf16"))
    return any(bool(ask()) for ask in asked if ask is not None)


def _reporter(tell: Callable[[str], None]) -> Callable[[int, int, float], None]:
    def report(step: int, planned: int, loss: float) -> None:
        if step % 100 == 0:
            tell(f"step {step} of {planned}, loss {loss:.3f}")

    return report


def _gate_rows(rows: Rows, held: np.ndarray, fitted: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return texts and labels for the gate: the rows held out, filled up from the others."""
    chosen = np.concatenate([held, fitted])[:_GATE_TEXTS]
    return [rows.said[row] for row in chosen], rows.labels[chosen]
