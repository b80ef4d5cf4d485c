"""Spans to tags and back, windows over long texts, and a tagger that has learned three notes."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rinsho.corpus.document import Document
from rinsho.errors import Corrupt, ModelCannot
from rinsho.manifest import new_folder
from rinsho.model.decoder import new_decoder
from rinsho.model.presets import DecoderConfig
from rinsho.model.tagger import Tagger, load_tagger, save_tagger
from rinsho.model.tags import TagSet, blocks, windows
from rinsho.model.windows import Window, join_spans, windows_of
from rinsho.runfile import StageConfig
from rinsho.text.spans import Span
from rinsho.tokenizer.tokenizer import Tokenizer
from rinsho.training.examples import Example, from_documents
from rinsho.training.finetune import FinetuneConfig
from rinsho.training.optimizer import new_optimizer
from rinsho.training.tagging import tag_sets, to_examples, to_tag_batch

TEXTS = (
    "S)昨夜から発熱。咳嗽なし。\r\nA)市中肺炎の疑い。",
    "𠮷田医師より紹介。胃潰瘍にてランソプラゾール15mg内服中 😷、下血なし。",
    "心房細動あり。脳梗塞は否定的。",
)
MARKS = (  # the first place of a word is its span
    "発熱/symptom/present 咳嗽/symptom/negated 市中肺炎/disease/suspected",
    "胃潰瘍/disease/present ランソプラゾール/drug/present 15mg/dose/present 下血/symptom/negated",
    "心房細動/disease/present 脳梗塞/disease/negated",
)


def documents() -> list[Document]:
    made: list[Document] = []
    for number, (text, marks) in enumerate(zip(TEXTS, MARKS, strict=True)):
        spans = [
            Span(text.index(word), text.index(word) + len(word), label, certainty)
            for word, label, certainty in (mark.split("/") for mark in marks.split())
        ]
        made.append(Document(f"note/{number}", text, "note", "CC0-1.0", spans=tuple(sorted(spans))))
    return made


def examples() -> list[Example]:
    return list(from_documents(documents()))


def new_tagger(tokenizer: Tokenizer, context_length: int = 64) -> Tagger:
    shape = DecoderConfig.model_validate(
        {"vocab_size": tokenizer.vocab_size, "d_model": 32, "n_layers": 2, "n_heads": 2}
        | {"n_kv_heads": 1, "d_head": 16, "d_ff": 64, "context_length": context_length}
    )
    return Tagger(new_decoder(shape, seed=0), tokenizer, tag_sets(examples()))


@pytest.fixture(scope="module")
def trained(tokenizer: Tokenizer) -> Tagger:
    tagger = new_tagger(tokenizer)
    batch = to_tag_batch(to_examples(examples(), tagger).examples)
    config = FinetuneConfig.model_validate({"form": "tagging", "learning_rate": 1e-2})
    optimizer = new_optimizer(tagger, config)
    for group in optimizer.param_groups:
        group["lr"] = 1e-2
    for _ in range(60):
        hidden = tagger.hidden(batch.tokens, batch.segment_lengths)
        tags = batch.tasks[""].tags
        loss = tagger.heads[""].summed_loss(hidden, tags, batch.lengths) / batch.n_counted
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return tagger.eval()


def test_a_tagger_learns_three_notes_exactly_with_certainty(trained: Tagger) -> None:
    assert trained.spans_of(TEXTS) == [document.spans for document in documents()]


def test_a_saved_tagger_finds_the_same_spans(
    trained: Tagger, tokenizer_folder: Path, tmp_path: Path
) -> None:
    with new_folder(
        tmp_path / "tagger", stage="finetune", config=StageConfig(), inputs={}
    ) as folder:
        save_tagger(trained, folder.path, tokenizer_folder)
    loaded = load_tagger(tmp_path / "tagger")
    assert loaded.spans_of(TEXTS) == trained.spans_of(TEXTS)
    record = json.loads((tmp_path / "tagger" / "head.json").read_text(encoding="utf-8"))
    assert {"label": "symptom", "certainty": "negated"} in record["tasks"][0]["tags"]
    head = tmp_path / "tagger" / "head.safetensors"
    head.write_bytes(head.read_bytes()[:-1] + b"\0")
    with pytest.raises(Corrupt, match=r"head\.safetensors"):
        load_tagger(tmp_path / "tagger")


def test_weights_without_a_head_are_refused(tmp_path: Path) -> None:
    with new_folder(tmp_path / "w", stage="pretrain", config=StageConfig(), inputs={}) as folder:
        (folder.path / "config.json").write_text("{}")
    with pytest.raises(ModelCannot, match="tagging"):
        load_tagger(tmp_path / "w")


@pytest.mark.parametrize("text", ["", " ", "\r\n", "𠮷" * 90, "発熱" * 200, "咳\n" * 90])
def test_any_text_gives_spans_inside_it(trained: Tagger, text: str) -> None:
    spans = trained.spans(text)
    assert all(0 <= s.start < s.end <= len(text) for s in spans)
    assert all(text[s.start : s.end].strip() == text[s.start : s.end] for s in spans)


def test_a_long_note_gives_the_spans_of_its_lines(trained: Tagger) -> None:
    line = "心房細動あり。脳梗塞は否定的。\n"
    text = line * 40  # many windows of 64 tokens
    found = [s for s in trained.spans(text) if text[s.start : s.end] == "心房細動"]
    assert [s.start for s in found] == [number * len(line) for number in range(40)]
    assert {(s.label, s.certainty) for s in found} == {("disease", "present")}


def test_texts_together_get_the_spans_that_they_get_alone(trained: Tagger) -> None:
    texts = [*TEXTS, "", TEXTS[0] * 9]
    assert trained.spans_of(texts) == [trained.spans(text) for text in texts]


def test_every_token_sees_both_ways(tokenizer: Tokenizer) -> None:
    tagger = new_tagger(tokenizer).eval()
    tokens = torch.tensor([tokenizer.bos_id, 20, 21, 22])
    other = torch.tensor([tokenizer.bos_id, 20, 21, 23])
    first, second = (tagger.hidden(t, [4])[0, 0] for t in (tokens, other))
    assert not torch.allclose(first, second), "the first tag ignores the last token"


# ------------------------------------------------------------------- spans, tags, windows

TAGS = TagSet((("disease", "present"), ("drug", "present")))
OFFSETS = [(0, 2), (2, 3), (3, 5), (5, 6), (5, 6), (6, 9)]  # the fourth and fifth: bytes of one


def test_spans_that_fit_tokens_come_back_as_they_were() -> None:
    spans = (Span(0, 3, "disease"), Span(3, 5, "disease"), Span(5, 9, "drug"))
    tagged = TAGS.to_tags(spans, OFFSETS, "abcdefghi")
    assert tagged.tags == (1, 2, 1, 3, 4, 4)
    assert (tagged.n_misaligned, tagged.n_lost) == (0, 0)
    assert tuple(TAGS.to_spans(tagged.tags, OFFSETS, "abcdefghi")) == spans


def test_a_border_inside_a_token_is_counted() -> None:
    spans = (Span(1, 3, "disease"), Span(7, 8, "drug"), Span(8, 9, "drug"))
    tagged = TAGS.to_tags(spans, OFFSETS, "abcdefghi")
    assert tagged.tags == (1, 2, 0, 0, 0, 3)
    assert (tagged.n_misaligned, tagged.n_lost) == (3, 1)


def test_blanks_at_the_border_of_a_span_are_outside_it() -> None:
    assert TAGS.to_spans([1, 2], [(0, 2), (2, 4)], " 肺炎\n") == [Span(1, 3, "disease")]
    assert TAGS.to_spans([1, 0], [(0, 2), (2, 4)], " \n肺炎") == []


def test_a_full_stop_in_the_last_token_of_a_span_is_outside_it() -> None:
    text, offsets = " 肺炎。", [(0, 3), (3, 4)]
    tagged = TAGS.to_tags([Span(1, 3, "disease")], offsets, text)
    assert (tagged.tags, tagged.n_misaligned) == ((1, 0), 0)
    tagged = TAGS.to_tags([Span(1, 3, "disease")], [(0, 1), (1, 4)], text)
    assert (tagged.tags, tagged.n_misaligned) == ((0, 1), 0)
    assert TAGS.to_spans(tagged.tags, [(0, 1), (1, 4)], text) == [Span(1, 3, "disease")]


def test_windows_end_behind_lines_then_behind_sentences() -> None:
    text = "発熱。咳嗽。\n肺炎疑い。"
    offsets = [(i, i + 1) for i in range(len(text))]
    assert windows(text, offsets, 9) == [(0, 7), (7, 12)]
    assert windows(text, offsets, 5) == [(0, 3), (3, 7), (7, 12)]


@given(st.text(alphabet="あ。\n𠮷", max_size=60), st.integers(4, 9))
def test_windows_and_blocks_cover_everything_once(text: str, size: int) -> None:
    offsets = [(i, i + 1) for i, c in enumerate(text) for _ in range(4 if c == "𠮷" else 1)]
    cuts = windows(text, offsets, size)
    assert [i for first, last in cuts for i in range(first, last)] == list(range(len(offsets)))
    assert all(0 < last - first <= size for first, last in cuts)
    assert all(first == 0 or offsets[first][0] != offsets[first - 1][0] for first, _ in cuts)
    assert "".join(text[start:end] for start, end in blocks(text, size)) == text


@given(st.data())
def test_no_span_of_a_long_text_is_lost_or_doubled(
    tokenizer: Tokenizer, data: st.DataObject
) -> None:
    words = ["発熱", "。", "\n", "胃潰瘍", "あり"]
    pieces = data.draw(st.lists(st.sampled_from(words), max_size=150))
    text, spans = "", list[Span]()
    for piece in pieces:
        if piece in ("発熱", "胃潰瘍"):
            spans.append(Span(len(text), len(text) + len(piece), piece))
        text += piece
    found = windows_of(tokenizer, text, 31)
    assert all(len(window.tokens) <= 31 for window in found)
    seen = [
        (w, [s for s in spans if w.offsets[0][0] <= s.start and s.end <= w.offsets[-1][1]])
        for w in found
    ]
    assert join_spans(seen) == spans, "what windows see whole, the text has once"


def test_where_two_windows_disagree_the_one_with_more_context_is_right() -> None:
    offsets = tuple((n, n + 1) for n in range(12))
    left, right = Window((), offsets[:8], (0, 6)), Window((), offsets[4:], (6, 12))
    cut, whole = Span(5, 8, "disease"), Span(5, 9, "disease")
    assert join_spans([(left, [cut]), (right, [whole])]) == [whole]
    assert join_spans([(left, [Span(7, 8, "drug")]), (right, [])]) == [], "not its core"


@given(st.data())
def test_joined_spans_are_in_order_and_none_is_left_out_for_one_that_is_not_there(
    data: st.DataObject,
) -> None:
    offsets = tuple((n, n + 1) for n in range(30))
    views = [Window((), offsets[:14], (0, 10)), Window((), offsets[6:24], (10, 20))]
    views.append(Window((), offsets[16:], (20, 30)))
    found: list[tuple[Window, list[Span]]] = []
    for window in views:
        first, last = window.offsets[0][0], window.offsets[-1][1]
        edges = st.lists(st.integers(first, last), max_size=8, unique=True).map(sorted)
        places = data.draw(edges)
        pairs = zip(places[::2], places[1::2], strict=False)
        found.append((window, [Span(a, b, "disease") for a, b in pairs]))
    kept = join_spans(found)
    assert all(a.end <= b.start for a, b in itertools.pairwise(kept))
    for window, spans in found:
        for span in filter(window.answers_for, spans):
            assert any(span.start < one.end and one.start < span.end for one in kept)
