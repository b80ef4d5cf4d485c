"""How good a tokenizer is, on text it was not trained on; counts first, shares from them."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rinsho.tokenizer.morphology import Morphology, cut_alone, lines
from rinsho.tokenizer.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Measure:
    """What `measure` counted.

    Attributes:
        n_pieces: Tokens that are whole characters, spaces and newlines left out.
        n_crossing: Those of them with a morpheme boundary inside.
        term_lengths: Number of terms by the tokens each takes.
    """

    n_documents: int
    n_bytes: int
    n_tokens: int
    n_byte_tokens: int
    n_same_after_round_trip: int
    n_pieces: int
    n_crossing: int
    term_lengths: Counter[int]

    def to_json(self) -> bytes:
        """Return `measure.json`; a share without anything to divide by is null."""
        n_terms = sum(self.term_lengths.values())
        up_to = {n: sum(self.term_lengths[k] for k in range(n + 1)) for n in (1, 2, 3)}
        value = {
            "held_out_documents": self.n_documents,
            "held_out_bytes": self.n_bytes,
            "held_out_tokens": self.n_tokens,
            "byte_tokens": self.n_byte_tokens,
            "bytes_per_token": _ratio(self.n_bytes, self.n_tokens),
            "round_trip_same": self.n_same_after_round_trip,
            "pieces": self.n_pieces,
            "pieces_crossing": self.n_crossing,
            "crossing_share": _ratio(self.n_crossing, self.n_pieces),
            "terms": n_terms,
            "terms_in_at_most": {str(n): count for n, count in up_to.items()},
            "term_shares": {str(n): _ratio(count, n_terms) for n, count in up_to.items()},
        }
        return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"


def measure(
    tokenizer: Tokenizer, texts: Iterable[str], morphology: Morphology, terms: Sequence[str]
) -> Measure:
    """Encode held-out texts and terms, and compare the pieces with the analyser's boundaries."""
    totals: Counter[str] = Counter()
    for text in texts:
        ids = tokenizer.encode(text)
        totals["documents"] += 1
        totals["bytes"] += len(text.encode())
        totals["tokens"] += len(ids)
        totals["same"] += tokenizer.decode(ids) == text
        for line in lines(text):
            totals += _compare(tokenizer, line, morphology)
    return Measure(
        n_documents=totals["documents"],
        n_bytes=totals["bytes"],
        n_tokens=totals["tokens"],
        n_byte_tokens=totals["byte_tokens"],
        n_same_after_round_trip=totals["same"],
        n_pieces=totals["pieces"],
        n_crossing=totals["crossing"],
        term_lengths=Counter(len(tokenizer.encode(term)) for term in terms),
    )


def _compare(tokenizer: Tokenizer, line: str, morphology: Morphology) -> Counter[str]:
    """Count the pieces of a line, and those that a boundary of the analyser cuts."""
    words = [part for word in morphology.words(line) for part in cut_alone(word)]
    boundaries = set(itertools.accumulate(len(word) for word in words))
    _, offsets = tokenizer.encode_with_offsets(line)
    n_shared = Counter(offsets)  # the bytes of one character share their span
    counts: Counter[str] = Counter()
    for start, end in offsets:
        if n_shared[start, end] > 1:
            counts["byte_tokens"] += 1
        elif not line[start:end].isspace():
            counts["pieces"] += 1
            counts["crossing"] += any(at in boundaries for at in range(start + 1, end))
    return counts


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None
