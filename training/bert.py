"""
The encoder as torch sees it: BERT without its pooler, under the weight names its checkpoints use.

Written out so that training is quick on a CPU, export traces nothing by accident, and no other library is needed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from msgspec import Struct
from torch import nn


class Shape(Struct, frozen=True, kw_only=True):
    """The sizes of an encoder, by the names that `config.json` uses."""

    vocab_size: int
    hidden_size: int = 384
    num_hidden_layers: int = 6
    num_attention_heads: int = 12
    intermediate_size: int = 1536
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12


class Attention(nn.Module):
    """Self-attention of one layer, (n, t, hidden) to (n, t, hidden)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.num_attention_heads
        self.size = shape.hidden_size // self.heads
        self.query = nn.Linear(shape.hidden_size, shape.hidden_size)
        self.key = nn.Linear(shape.hidden_size, shape.hidden_size)
        self.value = nn.Linear(shape.hidden_size, shape.hidden_size)

    def forward(self, states: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Return the attended states; *bias*, (n, 1, 1, t), is added to the marks: 0, or far below for padding."""
        rows, width = states.shape[0], states.shape[1]
        split = (rows, width, self.heads, self.size)
        query = self.query(states).view(split).transpose(1, 2)
        key = self.key(states).view(split).permute(0, 2, 3, 1)
        value = self.value(states).view(split).transpose(1, 2)
        shares = torch.softmax(torch.matmul(query, key) / math.sqrt(self.size) + bias, dim=-1)
        return torch.matmul(shares.to(value.dtype), value).transpose(1, 2).reshape(rows, width, self.heads * self.size)


class Joined(nn.Module):
    """A linear layer, dropout, and the normalised sum with what went in."""

    def __init__(self, wide: int, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.dense = nn.Linear(wide, shape.hidden_size)
        self.LayerNorm = nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        """Return the normalised sum of *before* and the transformed *states*."""
        summed: torch.Tensor = self.LayerNorm(self.dropout(self.dense(states)) + before)
        return summed


class Layer(nn.Module):
    """One layer: attention, then the wide linear pair."""

    def __init__(self, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.attention = nn.ModuleDict({"self": Attention(shape), "output": Joined(shape.hidden_size, shape, dropout)})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(shape.hidden_size, shape.intermediate_size)})
        self.output = Joined(shape.intermediate_size, shape, dropout)

    def forward(self, states: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Return the states after this layer."""
        states = self.attention["output"](self.attention["self"](states, bias), states)
        wide = nn.functional.gelu(self.intermediate["dense"](states))
        after: torch.Tensor = self.output(wide, states)
        return after


class Embeddings(nn.Module):
    """Words, places and the one segment, summed and normalised."""

    def __init__(self, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.position_embeddings = nn.Embedding(shape.max_position_embeddings, shape.hidden_size)
        self.token_type_embeddings = nn.Embedding(shape.type_vocab_size, shape.hidden_size)
        self.LayerNorm = nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the states, (n, t, hidden), of *tokens*, (n, t)."""
        places = torch.cumsum(torch.ones_like(tokens), dim=1) - 1
        summed = self.word_embeddings(tokens) + self.position_embeddings(places) + self.token_type_embeddings.weight[0]
        states: torch.Tensor = self.dropout(self.LayerNorm(summed))
        return states


class Bert(nn.Module):
    """The encoder: token ids and a mask, (n, t), to states, (n, t, hidden)."""

    def __init__(self, shape: Shape, dropout: float = 0.1) -> None:
        super().__init__()
        self.shape = shape
        self.embeddings = Embeddings(shape, dropout)
        self.encoder = nn.ModuleDict(
            {"layer": nn.ModuleList(Layer(shape, dropout) for _ in range(shape.num_hidden_layers))}
        )

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the last states; where *mask* is 0 nothing is attended to."""
        bias = (1.0 - mask[:, None, None, :].float()) * -1e4
        states: torch.Tensor = self.embeddings(tokens)
        layers = self.encoder["layer"]
        assert isinstance(layers, nn.ModuleList)
        for layer in layers:
            states = layer(states, bias)
        return states


class Tuned(nn.Module):
    """An encoder, its mean-pooled last states (n, hidden) and class logits (n, classes)."""

    def __init__(self, shape: Shape, classes: int = 3, dropout: float = 0.1) -> None:
        super().__init__()
        self.bert = Bert(shape, dropout)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(shape.hidden_size, classes)

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (pooled, logits); padding, where *mask* is 0, counts for nothing."""
        states = self.bert(tokens, mask)
        share = mask.unsqueeze(-1).to(states.dtype)
        pooled = (states * share).sum(1) / share.sum(1)
        return pooled, self.head(self.dropout(pooled))


def fill(model: Tuned, weights: Mapping[str, torch.Tensor]) -> bool:
    """
    Put *weights*, named as in a BERT checkpoint, into the encoder of *model*; poolers are left out.

    Return whether they hold a head for its classes too, which then is in place.
    """
    wanted = model.bert.state_dict()
    found = {name.removeprefix("bert.").removeprefix("m."): weight for name, weight in weights.items()}
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise ValueError(f"the checkpoint has no {missing[0]}: it is no BERT of this shape")
    model.bert.load_state_dict({name: found[name].float() for name in wanted})
    head = {name: found[f"head.{name}"] for name in ("weight", "bias") if f"head.{name}" in found}
    if len(head) < 2 or head["weight"].shape != model.head.weight.shape:
        return False
    model.head.load_state_dict({name: weight.float() for name, weight in head.items()})
    return True
