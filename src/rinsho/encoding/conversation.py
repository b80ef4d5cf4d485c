"""Token ids of texts and conversations, with the mask that says what is learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rinsho.corpus.document import Document, Message
from rinsho.tokenizer.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids, which of them count as labels, and the bytes those stand for."""

    tokens: list[int]
    loss_mask: list[int]  # 1 where the token, as a label, counts in the loss
    n_bytes: int  # UTF-8 bytes of text under the mask

    @property
    def n_learned(self) -> int:
        """Return the number of tokens that the loss counts."""
        return sum(self.loss_mask)


def encode_text(tokenizer: Tokenizer, text: str) -> Encoded:
    """Encode a document: everything is learned, its end too; its start is given."""
    tokens = tokenizer.encode_document(text)
    return _with_bytes(tokenizer, tokens, [0] + [1] * (len(tokens) - 1))


def encode_conversation(tokenizer: Tokenizer, messages: Sequence[Message]) -> Encoded:
    """Encode a conversation: the assistant's answers and their ends are learned, nothing else."""
    return _with_bytes(tokenizer, *tokenizer.render_learned(messages))


def encode_either(tokenizer: Tokenizer, document: Document) -> Encoded:
    """Encode a document as the conversation or the text that it is."""
    if document.messages is None:
        return encode_text(tokenizer, document.text)
    return encode_conversation(tokenizer, document.messages)


def _with_bytes(tokenizer: Tokenizer, tokens: list[int], loss_mask: list[int]) -> Encoded:
    per_token = tokenizer.n_bytes_per_token
    n_bytes = sum(int(per_token[t]) for t, m in zip(tokens, loss_mask, strict=True) if m)
    return Encoded(tokens, loss_mask, n_bytes)
