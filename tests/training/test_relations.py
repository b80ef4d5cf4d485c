"""A head that relates mentions, from annotated notes to `extract --relations`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rinsho.cli import app
from rinsho.clinical.extract import load_extractor
from rinsho.errors import BrokenRecord, ModelCannot, NothingToLearn, RelationsNotLearned
from rinsho.manifest import open_folder
from rinsho.model.relation_finder import load_relations
from rinsho.text.spans import Relation, Span
from rinsho.training.examples import read_examples
from rinsho.training.finetune import FinetuneConfig, finetune
from rinsho.training.relation_examples import pair_examples

EVENTS = ("発熱", "咳嗽", "動悸", "息切れ", "心窩部痛", "右下腹部痛", "口渇", "全身倦怠感")
DRUGS = ("アムロジピン", "𠮷草", "プレドニゾロン", "ﾛｷｿﾆﾝ")
FORMS = (("で", "が出現。", True), ("を", "のため内服。", False))


def annotated() -> Iterator[dict[str, object]]:
    """Notes of two mentions: the words behind them alone say whether one caused the other."""
    for drug in DRUGS:
        for event in EVENTS:
            for between, after, is_cause in FORMS:
                end = len(drug) + len(between)
                spans = [
                    {"start": end, "end": end + len(event), "label": "symptom"},
                    {"start": 0, "end": len(drug), "label": "drug"},
                ]
                relations = [{"kind": "caused", "head": 1, "tail": 0}] if is_cause else []
                text = f"{drug}{between}{event}{after}"
                yield {"text": text, "spans": spans, "relations": relations}


def write(path: Path, records: list[dict[str, object]]) -> Path:
    path.write_text("\n".join(json.dumps(one) for one in records), encoding="utf-8")
    return path


def config_of(path: Path, **changes: object) -> FinetuneConfig:
    values = {"form": "relation", "batch_tokens": 512, "micro_batch_tokens": 256, "threads": 1}
    rates = {"learning_rate": 1e-2, "n_warmup_steps": 2, "n_steps": 80, "max_epochs": 100}
    files = {"examples": [{"path": str(path), "license": "CC0-1.0"}], "validation_share": 0.2}
    return FinetuneConfig.model_validate(values | rates | files | {"precision": "fp32"} | changes)


@pytest.fixture(scope="module")
def related(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("related")
    path = write(root / "notes.jsonl", list(annotated()))
    finetune(config_of(path, evaluate_every_steps=20), base=weights, out=root / "relations")
    return root / "relations"


def test_a_head_learns_which_words_say_that_a_drug_caused_an_event(related: Path) -> None:
    manifest = open_folder(related).manifest
    assert manifest.counts["kappa"] > 0.8
    finder = load_relations(related)
    text, drug, event = "ｱﾑﾛｼﾞﾋﾟﾝで動悸が出現。", Span(0, 8, "drug"), Span(9, 11, "symptom")
    assert finder.relations(text, [drug, event]) == (Relation("caused", drug, event),)
    reason = "ｱﾑﾛｼﾞﾋﾟﾝを動悸のため内服。"
    assert finder.relations(reason, [drug, event]) == ()
    negated = Span(9, 11, "symptom", "negated")
    assert finder.relations(text, [drug, negated]) == (), "what did not happen was not caused"


def test_the_command_writes_relations_in_every_form_that_holds_them(
    related: Path, tmp_path: Path
) -> None:
    note = tmp_path / "note.txt"
    note.write_text("𠮷田氏。アムロジピンで動悸が出現。", encoding="utf-8")
    given = ["extract", str(note), "--relations", str(related)]
    lines = CliRunner().invoke(app, given)
    assert lines.exit_code == 0, lines.output
    line = json.loads(lines.stdout)
    (said,) = line["relations"]
    words = [line["spans"][said[side]]["text"] for side in ("head", "tail")]
    assert (said["kind"], *words) == ("caused", "アムロジピン", "動悸")
    outs = {form: tmp_path / f"x.{form}" for form in ("jsonl", "csv", "fhir")}
    for form, out in (*outs.items(), ("brat", tmp_path / "folder")):
        assert CliRunner().invoke(app, [*given, "--as", form, "--out", str(out)]).exit_code == 0
    (marks,) = (tmp_path / "folder").glob("*.ann")
    assert "R1\tcaused Arg1:T1 Arg2:T2\n" in marks.read_text("utf-8")
    converted = [str(tmp_path / "folder"), "--out", str(tmp_path / "back.jsonl")]
    assert CliRunner().invoke(app, ["annotations", *converted]).exit_code == 0
    written, back = (
        json.loads((tmp_path / name).read_text("utf-8")) for name in ("x.jsonl", "back.jsonl")
    )
    assert written["relations"] == back["relations"] == [{"kind": "caused", "head": 0, "tail": 1}]
    table = outs["csv"].read_text("cp932").splitlines()
    assert [row.rpartition(",")[2] for row in table] == [
        "relations",
        "",
        "caused 4-10 アムロジピン",
    ]
    entries = json.loads(outs["fhir"].read_text("utf-8"))["entry"]
    (event,) = (e["resource"] for e in entries if e["resource"]["resourceType"] == "AdverseEvent")
    assert event["event"]["text"] == "動悸"
    assert entries[-1]["resource"]["agent"][0]["who"]["display"].endswith("relations relations")


def run(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_corrected_relations_are_learned_from_and_compared_on_notes_held_out(
    related: Path, tmp_path: Path
) -> None:
    """Page → annotations --held-out → finetune → compare, as docs/corrections.md has it."""
    own = tmp_path / "data" / "own"
    own.mkdir(parents=True)
    unmarked = {"text": "発熱あり。", "spans": [{"start": 0, "end": 2, "label": "symptom"}]}
    corrections = write(tmp_path / "corrections.jsonl", [*annotated(), unmarked])
    said = run("annotations", corrections, "--held-out", "0.4", "--out", own / "ward.jsonl")
    rows = [json.loads(line) for line in (own / "ward.jsonl").read_text("utf-8").splitlines()]
    asked = [r for r in rows if r.get("split") == "test" and "relations" in r]
    assert f"the relations of {len(asked)} as another" in said
    config = tmp_path / "relations.toml"
    config.write_text(
        '[finetune]\nform = "relation"\nallow_licenses = ["private"]\nvalidation_share = 0.0\n'
        "n_steps = 2\nmax_epochs = 9\nlearning_rate = 1e-4\nn_warmup_steps = 1\nthreads = 1\n"
        '[[finetune.examples]]\npath = "own/ward.jsonl"\nlicense = "private"\n',
        encoding="utf-8",
    )
    data = ("--data", tmp_path / "data")
    run("finetune", config, "--base", related, *data, "--out", tmp_path / "better")
    names = (tmp_path / "better", related, "dictionary")
    benchmark = ("--benchmark", "own/ward-relations", *data, "--out", tmp_path / "compared")
    compared = json.loads(run("compare", *names, *benchmark, "--draws", 200, "--json"))
    assert [(one["first"], one["second"], one["metric"]) for one in compared] == [
        (*pair, "f1")
        for pair in (("better", "relations"), ("better", "dictionary"), ("relations", "dictionary"))
    ]
    # Every note has a drug and an event in one sentence: the rule relates them all.
    n_causes = sum(len(row["relations"]) for row in asked)
    assert compared[1]["value_second"] == 2 * n_causes / (len(asked) + n_causes)
    assert compared[2]["difference"]["low"] > 0, "the head has learned what the rule cannot know"
    assert {one["difference"]["n_documents"] for one in compared} == {len(asked)}
    out = tmp_path / "evaluated"
    run("evaluate", related, "--benchmark", "own/ward-relations", *data, "--out", out)
    (entry,) = json.loads((out / "report" / "report.json").read_bytes())["entries"]
    assert entry["corrected"]["f1"]["value"] == compared[2]["value_first"]


def test_a_head_goes_on_with_the_kinds_that_its_base_knows(
    related: Path, weights: Path, tmp_path: Path
) -> None:
    none = [{**one, "relations": []} for one in annotated()]
    path = write(tmp_path / "none.jsonl", none)
    gentle = config_of(path, n_steps=1, learning_rate=1e-9, head_learning_rate=1e-9)
    finetune(gentle, base=related, out=tmp_path / "out")
    text, pair = "ﾛｷｿﾆﾝで動悸が出現。", (Span(0, 5, "drug"), Span(6, 8, "symptom"))
    finder = load_relations(tmp_path / "out")
    assert finder.relations(text, pair) == (Relation("caused", *pair),)
    assert finder.relations("ﾛｷｿﾆﾝを動悸のため内服。", pair) == ()


def test_weights_that_do_not_relate_are_refused_with_the_next_step(
    related: Path, weights: Path
) -> None:
    with pytest.raises(RelationsNotLearned) as refused:
        load_relations(weights)
    assert "relation" in refused.value.next_step("ja")
    with pytest.raises(ModelCannot) as asked:
        load_extractor(related)
    assert "--relations" in asked.value.next_step("en")


def test_without_a_relation_there_is_nothing_to_learn(weights: Path, tmp_path: Path) -> None:
    records = [{**one, "relations": []} for one in annotated()]
    path = write(tmp_path / "none.jsonl", records)
    with pytest.raises(NothingToLearn):
        finetune(config_of(path), base=weights, out=tmp_path / "out")


def test_texts_whose_relations_nobody_marked_are_no_examples(tmp_path: Path) -> None:
    first, second, *_ = annotated()
    del second["relations"]
    examples = read_examples([write(tmp_path / "a.jsonl", [first, second])])
    made = list(pair_examples(examples))
    assert [list(one.answers.values()) for one in made] == [["caused"], []]
    assert made[0].text == "@*薬*アムロジピン@で#^症状^発熱#が出現。"


def test_relations_of_a_text_are_moved_with_its_spans(tmp_path: Path) -> None:
    (record,) = (one for one in annotated() if one["text"] == "ﾛｷｿﾆﾝで動悸が出現。")
    (example,) = read_examples([write(tmp_path / "a.jsonl", [record])])
    drug, event = Span(0, 5, "drug"), Span(6, 8, "symptom")
    assert example.answers["", "relations"] == (Relation("caused", drug, event),)
    record["relations"] = [{"kind": "caused", "head": 1, "tail": 2}]
    with pytest.raises(BrokenRecord):
        read_examples([write(tmp_path / "b.jsonl", [record])])
