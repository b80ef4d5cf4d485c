"""Train the network of the learned detector, and write it into the package.

    python benchmarks/identifiers/train_network.py --data DATA    # the one that comes with rinsho
    python benchmarks/identifiers/train_network.py --data DATA --leave-out dev5 --out n.safetensors

Needs torch and the data folder (`real_text.py`). The same texts, seed, processor and version of
torch give the same bytes.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from planted import KINDS, Half, Planted
from real_text import RealText
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.nn import functional
from training_text import TrainingText

import rinsho.text
from rinsho.text.identifier_network import DILATIONS
from rinsho.text.identifier_signs import COLUMNS, fold, signs
from rinsho.text.normalize import normalize_with_offsets

# B batch, N characters, D width, K kinds and, first, no identifier.
D_CHARACTER, D_MODEL = 64, 96
N_DOCUMENTS, N_BATCH, N_PART = 32_768, 64, 2_048  # parts are sorted by length
N_LONGEST = 700  # characters
N_FOR_CHARACTERS, N_LEAST = 3_000, 8  # documents read for characters; documents that hold one
LEARNING_RATE, WEIGHT_DECAY, DROPOUT = 3e-3, 0.01, 0.1
_IGNORED = -100  # what may be found or left teaches nothing
_OUT = Path(rinsho.text.__file__).with_name("identifier_network.safetensors")


class Network(nn.Module):
    """The network of `identifier_network.py`."""

    def __init__(self, n_characters: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(n_characters, D_CHARACTER)
        self.columns = nn.ModuleList(nn.Embedding(n, D_CHARACTER) for n in COLUMNS.values())
        for table in (self.characters, *self.columns):
            nn.init.normal_(table.weight, 0, 0.15)
        self.convolutions = nn.ModuleList(
            [nn.Conv1d(D_CHARACTER, D_MODEL, 3, padding=1)]
            + [nn.Conv1d(D_MODEL, D_MODEL, 3, padding=k, dilation=k) for k in DILATIONS]
        )
        self.output = nn.Linear(D_MODEL, len(KINDS) + 2)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, ids_BN: Tensor, signs_BNC: Tensor, mask_BN: Tensor) -> Tensor:
        """Return logits of no identifier and of each kind, and of a beginning: B, N, K + 2."""
        x_BND = self.characters(ids_BN)
        for place, table in enumerate(self.columns):
            x_BND = x_BND + table(signs_BNC[..., place])
        first, *others = self.convolutions
        x_BDN = functional.relu(first((x_BND * mask_BN[..., None]).transpose(1, 2)))
        x_BDN = x_BDN * mask_BN[:, None]
        for one in others:
            x_BDN = x_BDN + self.dropout(functional.relu(one(x_BDN))) * mask_BN[:, None]
        return self.output(x_BDN.transpose(1, 2))


def to_labels(document: Planted) -> tuple[str, NDArray[np.int64], NDArray[np.int64]]:
    """Return the normalized text, the kind of each character (0 is none), and where spans begin."""
    normalized = normalize_with_offsets(document.text)
    kinds = np.zeros(len(normalized.text), np.int64)
    begins = np.zeros(len(normalized.text), np.int64)
    for span in document.spans:
        start, end = normalized.to_normalized(span.start, span.end)
        kinds[start:end] = _IGNORED if span.kind == "?" else 1 + KINDS.index(span.kind)
        begins[start : start + 1] = 1
        if span.kind == "?":
            begins[start:end] = _IGNORED
    return normalized.text, kinds, begins


def count_characters(text: TrainingText) -> list[str]:
    """Return the characters that some documents hold."""
    counts = Counter[str]()
    for _ in range(N_FOR_CHARACTERS):
        counts.update(set(map(fold, text.document().text)))
    return sorted(one for one, n in counts.items() if n >= N_LEAST)


Example = tuple[NDArray[np.int64], ...]


def examples(
    text: TrainingText, characters: Sequence[str], random: np.random.Generator
) -> Iterator[Example]:
    """Yield ids, signs, kinds and begins; some characters and names are made unknown.

    What is unknown has only its script, its run and its neighbours to be told by.
    """
    numbers = {one: number for number, one in enumerate(characters, 1)}
    while True:
        written, *labels = to_labels(text.document())
        n = min(len(written), N_LONGEST)
        ids = np.fromiter((numbers.get(fold(c), 0) for c in written[:n]), np.int64, n)
        if random.random() < 0.7:
            ids = np.where(random.random(n) < 0.5 * random.random(), 0, ids)
        for _ in range(random.integers(0, 6) if random.random() < 0.6 else 0):
            start = random.integers(n)
            ids[start : start + random.integers(2, 6)] = 0  # a word that nobody knows
        seen = signs(written)[:n]
        for column in (4, 5, 6):
            seen[:, column] *= random.random(n) >= 0.3 * random.random()
        yield ids, seen, *(one[:n] for one in labels)


def batches(found: Iterator[Example], random: np.random.Generator) -> Iterator[list[Tensor]]:
    """Yield ids, signs, kinds, begins and the mask of batches of documents of similar length."""
    for _ in range(N_DOCUMENTS // N_PART):
        part = sorted((next(found) for _ in range(N_PART)), key=lambda one: len(one[0]))
        for start in random.permutation(range(0, N_PART, N_BATCH)):
            rows = part[start : start + N_BATCH]
            yield [
                _pad([row[i] for row in rows], fill) for i, fill in enumerate((0, 0, -100, -100))
            ] + [_pad([np.ones(len(row[0]), np.float32) for row in rows], 0)]


def _pad(arrays: Sequence[NDArray[np.generic]], fill: int) -> Tensor:
    padded = np.full((len(arrays), len(arrays[-1]), *arrays[-1].shape[1:]), fill, arrays[0].dtype)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return torch.from_numpy(padded)


def train(halves: Sequence[Half], data: Path, seed: int = 0) -> tuple[Network, list[str]]:
    """Return the trained network and its characters."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    random = np.random.default_rng(seed)
    text = TrainingText(halves, RealText.read(data, seed), seed)
    characters = count_characters(text)
    network = Network(len(characters) + 1)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=N_DOCUMENTS // N_BATCH, pct_start=0.1
    )
    losses: list[float] = []
    for batch in batches(examples(text, characters, random), random):
        loss = _loss(network, *batch)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if len(losses) % 32 == 0:
            print(f"step {len(losses)}: loss {np.mean(losses[-32:]):.4f}", flush=True)
    return network.eval(), characters


def _loss(
    network: Network, ids: Tensor, seen: Tensor, kinds: Tensor, begins: Tensor, mask: Tensor
) -> Tensor:
    logits = network(ids, seen, mask)
    of_kinds = functional.cross_entropy(
        logits[..., :-1].flatten(0, 1), kinds.flatten(), ignore_index=_IGNORED
    )
    counts = begins >= 0
    of_begins = functional.binary_cross_entropy_with_logits(
        logits[..., -1][counts], begins[counts].float()
    )
    return of_kinds + 0.5 * of_begins


def write(network: Network, characters: Sequence[str], path: Path) -> None:
    """Write the weights in 16 bits, in the layout that `identifier_network.py` reads."""
    weights = {"characters": network.characters.weight, "output": network.output.weight.T}
    weights["output_bias"] = network.output.bias
    weights |= {name: one.weight for name, one in zip(COLUMNS, network.columns, strict=True)}
    for layer, one in enumerate(network.convolutions):
        weights[f"convolution.{layer}"] = one.weight.permute(2, 1, 0).flatten(0, 1)
        weights[f"bias.{layer}"] = one.bias
    arrays = {name: one.detach().numpy().astype(np.float16) for name, one in weights.items()}
    header = {"characters": "".join(characters), "kinds": " ".join(KINDS)}
    save_file({name: np.ascontiguousarray(one) for name, one in arrays.items()}, path, header)


def main() -> None:
    """Train, then write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    development = [half for half in get_args(Half) if half != "test"]
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--leave-out", choices=development, action="append", default=[])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=_OUT)
    settings = parser.parse_args()
    halves = [half for half in development if half not in settings.leave_out]
    network, characters = train(halves, settings.data, settings.seed)
    write(network, characters, settings.out)
    print(f"{settings.out}: {settings.out.stat().st_size:,} bytes, {len(characters)} characters")


if __name__ == "__main__":
    main()
