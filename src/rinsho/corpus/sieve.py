"""The sieve: every rule that judges a document by itself, in order, cheapest first."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from rinsho.corpus.contamination import (
    Overlap,
    OverlapIndex,
    dropped_share,
    without_overlaps,
)
from rinsho.corpus.document import Document, Message, Rejection
from rinsho.corpus.licenses import is_allowed, verdict
from rinsho.corpus.quality import Scorer, open_scorer
from rinsho.corpus.rules import Judge, open_rules
from rinsho.corpus.settings import CollectConfig
from rinsho.corpus.sources import SourceConfig, joined
from rinsho.text.identifier_kinds import PUBLIC_TEXT_KINDS, IdentifierKind, Replacement


@dataclasses.dataclass(frozen=True, slots=True)
class Judged:
    """What became of a document.

    Attributes:
        outcome: The document as it will be written if it is no duplicate, or the first rule that it
            breaks.
        identifiers: What was replaced, by kind.
        overlaps: What it shares with benchmarks, whether it was kept or not.
        n_passages, n_passage_chars: What was taken out of it for that.
    """

    outcome: Document | Rejection
    identifiers: Counter[str] = dataclasses.field(default_factory=Counter[str])
    overlaps: tuple[Overlap, ...] = ()
    n_passages: int = 0
    n_passage_chars: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Sieve:
    """What a document has to pass: license, rules, quality, benchmarks; then identifiers go.

    Attributes:
        config: The limits of the run.
        rules: What judges a text by itself.
        overlaps: The benchmarks, or None.
        scorer: What tells quality, or None.
        noncommercial: As in `licenses.is_allowed`.
    """

    config: CollectConfig
    rules: Judge
    overlaps: OverlapIndex | None
    scorer: Scorer | None
    noncommercial: bool

    def judge(self, document: Document, source: SourceConfig) -> Judged:
        """Return the document as it will be written, or why it will not be."""
        return self.judge_all([document], source)[0]

    def judge_all(self, documents: Sequence[Document], source: SourceConfig) -> list[Judged]:
        """Return `judge` of each document; step by step over all, which is quicker.

        Duplicates are looked for later, among what passes here: so a text is only a duplicate of
        one that was kept, and a form letter to two patients, without their names, is one text.
        """
        broken = self._first_broken_of_all(documents, source)
        judged = [Judged(rule or one) for rule, one in zip(broken, documents, strict=True)]
        if self.overlaps is not None:
            texts = [one.text for one in documents]
            judged = [
                self._without_benchmarks(one, self.overlaps) if is_overlapping else one
                for one, is_overlapping in zip(judged, self.overlaps.tell(texts), strict=True)
            ]
        return _without_identifiers(judged, source.identifiers)

    def _first_broken_of_all(
        self, documents: Sequence[Document], source: SourceConfig
    ) -> list[Rejection | None]:
        broken = self.rules.judge_all([one.text for one in documents], source.skip_rules)
        return [
            self._license(one) or rule or self._quality(one, source)
            for one, rule in zip(documents, broken, strict=True)
        ]

    def _license(self, document: Document) -> Rejection | None:
        name = document.license
        if is_allowed(name, self.config.allow_licenses, noncommercial=self.noncommercial):
            return None
        return Rejection("license", verdict(name), "allow_licenses")

    def _quality(self, document: Document, source: SourceConfig) -> Rejection | None:
        if self.scorer is None or "low_quality" in source.skip_rules:
            return None
        score = self.scorer.score(document.text)
        if score >= self.config.min_quality:
            return None
        return Rejection("low_quality", round(score, 3), self.config.min_quality)

    def _without_benchmarks(self, judged: Judged, index: OverlapIndex) -> Judged:
        """Take out the passages that stand in a benchmark, or the text where they are much of it.

        A conversation goes as a whole: a turn without its half is no answer.
        """
        document = judged.outcome
        if isinstance(document, Rejection):
            return judged
        text, n_passages, overlaps = without_overlaps(index, document.text)
        if not overlaps:
            return judged
        share = dropped_share(document.text, text)
        limit = self.config.max_overlap_share
        is_lost = share > limit or len(text) < self.config.min_document_chars
        if is_lost or document.messages is not None:
            rejection = Rejection(f"overlap:{_most(overlaps)}", round(share, 3), limit)
            return Judged(rejection, overlaps=tuple(overlaps))
        kept = dataclasses.replace(document, text=text)
        n_chars = len(document.text) - len(text)
        return Judged(kept, Counter(), tuple(overlaps), n_passages, n_chars)


def prepare_identifiers() -> None:
    """Compile the rules for identifiers, which takes a second, before the first text is there."""
    from rinsho.text.identifiers import find_identifiers

    find_identifiers("", PUBLIC_TEXT_KINDS)


def _without_identifiers(
    judged: Sequence[Judged], kinds: Collection[IdentifierKind]
) -> list[Judged]:
    """Put placeholders in the place of identifiers, and count them by kind."""
    if not kinds:
        return list(judged)
    from rinsho.text.identifiers import replace_in_all  # a second of compiling rules

    texts = [text for one in judged for text in _texts_of(one.outcome)]
    replaced = iter(replace_in_all(texts, kinds))
    return [_with_texts(one, replaced) for one in judged]


def _texts_of(outcome: Document | Rejection) -> list[str]:
    if isinstance(outcome, Rejection):
        return []
    if outcome.messages is None:
        return [outcome.text]
    return [message.content for message in outcome.messages]


def _with_texts(judged: Judged, replaced: Iterator[tuple[str, list[Replacement]]]) -> Judged:
    """Put the next texts in the place of those of a document."""
    document = judged.outcome
    if isinstance(document, Rejection):
        return judged
    own = list(itertools.islice(replaced, len(_texts_of(document))))
    found = Counter(one.identifier.kind for _, replacements in own for one in replacements)
    if not found:
        return judged
    texts = [text for text, _ in own]
    if document.messages is None:
        written = dataclasses.replace(document, text=texts[0])
    else:
        messages = tuple(
            Message(message.role, text)
            for message, text in zip(document.messages, texts, strict=True)
        )
        written = dataclasses.replace(document, text=joined(messages), messages=messages)
    return dataclasses.replace(judged, outcome=written, identifiers=found)


def _most(overlaps: Sequence[Overlap]) -> str:
    """Return the benchmark that most characters are shared with."""
    sizes = Counter[str]()
    for one in overlaps:
        sizes[one.benchmark] += one.end - one.start
    return max(sorted(sizes), key=lambda name: sizes[name])


def open_sieve(
    config: CollectConfig,
    *,
    overlaps: OverlapIndex | None,
    labels: Path | None,
    noncommercial: bool,
) -> Sieve:
    """Return the sieve of a run.

    Args:
        config: The limits.
        overlaps: The benchmarks that the text must not contain.
        labels: A folder of the stage `label`, whose scorer judges quality.
        noncommercial: Whether non-commercial licenses may be used.
    """
    scorer = open_scorer(labels) if labels is not None else None
    return Sieve(config, open_rules(config), overlaps, scorer, noncommercial)
