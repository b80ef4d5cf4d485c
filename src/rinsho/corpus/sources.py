"""Sources: which files a run reads, and how a record of each becomes a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rinsho.corpus.document import Document, Message, Rejection
from rinsho.corpus.keys import keyed_hash, read_key
from rinsho.corpus.licenses import license_name
from rinsho.corpus.readers import (
    CLINICAL_FORMATS,
    FORMATS,
    Encoding,
    FileFormat,
    RawRecord,
    format_of,
    read_records,
)
from rinsho.corpus.rules import RuleName
from rinsho.errors import DataFolderMissing, NothingToRead, PathMissing, UnknownFormat
from rinsho.manifest import hash_file
from rinsho.text.identifier_kinds import PUBLIC_TEXT_KINDS, IdentifierKind
from rinsho.text.normalize import SENTENCEPIECE_MARK, normalize

UNKNOWN_LICENSE = "unknown"
_ROLES = {
    "user": "user",
    "human": "user",
    "agent": "assistant",
    "assistant": "assistant",
    "bot": "assistant",
    "system": "system",
}
# What a table of a format means where it leaves a key out; a table may say otherwise.
_PATIENTS = {"group_field": "group", "is_private": True}
_DEFAULTS: dict[Any, dict[str, Any]] = {
    "wikipedia": {"title_field": "title"},
    **dict.fromkeys(CLINICAL_FORMATS, _PATIENTS),
}


class SourceConfig(BaseModel):
    """One `[[collect.sources]]` table."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    path: str = Field(description="a file, a folder or a glob, below --data or anywhere")
    name: str = Field("", description="what the source is called; the file's name when left out")
    form: Literal["text", "conversations"] = Field("text", description="what a record holds")
    format: FileFormat | Literal["auto"] = Field("auto", description="auto: by the file's name")
    encoding: Encoding = Field("utf-8", description="cp932 for what hospitals call Shift_JIS")
    text_field: str | tuple[str, ...] = Field(
        "text", description="the field or column of the text; several are joined, one a line"
    )
    title_field: str | None = Field(None, description="a field put before the text as a line")
    group_field: str | None = Field(None, description="patient or case; kept as a keyed hash")
    url_field: str = Field("url", description="where the text comes from")
    date_field: str = Field("date", description="when it was written")
    license_field: str = Field("license", description="a record's own license")
    license: str | None = Field(None, description="of records without one of their own")
    attribution: str | None = Field(None, description="whom to name; the source's name if empty")
    drop_warnings: tuple[str, ...] = Field(
        (), description="quality_warnings of OSCAR that drop a record: adult, noisy, tiny …"
    )
    is_private: bool = Field(False, description="patients' text: the result gets mode 0700")
    skip_rules: tuple[RuleName, ...] = Field((), description="rules that do not judge this source")
    identifiers: tuple[IdentifierKind, ...] = Field(
        PUBLIC_TEXT_KINDS, description="kinds replaced by placeholders"
    )
    max_documents: int | None = Field(None, gt=0, description="documents kept, then stop")
    max_chars: int | None = Field(None, gt=0, description="characters kept, then stop")

    @model_validator(mode="before")
    @classmethod
    def _fill_what_is_left_out(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("path"), str):
            return cast(Any, values)
        table = cast(dict[str, Any], values)
        path = Path(table["path"])
        file_format = table.get("format", "auto")
        filled = _DEFAULTS.get(format_of(path) if file_format == "auto" else file_format, {})
        name = "".join(c for c in path.name.split(".")[0] if c not in "*?[]") or "source"
        return {**filled, **table, "name": table.get("name") or name}


@dataclass(frozen=True, slots=True)
class Source:
    """A source with its files found and hashed.

    Attributes:
        config: Its table in the run file.
        files: In the order they are read.
        sha256: Of each file.
        n_unread: Files of a folder in no known format.
    """

    config: SourceConfig
    files: tuple[Path, ...]
    sha256: tuple[str, ...]
    n_unread: int

    @property
    def n_bytes(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in self.files)

    def label(self, index: int) -> str:
        """Return how an error names a file: by index and keyed hash, for its name may be private.

        A file that the run file itself names keeps its name.
        """
        path = self.files[index]
        if self.config.path.endswith(path.name):
            return f"{self.config.name}: {path.name}"
        return f"{self.config.name}: file {index + 1} ({keyed_hash(read_key(), path.name)[:8]})"


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A record of a source: the document it holds, or why it holds none.

    Attributes:
        id: "<source>/<number>", the same in every run, whatever is rejected.
        n_bytes: Of the text in UTF-8, or of what was read where there is no text.
        n_marks: SentencePiece marks that normalization replaced.
    """

    id: str
    n_bytes: int
    outcome: Document | Rejection
    n_marks: int = 0


# ---------------------------------------------------------------------------------- files


def find_source(config: SourceConfig, data: Path | None) -> Source:
    """Find and hash the files of a source.

    Raises:
        PathMissing, DataFolderMissing: Nothing lies at the path.
        NothingToRead: A folder without a file in a known format.
        UnknownFormat: A file whose name tells no format.
    """
    found = [path for one in locate(config.path, data) for path in files_below(one)]
    is_known = [config.format != "auto" or format_of(path) is not None for path in found]
    files = tuple(path for path, is_one in zip(found, is_known, strict=True) if is_one)
    if not files:
        expected = ", ".join(suffix for suffix in (*FORMATS, "[.gz|.bz2|.zst]"))
        if len(found) == 1 and found[0].name == Path(config.path).name:
            raise UnknownFormat(where=config.name, found=found[0].suffix[:8], expected=expected)
        raise NothingToRead(where=config.name, expected=expected)
    digests = tuple(hash_file(path).sha256 for path in files)
    return Source(config, files, digests, len(found) - len(files))


def locate(pattern: str, data: Path | None) -> list[Path]:
    """Return what a path or a glob names, below the data folder or else where we are, sorted.

    Raises:
        PathMissing, DataFolderMissing: Nothing.
    """
    path = Path(pattern).expanduser()
    bases = [base for base in (data, Path()) if base is not None and not path.is_absolute()]
    for base in bases or [Path(path.anchor)]:
        relative = path.relative_to(path.anchor)
        there = base / relative
        found = [there] if there.exists() else sorted(base.glob(str(relative)))
        if found:
            return found
    if data is None and not Path(pattern).is_absolute():
        raise DataFolderMissing(where=pattern)
    raise PathMissing(where=pattern)


def files_below(path: Path) -> list[Path]:
    """Return a file itself, or the files of a folder and of those in it, sorted, none hidden."""
    if path.is_file():
        return [path]
    return sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))


# -------------------------------------------------------------------------------- records


def read_source(
    source: Source, on_read: Callable[[int], None] = lambda n_bytes: None
) -> Iterator[SourceRecord]:
    """Yield every record of a source, in order, each normalized or with its rejection."""
    config, number = source.config, 0
    key = read_key() if config.group_field else b""
    for path in source.files:
        file_format = format_of(path) if config.format == "auto" else config.format
        for raw in read_records(path, file_format or "text", config.encoding, on_read):
            yield _to_source_record(raw, f"{config.name}/{number}", config, key)
            number += 1


def _to_source_record(
    raw: RawRecord, document_id: str, config: SourceConfig, key: bytes
) -> SourceRecord:
    if raw.rejection is not None:
        return SourceRecord(document_id, raw.n_bytes, raw.rejection)
    read = _messages if config.form == "conversations" else _text
    content = read(raw.fields, config)
    if isinstance(content, Rejection):
        return SourceRecord(document_id, raw.n_bytes, content)
    group = raw.fields.get(config.group_field) if config.group_field else None
    if config.group_field and (group is None or str(group).strip() == ""):
        return SourceRecord(document_id, raw.n_bytes, Rejection("no_group", 0, 1))
    written = content if isinstance(content, str) else "\n".join(m.content for m in content)
    is_text = isinstance(content, str)
    messages = None if is_text else tuple(_normalized(message) for message in content)
    document = Document(
        id=document_id,
        text=normalize(written).strip() if messages is None else joined(messages),
        source=config.name,
        license=license_name(_string(raw.fields, config.license_field) or config.license or "")
        or UNKNOWN_LICENSE,
        group=keyed_hash(key, normalize(str(group)).strip()) if group is not None else None,
        url=_string(raw.fields, config.url_field),
        date=_string(raw.fields, config.date_field),
        messages=messages,
    )
    n_bytes = len(written.encode("utf-8", "surrogatepass"))
    return SourceRecord(document_id, n_bytes, document, written.count(SENTENCEPIECE_MARK))


def joined(messages: Sequence[Message]) -> str:
    """Return the text of a conversation: its contents, one after another."""
    return "\n".join(message.content for message in messages)


def _normalized(message: Message) -> Message:
    return Message(message.role, normalize(message.content).strip())


def _text(fields: Mapping[str, Any], config: SourceConfig) -> str | Rejection:
    warnings: Any = fields.get("quality_warnings") if config.drop_warnings else None
    if isinstance(warnings, list) and (bad := set(config.drop_warnings).intersection(warnings)):
        return Rejection("quality_warning", min(bad), "none")
    names = (config.text_field,) if isinstance(config.text_field, str) else config.text_field
    parts = [fields.get(name) for name in names]
    texts = [part for part in parts if isinstance(part, str)]
    if not texts:
        return Rejection("no_text", 0, 1)
    if config.title_field and isinstance(title := fields.get(config.title_field), str) and title:
        texts.insert(0, title)
    return "\n".join(text for text in texts if text.strip())


def _messages(fields: Mapping[str, Any], config: SourceConfig) -> tuple[Message, ...] | Rejection:
    """Read `messages` (role, content) or `utterances` (name, text)."""
    turns: Any = fields.get("messages", fields.get("utterances"))
    if not isinstance(turns, list):
        return Rejection("no_text", 0, 1)
    messages: list[Message] = []
    for turn in cast(list[Any], turns):
        table = cast(dict[str, Any], turn) if isinstance(turn, dict) else {}
        role = _ROLES.get(str(table.get("role", table.get("name"))))
        content: Any = table.get("content", table.get("text"))
        if role is None or not isinstance(content, str) or not content.strip():
            return Rejection("broken_conversation", f"turn {len(messages) + 1}", "role and text")
        messages.append(Message(role, content))
    roles = [message.role for message in messages if message.role != "system"]
    if roles[:1] != ["user"] or roles[-1:] != ["assistant"]:
        return Rejection("broken_conversation", len(roles), "from user to assistant")
    return tuple(messages)


def _string(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) and value.strip() else None
