"""Our decoder as a language model: nothing to build, nothing to download."""

# V vocabulary

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from rinsho.console import say
from rinsho.errors import InvalidValue, ModelCannot, SequenceTooLong, TokenizerMismatch
from rinsho.generation.batch import Batch
from rinsho.generation.branches import (
    MAX_PACKED_TOKENS,
    Pair,
    Tokens,
    batches,
    score_batch,
    to_chains,
    to_trees,
)
from rinsho.generation.embeddings import mean_embeddings
from rinsho.generation.language_model import LanguageModel, Sampling, Scored
from rinsho.generation.transformers_model import TransformersModel
from rinsho.model.adapted import load_any
from rinsho.model.adapter import is_adapter
from rinsho.model.base import is_ours, open_base
from rinsho.model.decoder import Decoder
from rinsho.model.kernels import use_for_decoding
from rinsho.model.precision import DTYPES, best_device, resolve_precision
from rinsho.model.quantize import load_half_decoder, load_int4_decoder, supports_int4
from rinsho.model.transformers_decoder import TransformersDecoder
from rinsho.tokenizer.tokenizer import Tokenizer, read_tokenizer


class DecoderModel:
    """Scores and generates token ids with a decoder; implements `LanguageModel`.

    Args:
        decoder: The weights, on their device and in their precision.
        tokenizer: The tokenizer they were trained with.
        name: What reports call the model.
    """

    def __init__(self, decoder: Decoder, tokenizer: Tokenizer, name: str) -> None:
        self._decoder = decoder.eval()
        self._tokenizer = tokenizer
        self._name = name
        self._batch = Batch(decoder, tokenizer)

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
            InvalidValue: A prompt is empty: the first token needs one before it (`<s>`).
        """
        pairs = [(tuple(prompt), tuple(continuation)) for prompt, continuation in requests]
        for number, (prompt, continuation) in enumerate(pairs):
            self._check(prompt, continuation, f"request {number}")
        scored = {pair: Scored(0.0, 0, is_greedy=True) for pair in pairs if not pair[1]}
        waiting = [pair for pair in pairs if pair[1]]
        can_branch = self._can_branch(waiting)
        readings = to_trees(waiting) if can_branch else to_chains(waiting)
        for batch in batches(readings, max_tokens=MAX_PACKED_TOKENS):
            scored |= score_batch(self._decoder, batch, can_share=can_branch)
        return [scored[pair] for pair in pairs]

    def _can_branch(self, pairs: Sequence[Pair]) -> bool:
        """Tell whether positions mean the same in a tree: not where the base grows with a text."""
        scaling = self._decoder.config.rope_scaling
        if scaling is None or scaling.kind != "dynamic":
            return True
        return all(len(prompt) + len(more) <= scaling.original for prompt, more in pairs)

    def generate(self, prompt: Sequence[int], sampling: Sampling) -> Iterator[int]:
        """Yield token ids until the end of turn (not yielded), the limit or the context's end.

        Raises:
            SequenceTooLong: The prompt leaves no room for an answer.
            InvalidValue: The prompt is empty.
        """
        steps = self.generate_steps(prompt, sampling)
        return (token for token in steps if token is not None)

    def generate_steps(self, prompt: Sequence[int], sampling: Sampling) -> Iterator[int | None]:
        """Do the same a step at a time; None where a step gave this answer no token.

        Answers that are asked in turn advance together, and have the same bytes as alone. One
        thread alone may ask; errors as in `generate`.
        """
        self._check(tuple(prompt), (0,), "the prompt")
        n_new = min(sampling.max_new_tokens, self.context_length - len(prompt))
        return self._batch.tokens(prompt, n_new, sampling)

    def embed(self, rows: Sequence[Sequence[int]]) -> list[list[float]]:
        """Return a vector of length 1 for each row; implements `Embedder`."""
        return mean_embeddings(self._decoder, rows, self.context_length)

    def _check(self, prompt: Tokens, continuation: Tokens, where: str) -> None:
        if not prompt:
            raise InvalidValue(where=where, found="an empty prompt", expected="one token or more")
        n_tokens = len(prompt) + len(continuation)
        if n_tokens > self.context_length:
            raise SequenceTooLong(where=where, expected=self.context_length, found=n_tokens)


ServedPrecision = Literal["auto", "fp32", "bf16", "int4"]


def load_language_model(
    folder: Path, base: str | Path | None = None, precision: ServedPrecision = "auto"
) -> LanguageModel:
    """Open a weights folder or an adapter, check every byte, and return its model.

    It computes on a GPU where there is one, in bf16 where the device has it, else in fp32. An
    architecture that our decoder is not is run by transformers.

    Args:
        folder: Weights of rinsho's, a Hugging Face folder, a hub id in the cache, or an adapter.
        base: Of an adapter; left out, it is looked for beside the adapter.
        precision: On a CPU "bf16" keeps the matrices in bf16 and computes in fp32: half of fp32's
            memory. "int4" packs them while they are read: about a sixth; where the packed product
            is not there or not right, "auto" is taken, and said.

    Raises:
        PathMissing, NotFinished, Corrupt, WrongKind: As in `open_base` and `open_adapted`.
        AdapterMismatch, MissingInput: The base is not the adapter's, or none is found.
        ModelCannot: The weights were tuned to mark spans: they see both ways and cannot write; or
            they cannot be packed, because they are an adapter or another's architecture.
        TokenizerMismatch: The folder's tokenizer has another size than its weights.
    """
    if (folder / "head.json").is_file():
        raise ModelCannot(
            where=folder.name, found="a tagging head", expected="weights tuned for generation"
        )
    if precision == "int4" and (packed := _load_packed(folder)) is not None:
        return packed
    device = best_device()
    usual = resolve_precision("auto" if precision == "int4" else precision, device)
    if usual == "bf16" and device.type == "cpu" and not is_adapter(folder):
        path = open_base(folder).path
        if is_ours(path):
            return _decoder_model(load_half_decoder(path), path, folder.name)
    weights, decoder = load_any(folder, base, dtype=DTYPES[usual], device=device)
    if isinstance(decoder, TransformersDecoder):
        tokenizer = _fitting_tokenizer(weights, decoder.config.vocab_size, folder.name)
        return TransformersModel(decoder, tokenizer, folder.name)
    assert isinstance(decoder, Decoder)  # there is no third kind
    use_for_decoding(decoder)
    return _decoder_model(decoder, weights, folder.name)


def _load_packed(folder: Path) -> DecoderModel | None:
    """Load weights in 4 bits; None, with a message, where this machine cannot use them."""
    if is_adapter(folder):
        hint = "merge it into its base first"
        raise ModelCannot(where=folder.name, found="an adapter", expected="weights", hint=hint)
    opened = open_base(folder)
    if not is_ours(opened.path):
        expected = "a Llama, Arcee, Qwen2 or Qwen3 model"
        raise ModelCannot(where=folder.name, found="another architecture", expected=expected)
    if not supports_int4():
        say(
            "4ビットの積がこの機械で使えないため、通常の精度で読み込みます",
            "the 4-bit product does not work on this machine; loading in the usual precision",
        )
        return None
    return _decoder_model(load_int4_decoder(opened.path), opened.path, folder.name)


def _decoder_model(decoder: Decoder, weights: Path, name: str) -> DecoderModel:
    return DecoderModel(decoder, _fitting_tokenizer(weights, decoder.config.vocab_size, name), name)


def _fitting_tokenizer(weights: Path, vocab_size: int, name: str) -> Tokenizer:
    tokenizer = read_tokenizer(weights)
    if not tokenizer.fits(vocab_size):
        raise TokenizerMismatch(where=name, expected=vocab_size, found=tokenizer.vocab_size)
    return tokenizer
