"""Train a tokenizer: morphemes decide where pieces may lie, SentencePiece Unigram chooses them.

The analyser is needed here alone. What comes out is a plain SentencePiece model: it holds pieces
that were learned inside words, with no analyser to install where it is used.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import Field

from rinsho.console import progress, say
from rinsho.corpus.document import Document, read_documents
from rinsho.corpus.sample import highest_key, sample_key
from rinsho.corpus.splits import Split, split_of
from rinsho.errors import InvalidValue, NothingToRead
from rinsho.manifest import FinishedFolder, Manifest, OpenFolder, door, new_folder, open_folder
from rinsho.runfile import StageConfig
from rinsho.tokenizer.measure import measure
from rinsho.tokenizer.model_file import NORMAL, USER_DEFINED, Piece, rewrite_pieces
from rinsho.tokenizer.morphology import Morphology, new_morphology
from rinsho.tokenizer.terms import TermList, Terms, read_terms
from rinsho.tokenizer.tokenizer import (
    BOS,
    END_OF_TURN,
    EOS,
    MODEL_FILE,
    PAD,
    ROLE_TOKENS,
    UNK,
    Tokenizer,
)
from rinsho.tokenizer.tokenizer_json import tokenizer_config, tokenizer_json
from rinsho.tokenizer.word_table import add_terms, count_words, to_rows

# Signs of clinical text that may be too rare for a corpus to teach: values would break into bytes.
_REQUIRED = (
    "▁\t0123456789"  # SentencePiece writes a space as U+2581: text without one has no piece for it
    + "".join(map(chr, range(0x20 + 1, 0x7F)))
    + "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻₀₁₂₃₄₅₆₇₈₉"
    + "".join(map(chr, range(0x2460, 0x2474)))  # ①–⑳
    + "ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩⅰⅱⅲⅳⅴ"
    + "℃℉Å‰°′″㎎㎏㎍㎜㎝㎞㎡㎥㏄㎖ℓ㏗μµΩαβγδ±×÷≦≧≤≥≒≠→←↑↓↗↘⇒〜～・※○●◯△▲□■◎★☆♂♀"
)  # fmt: skip
_MAX_MEASURED_BYTES = 2_000_000  # enough for three digits of the crossing share
_SCORE_UNIT = 64  # see tokenizer_json: sums of multiples of 1/64 are exact in 32 bits


class TrainTokenizerConfig(StageConfig):
    """How a tokenizer is trained."""

    vocab_size: int = Field(4096, ge=700, le=1_000_000, description="tokens, special ones included")
    lexicons: tuple[TermList, ...] = Field((), description="term lists for the analyser")
    use_demo_lexicon: bool = Field(True, description="whether the analyser knows the embedded one")
    max_term_chars: int = Field(6, ge=0, description="terms up to this long are injected")
    term_count: int = Field(4, ge=0, description="how often each injected term is counted")
    max_piece_chars: int = Field(16, ge=1, le=48, description="characters in a piece")
    character_coverage: float = Field(
        0.9995, gt=0.9, le=1, description="share of characters with a piece; others are bytes"
    )
    max_documents: int | None = Field(None, gt=0, description="documents to learn from, at most")


@door
def train_tokenizer(
    config: TrainTokenizerConfig,
    *,
    documents: Sequence[Path],
    out: Path,
    data: Path | None = None,
    noncommercial: bool = False,
) -> Manifest:
    """Train on the train split of documents folders; write the model and what it measures.

    Raises:
        NothingToRead: There is no document in the train split.
        InvalidValue: The vocabulary is too small for the characters and the bytes.
    """
    folders = [open_folder(path, "collect", "synthesize") for path in documents]
    terms = read_terms(
        config.lexicons,
        data=data,
        noncommercial=noncommercial,
        with_demo=config.use_demo_lexicon,
    )
    inputs = {"documents": folders, "terms": terms.sha256}
    with new_folder(out, stage="train-tokenizer", config=config, inputs=inputs) as folder:
        folder.licenses.update(terms.licenses)
        folder.attributions.update(terms.attributions)
        morphology = new_morphology(terms.terms, folder.checkpoints)
        model = _train(config, folders, terms, morphology, folder)
        tokenizer = Tokenizer(model)
        folder.count(vocab_size=tokenizer.vocab_size)
        _tell_size(tokenizer.vocab_size, config.vocab_size)
        (folder.path / MODEL_FILE).write_bytes(model)
        (folder.path / "tokenizer.json").write_bytes(tokenizer_json(model))
        (folder.path / "tokenizer_config.json").write_bytes(tokenizer_config())
        say("検証用の文書で測っています", "measuring on held-out documents")
        measured = measure(tokenizer, _held_out_texts(folders), morphology, terms.terms)
        (folder.path / "measure.json").write_bytes(measured.to_json())
    assert folder.manifest is not None  # written on leaving `with`
    return folder.manifest


def _train(
    config: TrainTokenizerConfig,
    folders: Sequence[FinishedFolder],
    terms: Terms,
    morphology: Morphology,
    folder: OpenFolder,
) -> bytes:
    counts = count_words(_training_texts(config, folders, folder), morphology)
    if not counts:
        raise NothingToRead(where="documents", expected="documents of the train split")
    folder.count(words=counts.total(), distinct_words=len(counts), terms=len(terms.terms))
    counts = add_terms(
        counts, terms.terms, max_chars=config.max_term_chars, count=config.term_count
    )
    say(
        f"語彙を学習しています（異なり語 {len(counts):,}）",
        f"learning the vocabulary ({len(counts):,} distinct words)",
    )
    rules = folder.checkpoints / "rules.tsv"
    rules.write_text("2581\t5F\n")  # its own sign for the space is read as "_"; all else stays
    return rewrite_pieces(_train_unigram(config, to_rows(counts), rules), _settle)


def _training_texts(
    config: TrainTokenizerConfig, folders: Sequence[FinishedFolder], folder: OpenFolder
) -> Iterator[str]:
    highest = _highest_key(config, folders)
    n_documents, n_bytes = 0, 0
    with progress("単語を数えています", "counting words", None, "MB") as advance:
        for document in _documents(folders, "train"):
            if highest is None or sample_key(document) <= highest:
                n_documents, size = n_documents + 1, len(document.text.encode())
                n_bytes += size
                yield document.text
                advance(size / 1e6)
    folder.count(documents=n_documents, bytes=n_bytes)


def _documents(folders: Sequence[FinishedFolder], split: Split) -> Iterator[Document]:
    for folder in folders:
        yield from (d for d in read_documents(folder.path) if split_of(d) == split)


def _highest_key(config: TrainTokenizerConfig, folders: Sequence[FinishedFolder]) -> int | None:
    if config.max_documents is None:
        return None
    keys = [sample_key(document) for document in _documents(folders, "train")]
    return highest_key(keys, [1] * len(keys), config.max_documents)


def _train_unigram(config: TrainTokenizerConfig, rows: Sequence[str], rules: Path) -> bytes:
    import sentencepiece

    from rinsho.text.identifiers import PLACEHOLDERS

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(rows),
            input_format="tsv",
            model_writer=model,
            model_type="unigram",
            vocab_size=config.vocab_size,
            hard_vocab_limit=False,  # a small corpus gives a smaller vocabulary, not an error
            character_coverage=config.character_coverage,
            max_sentencepiece_length=config.max_piece_chars,
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
            where="vocab_size", found=config.vocab_size, expected="a larger vocabulary"
        ) from None
    return model.getvalue()


def _settle(piece: Piece) -> Piece:
    """Round a score, and make a user-defined piece an ordinary one that always wins.

    SentencePiece scores its user-defined pieces with a bonus of its own, `tokenizers` has none.
    Ours score 0, the best there is, and no other piece overlaps their brackets.
    """
    type_ = NORMAL if piece.type == USER_DEFINED else piece.type
    return Piece(piece.text, round(piece.score * _SCORE_UNIT) / _SCORE_UNIT, type_)


def _tell_size(found: int, asked: int) -> None:
    if found < asked:
        say(
            f"文書が少ないため、語彙は {asked:,} ではなく {found:,} になりました",
            f"there is little text: the vocabulary has {found:,} tokens instead of {asked:,}",
        )


def _held_out_texts(folders: Sequence[FinishedFolder]) -> Iterator[str]:
    """Yield texts of the validation split, a few from every source, up to a limit."""
    n_bytes = 0
    # Interleaved, so that the limit does not leave out the last folders.
    per_folder = [_documents([folder], "validation") for folder in folders]
    for document in (d for row in itertools.zip_longest(*per_folder) for d in row if d):
        n_bytes += len(document.text.encode())
        if n_bytes > _MAX_MEASURED_BYTES:
            return
        yield document.text
