"""The tokenizer: a SentencePiece Unigram model, its special tokens and its chat format.

A folder with `morphology.json` is cut by MeCab first, and pieces are looked for inside its words.

A document is `<s>` text `</s>`; a conversation is `<s>` and turns `<|role|>` content `<|end|>`.
Special tokens come from `render` and from the ids below alone: no text encodes into one.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from rinsho.corpus.document import Message
from rinsho.errors import InvalidValue, PathMissing, TemplateRefused, UnknownFormat
from rinsho.tokenizer.run_time import CUTS_FILE, PIECES_FILE, TERMS_FILE, Cuts, read_cuts

PAD, BOS, EOS, UNK = "<pad>", "<s>", "</s>", "<unk>"
END_OF_TURN = "<|end|>"
ROLES = ("system", "user", "assistant")
ROLE_TOKENS = {role: f"<|{role}|>" for role in ROLES}
SPECIAL_TOKENS = (PAD, BOS, EOS, UNK, *ROLE_TOKENS.values(), END_OF_TURN)

# Stages whose folders hold a tokenizer that encodes documents.
TOKENIZER_STAGES = (
    "train-tokenizer",
    "extend-tokenizer",
    "pretrain",
    "finetune",
    "extend-weights",
    "export",
)
MODEL_FILE = "tokenizer.model"
FAST_FILE, CONFIG_FILE = "tokenizer.json", "tokenizer_config.json"

# Of a chat template: its model never thinks, always, or as `enable_thinking` says.
Thinking = Literal["none", "switch", "always"]
_SPACE = "\u2581"  # how SentencePiece writes a space inside a piece
_MAX_REMEMBERED = 1 << 17  # words whose ids are kept; nearly all of a text are among the first


class Tokenizer:
    """Text to token ids and back; made by `read_tokenizer`.

    Attributes:
        vocab_size: Number of tokens, special ones included.
        pad_id, bos_id, unk_id: Padding, start of a document, unknown (never made: bytes instead).
        eos_id: End of a document.
        sha256: Hash of `tokenizer.model`, and of `morphology.json` where MeCab cuts first; travels
            with tokens and weights.
        n_bytes_per_token: UTF-8 bytes of text that a token stands for, int64, shape (vocab_size,);
            0 for special tokens.
    """

    def __init__(self, model: bytes, cuts: Cuts | None = None) -> None:
        self.sha256 = hashlib.sha256(model + (cuts.record if cuts else b"")).hexdigest()
        self._cuts = cuts
        self._remembered: dict[str, list[int]] = {}
        try:
            self._model = sentencepiece.SentencePieceProcessor(model_proto=model)
            self.vocab_size = int(self._model.vocab_size())
        except RuntimeError:
            raise UnknownFormat(
                where=MODEL_FILE, found="not a SentencePiece model", expected=MODEL_FILE
            ) from None
        self._special = {piece: self._id_of(piece) for piece in SPECIAL_TOKENS}
        self.pad_id, self.bos_id = self._special[PAD], self._special[BOS]
        self.eos_id, self.unk_id = self._special[EOS], self._special[UNK]
        self._bytes = [self._bytes_of(id_) for id_ in range(self.vocab_size)]
        self.n_bytes_per_token: NDArray[np.int64] = np.array(
            [len(b) for b in self._bytes], dtype=np.int64
        )

    def _id_of(self, piece: str) -> int:
        id_ = int(self._model.piece_to_id(piece))
        if self._model.id_to_piece(id_) != piece:
            raise UnknownFormat(
                where=MODEL_FILE, found=f"no {piece!r}", expected="a tokenizer that rinsho trained"
            )
        return id_

    def _bytes_of(self, id_: int) -> bytes:
        piece = str(self._model.id_to_piece(id_))
        if self._model.is_byte(id_):
            return bytes([int(piece[3:5], 16)])
        if id_ in self._special.values():
            return b""
        return piece.replace(_SPACE, " ").encode()

    @property
    def has_chat_template(self) -> bool:
        """Tell whether conversations can be rendered."""
        return True

    @property
    def thinking(self) -> Thinking:
        """Return whether the template belongs to a model that thinks before it answers."""
        return "none"

    def switch_thinking(self, is_on: bool) -> None:
        """Set the template's switch of thinking.

        Raises:
            TemplateRefused: It has none.
        """
        del is_on
        raise TemplateRefused(
            where="enable_thinking", found="no switch", expected="enable_thinking in it"
        )

    @property
    def end_of_turn_id(self) -> int:
        """Return the token that ends a message."""
        return self._special[END_OF_TURN]

    def fits(self, n_rows: int) -> bool:
        """Tell whether weights with so many rows of embeddings can be this tokenizer's."""
        return n_rows == self.vocab_size

    def token_bytes(self, token_id: int) -> bytes:
        """Return the UTF-8 bytes a token stands for, which may be part of a character."""
        return self._bytes[token_id]

    def piece(self, token_id: int) -> str:
        """Return a token as the model file has it, with U+2581 for a space."""
        return str(self._model.id_to_piece(token_id))

    def token_text(self, token_id: int) -> str:
        """Return a token as people read it: `<0xE3>` for a byte, `<s>` for a special token."""
        return self.piece(token_id).replace(_SPACE, " ")

    def encode(self, text: str) -> list[int]:
        """Return the ids of plain text; `<s>` or `<|end|>` in it are characters like any other.

        U+2581, which SentencePiece uses for the space, is read as an underscore; a lone surrogate
        as U+FFFD.
        """
        if self._cuts is None:
            return self._model.encode(_readable(text))
        ids: list[int] = []
        for part in self._cuts.parts(_readable(text)):
            ids += self._ids_of_word(part)
        return ids

    def _ids_of_word(self, word: str) -> list[int]:
        ids = self._remembered.get(word)
        if ids is None:
            ids = self._model.encode(word)
            if len(self._remembered) < _MAX_REMEMBERED:
                self._remembered[word] = ids
        return ids

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the ids of plain text and where each lies, in code points of `text`.

        The bytes of one character (𠮷, emoji) are several tokens with the same span.
        """
        ids = self.encode(text)
        written = _readable(text).replace(_SPACE, "_").encode()
        ends = np.cumsum(self.n_bytes_per_token[np.array(ids, dtype=np.int64)])
        is_lead = (np.frombuffer(written, dtype=np.uint8) & 0xC0) != 0x80
        character = np.cumsum(is_lead) - 1  # code point that each byte belongs to
        starts = np.concatenate([[0], ends[:-1]]) if ids else ends
        first, last = character[starts].tolist(), (character[ends - 1] + 1).tolist()
        return ids, list(zip(first, last, strict=True))

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of token ids: special tokens skipped, broken bytes as U+FFFD."""
        return b"".join(self._bytes[id_] for id_ in ids).decode("utf-8", "replace")

    def encode_document(self, text: str) -> list[int]:
        """Return `<s>`, the text's ids, `</s>`."""
        return [self.bos_id, *self.encode(text), self.eos_id]

    def role_id(self, role: str) -> int:
        """Return the token that opens a turn.

        Raises:
            InvalidValue: The role is none of system, user, assistant.
        """
        if role not in ROLE_TOKENS:
            raise InvalidValue(where="role", found="another role", expected=", ".join(ROLES))
        return self._special[ROLE_TOKENS[role]]

    def render(
        self, messages: Sequence[Message], *, add_generation_prompt: bool = False
    ) -> list[int]:
        """Return the ids of a conversation, in the format of the folder's chat template.

        Args:
            messages: The turns; what they say is plain text, whatever it looks like.
            add_generation_prompt: Whether to open the assistant's turn at the end.
        """
        ids = [self.bos_id]
        for message in messages:
            ids += [self.role_id(message.role), *self.encode(message.content), self.end_of_turn_id]
        return [*ids, self.role_id("assistant")] if add_generation_prompt else ids

    def render_learned(self, messages: Sequence[Message]) -> tuple[list[int], list[int]]:
        """Return the ids of a conversation and its loss mask: 1 on answers and their ends."""
        ids, mask = [self.bos_id], [0]
        for message in messages:
            content = [*self.encode(message.content), self.end_of_turn_id]
            ids += [self.role_id(message.role), *content]
            mask += [0] + [int(message.role == "assistant")] * len(content)
        return ids, mask


def read_tokenizer(folder: Path) -> Tokenizer:
    """Return the tokenizer of a tokenizer, tokens or weights folder, rinsho's or another's.

    Raises:
        PathMissing: The folder has no `tokenizer.model`.
        UnknownFormat: It is not one that rinsho trained.
        DictionaryMismatch, MissingDependency: As in `read_cuts`.
    """
    if is_foreign(folder):
        from rinsho.tokenizer.foreign import ForeignTokenizer

        return ForeignTokenizer(folder)
    path = folder / (PIECES_FILE if is_run_time(folder) else MODEL_FILE)
    if not path.is_file():
        raise PathMissing(where=f"{folder.name}/{path.name}")
    return Tokenizer(path.read_bytes(), read_cuts(folder))


def is_run_time(folder: Path) -> bool:
    """Return whether MeCab cuts before the tokenizer of this folder encodes."""
    return (folder / CUTS_FILE).is_file()


def is_foreign(folder: Path) -> bool:
    """Return whether the tokenizer of a folder is another project's."""
    if is_run_time(folder) or not (folder / FAST_FILE).is_file():
        return False
    if not ((folder / MODEL_FILE).is_file() and (folder / CONFIG_FILE).is_file()):
        return True
    # Ours names the tokens that open and end turns, and so does no other.
    text = (folder / CONFIG_FILE).read_text(encoding="utf-8")
    return not (END_OF_TURN in text and ROLE_TOKENS["system"] in text)


def tokenizer_files(folder: Path) -> tuple[str, ...]:
    """Return the names of the files that make up the tokenizer of a folder."""
    if is_run_time(folder):
        return (PIECES_FILE, CUTS_FILE, TERMS_FILE, CONFIG_FILE)
    if is_foreign(folder):
        from rinsho.tokenizer.foreign import FOREIGN_FILES

        return tuple(name for name in FOREIGN_FILES if (folder / name).is_file())
    return (MODEL_FILE, FAST_FILE, CONFIG_FILE)


def copy_tokenizer(source: Path, destination: Path) -> None:
    """Copy the tokenizer's files from one folder to another, byte for byte."""
    for name in tokenizer_files(source):
        if not (source / name).is_file():
            raise PathMissing(where=f"{source.name}/{name}")
        shutil.copyfile(source / name, destination / name)


def _readable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, out of JSON
        return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    return text
