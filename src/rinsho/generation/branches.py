"""Scoring many continuations at once: packed tokens, shared prompts, logits only where needed.

A prompt with several continuations is a tree: its tokens stand once, and each continuation but its
last token hangs on its end as a branch that sees the prompt and itself. Trees of many prompts go
through the model as one row of tokens; only attention is told them apart. What all prompts of a
batch begin with, a system text or examples, is read once for all of them.
"""

# T tokens of a batch: S that all readings begin with, then the rest of each, one after another;
# N readings, L tokens of the longest rest, R rows that are scored, D d_model, V vocabulary,
# H query heads, K key-value heads

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
# What readings share is read once where that spares this share of a batch's tokens: attention over
# a shared beginning is padded and masked, which costs more than what a few tokens save.
_MIN_SPARED = 0.1


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
def score_batch(
    decoder: TrainableDecoder, batch: Sequence[Reading], *, can_share: bool = False
) -> dict[Pair, Scored]:
    """Score the pairs of a batch, all chains or all trees.

    Args:
        decoder: Ours where there are trees, or where beginnings may be shared; else any.
        batch: What is read.
        can_share: Whether a beginning that all readings have is read once.
    """
    n_shared = _n_shared(batch) if can_share else 0
    rests = [one.tokens[n_shared:] for one in batch]
    flat = [*batch[0].tokens[:n_shared], *itertools.chain.from_iterable(rests)]
    tokens_T = torch.tensor(flat, dtype=torch.int64, device=decoder.output_weight.device)
    if n_shared or batch[0].branches:
        hidden_TD = _branched_hidden(cast(Decoder, decoder), tokens_T, batch, n_shared)
    else:
        hidden_TD = decoder.forward_hidden(tokens_T, [len(rest) for rest in rests])
    starts = itertools.accumulate((len(rest) for rest in rests), initial=0)
    places = [
        (pair, [row if row < n_shared else start + row for row in rows])
        for start, one in zip(starts, batch, strict=False)
        for pair, rows in one.rows
    ]
    return _score_rows(decoder, hidden_TD, places)


def _n_shared(batch: Sequence[Reading]) -> int:
    """Return how many tokens all readings begin with; 0 where that spares too little.

    At least one token of each is left, and branches are left whole.
    """
    first, last = (pick(batch, key=lambda one: one.tokens).tokens for pick in (min, max))
    n_same = next(
        (n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b),
        min(len(first), len(last)),
    )
    ends = (one.branches[0][0] if one.branches else len(one.tokens) for one in batch)
    n_shared = min(n_same, min(ends) - 1)
    n_tokens = sum(len(one.tokens) for one in batch)
    return n_shared if n_shared * (len(batch) - 1) >= _MIN_SPARED * n_tokens else 0


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


def _branched_hidden(
    decoder: Decoder, tokens_T: Tensor, batch: Sequence[Reading], n_shared: int
) -> Tensor:
    """Return hidden states, shape (T, D): matrices on packed tokens, attention apart.

    Attention alone is padded to the longest rest, and a mask says what each token sees.
    """
    device = tokens_T.device
    behind = [one.positions()[n_shared:] for one in batch]
    positions = [*range(n_shared), *itertools.chain.from_iterable(behind)]
    lengths = [len(rest) for rest in behind]
    positions_T = torch.tensor(positions, device=device)
    rotary = rotary_table(positions_T, decoder.config, [len(one.tokens) for one in batch])
    longest = max(lengths)
    # What fills a short row sees something, so that no softmax is empty; nobody sees it.
    sees_NLX = torch.zeros(len(batch), longest, n_shared + longest, dtype=torch.bool)
    sees_NLX[:, :, n_shared:] = torch.eye(longest, dtype=torch.bool)
    for number, one in enumerate(batch):
        n_rest = lengths[number]
        sees_NLX[number, :n_rest, : n_shared + n_rest] = one.mask()[n_shared:]
    flat = [n * longest + place for n, length in enumerate(lengths) for place in range(length)]
    padded = _Padded(n_shared, sees_NLX[:, None].to(device), torch.tensor(flat, device=device))
    x_TD = decoder.model.embed_tokens(tokens_T)
    for block in decoder.model.layers:
        assert isinstance(block, Block)
        heads = block.self_attn.heads(block.input_layernorm(x_TD), rotary)
        x_TD = x_TD + block.self_attn.o_proj(_attend(heads, padded).flatten(-2))
        x_TD = x_TD + block.mlp(block.post_attention_layernorm(x_TD))
    return decoder.model.norm(x_TD)


@dataclass(frozen=True, slots=True)
class _Padded:
    """How readings lie in attention.

    Attributes:
        n_shared: S.
        sees: What each token of a rest sees of S and of its rest, shape (N, 1, L, S + L).
        places: Of each token behind the shared ones, its place among N * L.
    """

    n_shared: int
    sees: Tensor
    places: Tensor


def _attend(heads: tuple[Tensor, Tensor, Tensor], padded: _Padded) -> Tensor:
    """Attend inside the shared beginning, and from each rest to it and to itself: (T, H, D)."""
    n_shared, n_readings, longest = padded.n_shared, *padded.sees.shape[::2][:2]
    q_1HSD, k_1KSD, v_1KSD = (one[:n_shared].transpose(0, 1)[None] for one in heads)
    rests: list[Tensor] = []
    for one_THD in heads:
        grown = one_THD.new_zeros(n_readings * longest, *one_THD.shape[1:])
        grown[padded.places] = one_THD[n_shared:]
        rests.append(grown.unflatten(0, (n_readings, longest)).transpose(1, 2))
    keys, values = (
        torch.cat((before.expand(n_readings, -1, -1, -1), own), dim=2)
        for before, own in zip((k_1KSD, v_1KSD), rests[1:], strict=True)
    )
    out_NHLD = functional.scaled_dot_product_attention(
        rests[0], keys, values, attn_mask=padded.sees, enable_gqa=True
    )
    out_THD = out_NHLD.transpose(1, 2).flatten(0, 1)[padded.places]
    if not n_shared:
        return out_THD
    out_1HSD = functional.scaled_dot_product_attention(
        q_1HSD, k_1KSD, v_1KSD, is_causal=True, enable_gqa=True
    )
    return torch.cat((out_1HSD[0].transpose(0, 1), out_THD))
