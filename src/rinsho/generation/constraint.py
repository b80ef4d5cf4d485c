"""What an answer may be: a JSON schema, a choice, a regular expression, or quotes of a text.

The work is llguidance's (Earley parsing over a trie of the vocabulary, some 40 microseconds a
token); here its grammars are built, bounded and checked, and its masks put over our logits.
"""

# V vocabulary

from __future__ import annotations

import json
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from rinsho.errors import ConstraintRefused
from rinsho.model.kernels import mask_logits
from rinsho.tokenizer.tokenizer import Tokenizer

MAX_GRAMMAR_CHARACTERS = 2_000_000  # a note of 100,000 characters to quote from is as long
_SPECIAL = b"\xff"  # llguidance: tokens that begin so are no text
_ONE_LINE: Any = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
# Pieces that llguidance judges at once, where all of them are allowed, and not one by one: a wide
# class of kana and kanji takes 51 and not 429 microseconds a token.
_JAPANESE = "[ぁ-んァ-ヶ一-龠]{1,16}"
_vocabularies: weakref.WeakKeyDictionary[Tokenizer, Any] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Constraint:
    """A grammar in llguidance's form; the functions below make it."""

    grammar: str


def json_schema(schema: Mapping[str, Any]) -> Constraint:
    """Allow what a JSON schema allows; `{"type": "object"}` allows any object.

    Written on one line, as `json.dumps` does: a small model would fill its answer with blanks.

    Raises:
        ConstraintRefused: The schema is wrong, cannot be met, or is too large.
    """
    from llguidance import LLMatcher

    return _checked(
        LLMatcher.grammar_from_json_schema(dict(schema), overrides=_ONE_LINE), "json_schema"
    )


def choices(texts: Sequence[str]) -> Constraint:
    """Allow one of some texts, and nothing else.

    Raises:
        ConstraintRefused: There is none, or one is empty.
    """
    if not texts or not all(texts):
        raise ConstraintRefused(where="choices", found="an empty choice")
    from llguidance import LLMatcher

    quoted = (json.dumps(text, ensure_ascii=False) for text in texts)
    return _checked(LLMatcher.grammar_from_lark(f"start: {' | '.join(quoted)}"), "choices")


def regex(pattern: str) -> Constraint:
    """Allow what a regular expression matches as a whole (Rust's syntax, without look-around).

    Raises:
        ConstraintRefused: It is no such expression, or too large.
    """
    from llguidance import LLMatcher

    return _checked(LLMatcher.grammar_from_regex(pattern), "regex")


def quotes(text: str, max_items: int = 100) -> Constraint:
    """Allow a JSON list of strings that occur in a text, so that nothing can be made up.

    Args:
        text: What may be quoted, character for character; an empty one allows the empty list.
        max_items: The longest list.

    Raises:
        ConstraintRefused: The text is too long.
    """
    from llguidance import LLMatcher

    if not text:
        return _checked(LLMatcher.grammar_from_lark('start: "[]"'), "quotes")
    # Chunks, not one string: an escaped character (a line end is \n in JSON) is quoted whole.
    chunks = [json.dumps(character, ensure_ascii=False)[1:-1] for character in text]
    chunk = json.dumps({"substring_chunks": chunks}, ensure_ascii=False)
    grammar = (
        f'start: "[" (item (", " item){{0,{max_items - 1}}})? "]"\n'
        f'item: "\\"" QUOTE "\\""\nQUOTE: %regex {chunk}\n'
    )
    return _checked(LLMatcher.grammar_from_lark(grammar), "quotes")


def _checked(grammar: str, where: str) -> Constraint:
    from llguidance import LLMatcher

    if len(grammar) > MAX_GRAMMAR_CHARACTERS:
        found, most = f"{len(grammar):,} characters", f"{MAX_GRAMMAR_CHARACTERS:,}"
        raise ConstraintRefused(where=where, found=found, expected=f"at most {most}")
    if (error := LLMatcher.validate_grammar(grammar)) and not error.startswith("WARNING"):
        raise ConstraintRefused(where=where, found=_first_words(error))
    return Constraint(grammar)


def _first_words(error: str) -> str:
    """Return what is wrong, without the rest of the schema, which may hold clinical words."""
    return error.splitlines()[0].partition(":")[0][:80]


class ConstrainedChoice:
    """Follows one answer: which tokens may come next, and when nothing may any more."""

    def __init__(self, constraint: Constraint, tokenizer: Tokenizer) -> None:
        from llguidance import LLMatcher

        self._vocab_size = tokenizer.vocab_size
        self._matcher = LLMatcher(_vocabulary(tokenizer), constraint.grammar)
        if self._matcher.is_error():
            raise ConstraintRefused(where="grammar", found=_first_words(self._matcher.get_error()))

    def mask(self, logits_V: Tensor) -> Tensor:
        """Return the logits with minus infinity on what may not come next.

        Raises:
            ConstraintRefused: The grammar became too complex on the way.
        """
        bits = self._matcher.compute_bitmask()
        if self._matcher.is_error():
            found = _first_words(self._matcher.get_error())
            raise ConstraintRefused(where="grammar", found=found)
        return mask_logits(logits_V, bits, self._vocab_size)

    def accept(self, token_id: int) -> None:
        """Go on behind a token that was allowed."""
        self._matcher.consume_token(token_id)

    @property
    def is_finished(self) -> bool:
        """Return whether nothing may follow."""
        return self._matcher.is_stopped()


class _Vocabulary:
    """A tokenizer as llguidance reads it."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.eos_token_id, self.bos_token_id = tokenizer.eos_id, tokenizer.bos_id
        raw = [tokenizer.token_bytes(id_) for id_ in range(tokenizer.vocab_size)]
        self.tokens = [one or _SPECIAL + b"%d" % id_ for id_, one in enumerate(raw)]
        self.special_token_ids = [id_ for id_, one in enumerate(raw) if not one]

    def __call__(self, text: str | bytes) -> list[int]:
        written = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        return self._tokenizer.encode(written)


def _vocabulary(tokenizer: Tokenizer) -> Any:
    """Return llguidance's form of a tokenizer; made once (0.1 s at 32,768 pieces)."""
    if tokenizer not in _vocabularies:
        from llguidance import LLTokenizer, TokenizerWrapper

        ends = list(dict.fromkeys((tokenizer.end_of_turn_id, tokenizer.eos_id)))
        wrapped = TokenizerWrapper(_Vocabulary(tokenizer))
        slices = [_JAPANESE, *LLTokenizer.general_slices()]
        _vocabularies[tokenizer] = LLTokenizer(wrapped, eos_token=ends, slices=slices)
    return _vocabularies[tokenizer]
