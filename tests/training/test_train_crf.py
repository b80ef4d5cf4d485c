"""Character CRFs as a stage: what they learn, what they say, and long notes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from rinsho.clinical.extract import extract, load_extractor
from rinsho.errors import Corrupt, MissingDependency, MissingInput, NothingToLearn
from rinsho.evaluation.engines import open_tagger
from rinsho.evaluation.evaluate import engine_of
from rinsho.text.spans import Span
from rinsho.training.train_crf import TrainCrfConfig, train_crf

FINDINGS = {"発熱": "symptom", "肺炎": "disease", "咳嗽": "symptom", "胃癌": "disease"}
DRUGS = ("アスピリン", "ワルファリン", "アムロジピン")


def write_examples(path: Path) -> Path:
    """Notes of findings (one task) and of drugs (another), with borders by hand."""
    rows = list[dict[str, object]]()
    for finding, label in FINDINGS.items():
        for end in ("あり。", "なし。", "を認めた。", "の疑い。"):
            for start in ("本日、", "昨夜から", ""):
                text = f"{start}{finding}{end}"
                spans = [{"start": len(start), "end": len(start) + len(finding), "label": label}]
                rows.append({"text": text, "spans": spans, "task": "findings", "split": "train"})
                rows.append({"text": text, "spans": [], "task": "drugs", "split": "train"})
    for drug in DRUGS:
        for end in ("を開始。", "を中止した。", "内服中。"):
            for start in ("本日、", "肺炎に", ""):
                spans = [{"start": len(start), "end": len(start) + len(drug), "label": "drug"}]
                text = f"{start}{drug}{end}"
                rows.append({"text": text, "spans": spans, "task": "drugs", "split": "train"})
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def crf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("pycrfsuite")
    root = tmp_path_factory.mktemp("crf")
    train(write_examples(root / "notes.jsonl"), root / "crf")
    return root / "crf"


def train(examples: Path, out: Path) -> None:
    file = {"path": str(examples), "license": "CC0-1.0"}
    train_crf(TrainCrfConfig.model_validate({"examples": [file]}), out=out)


def test_it_marks_what_it_learned_and_the_rules_judge_it(crf: Path) -> None:
    extractor = load_extractor(crf)
    text = "昨夜から発熱あり。ワルファリンを開始。肺炎なし。胃癌の疑い。"
    found = [(text[s.start : s.end], s.label, s.certainty) for s in extract(extractor, text)]
    assert found == [
        ("発熱", "symptom", "present"),
        ("ワルファリン", "drug", "present"),
        ("肺炎", "disease", "negated"),
        ("胃癌", "disease", "suspected"),
    ]
    assert (extractor.name, extractor.kind) == ("crf", "model")


def test_a_long_note_loses_no_mention_and_doubles_none(crf: Path) -> None:
    piece = "昨夜から発熱あり、肺炎なし、"  # one line of 20,000 characters: cut in the middle of it
    text = piece * 1_500
    spans = extract(load_extractor(crf), text)
    expected = [
        Span(place + start, place + start + 2, label, certainty)
        for place in range(0, len(text), len(piece))
        for start, label, certainty in ((4, "symptom", "present"), (9, "disease", "negated"))
    ]
    assert [(s.start, s.end, s.label) for s in spans] == [
        (s.start, s.end, s.label) for s in expected
    ]


def test_the_same_notes_give_the_same_models(crf: Path, tmp_path: Path) -> None:
    train(write_examples(tmp_path / "notes.jsonl"), tmp_path / "crf")
    for name in ("crf.json", "task-0.crfsuite", "task-1.crfsuite"):
        assert (tmp_path / "crf" / name).read_bytes() == (crf / name).read_bytes()


def test_the_evaluation_opens_it_as_a_tagger(crf: Path) -> None:
    from rinsho.evaluation.benchmark import Item
    from rinsho.evaluation.opened_model import open_model, require_finished

    assert engine_of(crf) == "tagger"
    item = Item("x", "entities", "薬は？\n「肺炎にアスピリンを開始。」", tag="drugs")
    path = require_finished(open_model(crf)).path
    assert open_tagger(path).answer("own", item, "extraction").output == "['アスピリン']"


def test_a_changed_byte_is_refused(crf: Path, tmp_path: Path) -> None:
    copy = tmp_path / "crf"
    copy.mkdir()
    for file in crf.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    model = copy / "task-0.crfsuite"
    model.write_bytes(model.read_bytes()[:-1] + b"!")
    with pytest.raises(Corrupt):
        load_extractor(copy)


def test_nothing_to_learn_from_is_said(tmp_path: Path) -> None:
    pytest.importorskip("pycrfsuite")
    with pytest.raises(MissingInput):
        train_crf(TrainCrfConfig(), out=tmp_path / "a")
    empty = tmp_path / "empty.jsonl"
    empty.write_text(json.dumps({"text": "著変なし。", "spans": [], "split": "train"}))
    with pytest.raises(NothingToLearn):
        train(empty, tmp_path / "b")


def test_without_crfsuite_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pycrfsuite", None)  # what Python does where it is missing
    with pytest.raises(MissingDependency) as raised:
        train(write_examples(tmp_path / "notes.jsonl"), tmp_path / "crf")
    assert 'pip install "rinsho[baselines]"' in str(raised.value)
    assert not (tmp_path / "crf").exists()
