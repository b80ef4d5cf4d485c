"""Generating from files: the same text as the model's own tokens, whatever the form."""

from __future__ import annotations

import json

import pytest

from rinsho.clinical.generate import Prompting, generate_notes, generate_pieces, to_json_line
from rinsho.clinical.notes import Note
from rinsho.corpus.document import Message
from rinsho.errors import SequenceTooLong
from rinsho.generation.language_model import LanguageModel, Sampling

SAMPLING = Sampling(max_new_tokens=12, temperature=1.0, seed=3)


def test_a_chat_is_rendered_with_its_system_message(language_model: LanguageModel) -> None:
    prompting = Prompting(system="短く", sampling=SAMPLING)
    (result,) = generate_notes(language_model, [Note("a", "発熱？")], prompting)
    messages = [Message("system", "短く"), Message("user", "発熱?")]  # normalized
    prompt = language_model.tokenizer.render(messages, add_generation_prompt=True)
    ids = list(language_model.generate(prompt, SAMPLING))
    assert result.output == language_model.tokenizer.decode(ids)
    assert (result.n_prompt_tokens, result.n_new_tokens) == (len(prompt), len(ids))
    assert result.finish_reason == ("length" if len(ids) == 12 else "stop")


def test_a_plain_text_is_continued_behind_the_start_of_a_document(
    language_model: LanguageModel,
) -> None:
    tokenizer = language_model.tokenizer
    pieces = list(generate_pieces(language_model, "発熱", Prompting("text", sampling=SAMPLING)))
    ids = list(language_model.generate([tokenizer.bos_id, *tokenizer.encode("発熱")], SAMPLING))
    assert "".join(piece.text for piece in pieces) == tokenizer.decode(ids)
    assert pieces[0].n_new_tokens == 0


def test_an_answer_ends_at_the_context_and_says_so(language_model: LanguageModel) -> None:
    prompting = Prompting(sampling=Sampling(max_new_tokens=10_000, temperature=2.0, seed=1))
    (result,) = generate_notes(language_model, [Note("a", "発熱")], prompting)
    n_tokens = result.n_prompt_tokens + result.n_new_tokens
    assert (result.finish_reason == "length") == (n_tokens == language_model.context_length)


def test_a_prompt_over_the_context_is_refused(language_model: LanguageModel) -> None:
    with pytest.raises(SequenceTooLong):
        list(generate_notes(language_model, [Note("a", "発熱と" * 100)], Prompting()))


def test_a_line_of_the_output_is_json(language_model: LanguageModel) -> None:
    notes = [Note("a", "発熱"), Note("b", "咳嗽")]
    results = generate_notes(language_model, notes, Prompting(sampling=SAMPLING))
    lines = [json.loads(to_json_line(result)) for result in results]
    assert [line["id"] for line in lines] == ["a", "b"]
