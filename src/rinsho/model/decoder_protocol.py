"""What training and the heads need of a decoder, whoever wrote it.

`Decoder` is one as it stands; `TransformersDecoder` makes one of any causal model of transformers.
Both are `torch.nn.Module`s: what a Protocol cannot say, `as_module` checks.
"""

# T tokens of all segments one after another, D d_model, V vocabulary

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, Self, cast

from torch import Tensor, nn


class DecoderShape(Protocol):
    """The numbers of a decoder that its users need."""

    @property
    def vocab_size(self) -> int:
        """Return the rows of the output matrix."""
        ...

    @property
    def d_model(self) -> int:
        """Return the width of a hidden state."""
        ...

    @property
    def context_length(self) -> int:
        """Return the most tokens of one segment."""
        ...


class TrainableDecoder(Protocol):
    """A decoder that training and the heads can use; always an `nn.Module`."""

    @property
    def config(self) -> DecoderShape:
        """Return the shape."""
        ...

    @property
    def output_weight(self) -> Tensor:
        """Return the matrix from hidden states to logits, shape (V, D)."""
        ...

    def forward_hidden(
        self, tokens_T: Tensor, segment_lengths: Sequence[int], *, is_causal: bool = True
    ) -> Tensor:
        """Return the hidden states behind the last norm, shape (T, D).

        Args:
            tokens_T: Segments one after another, int64, shape (sum of the lengths,).
            segment_lengths: Tokens of each segment; none sees another, positions start anew.
            is_causal: Whether a token sees only those before it.
        """
        ...

    def logits(self, hidden: Tensor) -> Tensor:
        """Return unnormalized log-probabilities of the next token, shape (…, V)."""
        ...

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """Yield the parameters, frozen ones too."""
        ...

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield the parameters with their names, frozen ones too."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the tensors by name."""
        ...

    def train(self, mode: bool = True) -> Self:
        """Switch dropout on or off; return itself."""
        ...

    def eval(self) -> Self:
        """Switch dropout off; return itself."""
        ...


def as_module(decoder: TrainableDecoder) -> nn.Module:
    """Return the same object as the `nn.Module` it is.

    Raises:
        TypeError: It is none.
    """
    module = cast(object, decoder)
    if not isinstance(module, nn.Module):
        raise TypeError(f"{type(module).__name__} is no torch.nn.Module")
    return module
