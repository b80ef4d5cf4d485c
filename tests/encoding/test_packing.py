from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rinsho.encoding.packing import pack

lengths = st.lists(st.integers(0, 60), max_size=40)
contexts = st.integers(2, 24)


@given(lengths, contexts, st.integers(0, 5), st.integers(0, 5))
def test_every_label_is_taught_exactly_once_in_an_epoch(lengths, context_length, seed, epoch):
    rows = pack(lengths, context_length=context_length, seed=seed, epoch=epoch)
    taught = Counter(
        (piece.document, label)
        for row in rows
        for piece in row
        for label in range(piece.start + 1, piece.end)
    )
    assert taught == Counter((i, label) for i, n in enumerate(lengths) for label in range(1, n))


@given(lengths, contexts)
def test_no_row_is_longer_than_the_context_and_none_is_empty(lengths, context_length):
    rows = pack(lengths, context_length=context_length, seed=0, epoch=0)
    assert all(0 < sum(len(piece) for piece in row) <= context_length for row in rows)


@given(lengths, contexts, st.integers(0, 3))
def test_packing_is_a_pure_function(lengths, context_length, epoch):
    first = pack(lengths, context_length=context_length, seed=1, epoch=epoch)
    assert first == pack(lengths, context_length=context_length, seed=1, epoch=epoch)


def test_only_documents_longer_than_the_context_are_cut():
    rows = pack([7, 8, 9], context_length=8, seed=0, epoch=0)
    n_pieces = Counter(piece.document for row in rows for piece in row)
    assert n_pieces == {0: 1, 1: 1, 2: 2}


def test_documents_are_shuffled_anew_in_each_epoch():
    orders = {
        tuple(row[0].document for row in pack([5] * 20, context_length=5, seed=0, epoch=epoch))
        for epoch in range(4)
    }
    assert len(orders) == 4


def test_rows_are_nearly_full_for_documents_of_mixed_length():
    rows = pack([3 + 37 * i % 97 for i in range(500)], context_length=64, seed=0, epoch=0)
    n_tokens = sum(len(piece) for row in rows for piece in row)
    assert n_tokens / (64 * len(rows)) > 0.97
