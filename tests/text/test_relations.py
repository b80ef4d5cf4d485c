"""Which pairs of mentions are asked about, and how a pair is marked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.text.relations import (
    MAX_BETWEEN,
    candidate_pairs,
    gap,
    mark_pair,
    marked_places,
    nearest_in_sentence,
)
from rinsho.text.spans import Relation, Span, relations_from_json, relations_to_json

DRUG, EVENT = Span(0, 2, "drug"), Span(5, 7, "symptom")


def test_every_drug_is_paired_with_every_event_that_is_not_negated() -> None:
    other, disease = Span(9, 11, "drug"), Span(12, 14, "disease", "suspected")
    negated, dose = Span(20, 22, "symptom", "negated"), Span(2, 4, "dose")
    found = candidate_pairs([DRUG, dose, EVENT, other, disease, negated])
    assert found == ((DRUG, EVENT), (DRUG, disease), (other, EVENT), (other, disease))


def test_pairs_of_keepha_s_labels_are_asked_about_too() -> None:
    pair = Span(0, 2, "DRUG"), Span(5, 7, "DISORDER")
    assert candidate_pairs(pair) == (pair,)


@pytest.mark.parametrize(("start", "is_pair"), [(MAX_BETWEEN + 2, True), (MAX_BETWEEN + 3, False)])
def test_mentions_far_from_each_other_are_no_pair(start: int, is_pair: bool) -> None:
    event = Span(start, start + 2, "symptom")
    assert bool(candidate_pairs([DRUG, event])) == is_pair


def test_mentions_that_lie_in_one_another_are_no_pair() -> None:
    assert candidate_pairs([Span(0, 6, "disease"), DRUG]) == ()


SPANS = st.builds(
    lambda start, length, label, certainty: Span(start, start + length, label, certainty),
    st.integers(0, 600), st.integers(1, 200), st.sampled_from(("drug", "symptom", "dose")),
    st.sampled_from(("present", "negated")),
)  # fmt: skip


@given(spans=st.lists(SPANS, max_size=12, unique=True), most=st.integers(0, 5))
def test_no_pair_near_enough_is_missed_and_as_many_are_given_as_are_wanted(
    spans: list[Span], most: int
) -> None:
    drugs = [one for one in spans if one.label == "drug"]
    events = [one for one in spans if one.label == "symptom" and one.certainty == "present"]
    every = [(drug, event) for drug in drugs for event in events]
    near = sorted(pair for pair in every if 0 <= gap(pair) <= MAX_BETWEEN)
    assert candidate_pairs(spans) == tuple(near)
    assert candidate_pairs(spans, most) == tuple(near[:most])


def test_the_rule_takes_the_nearest_drug_and_only_within_the_sentence() -> None:
    text = "甲剤と乙剤で眠気。頭痛あり。丙剤。"
    first, second, third = Span(0, 2, "drug"), Span(3, 5, "drug"), Span(14, 16, "drug")
    sleepy, head = Span(6, 8, "symptom"), Span(9, 11, "symptom")
    spans = (third, head, first, sleepy, second)
    assert nearest_in_sentence(text, spans) == ((second, sleepy),)
    assert nearest_in_sentence(text.replace("。", "、", 2), spans)[1] == (third, head)


@given(
    before=st.text("𠮷あ。", max_size=90),
    drug=st.text("𠮷薬ン", min_size=1, max_size=9),
    between=st.text("で。\n", min_size=1, max_size=9),
    event=st.text("𠮷痛み", min_size=1, max_size=9),
    is_event_first=st.booleans(),
)
def test_marks_are_found_again_in_either_order(
    before: str, drug: str, between: str, event: str, is_event_first: bool
) -> None:
    words = (event, drug) if is_event_first else (drug, event)
    text = before + words[0] + between + words[1] + "あり。" * 30
    starts = len(before), len(before) + len(words[0]) + len(between)
    first, second = (Span(s, s + len(w), "x") for s, w in zip(starts, words, strict=True))
    marked = mark_pair(text, (second, first) if is_event_first else (first, second))
    (a, b), (c, d) = marked_places(marked)
    assert (marked[a:b], marked[c:d]) == (drug, event)
    plain = marked.replace("@*薬*", "").replace("#^症状^", "").replace("@", "").replace("#", "")
    assert plain in text


def test_relations_name_their_mentions_by_place() -> None:
    relation = Relation("caused", EVENT, DRUG)
    rows = relations_to_json([relation], [DRUG, EVENT])
    assert rows == [{"kind": "caused", "head": 1, "tail": 0}]
    assert relations_from_json(rows * 2, [DRUG, EVENT]) == (relation,)
    with pytest.raises(ValueError, match="place"):
        relations_from_json(rows, [DRUG])
