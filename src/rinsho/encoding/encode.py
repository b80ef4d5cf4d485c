"""Encode documents or conversations into memory-mapped token shards."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import Literal

from pydantic import Field

from rinsho.console import progress
from rinsho.corpus.document import Document, read_documents
from rinsho.corpus.licenses import check_folders, license_name
from rinsho.corpus.sample import highest_key, sample_key
from rinsho.corpus.splits import SPLITS, split_of
from rinsho.encoding.conversation import Encoded, encode_either
from rinsho.encoding.conversation_files import (
    ConversationFile,
    FoundFile,
    find_files,
    hash_files,
    read_conversations,
)
from rinsho.encoding.token_shard import TokenDocument, TokenWriter
from rinsho.errors import InvalidValue, MissingInput, NothingToRead
from rinsho.manifest import FinishedFolder, Manifest, door, new_folder, open_folder
from rinsho.runfile import StageConfig
from rinsho.tokenizer.opening import open_tokenizer
from rinsho.tokenizer.tokenizer import Tokenizer, copy_tokenizer, read_tokenizer

_MAX_KEY = 2**63 - 1


class EncodeConfig(StageConfig):
    """What is encoded."""

    what: Literal["text", "conversations"] = Field(
        "text", description="documents without turns, or those with turns"
    )
    include_sources: tuple[str, ...] = Field((), description="sources to take; empty: every one")
    exclude_sources: tuple[str, ...] = Field((), description="sources to leave out")
    repeats: dict[str, int] = Field(
        {}, description="times that a source stands in the train split, 1 where left out"
    )
    max_documents: int | None = Field(None, gt=0, description="documents, at most")
    max_tokens: int | None = Field(None, gt=0, description="tokens, at most, repeats included")
    files: tuple[ConversationFile, ...] = Field(
        (),
        description="files of conversations: Alpaca, messages or ShareGPT, questions",
        exclude_if=lambda files: not files,  # folders of before this key keep their identity
    )
    max_document_tokens: int | None = Field(
        None,
        gt=1,
        description="longer documents are left out and counted: the context of the model",
        exclude_if=lambda limit: limit is None,
    )
    allow_licenses: tuple[str, ...] = Field(
        (),
        description="licenses that you may use, where rinsho refuses or does not know them",
        exclude_if=lambda names: not names,  # folders of before this key keep their identity
    )

    def takes(self, document: Document) -> bool:
        """Return whether the document is of the kind and of a source that is asked for."""
        is_conversation = document.messages is not None
        return (
            is_conversation == (self.what == "conversations")
            and (not self.include_sources or document.source in self.include_sources)
            and document.source not in self.exclude_sources
        )

    def n_repeats(self, document: Document) -> int:
        """Return how often a document is written; held-out ones once."""
        return self.repeats.get(document.source, 1) if split_of(document) == "train" else 1


@dataclass(frozen=True, slots=True)
class Shown:
    """A document as a model will see it: tokens, and whether each counts in the loss."""

    id: str
    tokens: tuple[tuple[str, bool], ...]

    def __str__(self) -> str:
        """Return the tokens separated by bars; what is learned stands between ⟦ and ⟧."""
        runs = [
            (is_learned, "|".join(text for text, _ in run))
            for is_learned, run in groupby(self.tokens, key=lambda token: token[1])
        ]
        shown = "".join(f"⟦{run}⟧" if is_learned else run for is_learned, run in runs)
        n_learned = sum(is_learned for _, is_learned in self.tokens)
        return f"{self.id} ({n_learned} of {len(self.tokens)} tokens learned)\n{shown}\n"


@dataclass(frozen=True, slots=True)
class _Texts:
    """Where the documents of a run come from: folders, and files of conversations."""

    folders: Sequence[FinishedFolder]
    files: Sequence[FoundFile]

    def __iter__(self) -> Iterator[Document]:
        return self.read(Counter())

    def read(self, left_out: Counter[str]) -> Iterator[Document]:
        """Yield every document; count what a file holds and is none."""
        for folder in self.folders:
            yield from read_documents(folder.path)
        yield from read_conversations(self.files, left_out)


@door
def encode(
    config: EncodeConfig,
    *,
    documents: Sequence[Path] = (),
    tokenizer: Path,
    out: Path,
    data: Path | None = None,
    noncommercial: bool = False,
) -> Manifest:
    """Write token shards for every split, and the tokenizer beside them.

    Args:
        config: `[encode]` of the run file.
        documents: Finished folders of documents.
        tokenizer: A finished folder that has a tokenizer, a Hugging Face folder, or a hub id in the
            local cache.
        out: The tokens folder to make.
        data: The data folder, below which `files` may lie.
        noncommercial: Whether non-commercial licenses may be used.

    Raises:
        LicenseRefused: A folder or file holds, or was made from, what the run may not use.
        NothingToRead: No document is of the kind that the config asks for.
        MissingInput: There are neither folders nor files.
        BrokenRecord, NotText, PathMissing: As `read_conversations` and `find_files`.
        TemplateRefused: The tokenizer's chat template cannot write a conversation.
    """
    texts = _open_texts(config, documents, data, noncommercial=noncommercial)
    opened = open_tokenizer(tokenizer)
    check_folders(opened.finished, config.allow_licenses, noncommercial=noncommercial)
    inputs = {
        "documents": texts.folders,
        "tokenizer": opened.source,
        **({"files": hash_files(texts.files)} if texts.files else {}),
    }
    is_private = any(file.is_private for file in config.files)
    with new_folder(
        out, stage="encode", config=config, inputs=inputs, is_private=is_private
    ) as folder:
        folder.licenses.update(license_name(file.license) for file in config.files)
        folder.attributions.update(file.attribution for file in config.files if file.attribution)
        copy_tokenizer(opened.path, folder.path)
        used = read_tokenizer(folder.path)
        with TokenWriter(folder.path, used.vocab_size) as writer:
            counts = _write(config, texts, used, writer)
        if counts.is_empty:
            raise _nothing(config, counts)
        folder.count(splits=counts.splits, sources=counts.sources, left_out=counts.left_out)
        folder.count(vocab_size=used.vocab_size, tokenizer_sha256=used.sha256)
    assert folder.manifest is not None  # written on leaving `with`
    return folder.manifest


def show_encode(
    config: EncodeConfig,
    n: int,
    *,
    documents: Sequence[Path] = (),
    tokenizer: Path,
    data: Path | None = None,
    noncommercial: bool = False,
) -> Iterator[Shown]:
    """Yield the first `n` documents that `encode` would read, token by token."""
    texts = _open_texts(config, documents, data, noncommercial=noncommercial)
    used = read_tokenizer(open_tokenizer(tokenizer).path)
    for document in islice(_taken(config, texts), n):
        encoded = encode_either(used, document)
        pairs = zip(encoded.tokens, encoded.loss_mask, strict=True)
        yield Shown(document.id, tuple((used.token_text(t), bool(m)) for t, m in pairs))


def _open_texts(
    config: EncodeConfig, documents: Sequence[Path], data: Path | None, *, noncommercial: bool
) -> _Texts:
    terms = {"noncommercial": noncommercial}
    files = find_files(config.files, data, config.allow_licenses, **terms)
    if config.files and config.what != "conversations":
        where, expected = "[encode] what", 'what = "conversations" for files'
        raise InvalidValue(where=where, found=config.what, expected=expected)
    if not documents and not files:
        raise MissingInput(where="rinsho encode", expected="documents")
    folders = [open_folder(path, "collect", "synthesize") for path in documents]
    check_folders(folders, config.allow_licenses, **terms)
    return _Texts(folders, files)


def _nothing(config: EncodeConfig, counts: _Counts) -> NothingToRead:
    """Return the error of a run without a document, with what was left out and why."""
    reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(counts.left_out.items()))
    expected = f'documents for what = "{config.what}"'
    return NothingToRead(where="documents" + f" ({reasons})" * bool(reasons), expected=expected)


def _taken(
    config: EncodeConfig, texts: _Texts, left_out: Counter[str] | None = None
) -> Iterator[Document]:
    read = iter(texts) if left_out is None else texts.read(left_out)
    yield from (document for document in read if config.takes(document))


def _zeros() -> Counter[str]:
    return Counter(documents=0, tokens=0, learned_tokens=0, bytes=0)


@dataclass(slots=True)
class _Counts:
    """Documents, tokens and bytes by split and by source, and what was left out."""

    splits: dict[str, Counter[str]] = field(
        default_factory=lambda: {split: _zeros() for split in SPLITS}
    )
    sources: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    left_out: Counter[str] = field(default_factory=Counter[str])

    def add(self, split: str, source: str, encoded: Encoded) -> None:
        for counts in (self.splits[split], self.sources.setdefault(source, _zeros())):
            counts["documents"] += 1
            counts["tokens"] += len(encoded.tokens)
            counts["learned_tokens"] += encoded.n_learned
            counts["bytes"] += encoded.n_bytes

    @property
    def is_empty(self) -> bool:
        return not self.sources


def _write(
    config: EncodeConfig, texts: _Texts, tokenizer: Tokenizer, writer: TokenWriter
) -> _Counts:
    """Encode document by document; memory holds one, and a line about each."""
    highest = _highest_key(config, texts, tokenizer)
    counts = _Counts()
    with progress("符号化しています", "encoding", None, "MB") as advance:
        for document in _taken(config, texts, counts.left_out):
            advance(len(document.text.encode()) / 1e6)
            if sample_key(document) > highest:
                counts.left_out["limit"] += 1
                continue
            encoded = encode_either(tokenizer, document)
            if not encoded.n_learned:
                counts.left_out["no answer to learn"] += 1
                continue
            if len(encoded.tokens) > (config.max_document_tokens or len(encoded.tokens)):
                counts.left_out["too long"] += 1
                continue
            for _ in range(config.n_repeats(document)):
                writer.write(_token_document(document, encoded))
                counts.add(split_of(document), document.source, encoded)
    return counts


def _token_document(document: Document, encoded: Encoded) -> TokenDocument:
    return TokenDocument(
        id=document.id,
        source=document.source,
        group=document.group,
        split=split_of(document),
        tokens=encoded.tokens,
        loss_mask=encoded.loss_mask,
        n_bytes=encoded.n_bytes,
    )


def _highest_key(config: EncodeConfig, texts: _Texts, tokenizer: Tokenizer) -> int:
    """Return the sample key up to which both limits hold; each limit costs a pass of its own."""
    highest = _MAX_KEY
    if config.max_documents is not None:
        keys = array("q", (sample_key(d) for d in _taken(config, texts)))
        highest = highest_key(keys, [1] * len(keys), config.max_documents)
    if config.max_tokens is not None:
        keys, sizes = array("q"), array("q")
        for document in _taken(config, texts):
            if (key := sample_key(document)) <= highest:
                n_tokens = len(encode_either(tokenizer, document).tokens)
                keys.append(key)
                sizes.append(n_tokens * config.n_repeats(document))
        highest = min(highest, highest_key(keys, sizes, config.max_tokens))
    return highest
