"""The stage `score`: one report from real answers, honest about what is wrong or missing."""

import csv
import json
import random
import re
from pathlib import Path

import pytest

from rinsho.corpus.document import read_json_lines
from rinsho.errors import AnswersIncomplete
from rinsho.evaluation.answer import ASKED, AnswerConfig, answer
from rinsho.evaluation.answer_record import ANSWERS, Answer, read_answers, write_answers
from rinsho.evaluation.benchmark import Item, Sources
from rinsho.evaluation.catalogue import load_benchmark
from rinsho.evaluation.evaluate import evaluate_model
from rinsho.evaluation.page import embed_json
from rinsho.evaluation.parse import format_spans
from rinsho.evaluation.prompts import hash_prompt
from rinsho.evaluation.score import ScoreConfig, score
from rinsho.evaluation.scoring import score_entry
from rinsho.manifest import canonical_json, new_folder, open_folder

SCORE = ScoreConfig(n_draws=200)
HOSTILE = "</script><script>document.title='hacked'</script><img src=x onerror=alert(1)>"


def write_folder(out: Path, name: str, outputs, **config) -> Path:
    """Write an answers folder as another program would: outputs by item, in the open format."""
    loaded = load_benchmark(name, Sources(config.pop("data", None), noncommercial=True))
    method = config.pop("method", "generation")
    answers = [
        Answer(name, item.id, method, hash_prompt(item), **given)
        for item in loaded.items
        if (given := outputs(item)) is not None
    ]
    values = AnswerConfig.model_validate({"benchmarks": [name], **config})
    asked = {"name": name, "version": 1, "sha256": loaded.sha256, "n_available": len(loaded.items)}
    asked["items"] = [item.id for item in loaded.items]
    with new_folder(out, stage="answer", config=values, inputs={}) as folder:
        write_answers(folder.path / ANSWERS, answers)
        (folder.path / ASKED).write_bytes(canonical_json([asked]))
    return out


def read_report(folder: Path):
    return json.loads((folder / "report.json").read_bytes())


def entry_of(report, system: str):
    return next(entry for entry in report["entries"] if entry["system"] == system)


@pytest.fixture(scope="module")
def report_folder(tmp_path_factory, weights_folder, synthetic_folder) -> Path:
    root = tmp_path_factory.mktemp("report")
    asked = AnswerConfig.model_validate(
        {
            "benchmarks": ["demo-questions", "demo-notes-entities", "synthetic-text", "notes-text"],
            "label": "小さなモデル <b>",
            "max_items": 4,
            "max_new_tokens": 8,
            "n_free_generations": 4,
            "free_max_new_tokens": 20,
            "threads": 1,
        }
    )
    answer(asked, out=root / "model", model=weights_folder, documents=[synthetic_folder])
    asked = AnswerConfig.model_validate(
        {"benchmarks": ["synthetic-text", "notes-text"], "engine": "kneser-ney"}
    )
    answer(asked, out=root / "n-gram", documents=[synthetic_folder])

    def mark(item: Item):
        kept = tuple(span for span in item.gold_spans if span.label != "value")
        return {"output": format_spans(kept)}

    marked = write_folder(root / "spans", "demo-notes", mark, engine="tagger", label="no values")
    hostile = write_folder(
        root / "hostile",
        "demo-notes-entities",
        lambda item: {"output": HOSTILE},
        label=HOSTILE[:60],
    )
    folders = [root / "model", root / "n-gram", marked, hostile]
    score(
        SCORE, answers=folders, out=root / "report", documents=[synthetic_folder],
        weights=[weights_folder],
    )  # fmt: skip
    return root / "report"


def test_a_report_has_its_parts(report_folder):
    names = {path.name for path in report_folder.iterdir()}
    figures = {
        f"{name}.{form}"
        for name in ("scores", "bits_per_byte", "data", "loss", "reliability", "risk_coverage")
        for form in ("svg", "png")
    }
    tables = {"scores.csv", "scores.md", "differences.csv", "differences.md", "confusion.csv"}
    others = {"manifest.json", "report.json", "report.html", "items.jsonl.zst"}
    assert names == {*others, *tables, *figures}
    report = read_report(report_folder)
    assert {link["stage"] for link in report["chain"]} == {"answer", "pretrain", "synthesize"}
    assert [curve["losses"] for curve in report["losses"]] == [[8.5, 7.5, 6.5, 5.5, 4.5]]
    assert {source["source"] for source in report["sources"]} == {"progress_note", "instruction"}
    assert len(report["summary"][0]) == 5


def test_spans_are_scored_by_label_with_intervals(report_folder):
    figures = entry_of(read_report(report_folder), "no values")["corrected"]
    items = load_benchmark("demo-notes", Sources()).items
    n_gold = sum(len(item.gold_spans) for item in items)
    n_found = sum(span.label != "value" for item in items for span in item.gold_spans)
    assert figures["precision"]["value"] == 1.0
    assert figures["recall"]["value"] == pytest.approx(n_found / n_gold)
    assert figures["f1"]["value"] == pytest.approx(2 * n_found / (n_found + n_gold))
    assert figures["f1"]["low"] <= figures["f1"]["value"] <= figures["f1"]["high"]
    assert figures["f1_value"]["value"] == 0.0
    assert figures["f1_drug"]["value"] == 1.0


def test_systems_are_compared_on_the_items_that_both_answered(report_folder):
    report = read_report(report_folder)
    pairs = [one for one in report["comparisons"] if one["benchmark"] == "notes-text"]
    assert len(pairs) == 1
    assert pairs[0]["difference"]["n_rows"] == 4  # the model answered a sample of them
    assert not pairs[0]["is_higher_better"]


def test_free_generations_are_measured_against_training_text(report_folder):
    (free,) = read_report(report_folder)["free"]
    assert len(free["generations"]) == 4
    assert free["is_compared_with_training_text"]
    assert all(one["prompt"] for one in free["generations"])


def test_the_same_answers_give_the_same_report(
    report_folder, tmp_path, weights_folder, synthetic_folder
):
    root = report_folder.parent
    folders = [root / name for name in ("model", "n-gram", "spans", "hostile")]
    out = tmp_path / "report"
    again = score(
        SCORE, answers=folders, out=out, documents=[synthetic_folder], weights=[weights_folder]
    )
    assert again.identity_hash == open_folder(report_folder).manifest.identity_hash


def test_the_page_holds_no_markup_of_a_model_and_no_address_to_fetch(report_folder):
    page = (report_folder / "report.html").read_text(encoding="utf-8")
    assert "<img" not in page
    assert page.count("<script") == 2
    assert "小さなモデル &lt;b&gt;" in page
    addresses = set(re.findall(r"https?://[^\"'\s)<]+", page))
    assert all(address.startswith("http://www.w3.org/") for address in addresses)  # SVG's names
    assert not re.search(r"(?:src|href)=[\"'](?!#)", page.replace('xlink:href="#', ""))


def test_json_in_a_page_reads_back_and_cannot_end_its_element():
    value = {"output": f"{HOSTILE}\u2028 & 𠮷\ud800"}
    text = embed_json(value)
    assert "<" not in text
    assert json.loads(text) == value
    text.encode()


def test_an_item_that_is_missing_is_an_error(tmp_path):
    folder = write_folder(
        tmp_path / "answers",
        "demo-notes-entities",
        lambda item: None if item.id.endswith("01") else {"output": "[]"},
    )
    with pytest.raises(AnswersIncomplete, match="demo-notes-entities"):
        score(SCORE, answers=[folder], out=tmp_path / "report")


def test_answers_to_another_version_of_the_items_are_refused(tmp_path):
    folder = write_folder(tmp_path / "answers", "demo-similarity", lambda item: {"output": "A"})
    asked = json.loads((folder / ASKED).read_bytes())
    asked[0]["sha256"] = "0" * 64
    config = AnswerConfig.model_validate({"benchmarks": ["demo-similarity"]})
    with new_folder(tmp_path / "old", stage="answer", config=config, inputs={}) as other:
        write_answers(other.path / ANSWERS, read_answers(folder))
        (other.path / ASKED).write_bytes(canonical_json(asked))
    with pytest.raises(AnswersIncomplete):
        score(SCORE, answers=[tmp_path / "old"], out=tmp_path / "report")


def test_what_did_not_fit_or_could_not_be_read_counts_as_wrong(tmp_path):
    def half(item: Item):
        number = int(item.id.rpartition("/")[2])
        if number % 2:
            return {"output": item.gold[0]}
        return {"is_too_long": True} if number % 4 else {"output": "わかりません"}

    folder = write_folder(tmp_path / "answers", "demo-similarity", half)
    score(SCORE, answers=[folder], out=tmp_path / "report")
    (entry,) = read_report(tmp_path / "report")["entries"]
    n = entry["n_items"]
    assert n == len(load_benchmark("demo-similarity", Sources()).items)
    assert entry["corrected"]["accuracy"]["value"] == pytest.approx((n + 1) // 2 / n)
    assert entry["n_too_long"] + entry["n_invalid"] >= n // 2
    assert entry["n_too_long"] == sum(number % 4 == 2 for number in range(1, n + 1))


def test_log_likelihoods_have_no_official_score_and_choose_the_likeliest(tmp_path):
    def likelihoods(item: Item):
        return {"log_likelihoods": tuple(-1.0 if x in item.gold else -2.0 for x in item.letters)}

    folder = write_folder(
        tmp_path / "answers", "demo-similarity", likelihoods, method="log-likelihood"
    )
    score(SCORE, answers=[folder], out=tmp_path / "report")
    (entry,) = read_report(tmp_path / "report")["entries"]
    assert entry["official"] == {}
    assert entry["corrected"]["accuracy"]["value"] == 1.0
    assert entry["corrected"]["kappa_linear"]["value"] == 1.0


def test_no_text_of_a_private_document_reaches_a_report(tmp_path, private_folder):
    asked = AnswerConfig.model_validate({"benchmarks": ["documents-text"], "engine": "kneser-ney"})
    answer(asked, out=tmp_path / "answers", documents=[private_folder])
    manifest = score(
        SCORE, answers=[tmp_path / "answers"], out=tmp_path / "report", documents=[private_folder]
    )
    assert manifest.identity.is_private
    for path in (tmp_path / "report").iterdir():
        assert "秘密".encode() not in path.read_bytes()
    lines = str(list(read_json_lines(tmp_path / "report" / "items.jsonl.zst")))
    assert "秘密" not in lines


def test_a_shared_report_holds_no_text_and_an_unshared_one_of_private_text_is_private(
    tmp_path, private_folder
):
    folder = write_folder(
        tmp_path / "answers", "demo-similarity", lambda item: {"output": "秘密の回答 A"}
    )
    shared = SCORE.model_copy(update={"share": True})
    score(shared, answers=[folder], out=tmp_path / "shared")
    sentence = load_benchmark("demo-similarity", Sources()).items[0].question.split("S1: ")[1][:12]
    for path in (tmp_path / "shared").iterdir():
        for text in ("秘密", sentence):
            assert text.encode() not in path.read_bytes()
    asked = AnswerConfig.model_validate({"benchmarks": ["documents-text"], "engine": "kneser-ney"})
    answer(asked, out=tmp_path / "private", documents=[private_folder])
    unshared = SCORE.model_copy(update={"share": False})
    manifest = score(
        unshared, answers=[tmp_path / "private"], out=tmp_path / "own", documents=[private_folder]
    )
    assert manifest.identity.is_private
    assert (tmp_path / "own").stat().st_mode & 0o077 == 0
    assert "秘密" in (tmp_path / "own" / "report.html").read_text(encoding="utf-8")


def test_tables_hold_every_figure_and_compute_nothing(report_folder):
    text = (report_folder / "scores.csv").read_text(encoding="utf-8-sig")
    lines = list(csv.DictReader(text.splitlines()))
    report = read_report(report_folder)
    n_figures = sum(len(one["official"]) + len(one["corrected"]) for one in report["entries"])
    assert sum(line["source"] == "measured" for line in lines) == n_figures
    assert not [cell for line in lines for cell in line.values() if cell.startswith(("=", "@"))]
    for name in ("scores.md", "differences.md"):
        rows = [r for r in (report_folder / name).read_text().splitlines() if r.startswith("|")]
        assert {row.replace("\\|", "").count("|") for row in rows} <= {6, 11}


@pytest.mark.data
def test_no_text_of_a_noncommercial_benchmark_reaches_a_report(tmp_path, data_folder):
    sources = Sources(data_folder, noncommercial=True)
    items = load_benchmark("jmed-llm/nrner", sources).items
    folder = write_folder(
        tmp_path / "answers",
        "jmed-llm/nrner",
        lambda item: {"output": repr(list(item.gold))},
        data=data_folder,
    )
    score(SCORE, answers=[folder], out=tmp_path / "report", data=data_folder, noncommercial=True)
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    lines = str(list(read_json_lines(tmp_path / "report" / "items.jsonl.zst")))
    for item in items[:20]:
        sentence = item.question.split("「", 1)[1][:15]
        assert sentence not in page
        assert sentence not in lines
    (entry,) = read_report(tmp_path / "report")["entries"]
    assert entry["official"]["exact_f1"]["value"] == 1.0
    assert entry["license"] == "CC-BY-NC-SA-4.0"


@pytest.mark.data
def test_documents_and_not_rows_make_the_interval(data_folder):
    loaded = load_benchmark("jmed-llm/crade", Sources(data_folder))
    random_letters = random.Random(0)
    pairs = [
        (item, Answer(loaded.name, item.id, "generation", "", random_letters.choice("ABCD")))
        for item in loaded.items
    ]
    entry = score_entry("chance", loaded, "generation", pairs)
    assert entry.corrected[0].name == entry.official[0].name == "kappa_linear"
    assert len(set(entry.documents)) == 54


def test_evaluate_answers_and_scores_in_one_go(tmp_path, weights_folder, synthetic_folder):
    manifest = evaluate_model(
        weights_folder,
        ["synthetic-text"],
        tmp_path / "evaluation",
        documents=[synthetic_folder],
        max_items=2,
        n_free_generations=1,
    )
    assert manifest.identity.stage == "score"
    assert (tmp_path / "evaluation" / "report" / "report.html").is_file()


def test_metrics_of_official_and_corrected_never_share_a_column(report_folder):
    for entry in read_report(report_folder)["entries"]:
        assert set(entry) >= {"official", "corrected"}
        if entry["form"] in ("spans", "text"):
            assert entry["official"] == {}
