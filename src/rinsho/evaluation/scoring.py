"""From marked answers to figures: the metrics of each form, official and corrected."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rinsho.evaluation.answer_record import Answer, Method
from rinsho.evaluation.benchmark import Item, PassMarks
from rinsho.evaluation.bootstrap import Metric, mean
from rinsho.evaluation.calibration import calibration_metrics
from rinsho.evaluation.catalogue import LoadedBenchmark
from rinsho.evaluation.choice_metrics import (
    WEIGHTINGS,
    accuracy,
    corrected_kappa,
    macro_f1,
    official_kappa,
)
from rinsho.evaluation.entity_metrics import EntityRow, corrected_metrics, official_metrics
from rinsho.evaluation.exam_metrics import ExamRow, exam_metrics, mean_over_tags
from rinsho.evaluation.jmed_llm import document_text
from rinsho.evaluation.marking import ScoredRow, mark
from rinsho.evaluation.pair_metrics import PairRow, pair_metrics
from rinsho.evaluation.parse import NO_LETTER, has_thinking, official_letter, parse_list
from rinsho.evaluation.relation_metrics import RelationRow, relation_metrics
from rinsho.evaluation.short_answer_metrics import passage_metrics, rating_metrics
from rinsho.evaluation.span_metrics import SpanRow, as_annotated, span_metrics
from rinsho.evaluation.text_metrics import bits_per_byte


@dataclass(frozen=True, slots=True, eq=False)
class ScoredEntry:
    """One engine on one benchmark by one method, with both families of metrics, never mixed."""

    system: str
    loaded: LoadedBenchmark
    method: Method
    rows: tuple[ScoredRow, ...]
    official: tuple[Metric, ...]  # empty where the protocol has no such method
    corrected: tuple[Metric, ...]  # the first is the one that stands in figures
    orders: tuple[ScoredEntry, ...] = ()  # the same items with their options in other orders

    @property
    def documents(self) -> list[str]:
        """Return the document key of each row: the unit of the bootstrap."""
        return [row.item.document for row in self.rows]


def score_entry(
    system: str, loaded: LoadedBenchmark, method: Method, pairs: Sequence[tuple[Item, Answer]]
) -> ScoredEntry:
    """Parse and mark the answers of one engine to one benchmark, and make their metrics."""
    rows = tuple(mark(item, answer) for item, answer in pairs)
    if loaded.benchmark.form == "spans":
        rows = tuple(_in_its_terms(rows, loaded.items))
    official, corrected = metrics_of(loaded, method, rows)
    return ScoredEntry(system, loaded, method, rows, official, corrected)


def _in_its_terms(rows: Sequence[ScoredRow], items: Sequence[Item]) -> Iterator[ScoredRow]:
    """Yield rows whose spans are said in the terms of the benchmark's gold."""
    gold = {span for item in items for span in item.gold_spans}
    for row in rows:
        spans = as_annotated(row.spans, gold)
        is_right = row.is_right or (row.is_valid and set(spans) == set(row.item.gold_spans))
        yield dataclasses.replace(row, spans=spans, is_right=is_right)


def restrict(entry: ScoredEntry, items: set[str]) -> ScoredEntry:
    """Return an entry over some of its items."""
    rows = tuple(row for row in entry.rows if row.item.id in items)
    official, corrected = metrics_of(entry.loaded, entry.method, rows)
    return ScoredEntry(entry.system, entry.loaded, entry.method, rows, official, corrected)


# ------------------------------------------------------------------------------- metrics


def metrics_of(
    loaded: LoadedBenchmark, method: Method, rows: Sequence[ScoredRow]
) -> tuple[tuple[Metric, ...], tuple[Metric, ...]]:
    """Return the official metrics and the corrected ones; the leading one of each first."""
    official, corrected = _metrics_of_form(loaded, method, rows)
    further = calibration_metrics(rows) if method == "log-likelihood" else ()
    return official, (*corrected, *further)


def _metrics_of_form(
    loaded: LoadedBenchmark, method: Method, rows: Sequence[ScoredRow]
) -> tuple[tuple[Metric, ...], tuple[Metric, ...]]:
    if method == "official":
        return _protocol_metrics(loaded, rows), _corrected_exam(loaded, method, rows)
    match loaded.benchmark.form:
        case "choice" | "number" if loaded.benchmark.leading == "accuracy":
            return (), _corrected_exam(loaded, method, rows)
        case "choice" | "similarity" | "number":
            official = _official_choice(loaded, rows) if method in ("generation", "head") else ()
            return official, _corrected_choice(loaded, method, rows)
        case "entities":
            corrected = corrected_metrics([_entity_row(row) for row in rows])
            official = official_metrics([_official_entity_row(row) for row in rows])
            return official, (*corrected, *_compliance(rows))
        case "pairs":
            pair_rows = [
                PairRow(r.item.question, r.item.gold_pairs, r.pairs, r.answer.output) for r in rows
            ]
            reports_published = loaded.benchmark.reports_published_recall
            metrics = pair_metrics(pair_rows, reports_published=reports_published)
            return (), (*metrics, *_compliance(rows))
        case "rating":
            gold = [float(row.item.gold[0]) for row in rows]
            found = [float(row.prediction[0]) if row.prediction else None for row in rows]
            return (), (*rating_metrics(gold, found), *_compliance(rows))
        case "passage":
            answers = [row.item.gold for row in rows]
            outputs = ["".join(row.prediction) for row in rows]
            return (), (*passage_metrics(answers, outputs), _compliance(rows)[0])
        case "spans":
            return (), span_metrics([SpanRow(row.item.gold_spans, row.spans) for row in rows])
        case "relations":
            related = [RelationRow(row.item.gold_relations, row.relations) for row in rows]
            return (), relation_metrics(related, is_exact=True)
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


def _protocol_metrics(loaded: LoadedBenchmark, rows: Sequence[ScoredRow]) -> tuple[Metric, ...]:
    """Mark outputs as the publishers do; demonstrations from the file itself are not scored."""
    protocol = loaded.benchmark.official
    assert protocol is not None
    left_out = {item.id for item in loaded.items[: protocol.n_left_out]}
    marked = [
        ExamRow(
            row.item,
            _is_right_as(protocol.is_right, row),
            protocol.chosen(row.answer.output) if protocol.chosen else (),
        )
        for row in rows
        if row.item.id not in left_out
    ]
    metrics = exam_metrics(marked, _marks(loaded, rows), leaves_out=False)
    further = (protocol.also_marked or {}).items()
    shares = [
        mean(name, [_is_right_as(is_right, row) for row in rows]) for name, is_right in further
    ]
    return (*metrics, *shares)


def _is_right_as(grader: Callable[[Item, str], bool], row: ScoredRow) -> bool:
    """Mark by a published rule; what was not asked is wrong, though silence may score there."""
    return not row.answer.is_too_long and grader(row.item, row.answer.output)


def _marks(loaded: LoadedBenchmark, rows: Sequence[ScoredRow]) -> PassMarks | None:
    """Return what passes, where the rows are the whole examination."""
    return loaded.benchmark.pass_marks if len(rows) == len(loaded.items) else None


def _corrected_exam(
    loaded: LoadedBenchmark, method: Method, rows: Sequence[ScoredRow]
) -> tuple[Metric, ...]:
    marked = [ExamRow(row.item, bool(row.is_right), row.prediction) for row in rows]
    metrics = exam_metrics(marked, _marks(loaded, rows), leaves_out=True)
    if loaded.benchmark.reports_macro_f1:
        letters = max((item.letters for item in loaded.items), key=len)
        gold, found = zip(
            *((_joined(r.item.gold), _joined(r.prediction)) for r in rows), strict=True
        )
        metrics = (metrics[0], macro_f1(gold, found, letters), *metrics[1:])
    if len({row.item.tag for row in rows}) > 1:
        metrics = (metrics[0], mean_over_tags(marked), *metrics[1:])
    return (*metrics, *(() if method == "log-likelihood" else _compliance(rows)))


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


def _official_entity_row(row: ScoredRow) -> EntityRow:
    said = parse_list(row.answer.output).entities  # thinking included: then it is no list
    return EntityRow(document_text(row.item.question), row.item.gold, said)


def _compliance(rows: Sequence[ScoredRow]) -> tuple[Metric, ...]:
    shares = [mean("format_compliance", [row.is_valid for row in rows])]
    if any(row.item.form != "entities" for row in rows):
        shares.append(mean("strict_compliance", [row.is_strict for row in rows]))
    if any(has_thinking(row.answer.output) for row in rows):
        unclosed = mean("unclosed_thinking", [row.is_unclosed for row in rows])
        shares.append(dataclasses.replace(unclosed, is_higher_better=False))
    return tuple(shares)
