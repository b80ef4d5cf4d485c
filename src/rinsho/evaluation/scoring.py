"""From answers to figures: parses each answer, marks it, and makes the metrics of its form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rinsho.evaluation.answer_record import Answer, Method
from rinsho.evaluation.benchmark import Item
from rinsho.evaluation.bootstrap import Metric, mean
from rinsho.evaluation.catalogue import LoadedBenchmark
from rinsho.evaluation.choice_metrics import (
    WEIGHTINGS,
    accuracy,
    corrected_kappa,
    macro_f1,
    official_kappa,
)
from rinsho.evaluation.entity_metrics import (
    EntityRow,
    corrected_metrics,
    f1,
    normalize_entities,
    official_metrics,
)
from rinsho.evaluation.jmed_llm import document_text
from rinsho.evaluation.parse import (
    NO_LETTER,
    asked_letters,
    official_letter,
    parse_letters,
    parse_list,
    parse_spans,
)
from rinsho.evaluation.span_metrics import SpanRow, span_metrics
from rinsho.evaluation.text_metrics import bits_per_byte
from rinsho.text.spans import Span


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """One answer, parsed and marked."""

    item: Item
    answer: Answer
    prediction: tuple[str, ...] = ()  # letters or entities; empty where the output is invalid
    spans: tuple[Span, ...] = ()
    is_valid: bool = True
    is_strict: bool = True
    is_expression: bool = False
    is_right: bool | None = None  # None: there is no right or wrong (plain text)


@dataclass(frozen=True, slots=True, eq=False)
class ScoredEntry:
    """One engine on one benchmark by one method, with both families of metrics, never mixed."""

    system: str
    loaded: LoadedBenchmark
    method: Method
    rows: tuple[ScoredRow, ...]
    official: tuple[Metric, ...]  # empty where the protocol has no such method
    corrected: tuple[Metric, ...]  # the first is the one that stands in figures

    @property
    def documents(self) -> list[str]:
        """Return the document key of each row: the unit of the bootstrap."""
        return [row.item.document for row in self.rows]


def score_entry(
    system: str, loaded: LoadedBenchmark, method: Method, pairs: Sequence[tuple[Item, Answer]]
) -> ScoredEntry:
    """Parse and mark the answers of one engine to one benchmark, and make their metrics."""
    rows = tuple(mark(item, answer) for item, answer in pairs)
    official, corrected = metrics_of(loaded, method, rows)
    return ScoredEntry(system, loaded, method, rows, official, corrected)


def restrict(entry: ScoredEntry, items: set[str]) -> ScoredEntry:
    """Return an entry over some of its items."""
    rows = tuple(row for row in entry.rows if row.item.id in items)
    official, corrected = metrics_of(entry.loaded, entry.method, rows)
    return ScoredEntry(entry.system, entry.loaded, entry.method, rows, official, corrected)


# ------------------------------------------------------------------------------- marking


def mark(item: Item, answer: Answer) -> ScoredRow:
    """Parse one answer by the corrected rules; what did not fit the context is wrong."""
    match item.form:
        case "choice" | "similarity":
            return _mark_choice(item, answer)
        case "entities":
            return _mark_entities(item, answer)
        case "spans":
            parsed = parse_spans(answer.output, len(item.question))
            is_right = set(parsed.spans) == set(item.gold_spans)
            return ScoredRow(
                item, answer, spans=parsed.spans, is_valid=parsed.is_valid, is_right=is_right
            )
        case "text":
            return ScoredRow(item, answer)


def _mark_choice(item: Item, answer: Answer) -> ScoredRow:
    if answer.is_too_long:
        return ScoredRow(item, answer, is_valid=False, is_strict=False, is_right=False)
    if answer.method == "log-likelihood":
        best = max(range(len(item.choices)), key=lambda place: answer.log_likelihoods[place])
        letters = (item.letters[best],)
        return ScoredRow(item, answer, letters, is_right=letters == item.gold)
    parsed = parse_letters(answer.output, item.letters, asked_letters(item.question))
    return ScoredRow(
        item,
        answer,
        parsed.letters,
        is_valid=parsed.is_valid,
        is_strict=parsed.is_strict,
        is_right=parsed.letters == tuple(sorted(item.gold)),
    )


def _mark_entities(item: Item, answer: Answer) -> ScoredRow:
    parsed = parse_list(answer.output)
    is_right = {*normalize_entities(parsed.entities)} == {*normalize_entities(item.gold)}
    return ScoredRow(
        item,
        answer,
        parsed.entities,
        is_valid=parsed.is_valid,
        is_strict=parsed.is_valid,
        is_expression=parsed.is_expression,
        is_right=is_right and parsed.is_valid,
    )


# ------------------------------------------------------------------------------- metrics


def metrics_of(
    loaded: LoadedBenchmark, method: Method, rows: Sequence[ScoredRow]
) -> tuple[tuple[Metric, ...], tuple[Metric, ...]]:
    """Return the official metrics and the corrected ones; the leading one of each first."""
    match loaded.benchmark.form:
        case "choice" | "similarity":
            official = _official_choice(loaded, rows) if method in ("generation", "head") else ()
            return official, _corrected_choice(loaded, method, rows)
        case "entities":
            entity_rows = [_entity_row(row) for row in rows]
            corrected = corrected_metrics(entity_rows)
            return official_metrics(entity_rows), (*corrected, *_compliance(rows))
        case "spans":
            return (), span_metrics([SpanRow(row.item.gold_spans, row.spans) for row in rows])
        case "text":
            scores = [row.answer.log_likelihoods[0] for row in rows]
            n_bytes = [len(row.item.question.encode()) for row in rows]
            return (), (bits_per_byte(scores, n_bytes),)


def _official_choice(loaded: LoadedBenchmark, rows: Sequence[ScoredRow]) -> tuple[Metric, ...]:
    gold = [_joined(row.item.gold) for row in rows]
    predictions = [official_letter(row.answer.output) for row in rows]
    kappas = [official_kappa(gold, predictions, weighting) for weighting in WEIGHTINGS]
    return _in_order(loaded, kappas, accuracy(gold, predictions))


def _corrected_choice(
    loaded: LoadedBenchmark, method: Method, rows: Sequence[ScoredRow]
) -> tuple[Metric, ...]:
    gold = [_joined(row.item.gold) for row in rows]
    predictions = [_joined(row.prediction) for row in rows]
    compliance = _compliance(rows) if method == "generation" else ()
    letters = max((item.letters for item in loaded.items), key=len)
    if any(len(item.gold) > 1 for item in loaded.items):  # sets of letters have no confusion table
        return (accuracy(gold, predictions), *compliance)
    kappas = [corrected_kappa(gold, predictions, letters, weighting) for weighting in WEIGHTINGS]
    leading = _in_order(loaded, kappas, accuracy(gold, predictions))
    return (*leading, macro_f1(gold, predictions, letters), *compliance)


def _joined(letters: tuple[str, ...]) -> str:
    return "".join(sorted(letters)) or NO_LETTER


def _in_order(
    loaded: LoadedBenchmark, kappas: Sequence[Metric], share: Metric
) -> tuple[Metric, ...]:
    """Put the kappa of the benchmark first, accuracy second, the other kappas last."""
    first = WEIGHTINGS.index(loaded.benchmark.weighting)
    others = [kappa for place, kappa in enumerate(kappas) if place != first]
    return (kappas[first], share, *others)


def _entity_row(row: ScoredRow) -> EntityRow:
    return EntityRow(document_text(row.item.question), row.item.gold, row.prediction)


def _compliance(rows: Sequence[ScoredRow]) -> tuple[Metric, ...]:
    shares = [mean("format_compliance", [row.is_valid for row in rows])]
    if any(row.item.form != "entities" for row in rows):
        shares.append(mean("strict_compliance", [row.is_strict for row in rows]))
    return tuple(shares)


def row_score(row: ScoredRow) -> float | None:
    """Return one figure for one row: exact F1 of lists and spans, bits per byte of a text."""
    match row.item.form:
        case "entities":
            gold, found = (
                {*normalize_entities(entities)} for entities in (row.item.gold, row.prediction)
            )
            return f1(len(gold & found), len(found), len(gold))
        case "spans":
            gold, found = set(row.item.gold_spans), set(row.spans)
            return f1(len(gold & found), len(found), len(gold))
        case "text":
            n_bytes = len(row.item.question.encode())
            return bits_per_byte([row.answer.log_likelihoods[0]], [n_bytes]).value
        case _:
            return None
