"""How the next token is chosen from its logits."""

# V vocabulary

from __future__ import annotations

import torch
from torch import Tensor

from rinsho.generation.language_model import Sampling


def choose_token(logits_V: Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """Return a token id: the most likely one at temperature 0, else a draw.

    Args:
        logits_V: Unnormalized, shape (V,), on any device; the draw happens on the CPU in fp64.
        sampling: Temperature and nucleus.
        generator: A CPU generator; advanced by one number a draw, none at temperature 0.

    Source:
        Nucleus: Holtzman et al. 2020, arXiv 1904.09751, section 3.1.
    """
    if sampling.temperature == 0:
        return int(logits_V.argmax())
    probs_V = (logits_V.double().cpu() / sampling.temperature).softmax(0)
    ordered_V, ids_V = probs_V.sort(descending=True, stable=True)
    mass_V = ordered_V.cumsum(0)
    # The smallest set that holds top_p: a token stays when those before it do not hold it yet.
    n_kept = max(1, int((mass_V - ordered_V < sampling.top_p).sum()))
    point = torch.rand(1, generator=generator, dtype=torch.float64) * mass_V[n_kept - 1]
    return int(ids_V[min(int(torch.searchsorted(mass_V, point)), n_kept - 1)])


def seeded_generator(sampling: Sampling) -> torch.Generator:
    """Return the source of chance of one answer."""
    return torch.Generator().manual_seed(sampling.seed)
