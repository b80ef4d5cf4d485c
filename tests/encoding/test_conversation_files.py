"""Tuning data of three formats: what is read, what is refused and where."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rinsho.encoding.conversation_files import ConversationFile, find_files, read_conversations
from rinsho.encoding.encode import EncodeConfig, encode, show_encode
from rinsho.encoding.token_shard import read_token_split
from rinsho.errors import (
    BrokenRecord,
    InvalidValue,
    LicenseRefused,
    MissingInput,
    NothingToRead,
    RinshoError,
)
from rinsho.evaluation.benchmark import Item
from rinsho.evaluation.parse import parse_letters
from rinsho.evaluation.prompts import messages_of
from rinsho.text.normalize import normalize

MARKER = "マーカー患者"
QUESTION = {
    "problem_id": "q1",
    "problem_text": "肺炎の症状はどれか。2つ選べ。",
    "choices": ["発熱", "脱毛", "咳嗽"],
    "answer": ["3", "1"],
    "comment": "肺炎では発熱と咳嗽がみられる。",
    "problem_text_en": "Which are symptoms of pneumonia? Choose two.",
    "choices_en": {"A": "fever", "B": "hair loss", "C": "cough"},
}
ALPACA = {"instruction": "要約してください。", "input": "発熱で来院。", "output": "発熱で受診。"}
SHARE = {"conversations": [{"from": "human", "value": "熱は?"}, {"from": "gpt", "value": "38度"}]}
OURS = {
    "messages": [
        {"role": "system", "content": "簡潔に。"},
        {"role": "user", "content": "咳は?"},
        {"role": "assistant", "content": "なし"},
    ]
}


def written(path: Path, *records: Any) -> Path:
    path.write_text("\n".join(json.dumps(r, ensure_ascii=False) for r in records), "utf-8")
    return path


def table(path: Path, **values: Any) -> ConversationFile:
    return ConversationFile.model_validate({"path": str(path), "license": "CC0-1.0", **values})


def read(path: Path, **values: Any) -> list[Any]:
    found = find_files([table(path, **values)], None, (), noncommercial=False)
    return list(read_conversations(found))


def turns(document: Any) -> list[tuple[str, str]]:
    return [(m.role, m.content) for m in document.messages]


def test_the_three_formats_are_told_by_their_keys(tmp_path: Path) -> None:
    path = written(tmp_path / "mixed.jsonl", ALPACA, SHARE, OURS, QUESTION)
    alpaca, share, ours, japanese, english = (turns(d) for d in read(path))
    assert alpaca == [
        ("user", "要約してください。\n\n発熱で来院。"),
        ("assistant", "発熱で受診。"),
    ]
    assert share == [("user", "熱は?"), ("assistant", "38度")]
    assert [role for role, _ in ours] == ["system", "user", "assistant"]
    assert japanese[-1] == english[-1] == ("assistant", "A,C")


def test_a_list_and_gzip_are_read_like_lines(tmp_path: Path) -> None:
    lines = written(tmp_path / "a.jsonl", ALPACA, SHARE)
    (tmp_path / "b.json").write_text(json.dumps([ALPACA, SHARE], indent=1))
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(lines.read_bytes()))
    expected = [turns(d) for d in read(lines)]
    assert [turns(d) for d in read(tmp_path / "b.json")] == expected
    assert [turns(d) for d in read(tmp_path / "c.jsonl.gz")] == expected


def test_a_question_is_asked_as_a_benchmark_asks_it(tmp_path: Path) -> None:
    document = read(written(tmp_path / "q.jsonl", QUESTION), language="ja")[0]
    text, choices = str(QUESTION["problem_text"]), tuple(map(str, QUESTION["choices"]))
    item = Item("x", "choice", text, choices, ("A",), (), "x", "")
    # A model's own input is normalized in answering, as it is here.
    expected = [(m.role, normalize(m.content).strip()) for m in messages_of(item)]
    assert turns(document)[:2] == expected


def test_an_explanation_is_learned_behind_letters_that_the_parser_finds(tmp_path: Path) -> None:
    path = written(tmp_path / "q.jsonl", QUESTION)
    answer = turns(read(path, language="ja", explains=True)[0])[-1][1]
    assert answer == "A,C\n解説: 肺炎では発熱と咳嗽がみられる。"
    assert parse_letters(answer, "ABC", 2).letters == ("A", "C")


@pytest.mark.parametrize(("language", "n"), [("ja", 1), ("en", 1), ("both", 2)])
def test_questions_are_taken_in_the_languages_that_are_asked_for(
    language: str, n: int, tmp_path: Path
) -> None:
    documents = read(written(tmp_path / "q.jsonl", QUESTION), language=language)
    assert len(documents) == n and len({d.group for d in documents}) == 1
    assert ("肺炎" in documents[0].text) == (language != "en")


@pytest.mark.parametrize("answer", ["C", "c", 3, "3", ["3"], "咳嗽"])
def test_an_answer_is_a_letter_a_number_from_1_or_a_choice(answer: Any, tmp_path: Path) -> None:
    question = {name: value for name, value in QUESTION.items() if not name.endswith("_en")}
    path = written(tmp_path / "q.jsonl", {**question, "answer": answer})
    assert turns(read(path)[0])[-1][1] == "C"


@pytest.mark.parametrize(
    "answer", ["NA", [], "解なし(不適切)", ["1", "2（いずれか一つを正解とする）"]]
)
def test_a_question_without_one_answer_is_counted(answer: Any, tmp_path: Path) -> None:
    path = written(tmp_path / "q.jsonl", {**QUESTION, "answer": answer})
    left_out = Counter[str]()
    found = find_files([table(path, language="ja")], None, (), noncommercial=False)
    assert not list(read_conversations(found, left_out)) and left_out.total() == 2


@pytest.mark.parametrize(
    "broken",
    [
        {**QUESTION, "answer": "F"},
        {**QUESTION, "answer": 0},
        {"instruction": MARKER},
        {"messages": [{"role": "user", "content": MARKER}]},
        {"messages": [{"role": "nurse", "content": MARKER}]},
        {"conversations": [{"from": "gpt", "value": MARKER}, {"from": "human", "value": "x"}]},
        {"text": MARKER},
        [MARKER],
        MARKER,
    ],
)
def test_what_cannot_be_read_is_named_by_file_and_line_and_not_quoted(
    broken: Any, tmp_path: Path
) -> None:
    path = written(tmp_path / "data.jsonl", ALPACA, broken)
    with pytest.raises(BrokenRecord) as caught:
        read(path)
    said = caught.value.message("en") + caught.value.next_step("en")
    assert "data.jsonl line 2" in said and MARKER not in said
    assert len(read(path, skip_broken=True)) == 1


def test_the_line_of_a_list_member_is_told(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text('[\n{"instruction": "a", "output": "b"},\n\n{"x": 1}\n]')
    with pytest.raises(BrokenRecord, match=r"list\.json line 4"):
        read(tmp_path / "list.json")


def test_files_are_refused_that_cannot_be_used(
    tmp_path: Path, documents_folder: Path, tokenizer_folder: Path
) -> None:
    path = written(tmp_path / "q.jsonl", {**QUESTION, "text_only": False})
    rest: dict[str, Any] = {"tokenizer": tokenizer_folder, "out": tmp_path / "tokens"}
    cases: list[tuple[type[RinshoError], EncodeConfig, str]] = [
        (LicenseRefused, config(table(path, license="CC-BY-NC-4.0")), "CC-BY-NC-4.0"),
        (InvalidValue, EncodeConfig(what="text", files=(table(path),)), "conversations"),
        (NothingToRead, config(table(path)), "1 needs a picture"),
        (MissingInput, EncodeConfig(what="conversations"), "documents"),
    ]
    for error, one, said in cases:
        with pytest.raises(error, match=said):
            encode(one, **rest)
    assert not (tmp_path / "tokens").exists()


def config(*files: ConversationFile, **values: Any) -> EncodeConfig:
    return EncodeConfig(what="conversations", files=files, **values)


def test_files_are_encoded_and_what_is_left_out_is_counted(
    tmp_path: Path, tokenizer_folder: Path
) -> None:
    picture = {**QUESTION, "text_only": False, "problem_id": "q2"}
    long = {"instruction": "発熱 " * 300, "output": "はい"}
    path = written(tmp_path / "data.jsonl", QUESTION, picture, ALPACA, long)
    manifest = encode(
        config(table(path, attribution="who"), max_document_tokens=400),
        tokenizer=tokenizer_folder,
        out=tmp_path / "tokens",
    )
    assert manifest.counts["left_out"] == {"needs a picture": 1, "too long": 1}
    assert "CC0-1.0" in manifest.identity.licenses
    splits = [read_token_split(tmp_path / "tokens", s) for s in ("train", "validation", "test")]
    assert sum(split.n_documents for split in splits) == 3


def test_showing_tells_token_by_token_what_of_a_file_is_learned(
    tmp_path: Path, tokenizer_folder: Path
) -> None:
    path = written(tmp_path / "data.jsonl", ALPACA, SHARE)
    shown = list(show_encode(config(table(path)), 1, tokenizer=tokenizer_folder))
    learned = [text for text, is_learned in shown[0].tokens if is_learned]
    known = [text for text in learned if not text.startswith("<0x")]
    assert len(shown) == 1 and "".join(known) == "発熱で。<|end|>" and len(learned) > len(known)


def test_private_files_are_named_by_number(tmp_path: Path) -> None:
    path = written(tmp_path / f"{MARKER}.jsonl", ALPACA, {"text": "x"})
    with pytest.raises(BrokenRecord, match=r"files\[0\], file 1 line 2") as caught:
        read(path, is_private=True)
    assert MARKER not in str(caught.value)
    documents = read(path, is_private=True, skip_broken=True)
    assert MARKER not in documents[0].id + documents[0].source
