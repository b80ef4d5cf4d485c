"""Texts that a model writes while it is trained: greedy, so that they show the weights alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from rinsho.model.decoder_protocol import TrainableDecoder
from rinsho.tokenizer.tokenizer import Tokenizer
from rinsho.training.state import Sample


def new_sampler(
    decoder: TrainableDecoder, tokenizer: Tokenizer, prompts: Sequence[str], n_tokens: int
) -> Callable[[int], list[Sample]]:
    """Return what continues every prompt, given the step.

    Args:
        decoder: Whatever it is trained to at that time.
        tokenizer: Its tokenizer.
        prompts: Beginnings of documents.
        n_tokens: Of each continuation, at most; a document's end ends it.
    """
    ends = {tokenizer.eos_id, tokenizer.end_of_turn_id}

    def sample(step: int) -> list[Sample]:
        decoder.eval()
        found: list[Sample] = []
        for prompt in prompts:
            tokens = [tokenizer.bos_id, *tokenizer.encode(prompt)]
            new = _continue(decoder, tokens, n_tokens, ends)
            found.append({"step": step, "prompt": prompt, "text": tokenizer.decode(new)})
        return found

    return sample


def _continue(
    decoder: TrainableDecoder, tokens: Sequence[int], n_tokens: int, ends: set[int]
) -> list[int]:
    """Return the likeliest tokens one by one; the whole text goes through the model for each."""
    new: list[int] = []
    device = decoder.output_weight.device
    room = min(n_tokens, decoder.config.context_length - len(tokens))
    with torch.no_grad():
        while len(new) < room:
            seen = torch.tensor([*tokens, *new], device=device)
            hidden_TD = decoder.forward_hidden(seen, [len(seen)])
            best = int(decoder.logits(hidden_TD[-1:]).argmax())
            if best in ends:
                break
            new.append(best)
    return new
