"""Leaks between official tests and pools, as the tool finds them."""

from __future__ import annotations

import pytest

from rinsho.evaluation.benchmark import Sources
from rinsho.evaluation.jmed_llm import document_key
from rinsho.evaluation.leaks import PoolRow, find_leak, find_leaks, link_documents, shared_documents


def row(question: str, text: str, answer: str = "A") -> PoolRow:
    asked = f"{question}\n「{text}」"
    return PoolRow(asked, answer, document_key(asked))


def test_a_test_row_leaks_where_its_text_has_other_questions():
    test = [row("X?", "発熱と咳嗽。"), row("X?", "腹痛。")]
    pool = [*test, row("Y?", "発熱と\n咳嗽。"), row("Y?", "頭痛。")]
    leak = find_leak("t", "p", test, pool)
    assert (leak.n_test_rows_in_pool, leak.n_test_rows_leaking) == (2, 1)
    assert (leak.n_pool_documents, leak.n_rows_left, leak.n_documents_left) == (3, 1, 1)


def test_nearly_equal_texts_are_one_document_and_others_are_not():
    text = "発熱のため来院した。" * 30
    rows = [row("X?", text), row("X?", text + ":"), row("X?", text[:150]), row("X?", "別の記録。")]
    assert len(set(link_documents([rows]).values())) == 3


@pytest.mark.data
def test_the_pools_give_away_the_official_tests(data_folder):
    found = {
        (leak.test, leak.pool): leak
        for leak in find_leaks(Sources(data_folder, noncommercial=True))
    }
    counts = {
        key: (leak.n_pool_documents, leak.n_test_rows_in_pool, leak.n_test_rows_leaking)
        for key, leak in found.items()
    }
    assert counts == {
        ("crade", "CRADE"): (147, 100, 100),
        ("mrner_disease", "CRNER"): (147, 50, 29),
        ("mrner_disease", "RRNER"): (72, 50, 0),
        ("mrner_medicine", "CRNER"): (147, 100, 100),
        ("nrner", "NRNER"): (934, 100, 63),
        ("smdis", "SMDIS"): (1920, 100, 100),
    }
    left = {key: (leak.n_rows_left, leak.n_documents_left) for key, leak in found.items()}
    assert left["crade", "CRADE"] == (925, 93)
    assert left["nrner", "NRNER"] == (1348, 839)
    assert left["smdis", "SMDIS"] == (14568, 1821)


@pytest.mark.data
def test_official_tests_share_case_reports_with_one_another(data_folder):
    pairs = [
        ("crade", "mrner_disease"),
        ("crade", "mrner_medicine"),
        ("mrner_disease", "mrner_medicine"),
    ]
    exact = shared_documents(Sources(data_folder), is_linked=False)
    linked = shared_documents(Sources(data_folder), is_linked=True)
    assert [exact[pair] for pair in pairs] == [18, 41, 25]
    assert [linked[pair] for pair in pairs] == [18, 42, 25]
