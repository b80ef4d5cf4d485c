from hypothesis import given
from hypothesis import strategies as st

from rinsho.corpus.document import Document
from rinsho.corpus.sample import highest_key, sample_key
from rinsho.corpus.splits import SPLITS, split_of

entries = st.lists(
    st.tuples(st.integers(0, 2**63 - 1), st.integers(1, 9)), unique_by=lambda e: e[0]
)


@given(entries, st.integers(0, 60))
def test_as_much_as_fits_is_taken_and_no_more(entries, limit):
    keys, sizes = [k for k, _ in entries], [n for _, n in entries]
    highest = highest_key(keys, sizes, limit)
    taken = sum(n for k, n in entries if k <= highest)
    left = sorted((k, n) for k, n in entries if k > highest)
    assert taken <= limit
    assert not left or taken + left[0][1] > limit


def test_a_sample_holds_every_split():
    documents = [Document(f"d/{i}", "", "d", "CC0-1.0") for i in range(4000)]
    highest = highest_key([sample_key(d) for d in documents], [1] * 4000, 1000)
    splits = [split_of(d) for d in documents if sample_key(d) <= highest]
    assert len(splits) == 1000
    assert set(splits) == set(SPLITS)
    assert 900 < splits.count("train") < 990
