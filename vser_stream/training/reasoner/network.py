"""The network of the bundled reasoner: a small LLaMA, and its GGUF file.

Rotary embeddings turn interleaved pairs, as llama.cpp's ``llama`` architecture does, so that weights
are written as they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from vser_stream.training.reasoner.tokenizer import BOS, EOS, byte_pairs, id_of, kinds, texts

__all__ = ["Network", "Shape", "prime_copying", "write_gguf"]

_EPSILON = 1e-5
_ROPE_BASE = 1e6
"""High, so that most pairs turn little over a prompt and can match what is far away."""

_SPREAD = 0.05
"""Standard deviation of fresh weights."""

_PRE_TOKENIZER = "smollm"
"""llama.cpp's name for single digits and GPT-2's words. Without it tokens are silently others."""

_TURNING = 5
"""Pairs of a head that turn fast enough to tell a place from its neighbours."""

_AIM, _SHARPNESS = 4.0, 2.0
"""How firmly the primed heads attend."""

_UNLIKE = 0.3
"""How far twins start apart."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Size of the network."""

    vocabulary: int
    width: int = 128
    """A multiple of the blocks of 32 that Q8_0 needs, as is ``inner``."""

    layers: int = 4
    heads: int = 4
    inner: int = 384
    context: int = 256
    """Tokens of prompt and answer together."""


class _Block(nn.Module):
    """Attention, then a gated layer, each behind a norm and beside the residual stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, inner = shape.width, shape.inner
        self.heads = shape.heads
        self.attn_norm, self.ffn_norm = nn.RMSNorm(width, _EPSILON), nn.RMSNorm(width, _EPSILON)
        self.attn_q, self.attn_k, self.attn_v, self.attn_output = (
            nn.Linear(width, width, bias=False) for _ in range(4)
        )
        self.ffn_gate, self.ffn_up = (nn.Linear(width, inner, bias=False) for _ in range(2))
        self.ffn_down = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        """Return the residual stream after this block, shape (batch, length, width)."""
        normed = self.attn_norm(x)
        query, key, value = (self._split(one(normed)) for one in (self.attn_q, self.attn_k, self.attn_v))
        attended = functional.scaled_dot_product_attention(
            _turned(query, turns), _turned(key, turns), value, is_causal=True
        )
        x = x + self.attn_output(attended.transpose(1, 2).flatten(2))
        normed = self.ffn_norm(x)
        gated: Tensor = self.ffn_down(functional.silu(self.ffn_gate(normed)) * self.ffn_up(normed))
        return x + gated

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


def _turned(x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate each pair of neighbours by its angle at its place, shape (batch, heads, length, size)."""
    cosine, sine = (turn[: x.shape[2]] for turn in turns)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], dim=-1).flatten(-2)


class Network(nn.Module):
    """A LLaMA with tied embeddings."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.vocabulary, shape.width)
        self.blk = nn.ModuleList(_Block(shape) for _ in range(shape.layers))
        self.output_norm = nn.RMSNorm(shape.width, _EPSILON)
        for name, weight in self.named_parameters():
            if weight.ndim > 1:
                deep = name.endswith(("attn_output.weight", "ffn_down.weight"))
                nn.init.normal_(weight, std=_SPREAD / (2 * shape.layers) ** 0.5 if deep else _SPREAD)
        size = shape.width // shape.heads
        angles = torch.arange(shape.context)[:, None] * _ROPE_BASE ** (-torch.arange(0, size, 2) / size)
        self.turns = (angles.cos(), angles.sin())

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the normed stream, shape (batch, length, width), of tokens, shape (batch, length)."""
        x: Tensor = self.token_embd(tokens)
        for block in self.blk:
            x = block(x, self.turns)
        normed: Tensor = self.output_norm(x)
        return normed

    def logits(self, stream: Tensor) -> Tensor:
        """Return what follows each place of a stream, shape (..., vocabulary)."""
        return functional.linear(stream, self.token_embd.weight)

    @property
    def parameter_count(self) -> int:
        """Weights of the network."""
        return sum(weight.numel() for weight in self.parameters())


def prime_copying(network: Network, twins: Sequence[tuple[int, int]]) -> None:
    """Start from an induction circuit, which a network this small would take hours to find.

    Head 0 of layer 0 looks at the token before and notes it down; two heads of layer 1 look for the
    place where the current token was noted, and predict what stands there. So "tremor" is followed
    by the figure that followed it before. Everything stays free to be learned differently.

    Args:
        network: Fresh.
        twins: Tokens that mean the same in two languages; they start alike, so that a cue is looked
            up by its Vietnamese name too.
    """
    width, size = network.shape.width, network.shape.width // network.shape.heads
    first, second = (cast("_Block", block) for block in network.blk[:2])
    with torch.no_grad():
        embedding = network.token_embd.weight
        for one, other in twins:
            embedding[one] = (embedding[other] + _UNLIKE * embedding[one]) / math.hypot(1.0, _UNLIKE)
        # Directions of the stream: one for what all tokens share, by which a head aims at a place alone;
        # some for notes, which no token has by itself; the others for the tokens.
        basis = functional.pad(torch.linalg.qr(torch.randn(width - 1, width - 1)).Q, (0, 1))
        noted, named, more = basis[: 3 * size].view(3, size, width)
        embedding -= embedding @ noted.T @ noted
        embedding[:, -1] = 2.0 * _SPREAD
        _look_back(first, size)
        first.attn_v.weight[:size] = named
        first.attn_output.weight[:, :size] = 2.0 * _SPREAD * noted.T
        still = (torch.arange(size) >= 2 * _TURNING)[:, None]
        for head, carried in enumerate((named, more)):
            rows = slice(head * size, (head + 1) * size)
            second.attn_q.weight[rows] = _SHARPNESS * named * still
            second.attn_k.weight[rows] = _SHARPNESS * noted * still
            second.attn_v.weight[rows] = carried
            second.attn_output.weight[:, rows] = 4.0 * _SPREAD * carried.T


def _look_back(block: _Block, size: int) -> None:
    """Aim head 0 at the place before: its key is the query turned by one place."""
    pairs = torch.arange(_TURNING)
    angles = _ROPE_BASE ** (-2.0 * pairs / size)
    for layer, cosine, sine in (
        (block.attn_q, torch.ones(_TURNING), torch.zeros(_TURNING)),
        (block.attn_k, angles.cos(), angles.sin()),
    ):
        layer.weight[:size] = 0.0
        layer.weight[2 * pairs, -1] = _AIM * cosine
        layer.weight[2 * pairs + 1, -1] = _AIM * sine


def write_gguf(
    path: Path, network: Network, tokenizer: Tokenizer, *, name: str, quantized: bool = True
) -> None:
    """Write a model llama.cpp runs: matrices as Q8_0 unless told otherwise, norms as they are."""
    writer = gguf.GGUFWriter(path, "llama")
    _write_shape(writer, network.shape, name=name, quantized=quantized)
    _write_tokenizer(writer, tokenizer)
    for tensor_name, tensor in _tensors(network).items():
        if quantized and tensor.ndim > 1:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(tensor_name, gguf.quants.quantize(tensor, kind), raw_dtype=kind)
        else:
            writer.add_tensor(tensor_name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_shape(writer: gguf.GGUFWriter, shape: Shape, *, name: str, quantized: bool) -> None:
    writer.add_name(name)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_layer_norm_rms_eps(_EPSILON)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_rope_freq_base(_ROPE_BASE)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0 if quantized else gguf.LlamaFileType.ALL_F32)


def _write_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_PRE_TOKENIZER)
    writer.add_token_list(texts(tokenizer))
    writer.add_token_types(kinds(tokenizer))
    writer.add_token_merges(byte_pairs(tokenizer))
    writer.add_bos_token_id(id_of(tokenizer, BOS))
    writer.add_eos_token_id(id_of(tokenizer, EOS))
    writer.add_add_bos_token(value=True)
    writer.add_add_eos_token(value=False)


def _tensors(network: Network) -> Mapping[str, np.ndarray]:
    """Weights by the names of the format, which the modules have too; tied ones once."""
    state = network.state_dict()
    return {name: weight.detach().numpy().astype(np.float32) for name, weight in state.items()}
