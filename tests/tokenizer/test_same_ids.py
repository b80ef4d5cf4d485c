"""SentencePiece, `tokenizers` and transformers read the same folder the same way."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sentencepiece
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from rinsho.corpus.document import Message, read_documents
from rinsho.text.normalize import normalize
from rinsho.tokenizer.tokenizer import Tokenizer

AWKWARD = [
    "",
    " ",
    "-" * 1000,
    "・" * 999 + "ああああああああああ",
    " " * 17 + "a" + "  \t \n\n b ",
    "<0x41><0xE3>▁▁[氏名][[住所]<",
    "𠮷😀👨‍👩‍👧 10³①㎎",
    "1" * 5000 + "いいいい",
]
SPECIAL_PIECES = ("<s>", "</s>", "<unk>", "<pad>", "<|")
# What SentencePiece and `tokenizers` read as plain text alike: no special tokens in it.
texts = (
    st.lists(
        st.one_of(
            st.text(st.characters(codec="utf-8"), max_size=20),
            st.text(st.sampled_from(list("肺炎発熱疑の。、- ・<>[氏名]\n12a")), max_size=40),
        ),
        max_size=3,
    )
    .map("".join)
    .filter(lambda text: not any(piece in text for piece in SPECIAL_PIECES))
)


def three_ways(folder: Path, text: str) -> list[list[int]]:
    raw = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    fast = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    return [raw.encode(text), fast.encode(text, add_special_tokens=False).ids]


@pytest.fixture(scope="session")
def auto_tokenizer(tokenizer_folder: Path):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(tokenizer_folder))


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_texts_have_the_same_ids(
    tokenizer: Tokenizer, tokenizer_folder: Path, auto_tokenizer, text: str
):
    ids = tokenizer.encode(text)
    hugging_face = auto_tokenizer(text, add_special_tokens=False)["input_ids"]
    assert [*three_ways(tokenizer_folder, text), hugging_face] == [ids] * 3


def test_a_line_of_a_megabyte_has_the_same_ids(
    tokenizer: Tokenizer, tokenizer_folder: Path, documents_folder: Path
):
    line = "".join(d.text.replace("\n", "") for d in read_documents(documents_folder)) * 30
    assert len(line.encode()) > 1_000_000
    assert three_ways(tokenizer_folder, line) == [tokenizer.encode(line)] * 2
    assert tokenizer.encode_with_offsets(line)[1][-1][1] == len(line)


@given(text=texts)
@settings(max_examples=100)
def test_any_text_has_the_same_ids(tokenizer: Tokenizer, tokenizer_folder: Path, text: str):
    assert three_ways(tokenizer_folder, text) == [tokenizer.encode(text)] * 2


def test_documents_have_the_same_ids_and_decode_the_same(
    tokenizer: Tokenizer, tokenizer_folder: Path, documents_folder: Path, auto_tokenizer
):
    for document in read_documents(documents_folder):
        ids = tokenizer.encode(document.text)
        assert three_ways(tokenizer_folder, document.text) == [ids] * 2
        assert auto_tokenizer.decode(ids) == tokenizer.decode(ids) == document.text


def test_transformers_puts_the_start_of_a_document(tokenizer: Tokenizer, auto_tokenizer):
    assert auto_tokenizer("発熱")["input_ids"] == [tokenizer.bos_id, *tokenizer.encode("発熱")]
    assert auto_tokenizer.eos_token_id == tokenizer.eos_id
    assert auto_tokenizer.pad_token_id == tokenizer.pad_id


@pytest.mark.parametrize("add_generation_prompt", [True, False])
def test_the_chat_template_is_render(
    tokenizer: Tokenizer, auto_tokenizer, add_generation_prompt: bool
):
    messages = [
        Message("system", "あなたは看護師です。"),
        Message("user", " 発熱と咳嗽\n 😀 の原因は? "),
        Message("assistant", "肺炎などです。\n"),
    ]
    found = auto_tokenizer.apply_chat_template(
        [{"role": m.role, "content": m.content} for m in messages],
        add_generation_prompt=add_generation_prompt,
        return_dict=False,
    )
    assert found == tokenizer.render(messages, add_generation_prompt=add_generation_prompt)


def real_lines(data_folder: Path) -> Iterator[str]:
    """Yield lines of every text, as they stand and normalized in turn."""
    for path in sorted(data_folder.glob("text/*/*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            documents = (json.loads(line)["text"] for line in file)
            lines = (line for text in documents for line in text.split("\n") if line)
            for number, line in enumerate(itertools.islice(lines, 1_000)):
                yield line if number % 2 else normalize(line)


@pytest.mark.data
def test_ten_thousand_real_lines_have_the_same_ids(
    tokenizer: Tokenizer, tokenizer_folder: Path, auto_tokenizer, data_folder: Path
):
    lines = list(real_lines(data_folder))
    assert len(lines) >= 10_000
    raw = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer_folder / "tokenizer.model"))
    fast = tokenizers.Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    ids = [tokenizer.encode(line) for line in lines]
    assert raw.encode(lines) == ids
    encoded = fast.encode_batch(lines, add_special_tokens=False)
    assert [e.ids for e in encoded] == ids
    assert auto_tokenizer(lines, add_special_tokens=False)["input_ids"] == ids
