"""Ten thousand fuzzed outputs before every parser and every grader: nothing runs, nothing fails.

What may appear in the report's page is tested where the page is.
"""

from __future__ import annotations

import collections
import os
import random
import sys
import time

import pytest

from rinsho.evaluation import igakuqa, igakuqa119, medllm_qa, yakugakuqa
from rinsho.evaluation.answer_record import Answer
from rinsho.evaluation.benchmark import Item, hash_items
from rinsho.evaluation.catalogue import LoadedBenchmark, describe_benchmark
from rinsho.evaluation.legacy_harness import is_exactly_right, is_gestalt_right
from rinsho.evaluation.marking import mark, row_score
from rinsho.evaluation.pair_metrics import published_pairs
from rinsho.evaluation.parse import official_letter
from rinsho.evaluation.scoring import score_entry
from rinsho.text.spans import Span

pytestmark = pytest.mark.campaign
N_OUTPUTS = int(os.environ.get("RINSHO_FUZZ", "10000"))
ORGANS = ("食道閉鎖", "心室中隔欠損", "腎低形成", "鎖肛", "胎児水腫")
PIECES = (
    "A", "B", "a,c", "Ｂ", "①", "答え", "正解は", "Answer:", "answer: ", "回答：", "ADE", "None",
    "['胃癌', '走行異常']", "[", "]", "(", ")", "{", "}", "'", '"', "\\", "\\N{BULLET}", "\\x",
    "f'", "*",
    "__import__('os').system('touch hostile')", "open('hostile','w').write('x')", "exit()", "eval(",
    "lambda: 0", "9" * 60, "1e999999", "-0", "７．２０", "1,200", "nan", "inf", "٣", "²",
    "- 前 → 後\n", "→", "->", "⇒", "「前」「後」", "・", "### 応答：\n", "### Answer:", "<think>",
    "</think>", "<thoughts>", "[[0, 2, \"drug\", \"present\"]]", "[[0, 1e9, null, []]]", "{\"a\":",
    "</script>", "<img src=x onerror=alert(1)>", "\0", "\ud800", "\u2028", "\u202e", "\ufeff",
    "\x1b[2J", "𠮷", "\n", "\r", "\t", "　", " ", "。", ".", ",", ":", "#", "5 mL", "胃癌", "発熱",
)  # fmt: skip
FORMS: dict[str, Item] = {
    "jmed-llm/jmmlu-med": Item("c", "choice", "どれか。", ORGANS[:4], ("C",)),
    "jmed-llm/crade": Item("s", "similarity", "可能性は？", ORGANS[:4], ("B",)),
    "jmed-llm/nrner": Item("e", "entities", "所見は？\n「進行胃癌と走行異常」",
                           gold=("胃癌", "走行異常")),
    "igakuqa/2018": Item("m", "choice", "どれか。2つ選べ。", ORGANS, ("A", "C"), prohibited=("E",),
                         part="required", wording="ja", published_choices=("1", "3")),
    "igakuqa119": Item("n", "number", "求めよ。", gold=("7.20",), wording="ja"),
    "sogocheck/easy": Item("p", "pairs", "文書1: 前\n文書2: 後", gold_pairs=(("前", "後"),)),
    "ja-clinical-sts": Item("r", "rating", "意味の近さは？", gold=("3",)),
    "jglue/jsquad": Item("q", "passage", "何か。", gold=("発熱",), context="発熱があった。"),
    "demo-notes": Item("x", "spans", "発熱に薬剤", gold_spans=(Span(0, 2, "symptom", "present"),)),
}  # fmt: skip
GRADERS = (
    igakuqa.official_is_right,
    igakuqa119.official_is_right,
    medllm_qa.official_is_right,
    yakugakuqa.official_is_right,
)


def outputs(n_outputs: int, seed: int = 0) -> list[str]:
    """Pieces of answers, of Python, of markup and of Unicode, in every mixture; some very long."""
    draw = random.Random(seed)
    made = list[str]()
    for number in range(n_outputs):
        text = "".join(draw.choices(PIECES, k=draw.randrange(1, 14)))
        if number % 100 == 0:
            text = draw.choice(PIECES) * draw.randrange(1, 40_000)
        elif number % 7 == 0:
            points = (draw.randrange(0x110000) for _ in range(draw.randrange(30)))
            text += "".join(map(chr, points))
        made.append(text)
    return made


def test_no_output_runs_or_breaks_anything(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    modules, slowest = set(sys.modules), 0.0
    counts = collections.Counter[str]()
    for output in outputs(N_OUTPUTS):
        began = time.process_time()
        for name, item in FORMS.items():
            row = mark(item, Answer(name, item.id, "generation", "", output))
            row_score(row)
            counts[f"{item.form} read"] += row.is_valid
            counts[f"{item.form} right"] += bool(row.is_right)
        for item in (FORMS["igakuqa/2018"], FORMS["igakuqa119"]):
            assert all(grader(item, output) in (True, False) for grader in GRADERS)
        choice = FORMS["jmed-llm/jmmlu-med"]
        assert is_gestalt_right(choice, output) in (True, False)
        assert is_exactly_right(choice, output) in (True, False)
        assert official_letter(output) in (*"ABCDEF", "None")
        published_pairs(output)
        slowest = max(slowest, time.process_time() - began)
    assert slowest < 20  # seconds of CPU for every parser: a reader in quadratic time took 149
    assert list(tmp_path.iterdir()) == []
    assert {name for name in set(sys.modules) - modules if "rinsho" not in name} <= {"unicodedata"}
    with capsys.disabled():
        print(f"\n{N_OUTPUTS} outputs, slowest {slowest:.2f} s of CPU: {dict(counts)}")


@pytest.mark.parametrize("name", FORMS)
def test_metrics_of_fuzzed_outputs_are_numbers(name):
    items = tuple(
        Item(**{**{f: getattr(FORMS[name], f) for f in Item.__dataclass_fields__}, "id": f"x/{n}"})
        for n in range(min(500, N_OUTPUTS))
    )
    loaded = LoadedBenchmark(describe_benchmark(name), items, hash_items(items), False)
    pairs = [
        (item, Answer(name, item.id, "generation", "", output))
        for item, output in zip(items, outputs(len(items), seed=1), strict=True)
    ]
    entry = score_entry("x", loaded, "generation", pairs)
    for metric in (*entry.official, *entry.corrected):
        assert metric.value == metric.value, metric.name
