"""Files of tuning data: found, read record by record, and made into documents with messages."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import Field

from rinsho.corpus.document import Document, Message
from rinsho.corpus.keys import keyed_hash, read_key
from rinsho.corpus.licenses import is_allowed, license_name
from rinsho.corpus.sources import joined, locate
from rinsho.encoding.conversation_formats import (
    FORMS,
    Format,
    LeftOut,
    Turns,
    format_of,
    from_alpaca,
    from_messages,
    from_question,
)
from rinsho.errors import BrokenRecord, LicenseRefused, NothingToRead, NotText
from rinsho.manifest import hash_file
from rinsho.runfile import StageConfig
from rinsho.text.normalize import normalize

_OTHER_LANGUAGE = "another language"


class ConversationFile(StageConfig):
    """One `[[encode.files]]` table: JSON lines or one JSON list, plain or gzip, UTF-8."""

    path: str = Field(description="a file or a glob, below --data or anywhere")
    format: Format | Literal["auto"] = Field(
        "auto", description="alpaca, messages (ShareGPT too) or questions; auto: by its keys"
    )
    license: str = Field(description="SPDX identifier, or the name of the terms of use")
    name: str = Field("", description="what the source is called; the file's name when left out")
    attribution: str = Field("", description="whom to name, as the license asks")
    is_private: bool = Field(False, description="patients' text: the result gets mode 0700")
    language: Literal["ja", "en", "both"] = Field(
        "both", description="questions: those in Japanese, in English, or all"
    )
    explains: bool = Field(
        False, description="questions: the explanation is learned behind the letter"
    )
    skip_broken: bool = Field(
        False,
        description="count records that cannot be read and go on; else the first ends it",
    )


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file of a table.

    Attributes:
        config: Its table.
        path: Where it lies.
        place: How errors name it: by its name, by numbers where it is private.
        stem: How ids name it, likewise.
    """

    config: ConversationFile
    path: Path
    place: str
    stem: str

    @property
    def source(self) -> str:
        """Return what its documents' source is called."""
        return self.config.name or self.stem

    def id_of(self, line: int, end: str) -> str:
        """Return the id of a record: source, file where the source may have several, line."""
        parts = (self.config.name, self.stem, f"{line}{end}")
        return "/".join(part for part in parts if part)


def find_files(
    files: Sequence[ConversationFile],
    data: Path | None,
    allow_licenses: Sequence[str],
    *,
    noncommercial: bool,
) -> list[FoundFile]:
    """Return every file, in the order of the tables and sorted within each.

    Raises:
        LicenseRefused: A file is under terms that the run may not use.
        PathMissing, DataFolderMissing: Nothing lies at a path.
    """
    found: list[FoundFile] = []
    for number, one in enumerate(files):
        name = license_name(one.license)
        if not is_allowed(name, allow_licenses, noncommercial=noncommercial):
            raise LicenseRefused(where=f"files[{number}]", found=name[:60])
        for place, path in enumerate(locate(one.path, data)):
            names = (path.name, path.name.partition(".")[0])
            if one.is_private:
                names = (f"files[{number}], file {place + 1}", f"{number}-{place + 1}")
            found.append(FoundFile(one, path, *names))
    return found


def hash_files(files: Sequence[FoundFile]) -> str:
    """Return one hash for all files: what a manifest chains."""
    hashes = "\n".join(hash_file(file.path).sha256 for file in files)
    return hashlib.sha256(hashes.encode()).hexdigest()


def read_conversations(
    files: Sequence[FoundFile], left_out: Counter[str] | None = None
) -> Iterator[Document]:
    """Yield every conversation, normalized, in the order of the files.

    What one record says in two languages has one group, so that no split lies between them.

    Args:
        files: From `find_files`.
        left_out: Counts by reason what is no error and yet nothing to learn.

    Raises:
        BrokenRecord: With file, line and the form that was expected; the text is not quoted.
        NotText, NothingToRead: A file is not UTF-8, or holds no record.
    """
    counts = Counter[str]() if left_out is None else left_out
    for file in files:
        is_empty = True
        for line, record in read_records(file):
            is_empty = False
            try:
                turns = _to_turns(file, line, record)
            except BrokenRecord:
                if not file.config.skip_broken:
                    raise
                counts["broken"] += 1
                continue
            for one in turns:
                if isinstance(one, LeftOut):
                    counts[one.reason] += 1
                elif file.config.language not in (one.language or file.config.language, "both"):
                    counts[_OTHER_LANGUAGE] += 1
                else:
                    yield _to_document(file, line, record, one)
        if is_empty:
            raise NothingToRead(where=file.place, expected="a record")


def read_records(file: FoundFile) -> Iterator[tuple[int, Any]]:
    """Yield (line, value) of a file of JSON lines, or of the members of one JSON list.

    A line that is no JSON yields None; `_to_turns` refuses it.
    """
    raw = file.path.read_bytes()
    try:
        text = (gzip.decompress(raw) if file.path.suffix == ".gz" else raw).decode("utf-8-sig")
    except (UnicodeDecodeError, OSError, EOFError):
        raise NotText(where=file.place, expected="utf-8") from None
    if text.lstrip().startswith("["):
        yield from _members(text)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, _parse(line)


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _members(text: str) -> Iterator[tuple[int, Any]]:
    decoder, at, line, counted = json.JSONDecoder(), text.index("[") + 1, 1, 0
    while True:
        at = _skip(text, at)
        if text[at : at + 1] in ("]", ""):
            return
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            yield line, None
            return
        yield line, value


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\n", "\r", "\t", ","):
        at += 1
    return at


def _to_turns(file: FoundFile, line: int, record: Any) -> list[Turns | LeftOut]:
    where = f"{file.place} line {line}"
    if not isinstance(record, dict):
        raise BrokenRecord(where=where, found="no JSON object", expected="a JSON object")
    fields = cast(dict[str, Any], record)
    kind = format_of(fields) if file.config.format == "auto" else file.config.format
    if kind is None:
        expected = "; ".join(f"{name}: {form}" for name, form in FORMS.items())
        raise BrokenRecord(where=where, found="no known format", expected=expected)
    try:
        if kind == "alpaca":
            return [from_alpaca(fields)]
        if kind == "messages":
            return [from_messages(fields)]
        return list(from_question(fields, explains=file.config.explains))
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration):
        raise BrokenRecord(where=where, found=f"not {kind}", expected=FORMS[kind]) from None


def _to_document(file: FoundFile, line: int, record: dict[str, Any], turns: Turns) -> Document:
    messages = tuple(Message(m.role, normalize(m.content).strip()) for m in turns.messages)
    return Document(
        id=file.id_of(line, f"-{turns.language}" if turns.language else ""),
        text=joined(messages),
        source=file.source,
        license=license_name(file.config.license),
        group=_group(file, line, record),
        messages=messages,
    )


def _group(file: FoundFile, line: int, record: dict[str, Any]) -> str:
    """Return a hash of the group: a patient's or case's by the key of this place."""
    if record.get("group") is not None:
        return keyed_hash(read_key(), str(record["group"]))
    key = f"{file.source}/{record.get('problem_id', f'{file.stem}/{line}')}"
    return hashlib.sha256(key.encode()).hexdigest()[:16]
