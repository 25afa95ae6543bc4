"""A BERT of two narrow layers with a word list of ours: the real code path in a second."""

from __future__ import annotations

from pathlib import Path

import msgspec
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece

from training.bert import Bert, Shape

_WORDS = (
    *("the", "a", "is", "was", "my", "our", "your", "order", "invoice", "app", "phone", "service", "desk", "team"),
    *("today", "again", "never", "late", "broken", "wrong", "slow", "bad", "angry", "terrible", "awful", "refund"),
    *("great", "thanks", "love", "fast", "helpful", "perfect", "happy", "works", "question", "where", "when", "how"),
    *("number", "please", "change", "address", "open", "hours", "contract", "copy", "not", "very", "so", "and", "but"),
    *("it", "i", "you", "we", "user", "http", "@", "#", "!", "?", ".", ",", "'", ":", ")"),
)


def tiny_encoder(folder: Path, *, layers: int = 2) -> Path:
    """Write a checkpoint with random weights of a fixed seed into *folder* and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = [chr(code) for code in range(97, 123)] + [str(digit) for digit in range(10)]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *dict.fromkeys([*_WORDS, *letters, *(f"##{one}" for one in letters)])]
    tokenizer = Tokenizer(WordPiece({piece: at for at, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    shape = Shape(
        vocab_size=len(pieces), hidden_size=32, num_hidden_layers=layers, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=160,
    )  # fmt: skip
    (folder / "config.json").write_bytes(msgspec.json.encode(shape))
    torch.manual_seed(1)
    save_file(dict(Bert(shape).state_dict()), folder / "model.safetensors")
    return folder
