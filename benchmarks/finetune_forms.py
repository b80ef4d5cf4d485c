"""The forms of fine-tuning against each other on four Japanese medical tasks.

    python benchmarks/finetune_forms.py BASE --data DIR --noncommercial --results FILE --minutes 5
    python benchmarks/finetune_forms.py --results FILE            # the tables alone
    python benchmarks/finetune_forms.py --results FILE --into docs/finetuning.md

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
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finetune_baselines import BASELINES
from finetune_tables import metrics, read_results, tables, to_row
from finetune_tasks import FORMS, Cell, is_validation, read_items, to_cell

from rinsho.corpus.document import Document, Message, write_documents
from rinsho.encoding.encode import EncodeConfig, encode
from rinsho.evaluation.answer_record import Method
from rinsho.evaluation.benchmark import Item
from rinsho.evaluation.engines import Engine, OneTask, SpanEngine
from rinsho.evaluation.head_engine import HeadEngine, text_of
from rinsho.evaluation.jmed_llm import document_text
from rinsho.evaluation.model_engine import ModelEngine
from rinsho.evaluation.prompts import messages_of
from rinsho.generation.decoder_model import load_language_model
from rinsho.manifest import new_folder
from rinsho.model.checkpoint import read_decoder_config
from rinsho.model.heads import load_text_heads
from rinsho.model.tagger import load_tagger
from rinsho.runfile import StageConfig
from rinsho.text.normalize import normalize
from rinsho.tokenizer.tokenizer import read_tokenizer
from rinsho.training.finetune import FinetuneConfig, finetune

BEGIN, END = "<!-- tables of finetune_forms.py -->", "<!-- end of the tables -->"


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
        "batch_tokens": arguments.batch_tokens,
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
    """Train the answers of conversations; one that does not fit the context teaches nothing."""
    tokenizer, shape = read_tokenizer(arguments.base), read_decoder_config(arguments.base)
    every = (to_conversation(item) for item in cell.train)
    fitting = [c for c in every if len(tokenizer.render(c.messages)) < shape.context_length]
    with new_folder(root / "d", stage="collect", config=StageConfig(), inputs={}) as folder:
        folder.licenses.add("CC-BY-NC-SA-4.0")
        write_documents(folder.path, fitting)
    what = EncodeConfig(what="conversations")
    tokens = root / "tokens"
    encode(what, documents=[root / "d"], tokenizer=arguments.base, out=tokens, noncommercial=True)
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
        "batch_tokens": arguments.batch_tokens,
        "base": arguments.base.name,
        "n_train_rows": len(cell.train),
        "n_test_rows": len(cell.test),
        "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        **{name: counts[name] for name in kept if name in counts},
        "rows": rows,
    }


def main() -> None:
    """Run what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path, nargs="?")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--noncommercial", action="store_true")
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--into", type=Path, help="a page: the tables go between its two marks")
    parser.add_argument("--tasks", nargs="*", default=list(FORMS))
    parser.add_argument("--forms", nargs="*")
    parser.add_argument("--seeds", type=int, nargs="*", default=list(range(5)))
    parser.add_argument("--minutes", type=float, help="of training, a cell, at most")
    parser.add_argument("--max-tokens", type=int, help="of training, a cell, at most")
    parser.add_argument("--batch-tokens", type=int, default=1_024)
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
    made = "\n".join(tables(read_results(arguments.results)))
    print(made)
    if arguments.into is not None:
        page = arguments.into.read_text(encoding="utf-8")
        before, _, rest = page.partition(BEGIN)
        after = rest.partition(END)[2]
        arguments.into.write_text(f"{before}{BEGIN}\n\n{made}\n\n{END}{after}", encoding="utf-8")


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
