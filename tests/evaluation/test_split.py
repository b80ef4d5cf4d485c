"""Splits: no document on both sides, the published test as it is, leaks counted, files read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rinsho.encoding.conversation_files import ConversationFile, find_files, read_conversations
from rinsho.errors import DataFolderMissing, InvalidValue, ModelCannot, TrainingHoldsTest
from rinsho.evaluation.benchmark import Benchmark, Item, Sources
from rinsho.evaluation.catalogue import BENCHMARKS, load_benchmark
from rinsho.evaluation.leaks import find_training_leaks, refuse_training_leaks
from rinsho.evaluation.pools import Pool, full_name, read_pools
from rinsho.evaluation.split import SplitConfig, make_splits, split
from rinsho.evaluation.split_folder import CONVERSATIONS, EXAMPLES, read_records, read_split
from rinsho.evaluation.training_texts import read_training_texts
from rinsho.manifest import open_folder
from rinsho.training.examples import read_examples

SMDIS: Benchmark = BENCHMARKS["jmed-llm/smdis"]


def item(number: int, document: str, gold: str = "A", tag: str = "fever") -> Item:
    question = f"質問{number}\n「{document}の本文。」"
    return Item(
        f"p/{number}", "choice", question, ("有", "無"), (gold,), document=document, tag=tag
    )


def splits_of(pool: Pool, **values: object):
    omitted: dict[str, str] = {}
    config = SplitConfig.model_validate({"tasks": ("smdis",), **values})
    return {one.record.name: one for one in make_splits(config, [pool], omitted)}, omitted


def documents(items: tuple[Item, ...]) -> set[str]:
    return {item.document for item in items}


def put_ward(folder: Path, n_notes: int = 60) -> None:
    (folder / "own").mkdir()
    head = 'form = "entities"\nfile = "w.jsonl"\nlicense = "private"\nsource = "病棟"\n'
    (folder / "own" / "ward.toml").write_text(head + 'question = "病名は？"\n', encoding="utf-8")
    rows = [
        {
            "id": f"n{n}",
            "text": f"記録{n}。{d}で入院した。",
            "answer": [d],
            "document": f"case{n // 2}",
        }
        for n in range(n_notes)
        for d in [("肺炎", "胃癌", "骨折")[n % 3]]
    ]
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / "own" / "w.jsonl").write_text(text, encoding="utf-8")


@given(
    st.lists(st.integers(0, 40), min_size=30, max_size=120),
    st.integers(0, 9),
    st.integers(2, 6),
)
@settings(max_examples=40)
def test_folds_share_no_document_and_hold_every_row_once(keys, seed, n_folds):
    items = tuple(item(n, f"d{key}", "AB"[n % 2]) for n, key in enumerate(keys))
    made, omitted = splits_of(Pool(SMDIS, items), settings=("grouped",), n_folds=n_folds, seed=seed)
    for one in made.values():
        parts = [documents(part) for part in (one.train, one.validation, one.test)]
        assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
        assert {*one.train, *one.validation, *one.test} == set(items)
    if not omitted:
        asked = [i for one in made.values() for i in one.test]
        assert sorted(i.id for i in asked) == sorted(i.id for i in items)


def test_the_published_test_leaks_and_the_disjoint_setting_does_not():
    items = tuple(item(n, f"d{n // 4}", "AB"[n % 2]) for n in range(80))
    official = tuple(item(n, f"d{n // 4}", "AB"[n % 2]) for n in (0, 5))
    made, _ = splits_of(Pool(SMDIS, items, official))
    leaky, clean = made["smdis-official"], made["smdis-disjoint"]
    assert leaky.record.n_leaking_test_rows == 2
    assert len(leaky.train) + len(leaky.validation) == 78
    assert leaky.test == clean.test == official
    assert clean.record.n_leaking_test_rows == 0
    assert len(clean.train) + len(clean.validation) == 72
    assert not documents((*clean.train, *clean.validation)) & documents(official)


def test_a_split_that_leaves_a_label_unlearned_is_left_out_with_the_reason():
    items = tuple(item(n, f"d{n}", "B" if n == 0 else "A") for n in range(20))
    made, omitted = splits_of(Pool(SMDIS, items, items[:1]), settings=("disjoint",))
    assert not made
    assert omitted == {"smdis-disjoint": "nothing left to learn of B"}


def test_documents_of_other_official_tests_in_training_are_counted():
    items = tuple(item(n, f"d{n}", "AB"[n % 2]) for n in range(20))
    others = Pool(BENCHMARKS["jmed-llm/crade"], items, items[10:13])
    config = SplitConfig(tasks=("smdis",), settings=("disjoint",))
    first = next(make_splits(config, [Pool(SMDIS, items, items[:2]), others], {}))
    assert first.record.gives_away == {"jmed-llm/crade": 3}
    config = SplitConfig(tasks=("smdis",), settings=("disjoint",), disjoint_from="all")
    first = next(make_splits(config, [Pool(SMDIS, items, items[:2]), others], {}))
    assert first.record.gives_away == {}


def test_a_folder_of_splits_is_read_by_finetune_encode_and_evaluate(tmp_path):
    put_ward(tmp_path)
    out = tmp_path / "splits"
    config = SplitConfig(tasks=("own/ward",), settings=("grouped",), n_folds=3)
    manifest = split(config, out=out, data=tmp_path)
    assert split(config, out=out, data=tmp_path).identity_hash == manifest.identity_hash
    assert manifest.identity.is_private and out.stat().st_mode & 0o077 == 0
    folder = open_folder(out, "split")
    record = read_records(folder)[1]
    made = read_split(folder, record)
    assert len(made.test) == record.parts["test"].n_rows > 0

    examples = read_examples([out / record.name / EXAMPLES])
    assert {e.id for e in examples if e.split == "train"} == {i.id for i in made.train}
    assert {e.id for e in examples if e.split == "validation"} == {i.id for i in made.validation}

    file = ConversationFile(path=str(out / record.name / CONVERSATIONS), license="CC0-1.0")
    found = find_files([file], None, (), noncommercial=False)
    read = list(read_conversations(found))
    assert len(read) == len(made.train) + len(made.validation)

    loaded = load_benchmark(f"split/{record.name}", Sources(out))
    assert loaded.items == made.test
    assert loaded.is_text_withheld


def test_the_pool_of_one_group_of_cases_stays_together(tmp_path):
    put_ward(tmp_path)
    (pool,) = read_pools(["own/ward"], Sources(tmp_path))
    assert len({i.document for i in pool.items}) == 30
    assert {i.tag for i in pool.items} == {"entities"}


def test_names_that_cannot_be_split_are_refused(tmp_path):
    with pytest.raises(InvalidValue, match="smdis"):
        full_name("smdiss")
    with pytest.raises(ModelCannot):
        read_pools(["notes-text"], Sources())
    with pytest.raises(DataFolderMissing):
        load_benchmark("split/x", Sources())


def test_training_data_that_hold_a_test_document_are_refused_and_named(tmp_path):
    text = "発熱と咳嗽のため来院した。胸部X線で肺炎像を認めた。"
    tests = [
        Item("t/1", "choice", f"Q1?\n「{text}」", ("有", "無"), ("A",)),
        Item("t/2", "choice", f"Q2?\n「{text}」", ("有", "無"), ("A",)),
        Item("t/3", "choice", "Q1?\n「腹痛。」", ("有", "無"), ("A",)),
    ]
    path = tmp_path / "train.jsonl"
    rows = [
        {"id": "a", "text": "別の記録。", "label": "x"},
        {"id": "b", "text": f"症例\n発熱と咳嗽の ため来院した。{text[13:]}", "label": "x"},
        {"id": "c", "text": "腹痛。", "label": "y"},
        {"id": "d", "text": "腹痛。なし。", "label": "y"},
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    leaks = find_training_leaks(read_training_texts(path), tests)
    assert [(leak.item, leak.n_items, leak.training) for leak in leaks] == [
        ("t/1", 2, "b"),
        ("t/3", 1, "c"),
    ]
    with pytest.raises(TrainingHoldsTest) as error:
        refuse_training_leaks(leaks, "t")
    assert "3 rows" in str(error.value) and "2 records" in str(error.value)
    assert "咳嗽" not in str(error.value)
    refuse_training_leaks([], "t")


@pytest.mark.data
def test_the_disjoint_rows_of_the_case_reports_are_those_of_the_specification(data_folder):
    names = ["jmed-llm/crade", "jmed-llm/mrner-disease", "jmed-llm/mrner-medicine"]
    pools = read_pools(names, Sources(data_folder))
    omitted: dict[str, str] = {}
    config = SplitConfig(tasks=tuple(names), settings=("official", "disjoint"))
    made = {one.record.name: one for one in make_splits(config, pools, omitted)}
    rows = {name: len(one.train) + len(one.validation) for name, one in made.items()}
    assert rows["crade-disjoint"] == 925
    assert rows["mrner-disease-disjoint"] == 97 + 22
    assert rows["crade-official"] == 1630 - 100
    assert made["crade-official"].record.n_leaking_test_rows == 100
    assert omitted["mrner-medicine-disjoint"] == "nothing left to learn of m-val"
    omitted = {}
    across = SplitConfig(tasks=tuple(names), settings=("disjoint",), disjoint_from="all")
    made = {one.record.name: one for one in make_splits(across, pools, omitted)}
    assert "crade-disjoint" in omitted  # what is left of it is always answered A
    assert (
        len(made["mrner-disease-disjoint"].train + made["mrner-disease-disjoint"].validation) == 62
    )


@pytest.mark.data
def test_the_check_finds_in_written_splits_what_their_list_says(data_folder, tmp_path):
    names = ("crade", "mrner-disease")
    config = SplitConfig(tasks=names, settings=("disjoint",))
    split(config, out=tmp_path / "splits", data=data_folder)
    records = {one.name: one for one in read_records(open_folder(tmp_path / "splits", "split"))}
    texts = list(read_training_texts(tmp_path / "splits" / "crade-disjoint" / EXAMPLES))
    for benchmark, expected in (
        ("jmed-llm/crade", 0),
        ("jmed-llm/mrner-disease", records["crade-disjoint"].gives_away["jmed-llm/mrner-disease"]),
    ):
        items = load_benchmark(benchmark, Sources(data_folder)).items
        found = {leak.item for leak in find_training_leaks(texts, items)}
        assert len(found) == expected
