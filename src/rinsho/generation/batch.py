"""Many answers at once: one row of a matrix product each, and the same bytes as alone.

A product of matrices can round otherwise with another number of rows, but at one number of rows a
row does not depend on its neighbours. So decoding runs at widths that give the same bytes on this
machine: the widest one, and those narrower ones that a trial step shows to agree with it to the
bit. Missing rows are filled up, and more rows than the widest are more products. The step in C
(`decode_step.py`), where it is there, needs none of that: it adds for each row by itself. Prompts
are computed row by row, in chunks that begin at multiples of a fixed size. What a row gets never
depends on load.
"""

# B rows of one step (the width), H query heads, K key-value heads, D head width, V vocabulary

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from functools import cached_property

import torch
from torch import Tensor

from rinsho.generation.language_model import NewToken, Sampling
from rinsho.generation.sampling import TokenChooser
from rinsho.model.attention import attend_cached
from rinsho.model.decode_step import decode_step
from rinsho.model.decoder import Block, Decoder, KeyValueCache
from rinsho.model.rotary import rotary_table
from rinsho.tokenizer.tokenizer import Tokenizer
from rinsho.wanted import NotWanted, is_wanted

# Memory is read once for all rows: 16 cost little more than 1 in bf16. In fp32 arithmetic catches
# up with memory at about 8 on two cores.
WIDEST = {torch.bfloat16: 16, torch.float32: 8}
_NARROWER = (1, 2, 4, 8)
PROMPT_CHUNK = 64  # tokens; other answers wait for one at most
_N_CACHE_TOKENS = 256  # by which a cache grows


class Row:
    """One answer in the making; `Batch.start` makes it."""

    def __init__(self, prompt: Sequence[int], n_new: int, chooser: TokenChooser) -> None:
        self.prompt = list(prompt)
        self.chooser = chooser
        self.n_left = n_new  # tokens that may still come
        self.n_read = 0  # tokens of the prompt that stand in the cache
        self.cache: KeyValueCache | None = None
        self.last: int | None = None  # the token that is not in the cache yet
        self.ready: deque[NewToken] = deque()  # chosen, and not yet taken
        self.is_done = n_new <= 0
        self.error: Exception | None = None  # its own alone: the others go on
        self.n_steps_seen = 0
        self._is_wanted = is_wanted.get()

    def check_wanted(self) -> None:
        """Stop a chunk on its way.

        Raises:
            NotWanted: Whoever asked has left.
        """
        if not self._is_wanted():
            raise NotWanted

    @property
    def is_reading(self) -> bool:
        """Return whether a part of the prompt is still to be computed."""
        return not self.is_done and self.n_read < len(self.prompt)

    @property
    def is_writing(self) -> bool:
        """Return whether the next step gives a token."""
        return not self.is_done and self.n_read == len(self.prompt)


@contextlib.contextmanager
def _ending(row: Row) -> Generator[None, None, None]:
    """End a row that something goes wrong with, instead of the step that all share."""
    try:
        yield
    except Exception as error:  # raised by the row's own iterator
        row.error, row.is_done = error, True


class Batch:
    """The rows of one model; one thread alone may use it.

    Args:
        decoder: The weights, on their device and in their precision.
        tokenizer: Theirs.
    """

    def __init__(self, decoder: Decoder, tokenizer: Tokenizer) -> None:
        self._decoder, self._tokenizer = decoder, tokenizer
        norm_D = decoder.model.norm.weight  # matrices can be packed, in types of their own
        self._device = norm_D.device
        self.widest = WIDEST.get(norm_D.dtype, 8)
        self._in_c = decode_step(decoder)
        self._stops = (tokenizer.end_of_turn_id, tokenizer.eos_id)
        self._rows: list[Row] = []
        self.n_steps = 0

    def tokens(
        self, prompt: Sequence[int], n_new: int, sampling: Sampling
    ) -> Iterator[NewToken | None]:
        """Yield the tokens of an answer; None where a step passed that gave this row none.

        Whoever asks first takes the step for all, so iterators that are asked in turn advance
        together. Closing the iterator takes its row out. What goes wrong with one row (a constraint
        that leads nowhere, a token that is none) is raised by its own iterator, behind its tokens.
        """
        row = Row(prompt, n_new, TokenChooser(sampling, self._tokenizer, prompt))
        row.n_steps_seen = self.n_steps
        self._rows.append(row)
        try:
            while row.ready or not row.is_done:
                if not row.ready and row.n_steps_seen == self.n_steps:
                    self._step()
                row.n_steps_seen = self.n_steps
                if row.ready:
                    yield row.ready.popleft()
                elif not row.is_done:
                    yield None
            if row.error is not None:
                raise row.error
        finally:
            self._rows.remove(row)

    @torch.inference_mode()
    def _step(self) -> None:
        """Read one chunk of the oldest prompt, then write a token of every row that can."""
        self.n_steps += 1
        writing = [row for row in self._rows if row.is_writing]
        reading = next((row for row in self._rows if row.is_reading), None)
        if reading is not None:
            self._read_chunk(reading)
        for start in range(0, len(writing), self.widest):
            self._write(writing[start : start + self.widest])

    def _read_chunk(self, row: Row) -> None:
        chunk = row.prompt[row.n_read : row.n_read + PROMPT_CHUNK]
        with _ending(row):
            tokens_1T = torch.tensor([chunk], device=self._device)
            cache = self._cache(row, len(chunk))
            logits_V = self._decoder.next_logits(tokens_1T, cache, row.check_wanted)[0]
            row.n_read += len(chunk)
            if row.n_read == len(row.prompt):
                self._choose(row, logits_V)

    def _write(self, rows: Sequence[Row]) -> None:
        caches = [self._cache(row, 1) for row in rows]
        last = [row.last or 0 for row in rows]
        if self._in_c is not None:
            rotary = self._rotary([cache.length for cache in caches])
            logits_BV = self._in_c(self._tensor(last), caches, rotary)
        else:
            width = next(width for width in self.widths if width >= len(rows))
            logits_BV = self._logits(last, caches, width)
        for row, logits_V in zip(rows, logits_BV, strict=False):
            with _ending(row):
                self._choose(row, logits_V)

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Return the widths at which a row has the same bytes, narrowest first; a step each."""
        expected_BV = self._trial(self.widest)
        agreeing = (
            width
            for width in _NARROWER
            if width < self.widest and torch.equal(self._trial(width), expected_BV[:width])
        )
        return (*agreeing, self.widest)

    def _trial(self, width: int) -> Tensor:
        caches = [self._decoder.new_cache(1, 1) for _ in range(width)]
        vocab_size = self._decoder.config.vocab_size
        return self._logits([(n * 7 + 3) % vocab_size for n in range(width)], caches, width)

    def _choose(self, row: Row, logits_V: Tensor) -> None:
        token = row.chooser.choose(logits_V)
        row.n_left -= 1
        if token in self._stops:
            row.is_done = True
            return
        row.ready.append(token)
        row.last = token
        row.is_done = row.n_left <= 0 or row.chooser.is_finished

    def _cache(self, row: Row, n_more: int) -> KeyValueCache:
        """Return the cache of a row with room for more tokens; it grows by blocks."""
        length = 0 if row.cache is None else row.cache.length
        if row.cache is None or length + n_more > row.cache.capacity:
            blocks = -(-(length + n_more) // _N_CACHE_TOKENS)
            grown = self._decoder.new_cache(1, blocks * _N_CACHE_TOKENS)
            if row.cache is not None:
                grown.keys[..., :length, :] = row.cache.keys[..., :length, :]
                grown.values[..., :length, :] = row.cache.values[..., :length, :]
                grown.length = length
            row.cache = grown
        return row.cache

    def _logits(self, last: Sequence[int], caches: Sequence[KeyValueCache], width: int) -> Tensor:
        """Add a token to each row's cache; return the logits behind it, shape (B, V)."""
        decoder = self._decoder
        n_idle = width - len(last)
        tokens_B = self._tensor([*last, *([0] * n_idle)])
        rotary = self._rotary([cache.length for cache in caches] + [0] * n_idle)
        x_BD = decoder.model.embed_tokens(tokens_B)
        for block in decoder.model.layers:
            assert isinstance(block, Block)
            q_BHD, k_BKD, v_BKD = block.self_attn.heads(block.input_layernorm(x_BD), rotary)
            out_BHD = torch.zeros_like(q_BHD)
            for n, cache in enumerate(caches):
                new = (
                    heads[n : n + 1].unflatten(0, (1, 1)).transpose(1, 2)
                    for heads in (k_BKD, v_BKD)
                )
                keys, values = cache.append(block.self_attn.layer, *new)
                q_1H1D = q_BHD[n : n + 1].unflatten(0, (1, 1)).transpose(1, 2)
                out_BHD[n] = attend_cached(q_1H1D, keys, values)[0, :, 0]
            x_BD = x_BD + block.self_attn.o_proj(out_BHD.flatten(-2))
            x_BD = x_BD + block.mlp(block.post_attention_layernorm(x_BD))
        for cache in caches:
            cache.length += 1
        return decoder.logits(decoder.model.norm(x_BD))

    def _rotary(self, positions: Sequence[int]) -> tuple[Tensor, Tensor]:
        config = self._decoder.config
        scaling = config.rope_scaling
        if scaling is None or scaling.kind != "dynamic":
            return rotary_table(self._tensor(positions), config, [1] * len(positions))
        # The stretching depends on a row's own length.
        each = [rotary_table(self._tensor([p]), config, [1], p) for p in positions]
        return torch.cat([cos for cos, _ in each]), torch.cat([sin for _, sin in each])

    def _tensor(self, values: Sequence[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=self._device)
