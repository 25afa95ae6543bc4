"""
Fine-tuning of the sentence encoder with torch: length buckets, layer-wise rates, bf16 where the machine is quick at it.

The encoder is a BERT of any depth; its mean-pooled last layer goes through one linear layer to the classes. Nothing
here reads the clock: the caller hands in `elapsed`, and the run shortens itself to end inside the budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from msgspec import Struct
from tokenizers import Tokenizer
from torch import nn

from training.bert import Tuned

MIXES = (1.0, 0.75, 0.5, 0.25)


class Recipe(Struct, frozen=True, kw_only=True):
    """How to fine-tune: every number that, with the rows and the seed, makes the weights."""

    epochs: float = 4.0
    batch: int = 32
    rate: float = 8e-5
    head_rate: float = 1e-3
    layer_decay: float = 0.85
    frozen_layers: int = 1
    dropout: float = 0.1
    warm_up: float = 0.06
    weight_decay: float = 0.01
    longest: int = 96
    smoothing: float = 0.0
    seed: int = 7
    threads: int = 1
    bf16: bool = True


def tokenise(tokenizer: Tokenizer, texts: Sequence[str], longest: int) -> list[list[int]]:
    """Return the token ids of each text, cut at *longest* with both end marks kept."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest)
    return [encoded.ids for encoded in tokenizer.encode_batch(list(texts))]


def batches(lengths: np.ndarray, size: int, random: np.random.Generator | None) -> list[np.ndarray]:
    """Return row numbers in batches of like length; shuffled where *random* is given, longest first where not."""
    order = np.arange(len(lengths)) if random is None else random.permutation(len(lengths))
    span = len(order) if random is None else size * 50
    found: list[np.ndarray] = []
    for start in range(0, len(order), span):
        chunk = order[start : start + span]
        chunk = chunk[np.argsort(-lengths[chunk], kind="stable")]
        found += [chunk[at : at + size] for at in range(0, len(chunk), size)]
    if random is not None:
        found = [found[at] for at in random.permutation(len(found))]
    return found


def padded(ids: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (tokens, mask) of one batch, padded with 0 to its longest row, in eights: few shapes are quick."""
    width = -(-max(map(len, ids)) // 8) * 8
    tokens = torch.zeros((len(ids), width), dtype=torch.long)
    mask = torch.zeros((len(ids), width), dtype=torch.long)
    for row, found in enumerate(ids):
        tokens[row, : len(found)] = torch.tensor(found)
        mask[row, : len(found)] = 1
    return tokens, mask


def rates(model: Tuned, recipe: Recipe) -> list[dict[str, Any]]:
    """Return optimiser groups: the head at its own rate, each layer at `layer_decay` of the one above it."""
    layers = list(model.bert.encoder["layer"].children())
    depth = len(layers)
    groups: list[dict[str, Any]] = [{"params": list(model.head.parameters()), "lr": recipe.head_rate}]
    rooms = [model.bert.embeddings, *layers]
    for level, room in enumerate(rooms):
        frozen = level < recipe.frozen_layers
        for name, weight in room.named_parameters():
            weight.requires_grad = not frozen
            if not frozen:
                decay = 0.0 if "LayerNorm" in name or name.endswith("bias") else recipe.weight_decay
                rate = recipe.rate * recipe.layer_decay ** (depth - level)
                groups.append({"params": [weight], "lr": rate, "weight_decay": decay})
    return groups


def tune(
    model: Tuned,
    ids: Sequence[Sequence[int]],
    labels: np.ndarray,
    recipe: Recipe,
    *,
    weights: np.ndarray | None = None,
    budget: float = math.inf,
    elapsed: Callable[[], float] = lambda: 0.0,
    report: Callable[[int, int, float], None] | None = None,
) -> dict[str, float]:
    """
    Return what was done (steps, epochs, seconds, loss) after tuning *model* in place.

    Args:
        ids: Token ids by row; *labels*: class numbers; *weights*: of each row, 1 where absent.
        budget: Seconds by `elapsed()` after which training has ended; the rates reach zero by then.
    """
    torch.manual_seed(recipe.seed)
    random = np.random.default_rng(recipe.seed)
    lengths = np.array([len(found) for found in ids])
    planned = max(1, round(recipe.epochs * math.ceil(len(ids) / recipe.batch)))
    optimiser = torch.optim.AdamW(rates(model, recipe), fused=True)
    top = [group["lr"] for group in optimiser.param_groups]
    started, step, mean = elapsed(), 0, 0.0
    model.train()
    for chosen in _endless(lengths, recipe, random):
        done = max(step / planned, (elapsed() - started) / budget)
        if done >= 1:
            break
        for group, rate in zip(optimiser.param_groups, top, strict=True):
            group["lr"] = rate * _share(done, step / planned, recipe.warm_up)
        loss = _loss(
            model, [ids[at] for at in chosen], labels[chosen], recipe, None if weights is None else weights[chosen]
        )
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        step += 1
        mean += (float(loss.detach()) - mean) * max(0.01, 1 / step)
        if report is not None:
            report(step, planned, mean)
    model.eval()
    return {
        "steps": step,
        "planned": planned,
        "epochs": step * recipe.batch / len(ids),
        "loss": mean,
        "seconds": elapsed() - started,
    }


def _endless(lengths: np.ndarray, recipe: Recipe, random: np.random.Generator) -> Iterator[np.ndarray]:
    while True:
        yield from batches(lengths, recipe.batch, random)


def _share(done: float, stepped: float, warm_up: float) -> float:
    """Return the share of the full rate: up over the warm-up, then straight down to zero at the end."""
    return min(1.0, (stepped + 1e-3) / warm_up, (1 - done) / (1 - warm_up))


def _loss(
    model: Tuned, ids: list[Sequence[int]], labels: np.ndarray, recipe: Recipe, weights: np.ndarray | None
) -> torch.Tensor:
    tokens, mask = padded(ids)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=recipe.bf16):
        _, logits = model(tokens, mask)
    losses = nn.functional.cross_entropy(
        logits.float(), torch.from_numpy(labels).long(), reduction="none", label_smoothing=recipe.smoothing
    )
    if weights is not None:
        return (losses * torch.from_numpy(weights).float()).mean()
    return losses.mean()


def mix(model: Tuned, before: Mapping[str, torch.Tensor], loss: Callable[[], float]) -> tuple[float, dict[str, float]]:
    """
    Leave *model* at the best point between the weights *before* and its own; return the share of its own, and losses.

    What was learnt before keeps its worth for texts unlike the new ones; often the middle is best for both. *loss* says
    how good *model* is as it stands.
    """
    after = {name: weight.clone() for name, weight in model.state_dict().items()}
    found = {}
    for share in MIXES:
        model.load_state_dict({name: torch.lerp(before[name], after[name], share) for name in after})
        found[share] = loss()
    best = min(MIXES, key=lambda share: found[share])
    model.load_state_dict({name: torch.lerp(before[name], after[name], best) for name in after})
    return best, {f"{share:g}": round(lost, 4) for share, lost in found.items()}


def logits_of(model: Tuned, ids: Sequence[Sequence[int]], recipe: Recipe) -> np.ndarray:
    """Return the logits, (n, classes), that *model* gives to texts as token ids."""
    found = np.zeros((len(ids), model.head.out_features))
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=recipe.bf16):
        for chosen in batches(np.array([len(row) for row in ids]), 64, None):
            found[chosen] = model(*padded([ids[at] for at in chosen]))[1].float().numpy()
    return found


def trial(
    model: Tuned, ids: Sequence[Sequence[int]], recipe: Recipe, clock: Callable[[], float], rounds: int = 3
) -> float:
    """Return texts a second of a forward and backward pass on batches as they come, the weights left as they are."""
    lengths = np.array([len(found) for found in ids])
    chosen = batches(lengths, recipe.batch, np.random.default_rng(1))[:rounds]
    labels = np.zeros(len(ids), dtype=np.int64)
    model.train()
    best = 0.0
    for rows in chosen:
        before = clock()
        _loss(model, [ids[at] for at in rows], labels[rows], recipe, None).backward()
        best = max(best, len(rows) / max(1e-9, clock() - before))
    model.zero_grad(set_to_none=True)
    return best
