"""Masked next-token prediction: a share of the batches is read both ways, with tokens hidden."""

# T tokens of all segments one after another

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from rinsho.training.batches import TokenBatch


@dataclass(frozen=True, slots=True)
class Masking:
    """The masked part of a hybrid objective.

    Source:
        Charpentier & Samuel 2024, "GPT or BERT: why not both?", arXiv 2410.24159: one model learns
        both, because the hidden token is predicted where the causal model predicts it, one place
        before it. Here every hidden token becomes `token` (BERT leaves some as they are), and the
        rate does not change over the run.
    """

    share: float  # of the batches, 0 to 1
    rate: float  # of the tokens of such a batch that are hidden
    token: int  # what stands for a hidden token; one that no text holds

    def apply(self, batch: TokenBatch, seed: tuple[int, ...]) -> TokenBatch:
        """Return a batch as it is, or masked: a pure function of the seed.

        A masked batch counts only the labels of hidden tokens, and its tokens see both ways. The
        first token of a segment is never hidden: nothing stands before it.
        """
        random = np.random.default_rng(seed)
        if random.random() >= self.share:
            return batch
        is_first = np.zeros(batch.n_tokens, bool)
        is_first[np.cumsum((0, *batch.segment_lengths[:-1]))] = True
        candidates = np.flatnonzero(~is_first & np.roll(batch.loss_mask.numpy() != 0, 1))
        hidden = candidates[random.random(len(candidates)) < self.rate]
        if not len(hidden):
            return batch  # too short to hide anything in
        tokens_T, mask_T = batch.tokens.clone(), torch.zeros_like(batch.loss_mask)
        tokens_T[torch.from_numpy(hidden)] = self.token
        mask_T[torch.from_numpy(hidden - 1)] = 1
        return replace(
            batch, tokens=tokens_T, loss_mask=mask_T, n_counted=len(hidden), is_causal=False
        )
