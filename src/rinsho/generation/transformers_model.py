"""A model of transformers as a language model: architectures that our decoder is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from rinsho.errors import InvalidValue, SequenceTooLong
from rinsho.generation.branches import MAX_PACKED_TOKENS, batches, score_batch, to_chains
from rinsho.generation.embeddings import mean_embeddings
from rinsho.generation.language_model import Sampling, Scored
from rinsho.generation.sampling import TokenChooser
from rinsho.model.transformers_decoder import TransformersDecoder
from rinsho.tokenizer.tokenizer import Tokenizer


class TransformersModel:
    """Scores and generates token ids with any causal model; implements `LanguageModel`.

    Args:
        decoder: The model, on its device and in its precision.
        tokenizer: The tokenizer it was trained with.
        name: What reports call the model.
    """

    def __init__(self, decoder: TransformersDecoder, tokenizer: Tokenizer, name: str) -> None:
        self._decoder = decoder.eval()
        self._tokenizer = tokenizer
        self._name = name

    @property
    def name(self) -> str:
        """Return the name that reports show."""
        return self._name

    @property
    def tokenizer(self) -> Tokenizer:
        """Return the tokenizer that the model was trained with."""
        return self._tokenizer

    @property
    def context_length(self) -> int:
        """Return the most tokens the model sees at once."""
        return self._decoder.config.context_length

    def log_likelihoods(
        self, requests: Sequence[tuple[Sequence[int], Sequence[int]]]
    ) -> list[Scored]:
        """Score (prompt, continuation) pairs of token ids, in the order of the requests.

        Raises:
            SequenceTooLong: A pair does not fit the context; nothing is cut.
            InvalidValue: A prompt is empty.
        """
        pairs = [(tuple(prompt), tuple(continuation)) for prompt, continuation in requests]
        for number, (prompt, continuation) in enumerate(pairs):
            self._check(prompt, len(continuation), f"request {number}")
        scored = {pair: Scored(0.0, 0, is_greedy=True) for pair in pairs if not pair[1]}
        readings = to_chains(pair for pair in pairs if pair[1])
        for batch in batches(readings, max_tokens=MAX_PACKED_TOKENS):
            scored |= score_batch(self._decoder, batch)
        return [scored[pair] for pair in pairs]

    def generate(self, prompt: Sequence[int], sampling: Sampling) -> Iterator[int]:
        """Yield token ids until the end of turn (not yielded), the limit or the context's end.

        Raises:
            SequenceTooLong: The prompt leaves no room for an answer.
            InvalidValue: The prompt is empty.
        """
        self._check(prompt, 1, "the prompt")
        n_new = min(sampling.max_new_tokens, self.context_length - len(prompt))
        return self._generate(list(prompt), n_new, sampling)

    def embed(self, rows: Sequence[Sequence[int]]) -> list[list[float]]:
        """Return a vector of length 1 for each row; implements `Embedder`."""
        return mean_embeddings(self._decoder, rows, self.context_length)

    def _generate(self, prompt: list[int], n_new: int, sampling: Sampling) -> Iterator[int]:
        stops = (self._tokenizer.end_of_turn_id, self._tokenizer.eos_id)
        chooser = TokenChooser(sampling, self._tokenizer, prompt)
        tokens, cache = prompt, None
        for _ in range(n_new):
            with torch.inference_mode():
                output: Any = self._decoder.inner(
                    input_ids=self._tensor([tokens]), past_key_values=cache, use_cache=True
                )
                token = chooser.choose(output.logits[0, -1])
            if token in stops:
                return
            yield token
            if chooser.is_finished:
                return
            tokens, cache = [token], output.past_key_values

    def _check(self, prompt: Sequence[int], n_more: int, where: str) -> None:
        if not prompt:
            raise InvalidValue(where=where, found="an empty prompt", expected="one token or more")
        n_tokens = len(prompt) + n_more
        if n_tokens > self.context_length:
            raise SequenceTooLong(where=where, expected=self.context_length, found=n_tokens)

    def _tensor(self, tokens: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
        return torch.tensor(tokens, dtype=torch.int64, device=self._decoder.output_weight.device)
