"""Relations between the mentions of a note: which drug is said to have caused which event."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rinsho.errors import ModelCannot, RelationsNotLearned
from rinsho.text.normalize import normalize_with_offsets
from rinsho.text.relations import NO_RELATION, candidate_pairs, mark_pair
from rinsho.text.spans import Relation, Span

if TYPE_CHECKING:
    from rinsho.model.heads import TextHeads


class RelationFinder:
    """Asks a head of `form = "relation"` about every pair of mentions that may be related."""

    def __init__(self, heads: TextHeads, name: str) -> None:
        self._heads, self.name = heads, name

    def relations(self, text: str, spans: Iterable[Span]) -> tuple[Relation, ...]:
        """Return the relations between mentions of an original text, in reading order."""
        normalized = normalize_with_offsets(text)
        pairs = candidate_pairs(spans)
        marked: list[tuple[str, None]] = []
        for pair in pairs:
            head, tail = (
                Span(*normalized.to_normalized(one.start, one.end), one.label) for one in pair
            )
            marked.append((mark_pair(normalized.text, (head, tail)), None))
        kinds = (said[0].labels[0] for said in self._heads.judge(marked))
        return tuple(
            Relation(kind, *pair)
            for kind, pair in zip(kinds, pairs, strict=True)
            if kind != NO_RELATION
        )


def load_relations(weights: Path) -> RelationFinder:
    """Load weights of `finetune` with form = "relation".

    Raises:
        PathMissing, NotFinished, Corrupt, WrongKind: As `manifest.open_folder`.
        RelationsNotLearned: The folder holds no head, or one of another form.
    """
    from rinsho.model.heads import load_text_heads

    try:
        heads = load_text_heads(weights, ("relation",))
    except ModelCannot as error:
        raise RelationsNotLearned(where=error.where, found=error.found) from None
    return RelationFinder(heads, weights.name)
