"""Tiny language models with random weights: real to llama.cpp, and useless to anybody else."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

from vser_stream.core.reason.prompt import TOKENS

__all__ = ["CHAT_TEMPLATE", "qwen_shape", "sha256_of", "tiny_chat_model", "tiny_specialist"]

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""ChatML, as Qwen2.5 has it."""

CHAT_MARKS = ["<|im_start|>", "<|im_end|>"]
CONTROL, USER_DEFINED, NORMAL = gguf.TokenType.CONTROL, gguf.TokenType.USER_DEFINED, gguf.TokenType.NORMAL


@dataclass(frozen=True, slots=True)
class Shape:
    width: int = 64
    layers: int = 2
    heads: int = 2
    kv_heads: int = 2
    inner: int = 128
    vocabulary: int = 0
    """Padded to so many tokens."""


TINY = Shape()
QWEN = Shape(width=896, layers=24, heads=14, kv_heads=2, inner=4864, vocabulary=151_936)
"""Qwen2.5-0.5B."""


def tiny_specialist(path: Path) -> Path:
    """Write a model that knows the tokens of the bundled reasoner's prompt."""
    return _write(path, TINY, specials=["<s>", "</s>"], words=list(TOKENS), template=None)


def tiny_chat_model(path: Path, *, template: str | None = CHAT_TEMPLATE) -> Path:
    """Write a model that reads bytes, inside a chat template."""
    return _write(path, TINY, specials=CHAT_MARKS, words=[], template=template)


def qwen_shape(path: Path, *, texts: Iterable[str]) -> Path:
    """Write a model as big as Qwen2.5-0.5B in Q4_0, to which each word of ``texts`` is one token."""
    words = sorted({word for text in texts for word in re.findall(r" ?[A-Za-z]+", text) if len(word) > 1})
    return _write(path, QWEN, specials=CHAT_MARKS, words=words, template=CHAT_TEMPLATE)


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write(path: Path, shape: Shape, *, specials: list[str], words: list[str], template: str | None) -> Path:
    tokens = [*specials, *_byte_tokens(), *words]
    kinds = [CONTROL] * len(specials) + [NORMAL] * 256 + [USER_DEFINED] * len(words)
    more = max(0, shape.vocabulary - len(tokens))
    tokens += [f"unused{number}" for number in range(more)]
    kinds += [NORMAL] * more
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(8192)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([f"{tokens[len(specials)]} {tokens[len(specials)]}"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(template is None)
    if template is not None:
        writer.add_chat_template(template)
    for name, size in _sizes(len(tokens), shape).items():
        if shape is TINY or "norm" in name:
            writer.add_tensor(name, _weights(name, size))
        else:
            writer.add_tensor(name, _blocks(size), raw_dtype=gguf.GGMLQuantizationType.Q4_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _sizes(vocabulary: int, shape: Shape) -> dict[str, tuple[int, ...]]:
    keys = shape.width // shape.heads * shape.kv_heads
    block = {
        "attn_norm": (shape.width,),
        "ffn_norm": (shape.width,),
        **dict.fromkeys(("attn_q", "attn_output"), (shape.width, shape.width)),
        **dict.fromkeys(("attn_k", "attn_v"), (keys, shape.width)),
        **dict.fromkeys(("ffn_gate", "ffn_up"), (shape.inner, shape.width)),
        "ffn_down": (shape.width, shape.inner),
    }
    blocks = {
        f"blk.{layer}.{name}.weight": size for layer in range(shape.layers) for name, size in block.items()
    }
    return {"token_embd.weight": (vocabulary, shape.width), "output_norm.weight": (shape.width,), **blocks}


def _blocks(size: tuple[int, ...]) -> NDArray[np.uint8]:
    """Random Q4_0: for each 32 weights a 16-bit scale and their 4 bits."""
    rows, columns = size[0], size[1] // 32
    blocks = np.random.default_rng(rows).integers(0, 256, (rows, columns, 18), np.uint8)
    blocks[..., :2] = np.array([0.005], np.float16).view(np.uint8)
    return blocks.reshape(rows, columns * 18)


def _weights(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    if "norm" in name:
        return np.ones(shape, np.float32)
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    return np.random.default_rng(seed).normal(0.0, 0.2, shape).astype(np.float32)


def _byte_tokens() -> list[str]:
    """One character for each byte, as GPT-2 has them."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte if byte in shown else 256 + hidden.index(byte)) for byte in range(256)]
