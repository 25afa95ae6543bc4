"""
From torch to what is served: ONNX, fused and int8, behind a gate that nothing passes which answers otherwise.

The exporter is told `dynamo=False`: the other one has given wrong numbers without a word. Weights are kept to seven
bits, so that processors without the newer int8 instructions do not overflow.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from msgspec import Struct
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import optimizer
from torch import nn

from training.bert import Tuned
from triage.errors import ModelRefused
from triage.scoring.encoder import Encoder

EXACT = 1e-3
"""Largest gap of any logit between torch and the float32 graph."""
MEAN_GAP = 0.35
"""Largest mean gap of the logits between torch and the int8 graph."""
LOST = 0.003
"""Macro-F1 that int8 may lose on the gate's texts."""
FORMS = ("int8, seven bits", "int8", "int8 in part, half as large again", "float32, four times as large and slower")


class Parity(Struct, frozen=True):
    """What the gate measured: largest float32 gap, largest and mean int8 gap of logits, macro-F1 before and after."""

    texts: int
    exact_gap: float
    largest_gap: float
    mean_gap: float
    f1_before: float
    f1_after: float


class _Pooled(nn.Module):
    def __init__(self, model: Tuned) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the vectors of *tokens*, none of which is padding."""
        pooled: torch.Tensor = self.model(tokens, torch.ones_like(tokens))[0]
        return pooled


def export(model: Tuned, heads: int) -> tuple[bytes, tuple[bytes, ...]]:
    """
    Return (float32 graph, what may be served, the smallest first) of the encoder: `input_ids` to `pooled`.

    What may be served, see `FORMS`: int8 with weights of seven bits, of eight bits, of eight bits but for the layers
    whose input strays furthest from its mean, and nothing in int8.
    """
    served = _Pooled(model).eval()
    with tempfile.TemporaryDirectory() as room, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole, fused = str(Path(room) / "real.onnx"), str(Path(room) / "fused.onnx")
        axes = {"input_ids": {0: "n", 1: "t"}, "pooled": {0: "n"}}
        torch.onnx.export(
            served, (torch.ones((2, 7), dtype=torch.long),), whole, input_names=["input_ids"], output_names=["pooled"],
            dynamic_axes=axes, opset_version=17, dynamo=False,
        )  # fmt: skip
        width = model.head.in_features
        optimizer.optimize_model(whole, model_type="bert", num_heads=heads, hidden_size=width).save_model_to_file(fused)
        wide = tuple(node.name for node in onnx.load(fused).graph.node if node.name.endswith("output/dense_1/MatMul"))
        ways = ((True, ()), (False, ()), (False, wide))
        small = tuple(_quantised(Path(fused), Path(room), narrow=narrow, real=real) for narrow, real in ways)
        return Path(whole).read_bytes(), (*small, Path(fused).read_bytes())


def _quantised(fused: Path, room: Path, *, narrow: bool, real: Sequence[str]) -> bytes:
    """Return the *fused* graph in int8, its nodes *real* left as they are."""
    quantize_dynamic(
        str(fused), str(room / "small.onnx"), weight_type=QuantType.QInt8, per_channel=True, reduce_range=narrow,
        nodes_to_exclude=list(real),
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )  # fmt: skip
    return (room / "small.onnx").read_bytes()


def gate(
    model: Tuned,
    graphs: tuple[bytes, bytes],
    tokenizer: bytes,
    texts: Sequence[str],
    labels: np.ndarray,
    f1: Callable[[np.ndarray, np.ndarray], float],
) -> Parity:
    """
    Return how near the *graphs* come to torch on *texts*.

    Raises:
        ModelRefused: the float32 graph is not exact, or int8 strays or loses more than it may.
    """
    weights, offset = (part.detach().numpy() for part in (model.head.weight, model.head.bias))
    real, small = (Encoder(graph, tokenizer) for graph in graphs)
    tokens = [small.tokens(text)[:126] for text in texts]
    wanted = np.stack([_by_torch(model, small, found) for found in tokens]) @ weights.T + offset
    exact = np.stack([real.pooled_tokens(found) for found in tokens[:64]]) @ weights.T + offset
    served = np.stack([small.pooled_tokens(found) for found in tokens]) @ weights.T + offset
    gaps = np.abs(served - wanted)
    found = Parity(
        len(texts), float(np.abs(exact - wanted[:64]).max()), float(gaps.max()), float(gaps.mean()),
        f1(labels, wanted.argmax(axis=1)), f1(labels, served.argmax(axis=1)),
    )  # fmt: skip
    if found.exact_gap > EXACT:
        raise ModelRefused(f"the export is not exact: a logit is off by {found.exact_gap:.4f} (allowed {EXACT})")
    if found.mean_gap > MEAN_GAP or found.f1_before - found.f1_after > LOST:
        raise ModelRefused(
            f"int8 strays: logits by {found.mean_gap:.3f} on average (allowed {MEAN_GAP}), macro-F1 "
            f"{found.f1_before:.4f} to {found.f1_after:.4f} (allowed to lose {LOST})"
        )
    return found


def _by_torch(model: Tuned, encoder: Encoder, tokens: Sequence[int]) -> np.ndarray:
    ids = torch.tensor([encoder.marked(tokens)])
    with torch.inference_mode():
        pooled: np.ndarray = model(ids, torch.ones_like(ids))[0][0].numpy()
    return pooled
