"""The Unigram vocabulary: SentencePiece's trainer, its settings, and the scores it leaves."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from rinsho.errors import InvalidValue
from rinsho.tokenizer.model_file import NORMAL, USER_DEFINED, Piece, rewrite_pieces
from rinsho.tokenizer.tokenizer import BOS, END_OF_TURN, EOS, PAD, ROLE_TOKENS, UNK

# Signs of clinical text that may be too rare for a corpus to teach: values would break into bytes.
_REQUIRED = (
    "▁\t0123456789"  # SentencePiece writes a space as U+2581: text without one has no piece for it
    + "".join(map(chr, range(0x20 + 1, 0x7F)))
    + "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻₀₁₂₃₄₅₆₇₈₉"
    + "".join(map(chr, range(0x2460, 0x2474)))  # ①–⑳
    + "ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩⅰⅱⅲⅳⅴ"
    + "℃℉Å‰°′″㎎㎏㎍㎜㎝㎞㎡㎥㏄㎖ℓ㏗μµΩαβγδ±×÷≦≧≤≥≒≠→←↑↓↗↘⇒〜～・※○●◯△▲□■◎★☆♂♀"
)  # fmt: skip
SCORE_UNIT = 64  # see tokenizer_json: sums of multiples of 1/64 are exact in 32 bits


def train_unigram(
    rows: Sequence[str],
    folder: Path,
    *,
    vocab_size: int,
    max_piece_chars: int,
    character_coverage: float,
) -> bytes:
    """Return the model file of a Unigram vocabulary.

    Args:
        rows: "word, tab, count", as `to_rows` gives them.
        folder: For a file of rules that SentencePiece reads.
        vocab_size: Tokens, special ones included.
        max_piece_chars: Characters in a piece.
        character_coverage: Share of characters with a piece.

    Raises:
        InvalidValue: The vocabulary is too small for the characters and the bytes.
    """
    import sentencepiece

    from rinsho.text.identifier_kinds import PLACEHOLDERS

    rules = folder / "rules.tsv"
    rules.write_text("2581\t5F\n")  # its own sign for the space is read as "_"; all else stays

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(rows),
            input_format="tsv",
            model_writer=model,
            model_type="unigram",
            vocab_size=vocab_size,
            hard_vocab_limit=False,  # a small corpus gives a smaller vocabulary, not an error
            character_coverage=character_coverage,
            max_sentencepiece_length=max_piece_chars,
            normalization_rule_tsv=str(rules),
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            # Words are cut already; SentencePiece's own rules would cut them again.
            split_by_unicode_script=False,
            split_by_whitespace=False,
            split_by_number=False,
            split_digits=True,
            byte_fallback=True,
            allow_whitespace_only_pieces=True,
            required_chars=_REQUIRED,
            pad_id=0,
            bos_id=1,
            eos_id=2,
            unk_id=3,
            pad_piece=PAD,
            bos_piece=BOS,
            eos_piece=EOS,
            unk_piece=UNK,
            control_symbols=[*ROLE_TOKENS.values(), END_OF_TURN],
            user_defined_symbols=["\n", *PLACEHOLDERS.values()],
            num_threads=1,  # sums of floats depend on how they are split
            minloglevel=2,
        )
    except RuntimeError:
        raise InvalidValue(
            where="vocab_size", found=vocab_size, expected="a larger vocabulary"
        ) from None
    return rewrite_pieces(model.getvalue(), _settle)


def _settle(piece: Piece) -> Piece:
    """Round a score, and make a user-defined piece an ordinary one that always wins.

    SentencePiece scores its user-defined pieces with a bonus of its own, `tokenizers` has none.
    Ours score 0, the best there is, and no other piece overlaps their brackets.
    """
    type_ = NORMAL if piece.type == USER_DEFINED else piece.type
    return Piece(piece.text, round(piece.score * SCORE_UNIT) / SCORE_UNIT, type_)
