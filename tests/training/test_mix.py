"""The data mix: shares, passes, joined folders, and what it refuses."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rinsho.encoding.token_shard import TokenSplit
from rinsho.errors import InvalidValue, NothingToLearn
from rinsho.training.batches import TokenBatches
from rinsho.training.mix import JoinedSplit, Mix, MixedSource, new_mix


def split_of(lengths: list[int], source: str | list[str], first: int = 0) -> TokenSplit:
    n_tokens = sum(lengths)
    sources = [source] * len(lengths) if isinstance(source, str) else source
    return TokenSplit(
        tokens=np.arange(first, first + n_tokens, dtype=np.uint32),
        loss_mask=np.ones(n_tokens, np.uint8),
        document_starts=np.cumsum([0, *lengths]),
        ids=tuple(f"{name}/{first}/{i}" for i, name in enumerate(sources)),
        sources=tuple(sources),
        groups=(None,) * len(lengths),
        n_bytes=np.array(lengths, np.int64),
    )


FOLDERS = {
    "a": split_of([5] * 40, "medical"),
    "b": split_of([10] * 100 + [7] * 10, ["general"] * 100 + ["law"] * 10, first=1000),
}


def mixed(seed: int = 0, **sources: MixedSource) -> tuple[JoinedSplit, Mix]:
    return new_mix(sources, FOLDERS, seed)


def tokens_of(joined: JoinedSplit, documents: np.ndarray) -> Counter[str]:
    counts: Counter[str] = Counter()
    for document in documents:
        counts[joined.sources[document]] += int(joined.lengths[document])
    return counts


def test_joined_folders_hold_every_document_once() -> None:
    joined = JoinedSplit(list(FOLDERS.values()))
    parts = [document for part in FOLDERS.values() for document in range(part.n_documents)]
    assert joined.n_documents == len(parts) == 150
    whole = np.concatenate([joined.document(i)[0] for i in range(150)])
    assert whole.tolist() == [t for part in FOLDERS.values() for t in part.tokens]


def test_an_epoch_ends_when_the_first_source_was_read_once() -> None:
    joined, mix = mixed(medical=MixedSource(weight=3), general=MixedSource(weight=1))
    counts = tokens_of(joined, mix.documents(0))
    assert counts["medical"] == 200, "all of it"
    assert counts["general"] == pytest.approx(200 / 3, abs=10), "a third of that"
    assert set(counts) == {"medical", "general"}, "what is not named is left out"


def test_the_others_go_on_where_they_stopped() -> None:
    joined, mix = mixed(medical=MixedSource(weight=1), general=MixedSource(weight=1))
    read = np.concatenate([mix.documents(epoch) for epoch in range(5)])
    general = [i for i in read if joined.sources[i] == "general"]
    assert len(general) == len(set(general)) == 100, "1,000 tokens: one pass in five epochs"
    assert Counter(i for i in read if joined.sources[i] == "medical").most_common()[-1][1] == 5


def test_a_source_ends_with_its_passes_and_the_run_with_the_last_source() -> None:
    sources = {
        "medical": MixedSource(weight=1, max_epochs=2),
        "law": MixedSource(weight=0.25, max_epochs=1),
    }
    joined, mix = mixed(**sources)
    assert mix.n_epochs == 2
    total: Counter[str] = Counter()
    for epoch in range(4):
        total += tokens_of(joined, mix.documents(epoch))
    assert total == {"medical": 400, "law": 70}
    assert len(mix.documents(2)) == 0


def test_a_folder_stands_for_its_sources_that_are_not_named() -> None:
    joined, mix = mixed(b=MixedSource(), law=MixedSource())
    assert set(tokens_of(joined, mix.documents(0))) == {"general", "law"}
    joined, mix = mixed(b=MixedSource())
    assert set(tokens_of(joined, mix.documents(0))) == {"general", "law"}


@settings(max_examples=30)
@given(
    lengths=st.lists(st.integers(2, 30), min_size=1, max_size=40),
    weight=st.floats(0.05, 20),
    n_epochs=st.integers(1, 12),
)
def test_shares_hold_to_within_one_document_over_any_number_of_epochs(
    lengths: list[int], weight: float, n_epochs: int
) -> None:
    folders = {"x": split_of(lengths, "x"), "y": split_of([9] * 30, "y", first=10_000)}
    joined, mix = new_mix(
        {"x": MixedSource(weight=weight), "y": MixedSource(weight=1)}, folders, seed=3
    )
    read = np.concatenate([mix.documents(epoch) for epoch in range(n_epochs)])
    counts = tokens_of(joined, read)
    epoch_tokens = min(sum(lengths) / weight, 270)
    for name, share in (("x", weight), ("y", 1.0)):
        asked = n_epochs * epoch_tokens * share
        # rounded once an epoch, and cut at a document at the end
        assert abs(counts[name] - asked) <= 31 + n_epochs


def test_an_epoch_is_a_pure_function_of_seed_and_number() -> None:
    sources = {"medical": MixedSource(weight=1), "general": MixedSource(weight=2)}
    (_, walked), (_, jumped), (_, other) = mixed(**sources), mixed(**sources), mixed(1, **sources)
    for epoch in range(3):
        last = walked.documents(epoch)
    assert last.tolist() == jumped.documents(2).tolist()
    assert last.tolist() != other.documents(2).tolist()


def test_counts_by_source_are_those_of_the_batches() -> None:
    joined, mix = mixed(medical=MixedSource(weight=1), general=MixedSource(weight=1))
    batches = TokenBatches(
        joined, context_length=16, batch_tokens=64, micro_batch_tokens=32, seed=0, mix=mix
    )
    seen: Counter[str] = Counter()
    source_of = dict(zip(joined.ids, joined.sources, strict=True))
    for epoch, n_steps in ((0, batches.n_steps(0)), (1, 2)):
        for step in range(n_steps):
            for batch in batches.step(epoch, step):
                assert {source_of[id_] for id_ in batch.document_ids} <= {"medical", "general"}
                seen["all"] += batch.n_tokens
    counted = batches.tokens_by_source(1, 2)
    assert set(counted) == {"medical", "general"}
    assert sum(counted.values()) == seen["all"]


@pytest.mark.parametrize(
    ("sources", "error", "found"),
    [
        ({}, InvalidValue, "0 sources"),
        ({"medicine": MixedSource()}, InvalidValue, "medical"),
    ],
)
def test_an_empty_mix_and_an_unknown_source_are_refused(
    sources: dict[str, MixedSource], error: type[Exception], found: str
) -> None:
    with pytest.raises(error) as caught:
        new_mix(sources, FOLDERS, 0)
    assert found in caught.value.text("en")  # type: ignore[attr-defined]


def test_a_source_without_training_text_is_refused() -> None:
    folders = {"a": FOLDERS["a"], "short": split_of([1, 1], "short")}
    with pytest.raises(NothingToLearn, match="short"):
        new_mix({"short": MixedSource()}, folders, 0)
