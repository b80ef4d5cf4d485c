"""The decoder against a plain restatement of its equations, and its packed and cached forms."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from rinsho.model.decoder import Decoder, new_decoder
from rinsho.model.presets import DecoderConfig

SMALL = DecoderConfig(
    vocab_size=61, d_model=32, n_layers=2, n_heads=4, n_kv_heads=2, d_head=8, d_ff=40,
    context_length=64,
)  # fmt: skip
VARIANTS = [
    SMALL,
    SMALL.model_copy(update={"mlp": "two-matrix", "tie_embeddings": False}),
    SMALL.model_copy(update={"qkv_bias": True}),
    SMALL.model_copy(update={"qk_norm": True, "d_head": 16}),
]


def loud(config: DecoderConfig, seed: int = 0) -> Decoder:
    """A decoder whose weights are large enough that every part moves the result."""
    decoder = new_decoder(config, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return decoder.eval()


def token_row(n_tokens: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 61, (n_tokens,), generator=torch.Generator().manual_seed(seed))


def norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt() * weight


def turn(head: Tensor, position: int, theta: float) -> Tensor:
    """Multiply (x_i + i x_{i + D/2}) by exp(i * position * theta^(-2i/D))."""
    half = len(head) // 2
    pairs = torch.complex(head[:half].double(), head[half:].double())
    angles = torch.tensor([position * theta ** (-i / half) for i in range(half)]).double()
    turned = pairs * torch.polar(torch.ones_like(angles), angles)
    return torch.cat((turned.real, turned.imag))


def plain_hidden(decoder: Decoder, tokens: Tensor, is_causal: bool = True) -> Tensor:
    """The forward pass token by token and head by head, in fp64, from the equations."""
    c, w = decoder.config, {k: v.double() for k, v in decoder.state_dict().items()}
    x = w["model.embed_tokens.weight"][tokens]
    n = len(tokens)
    for layer in range(c.n_layers):
        p = f"model.layers.{layer}."
        h = norm(x, w[p + "input_layernorm.weight"], c.norm_eps)
        heads = {}
        for kind in "qkv":
            flat = h @ w[p + f"self_attn.{kind}_proj.weight"].T
            flat = flat + w.get(p + f"self_attn.{kind}_proj.bias", 0)
            heads[kind] = flat.view(n, -1, c.d_head)
            if c.qk_norm and kind != "v":
                heads[kind] = norm(heads[kind], w[p + f"self_attn.{kind}_norm.weight"], c.norm_eps)
            if kind != "v":
                turned = [
                    [turn(head, t, c.rope_theta) for head in heads[kind][t]] for t in range(n)
                ]
                heads[kind] = torch.stack([torch.stack(row) for row in turned])
        mixed = torch.zeros(n, c.n_heads, c.d_head, dtype=torch.float64)
        for t in range(n):
            seen = t + 1 if is_causal else n
            for i in range(c.n_heads):
                group = i // (c.n_heads // c.n_kv_heads)
                scores = heads["k"][:seen, group] @ heads["q"][t, i] / math.sqrt(c.d_head)
                mixed[t, i] = scores.softmax(0) @ heads["v"][:seen, group]
        x = x + mixed.view(n, -1) @ w[p + "self_attn.o_proj.weight"].T
        h = norm(x, w[p + "post_attention_layernorm.weight"], c.norm_eps)
        up = h @ w[p + "mlp.up_proj.weight"].T
        gate = h @ w[p + "mlp.gate_proj.weight"].T if c.mlp == "gated" else up
        inner = gate * torch.sigmoid(gate) * (up if c.mlp == "gated" else 1)
        x = x + inner @ w[p + "mlp.down_proj.weight"].T
    return norm(x, w["model.norm.weight"], c.norm_eps)


@pytest.mark.parametrize("config", VARIANTS)
@pytest.mark.parametrize("is_causal", [True, False])
def test_hidden_states_are_those_of_the_equations(config: DecoderConfig, is_causal: bool) -> None:
    decoder, tokens = loud(config), token_row(9)
    with torch.no_grad():
        ours = decoder.forward_hidden(tokens, [9], is_causal=is_causal)
        plain = plain_hidden(decoder, tokens, is_causal)
    assert_close(ours, plain.float(), atol=1e-4, rtol=1e-4)


@settings(max_examples=25)
@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=6), is_causal=st.booleans())
def test_packed_segments_do_not_see_each_other(lengths: list[int], is_causal: bool) -> None:
    decoder, tokens = loud(SMALL), token_row(sum(lengths))
    with torch.no_grad():
        packed = decoder.forward_hidden(tokens, lengths, is_causal=is_causal)
        alone = [
            decoder.forward_hidden(part, [len(part)], is_causal=is_causal)
            for part in tokens.split(lengths)
        ]
    assert_close(packed, torch.cat(alone), atol=2e-5, rtol=1e-4)


def test_a_causal_token_does_not_see_what_follows_and_a_bidirectional_one_does() -> None:
    decoder, tokens = loud(SMALL), token_row(10)
    changed = tokens.clone()
    changed[7] = (tokens[7] + 1) % 61
    with torch.no_grad():
        for is_causal in (True, False):
            one, other = (
                decoder.forward_hidden(t, [10], is_causal=is_causal) for t in (tokens, changed)
            )
            assert torch.equal(one[:7], other[:7]) is is_causal
            assert not torch.equal(one[7:], other[7:])


@pytest.mark.parametrize("config", VARIANTS)
def test_a_cache_fed_in_pieces_gives_the_logits_of_the_whole(config: DecoderConfig) -> None:
    decoder = loud(config)
    tokens_BT = torch.stack([token_row(12, seed) for seed in (1, 2)])
    cache = decoder.new_cache(2, 12)
    with torch.no_grad():
        pieces = [decoder(part, cache) for part in tokens_BT.split([5, 1, 4, 1, 1], dim=1)]
        whole = decoder(tokens_BT)
    assert cache.length == 12
    assert_close(torch.cat(pieces, dim=1), whole, atol=5e-5, rtol=1e-4)


def test_a_repeated_cache_continues_each_row_as_if_it_had_its_own_prompt() -> None:
    decoder, prompt = loud(SMALL), token_row(6)
    continuations_BT = torch.stack([token_row(3, seed) for seed in (7, 8, 9)])
    with torch.no_grad():
        cache = decoder.new_cache(1, 6)
        decoder(prompt[None], cache)
        shared = decoder(continuations_BT, cache.repeated(3, 9))
        rows_BT = torch.cat((prompt.expand(3, -1), continuations_BT), dim=1)
        assert_close(shared, decoder(rows_BT)[:, 6:], atol=5e-5, rtol=1e-4)


def test_a_seed_gives_the_same_weights_whatever_was_drawn_before() -> None:
    first = new_decoder(SMALL, seed=3).state_dict()
    torch.rand(17)
    second, other = new_decoder(SMALL, seed=3).state_dict(), new_decoder(SMALL, seed=4).state_dict()
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert not torch.equal(first["model.embed_tokens.weight"], other["model.embed_tokens.weight"])


def test_fresh_weights_have_the_stated_spread() -> None:
    decoder = new_decoder(SMALL.model_copy(update={"d_model": 256, "d_ff": 512}), seed=0)
    weights = decoder.state_dict()
    assert weights["model.layers.0.mlp.up_proj.weight"].std() == pytest.approx(0.02, rel=0.02)
    residual = weights["model.layers.1.mlp.down_proj.weight"].std()
    assert residual == pytest.approx(0.02 / math.sqrt(4), rel=0.02)
    assert bool((weights["model.norm.weight"] == 1).all())


def test_dropout_acts_in_training_alone() -> None:
    decoder, tokens = new_decoder(SMALL, seed=0, dropout=0.5), token_row(8)
    plain = new_decoder(SMALL, seed=0)
    torch.manual_seed(0)
    assert not torch.equal(decoder.forward_hidden(tokens, [8]), plain.forward_hidden(tokens, [8]))
    decoder.eval()
    assert torch.equal(decoder.forward_hidden(tokens, [8]), plain.forward_hidden(tokens, [8]))


def test_the_loss_falls_on_one_batch() -> None:
    from rinsho.model.loss import summed_cross_entropy

    decoder, tokens = new_decoder(SMALL, seed=0), token_row(33)
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=1e-2)
    losses: list[float] = []
    for _ in range(30):
        hidden = decoder.forward_hidden(tokens[:-1], [20, 12])
        loss = summed_cross_entropy(hidden, decoder.output_weight, tokens[1:], torch.ones(32)) / 32
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(math.log(61), abs=0.1)
    assert losses[-1] < 0.3 * losses[0]


def test_a_seeded_decoder_gives_the_logits_that_transformers_once_gave() -> None:
    path = Path(__file__).parent.parent / "golden" / "decoder_logits.json"
    golden = json.loads(path.read_text())
    decoder = new_decoder(DecoderConfig(**golden["config"]), seed=golden["seed"])
    with torch.no_grad():
        logits_BTV = decoder(torch.tensor([golden["tokens"]]))
    assert_close(logits_BTV[0], torch.tensor(golden["logits"]), atol=1e-6, rtol=1e-4)
