"""Constraints: whatever a model would rather write, the answer has the form that was asked for."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rinsho.errors import ConstraintRefused
from rinsho.generation.constraint import Constraint, choices, json_schema, quotes, regex
from rinsho.generation.decoder_model import DecoderModel
from rinsho.generation.language_model import Sampling
from rinsho.model.decoder import Decoder
from rinsho.tokenizer.tokenizer import Tokenizer

NOTE = '咳嗽と "発熱" で来院。\nCRP 3.2 mg/dL、𠮷田医院より紹介😀。'


@pytest.fixture(scope="module")
def model(decoder: Decoder, tokenizer: Tokenizer) -> DecoderModel:
    return DecoderModel(decoder, tokenizer, "tiny")


def answer(model: DecoderModel, constraint: Constraint, seed: int = 0, most: int = 80) -> str:
    sampling = Sampling(
        max_new_tokens=most, temperature=1.0, seed=seed, constraint=constraint
    )  # fmt: skip
    return model.tokenizer.decode(model.generate([1, 9], sampling))


@pytest.mark.parametrize("seed", range(5))
def test_one_of_the_choices_is_written_whole(model: DecoderModel, seed: int) -> None:
    offered = ["肺炎", "肺炎ではない", "判定できない😀", 'a"b\\c']
    assert answer(model, choices(offered), seed) in offered


@pytest.mark.parametrize("seed", range(5))
def test_a_regular_expression_matches_the_whole_answer(model: DecoderModel, seed: int) -> None:
    assert re.fullmatch(r"[0-9]{2}\.[0-9]mg", answer(model, regex(r"[0-9]{2}\.[0-9]mg"), seed))


@pytest.mark.parametrize("seed", range(5))
def test_a_schema_gives_json_of_its_form(model: DecoderModel, seed: int) -> None:
    schema = {
        "type": "object",
        "properties": {"有無": {"enum": ["あり", "なし"]}, "n": {"type": "integer", "maximum": 9}},
        "required": ["有無", "n"],
        "additionalProperties": False,
    }
    written = json.loads(answer(model, json_schema(schema), seed))
    assert written["有無"] in ("あり", "なし")
    assert isinstance(written["n"], int)


@pytest.mark.parametrize("seed", range(8))
def test_quotes_stand_in_the_note(model: DecoderModel, seed: int) -> None:
    found = json.loads(answer(model, quotes(NOTE, max_items=3), seed, most=94))
    assert len(found) <= 3
    assert all(one in NOTE for one in found)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(note=st.text(min_size=1, max_size=20), seed=st.integers(0, 9))
def test_quotes_of_any_text_stand_in_it(model: DecoderModel, note: str, seed: int) -> None:
    written = answer(model, quotes(note, max_items=2), seed, most=94)
    if written.endswith("]"):  # the longest answers end with the context
        whole = note.encode("utf-8", "replace").decode()
        assert all(one in whole for one in json.loads(written))


def test_an_empty_text_has_no_quotes(model: DecoderModel) -> None:
    assert answer(model, quotes("")) == "[]"


def test_alternatives_are_told_before_the_constraint(model: DecoderModel) -> None:
    sampling = Sampling(max_new_tokens=8, n_logprobs=3, constraint=choices(["肺炎"]))
    tokens = list(model.generate([1, 9], sampling))
    assert model.tokenizer.decode(tokens) == "肺炎"
    for token in tokens:
        values = [value for _, value in token.top]  # type: ignore[attr-defined]
        assert values == sorted(values, reverse=True)
        assert len(values) == 3
        assert token.log_probability <= values[0] <= 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "make",
    [
        lambda: json_schema({"type": "秘密の型"}),
        lambda: json_schema({"type": "string", "minLength": 5, "maxLength": 2}),
        lambda: regex("("),
        lambda: choices([]),
        lambda: choices(["a", ""]),
        lambda: quotes("あ" * 1_000_000),
    ],
)
def test_what_cannot_be_met_is_refused_without_its_words(make: object) -> None:
    with pytest.raises(ConstraintRefused) as caught:
        make()  # type: ignore[operator]
    assert "秘密" not in str(caught.value)
