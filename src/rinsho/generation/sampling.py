"""How the next token is chosen from its logits."""

# V vocabulary, U tokens seen, L likely tokens, N of a nucleus

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rinsho.generation.constraint import ConstrainedChoice
from rinsho.generation.language_model import NewToken, Sampling
from rinsho.tokenizer.tokenizer import Tokenizer

_LARGEST = torch.finfo(torch.float32).max
_MOST_LIKELY = 1_024  # tokens in which a nucleus is sought first; sorting them all takes 2 ms


class TokenChooser:
    """Chooses the tokens of one answer, one after the other.

    Args:
        sampling: How.
        tokenizer: Of the model; what a constraint allows depends on its pieces.
        prompt: What stands before the answer; the repetition penalty counts it too.

    Raises:
        ConstraintRefused: The constraint does not go with this tokenizer.
    """

    def __init__(self, sampling: Sampling, tokenizer: Tokenizer, prompt: Sequence[int]) -> None:
        self._sampling = sampling
        self._generator = seeded_generator(sampling)
        self._seen = list(prompt) if sampling.repetition_penalty != 1.0 else []
        self._new: list[int] = []
        self._constrained: ConstrainedChoice | None = None
        if sampling.constraint is not None:
            self._constrained = ConstrainedChoice(sampling.constraint, tokenizer)

    @property
    def is_finished(self) -> bool:
        """Return whether the constraint lets nothing follow."""
        return self._constrained is not None and self._constrained.is_finished

    def choose(self, logits_V: Tensor) -> NewToken:
        """Return the next token; it has its log-probability where `n_logprobs` asks for it.

        Args:
            logits_V: Unnormalized, shape (V,), on any device.
        """
        wanted_V = self._penalized(logits_V)
        if self._constrained is not None:
            wanted_V = self._constrained.mask(wanted_V)
        token = choose_token(wanted_V, self._sampling, self._generator)
        if self._constrained is not None:
            self._constrained.accept(token)
        self._new.append(token)
        return self._scored(token, logits_V)

    def _penalized(self, logits_V: Tensor) -> Tensor:
        sampling = self._sampling
        if sampling.repetition_penalty != 1.0:
            seen_U = torch.tensor([*self._seen, *self._new], device=logits_V.device).unique()
            of_seen_U = logits_V[seen_U]
            factor = sampling.repetition_penalty
            lower_U = torch.where(of_seen_U > 0, of_seen_U / factor, of_seen_U * factor)
            logits_V = logits_V.index_copy(0, seen_U, lower_U)
        if (sampling.frequency_penalty or sampling.presence_penalty) and self._new:
            new_U, counts_U = torch.tensor(self._new).unique(return_counts=True)
            less_U = sampling.frequency_penalty * counts_U + sampling.presence_penalty
            less_U = less_U.to(logits_V)
            logits_V = logits_V.index_add(0, new_U.to(logits_V.device), -less_U)
        return logits_V

    def _scored(self, token: int, logits_V: Tensor) -> NewToken:
        n_top = self._sampling.n_logprobs
        if n_top is None:
            return NewToken(token)
        log_probs_V = logits_V.float().log_softmax(0)
        best = log_probs_V.topk(min(n_top, len(log_probs_V)))
        top = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return NewToken(token, float(log_probs_V[token]), tuple(top))


def choose_token(logits_V: Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """Return a token id: the most likely one at temperature 0, else a draw.

    Args:
        logits_V: Unnormalized, shape (V,), on any device; the draw happens on the CPU in fp64.
        sampling: Temperature, top-k and nucleus.
        generator: A CPU generator; advanced by one number a draw, none at temperature 0.

    Source:
        Top-k: Fan et al. 2018, arXiv 1805.04833, section 5.4. Nucleus: Holtzman et al. 2020,
        arXiv 1904.09751, section 3.1; of what top-k leaves, as transformers does it.
    """
    if sampling.temperature == 0:
        return int(logits_V.argmax())
    # A penalty near 0 makes infinite logits, and so would dividing by a temperature near 0. Where
    # no logit is a number, any token is drawn.
    logits_V = logits_V.double().cpu().nan_to_num(-torch.inf, _LARGEST, -torch.inf)
    logits_V = (logits_V - logits_V.max()).nan_to_num(0.0, neginf=-torch.inf)
    logits_V = logits_V / sampling.temperature
    ids: Tensor | None = None  # of what is drawn from, if that is not the whole vocabulary
    if sampling.top_k:
        logits_V, ids = _likeliest(logits_V, sampling.top_k)
    probs_V = logits_V.softmax(0)
    if sampling.top_p < 1:
        probs_V, ids_N = _nucleus(probs_V, sampling.top_p)
        ids = ids_N if ids is None else ids[ids_N]
    mass_V = probs_V.cumsum(0)
    # In (0, 1]: a token without probability, which a constraint forbids, is never drawn.
    point = (1 - torch.rand(1, generator=generator, dtype=torch.float64)) * mass_V[-1]
    drawn = int(torch.searchsorted(mass_V, point))
    return drawn if ids is None else int(ids[drawn])


def _nucleus(probs_V: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """Return the probabilities and ids of the smallest set that holds `top_p`, likeliest first."""
    probs_L, ids_L = _likeliest(probs_V, min(_MOST_LIKELY, int(probs_V.count_nonzero())))
    mass_L = probs_L.cumsum(0)
    if mass_L[-1] < top_p:
        probs_L, ids_L = probs_V.sort(descending=True, stable=True)
        mass_L = probs_L.cumsum(0)
    # A token stays when those before it do not hold top_p yet.
    n_kept = max(1, int((mass_L - probs_L < top_p).sum()))
    return probs_L[:n_kept], ids_L[:n_kept]


def _likeliest(values_V: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Return the n largest values and their ids; of equal ones the lower id comes first."""
    least = values_V.topk(min(n, len(values_V)), sorted=False).values.min()
    ids_L = (values_V >= least).nonzero()[:, 0]  # and all that equal the last
    values_L, order_L = values_V[ids_L].sort(descending=True, stable=True)
    return values_L[:n], ids_L[order_L][:n]


def seeded_generator(sampling: Sampling) -> torch.Generator:
    """Return the source of chance of one answer."""
    return torch.Generator().manual_seed(sampling.seed)
