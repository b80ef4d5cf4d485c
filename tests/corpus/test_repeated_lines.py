"""Lines that many documents share: which count, how they are counted, what is dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rinsho.corpus.ngrams import Hashes
from rinsho.corpus.repeated_lines import (
    MAX_COUNT,
    LineCounts,
    Mask,
    drop_lines,
    line_hashes,
    line_hashes_of_all,
)

NOTICE = "当サイトでは利便性の向上のためにCookieを使用しています。"
FOOTER = "このページに関するお問い合わせは総務課まで"
REPLY = "「そうですか。」"
N_COUNTERS = 2**16

lines = st.sampled_from(
    [NOTICE, FOOTER, REPLY, "", "咳と痰", "労作時の息切れが徐々に進行するため受診した。", "-" * 40]
)
texts = st.lists(lines, max_size=8).map("\n".join)


def counted(documents: list[str]) -> LineCounts:
    counts = LineCounts(N_COUNTERS)
    for text in documents:
        counts.add(line_hashes(text))
    return counts


def repeated_in(counts: LineCounts, n: int) -> Callable[[Hashes], Mask]:
    return lambda hashes: counts.repeated(hashes, n)


def test_short_lines_and_rulers_do_not_count() -> None:
    assert len(line_hashes(f"{REPLY}\n{'―' * 30}\n|:---|:---|:---|\n12.5 13.0 14.5 15.0")) == 0
    assert len(line_hashes(f"  {NOTICE}\n{NOTICE}  \n{FOOTER}")) == 2


def test_a_line_has_one_hash_wherever_it_stands() -> None:
    alone = line_hashes(NOTICE)
    for text in (f"{FOOTER}\n{NOTICE}", f"{NOTICE}\n{FOOTER}", f"前\n\n  {NOTICE} "):
        assert alone[0] in line_hashes(text)
    others = [NOTICE[:-1], NOTICE[1:], NOTICE[::-1], NOTICE.replace("す", "し", 1), NOTICE * 2]
    assert len({int(line_hashes(text)[0]) for text in (NOTICE, *others)}) == 6


@given(st.lists(texts, max_size=12), st.integers(1, 6))
def test_lines_are_repeated_as_a_plain_count_says(documents: list[str], n: int) -> None:
    counts = counted(documents)
    truth: Counter[str] = Counter()
    for text in documents:
        truth.update({line for line in text.split("\n") if line_hashes(line).size})
    for line, n_documents in truth.items():
        assert counts.repeated(line_hashes(line), n)[0] == (n_documents >= n)


@given(st.lists(texts, max_size=12), st.randoms())
def test_order_makes_no_difference(documents: list[str], random: Random) -> None:
    whole = counted(documents)
    random.shuffle(documents)
    assert (counted(documents).counters == whole.counters).all()


@given(st.lists(texts, max_size=12))
def test_documents_counted_together_are_as_many(documents: list[str]) -> None:
    together = LineCounts(N_COUNTERS)
    together.add(np.concatenate([np.empty(0, np.uint64), *line_hashes_of_all(documents)]))
    assert (together.counters == counted(documents).counters).all()


blanks = st.sampled_from(["", " ", "\t", "\u2003", "\u3000 "])
japanese = st.text("あ咳ーa1 、。", min_size=8, max_size=24)


@given(st.lists(st.lists(st.tuples(blanks, japanese, blanks).map("".join)).map("\n".join)))
def test_many_texts_have_the_hashes_that_each_has_alone(documents: list[str]) -> None:
    for text, hashes in zip(documents, line_hashes_of_all(documents), strict=True):
        counting = {
            stripped
            for line in text.split("\n")
            if len(stripped := line.strip()) >= 15 and max(stripped) >= "ぁ"
        }
        assert sorted({int(line_hashes(line)[0]) for line in counting}) == hashes.tolist()
        assert len(hashes) == len(counting)


def test_counters_stop_at_their_highest() -> None:
    counts = counted([NOTICE] * 300)
    assert counts.counters.max() == MAX_COUNT
    counts.add(np.repeat(line_hashes(NOTICE), 300))
    assert counts.repeated(line_hashes(NOTICE), MAX_COUNT)[0]


def test_repeated_lines_go_and_the_rest_stays_as_it_was() -> None:
    counts = counted([NOTICE] * 3 + [FOOTER])
    text = f"  咳が続く。\n{NOTICE}\n\n{REPLY}\n{FOOTER}\n"
    left, n_lines, n_bytes = drop_lines(text, repeated_in(counts, 3))
    assert left == f"  咳が続く。\n\n{REPLY}\n{FOOTER}\n"
    assert (n_lines, n_bytes) == (1, len(f"{NOTICE}\n".encode()))


@given(texts)
def test_dropping_nothing_changes_nothing(text: str) -> None:
    assert drop_lines(text, lambda hashes: np.zeros(len(hashes), dtype=bool)) == (text, 0, 0)


@given(texts)
def test_bytes_are_accounted_for(text: str) -> None:
    left, _, n_bytes = drop_lines(text, lambda hashes: np.ones(len(hashes), dtype=bool))
    assert len(left.encode()) + n_bytes == len(text.encode())
    assert line_hashes(left).size == 0


def test_the_one_who_asks_may_keep_the_first_copy() -> None:
    seen: set[int] = set()

    def is_later(hashes: Hashes) -> Mask:
        flags = [int(one) in seen or seen.add(int(one)) is not None for one in hashes]
        return np.array(flags, dtype=bool)

    assert drop_lines(NOTICE, is_later)[1] == 0
    assert drop_lines(f"{NOTICE}\n{FOOTER}", is_later) == (FOOTER, 1, len(f"{NOTICE}\n".encode()))
