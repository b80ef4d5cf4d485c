"""The decoder: one readable transformer whose parameters carry Hugging Face's names.

Grouped-query attention, rotary positions, RMSNorm before each half of a block, a gated or a
two-matrix SiLU MLP, and on request biases on queries, keys and values (Qwen2) or a norm on each
query and key head (Qwen3). The block of NCVC-slm-1 is the two-matrix one.
"""

# B batch, T tokens (of all segments one after another, or of a row), D d_model, F d_ff,
# H query heads, K key-value heads, V vocabulary

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from rinsho.model.attention import Segments, attend_cached, attend_packed, segment_positions
from rinsho.model.compiling import compile_region
from rinsho.model.presets import DecoderConfig
from rinsho.model.rotary import rotary_table, rotate


class KeyValueCache:
    """Keys and values of the tokens seen so far, for every layer; all rows have one length."""

    def __init__(self, config: DecoderConfig, batch: int, capacity: int, like: Tensor) -> None:
        shape = (config.n_layers, batch, config.n_kv_heads, capacity, config.d_head)
        self.keys, self.values = like.new_empty(shape), like.new_empty(shape)
        self.capacity = capacity
        self.length = 0

    def append(self, layer: int, k_BKTD: Tensor, v_BKTD: Tensor) -> tuple[Tensor, Tensor]:
        """Store the new keys and values of a layer; return all of its keys and values."""
        end = self.length + k_BKTD.shape[2]
        self.keys[layer, :, :, self.length : end] = k_BKTD
        self.values[layer, :, :, self.length : end] = v_BKTD
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def repeated(self, batch: int, capacity: int) -> KeyValueCache:
        """Return `batch` copies of a cache of one row, with room for `capacity` tokens."""
        copy = object.__new__(KeyValueCache)
        copy.capacity, copy.length = capacity, self.length
        copy.keys, copy.values = (_repeat(t, batch, capacity) for t in (self.keys, self.values))
        return copy


def _repeat(cached: Tensor, batch: int, capacity: int) -> Tensor:
    n_layers, _, n_kv_heads, n_tokens, d_head = cached.shape
    grown = cached.new_empty(n_layers, batch, n_kv_heads, capacity, d_head)
    grown[:, :, :, :n_tokens] = cached
    return grown


class RMSNorm(nn.Module):
    """Divide by the root mean square, computed in fp32, and scale (Zhang & Sennrich 2019)."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalize the last dimension."""
        normed = functional.rms_norm(x.float(), self.weight.shape, None, self.eps)
        return normed.to(x.dtype) * self.weight


class Attention(nn.Module):
    """Grouped-query attention with rotary positions."""

    def __init__(self, config: DecoderConfig, layer: int) -> None:
        super().__init__()
        self.layer, self.d_head = layer, config.d_head
        d_q, d_kv = config.n_heads * config.d_head, config.n_kv_heads * config.d_head
        has_bias = config.qkv_bias or config.attention_bias
        self.q_proj = nn.Linear(config.d_model, d_q, bias=has_bias)
        self.k_proj = nn.Linear(config.d_model, d_kv, bias=has_bias)
        self.v_proj = nn.Linear(config.d_model, d_kv, bias=has_bias)
        self.o_proj = nn.Linear(d_q, config.d_model, bias=config.attention_bias)
        if config.qk_norm:
            self.q_norm = RMSNorm(config.d_head, config.norm_eps)
            self.k_norm = RMSNorm(config.d_head, config.norm_eps)
        self.has_norm = config.qk_norm

    def heads(self, x_TD: Tensor, rotary: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries (T, H, D), keys and values (T, K, D), positions turned in."""
        q, k, v = (
            projection(x_TD).unflatten(-1, (-1, self.d_head))
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        if self.has_norm:
            q, k = self.q_norm(q), self.k_norm(k)
        return rotate(q, *rotary), rotate(k, *rotary), v

    def forward_cached(
        self, x_TD: Tensor, rotary: tuple[Tensor, Tensor], cache: KeyValueCache, batch: int
    ) -> Tensor:
        """Attend from the rows' new tokens to the cache and to themselves."""
        q, k, v = (
            heads.unflatten(0, (batch, -1)).transpose(1, 2) for heads in self.heads(x_TD, rotary)
        )
        out_BHTD = attend_cached(q, *cache.append(self.layer, k, v))
        return self.o_proj(out_BHTD.transpose(1, 2).flatten(0, 1).flatten(-2))


class GatedMLP(nn.Module):
    """down(silu(gate(x)) * up(x)) (Shazeer 2020, arXiv 2002.05202)."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.d_model, config.d_ff, bias=config.mlp_bias)
        self.up_proj = nn.Linear(config.d_model, config.d_ff, bias=config.mlp_bias)
        self.down_proj = nn.Linear(config.d_ff, config.d_model, bias=config.mlp_bias)

    def forward(self, x_TD: Tensor) -> Tensor:
        """Map each token by itself."""
        return self.down_proj(functional.silu(self.gate_proj(x_TD)) * self.up_proj(x_TD))


class TwoMatrixMLP(nn.Module):
    """down(silu(up(x))), the MLP of NCVC-slm-1."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.up_proj = nn.Linear(config.d_model, config.d_ff, bias=config.mlp_bias)
        self.down_proj = nn.Linear(config.d_ff, config.d_model, bias=config.mlp_bias)

    def forward(self, x_TD: Tensor) -> Tensor:
        """Map each token by itself."""
        return self.down_proj(functional.silu(self.up_proj(x_TD)))


class Block(nn.Module):
    """Attention, then the MLP, each behind a norm and added to what came in.

    What lies before and behind the attention are functions of their own: `torch.compile` can fuse
    them, and lengths of segments, which differ in every batch, stay outside.
    """

    def __init__(self, config: DecoderConfig, layer: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.self_attn = Attention(config, layer)
        self.mlp = GatedMLP(config) if config.mlp == "gated" else TwoMatrixMLP(config)
        self.input_layernorm = RMSNorm(config.d_model, config.norm_eps)
        self.post_attention_layernorm = RMSNorm(config.d_model, config.norm_eps)
        self.dropout, self.is_compiled = dropout, False

    def forward(
        self, x_TD: Tensor, rotary: tuple[Tensor, Tensor], segments: Segments, is_causal: bool
    ) -> Tensor:
        """Attend inside each segment, then map each token by itself."""
        before, behind = _before_attention, _behind_attention
        if self.is_compiled and self.training and torch.is_grad_enabled():
            before, behind = compile_region(before), compile_region(behind)
        dropout = self.dropout if self.training else 0.0
        q, k, v = before(self, x_TD, *rotary)
        out_THD = attend_packed(q, k, v, segments, is_causal=is_causal, dropout=dropout)
        return behind(self, x_TD, out_THD)


def _before_attention(
    block: Block, x_TD: Tensor, cos_T1D: Tensor, sin_T1D: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    return block.self_attn.heads(block.input_layernorm(x_TD), (cos_T1D, sin_T1D))


def _behind_attention(block: Block, x_TD: Tensor, out_THD: Tensor) -> Tensor:
    attended = block.self_attn.o_proj(out_THD.flatten(-2))
    x_TD = x_TD + functional.dropout(attended, block.dropout, block.training)
    mapped = block.mlp(block.post_attention_layernorm(x_TD))
    return x_TD + functional.dropout(mapped, block.dropout, block.training)


class _Trunk(nn.Module):
    """Everything below the output matrix; exists for the `model.` in the parameter names."""

    def __init__(self, config: DecoderConfig, dropout: float) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList([Block(config, i, dropout) for i in range(config.n_layers)])
        self.norm = RMSNorm(config.d_model, config.norm_eps)


class Decoder(nn.Module):
    """A decoder of the shape of `config`; `new_decoder` and `load_decoder` fill its weights.

    Args:
        config: The shape.
        dropout: Share of attention weights and of block outputs set to 0 while training.
    """

    def __init__(self, config: DecoderConfig, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.config, self.dropout = config, dropout
        self.model = _Trunk(config, dropout)
        if not config.tie_embeddings:
            self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)

    @property
    def output_weight(self) -> Tensor:
        """Return the matrix from hidden states to logits, shape (V, D)."""
        tied = self.config.tie_embeddings
        return self.model.embed_tokens.weight if tied else self.lm_head.weight

    def forward_hidden(
        self, tokens_T: Tensor, segment_lengths: Sequence[int], *, is_causal: bool = True
    ) -> Tensor:
        """Return the hidden states behind the last norm, shape (T, D).

        Args:
            tokens_T: Segments one after another, int64, shape (sum of the lengths,).
            segment_lengths: Tokens of each segment; none sees another, positions start anew.
            is_causal: Whether a token sees only those before it.
        """
        segments = Segments(segment_lengths, tokens_T.device)
        positions_T = segment_positions(segment_lengths, tokens_T.device)
        rotary = rotary_table(positions_T, self.config, segment_lengths)
        x_TD = functional.dropout(self.model.embed_tokens(tokens_T), self.dropout, self.training)
        for block in self.model.layers:
            x_TD = block(x_TD, rotary, segments, is_causal)
        return self.model.norm(x_TD)

    def compile_blocks(self) -> None:
        """Fuse what lies between attentions from now on, in training alone; it takes a minute.

        Parameters keep their names. Results equal the plain ones within rounding, not to the bit.
        """
        for block in self.model.layers:
            assert isinstance(block, Block)
            block.is_compiled = True

    def logits(self, hidden: Tensor) -> Tensor:
        """Return unnormalized log-probabilities of the next token, shape (…, V)."""
        head = self._modules.get("lm_head")  # packed weights have one, tied or not
        return functional.linear(hidden, self.output_weight) if head is None else head(hidden)

    def forward(self, tokens_BT: Tensor, cache: KeyValueCache | None = None) -> Tensor:
        """Return logits, shape (B, T, V); with a cache, of the new tokens `tokens_BT` alone."""
        batch, n_tokens = tokens_BT.shape
        if cache is None:
            hidden_TD = self.forward_hidden(tokens_BT.flatten(), [n_tokens] * batch)
        else:
            hidden_TD = self._forward_cached(tokens_BT, cache)
        return self.logits(hidden_TD).unflatten(0, (batch, n_tokens))

    def next_logits(
        self,
        tokens_BT: Tensor,
        cache: KeyValueCache,
        before_layer: Callable[[], None] = lambda: None,
    ) -> Tensor:
        """Add the tokens to the cache; return the logits behind the last one, shape (B, V).

        Args:
            before_layer: Called before each layer; what it raises leaves the cache as long as it
                was.
        """
        hidden_TD = self._forward_cached(tokens_BT, cache, before_layer)
        return self.logits(hidden_TD.unflatten(0, tokens_BT.shape)[:, -1])

    def new_cache(self, batch: int, capacity: int) -> KeyValueCache:
        """Return an empty cache for `batch` rows of at most `capacity` tokens."""
        return KeyValueCache(self.config, batch, capacity, self.model.norm.weight.detach())

    def _forward_cached(
        self,
        tokens_BT: Tensor,
        cache: KeyValueCache,
        before_layer: Callable[[], None] = lambda: None,
    ) -> Tensor:
        batch, n_tokens = tokens_BT.shape
        first = cache.length
        positions_T = torch.arange(first, first + n_tokens, device=tokens_BT.device).repeat(batch)
        rotary = rotary_table(positions_T, self.config, [n_tokens] * batch, first)
        x_TD = self.model.embed_tokens(tokens_BT.flatten())
        for block in self.model.layers:
            assert isinstance(block, Block)
            before_layer()
            normed = block.input_layernorm(x_TD)
            x_TD = x_TD + block.self_attn.forward_cached(normed, rotary, cache, batch)
            x_TD = x_TD + block.mlp(block.post_attention_layernorm(x_TD))
        cache.length += n_tokens
        return self.model.norm(x_TD)


def new_decoder(config: DecoderConfig, *, seed: int, dropout: float = 0.0) -> Decoder:
    """Return a decoder with fresh weights: the same bytes for the same seed.

    Normal with standard deviation 0.02; matrices that write into the residual stream divided by
    sqrt(2 * n_layers), so that its variance does not grow with depth (Radford et al. 2019, GPT-2).
    """
    with torch.device("meta"):  # torch's own start values would be drawn for nothing
        decoder = Decoder(config, dropout=dropout)
    decoder.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in decoder.named_parameters():
            if name.endswith("norm.weight"):
                parameter.fill_(1.0)
            elif name.endswith("bias"):
                parameter.fill_(0.0)
            else:
                writes = name.endswith(("o_proj.weight", "down_proj.weight"))
                std = 0.02 / math.sqrt(2 * config.n_layers) if writes else 0.02
                parameter.normal_(0.0, std, generator=generator)
    return decoder
