"""A small network of dilated convolutions over characters: which of them belong to an identifier.

Trained by `benchmarks/identifiers/train_network.py`: on invented identifiers, and on real text and
terms in which hardly anybody is named, as what is none. Read here with numpy.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from rinsho.text.identifier_kinds import IdentifierKind
from rinsho.text.identifier_signs import COLUMNS, fold, signs
from rinsho.wanted import while_wanted

# N characters, D width, K kinds; the kernel of every convolution is 3 characters wide.
DILATIONS = (1, 2, 4, 8, 16, 1)  # after a first convolution without dilation
REACH = 1 + sum(DILATIONS)  # characters to each side that a character's answer depends on
_N_WINDOW = 2_048  # characters computed at a time: 2 MB in the widest product
_FILE = "identifier_network.safetensors"


@dataclass(frozen=True, slots=True, eq=False)
class IdentifierNetwork:
    """The weights, and what the columns of its answer mean.

    Attributes:
        weights: float32, by name.
        characters: The number of each character that it knows, from 1; others are 0.
        kinds: Kinds in the order of the answer.
    """

    weights: Mapping[str, NDArray[np.float32]]
    characters: Mapping[str, int]
    kinds: tuple[IdentifierKind, ...]

    def read(self, text: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return how likely each character belongs to each kind, and begins an identifier.

        Returns:
            float32, shape (len(text), len(kinds)), rows that add up to at most 1, the rest being
            no identifier; float32, shape (len(text),).
        """
        ids_N = np.fromiter((self.characters.get(fold(c), 0) for c in text), np.int64, len(text))
        signs_NC = signs(text)
        windows = while_wanted(_windows(len(text)))
        outputs_NO = np.concatenate(
            [self._outputs(ids_N[part], signs_NC[part])[kept] for part, kept in windows]
        )
        scores_NK = np.exp(outputs_NO[:, :-1] - outputs_NO[:, :-1].max(axis=1, keepdims=True))
        scores_NK /= scores_NK.sum(axis=1, keepdims=True)
        begins_N = 1 / (1 + np.exp(-outputs_NO[:, -1]))
        return scores_NK[:, 1:], begins_N.astype(np.float32)

    def _outputs(
        self, ids_N: NDArray[np.int64], signs_NC: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        weights = self.weights
        x_ND = weights["characters"][ids_N]
        for column, name in zip(signs_NC.T, COLUMNS, strict=True):
            x_ND = x_ND + weights[name][column]
        x_ND = _convolve(x_ND, weights["convolution.0"], weights["bias.0"], 1)
        for layer, dilation in enumerate(DILATIONS, 1):
            x_ND = x_ND + _convolve(
                x_ND, weights[f"convolution.{layer}"], weights[f"bias.{layer}"], dilation
            )
        return x_ND @ weights["output"] + weights["output_bias"]


def _windows(n: int) -> Iterator[tuple[slice, slice]]:
    """Yield pieces of a text with all that they depend on, and which part of each is kept."""
    for start in range(0, max(1, n), _N_WINDOW):
        first, end = max(0, start - REACH), min(n, start + _N_WINDOW)
        yield slice(first, end + REACH), slice(start - first, end - first)


def _convolve(
    x_ND: NDArray[np.float32], kernel: NDArray[np.float32], bias: NDArray[np.float32], dilation: int
) -> NDArray[np.float32]:
    """Return max(0, convolution); the kernel has shape (3 D, D), left character first."""
    n = len(x_ND)
    padded = np.zeros((n + 2 * dilation, x_ND.shape[1]), np.float32)
    padded[dilation : dilation + n] = x_ND
    three = (padded[:n], x_ND, padded[2 * dilation :])
    return np.maximum(np.concatenate(three, axis=1) @ kernel + bias, 0)


@functools.cache
def read_network() -> IdentifierNetwork:
    """Return the network that comes with rinsho."""
    return parse_network(importlib.resources.files("rinsho.text").joinpath(_FILE).read_bytes())


def parse_network(data: bytes) -> IdentifierNetwork:
    """Return the network of a safetensors file; its header holds the characters and kinds."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    weights = {name: one.astype(np.float32) for name, one in load(data).items()}
    characters = {one: number for number, one in enumerate(header["characters"], 1)}
    return IdentifierNetwork(weights, characters, tuple(header["kinds"].split()))
