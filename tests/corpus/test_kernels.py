"""The passes in C give what numpy gives; without them the same comes out, only later."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.corpus import kernels
from rinsho.corpus.duplicates import least_shingles_by_numpy
from rinsho.corpus.ngrams import code_points
from rinsho.corpus.repeated_lines import hash_lines_by_numpy

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
