"""The template language, the embedded rules, cases, questions and facts."""

from __future__ import annotations

import ast
import re
from itertools import count, islice
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rinsho.corpus.exam import LETTERS, Question, write_question
from rinsho.corpus.fact_slots import range_of
from rinsho.corpus.facts import Facts
from rinsho.corpus.grammar import NOTE_KINDS, read_grammar
from rinsho.corpus.measure import draw_number
from rinsho.corpus.note_tasks import list_answer
from rinsho.corpus.notes import write_note
from rinsho.corpus.page import Page
from rinsho.corpus.synthesize import SynthesizeConfig, show_synthesize
from rinsho.corpus.template import parse_template
from rinsho.errors import BrokenRecord
from rinsho.text.lexicon import (
    BodyPart,
    Disease,
    Drug,
    Lexicon,
    Symptom,
    Test,
    read_demo_lexicon,
)
from rinsho.text.spans import Span

GRAMMAR = read_grammar()
FACTS = Facts(read_demo_lexicon())


class _NoSlots:
    """A patient of whom nothing is known."""

    department = "neurology"
    supply: dict[str, int] = {}  # noqa: RUF012

    def fill(self, name: str, certainty: str | None, page: Page) -> None:
        page.add_marked(f"<{name}>", "symptom", certainty or "present")


def _page(source: str, seed: int = 0, **rules: list[str]) -> Page:
    compiled = {name: tuple(map(parse_template, sources)) for name, sources in rules.items()}
    page = Page(Random(seed).random, compiled, _NoSlots())
    parse_template(source).write(page)
    return page


# ------------------------------------------------------------------------------ templates


def test_a_marked_mention_becomes_a_span_of_its_surface() -> None:
    page = _page("38℃の{発熱|symptom}、{肺炎|disease|suspected}疑い")
    assert page.text == "38℃の発熱、肺炎疑い"
    assert page.spans == [Span(4, 6, "symptom"), Span(7, 9, "disease", "suspected")]


def test_a_choice_takes_each_alternative_an_empty_one_too() -> None:
    texts = {_page("発熱[あり|なし|]", seed).text for seed in range(40)}
    assert texts == {"発熱あり", "発熱なし", "発熱"}


@pytest.mark.parametrize(("source", "decimals"), [("{36.0-39.5}", 1), ("{3-7}", 0)])
def test_a_number_lies_in_its_range_with_the_decimals_of_its_bounds(
    source: str, decimals: int
) -> None:
    low, high = (float(bound) for bound in source.strip("{}").split("-"))
    for seed in range(60):
        text = _page(source, seed).text
        assert low <= float(text) <= high
        assert len(text.partition(".")[2]) == decimals


def test_marks_nest_choices_numbers_and_rules() -> None:
    page = _page("{[左]{@site}{3-3}mm|disease|negated}なし", site=["肺"])
    assert page.text == "左肺3mmなし"
    assert page.spans == [Span(0, 5, "disease", "negated")]


def test_a_backslash_keeps_brackets_and_makes_new_lines() -> None:
    assert _page("\\[S\\] \\{x\\}\\n").text == "[S] {x}\n"


def test_a_style_is_drawn_once_in_a_text() -> None:
    for seed in range(10):
        text = _page("{$b}{$b}{$b}", seed, b=["・", "-", "*"]).text
        assert len(set(text)) == 1


def test_several_templates_of_a_rule_are_different_ones() -> None:
    for seed in range(20):
        page = _page("{@r*3-3p}", seed, r=["a", "b", "c"])
        assert sorted(page.text.split("。")[:-1]) == ["a", "b", "c"]


def test_a_rule_for_the_department_goes_before_the_general_one() -> None:
    texts = [_page("{@exam+}", seed, exam=["x"], exam_neurology=["y"]).text for seed in range(50)]
    assert texts.count("y") > texts.count("x") > 0


def test_what_was_stated_is_not_denied_by_the_next_template() -> None:
    for seed in range(30):
        rules = {"r": ["{発熱|symptom|negated}なし", "{咳嗽|symptom|negated}なし"]}
        assert _page("{発熱|symptom}。{@r}", seed, **rules).text == "発熱。咳嗽なし"


@pytest.mark.parametrize(
    "source", ["[a|b", "{発熱|symptom", "{発熱|sign}", "{x|disease|maybe}", "{-}"]
)
def test_a_template_that_is_none_is_refused(source: str) -> None:
    with pytest.raises(BrokenRecord):
        parse_template(source)


# ------------------------------------------------------------------------------ the rules


@pytest.mark.parametrize("kind", sorted(GRAMMAR))
def test_every_rule_that_a_template_names_exists(kind: str) -> None:
    rules = GRAMMAR[kind]
    for name, templates in rules.items():
        for template in templates:
            for inner in re.findall(r"\{[@$](\w+)", template.source):
                assert inner in rules, f"{kind} {name}: {inner}"


@pytest.mark.parametrize("kind", NOTE_KINDS)
def test_a_kind_of_note_has_forty_sentence_templates_of_its_own_or_shared(kind: str) -> None:
    own = {name for name in GRAMMAR[kind] if not name.startswith(("text", "layout", "head"))}
    reached, waiting = set[str](), ["text"]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        for template in GRAMMAR[kind][name]:
            waiting += re.findall(r"\{[@$](\w+)", template.source)
    sentences = sum(len(GRAMMAR[kind][name]) for name in reached & own)
    assert sentences >= 40


@pytest.mark.parametrize("kind", NOTE_KINDS)
def test_every_template_of_a_note_can_be_written(kind: str) -> None:
    from rinsho.corpus.case import Case

    random = Random(1).random
    for name, templates in GRAMMAR[kind].items():
        for template in templates:
            case = Case(FACTS, FACTS.treated[int(random() * len(FACTS.treated))], random)
            page = Page(random, GRAMMAR[kind], case)
            template.write(page)
            end = 0
            for span in sorted(page.spans):
                assert end <= span.start < span.end, f"{name}: {template.source}"
                end = span.end


# ------------------------------------------------------------------------------ notes


def _notes(n: int, seed: int = 0) -> list[tuple[str, tuple[Span, ...]]]:
    random = Random(seed).random
    kinds = [NOTE_KINDS[i % len(NOTE_KINDS)] for i in range(n)]
    return [write_note(GRAMMAR[k], FACTS, FACTS.patients_of(k), random) for k in kinds]


def test_a_mention_of_a_lexicon_term_has_the_label_of_the_lexicon() -> None:
    """The surface is what the grammar meant: names of one table alone carry its label."""
    lexicon = read_demo_lexicon()
    drugs = {drug.name for drug in lexicon.drugs} - {d.name for d in lexicon.diseases}
    diseases = {d.name for d in lexicon.diseases} - {s.name for s in lexicon.symptoms}
    n_checked = 0
    for text, spans in _notes(300):
        for span in spans:
            surface = text[span.start : span.end]
            if surface in drugs:
                assert span.label == "drug", surface
                n_checked += 1
            elif surface in diseases and span.label not in ("symptom", "disease"):
                raise AssertionError(surface)
    assert n_checked > 100


def test_only_what_was_there_and_is_gone_is_both_present_and_denied() -> None:
    gone = re.compile(r"(?:は(?:ほぼ)?消|なくなった)")
    for text, spans in _notes(400, seed=5):
        told = {
            text[s.start : s.end]
            for s in spans
            if s.label in ("disease", "symptom") and s.certainty == "present"
        }
        for span in spans:
            if span.certainty == "negated" and text[span.start : span.end] in told:
                assert gone.match(text, span.end), text[span.start : span.end + 12]


def test_a_man_has_no_disease_of_women() -> None:
    for text, _ in _notes(400, seed=2):
        if re.search(r"\d歳、?男性", text):
            assert not re.search("妊娠高血圧|卵巣癌|子宮体癌|切迫早産", text), text


def test_a_patient_with_fever_has_a_high_temperature() -> None:
    from rinsho.corpus.measure import Vitals

    hot, well = (Vitals(Random(1).random, fever, is_child=False) for fever in (True, False))
    assert min(float(hot.temperature()[0]) for _ in range(200)) >= 37.5
    assert max(float(well.temperature()[0]) for _ in range(200)) <= 37.2


# ------------------------------------------------------------------------------ measures


@settings(max_examples=200)
@given(st.integers(0, 10**6), st.sampled_from(FACTS.measured))
def test_a_result_is_a_number_above_nothing(seed: int, test: Test) -> None:
    assert draw_number(test, Random(seed).random) >= 0


def test_results_are_in_range_and_out_of_it() -> None:
    random, test = Random(1).random, Test("Na", kind="laboratory", low=138, high=145)
    results = [draw_number(test, random) for _ in range(400)]
    assert sum(138 <= r <= 145 for r in results) > 100
    assert sum(r > 145 for r in results) > 100
    assert sum(r < 138 for r in results) > 20


@pytest.mark.parametrize(
    ("test", "written"),
    [
        (Test("CRP", unit="mg/dL", low=0, high=0.14, decimals=2), "0.14 mg/dL以下"),
        (Test("Na", unit="mEq/L", low=138, high=145), "138〜145 mEq/L"),
        (Test("EF", unit="%", low=55, high=75), "55〜75%"),
        (Test("pH", low=7.35, high=7.45, decimals=2), "7.35〜7.45"),
    ],
)
def test_a_range_is_written_as_people_write_it(test: Test, written: str) -> None:
    assert range_of(test) == written


# ------------------------------------------------------------------------------ questions


def _questions(n: int) -> list[Question]:
    random = Random(4).random
    drawn = (write_question(GRAMMAR["exam_question"], FACTS, random) for _ in count())
    return list(islice((question for question in drawn if question is not None), n))


QUESTIONS = _questions(500)


def test_a_question_has_five_different_choices_and_one_gold_letter() -> None:
    for question in QUESTIONS:
        assert len(set(question.choices)) == len(question.choices) == 5
        assert question.gold in LETTERS


def test_gold_letters_are_spread_evenly() -> None:
    counts = {letter: sum(q.gold == letter for q in QUESTIONS) for letter in LETTERS}
    assert min(counts.values()) > len(QUESTIONS) / 5 * 0.7


def test_gold_is_right_and_every_other_choice_wrong_by_the_lexicon() -> None:
    lexicon = read_demo_lexicon()
    diseases = {one.name: one for one in lexicon.diseases}
    drugs = {one.name: one for one in lexicon.drugs}
    own = {
        "symptom": lambda name: diseases[name].symptoms,
        "test": lambda name: diseases[name].tests,
        "drug": lambda name: diseases[name].drugs,
        "cause": lambda name: (diseases[name].cause,),
        "site": lambda name: (diseases[name].body_part,),
        "department": lambda name: (diseases[name].department,),
        "code": lambda name: (diseases[name].icd10,),
        "class": lambda name: (drugs[name].drug_class,),
        "diagnosis": lambda name: (name,),
        "indication": lambda name: (
            *drugs[name].diseases,
            *(d.name for d in lexicon.diseases if name in d.drugs),
        ),
    }
    for question in QUESTIONS:
        _, relation, name = question.group.split(":", 2)
        assert question.gold_choice in own[relation](name), question
        right = [choice for choice in question.choices if choice in own[relation](name)]
        assert right == [question.gold_choice], question


def test_no_distractor_of_a_case_has_every_complaint_that_is_told() -> None:
    diseases = {one.name: one for one in read_demo_lexicon().diseases}
    cases = [q for q in QUESTIONS if q.group.startswith("fact:diagnosis")]
    for question in cases:
        told = set(diseases[question.gold_choice].symptoms)
        for choice in set(question.choices) - {question.gold_choice}:
            assert not told <= set(diseases[choice].symptoms), question


def test_every_relation_is_asked() -> None:
    assert len({question.group.split(":")[1] for question in QUESTIONS}) == 10


def test_an_explanation_does_not_name_a_letter() -> None:
    assert not any(re.search(r"[A-E]が正|正解は[A-E]", q.explanation) for q in QUESTIONS)


# ------------------------------------------------------------------------------ instructions


@given(st.lists(st.text("発熱'\"\\a1、 ", max_size=8), max_size=5))
def test_an_entity_answer_is_a_python_list(surfaces: list[str]) -> None:
    assert ast.literal_eval(list_answer(surfaces)) == surfaces


def test_instructions_answer_in_the_forms_that_are_asked_for() -> None:
    config = SynthesizeConfig(seed=2, n_documents=1, shares={"instruction": 1.0})
    n_lists = n_letters = 0
    for document in show_synthesize(config, 300):
        assert document.messages is not None
        first, answer = document.messages[0].content, document.messages[-1].content
        if "Pythonのリスト形式" in first:
            assert all(one in document.messages[1].content for one in ast.literal_eval(answer))
            n_lists += 1
        elif "アルファベット" in first:
            assert re.fullmatch("[A-F]", answer)
            n_letters += 1
    assert n_lists > 30
    assert n_letters > 30


# ------------------------------------------------------------------------------ own lexicon


def test_a_small_lexicon_of_ones_own_is_enough_for_notes() -> None:
    lexicon = Lexicon(
        (
            Disease(
                "甲病", department="内科", symptoms=("発熱",), drugs=("乙薬",), tests=("丙検査",)
            ),
            Disease("丁病", department="内科", symptoms=("咳嗽",)),
        ),
        (Symptom("発熱"), Symptom("咳嗽"), Symptom("頭痛"), Symptom("めまい"), Symptom("腹痛")),
        (Drug("乙薬", drug_class="丁系薬", doses=("1錠 1日1回朝食後",)),),
        (Test("丙検査", kind="laboratory", unit="mg/dL", low=1, high=2),),
        (BodyPart("腹部"),),
    )
    facts, random = Facts(lexicon), Random(0).random
    for kind in NOTE_KINDS:
        for _ in range(5):
            text, spans = write_note(GRAMMAR[kind], facts, facts.patients_of(kind), random)
            assert text and spans
