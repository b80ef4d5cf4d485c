"""New pieces behind an existing vocabulary: ids unchanged, old text encoded as before."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from rinsho.corpus.document import read_documents
from rinsho.encoding.encode import EncodeConfig, encode
from rinsho.errors import PathMissing, UnknownFormat
from rinsho.manifest import open_folder
from rinsho.tokenizer.extend_tokenizer import (
    EXTENSION_FILE,
    ExtendTokenizerConfig,
    extend_tokenizer,
    without_figures,
)
from rinsho.tokenizer.tokenizer import read_tokenizer

GENERAL = [
    "私は本を読みます。",
    "今日は天気が良い。",
    "The weather is fine today.",
    "発熱と咳。",
] * 30
QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@pytest.fixture(scope="module")
def byte_level_folder(tmp_path_factory) -> Path:
    """A byte-level BPE tokenizer in the form of Qwen2's, special tokens behind the vocabulary."""
    folder = tmp_path_factory.mktemp("base") / "qwen-like"
    folder.mkdir()
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.normalizer = tokenizers.normalizers.NFC()
    made.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Split(tokenizers.Regex(QWEN_SPLIT), "isolated"),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(GENERAL, trainer)
    made.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    made.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    return folder


@pytest.fixture(scope="module")
def extended_folder(byte_level_folder, documents_folder, config, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("extended") / "tokenizer"
    extend_tokenizer(
        extension(config), base=byte_level_folder, documents=[documents_folder], out=out
    )
    return out


def extension(config) -> ExtendTokenizerConfig:
    return ExtendTokenizerConfig(
        n_pieces=60, min_count=5, lexicons=config.lexicons, use_demo_lexicon=False
    )


def fast(folder: Path) -> tokenizers.Tokenizer:
    return tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))


def new_texts(folder: Path) -> list[str]:
    new = json.loads((folder / EXTENSION_FILE).read_bytes())["new"]
    decoder = fast(folder)
    return [decoder.decode([one["id"]], skip_special_tokens=False) for one in new]


def test_no_id_of_a_byte_level_base_changes(byte_level_folder, extended_folder):
    before, after = (fast(f).get_vocab() for f in (byte_level_folder, extended_folder))
    assert before.items() <= after.items()
    new = sorted(set(after.values()) - set(before.values()))
    assert new == list(range(max(before.values()) + 1, max(after.values()) + 1))
    assert len(new) == 60


@settings(max_examples=200)
@given(data=st.data())
def test_text_without_a_new_piece_is_encoded_as_before(byte_level_folder, extended_folder, data):
    before, after = fast(byte_level_folder), fast(extended_folder)
    added = set(range(before.get_vocab_size(), after.get_vocab_size()))
    text = data.draw(
        st.text(
            st.one_of(
                st.sampled_from("肺炎発熱心不全の患者が本を読むtoday <|> \n12"),
                st.characters(codec="utf-8"),
            )
        )
    )
    ids = after.encode(text, add_special_tokens=False).ids
    old = before.encode(text, add_special_tokens=False).ids
    assert after.decode(ids, skip_special_tokens=False) == before.decode(
        old, skip_special_tokens=False
    )
    pieces = [piece for piece in new_texts(extended_folder) if "\ufffd" not in piece]
    if ids != old:
        assert added & set(ids)
        assert any(p in text for p in pieces) or "\ufffd" in "".join(new_texts(extended_folder))
    if not added & set(ids):
        assert ids == old


def test_parts_stand_for_the_same_text(byte_level_folder, extended_folder):
    record = json.loads((extended_folder / EXTENSION_FILE).read_bytes())
    before, after = fast(byte_level_folder), fast(extended_folder)
    n_base = before.get_vocab_size()
    assert record["base_ids"] == n_base
    for one in record["new"]:
        assert len(one["parts"]) > 1 and max(one["parts"]) < n_base
        parts = before.decode(one["parts"], skip_special_tokens=False)
        assert parts == after.decode([one["id"]], skip_special_tokens=False)


def test_the_report_says_how_many_tokens_are_saved(extended_folder):
    before, after = json.loads((extended_folder / "measure.json").read_bytes())
    assert (before["name"], after["name"]) == ("before", "after")
    assert after["total"]["tokens"] < 0.9 * before["total"]["tokens"]
    assert after["term_shares"]["3"] >= before["term_shares"]["3"]
    assert after["total"]["lines_same"] == after["total"]["lines"]


def test_transformers_reads_the_extended_tokenizer(extended_folder, documents_folder):
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(str(extended_folder))
    for document in read_documents(documents_folder):
        expected = fast(extended_folder).encode(document.text, add_special_tokens=False).ids
        assert loaded(document.text, add_special_tokens=False)["input_ids"] == expected


def test_merges_in_the_old_form_stay_in_it(byte_level_folder, documents_folder, config, tmp_path):
    base = Path(shutil.copytree(byte_level_folder, tmp_path / "base"))
    value = json.loads((base / "tokenizer.json").read_bytes())
    value["model"]["merges"] = [" ".join(pair) for pair in value["model"]["merges"]]
    (base / "tokenizer.json").write_text(json.dumps(value), encoding="utf-8")
    out = tmp_path / "extended"
    extend_tokenizer(extension(config), base=base, documents=[documents_folder], out=out)
    merges = json.loads((out / "tokenizer.json").read_bytes())["model"]["merges"]
    assert all(isinstance(merge, str) for merge in merges)
    assert fast(out).get_vocab_size() == fast(base).get_vocab_size() + 60


@pytest.fixture(scope="module")
def extended_own(tokenizer_folder, documents_folder, config, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("own") / "extended"
    extend_tokenizer(
        extension(config), base=tokenizer_folder, documents=[documents_folder], out=out
    )
    return out


def test_our_own_tokenizer_grows_in_all_its_files(tokenizer, extended_own, documents_folder):
    grown = read_tokenizer(extended_own)
    record = json.loads((extended_own / EXTENSION_FILE).read_bytes())
    assert grown.vocab_size == tokenizer.vocab_size + len(record["new"]) > tokenizer.vocab_size
    old = range(tokenizer.vocab_size)
    assert [grown.piece(i) for i in old] == [tokenizer.piece(i) for i in old]
    for one in record["new"]:
        text = one["text"].replace("▁", " ")
        assert grown.encode(text) == [one["id"]]
        assert tokenizer.encode(text) == one["parts"]
    for document in read_documents(documents_folder):
        ids = grown.encode(document.text)
        assert fast(extended_own).encode(document.text, add_special_tokens=False).ids == ids
        assert grown.decode(ids) == document.text


@settings(max_examples=200)
@given(text=st.text(st.sampled_from("肺炎発熱心不全の患者が本を読む12 \n。、[氏名]")))
def test_our_own_encodes_text_without_a_new_piece_as_before(tokenizer, extended_own, text):
    grown = read_tokenizer(extended_own)
    added = [grown.token_text(i) for i in range(tokenizer.vocab_size, grown.vocab_size)]
    if not any(piece in text for piece in added):
        assert grown.encode(text) == tokenizer.encode(text)


def test_an_extended_tokenizer_encodes_documents(extended_own, documents_folder, tmp_path):
    out = tmp_path / "tokens"
    made = encode(EncodeConfig(), documents=[documents_folder], tokenizer=extended_own, out=out)
    assert made.counts["vocab_size"] == read_tokenizer(extended_own).vocab_size


def test_two_extensions_are_the_same(
    extended_folder, byte_level_folder, documents_folder, config, tmp_path
):
    again = extend_tokenizer(
        extension(config), base=byte_level_folder, documents=[documents_folder], out=tmp_path / "b"
    )
    assert again.identity_hash == open_folder(extended_folder).manifest.identity_hash


def test_a_folder_without_a_tokenizer_and_another_kind_are_refused(
    config, documents_folder, tmp_path
):
    arguments = {"documents": [documents_folder], "out": tmp_path / "out"}
    with pytest.raises(PathMissing, match=r"tokenizer\.json"):
        extend_tokenizer(extension(config), base=tmp_path, **arguments)
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0}, unk_token="a"))
    made.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(UnknownFormat, match="WordLevel"):
        extend_tokenizer(extension(config), base=tmp_path, **arguments)


def test_figures_and_signs_never_become_pieces():
    assert without_figures({"肺炎": 2, "10": 3, "2型": 4, "。": 5, " mg": 1}) == {
        "肺炎": 2,
        " mg": 1,
    }
