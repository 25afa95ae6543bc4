"""
A sentence encoder by onnxruntime: text to one vector, without torch.

One text, one run: the int8 graph sets its scales from whatever is in a run, so a batch would change its neighbours'
answers, and one thread gains nothing from it. Long texts go through in windows whose vectors are averaged.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from triage.errors import ModelRefused

Vector = npt.NDArray[np.float32]

WINDOW = 126
"""Tokens of one window, less the two end marks."""
_OVERLAP = 16
MOST_WINDOWS = 24
"""Windows of one text that are read; the middle of a longer text is left out, its beginning and end are not."""


class Encoder:
    """Turns texts into vectors of shape (hidden,). Safe to share between threads."""

    def __init__(self, graph: bytes, tokenizer: bytes, *, threads: int = 1) -> None:
        """
        Open an encoder.

        Args:
            graph: ONNX, `input_ids` (n, t) int64 to `pooled` (n, hidden) float32.
            tokenizer: A `tokenizer.json`.

        Raises:
            ModelRefused: either cannot be read, or they do not fit together.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
            self._tokenizer: Tokenizer = Tokenizer.from_str(tokenizer.decode())
        except Exception as fault:  # both libraries raise bare exceptions of their own
            raise ModelRefused(f"the encoder cannot be read: {str(fault)[:200]}") from fault
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        ends = self._tokenizer.encode("").ids
        if [node.name for node in self._session.get_inputs()] != ["input_ids"] or len(ends) != 2:
            raise ModelRefused("the encoder's graph and tokenizer are not of the form that this version reads")
        self._first, self._last = ends

    def tokens(self, text: str) -> list[int]:
        """Return the token ids of *text* without end marks."""
        found: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return found

    def pooled(self, text: str) -> Vector:
        """Return the vector of *text*, shape (hidden,); that of nothing for an empty one."""
        return self.pooled_tokens(self.tokens(text))

    def pooled_tokens(self, tokens: Sequence[int]) -> Vector:
        """Return the vector of a text given as token ids: the mean over its windows, by their lengths."""
        parts = windows(tokens)
        if len(parts) == 1:
            return self._run(parts[0])
        lengths = np.array([len(part) for part in parts], dtype=np.float32)
        vectors = np.stack([self._run(part) for part in parts])
        mean: Vector = (lengths / lengths.sum()) @ vectors
        return mean

    def marked(self, tokens: Sequence[int]) -> list[int]:
        """Return *tokens* between their end marks."""
        return [self._first, *tokens, self._last]

    def _run(self, tokens: Sequence[int]) -> Vector:
        ids = np.array([self.marked(tokens)], dtype=np.int64)
        found: Vector = self._session.run(["pooled"], {"input_ids": ids})[0][0]
        return found


def windows(tokens: Sequence[int]) -> list[Sequence[int]]:
    """Return *tokens* in windows of at most `WINDOW` that overlap a little, at most `MOST_WINDOWS` of them."""
    if len(tokens) <= WINDOW:
        return [tokens]
    step = WINDOW - _OVERLAP
    starts = list(range(0, len(tokens) - _OVERLAP, step))
    if len(starts) > MOST_WINDOWS:
        half = MOST_WINDOWS // 2
        starts = starts[:half] + starts[-half:]
    return [tokens[start : start + WINDOW] for start in starts]
