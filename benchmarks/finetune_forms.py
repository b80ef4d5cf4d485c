"""The forms of fine-tuning against each other on four Japanese medical tasks.

    python benchmarks/finetune_forms.py BASE --data DIR --noncommercial --results FILE --minutes 5
    python benchmarks/finetune_forms.py --results FILE            # the table alone

BASE is a weights folder of `pretrain`. A cell is a task, a form and a seed; the seed draws the
order and picks the fold, one of five that share no document (STS: no sentence). Every form gets the
same training rows, the same minutes or tokens, and the same test rows. A finished cell is one JSON
line in FILE, so the run can be stopped and goes on where it was; one row of it is a hash of a
document with counts or letters, never text. Intervals are bootstrapped over documents, all seeds
together; the spread over seeds stands beside them. Pools hold test rows: nothing that is trained
here may be released.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rinsho.corpus.document import Document, Message, write_documents
from rinsho.encoding.encode import EncodeConfig, encode
from rinsho.evaluation.answer_record import Method
from rinsho.evaluation.benchmark import LETTERS, Item, choose_items
from rinsho.evaluation.bootstrap import Metric, estimate, mean
from rinsho.evaluation.choice_metrics import corrected_kappa
from rinsho.evaluation.engines import Engine, OneTask, SpanEngine
from rinsho.evaluation.entity_metrics import f1, normalize_entities
from rinsho.evaluation.head_engine import HeadEngine, text_of
from rinsho.evaluation.jmed_llm import document_key, document_text
from rinsho.evaluation.model_engine import ModelEngine
from rinsho.evaluation.parse import NO_LETTER, parse_list
from rinsho.evaluation.prompts import messages_of
from rinsho.evaluation.scoring import mark
from rinsho.generation.decoder_model import load_language_model
from rinsho.manifest import new_folder
from rinsho.model.heads import load_text_heads
from rinsho.model.tagger import load_tagger
from rinsho.runfile import StageConfig
from rinsho.text.normalize import normalize
from rinsho.training.finetune import FinetuneConfig, finetune

N_FOLDS = 5
TAGGING, CHOICE = ("nrner", "mrner-disease"), ("smdis", "sts")
FORMS = {
    "nrner": ("dictionary", "character-crf", "generation", "tagging", "tagging-causal"),
    "mrner-disease": ("dictionary", "character-crf", "generation", "tagging", "tagging-causal"),
    "smdis": ("tf-idf", "generation", "label-scoring", "pooled", "pooled-causal"),
    "sts": ("n-grams", "generation", "label-scoring", "pooled", "pair", "pair-causal"),
}


# -------------------------------------------------------------------------------- the tasks


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def read_items(task: str, data: Path) -> list[Item]:
    """Return every row of a pool as an item; rows that share a text share `document`."""
    pool = data / "eval" / "jmed_llm" / "all"
    if task == "sts":
        return read_pairs(data)
    files = {"nrner": ("NRNER",), "smdis": ("SMDIS",), "mrner-disease": ("CRNER", "RRNER")}[task]
    items: list[Item] = []
    for name in files:
        for number, row in enumerate(read_rows(pool / f"{name}.csv"), start=1):
            if task == "mrner-disease" and row["tag"] != "d":
                continue
            choices = tuple(row[f"option{x}"] for x in LETTERS if row.get(f"option{x}"))
            gold = (row["answer"],) if choices else parse_list(row["answer"]).entities
            form = "choice" if choices else "entities"
            key, tag = document_key(row["question"]), row["tag"]
            items.append(
                Item(f"{name}/{number}", form, row["question"], choices, gold, (), key, tag)
            )
    return items


def read_pairs(data: Path) -> list[Item]:
    """Return the pairs of JA-Clinical-STS in the words of JCSTS; pairs that share a sentence, and
    those that share one with these, are one document.
    """
    import xlrd

    path = data / "eval" / "ja_clinical_sts" / "dataset_JA_Clinical_STS.xls"
    sheet = xlrd.open_workbook(str(path)).sheet_by_index(0)
    rows = (sheet.row_values(number) for number in range(sheet.nrows))
    pairs = {(str(first), str(second)): int(score) for first, second, score in rows}
    root: dict[str, str] = {}

    def find(sentence: str) -> str:
        while root.setdefault(sentence, sentence) != sentence:
            sentence = root[sentence]
        return sentence

    keys = {pair: tuple("".join(normalize(s).split()) for s in pair) for pair in pairs}
    for first, second in keys.values():
        root[find(first)] = find(second)
    example = read_rows(data / "eval" / "jmed_llm" / "jcsts.csv")[0]
    choices = tuple(example[f"option{x}"].partition("\n")[0] for x in "ABCDEF")
    return [
        Item(
            f"sts/{number}",
            "similarity",
            f"以下の2つの文の意味の類似度は？\nS1: {pair[0]}\nS2: {pair[1]}",
            choices,
            ("ABCDEF"[5 - score],),
            (),
            hashlib.sha256(find(keys[pair][0]).encode()).hexdigest()[:16],
        )
        for number, (pair, score) in enumerate(pairs.items(), start=1)
    ]


def fold_of(item: Item) -> int:
    """Return the fold of an item's document."""
    return int(hashlib.sha256(f"fold:{item.document}".encode()).hexdigest(), 16) % N_FOLDS


def is_validation(item: Item) -> bool:
    """Say whether a training item is held out to choose the weights: a tenth of the documents."""
    return int(hashlib.sha256(f"validation:{item.document}".encode()).hexdigest(), 16) % 10 == 0


@dataclass(frozen=True)
class Cell:
    """A task, a form and a seed, with what is learned and what is asked."""

    task: str
    form: str
    seed: int
    train: Sequence[Item]
    test: Sequence[Item]


def to_cell(task: str, form: str, seed: int, items: Sequence[Item], max_test: int) -> Cell:
    """Split the items; the test rows are drawn by a hash, the same for every form."""
    held = tuple(item for item in items if fold_of(item) == seed % N_FOLDS)
    test = choose_items(held, max_test * (3 if task in CHOICE else 1), seed)
    train = [item for item in items if fold_of(item) != seed % N_FOLDS]
    return Cell(task, form, seed, train, test)


# -------------------------------------------------------------------------------- the forms


def to_records(cell: Cell) -> Iterator[dict[str, Any]]:
    """Yield the training items as examples for heads."""
    for item in cell.train:
        split = "validation" if is_validation(item) else "train"
        text, text_b = text_of(item)
        record: dict[str, Any] = {"id": item.id, "split": split, "group": item.document}
        if cell.task == "sts":
            value = 5 - "ABCDEF".index(item.gold[0])
            yield record | {"text_a": text, "text_b": text_b, "value": value}
        elif cell.task == "smdis":
            yield record | {"text": text, "task": item.tag, "label": item.gold[0]}
        else:
            raw = document_text(item.question)
            yield record | {"text": raw, "task": item.tag, "entities": list(item.gold)}


def without_contradictions(records: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Keep the first of several answers to the same question about the same text."""
    seen: set[tuple[str, ...]] = set()
    for record in records:
        texts = (record.get("text") or record["text_a"], record.get("text_b", ""))
        key = (*(normalize(text) for text in texts), record.get("task", ""))
        if key not in seen:
            seen.add(key)
            yield record


def config_of(cell: Cell, arguments: argparse.Namespace, **more: Any) -> FinetuneConfig:
    """Return the settings: the same for every form."""
    values = {
        "seed": cell.seed,
        "max_epochs": arguments.epochs,
        "max_minutes": arguments.minutes,
        "max_tokens": arguments.max_tokens,
        "threads": arguments.threads,
        "evaluate_every_steps": arguments.evaluate_every,
        "checkpoint_every_steps": 100_000,
        "dropout": 0.1,
    }
    return FinetuneConfig.model_validate(values | more)


def tune_head(cell: Cell, arguments: argparse.Namespace, root: Path) -> tuple[Engine, Method]:
    """Train a head."""
    path = root / "examples.jsonl"
    lines = (json.dumps(r, ensure_ascii=False) for r in without_contradictions(to_records(cell)))
    path.write_text("\n".join(lines), encoding="utf-8")
    form, _, causal = cell.form.partition("-")
    files = [{"path": str(path), "license": "CC-BY-NC-SA-4.0"}]
    attention = "causal" if causal else "bidirectional"
    config = config_of(cell, arguments, form=form, attention=attention, examples=files)
    finetune(config, base=arguments.base, out=root / "head", noncommercial=True)
    if form == "tagging":
        tagger = load_tagger(root / "head")
        tasks = {task: OneTask(tagger, task) for task in tagger.tasks}
        return SpanEngine(tagger, tasks), "extraction"
    return HeadEngine(load_text_heads(root / "head")), "head"


def tune_language(cell: Cell, arguments: argparse.Namespace, root: Path) -> tuple[Engine, Method]:
    """Train the answers of conversations."""
    with new_folder(root / "d", stage="collect", config=StageConfig(), inputs={}) as folder:
        folder.licenses.add("CC-BY-NC-SA-4.0")
        write_documents(folder.path, (to_conversation(item) for item in cell.train))
    what = EncodeConfig(what="conversations")
    tokenizer, tokens = arguments.base, root / "tokens"
    encode(what, documents=[root / "d"], tokenizer=tokenizer, out=tokens, noncommercial=True)
    config = config_of(cell, arguments, form=cell.form)
    finetune(config, base=arguments.base, tokens=tokens, out=root / "chat", noncommercial=True)
    engine = ModelEngine(load_language_model(root / "chat"), arguments.max_new_tokens, cell.seed)
    return engine, "generation" if cell.form == "generation" else "log-likelihood"


def to_conversation(item: Item) -> Document:
    """Return the official prompt with its gold answer."""
    answer = repr(list(item.gold)) if item.form == "entities" else item.gold[0]
    messages = (*messages_of(item), Message("assistant", answer))
    normalized = tuple(Message(m.role, normalize(m.content)) for m in messages)
    text = "\n".join(m.content for m in normalized)
    return Document(item.id, text, "pool", "", group=item.document, messages=normalized)


# ---------------------------------------------------------------------------- the baselines


def remember(cell: Cell) -> Callable[[Item], str]:
    """Mark every longest match of an entity of the training rows."""
    from rinsho.training.examples import find_entities

    words: dict[str, set[str]] = defaultdict(set)
    for item in cell.train:
        words[item.tag].update(item.gold)

    def answer(item: Item) -> str:
        text = document_text(item.question)
        spans = find_entities(text, words[item.tag], item.tag)
        return repr(list(dict.fromkeys(text[s.start : s.end] for s in spans)))

    return answer


def character_crf(cell: Cell) -> Callable[[Item], str]:
    """Train a CRF over hashed character n-grams, without any pre-training; one model a tag."""
    models = {tag: _train_crf(cell, tag) for tag in sorted({item.tag for item in cell.train})}

    def answer(item: Item) -> str:
        text = document_text(item.question)
        spans = models[item.tag](text)
        return repr(list(dict.fromkeys(text[start:end] for start, end in spans)))

    return answer


def _train_crf(cell: Cell, tag: str) -> Callable[[str], list[tuple[int, int]]]:
    import torch
    from torch.nn.utils.rnn import pad_sequence

    from rinsho.model.crf import ConditionalRandomField
    from rinsho.model.tags import TagSet
    from rinsho.training.examples import find_entities

    torch.manual_seed(cell.seed)
    tags = TagSet(((tag, "present"),))
    table = torch.nn.Embedding(2**17, tags.n_tags)
    torch.nn.init.zeros_(table.weight)
    crf = ConditionalRandomField(*tags.allowed())
    optimizer = torch.optim.Adagrad([*table.parameters(), *crf.parameters()], lr=0.3)
    rows: list[tuple[torch.Tensor, torch.Tensor]] = []
    for item in (item for item in cell.train if item.tag == tag):
        text = document_text(item.question)
        gold = torch.zeros(len(text), dtype=torch.int64)
        for span in find_entities(text, item.gold, tag):
            gold[span.start] = 1
            gold[span.start + 1 : span.end] = 2
        rows.append((_ngrams(text), gold))
    generator = np.random.default_rng(cell.seed)
    for _ in range(12):
        order = generator.permutation(len(rows))
        for start in range(0, len(rows), 16):
            batch = [rows[place] for place in order[start : start + 16]]
            features_BLF, gold_BL = (
                pad_sequence(list(x), batch_first=True) for x in zip(*batch, strict=True)
            )
            lengths_B = torch.tensor([len(gold) for _, gold in batch])
            loss = crf.summed_loss(table(features_BLF).sum(2), gold_BL, lengths_B)
            (loss / lengths_B.sum()).backward()
            optimizer.step()
            optimizer.zero_grad()

    def spans(text: str) -> list[tuple[int, int]]:
        with torch.no_grad():
            best = crf.best_tags(table(_ngrams(text)).sum(1)[None], torch.tensor([len(text)]))[0]
        offsets = [(n, n + 1) for n in range(len(text))]
        return [(s.start, s.end) for s in tags.to_spans(best, offsets, text)]

    return spans


def _ngrams(text: str) -> Any:
    """Return hashes of the 1- to 4-grams around each character, shape (L, n-grams)."""
    import zlib

    import torch

    padded = f"\0\0\0{text}\0\0\0"
    places = [(s, n) for n in (1, 2, 3, 4) for s in range(7 - n + 1)]
    return torch.tensor(
        [
            [zlib.crc32(f"{s},{n},{padded[i + s : i + s + n]}".encode()) % 2**17 for s, n in places]
            for i in range(len(text))
        ]
    )


def tf_idf(cell: Cell) -> Callable[[Item], str]:
    """Logistic regression over character 1- to 4-grams, one for each question."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    models: dict[str, tuple[Any, Any]] = {}
    for tag in sorted({item.tag for item in cell.train}):
        rows = [item for item in cell.train if item.tag == tag]
        vectors = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True)
        matrix = vectors.fit_transform(text_of(item)[0] for item in rows)
        model = LogisticRegression(C=30, max_iter=1000, class_weight="balanced")
        models[tag] = vectors, model.fit(matrix, [item.gold[0] for item in rows])

    def answer(item: Item) -> str:
        vectors, model = models[item.tag]
        return str(model.predict(vectors.transform([text_of(item)[0]]))[0])

    return answer


def ngram_overlap(cell: Cell) -> Callable[[Item], str]:
    """Linear regression over the Jaccard overlap of character 1- to 4-grams."""

    def features(item: Item) -> list[float]:
        first, second = text_of(item)
        sets = [
            [{text[i : i + n] for i in range(len(text) - n + 1)} for text in (first, second or "")]
            for n in (1, 2, 3, 4)
        ]
        return [1.0, *(len(a & b) / max(1, len(a | b)) for a, b in sets)]

    matrix = np.array([features(item) for item in cell.train])
    scores = np.array([5.0 - "ABCDEF".index(item.gold[0]) for item in cell.train])
    weights = np.linalg.lstsq(matrix, scores, rcond=None)[0]

    def answer(item: Item) -> str:
        score = float(np.array(features(item)) @ weights)
        return "ABCDEF"[5 - min(5, max(0, round(score)))]

    return answer


BASELINES: dict[str, Callable[[Cell], Callable[[Item], str]]] = {
    "dictionary": remember,
    "character-crf": character_crf,
    "tf-idf": tf_idf,
    "n-grams": ngram_overlap,
}


# ------------------------------------------------------------------------------- the figures


def run_cell(cell: Cell, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train and ask one cell; return what is kept of it."""
    from rinsho.evaluation.answer_record import Answer

    started, cpu = time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        if cell.form in BASELINES:
            say = BASELINES[cell.form](cell)
            answers = [Answer(cell.task, i.id, "extraction", "", say(i)) for i in cell.test]
            counts: dict[str, Any] = {}
        else:
            is_language = cell.form in ("generation", "label-scoring")
            tune = tune_language if is_language else tune_head
            engine, method = tune(cell, arguments, Path(folder))
            answers = [engine.answer(cell.task, item, method) for item in cell.test]
            out = Path(folder) / ("chat" if is_language else "head")
            counts = json.loads((out / "manifest.json").read_bytes())["identity"]["counts"]
    rows = [to_row(item, answer) for item, answer in zip(cell.test, answers, strict=True)]
    kept = ("n_steps", "n_seen_tokens", "n_parameters", "loss")
    return {
        "task": cell.task,
        "form": cell.form,
        "seed": cell.seed,
        "minutes": arguments.minutes,
        "max_tokens": arguments.max_tokens,
        "base": arguments.base.name,
        "n_train_rows": len(cell.train),
        "n_test_rows": len(cell.test),
        "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        **{name: counts[name] for name in kept if name in counts},
        "rows": rows,
    }


def to_row(item: Item, answer: Any) -> list[Any]:
    """Return what is kept of an answer: document, and letters, or counts of entities."""
    if item.form != "entities":
        prediction = mark(item, answer).prediction
        return [item.document, item.gold[0], prediction[0] if len(prediction) == 1 else NO_LETTER]
    document = normalize_entities([document_text(item.question)])[0]
    gold = set(normalize_entities(item.gold))
    found = set(normalize_entities(parse_list(answer.output).entities))
    n_absent = sum(entity not in document for entity in found)
    return [item.document, len(gold & found), len(found), len(gold), n_absent]


def metrics(task: str, rows: Sequence[Sequence[Any]]) -> list[Metric]:
    """Return the figures of some rows, the leading one first."""
    if task in TAGGING:
        table = np.array([row[1:] for row in rows], dtype=np.float64)
        return [
            mean("exact F1", [f1(row[1], row[2], row[3]) for row in rows]),
            Metric("micro F1", table, lambda s: 2 * s[:, 0] / np.maximum(1, s[:, 1] + s[:, 2])),
            Metric("not in text", table, lambda s: s[:, 3] / np.maximum(1, s[:, 1])),
        ]
    gold, said = [row[1] for row in rows], [row[2] for row in rows]
    letters, weighting = ("AB", "plain") if task == "smdis" else ("ABCDEF", "linear")
    right = [g == s for g, s in zip(gold, said, strict=True)]
    return [corrected_kappa(gold, said, letters, weighting), mean("accuracy", right)]


def table(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a Markdown table: figures over all rows, and their spread over seeds."""
    yield "| task | form | figure | 95% over documents | by seed | rows, documents | others |"
    yield "|---|---|---|---|---|---|---|"
    for task, forms in FORMS.items():
        for form in forms:
            cells = [r for r in results if (r["task"], r["form"]) == (task, form)]
            if not cells:
                continue
            rows = [row for cell in cells for row in cell["rows"]]
            found = [estimate(m, [row[0] for row in rows], seed=0) for m in metrics(task, rows)]
            by_seed = [metrics(task, cell["rows"])[0].value for cell in cells]
            name = metrics(task, rows)[0].name
            others = [f"{m.name} {m.value:.2f}" for m in metrics(task, rows)[1:]]
            spread = f" ± {statistics.stdev(by_seed):.3f}" if len(by_seed) > 1 else ""
            yield (
                f"| {task} | {form} | {name} **{found[0].value:.3f}** | "
                f"{found[0].low:.3f}–{found[0].high:.3f} | "
                f"{', '.join(f'{v:.2f}' for v in by_seed)}{spread} | "
                f"{found[0].n_rows}, {found[0].n_documents} | {', '.join(others)} |"
            )


def read_results(path: Path) -> list[dict[str, Any]]:
    """Return the finished cells."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path, nargs="?")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--noncommercial", action="store_true")
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--tasks", nargs="*", default=list(FORMS))
    parser.add_argument("--forms", nargs="*")
    parser.add_argument("--seeds", type=int, nargs="*", default=list(range(5)))
    parser.add_argument("--minutes", type=float, help="of training, a cell, at most")
    parser.add_argument("--max-tokens", type=int, help="of training, a cell, at most")
    parser.add_argument("--epochs", type=int, default=20, help="at most")
    parser.add_argument("--evaluate-every", type=int, default=50)
    parser.add_argument("--max-test-rows", type=int, default=300)
    parser.add_argument("--max-new-tokens", type=int, default=96)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scratch", type=Path, help="where weights lie while a cell runs")
    arguments = parser.parse_args()
    if arguments.base is not None:
        if not arguments.noncommercial or arguments.data is None:
            parser.error("NRNER and JA-Clinical-STS are CC BY-NC-SA: --noncommercial, --data DIR")
        run_missing(arguments)
    print("\n".join(table(read_results(arguments.results))))


def run_missing(arguments: argparse.Namespace) -> None:
    """Run the cells that the results lack, seed by seed."""
    import torch

    torch.set_num_threads(arguments.threads)
    done = {(r["task"], r["form"], r["seed"]) for r in read_results(arguments.results)}
    pools = {task: read_items(task, arguments.data) for task in arguments.tasks}
    for seed in arguments.seeds:
        for task in arguments.tasks:
            for form in arguments.forms or FORMS[task]:
                if form not in FORMS[task] or (task, form, seed) in done:
                    continue
                cell = to_cell(task, form, seed, pools[task], arguments.max_test_rows)
                result = run_cell(cell, arguments)
                with arguments.results.open("a") as file:
                    file.write(json.dumps(result) + "\n")
                figures = ", ".join(
                    f"{m.name} {m.value:.3f}" for m in metrics(task, result["rows"])
                )
                print(f"{task} {form} seed {seed}: {figures} ({result['seconds']} s)", flush=True)


if __name__ == "__main__":
    main()
