"""Benchmarks of one's own: four forms in ten lines, mistakes named without a word of the text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rinsho.corpus.document import read_json_lines
from rinsho.errors import BenchmarkMissing, BrokenRecord, InvalidValue
from rinsho.evaluation.answer import AnswerConfig, answer
from rinsho.evaluation.answer_record import Answer
from rinsho.evaluation.benchmark import Sources
from rinsho.evaluation.catalogue import load_benchmark
from rinsho.evaluation.marking import mark
from rinsho.evaluation.prompts import messages_of
from rinsho.evaluation.score import ScoreConfig, score
from rinsho.text.spans import Span

TERMS = 'license = "private"\nsource = "病棟"\n'


def put(folder: Path, toml: str, rows: list[dict[str, object]]) -> Sources:
    own = folder / "own"
    own.mkdir(parents=True, exist_ok=True)
    (own / "ward.toml").write_text(f'file = "ward.jsonl"\n{TERMS}{toml}', encoding="utf-8")
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (own / "ward.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return Sources(folder)


def test_a_choice_may_come_from_a_csv_with_columns_of_other_names(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "quiz.toml").write_text(
        f'form = "choice"\nfile = "quiz.csv"\n{TERMS}'
        '[columns]\nquestion = "問題"\nanswer = "正解"\n',
        encoding="utf-8",
    )
    (own / "quiz.csv").write_text(
        "\ufeff問題,optionA,optionB,optionC,正解\n"
        '"どれか。2つ選べ。",肺炎,"胃癌, 早期",骨折,"a,c"\n',
        encoding="utf-8",
    )
    (item,) = load_benchmark("own/quiz", Sources(tmp_path)).items
    assert item.choices == ("肺炎", "胃癌, 早期", "骨折")
    assert item.gold == ("A", "C")
    assert mark(item, Answer("own/quiz", item.id, "generation", "", "A,C")).is_right


def test_entities_are_asked_by_the_question_of_the_file(tmp_path):
    toml = 'form = "entities"\nquestion = "以下の記録において、薬品名は？"\n'
    sources = put(tmp_path, toml, [{"text": "解熱薬を投与。", "answer": ["解熱薬"]}])
    (item,) = load_benchmark("own/ward", sources).items
    assert messages_of(item)[-1].content == "以下の記録において、薬品名は？\n「解熱薬を投与。」"
    assert mark(item, Answer("own/ward", "1", "generation", "", "['解熱薬']")).is_right


def test_spans_have_offsets_and_similarity_has_levels(tmp_path):
    rows = [{"id": "n1", "text": "発熱あり。", "answer": [[0, 2, "symptom"]]}]
    (item,) = load_benchmark("own/ward", put(tmp_path, 'form = "spans"\n', rows)).items
    assert (item.id, item.gold_spans) == ("n1", (Span(0, 2, "symptom", "present"),))
    pairs = [{"sentence1": "発熱", "sentence2": "高熱", "answer": "近い"}]
    toml = 'form = "similarity"\nlevels = ["同じ", "近い", "遠い"]\ninstruction = "記号で答える"\n'
    (pair,) = load_benchmark("own/ward", put(tmp_path, toml, pairs)).items
    assert (pair.gold, pair.choices) == (("B",), ("同じ", "近い", "遠い"))
    assert messages_of(pair)[0].content == "記号で答える"


@pytest.mark.parametrize(
    ("toml", "row", "error"),
    [
        ('form = "choice"\n', {"question": "秘密", "choices": ["a", "b"], "answer": "C"},
         BrokenRecord),
        ('form = "choice"\n', {"question": "秘密", "choices": ["a"], "answer": "A"}, BrokenRecord),
        ('form = "choice"\n', {"question": "秘密"}, BrokenRecord),
        ('form = "spans"\n', {"text": "秘密", "answer": [[0, 9, "symptom"]]}, BrokenRecord),
        ('form = "entities"\n', {"text": "秘密", "answer": ["x"]}, InvalidValue),
        ('form = "poem"\n', {"text": "秘密"}, InvalidValue),
        ('form = "choice"\ncode = "x"\n', {"question": "秘密"}, InvalidValue),
        ('form = "choice"\nquestion = \n', {"question": "秘密"}, InvalidValue),
    ],
)  # fmt: skip
def test_a_mistake_is_named_without_the_text(toml, row, error, tmp_path):
    sources = put(tmp_path, toml, [row])
    with pytest.raises(error) as caught:
        load_benchmark("own/ward", sources)
    assert "秘密" not in str(caught.value)


def test_the_same_id_twice_a_missing_file_and_a_way_out_are_refused(tmp_path):
    row = {"id": "1", "question": "どれか", "choices": ["a", "b"], "answer": "A"}
    with pytest.raises(BrokenRecord, match="each id once"):
        load_benchmark("own/ward", put(tmp_path, 'form = "choice"\n', [row, row]))
    with pytest.raises(BenchmarkMissing, match=r"own/other\.toml"):
        load_benchmark("own/other", Sources(tmp_path))
    with pytest.raises(InvalidValue):
        load_benchmark("own/../../x", Sources(tmp_path))


def test_a_model_answers_it_and_the_report_shows_no_text_of_it(weights_folder, tmp_path):
    rows = [
        {
            "question": f"秘密の問{n}", "choices": ["肺炎", "胃癌"], "answer": "AB"[n % 2],
            "id": f"98-7654-{n}", "document": f"chart 98-7654-{n}",
        }
        for n in range(3)
    ]  # fmt: skip
    put(tmp_path, 'form = "choice"\n', rows)
    config = AnswerConfig(
        benchmarks=("own/ward",), methods=("log-likelihood",), n_free_generations=0
    )
    answer(config, out=tmp_path / "answers", model=weights_folder, data=tmp_path)
    score(
        ScoreConfig(n_draws=50), answers=[tmp_path / "answers"], out=tmp_path / "report",
        data=tmp_path,
    )  # fmt: skip
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "own/ward" in page
    assert "秘密" not in page
    lines = list(read_json_lines(tmp_path / "report" / "items.jsonl.zst"))
    assert "98-7654" not in page + str(lines)  # an id may be a patient's number
    assert [(line["item"], line["document"]) for line in lines] == [
        (f"own/ward/{n}", str(n)) for n in (1, 2, 3)
    ]
    assert "秘密" not in (tmp_path / "answers" / "answers.jsonl").read_text(encoding="utf-8")
