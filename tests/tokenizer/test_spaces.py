from __future__ import annotations

from pathlib import Path

from rinsho.corpus.document import Document, write_documents
from rinsho.manifest import new_folder
from rinsho.runfile import StageConfig
from rinsho.tokenizer.tokenizer import read_tokenizer
from rinsho.tokenizer.train_tokenizer import TrainTokenizerConfig, train_tokenizer


def test_a_vocabulary_of_text_without_spaces_still_knows_the_space(tmp_path: Path) -> None:
    documents = (
        Document(f"t/{n}", f"発熱と咳嗽が{n}日続き、肺炎を疑った。", "t", "CC0-1.0")
        for n in range(200)
    )
    out = tmp_path / "documents"
    with new_folder(out, stage="collect", config=StageConfig(), inputs={}) as folder:
        write_documents(folder.path, documents)
    config = TrainTokenizerConfig(vocab_size=900, use_demo_lexicon=False)
    train_tokenizer(config, documents=[out], out=tmp_path / "tokenizer")
    tokenizer = read_tokenizer(tmp_path / "tokenizer")
    assert tokenizer.decode(tokenizer.encode("発熱 咳")) == "発熱 咳"
    ids, spans = tokenizer.encode_with_offsets("発熱 咳")
    assert len(ids) == len(spans)
    assert (spans[0][0], spans[-1][1]) == (0, 4)
