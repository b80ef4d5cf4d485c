"""A tokenizer of another project: `tokenizer.json` and its chat template, kept byte for byte."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from rinsho.corpus.document import Message
from rinsho.errors import InvalidValue, PathMissing, TemplateRefused, UnknownFormat
from rinsho.tokenizer.chat_template import ChatTemplate
from rinsho.tokenizer.tokenizer import CONFIG_FILE, FAST_FILE, Thinking, Tokenizer

TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json")
# Everything that transformers may read of a tokenizer; none of it is written by rinsho.
FOREIGN_FILES = (
    FAST_FILE, CONFIG_FILE, *TEMPLATE_FILES, "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "vocab.txt", "merges.txt", "tokenizer.model",
)  # fmt: skip
# How models end a document, where their `eos_token` ends a turn.
_DOCUMENT_ENDS = ("<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>")
_NAMES = ("bos_token", "eos_token", "pad_token", "unk_token")
_SWITCH = "enable_thinking"  # as Qwen, and most after it, name the template's variable
_PROBE = (Message("user", "a"), Message("assistant", "b"))


class ForeignTokenizer(Tokenizer):
    """The tokenizer of a Hugging Face folder; made by `read_tokenizer`.

    A document is the start (the end of the one before, where there is no start), its text, its end.
    A conversation is what the folder's chat template writes.

    Args:
        folder: With `tokenizer.json`, and the chat template in `tokenizer_config.json` or a file.

    Raises:
        PathMissing, UnknownFormat: There is no such file, or it is no tokenizer.
    """

    def __init__(self, folder: Path) -> None:
        import tokenizers

        path = folder / FAST_FILE
        if not path.is_file():
            raise PathMissing(where=f"{folder.name}/{FAST_FILE}")
        raw = path.read_bytes()
        try:
            self._fast: Any = tokenizers.Tokenizer.from_buffer(raw)
            self._plain: Any = tokenizers.Tokenizer.from_buffer(raw)
            written: dict[str, Any] = json.loads(raw)
            config = _read_json(folder / CONFIG_FILE)
        except Exception:  # the package has no class of its own for it
            where = f"{folder.name}/{FAST_FILE}"
            raise UnknownFormat(where=where, found="not a tokenizer", expected=FAST_FILE) from None
        for one in (self._fast, self._plain):
            one.no_truncation()
            one.no_padding()
        self._plain.encode_special_tokens = True  # no text encodes into a special token
        self._name = folder.name
        self._texts = {name: _content(config.get(name)) for name in _NAMES}
        self._read_vocabulary(written)
        self._read_template(folder, config)
        self.sha256 = hashlib.sha256(
            raw + b"\0" + self._template_text.encode() + json.dumps(self._texts).encode()
        ).hexdigest()

    def _read_vocabulary(self, written: dict[str, Any]) -> None:
        added: list[dict[str, Any]] = written.get("added_tokens") or []
        self._specials = {str(t["content"]): int(t["id"]) for t in added if t.get("special")}
        vocabulary: dict[str, int] = self._fast.get_vocab(with_added_tokens=True)
        self.vocab_size = 1 + max(vocabulary.values())
        self._pieces = dict(zip(vocabulary.values(), vocabulary.keys(), strict=True))
        is_byte_level = '"ByteLevel"' in json.dumps(
            [written.get("decoder"), written.get("pre_tokenizer")]
        )
        alphabet = _byte_alphabet() if is_byte_level else {}
        plain = {int(t["id"]): str(t["content"]) for t in added if not t.get("special")}
        self._bytes = [
            b""
            if (piece := self._pieces.get(id_, "")) in self._specials
            else plain[id_].encode()
            if id_ in plain
            else _piece_bytes(piece, alphabet)
            for id_ in range(self.vocab_size)
        ]
        self.n_bytes_per_token = np.array([len(b) for b in self._bytes], dtype=np.int64)
        eos = self._id_of_text(self._texts["eos_token"])
        ends = [self._specials[text] for text in _DOCUMENT_ENDS if text in self._specials]
        found = ends[0] if ends else eos
        if found is None:
            where = f"{self._name}/{CONFIG_FILE}"
            raise UnknownFormat(where=where, found="no eos_token", expected="the end of a text")
        self.eos_id = found
        bos = self._id_of_text(self._texts["bos_token"])
        pad = self._id_of_text(self._texts["pad_token"])
        unk = self._id_of_text(self._texts["unk_token"])
        self.bos_id = found if bos is None else bos
        self.pad_id = found if pad is None else pad
        self.unk_id = found if unk is None else unk
        self._end_of_turn_id = found if eos is None else eos  # until a template says better

    def _id_of_text(self, text: str | None) -> int | None:
        return None if text is None else cast("int | None", self._fast.token_to_id(text))

    def _read_template(self, folder: Path, config: dict[str, Any]) -> None:
        self._template_text, self._template = _template_text(folder, config), None
        self._knows_end = True
        if not self._template_text:
            return
        self._open_template({})

    def _open_template(self, settings: dict[str, bool]) -> None:
        variables = {name: text for name, text in self._texts.items() if text is not None}
        name = f"{self._name}, template"
        self._template = ChatTemplate(self._template_text, {**variables, **settings}, name)
        self._knows_end = False

    @property
    def has_chat_template(self) -> bool:
        """Tell whether conversations can be rendered."""
        return self._template is not None

    @property
    def thinking(self) -> Thinking:
        """Return whether the template belongs to a model that thinks before it answers."""
        if _SWITCH in self._template_text:
            return "switch"
        return "always" if "</think>" in self._template_text else "none"

    def switch_thinking(self, is_on: bool) -> None:
        """Set the template's switch of thinking.

        Raises:
            TemplateRefused: It has none.
        """
        if self.thinking != "switch":
            found = f"no {_SWITCH}"
            raise TemplateRefused(where=self._name, found=found, expected=f"{_SWITCH} in it")
        self._find_end()  # an empty thought before an answer is no part of the turns behind it
        self._open_template({_SWITCH: is_on})
        self._knows_end = True

    @property
    def end_of_turn_id(self) -> int:
        """Return the token that ends an answer: as the template has it, else the end of a text."""
        if not self._knows_end:
            try:
                self._find_end()
            except TemplateRefused:  # no conversation will be written with it; texts can be
                self._knows_end = True
        return self._end_of_turn_id

    # ---------------------------------------------------------------------------- text

    def fits(self, n_rows: int) -> bool:
        """Tell whether weights have a row for every token; many have some to spare."""
        return n_rows >= self.vocab_size

    def piece(self, token_id: int) -> str:
        """Return a token as the file has it."""
        return self._pieces.get(token_id, "")

    def token_bytes(self, token_id: int) -> bytes:
        """Return the UTF-8 bytes a token stands for; rows without a token stand for none."""
        return self._bytes[token_id] if token_id < self.vocab_size else b""

    def token_text(self, token_id: int) -> str:
        """Return a token as people read it: `<0xE3>` for a byte that is no character."""
        raw = self.token_bytes(token_id)
        if not raw:
            return self.piece(token_id)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return "".join(f"<0x{byte:02X}>" for byte in raw)

    def encode(self, text: str) -> list[int]:
        """Return the ids of plain text; `<s>` or `<|im_end|>` in it are characters like others."""
        return self._plain.encode(_readable(text), add_special_tokens=False).ids

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the ids of plain text and where each lies, in code points of `text`."""
        encoded = self._plain.encode(_readable(text), add_special_tokens=False)
        return encoded.ids, [(int(start), int(end)) for start, end in encoded.offsets]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of token ids: special tokens skipped, broken bytes as U+FFFD."""
        return b"".join(self.token_bytes(id_) for id_ in ids).decode("utf-8", "replace")

    def role_id(self, role: str) -> int:
        """Refuse: the template opens turns, not a token."""
        raise InvalidValue(where="role", found=role, expected="the chat template's way")

    # ------------------------------------------------------------------- conversations

    def render(
        self, messages: Sequence[Message], *, add_generation_prompt: bool = False
    ) -> list[int]:
        """Return the ids of what the chat template writes, as transformers does.

        Raises:
            TemplateRefused: There is no template, or it does not write these messages.
            InvalidValue: A message holds the text of a special token, which it would become.
        """
        self._find_end()
        return self._ids(self._text(messages, add_generation_prompt=add_generation_prompt))

    def render_learned(self, messages: Sequence[Message]) -> tuple[list[int], list[int]]:
        """Return ids and loss mask: 1 on each answer up to the token that ends it, 0 elsewhere.

        Where an answer lies is found by rendering what stands before it.

        Raises:
            TemplateRefused: What stands before an answer is written otherwise once it is there, or
                no special token ends it.
            InvalidValue: As in `render`.
        """
        self._find_end()
        ids = self._ids(self._text(messages))
        mask = [0] * len(ids)
        for number, message in enumerate(messages):
            if message.role == "assistant":
                start, end = self._answer(messages, number, ids)
                mask[start:end] = [1] * (end - start)
        return ids, mask

    def _answer(self, messages: Sequence[Message], number: int, ids: list[int]) -> tuple[int, int]:
        before = self._ids(self._text(messages[:number], add_generation_prompt=True))
        behind = self._ids(self._text(messages[: number + 1]))
        if ids[: len(before)] != before or ids[: len(behind)] != behind:
            raise TemplateRefused(
                where=f"{self._name}, turn {number + 1}",
                found="what stands before an answer changes once the answer is there",
                expected="the same text before it",
            )
        specials = set(self._specials.values())
        for place in range(len(before), len(behind)):
            if ids[place] in specials:
                return len(before), place + 1
        raise TemplateRefused(
            where=f"{self._name}, turn {number + 1}",
            found="no special token ends an answer",
            expected="an end of turn",
        )

    def _find_end(self) -> None:
        """Find which token ends a turn: the first special one behind an answer."""
        if self._template is None:
            expected = "chat_template in tokenizer_config.json"
            raise TemplateRefused(where=self._name, found="no chat template", expected=expected)
        if not self._knows_end:
            ids = self._ids(self._text(_PROBE))
            self._end_of_turn_id = ids[self._answer(_PROBE, 1, ids)[1] - 1]
            self._knows_end = True

    def _text(self, messages: Sequence[Message], *, add_generation_prompt: bool = False) -> str:
        assert self._template is not None
        for number, message in enumerate(messages, start=1):
            if any(text in message.content for text in self._specials):
                expected = "messages without special tokens"
                where = f"message {number}"
                raise InvalidValue(where=where, found="a special token's text", expected=expected)
        return self._template.render(messages, add_generation_prompt=add_generation_prompt)

    def _ids(self, text: str) -> list[int]:
        return self._fast.encode(text, add_special_tokens=False).ids


def _read_json(path: Path) -> dict[str, Any]:
    return cast(dict[str, Any], json.loads(path.read_bytes())) if path.is_file() else {}


def _content(token: Any) -> str | None:
    """Return the text of a token that a config writes as text or as a table."""
    if isinstance(token, dict):
        token = cast(dict[str, Any], token).get("content")
    return token if isinstance(token, str) and token else None


def _template_text(folder: Path, config: dict[str, Any]) -> str:
    for name in TEMPLATE_FILES:
        path = folder / name
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            return text if name.endswith("jinja") else str(json.loads(text)["chat_template"])
    found: Any = config.get("chat_template") or ""
    if isinstance(found, list):  # several, by name
        named = {str(one["name"]): str(one["template"]) for one in cast(list[Any], found)}
        return named.get("default", "")
    return str(found)


def _byte_alphabet() -> dict[str, int]:
    """Return the characters that stand for bytes in byte-level vocabularies (GPT-2's)."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(256 + n): b for n, b in enumerate(hidden)}


def _piece_bytes(piece: str, alphabet: dict[str, int]) -> bytes:
    if alphabet:
        if all(character in alphabet for character in piece):
            return bytes(alphabet[character] for character in piece)
        return piece.encode()
    if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
        return bytes([int(piece[3:5], 16)])
    return piece.replace("\u2581", " ").encode()


def _readable(text: str) -> str:
    return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
