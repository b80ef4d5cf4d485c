"""Whole documents, as `synthesize` writes them from the embedded lexicon."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from rinsho.corpus.document import Document, read_documents, read_json_lines
from rinsho.corpus.grammar import NOTE_KINDS
from rinsho.corpus.splits import split_of
from rinsho.corpus.synthesize import (
    KINDS,
    SynthesizeConfig,
    Synthetic,
    show_synthesize,
    synthesize,
    write_synthetic,
)
from rinsho.errors import InvalidValue, OutputOccupied, PathMissing
from rinsho.manifest import open_folder
from rinsho.runfile import to_config
from rinsho.text.lexicon import read_demo_lexicon
from rinsho.text.normalize import normalize
from rinsho.text.spans import FIRST_LABELS

N = 600


@pytest.fixture(scope="module")
def written() -> list[Synthetic]:
    config = SynthesizeConfig(seed=3, n_documents=N)
    return list(islice(write_synthetic(config, read_demo_lexicon()), N))


@pytest.fixture(scope="module")
def notes(written: list[Synthetic]) -> list[Document]:
    return [one.document for one in written if one.document.source in NOTE_KINDS]


def test_every_kind_is_written(written: list[Synthetic]) -> None:
    assert {one.document.source for one in written} == set(KINDS) - {"adverse_event"}


def test_no_template_mark_is_left_in_any_text(written: list[Synthetic]) -> None:
    for one in written:
        assert not re.search(r"[{}|\\]|@\w|\$\w|\bNone\b", one.document.text), one.document.text


def test_every_text_is_in_normal_form(written: list[Synthetic]) -> None:
    for one in written:
        assert normalize(one.document.text) == one.document.text


def test_spans_lie_inside_the_text_apart_from_each_other_on_one_line(
    notes: list[Document],
) -> None:
    for note in notes:
        assert note.spans
        end = 0
        for span in note.spans:
            assert end <= span.start < span.end <= len(note.text)
            surface = note.text[span.start : span.end]
            assert surface == surface.strip() and "\n" not in surface
            end = span.end


def test_all_labels_and_certainties_of_the_first_guideline_occur(notes: list[Document]) -> None:
    found = {(span.label, span.certainty) for note in notes for span in note.spans or ()}
    certainties = ("present", "negated", "suspected")  # of the first guideline
    judged = {(label, c) for label in ("disease", "symptom") for c in certainties}
    assert found == judged | {(label, "present") for label in FIRST_LABELS}


def test_a_third_of_all_notes_has_a_mention_that_the_lexicon_lacks(notes: list[Document]) -> None:
    known = read_demo_lexicon().terms()
    lacking = [
        note
        for note in notes
        if any(
            note.text[s.start : s.end] not in known
            for s in note.spans or ()
            if s.label in ("disease", "symptom", "drug", "test", "body_part")
        )
    ]
    assert len(lacking) > len(notes) / 3


def test_ages_and_dates_are_not_marked(notes: list[Document]) -> None:
    for note in notes:
        for match in re.finditer(r"\d+歳|\d+月\d+日|\d+日前|\d+病日", note.text):
            inside = [
                s for s in note.spans or () if s.start < match.end() and match.start() < s.end
            ]
            assert not inside, match.group()


def test_conversations_end_with_an_answer(written: list[Synthetic]) -> None:
    for one in written:
        messages = one.document.messages
        if one.document.source in ("exam_question", "instruction"):
            assert messages is not None and messages[-1].role == "assistant"
            assert all(message.content.strip() for message in messages)
            assert one.document.text == "\n".join(m.content for m in messages)
        else:
            assert messages is None


def test_no_text_is_written_twice(written: list[Synthetic]) -> None:
    texts = [one.document.text for one in written]
    assert len(set(texts)) == len(texts)


def test_fewer_documents_are_the_first_of_more(written: list[Synthetic]) -> None:
    config = SynthesizeConfig(seed=3, n_documents=N // 2)
    half = list(islice(write_synthetic(config, read_demo_lexicon()), N // 2))
    assert half == written[: N // 2]


def test_a_folder_holds_documents_questions_and_counts(tmp_path: Path) -> None:
    config = SynthesizeConfig(seed=5, n_documents=120, n_test_questions=4)
    manifest = synthesize(config, out=tmp_path / "out")
    documents = list(read_documents(tmp_path / "out"))
    rows = list(read_json_lines(tmp_path / "out" / "questions-00000.jsonl.zst"))
    assert open_folder(tmp_path / "out", "synthesize").manifest == manifest
    assert manifest.counts["documents"] == len(documents) == 120
    assert manifest.counts["bytes"] == sum(len(d.text.encode()) for d in documents)
    assert manifest.counts["questions"] == len(rows) > 0
    by_source = manifest.counts["by_source"]
    assert sum(counted["documents"] for counted in by_source.values()) == 120
    assert manifest.identity.licenses == ("CC0-1.0",)
    groups = {document.id: document.group for document in documents}
    beside = [row for row in rows if row["id"] not in groups]
    assert all(groups[row["id"]] == row["group"] for row in rows if row not in beside)
    assert len(beside) == 4
    assert all(_split(row) == "test" for row in beside)


def _split(row: dict[str, Any]) -> str:
    return split_of(Document(row["id"], "", "", "", group=row["group"]))


def test_the_same_seed_writes_the_same_bytes_and_another_one_does_not(tmp_path: Path) -> None:
    hashes = {
        name: synthesize(
            SynthesizeConfig(seed=seed, n_bytes=30_000, n_test_questions=2), out=tmp_path / name
        )
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    }
    assert hashes["a"].identity.files == hashes["b"].identity.files
    assert hashes["a"].identity_hash == hashes["b"].identity_hash
    assert hashes["a"].identity.files != hashes["c"].identity.files


def test_a_fact_has_one_group_whoever_asks_for_it() -> None:
    shares = {"exam_question": 1.0, "instruction": 1.0}
    config = SynthesizeConfig(seed=3, n_documents=1, shares=shares)
    codes: dict[str, set[str | None]] = {}
    for document in show_synthesize(config, 1500):
        for name in re.findall(
            r"(?:病名「|診断名「|ICD-10で)(.+?)(?:」に|に対応|はどの)", document.text
        ):
            codes.setdefault(name, set()).add(document.group)
    assert len(codes) > 10
    assert all(groups == {f"fact:code:{name}"} for name, groups in codes.items())


def test_show_yields_what_would_be_written(written: list[Synthetic]) -> None:
    shown = list(show_synthesize(SynthesizeConfig(seed=3, n_documents=10), 4))
    assert shown == [one.document for one in written[:4]]


def test_shares_say_what_is_written() -> None:
    config = SynthesizeConfig(seed=1, n_documents=30, shares={"nursing_record": 1})
    sources = [one.source for one in show_synthesize(config, 30)]
    assert sources == ["nursing_record"] * 30


@pytest.mark.parametrize(
    "values",
    [{}, {"n_bytes": 1, "n_documents": 1}, {"n_bytes": 1, "shares": {"poem": 1}}, {"n_bytes": 0}],
)
def test_a_config_that_asks_for_nothing_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(InvalidValue):
        to_config(SynthesizeConfig, values, "[synthesize]")


def test_a_lexicon_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    config = SynthesizeConfig(n_documents=1, lexicon=str(tmp_path / "nowhere"))
    with pytest.raises(PathMissing):
        synthesize(config, out=tmp_path / "out")


def test_another_config_does_not_overwrite(tmp_path: Path) -> None:
    synthesize(SynthesizeConfig(n_documents=3, n_test_questions=0), out=tmp_path / "out")
    with pytest.raises(OutputOccupied):
        synthesize(SynthesizeConfig(n_documents=4, n_test_questions=0), out=tmp_path / "out")
