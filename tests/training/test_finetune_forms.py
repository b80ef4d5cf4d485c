"""Fine-tuning in the forms that read examples: pooled, pair, tagging; and label scoring."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rinsho.clinical.extract import extract_notes, load_extractor, to_json_line
from rinsho.clinical.notes import Note
from rinsho.corpus.document import Message
from rinsho.errors import InvalidValue, MissingInput, ModelCannot, NothingToLearn
from rinsho.evaluation.evaluate import engine_of, methods_of
from rinsho.generation.decoder_model import load_language_model
from rinsho.generation.language_model import Sampling
from rinsho.manifest import open_folder
from rinsho.model.heads import load_text_heads
from rinsho.model.tagger import load_tagger
from rinsho.training.finetune import FinetuneConfig, finetune

LICENSE = "CC0-1.0"
DISEASES = ("肺炎", "肺癌", "喘息", "心房細動", "慢性心不全", "胃潰瘍", "急性虫垂炎", "橋本病")
SYMPTOMS = ("発熱", "咳嗽", "動悸", "息切れ", "心窩部痛", "右下腹部痛", "口渇", "全身倦怠感")


def a_config(path: Path | None = None, **changes: object) -> FinetuneConfig:
    values = {"batch_tokens": 512, "micro_batch_tokens": 256, "threads": 1, "precision": "fp32"}
    rates = {"learning_rate": 1e-2, "n_warmup_steps": 2, "n_steps": 60, "validation_share": 0.2}
    often = {"evaluate_every_steps": 20, "checkpoint_every_steps": 1000}
    files = {"examples": [{"path": str(path), "license": LICENSE}]} if path else {}
    return FinetuneConfig.model_validate(values | rates | often | files | changes)


def write(path: Path, records: Iterator[dict[str, object]]) -> Path:
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def judged_notes() -> Iterator[dict[str, object]]:
    for disease in DISEASES:
        for number, symptom in enumerate(SYMPTOMS):
            text = f"{disease}で通院中。{symptom}を主訴に来院。"
            yield {"text": text, "task": "lung", "label": "A" if "肺" in disease else "B"}
            labels = [word for word in ("肺", "心", "性") if word in disease]
            yield {"text": text, "task": "organs", "labels": labels}
            yield {"text": text, "task": "number", "value": float(number)}


@pytest.fixture(scope="module")
def judged(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("judged")
    path = write(root / "notes.jsonl", judged_notes())
    finetune(a_config(path, n_steps=150), base=weights, out=root / "heads")
    return root / "heads"


def test_one_decoder_learns_classes_labels_and_numbers_at_once(judged: Path) -> None:
    manifest = open_folder(judged).manifest
    assert manifest.identity.config["form"] == "pooled", "texts without a partner"
    counts = manifest.counts
    assert counts["n_train_documents"] + counts["n_validation_documents"] == 64
    assert counts["n_answers"] == 3 * counts["n_train_documents"], "read once for three answers"
    assert counts["kappa"] > 0.7 and counts["label_f1"] > 0.7 and counts["pearson"] > 0.7
    (said,) = load_text_heads(judged).judge([("肺炎で通院中。動悸を主訴に来院。", None)])
    assert {j.task: j.labels for j in said}["lung"] == ("A",)


def test_extraction_prints_what_a_head_says(judged: Path) -> None:
    (found,) = extract_notes(load_extractor(judged), [Note("n/1", "肺炎で通院中。")])
    line = json.loads(to_json_line(found))
    assert [answer["task"] for answer in line["answers"]] == ["lung", "number", "organs"]
    assert line["spans"] == [] and line["engine"] == "heads"


@pytest.mark.campaign
def test_a_pair_head_learns_whether_two_notes_are_about_one_disease(
    weights: Path, tmp_path: Path
) -> None:
    def pairs() -> Iterator[dict[str, object]]:
        for n, symptom in enumerate(SYMPTOMS):
            for disease in DISEASES:
                for other in sorted({disease, DISEASES[n]}):
                    texts = {"text_a": f"{disease}で通院中。", "text_b": f"{other}、{symptom}。"}
                    yield {**texts, "value": 5.0 * (disease == other), "group": f"{disease}{n}"}

    path = write(tmp_path / "pairs.jsonl", pairs())
    manifest = finetune(a_config(path, n_steps=200), base=weights, out=tmp_path / "pair")
    assert manifest.identity.config["form"] == "pair"
    assert manifest.counts["pearson"] > 0.6
    assert engine_of(tmp_path / "pair") == "head"
    with pytest.raises(ModelCannot):
        load_extractor(tmp_path / "pair")


def test_tagging_learns_lists_of_entities_of_two_tasks(weights: Path, tmp_path: Path) -> None:
    def lists() -> Iterator[dict[str, object]]:
        for number, disease in enumerate(DISEASES):
            for symptom in SYMPTOMS:
                text = f"{disease}にて通院中。{symptom}を主訴に来院。"
                if number % 2:
                    yield {"text": text, "task": "d", "entities": [disease]}
                yield {"text": text, "task": "s", "entities": [symptom]}

    path = write(tmp_path / "lists.jsonl", lists())
    manifest = finetune(a_config(path, n_steps=120), base=weights, out=tmp_path / "tagger")
    assert manifest.identity.config["form"] == "tagging"
    assert manifest.counts["span_f1"] > 0.8
    tagger = load_tagger(tmp_path / "tagger")
    text = "肺癌にて通院中。発熱を主訴に来院。"
    (found,) = tagger.spans_by_task([text])
    assert [text[s.start : s.end] for s in found["d"]] == ["肺癌"]
    assert [text[s.start : s.end] for s in found["s"]] == ["発熱"]


def test_tagging_goes_on_from_the_tags_of_its_base(weights: Path, tmp_path: Path) -> None:
    def marked(label: str, words: tuple[str, ...]) -> Iterator[dict[str, object]]:
        for word in words:
            for other in SYMPTOMS:
                text = f"{word}にて通院中。{other}を主訴に来院。"
                yield {"text": text, "spans": [{"start": 0, "end": len(word), "label": label}]}

    first = write(tmp_path / "diseases.jsonl", marked("disease", DISEASES))
    finetune(a_config(first, n_steps=100), base=weights, out=tmp_path / "first")
    more = write(tmp_path / "drugs.jsonl", marked("drug", ("アムロジピン",)))
    hardly = {"learning_rate": 1e-9, "head_learning_rate": 1e-9, "n_steps": 1}
    finetune(a_config(more, **hardly), base=tmp_path / "first", out=tmp_path / "second")
    finetune(a_config(more, **hardly), base=weights, out=tmp_path / "fresh")
    before, after = load_tagger(tmp_path / "first"), load_tagger(tmp_path / "second")
    text = "喘息にて通院中。発熱を主訴に来院。"
    (found,) = before.spans(text)
    assert (text[found.start : found.end], found.label) == ("喘息", "disease")
    assert after.spans(text) == (found,), "what was learned is still there"
    pairs = [("disease", "present"), ("drug", "present")]
    assert list(after.heads[""].tags.pairs) == pairs, "old and new kinds"
    assert load_tagger(tmp_path / "fresh").heads[""].tags.pairs == (pairs[1],)


@pytest.mark.parametrize("form", ["tagging", "pooled", "pair"])
def test_causal_attention_is_kept_on_disk(weights: Path, tmp_path: Path, form: str) -> None:
    answer = {"entities": ["熱"]} if form == "tagging" else {"label": "A"}
    other = {"text_b": "咳"} if form == "pair" else {}
    path = write(tmp_path / "a.jsonl", iter([{"text": "熱あり"} | answer | other]))
    config = a_config(path, n_steps=1, attention="causal", form=form, validation_share=0.0)
    finetune(config, base=weights, out=tmp_path / "out")
    load = load_tagger if form == "tagging" else load_text_heads
    assert load(tmp_path / "out").is_causal


# ------------------------------------------------------------------------------- language


def test_label_scoring_learns_conversations_and_is_asked_by_likelihood(
    weights: Path, chat_tokens: Path, tmp_path: Path
) -> None:
    config = a_config(form="label-scoring", n_steps=2)
    finetune(config, base=weights, tokens=chat_tokens, out=tmp_path / "scored")
    assert engine_of(tmp_path / "scored") == "model"
    assert methods_of(tmp_path / "scored") == ("log-likelihood",)
    finetune(a_config(n_steps=2), base=weights, tokens=chat_tokens, out=tmp_path / "chat")
    assert methods_of(tmp_path / "chat") == ("generation", "log-likelihood")


def test_a_tuned_model_ends_its_answers(weights: Path, chat_tokens: Path, tmp_path: Path) -> None:
    config = a_config(form="generation", n_steps=60)
    finetune(config, base=weights, tokens=chat_tokens, out=tmp_path / "chat")
    model = load_language_model(tmp_path / "chat")
    for disease in DISEASES:
        user = Message("user", f"{disease}でみられる症状は何ですか。")
        prompt = model.tokenizer.render([user], add_generation_prompt=True)
        tokens = list(model.generate(prompt, Sampling(max_new_tokens=30)))
        assert 0 < len(tokens) < 30, "it ends by itself"


# ------------------------------------------------------------------------------- bad input


def test_nothing_to_learn_is_refused(weights: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", iter([{"text": "熱", "label": "A"}]))
    with pytest.raises(NothingToLearn, match="0 spans"):
        finetune(a_config(path, form="tagging"), base=weights, out=tmp_path / "out")
    test = write(tmp_path / "t.jsonl", iter([{"text": "熱", "label": "A", "split": "test"}]))
    with pytest.raises(NothingToLearn, match="0 answers"):
        finetune(a_config(test, form="pooled"), base=weights, out=tmp_path / "out2")
    with pytest.raises(MissingInput, match="examples"):
        finetune(a_config(form="pooled"), base=weights, out=tmp_path / "out3")
    with pytest.raises(InvalidValue, match="text_b"):
        alone = a_config(path, form="pair", validation_share=0.0)
        finetune(alone, base=weights, out=tmp_path / "out4")
    assert not any((tmp_path / name).exists() for name in ("out", "out2", "out3", "out4"))


def test_what_is_written_from_left_to_right_is_not_read_both_ways(
    weights: Path, chat_tokens: Path, tmp_path: Path
) -> None:
    config = a_config(form="generation", attention="bidirectional")
    with pytest.raises(InvalidValue, match="attention"):
        finetune(config, base=weights, tokens=chat_tokens, out=tmp_path / "out")


def test_examples_and_tokens_do_not_go_together(
    weights: Path, chat_tokens: Path, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.jsonl", iter([{"text": "熱", "label": "A"}]))
    with pytest.raises(InvalidValue):
        finetune(a_config(path), base=weights, tokens=chat_tokens, out=tmp_path / "out")


def test_a_label_that_only_validation_has_is_counted_and_wrong(
    weights: Path, tmp_path: Path
) -> None:
    records = [{"text": f"熱{n}", "label": "A", "split": "train"} for n in range(4)]
    unseen = {"text": "咳", "label": "C", "split": "validation"}
    path = write(tmp_path / "a.jsonl", iter([*records, unseen]))
    counts = finetune(a_config(path, n_steps=2), base=weights, out=tmp_path / "out").counts
    assert counts["n_unknown_validation_answers"] == 1
    assert counts["kappa"] == 0


def test_answers_that_a_head_does_not_learn_are_counted(weights: Path, tmp_path: Path) -> None:
    both: list[dict[str, object]] = [
        {"text": "熱あり", "entities": ["熱"], "split": "train"},
        {"text": "熱あり", "label": "A", "split": "train"},
    ]
    path = write(tmp_path / "a.jsonl", iter(both))
    for form in ("tagging", "pooled"):
        config = a_config(path, form=form, n_steps=1)
        counts = finetune(config, base=weights, out=tmp_path / form).counts
        assert counts["n_unused_answers"] == 1


def test_weights_with_a_head_are_no_base_for_conversations(
    judged: Path, chat_tokens: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelCannot, match="head"):
        finetune(a_config(form="generation"), base=judged, tokens=chat_tokens, out=tmp_path / "o")


def test_a_text_longer_than_the_context_is_read_whole(judged: Path) -> None:
    heads = load_text_heads(judged)
    text = "胃潰瘍で通院中。" * 60 + "肺炎で通院中。" * 60
    (rows,) = heads.rows((text, None))
    assert len(rows) > 2 and all(len(row) <= 64 for row in rows)
    assert len(heads.judge([(text, None)])[0]) == 3
