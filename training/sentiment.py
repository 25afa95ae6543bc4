"""
Fits and judges sentiment models: `fit_sentiment` writes a model folder, `evaluate_sentiment` measures one on a table.

The encoder is fine-tuned where torch is there and the table is large enough; else the shipped encoder stays as it is
and a linear model learns on its vectors. Words beside it, calibration and abstention are set on rows held out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct, field

from training.sentiment_calibrate import fit_lean, fit_scaling, fit_thresholds, macro_f1, scaled_loss
from training.sentiment_judge import judge
from training.sentiment_rows import Cut, Rows, label_numbers, prepare, split
from training.sentiment_words import WordsFit, fit_linear, fit_words
from triage.errors import IntakeError, ModelRefused
from triage.scoring.encoder import Encoder
from triage.scoring.language import LanguageModel
from triage.scoring.sealed import read_sealed
from triage.scoring.sentiment import CLASSES, SentimentModel, Settings, softmax

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
FEW = 400
"""Rows below which the encoder is not fine-tuned; below ten times as many the frozen one is tried too."""
_LANGUAGE_ROWS = 200
_JUDGED, _SERVED_F1 = 30, 0.6


class Wish(Struct, frozen=True, kw_only=True):
    """
    What a fit may use.

    Attributes:
        seconds: Until fine-tuning has ended; the whole fit takes about two minutes more on two cores.
        base: A folder to start from: a sentiment model or a checkpoint; None: the packaged MiniLM.
        languages: The folder of the language model; None: languages are not looked at.
        tune: Fine-tune the encoder if that can be done here.
        epochs, rate: Of the recipe; None: by the number of rows.
        notes: Sentences for the card, such as where the rows come from and on what terms.
        columns: Names of the table's columns, for `evaluate`.
    """

    seconds: float = 600.0
    base: Path | None = None
    languages: Path | None = None
    tune: bool = True
    epochs: float | None = None
    rate: float | None = None
    threads: int = 2
    bf16: bool | None = None
    coverage: float = 0.9
    seed: int = 7
    name: str = "sentiment"
    notes: tuple[str, ...] = ()
    columns: dict[str, Any] = field(default_factory=dict)


USUAL = Wish()


class Candidate(Struct, frozen=True):
    """
    An encoder with a head over it, and the vectors it gives to the rows held out.

    `words`: those that stood beside it before, to be tried as well as those learnt here.
    """

    name: str
    graph: bytes
    tokenizer: bytes
    heads: int
    weights: np.ndarray
    intercept: np.ndarray
    held: np.ndarray
    facts: dict[str, Any] = field(default_factory=dict)
    words: WordsFit | None = None


def fit_sentiment(
    texts: Sequence[Any],
    labels: Sequence[Any],
    out: Path,
    *,
    own: np.ndarray | None = None,
    at: np.ndarray | None = None,
    wish: Wish = USUAL,
    elapsed: Callable[[], float] = lambda: 0.0,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """
    Write a model fitted on *texts* and *labels* into *out*; return its metrics on the rows held out, and what was done.

    Args:
        own: False for rows that came by `--also`: fitted on, never judged on.
        at: Instants of the rows, ms UTC; the latest are held out. None: a share drawn by text.
        elapsed: Seconds since any fixed moment; decides when fine-tuning has to end.

    Raises:
        IntakeError: labels of no known kind, one class only, too few rows.
        ModelRefused: no encoder can be had, or none passes the parity gate.
    """
    began = elapsed()
    rows = prepare(texts, labels, own)
    cut = split(rows, None if at is None else np.asarray(at)[rows.kept], seed=wish.seed)
    held = np.concatenate([cut.choose, cut.calibrate])
    for note in rows.notes:
        tell(note)
    tell(f"{len(cut.fit):,} rows to fit on, {len(held):,} held out")
    found = _candidates(rows, cut, held, wish, lambda: elapsed() - began, tell)
    return settle(out, rows, cut, found, wish, tell)


def settle(
    out: Path, rows: Rows, cut: Cut, candidates: Sequence[Candidate], wish: Wish, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Write the best of *candidates*, chosen and calibrated on the rows held out, into *out*; return what was done."""
    from training.sentiment_write import write

    held = np.concatenate([cut.choose, cut.calibrate])
    words = _words(rows, cut, wish)
    choice = _choose(rows, cut, held, words, candidates, tell)
    settings, judged = _settings(rows, cut, held, choice, wish)
    return write(out, rows, cut, held, choice, settings, judged, wish, tell)


def evaluate_sentiment(
    folder: Path, texts: Sequence[Any], labels: Sequence[Any], *, languages: Path | None = None, seed: int = 7
) -> dict[str, Any]:
    """
    Return {"rows", "task", "signal", "metrics", "abstained", ..} of the model in *folder* on *texts*.

    Rows without a target are dropped; rows without text count as what the model says about nothing.
    """
    model = SentimentModel.load(
        folder, language=None if languages is None else LanguageModel.load(languages), threads=2
    )
    numbers, _ = label_numbers(labels)
    kept = np.flatnonzero(numbers >= 0)
    readings = [model.read(texts[row] if isinstance(texts[row], str) else "") for row in kept]
    probabilities = np.array([reading.probabilities for reading in readings])
    said = np.array([model.settings.classes.index(reading.label) for reading in readings])
    found = judge(numbers[kept], probabilities, said, seed=seed)
    abstained = np.array([reading.abstained for reading in readings])
    possible = model.possible(probabilities)[np.arange(len(kept)), numbers[kept]]
    return {
        "rows": len(kept), "task": "sentiment", "signal": found["macro_f1"]["low"] > found["macro_f1"]["floor"],
        "metrics": found, "abstained": float(abstained.mean()), "coverage": float(possible.mean()),
        "macro_f1_not_abstained": macro_f1(numbers[kept][~abstained], said[~abstained]) if (~abstained).any() else None,
    }  # fmt: skip


def _words(rows: Rows, cut: Cut, wish: Wish) -> WordsFit:
    chosen = cut.fit
    if len(chosen) > 80_000:
        chosen = np.sort(np.random.default_rng(wish.seed).permutation(chosen)[:80_000])
    _need_classes(rows.labels[chosen])
    return fit_words([rows.said[row] for row in chosen], rows.labels[chosen], len(CLASSES))


def _need_classes(labels: np.ndarray) -> None:
    counts = np.bincount(labels, minlength=len(CLASSES))
    for name, count in zip(CLASSES, counts, strict=True):
        if 0 < count < 8:
            raise IntakeError(f"only {count} rows to learn from are {name}: at least 8 of a class are needed")


def _candidates(
    rows: Rows, cut: Cut, held: np.ndarray, wish: Wish, elapsed: Callable[[], float], tell: Callable[[str], None]
) -> list[Candidate]:
    found = []
    torch_here = _has_torch()
    if wish.tune and torch_here and len(cut.fit) >= FEW:
        from training.sentiment_tune import tuned

        try:
            found.append(tuned(rows, cut, held, wish, elapsed, tell))
        except ModelRefused as refusal:
            tell(f"the fine-tuned encoder is not used: {refusal}")
    elif wish.tune:
        tell("the encoder is not fine-tuned: " + ("too few rows" if torch_here else "torch is not installed"))
    found += _served(rows, cut, held, wish, not found or len(cut.fit) < 10 * FEW, tell)
    if not found:
        raise ModelRefused("no encoder to fit with: install the extra `sentiment`, or name a shipped model with --base")
    return found


def _has_torch() -> bool:
    try:
        import onnx  # noqa: F401
        import torch  # noqa: F401
    except ImportError:
        return False
    return True


def _served(
    rows: Rows, cut: Cut, held: np.ndarray, wish: Wish, headed: bool, tell: Callable[[str], None]
) -> list[Candidate]:
    """
    Return what the base makes of these rows as it is served, so that no fit ends worse than where it began.

    With its own head and words; where *headed*, also with a head learnt on its vectors. Nothing where the base is no
    sentiment model.
    """
    if wish.base is None or not (wish.base / "manifest.json").exists():
        return []
    sealed = read_sealed(wish.base, "sentiment")
    graph, tokenizer, heads = sealed.data("encoder.onnx"), sealed.data("tokenizer.json"), int(sealed.manifest["heads"])
    encoder = Encoder(graph, tokenizer, threads=wish.threads)
    outside = np.stack([encoder.pooled(rows.said[row]) for row in held])
    arrays = sealed.arrays("head.npz")
    facts: dict[str, Any] = {
        "kind": "the base as it was, calibrated anew",
        "base": f"sentiment {sealed.manifest.get('version', '')}",
    }
    found = [
        Candidate(
            "base as it was", graph, tokenizer, heads, arrays["weights"].astype(np.float64),
            arrays["intercept"].astype(np.float64), outside, facts, WordsFit.of(arrays),
        )
    ]  # fmt: skip
    if headed:
        chosen = np.sort(np.random.default_rng(wish.seed).permutation(cut.fit)[:12_000])
        tell(f"vectors of {len(chosen):,} rows by the encoder as it is")
        vectors = np.stack([encoder.pooled(rows.said[row]) for row in chosen])
        weights, intercept = fit_linear(vectors, rows.labels[chosen], len(CLASSES), 1.0)
        facts = {"kind": "frozen encoder, linear head", "rows": len(chosen)}
        found.append(Candidate("frozen encoder", graph, tokenizer, heads, weights, intercept, outside, facts))
    return found


class Choice(Struct, frozen=True):
    """The candidate chosen, the words beside it and their weight, and its logits on the rows held out."""

    candidate: Candidate
    words: WordsFit | None
    share: float
    logits: np.ndarray
    tried: dict[str, float]


def _choose(
    rows: Rows,
    cut: Cut,
    held: np.ndarray,
    words: WordsFit,
    candidates: Sequence[Candidate],
    tell: Callable[[str], None],
) -> Choice:
    """Return the candidate and share of words with the least log loss on the choosing slice, after scaling on it."""
    said = [rows.said[row] for row in held]
    beside = _beside(words, said)
    count = len(cut.choose)
    best: tuple[float, Choice] | None = None
    tried: dict[str, float] = {}
    for candidate in candidates:
        alone = candidate.held @ candidate.weights.T + candidate.intercept
        ways = [("words", words, share, beside) for share in SHARES]
        if candidate.words is not None:
            before = _beside(candidate.words, said)
            ways += [("earlier words", candidate.words, share, before) for share in SHARES[1:]]
        for kind, part, share, theirs in ways:
            logits = (1 - share) * alone + share * theirs
            loss = scaled_loss(logits[:count], rows.labels[cut.choose])
            tried[f"{candidate.name}, {kind} {share:g}"] = round(loss, 4)
            if best is None or loss < best[0]:
                best = (loss, Choice(candidate, part if share else None, share, logits, tried))
    assert best is not None
    tell(f"chosen: {best[1].candidate.name}, words {best[1].share:g} (log loss {best[0]:.4f} on {count:,} rows)")
    return best[1]


def _beside(words: WordsFit, said: Sequence[str]) -> np.ndarray:
    part = words.words()
    return np.stack([part.logits(text) for text in said])


def _settings(rows: Rows, cut: Cut, held: np.ndarray, choice: Choice, wish: Wish) -> tuple[Settings, dict[str, Any]]:
    """
    Return the calibrated settings, and the metrics of the rows held out.

    The metrics are cross-fitted: each half is judged with the calibration of the other.
    """
    labels, halves = rows.labels[held], np.arange(len(held)) % 2 == 0
    probabilities, said = np.zeros((len(held), len(CLASSES))), np.zeros(len(held), dtype=np.int64)
    for part in (halves, ~halves):
        shares, lean = _calibrated(choice.logits[~part], labels[~part], choice.logits[part])
        probabilities[part], said[part] = shares, (np.log(np.maximum(shares, 1e-12)) + np.array(lean)).argmax(axis=1)
    judged = judge(labels, probabilities, said, seed=wish.seed)
    temperature, shift = fit_scaling(choice.logits, labels)
    whole = softmax(choice.logits / temperature + np.array(shift))
    never = set(range(len(CLASSES))) - set(rows.labels.tolist())
    settings = Settings(
        languages=_languages(rows, cut, held, said, wish), temperature=temperature, shift=shift,
        lean=fit_lean(whole, labels), thresholds=fit_thresholds(whole, labels, wish.coverage, never),
        coverage=wish.coverage, share=choice.share,
    )  # fmt: skip
    return settings, judged


def _calibrated(logits: np.ndarray, labels: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, tuple[float, ...]]:
    temperature, shift = fit_scaling(logits, labels)
    lean = fit_lean(softmax(logits / temperature + np.array(shift)), labels)
    return softmax(others / temperature + np.array(shift)), lean


def _languages(rows: Rows, cut: Cut, held: np.ndarray, said: np.ndarray, wish: Wish) -> tuple[str, ...]:
    """Return the languages that enough rows are in, less those in which the rows held out come out badly."""
    if wish.languages is None:
        return ()
    model = LanguageModel.load(wish.languages)
    some = cut.fit if len(cut.fit) <= 20_000 else np.random.default_rng(wish.seed).permutation(cut.fit)[:20_000]
    codes = np.array([model.identify(rows.said[row]).code for row in some])
    need = max(20, min(_LANGUAGE_ROWS, math.ceil(0.02 * len(some))))
    found = {code for code in set(codes.tolist()) - {"und"} if (codes == code).sum() >= need}
    outside = np.array([model.identify(rows.said[row]).code for row in held])
    main = max(sorted(found), key=lambda code: (codes == code).sum(), default="")
    return tuple(sorted(code for code in found if code == main or _holds(rows.labels[held], said, outside == code)))


def _holds(labels: np.ndarray, said: np.ndarray, mine: np.ndarray) -> bool:
    """Return whether the rows of one language are enough to judge by, and come out well enough to be served."""
    return int(mine.sum()) >= _JUDGED and macro_f1(labels[mine], said[mine]) >= _SERVED_F1
