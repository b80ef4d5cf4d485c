"""Scoring many continuations at once: packed tokens, shared prompts, logits only where needed.

A prompt with several continuations is a tree: its tokens stand once, and each continuation but its
last token hangs on its end as a branch that sees the prompt and itself. Trees of many prompts go
through the model as one row of tokens; only attention is told them apart.
"""

# T tokens of all readings one after another, N readings of a batch, L tokens of the longest one,
# R rows that are scored, D d_model, V vocabulary, H query heads, K key-value heads

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from rinsho.generation.language_model import Scored
from rinsho.model.decoder import Block, Decoder
from rinsho.model.decoder_protocol import TrainableDecoder
from rinsho.model.rotary import rotary_table

Tokens = tuple[int, ...]
Pair = tuple[Tokens, Tokens]  # prompt, continuation

# Tokens that go through the model at once; more is not faster on a CPU and needs more memory.
MAX_PACKED_TOKENS = 4_096
# Logits that are held at once: 64 MiB in fp32.
_MAX_LOGITS = 16_777_216


@dataclass(frozen=True, slots=True)
class Reading:
    """What the model reads for some pairs: a chain of tokens, or a prompt with branches.

    Attributes:
        tokens: The prompt, and the branches one after another.
        rows: For each pair, the places in `tokens` that the tokens of its continuation follow.
        branches: (start, end) of each branch in `tokens`; empty for a chain.
    """

    tokens: Tokens
    rows: tuple[tuple[Pair, tuple[int, ...]], ...]
    branches: tuple[tuple[int, int], ...] = ()

    def positions(self) -> list[int]:
        """Return the place of each token in its text: branches all begin behind the prompt."""
        if not self.branches:
            return list(range(len(self.tokens)))
        n_prompt = self.branches[0][0]
        behind = [range(n_prompt, n_prompt + end - start) for start, end in self.branches]
        return list(itertools.chain(range(n_prompt), *behind))

    def mask(self) -> Tensor:
        """Return what each token sees: those before it in its own text, shape (n, n)."""
        n_tokens = len(self.tokens)
        sees = torch.ones(n_tokens, n_tokens, dtype=torch.bool).tril()
        for start, end in self.branches:
            sees[start:end, self.branches[0][0] : start] = False
        return sees


def to_chains(pairs: Iterable[Pair]) -> list[Reading]:
    """Gather pairs that read the same tokens, as all choices of one token do; nothing branches."""
    by_tokens: dict[Tokens, list[Pair]] = defaultdict(list)
    for prompt, continuation in dict.fromkeys(pairs):
        by_tokens[prompt + continuation[:-1]].append((prompt, continuation))
    return [
        Reading(tokens, tuple((pair, (*range(len(pair[0]) - 1, len(tokens)),)) for pair in found))
        for tokens, found in by_tokens.items()
    ]


def to_trees(pairs: Iterable[Pair]) -> list[Reading]:
    """Gather pairs by prompt, which is read once however many continuations it has."""
    by_prompt: dict[Tokens, list[Tokens]] = defaultdict(list)
    for prompt, continuation in dict.fromkeys(pairs):
        by_prompt[prompt].append(continuation)
    return [_to_tree(prompt, continuations) for prompt, continuations in by_prompt.items()]


def _to_tree(prompt: Tokens, continuations: Sequence[Tokens]) -> Reading:
    tokens, places = list(prompt), dict[Tokens, tuple[int, int]]()
    for continuation in continuations:
        branch = continuation[:-1]
        if branch and branch not in places:
            places[branch] = (len(tokens), len(tokens) + len(branch))
            tokens += branch
    rows = tuple(
        ((prompt, c), (len(prompt) - 1, *range(*places.get(c[:-1], (0, 0))))) for c in continuations
    )
    return Reading(tuple(tokens), rows, tuple(places.values()) if len(places) > 1 else ())


def batches(readings: Iterable[Reading], *, max_tokens: int) -> Iterator[list[Reading]]:
    """Yield readings of like length together, chains and trees apart.

    Which are together depends on the readings alone, so that the same requests get the same bytes.
    """
    ordered = sorted(readings, key=lambda one: (bool(one.branches), len(one.tokens), one.tokens))
    batch: list[Reading] = []
    n_tokens = 0
    for one in ordered:
        is_full = n_tokens + len(one.tokens) > max_tokens
        if batch and (is_full or bool(one.branches) != bool(batch[0].branches)):
            yield batch
            batch, n_tokens = [], 0
        batch.append(one)
        n_tokens += len(one.tokens)
    if batch:
        yield batch


@torch.inference_mode()
def score_batch(decoder: TrainableDecoder, batch: Sequence[Reading]) -> dict[Pair, Scored]:
    """Score the pairs of a batch, all chains or (for our decoder alone) all trees."""
    device = decoder.output_weight.device
    lengths = [len(one.tokens) for one in batch]
    flat = list(itertools.chain.from_iterable(one.tokens for one in batch))
    tokens_T = torch.tensor(flat, dtype=torch.int64, device=device)
    if batch[0].branches:
        hidden_TD = _branched_hidden(cast(Decoder, decoder), tokens_T, batch)
    else:
        hidden_TD = decoder.forward_hidden(tokens_T, lengths)
    starts = itertools.accumulate(lengths, initial=0)
    places = [
        (pair, [start + row for row in rows])
        for start, one in zip(starts, batch, strict=False)
        for pair, rows in one.rows
    ]
    return _score_rows(decoder, hidden_TD, places)


def _score_rows(
    decoder: TrainableDecoder, hidden_TD: Tensor, places: Sequence[tuple[Pair, list[int]]]
) -> dict[Pair, Scored]:
    """Score pairs from the rows that their tokens follow; a row's logits are computed once."""
    rows = [row for _, own in places for row in own]
    labels = [token for (_, continuation), _ in places for token in continuation]
    unique_R, inverse = torch.tensor(rows).unique(return_inverse=True)
    wanted: list[list[tuple[int, int]]] = [[] for _ in unique_R]  # by row: (place, label)
    for place, (row, label) in enumerate(zip(inverse.tolist(), labels, strict=True)):
        wanted[row].append((place, label))
    log_probs, is_best = [0.0] * len(rows), [False] * len(rows)
    n_at_once = max(1, _MAX_LOGITS // decoder.output_weight.shape[0])
    for start in range(0, len(unique_R), n_at_once):
        part_R = unique_R[start : start + n_at_once].to(hidden_TD.device)
        logits_RV = decoder.logits(hidden_TD[part_R]).float()
        asked = [
            (row, place, label)
            for row, found in enumerate(wanted[start : start + n_at_once])
            for place, label in found
        ]
        row_A, place_A, label_A = torch.tensor(asked).T
        row_A, label_A = row_A.to(hidden_TD.device), label_A.to(hidden_TD.device)
        found_A = logits_RV[row_A, label_A] - logits_RV.logsumexp(-1)[row_A]
        best_A = logits_RV.argmax(-1)[row_A] == label_A
        for place, log_prob, best in zip(
            place_A.tolist(), found_A.double().tolist(), best_A.tolist(), strict=True
        ):
            log_probs[place], is_best[place] = log_prob, best
    scored: dict[Pair, Scored] = {}
    at = 0
    for pair, own in places:
        end = at + len(own)
        scored[pair] = Scored(sum(log_probs[at:end]), len(own), all(is_best[at:end]))
        at = end
    return scored


def _branched_hidden(decoder: Decoder, tokens_T: Tensor, batch: Sequence[Reading]) -> Tensor:
    """Return the hidden states of trees, shape (T, D): matrices on packed tokens, attention apart.

    Attention alone is padded to the longest tree, and a mask says what each token sees.
    """
    device = tokens_T.device
    positions = list(itertools.chain.from_iterable(one.positions() for one in batch))
    lengths = [len(one.tokens) for one in batch]
    rotary = rotary_table(torch.tensor(positions, device=device), decoder.config, lengths)
    longest = max(lengths)
    sees_NLL = torch.eye(longest, dtype=torch.bool).repeat(len(batch), 1, 1)  # padding sees itself
    for number, one in enumerate(batch):
        n_tokens = len(one.tokens)
        sees_NLL[number, :n_tokens, :n_tokens] = one.mask()
    flat = [n * longest + place for n, length in enumerate(lengths) for place in range(length)]
    places_T = torch.tensor(flat, device=device)
    sees_N1LL = sees_NLL[:, None].to(device)
    x_TD = decoder.model.embed_tokens(tokens_T)
    for block in decoder.model.layers:
        assert isinstance(block, Block)
        heads = block.self_attn.heads(block.input_layernorm(x_TD), rotary)
        out_THD = _attend_trees(heads, sees_N1LL, places_T)
        x_TD = x_TD + block.self_attn.o_proj(out_THD.flatten(-2))
        x_TD = x_TD + block.mlp(block.post_attention_layernorm(x_TD))
    return decoder.model.norm(x_TD)


def _attend_trees(
    heads: tuple[Tensor, Tensor, Tensor], sees_N1LL: Tensor, places_T: Tensor
) -> Tensor:
    """Attend inside each tree, shape (T, H, D)."""
    n_trees, longest = sees_N1LL.shape[0], sees_N1LL.shape[-1]
    padded: list[Tensor] = []
    for one_THD in heads:
        grown = one_THD.new_zeros(n_trees * longest, *one_THD.shape[1:])
        grown[places_T] = one_THD
        padded.append(grown.unflatten(0, (n_trees, longest)).transpose(1, 2))
    out_NHLD = functional.scaled_dot_product_attention(
        *padded, attn_mask=sees_N1LL, enable_gqa=True
    )
    return out_NHLD.transpose(1, 2).flatten(0, 1)[places_T]
