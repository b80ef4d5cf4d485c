"""The passes in C give what numpy gives; without them the same comes out, only later."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.c_library import open_library
from rinsho.corpus import kernels
from rinsho.corpus.benchmark_runs import (
    fill_filter_by_numpy,
    find_probes_by_numpy,
    make_filter,
    probes,
)
from rinsho.corpus.duplicates import least_shingles_by_numpy
from rinsho.corpus.ngrams import (
    code_points,
    compact_code_points,
    compact_in_a_row,
    hash_ngrams,
    in_a_row,
)
from rinsho.corpus.repeated_lines import hash_lines_by_numpy
from rinsho.corpus.rules.repetition import count_ngrams
from rinsho.corpus.rules.view import TextRow, count_by_numpy, without_runs
from rinsho.corpus.rules.words import WordIndex

needs_kernels = pytest.mark.skipif(not kernels.are_here(), reason="the passes were not built")
# Blanks of all widths, line ends, characters beyond the BMP, and letters that come again.
texts = st.text("あいう漢字𠮷ab 1\t\n\u3000\u2003\u0085。", max_size=60) | st.text(max_size=60)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no compiler")
def test_a_machine_with_a_compiler_has_the_passes() -> None:
    assert kernels.are_here()


@needs_kernels
@given(texts)
def test_lines_have_the_hashes_that_numpy_gives_them(text: str) -> None:
    codes = code_points(text)
    found = kernels.hash_lines(codes, 5, ord("ぁ"))
    wanted = [
        number
        for number, line in enumerate(text.split("\n"))
        if len(line.strip()) >= 5 and re.search("[ぁ-\U0010ffff]", line.strip())
    ]
    assert found[0].tolist() == wanted

    found = kernels.hash_lines(code_points(text * 3), 15, 0x3041)
    for one, other in zip(found, hash_lines_by_numpy(text * 3, code_points(text * 3)), strict=True):
        np.testing.assert_array_equal(one, other)


@needs_kernels
@given(st.lists(texts, min_size=1, max_size=4))
def test_shingles_are_those_that_numpy_finds(some: list[str]) -> None:
    lengths = np.array([len(text) for text in some], dtype=np.int64)
    least, n_different = kernels.least_shingles(code_points("\0".join([*some, ""])), lengths)
    wanted, n_wanted = least_shingles_by_numpy(some)

    assert n_different.tolist() == n_wanted.tolist()
    ranges = np.arange(kernels.N_BINS)
    has_one = (least >> 25 == ranges) & (n_different > 0)[:, None]
    np.testing.assert_array_equal(has_one, (wanted >> 25 == ranges) & (n_wanted > 0)[:, None])
    np.testing.assert_array_equal(least[has_one], wanted[has_one])


LINES = (
    "咳と痰が続く。" * 5,
    "熱は下がったが、咳と痰がまだ続いていて夜に眠れないことが多い日々…",
    "",
    " \u3000",
    "続きを",
)


@needs_kernels
@given(st.lists(texts | st.lists(st.sampled_from(LINES)).map("\n".join), min_size=1, max_size=4))
def test_the_rules_count_what_numpy_counts(some: list[str]) -> None:
    some = [one.replace("\0", "") + "© 無断 転載" * (len(one) % 2) for one in some]
    for text, counts in zip(some, TextRow(some).counts(), strict=True):
        wanted = count_by_numpy(text)
        bounds = {"most_repeats": counts.most_repeats, "most_of_one": counts.most_of_one}
        assert counts == wanted._replace(**bounds)


@needs_kernels
@given(st.text("あい咳", max_size=400), st.integers(0, 90))
def test_no_more_ngrams_come_again_than_the_bounds_say(text: str, n_times: int) -> None:
    text = text * n_times
    (counts,) = TextRow([text]).counts()
    ngrams = count_ngrams(without_runs(code_points(text)), 8)
    if ngrams.hashes.size:
        assert counts.most_repeats >= round(ngrams.duplicate_share * ngrams.hashes.size)
        assert counts.most_of_one * 8 / ngrams.hashes.shape[1] >= ngrams.top_share() - 1e-9


@needs_kernels
@given(st.text("咳痰熱かな", max_size=60), st.lists(st.text("咳痰熱かな", min_size=3, max_size=5)))
def test_keys_of_words_stand_where_numpy_finds_them(text: str, words: list[str]) -> None:
    index, codes = WordIndex({"list": words}), code_points(text)
    found = index.candidates(codes).tolist()
    assert found == index.candidates_by_numpy(codes).tolist()
    if any(word in text for word in words):
        assert found


@needs_kernels
@given(st.lists(texts, min_size=1, max_size=4))
def test_blanks_are_left_out_as_numpy_does(some: list[str]) -> None:
    for one, other in zip(
        kernels.without_blanks(*in_a_row(some)), compact_in_a_row(some), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@needs_kernels
@given(texts, st.integers(1, 60), st.integers(1, 60))
def test_runs_have_the_hashes_that_numpy_gives_them(text: str, n_times: int, n: int) -> None:
    codes = code_points(text * n_times)
    np.testing.assert_array_equal(kernels.hash_ngrams(codes, n), hash_ngrams(codes, n))


@needs_kernels
@given(texts, st.integers(1, 99), st.integers(7, 60), st.integers(1, 40))
def test_probes_are_found_where_numpy_finds_them(
    text: str, n_times: int, run_chars: int, n_set: int
) -> None:
    codes = compact_code_points(text * n_times)
    all_probes = probes(codes, run_chars)
    is_maybe = make_filter(n_set, [all_probes[::3].copy()])
    slower = np.zeros_like(is_maybe)
    fill_filter_by_numpy(all_probes[::3], slower)
    np.testing.assert_array_equal(is_maybe, slower)

    found = kernels.find_probes(codes, (run_chars + 1) // 4 - 1, is_maybe)
    if len(codes) >= run_chars:
        wanted = find_probes_by_numpy(codes, run_chars, is_maybe)
        np.testing.assert_array_equal(found, wanted)
        assert set(range(0, len(all_probes), 3)) <= set(found.tolist())


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no compiler")
def test_a_library_of_older_code_is_none(tmp_path: Path) -> None:
    (tmp_path / "kernels.c").write_text("long rinsho_kept(void) { return 7; }\n", encoding="ascii")
    call = ["gcc", "-shared", "-fPIC", "-o", str(tmp_path / "libkernels.so"), "kernels.c"]
    subprocess.run(call, cwd=tmp_path, check=True)
    library = open_library(tmp_path, {"kept": []}, ctypes.c_int64)
    assert library is not None
    assert library.rinsho_kept() == 7
    assert open_library(tmp_path, {"kept": [], "added_since": []}, ctypes.c_int64) is None
    assert open_library(tmp_path / "nowhere", {}, None) is None
