"""The run-time kind: MeCab cuts at every encoding, wherever the folder is opened."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rinsho.corpus.document import Message, read_documents
from rinsho.encoding.encode import EncodeConfig, encode
from rinsho.errors import DictionaryMismatch, PathMissing
from rinsho.tokenizer.morphology import PlainWords, belongs_to, cut_text, new_morphology
from rinsho.tokenizer.run_time import CUTS_FILE, TERMS_FILE
from rinsho.tokenizer.tokenizer import Tokenizer, copy_tokenizer, read_tokenizer
from rinsho.tokenizer.train_tokenizer import train_tokenizer
from rinsho.tokenizer.word_table import WeighedText, count_words

texts = st.lists(
    st.one_of(
        st.text(st.characters(codec="utf-8"), max_size=30),
        st.text(
            st.sampled_from(list("肺炎発熱の疑いで。、 　\n\t-<[氏名]>12aCRP𠮷\0\r")), max_size=60
        ),
    ),
    max_size=4,
).map("".join)


@pytest.fixture(scope="module")
def run_time_folder(config, documents_folder, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run-time") / "tokenizer"
    changed = config.model_copy(update={"morphology": "run-time"})
    train_tokenizer(changed, documents=[documents_folder], out=out)
    return out


@pytest.fixture(scope="module")
def run_time(run_time_folder: Path) -> Tokenizer:
    return read_tokenizer(run_time_folder)


@pytest.fixture(scope="module")
def morphology(tmp_path_factory):
    return new_morphology(["大腿骨頸部骨折"], tmp_path_factory.mktemp("terms"))


@given(text=texts)
@example(text="a\0b \0\n\0")
@settings(max_examples=200)
def test_the_parts_of_a_text_joined_are_the_text(morphology, text: str):
    assert "".join(cut_text(text, morphology)) == text
    assert "".join(cut_text(text, PlainWords())) == text


@given(text=texts)
@settings(max_examples=200)
def test_run_time_encoding_gives_the_text_back_with_offsets(run_time: Tokenizer, text: str):
    ids, offsets = run_time.encode_with_offsets(text)
    written = text.replace("▁", "_")
    assert run_time.decode(ids) == written
    assert all(written[start:end] for start, end in offsets)


def test_no_piece_crosses_a_word(run_time: Tokenizer, run_time_folder: Path, documents_folder):
    (measured,) = json.loads((run_time_folder / "measure.json").read_bytes())
    assert measured["crossing"]["crossing"] == 0 < measured["crossing"]["pieces"]
    assert measured["total"]["lines_same"] == measured["total"]["lines"]


def test_the_same_model_with_cuts_is_another_tokenizer(run_time: Tokenizer, tokenizer: Tokenizer):
    assert run_time.sha256 != tokenizer.sha256
    assert run_time.vocab_size == tokenizer.vocab_size


def test_a_copied_run_time_tokenizer_cuts_the_same(
    run_time: Tokenizer, run_time_folder: Path, documents_folder: Path, tmp_path: Path
):
    copy_tokenizer(run_time_folder, tmp_path)
    copy = read_tokenizer(tmp_path)
    assert copy.sha256 == run_time.sha256
    for document in read_documents(documents_folder):
        assert copy.encode(document.text) == run_time.encode(document.text)


def test_other_terms_or_another_dictionary_are_refused(run_time_folder: Path, tmp_path: Path):
    copy_tokenizer(run_time_folder, tmp_path)
    record = json.loads((tmp_path / CUTS_FILE).read_bytes())
    for key, name in (("terms_sha256", TERMS_FILE), ("dictionary_sha256", "ipadic")):
        (tmp_path / CUTS_FILE).write_text(json.dumps(record | {key: "0" * 64}))
        with pytest.raises(DictionaryMismatch, match=name):
            read_tokenizer(tmp_path)
    (tmp_path / TERMS_FILE).unlink()
    with pytest.raises(PathMissing, match="terms"):
        read_tokenizer(tmp_path)


def test_a_tokens_folder_carries_the_cuts(run_time_folder, documents_folder, tmp_path):
    out = tmp_path / "tokens"
    encode(EncodeConfig(), documents=[documents_folder], tokenizer=run_time_folder, out=out)
    assert read_tokenizer(out).sha256 == read_tokenizer(run_time_folder).sha256


def test_transformers_reads_it_through_our_class(
    run_time: Tokenizer, run_time_folder: Path, documents_folder: Path, tmp_path: Path
):
    from rinsho.tokenizer.transformers_class import RunTimeTokenizer

    loaded = RunTimeTokenizer.from_pretrained(str(run_time_folder))
    text = "𠮷野さん 3 mg/dL\n大腿骨頸部骨折であった。[氏名]"
    ids = run_time.encode(text)
    assert loaded(text)["input_ids"] == [run_time.bos_id, *ids]
    assert loaded.decode(ids) == text
    messages = [Message("user", "発熱は?"), Message("assistant", "あります。")]
    rendered = loaded.apply_chat_template(
        [{"role": m.role, "content": m.content} for m in messages], return_dict=False
    )
    assert rendered == run_time.render(messages)
    loaded.save_pretrained(str(tmp_path))
    again = RunTimeTokenizer.from_pretrained(str(tmp_path))
    for document in read_documents(documents_folder):
        assert again(document.text, add_special_tokens=False)["input_ids"] == run_time.encode(
            document.text
        )


def test_transformers_does_not_read_it_without_the_class(run_time_folder: Path, tmp_path: Path):
    """Other ids in silence would be worse than no tokenizer."""
    from transformers import AutoTokenizer

    folder = Path(shutil.copytree(run_time_folder, tmp_path / "copy"))
    (folder / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises((ValueError, OSError, AttributeError, TypeError, ImportError)):
        AutoTokenizer.from_pretrained(str(folder))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("規定された医療機関でなければならない", "規定 さ れた 医療 機関 で なければ なら ない"),
        ("必要な検査を行った", "必要な 検査 を 行った"),
        ("肺炎であった", "肺炎 であった"),
        ("発熱で来院", "発熱 で 来院"),
        ("上昇していませんでした", "上昇 して い ません でした"),
        ("第二十三条", "第 二十三 条"),
        ("飲んだり走ったりしよう", "飲んだり 走ったり しよう"),
    ],
)
def test_endings_belong_to_the_word_they_inflect(morphology, text: str, words: str):
    assert morphology.words(text) == words.split()


def test_a_particle_of_the_same_sound_stays_apart():
    assert not belongs_to(("病院", "名詞\t一般"), ("で", "助詞\t格助詞"))
    assert belongs_to(("飲ん", "動詞\t自立"), ("で", "助詞\t接続助詞"))


def test_the_plain_kind_learns_without_words(config, documents_folder, tmp_path):
    changed = config.model_copy(update={"morphology": "none"})
    out = tmp_path / "tokenizer"
    train_tokenizer(changed, documents=[documents_folder], out=out)
    (measured,) = json.loads((out / "measure.json").read_bytes())
    assert measured["kind"] == "none"
    assert measured["crossing"]["share"] > 0.1
    assert (out / "tokenizer.json").is_file()
    tokenizer = read_tokenizer(out)
    for document in read_documents(documents_folder):
        assert tokenizer.decode(tokenizer.encode(document.text)) == document.text


def test_a_repeated_source_counts_more_and_one_left_out_not_at_all(
    config, documents_folder, tmp_path
):
    counts = []
    for times in (1, 3):
        changed = config.model_copy(update={"repeats": {"note": times}})
        out = tmp_path / str(times)
        made = train_tokenizer(changed, documents=[documents_folder], out=out)
        counts.append(made.counts["words"])
    assert counts[1] == 3 * counts[0]


def test_frequent_pairs_of_nouns_become_units_where_they_are_asked_for(morphology):
    texts = [
        WeighedText("医療機関の責任者。" * 9, weight=2, gives_compounds=True),
        WeighedText("自然科学の医療。" * 9),
    ]
    table = count_words(texts, morphology)
    assert table.words["医療"] == 27
    assert table.pairs["医療", "機関"] == 18
    assert ("自然", "科学") not in table.pairs
    counts = table.with_compounds(1, max_chars=16)
    assert (counts["医療機関"], counts["医療"], counts["機関"]) == (18, 9, 1)
    assert table.with_compounds(0, max_chars=16) == table.words
