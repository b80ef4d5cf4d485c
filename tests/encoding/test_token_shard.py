from pathlib import Path

import numpy as np
import pytest

from rinsho.encoding.token_shard import TokenDocument, TokenWriter, read_token_split
from rinsho.errors import PathMissing

DOCUMENTS = [
    TokenDocument("a/0", "a", None, "train", [1, 5, 6, 2], [0, 1, 1, 1], 9),
    TokenDocument("b/0", "b", "p1", "validation", [1, 300, 2], [0, 1, 1], 3),
    TokenDocument("a/1", "a", "p2", "train", [1, 2], [0, 1], 0),
]


def write(folder: Path, vocab_size: int) -> None:
    with TokenWriter(folder, vocab_size) as writer:
        for document in DOCUMENTS:
            writer.write(document)


def test_documents_come_back_as_they_were_written(tmp_path):
    write(tmp_path, 4096)
    train = read_token_split(tmp_path, "train")
    assert train.ids == ("a/0", "a/1")
    assert train.groups == (None, "p2")
    assert train.lengths.tolist() == [4, 2]
    assert train.n_bytes.tolist() == [9, 0]
    tokens, loss_mask = train.document(0)
    assert (tokens.tolist(), loss_mask.tolist()) == ([1, 5, 6, 2], [0, 1, 1, 1])
    assert train.document(1)[0].tolist() == [1, 2]
    assert read_token_split(tmp_path, "validation").sources == ("b",)


def test_numpy_alone_reads_the_arrays(tmp_path):
    write(tmp_path, 4096)
    tokens = np.load(tmp_path / "train-00000.tokens.npy", allow_pickle=False)
    starts = np.load(tmp_path / "train-00000.document_starts.npy", allow_pickle=False)
    assert (tokens.dtype, tokens.tolist()) == (np.uint16, [1, 5, 6, 2, 1, 2])
    assert starts.tolist() == [0, 4, 6]


def test_a_large_vocabulary_takes_four_bytes_a_token(tmp_path):
    write(tmp_path, 70_000)
    assert read_token_split(tmp_path, "train").tokens.dtype == np.uint32


def test_a_split_without_documents_is_empty(tmp_path):
    write(tmp_path, 4096)
    test = read_token_split(tmp_path, "test")
    assert (test.n_documents, test.n_tokens) == (0, 0)


def test_the_same_documents_give_the_same_bytes_and_no_other_file(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, 4096)
    files = [{p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("one", "two")]
    assert files[0] == files[1]
    assert len(files[0]) == 10


def test_a_missing_shard_is_named(tmp_path):
    write(tmp_path, 4096)
    (tmp_path / "test-00000.loss_mask.npy").unlink()
    with pytest.raises(PathMissing, match=r"test-00000\.loss_mask\.npy"):
        read_token_split(tmp_path, "test")
