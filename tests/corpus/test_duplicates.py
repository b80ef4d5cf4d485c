"""Duplicates, against Jaccard similarity computed on plain Python sets."""

from __future__ import annotations

import gzip
import json
import random
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rinsho.corpus.document import Rejection
from rinsho.corpus.duplicates import (
    MAX_CANDIDATES_PER_BAND,
    Fingerprint,
    find_duplicates,
    fingerprint,
    jaccard,
    shingles,
)
from rinsho.corpus.ngrams import (
    compact_code_points,
    hash_ngrams,
    hash_ngrams_small,
    without_blanks,
)
from rinsho.text.normalize import normalize

WORDS = (
    "発熱",
    "咳嗽",
    "腹痛",
    "嘔吐",
    "経過",
    "良好",
    "退院",
    "外来",
    "検査",
    "投薬",
    "増量",
    "中止",
)
WORDS += ("肺炎", "心不全", "血圧", "低下", "上昇", "改善")


def text_of(n_words: int, seed: int) -> str:
    return "".join(random.Random(seed).choices(WORDS, k=n_words))


def plain_shingles(text: str) -> set[str]:
    compact = "".join(text.split())
    return {compact[i : i + 5] for i in range(len(compact) - 4)}


def plain_jaccard(first: str, second: str) -> float:
    one, two = plain_shingles(first), plain_shingles(second)
    return len(one & two) / len(one | two) if one | two else 0.0


def duplicates_of(
    texts: Sequence[str],
    min_jaccard: float = 0.85,
    check_exact: Sequence[bool] | None = None,
    check_near: Sequence[bool] | None = None,
) -> dict[int, Rejection]:
    prints = [fingerprint(text) for text in texts]
    everything = [True] * len(texts)
    return find_duplicates(
        np.array([list(one.digest) for one in prints], dtype=np.uint8).reshape(-1, 16),
        np.array([one.keys for one in prints], dtype=np.uint64).reshape(-1, 16),
        np.array([one.n_shingles for one in prints], dtype=np.int64),
        texts.__getitem__,
        min_jaccard=min_jaccard,
        check_exact=np.array(everything if check_exact is None else check_exact, dtype=bool),
        check_near=np.array(everything if check_near is None else check_near, dtype=bool),
    )


# ------------------------------------------------------------------------------------ one text


@given(st.text("あいう", min_size=5, max_size=60), st.text("あいう", min_size=5, max_size=60))
def test_jaccard_on_hashes_is_jaccard_on_sets(first: str, second: str) -> None:
    assert jaccard(shingles(first), shingles(second)) == pytest.approx(plain_jaccard(first, second))


@given(st.text(max_size=80), st.integers(1, 60))
def test_equal_runs_have_equal_hashes_and_others_do_not(text: str, n: int) -> None:
    runs = [text[i : i + n] for i in range(len(text) - n + 1)]
    for hashes in (hash_ngrams(text, n).tolist(), hash_ngrams_small(text, n).tolist()):
        assert len(hashes) == len(runs)
        assert len(set(hashes)) == len(set(runs))
        assert len(set(zip(hashes, runs, strict=True))) == len(set(runs))


@given(st.text(st.characters(codec=None), max_size=40))
@example("a\x1c\x85\u2028\u3000\u1680 b\u200b\ud800")
def test_blanks_are_those_of_str_split(text: str) -> None:
    compact = compact_code_points(text)
    assert compact.tolist() == [ord(char) for char in without_blanks(text)]


@given(st.text("あいう \n", max_size=300))
def test_a_fingerprint_counts_different_runs_and_blanks_do_not_change_its_keys(text: str) -> None:
    found = fingerprint(text)
    assert found.n_shingles == len(plain_shingles(text))
    compact = fingerprint("".join(text.split()))
    assert (found.keys == compact.keys).all()
    assert len(found.digest) == 16


def test_keys_do_not_depend_on_the_order_of_sentences_and_hardly_on_repeats() -> None:
    sentences = [text_of(30, seed) + "。" for seed in range(40)]
    first, second = fingerprint("".join(sentences)), fingerprint("".join(sentences[::-1]))
    assert (first.keys == second.keys).any()
    assert fingerprint("発熱あり。" * 50).n_shingles == 5


@pytest.mark.parametrize("work", [fingerprint, shingles])
def test_a_text_of_a_million_characters_needs_at_most_60_megabytes(
    work: Callable[[str], object],
) -> None:
    text = "".join(map(chr, np.random.default_rng(0).integers(0x4E00, 0x9000, 1_000_000)))
    tracemalloc.start()
    work(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6


# --------------------------------------------------------------------------------- many texts


def one_at_a_time(
    texts: Sequence[str],
    min_jaccard: float,
    check_exact: Sequence[bool],
    check_near: Sequence[bool],
) -> dict[int, str]:
    """The definition: compare each text with every one kept so far that shares a band."""
    kept: list[tuple[str, Fingerprint]] = []
    rejected: dict[int, str] = {}
    for number, text in enumerate(texts):
        own = fingerprint(text)
        if check_exact[number] and any(text == other for other, _ in kept):
            rejected[number] = "exact_duplicate"
        elif check_near[number] and any(
            (own.keys == keys.keys).any() and plain_jaccard(text, other) >= min_jaccard > 0
            for other, keys in kept
        ):
            rejected[number] = "near_duplicate"
        else:
            kept.append((text, own))
    return rejected


PARTS = st.sampled_from(
    ["発熱あり。", "咳嗽", "なし。", " ", "\n", "著変なし", "経過良好。退院", "a"]
)
TEXTS = st.lists(st.lists(PARTS, max_size=8).map("".join), max_size=30)


@settings(max_examples=300)
@given(TEXTS, st.sampled_from([0.0, 0.5, 0.85, 1.0]), st.integers(0, 2**30), st.integers(0, 2**30))
@example(["", "", "肺炎", "肺炎", "肺 炎"], 0.85, 2**30 - 1, 2**30 - 1)
def test_decisions_are_those_of_taking_texts_one_at_a_time(
    texts: list[str], min_jaccard: float, exact_bits: int, near_bits: int
) -> None:
    check_exact = [bool(exact_bits >> i & 1) for i in range(len(texts))]
    check_near = [bool(near_bits >> i & 1) for i in range(len(texts))]
    found = duplicates_of(texts, min_jaccard, check_exact, check_near)
    expected = one_at_a_time(texts, min_jaccard, check_exact, check_near)
    assert {number: one.rule for number, one in found.items()} == expected


def test_the_same_text_is_a_duplicate_and_the_first_one_stays() -> None:
    assert duplicates_of(["肺炎で入院。", "肺炎で入院した。", "肺炎で入院。"]) == {
        2: Rejection("exact_duplicate", measured=1, limit=0)
    }


def test_an_edited_text_is_found_and_its_similarity_is_true() -> None:
    first = text_of(200, seed=0)
    edited = first[:100] + "追記" + first[102:300] + "訂正" + first[302:]
    found = duplicates_of([first, edited])
    assert found[1].rule == "near_duplicate"
    assert found[1].measured == pytest.approx(plain_jaccard(first, edited), abs=1e-3)


def test_short_texts_that_differ_are_not_merged() -> None:
    notes = [f"体温{36 + i / 10:.1f}度、食事{i}割摂取、著変なし。" for i in range(10)]
    assert duplicates_of(notes) == {}


def test_line_breaks_and_blanks_do_not_hide_a_duplicate() -> None:
    text = text_of(100, seed=3)
    broken = "\n".join(text[i : i + 20] for i in range(0, len(text), 20))
    assert duplicates_of([text, broken])[1].rule == "near_duplicate"


def test_texts_too_short_for_one_run_are_only_compared_as_they_are() -> None:
    assert list(duplicates_of(["肺炎", "肺 炎", "肺炎", "", ""])) == [2, 4]


def test_a_copy_of_a_text_that_was_not_kept_may_stay_where_only_equal_texts_go() -> None:
    first = text_of(200, seed=0)
    edited = first[:100] + "追記" + first[102:]
    found = duplicates_of([first, edited, edited], check_near=[True, True, False])
    assert list(found) == [1]


def test_boilerplate_that_many_texts_share_costs_few_comparisons() -> None:
    header = text_of(600, seed=1)
    texts = [header + text_of(150, seed=100 + i) for i in range(300)]  # similarity below 0.8
    n_read = 0

    def read(number: int) -> str:
        nonlocal n_read
        n_read += 1
        return texts[number]

    prints = [fingerprint(text) for text in texts]
    keys = np.array([one.keys for one in prints])
    n_pairs = sum(int((keys[i] == keys[:i]).any(axis=1).sum()) for i in range(300))
    found = find_duplicates(
        np.array([list(one.digest) for one in prints], dtype=np.uint8),
        keys,
        np.array([one.n_shingles for one in prints]),
        read,
        min_jaccard=0.85,
        check_exact=np.ones(300, dtype=bool),
        check_near=np.ones(300, dtype=bool),
    )
    assert found == {}
    assert n_pairs > 300 * MAX_CANDIDATES_PER_BAND
    assert n_read <= 300  # each once: their n-grams are remembered


def test_memory_is_below_half_a_kilobyte_per_text_even_where_all_texts_look_alike() -> None:
    n_texts = 4_000
    generator = np.random.default_rng(0)
    keys = np.repeat(generator.integers(0, 2**63, (n_texts // 2, 16), dtype=np.uint64), 2, axis=0)
    digests = generator.integers(0, 256, (n_texts, 16), dtype=np.uint8)
    n_shingles = np.where(np.arange(n_texts) % 2, 100, 1000)  # too different to be compared
    everything = np.ones(n_texts, dtype=bool)
    tracemalloc.start()
    found = find_duplicates(
        *(digests, keys, n_shingles, str),
        min_jaccard=0.85,
        check_exact=everything,
        check_near=everything,
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == {}
    n_bytes_of_arguments = 16 + 128 + 8 + 2
    assert peak / n_texts + n_bytes_of_arguments < 500


# ---------------------------------------------------------------------------------- real text


def edited_copy(text: str, share: float, generator: random.Random) -> str:
    """Return a text with some characters replaced and some sentences gone."""
    letters = list(text)
    for place in generator.sample(range(len(letters)), int(share * len(letters))):
        letters[place] = generator.choice(text)
    start = generator.randrange(len(letters))
    del letters[start : start + int(share * len(letters))]
    return "".join(letters)


@pytest.mark.data
def test_planted_copies_of_real_texts_are_found_and_what_is_found_is_one(data_folder: Path) -> None:
    generator = random.Random(0)
    with gzip.open(data_folder / "text/general/wikinews.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [normalize(json.loads(line)["text"]) for line in lines]
    texts = [text for text in texts if len(plain_shingles(text)) >= 50]
    originals = generator.sample(texts, 600)
    copies = [edited_copy(text, generator.uniform(0, 0.03), generator) for text in originals]
    similar = [plain_jaccard(*pair) for pair in zip(originals, copies, strict=True)]
    others = [text for text in texts if text not in set(originals)]
    found = duplicates_of([*others, *originals, *copies])
    first = len(others) + len(originals)
    near = {i for i, one in enumerate(similar) if one >= 0.85}
    hits = {number - first for number in found if number >= first}
    assert 200 < len(near) < 500
    assert len(near & hits) / len(near) >= 0.95
    assert len(near & hits) / len(hits) >= 0.9
