"""The supervised table: from a pool of one's own to figures over seeds; cells survive a kill."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from rinsho.errors import AnswersIncomplete, InvalidValue, PickleRefused
from rinsho.evaluation.bootstrap import estimate, mean
from rinsho.evaluation.encoder_baseline import EncoderSettings, fit_encoder, hash_encoder
from rinsho.evaluation.parse import parse_list
from rinsho.evaluation.split import SplitConfig, split
from rinsho.evaluation.supervise import SuperviseConfig, run_supervised
from rinsho.evaluation.tabulate import TabulateConfig, holm, mean_over_seeds, tabulate
from rinsho.training.finetune import FinetuneConfig

from .test_baselines import NOTES, choice, pair, say

TUNING = FinetuneConfig(n_steps=1, batch_tokens=256, n_warmup_steps=1, threads=1)
TERMS = 'license = "CC0-1.0"\nsource = "病棟"\n'


@pytest.fixture(scope="module")
def splits_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks of one's own: a closed question and a list, 2 folds each."""
    root = tmp_path_factory.mktemp("supervised")
    (root / "own").mkdir()
    rows = [
        {"id": f"q{n}", "question": f"熱は？\n「{n}日目。{'高熱' if n % 3 else '平熱'}。」",
         "choices": ["有", "無"], "answer": "A" if n % 3 else "B", "tag": "fever"}
        for n in range(48)
    ]  # fmt: skip
    _put(root, "fever", 'form = "choice"\n', rows)
    notes = [
        {"id": item.id.replace("/", ""), "text": item.question[6:-1], "answer": list(item.gold)}
        for item in NOTES
    ]
    _put(root, "names", 'form = "entities"\nquestion = "病名は？"\n', notes)
    out = root / "splits"
    tasks = ("own/fever", "own/names")
    split(SplitConfig(tasks=tasks, settings=("grouped",), n_folds=2), out=out, data=root)
    return out


def _put(root: Path, name: str, toml: str, rows: list[dict[str, object]]) -> None:
    text = f'file = "{name}.jsonl"\n{TERMS}{toml}'
    (root / "own" / f"{name}.toml").write_text(text, encoding="utf-8")
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (root / "own" / f"{name}.jsonl").write_text(lines, encoding="utf-8")


def test_heads_and_baselines_stand_in_one_table_over_seeds(splits_folder, weights_folder, tmp_path):
    config = SuperviseConfig(
        splits=("own-fever", "own-names-grouped-0"),
        systems=("constant", "tf-idf", "dictionary", "head"),
        n_grouped_seeds=2,
        n_draws=200,
    )
    out = tmp_path / "out"
    arguments = {"splits": splits_folder, "tuning": TUNING, "bases": {"head": weights_folder}}
    manifest = run_supervised(config, out=out, **arguments)
    table = json.loads((out / "table" / "table.json").read_bytes())
    found = {(one["task"], one["system"]): one for one in table["figures"]}
    assert set(found) == {
        ("own/fever", "constant"), ("own/fever", "tf-idf"), ("own/fever", "head"),
        ("own/names", "constant"), ("own/names", "dictionary"), ("own/names", "head"),
    }  # fmt: skip
    head = found["own/fever", "head"]
    assert len(head["seeds"]) == 2 and head["seed_sd"] is not None
    assert head["value"] == pytest.approx(sum(head["seeds"]) / 2)
    assert head["n_rows"] == 48 and 0 < found["own/names", "head"]["n_rows"] < len(NOTES)
    assert found["own/fever", "constant"]["value"] == pytest.approx(32 / 48)
    assert found["own/fever", "tf-idf"]["value"] == 1.0
    assert found["own/fever", "tf-idf"]["seed_sd"] is None
    assert {(d["first"], d["second"]) for d in table["differences"]} == {
        ("head", "constant"), ("head", "tf-idf"), ("head", "dictionary"),
    }  # fmt: skip
    text = (out / "table" / "table.md").read_text(encoding="utf-8")
    assert "document-grouped cross-validation" in text and "高熱" not in text

    # What is there is not made again; what was lost is made again, and is the same.
    cells = {path: path.stat().st_mtime_ns for path in (out / "cells").iterdir()}
    lost = next(path for path in cells if ".head.1." in path.name)
    before = lost.read_bytes().partition(b"\n")[2]
    lost.unlink()
    assert run_supervised(config, out=out, **arguments).identity_hash == manifest.identity_hash
    assert lost.read_bytes().partition(b"\n")[2] == before
    assert all(path.stat().st_mtime_ns == time for path, time in cells.items() if path != lost)
    assert not list((out / "work").iterdir())


def test_a_cell_that_lacks_an_answer_makes_no_table(splits_folder, tmp_path):
    out = tmp_path / "out"
    config = SuperviseConfig(splits=("own-fever",), systems=("constant",), n_draws=20)
    run_supervised(config, splits=splits_folder, out=out, tuning=TUNING)
    path = next((out / "cells").iterdir())
    path.write_bytes(b"\n".join(path.read_bytes().splitlines()[:-1]) + b"\n")
    with pytest.raises(AnswersIncomplete):
        run_supervised(config, splits=splits_folder, out=out, tuning=TUNING)


def test_a_table_of_other_cells_is_kept_beside_the_new_one(splits_folder, tmp_path):
    out = tmp_path / "out"
    for systems in (("constant",), ("constant", "tf-idf")):
        config = SuperviseConfig(splits=("own-fever",), systems=systems, n_draws=20)
        run_supervised(config, splits=splits_folder, out=out, tuning=TUNING)
    tables = [path for path in out.iterdir() if path.name.startswith("table")]
    assert len(tables) == 2
    newest = json.loads((out / "table" / "table.json").read_bytes())
    assert len(newest["figures"]) == 2


@pytest.mark.parametrize("wrong", [{"systems": ("tfidf",)}, {"splits": ("own-fevr",)}])
def test_unknown_names_are_refused_with_the_nearest(splits_folder, tmp_path, wrong):
    config = SuperviseConfig.model_validate(wrong)
    with pytest.raises(InvalidValue):
        run_supervised(config, splits=splits_folder, out=tmp_path / "out", tuning=TUNING)


def test_holm_is_its_definition():
    generator = np.random.default_rng(0)
    for n in range(1, 8):
        p = generator.random(n).tolist()
        order = np.argsort(p)
        expected = [
            min(1.0, max((n - rank) * p[order[rank]] for rank in range(list(order).index(i) + 1)))
            for i in range(n)
        ]
        assert holm(p) == pytest.approx(expected)
    assert holm([]) == []


def test_the_mean_over_seeds_draws_the_same_documents_for_all_of_them():
    generator = np.random.default_rng(1)
    values = generator.random((3, 40))
    documents = [f"d{n // 2}" for n in range(40)]
    metrics = [mean("x", row) for row in values]
    joined = mean_over_seeds(metrics)
    whole = mean("x", values.mean(axis=0))
    first, second = (estimate(m, documents, seed=0, n_draws=500) for m in (joined, whole))
    assert first.value == pytest.approx(second.value)
    assert (first.low, first.high) == pytest.approx((second.low, second.high))


def test_a_table_of_no_cells_is_empty(splits_folder, tmp_path):
    made = tabulate(TabulateConfig(), splits=splits_folder, cells=[], out=tmp_path / "t")
    assert made.identity.counts["figures"] == 0


# ------------------------------------------------------------------------------------ encoders


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of two layers over single characters, as transformers writes it."""
    transformers = pytest.importorskip("transformers")
    out = tmp_path_factory.mktemp("bert")
    texts = "".join(item.question for item in NOTES) + "高平熱日目元気有無0123456789S:？"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set(texts))]
    words += [f"##{word}" for word in words[5:]]
    (out / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    tokenizer = transformers.BertTokenizerFast(str(out / "vocab.txt"), do_lower_case=False)
    tokenizer.save_pretrained(out)
    shape = transformers.BertConfig(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=48,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.BertForMaskedLM(shape).save_pretrained(out)
    return out


@pytest.mark.campaign
def test_an_encoder_learns_choices_and_is_the_same_for_a_seed(bert_folder):
    items = [choice(n, f"{n}日目、{'高熱' if n % 2 else '平熱'}。", "BA"[n % 2]) for n in range(24)]
    settings = EncoderSettings(n_epochs=12, batch_rows=8, learning_rate=3e-3)
    engine = fit_encoder(bert_folder, items, 0, settings)
    assert [say(engine, item) for item in items] == [item.gold[0] for item in items]
    again = fit_encoder(bert_folder, items, 0, settings)
    assert [say(again, item) for item in items] == [say(engine, item) for item in items]


@pytest.mark.campaign
def test_an_encoder_marks_entities_in_texts_longer_than_it_sees(bert_folder):
    settings = EncoderSettings(n_epochs=8, batch_rows=4, learning_rate=3e-3)
    engine = fit_encoder(bert_folder, NOTES, 0, settings)
    right = sum(parse_list(say(engine, item)).entities == item.gold for item in NOTES)
    assert right >= len(NOTES) - 3
    text = NOTES[0].question[6:-1]
    long = NOTES[0].__class__(
        "e/x", "entities", f"病名は？\n「{text * 4}」", (), NOTES[0].gold, tag="d"
    )
    assert NOTES[0].gold[0] in parse_list(say(engine, long)).entities


def test_an_encoder_rates_pairs_and_hashes_its_folder(bert_folder, tmp_path):
    items = [
        pair(n, "発熱。", "発熱。" if n % 2 else "骨折。", "A" if n % 2 else "F") for n in range(16)
    ]
    engine = fit_encoder(bert_folder, items, 0, EncoderSettings(12, 8, 3e-3))
    assert say(engine, items[1]) < say(engine, items[0])
    assert len(hash_encoder(bert_folder)) == 64
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(PickleRefused):
        hash_encoder(tmp_path)
