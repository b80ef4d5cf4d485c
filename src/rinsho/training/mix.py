"""The data mix: which documents of which source an epoch has, a pure function of (seed, epoch)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rinsho.encoding.token_shard import TokenSplit
from rinsho.errors import InvalidValue, NothingToLearn
from rinsho.runfile import StageConfig, nearest


class MixedSource(StageConfig):
    """What a mix takes of one source."""

    weight: float = Field(1.0, gt=0, description="share of the tokens, relative to the others")
    max_epochs: int | None = Field(
        None, gt=0, description="passes over it; then the others go on without it"
    )


class TokenDocuments(Protocol):
    """One split of one tokens folder, or of several."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the id of each document."""
        ...

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the source of each document."""
        ...

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Return the tokens of each document."""
        ...

    def document(self, index: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """Return the tokens and the loss mask of one document."""
        ...


class JoinedSplit:
    """Splits of several tokens folders, one behind the other; nothing is copied."""

    def __init__(self, parts: Sequence[TokenSplit]) -> None:
        self.parts = tuple(parts)
        self.ids = tuple(id_ for part in parts for id_ in part.ids)
        self.sources = tuple(source for part in parts for source in part.sources)
        self.lengths = np.concatenate([part.lengths for part in parts])
        self._ends = tuple(accumulate(part.n_documents for part in parts))

    @property
    def n_documents(self) -> int:
        """Return the number of documents of all folders."""
        return len(self.ids)

    def document(self, index: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """Return the tokens and the loss mask of one document."""
        part = bisect_right(self._ends, index)
        first = self._ends[part - 1] if part else 0
        return self.parts[part].document(index - first)


class Mix:
    """Documents by source, drawn with weights.

    A source is read in passes; each pass shuffles its documents anew. An epoch ends when the first
    of the sources has been read once: it has `weight / sum of weights` of its tokens from each, so
    that no source is read twice in it, and the others go on in the next epoch where they stopped.
    Tokens are cut at documents: shares hold to within one document.

    Args:
        members: Source -> indices of its documents; none is empty.
        mix: Source -> what is asked of it, the same keys.
        lengths: Tokens of each document.
        seed: Of the run.
    """

    def __init__(
        self,
        members: Mapping[str, NDArray[np.int64]],
        mix: Mapping[str, MixedSource],
        lengths: NDArray[np.int64],
        seed: int,
    ) -> None:
        self._members, self._mix, self._lengths, self._seed = members, mix, lengths, seed
        self._sizes = {name: int(lengths[at].sum()) for name, at in members.items()}
        epoch_tokens = min(self._sizes[name] / one.weight for name, one in mix.items())
        self._drawn = {
            name: min(self._sizes[name], max(1, round(one.weight * epoch_tokens)))
            for name, one in mix.items()
        }

    @property
    def n_epochs(self) -> int | None:
        """Return the epochs until every source has had its passes; None where one has no end."""
        ends: list[int] = []
        for name, one in self._mix.items():
            if one.max_epochs is None:
                return None
            ends.append(-(-one.max_epochs * self._sizes[name] // self._drawn[name]))
        return max(ends)

    def documents(self, epoch: int) -> NDArray[np.int64]:
        """Return the documents of an epoch, source by source; one can stand there twice."""
        drawn = [part for name in self._members for part in self._of_source(name, epoch)]
        return np.concatenate(drawn) if drawn else np.zeros(0, np.int64)

    def _of_source(self, name: str, epoch: int) -> Iterator[NDArray[np.int64]]:
        size, limit = self._sizes[name], self._mix[name].max_epochs
        start, end = epoch * self._drawn[name], (epoch + 1) * self._drawn[name]
        if limit is not None:
            start, end = min(start, limit * size), min(end, limit * size)
        while start < end:
            read, first = divmod(start, size)
            order = self._pass(name, read)
            # A document belongs to the epoch in which its first token falls.
            begins = np.cumsum(self._lengths[order]) - self._lengths[order]
            upto = min(size, first + end - start)
            yield order[np.searchsorted(begins, first) : np.searchsorted(begins, upto)]
            start += upto - first

    def _pass(self, name: str, number: int) -> NDArray[np.int64]:
        at = list(self._members).index(name)
        random = np.random.default_rng([self._seed, number, at])
        return random.permutation(self._members[name])


def new_mix(
    mix: Mapping[str, MixedSource], folders: Mapping[str, TokenSplit], seed: int
) -> tuple[JoinedSplit, Mix]:
    """Return the joined training splits of some folders and the mix over their documents.

    Args:
        mix: A source, or the name of a folder for those of its sources that are not named.
        folders: Name -> training split.
        seed: Of the run.

    Raises:
        InvalidValue: The mix is empty, or names no source and no folder.
        NothingToLearn: A source has no token in the training split.
    """
    if not mix:
        raise InvalidValue(where="[pretrain.mix]", found="0 sources", expected="one or more")
    joined = JoinedSplit(list(folders.values()))
    sources = np.array(joined.sources)
    in_folder = np.repeat(list(folders), [part.n_documents for part in joined.parts])
    is_named = np.isin(sources, list(mix))
    known = sorted({*joined.sources, *folders})
    members: dict[str, NDArray[np.int64]] = {}
    for name in mix:
        if name not in known:
            near = nearest(name, known)
            raise InvalidValue(where=f"[pretrain.mix] {name}", found="no source", expected=near)
        taken = (sources == name) | ((in_folder == name) & ~is_named)
        members[name] = np.flatnonzero(taken & (joined.lengths > 1))
        if not len(members[name]):
            raise NothingToLearn(
                where=f"[pretrain.mix] {name}", expected="the mix", found="0 documents to train on"
            )
    return joined, Mix(members, mix, joined.lengths, seed)
