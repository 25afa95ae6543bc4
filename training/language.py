"""
Makes `models/language`: cuts the model of py3langid (BSD-3-Clause) down to 25 languages and the grams that count.

`python -m training.language OUT` needs py3langid 0.4.0 beside the training extra. The same input gives the same bytes.
"""

from __future__ import annotations

import io
import lzma
import sys
from collections import deque
from importlib import metadata, resources
from pathlib import Path

import numpy as np
import numpy.typing as npt

from triage.scoring.sealed import write_sealed

LANGUAGES = (
    "en",
    "de",
    "fr",
    "es",
    "it",
    "pt",
    "nl",
    "pl",
    "sv",
    "da",
    "no",
    "fi",
    "cs",
    "ro",
    "hu",
    "tr",
    "ru",
    "uk",
    "el",
    "ar",
    "he",
    "hi",
    "ja",
    "zh",
    "ko",
)
KEPT = 30_000


def main(out: Path) -> None:
    """Write the language model into *out*."""
    packed = resources.files("py3langid").joinpath("data/model.npz.xz").read_bytes()
    files = {"language.npz": cut(packed), "card.md": _CARD.encode(), "NOTICE": _notice().encode()}
    write_sealed(out, "language", files, {"languages": LANGUAGES, "source": "py3langid 0.4.0, BSD-3-Clause"})


def cut(packed: bytes) -> bytes:
    """Return an npz of the `KEPT` grams that tell most about `LANGUAGES`, weights as steps of one byte."""
    with np.load(io.BytesIO(lzma.decompress(packed)), allow_pickle=False) as arrays:
        columns = [arrays["classes"].tolist().index(code) for code in LANGUAGES]
        weights = arrays["ptc"][:, columns].astype(np.float32)
        names = _names(arrays["nextmove"].reshape(-1, 256), arrays["nextmove_row"], arrays["out_feat"])
    centred = weights - weights.mean(axis=1, keepdims=True)
    telling = (np.exp(weights) * np.abs(centred)).sum(axis=1)
    telling[[at for at in range(len(weights)) if not 2 <= len(names.get(at, b"")) <= 5]] = 0
    kept = np.sort(np.argsort(-telling, kind="stable")[:KEPT])
    low = weights[kept].min(axis=1, keepdims=True)
    step = float((weights[kept] - low).max() / 255)
    held = io.BytesIO()
    np.savez_compressed(
        held,
        grams=np.frombuffer(b"".join(names[at] for at in kept), np.uint8),
        ends=np.cumsum([len(names[at]) for at in kept]).astype(np.int32),
        step=np.float32(step),
        weights=np.rint((weights[kept] - low) / step).astype(np.uint8),
        codes=np.array(LANGUAGES),
    )
    return held.getvalue()


def _names(
    rows: npt.NDArray[np.uint32], row_of: npt.NDArray[np.uint16], features: npt.NDArray[np.int32]
) -> dict[int, bytes]:
    """Return the bytes of each feature: the shortest way from the start to its state."""
    ways = {0: b""}
    waiting = deque([0])
    while waiting:
        state = waiting.popleft()
        row = rows[row_of[state]]
        for byte in np.nonzero(row)[0].tolist():
            following = int(row[byte])
            if following not in ways:
                ways[following] = ways[state] + bytes([byte])
                waiting.append(following)
    return {int(features[state]): way for state, way in ways.items() if features[state] >= 0}


def _notice() -> str:
    found = metadata.distribution("py3langid").read_text("licenses/LICENSE") or ""
    return (
        "The weights in this folder are cut from the model shipped in py3langid 0.4.0, under this license:\n\n" + found
    )


_CARD = f"""# Language identification

Tells {len(LANGUAGES)} languages apart: {", ".join(LANGUAGES)}.
Anything else comes out as the nearest of them, mostly with low confidence; below 0.5 the code is `und`.

* What it is: counts of byte sequences of 2 to 5, weighed per language (naive Bayes), {KEPT:,} of them.
* Where it comes from: cut from the model shipped in py3langid 0.4.0 (BSD-3-Clause, see NOTICE). No text of anybody's
  is in it.
* Confidence is a softmax over marks divided by the root of the length: careful on short texts, and no probability.
* Made by `python -m training.language models/language`.
"""

if __name__ == "__main__":
    main(Path(sys.argv[1]))
