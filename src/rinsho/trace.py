"""Follow the chain of manifests: check every byte, or find what a document went into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rinsho.errors import Corrupt, IdUnknown, NothingToRead, PathMissing
from rinsho.json_lines import read_json_lines
from rinsho.manifest import CONTENT, MANIFEST, FinishedFolder, Manifest, open_folder, read_manifest


@dataclass(frozen=True, slots=True)
class Verified:
    """One folder whose bytes are right, and the inputs that were not found beside it."""

    folder: Path
    stage: str
    identity_hash: str
    n_files: int
    missing_inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Traced:
    """A folder that a document or a group went into."""

    folder: Path
    stage: str
    identity_hash: str
    how: str  # "holds it", "rejected it (rule)" or "made from <folder>"


def verify(root: Path) -> Iterator[Verified]:
    """Check a finished folder, or every finished folder below one, and the chain between them.

    Raises:
        Corrupt: A byte differs, a file is missing, or a file stands there that no manifest lists.
        PathMissing, NothingToRead: There is no folder, or no finished one in it.
    """
    folders = _finished_below(root)
    if not folders:
        raise NothingToRead(where=root.name, expected="a folder with a manifest.json")
    known = {read_manifest(folder).identity_hash for folder in [*folders, *_beside(root)]}
    for path in folders:
        folder = open_folder(path)
        _refuse_strangers(folder)
        manifest = folder.manifest
        missing = tuple(
            f"{slot} {identity_hash[:12]}"
            for slot, identity_hash in _inputs(manifest)
            if not identity_hash.startswith(CONTENT) and identity_hash not in known
        )
        yield Verified(
            path,
            manifest.identity.stage,
            manifest.identity_hash,
            len(manifest.identity.files) + len(manifest.run["files"]),
            missing,
        )


def trace(root: Path, *, document: str | None = None, group: str | None = None) -> list[Traced]:
    """List every finished folder below `root` that a document or a group went into.

    Raises:
        IdUnknown: No folder holds it.
    """
    found: dict[str, Traced] = {}
    for path in _finished_below(root):
        manifest = open_folder(path).manifest
        if how := _held(path, document, group):
            identity = manifest.identity_hash
            found[identity] = Traced(path, manifest.identity.stage, identity, how)
    if not found:
        raise IdUnknown(where=f"--document {document}" if document else f"--group {group}")
    holders = {identity for identity, traced in found.items() if traced.how == "holds it"}
    _follow(root, found, holders)
    return list(found.values())


def _follow(root: Path, found: dict[str, Traced], reached: set[str]) -> None:
    manifests = {folder: read_manifest(folder) for folder in _finished_below(root)}
    grew = True
    while grew:
        grew = False
        for folder, manifest in manifests.items():
            sources = [h for _, h in _inputs(manifest) if h in reached]
            if sources and manifest.identity_hash not in reached and not _drops(folder):
                how = "made from " + ", ".join(sorted({found[h].folder.name for h in sources}))
                identity = manifest.identity_hash
                found[identity] = Traced(folder, manifest.identity.stage, identity, how)
                reached.add(identity)
                grew = True


def _drops(folder: Path) -> bool:
    """Tell whether a folder lists its documents itself: then being made from one proves nothing."""
    return any(folder.glob("documents-*.jsonl.zst"))


def _held(folder: Path, document: str | None, group: str | None) -> str | None:
    for path in sorted(folder.glob("documents-*.jsonl.zst")):
        for value in read_json_lines(path):
            if value["id"] == document or (group is not None and value.get("group") == group):
                return "holds it"
    for path in sorted(folder.glob("rejected-*.jsonl.zst")):
        for value in read_json_lines(path):
            if value["id"] == document:
                return f"rejected it ({value['rule']})"
    return None


def _inputs(manifest: Manifest) -> Iterator[tuple[str, str]]:
    for slot, value in manifest.identity.inputs.items():
        hashes: Any = value if isinstance(value, list) else [value]
        for identity_hash in hashes:
            yield slot, str(identity_hash)


def _finished_below(root: Path) -> list[Path]:
    if not root.is_dir():
        raise PathMissing(where=root.name)
    return sorted(path.parent for path in root.rglob(MANIFEST) if not _is_unfinished(path))


def _is_unfinished(path: Path) -> bool:
    return any(part.endswith(".partial") for part in path.parts)


def _beside(root: Path) -> list[Path]:
    return [path.parent for path in root.resolve().parent.glob(f"*/{MANIFEST}")]


def _refuse_strangers(folder: FinishedFolder) -> None:
    manifest = folder.manifest
    listed = {*manifest.identity.files, *manifest.run["files"], MANIFEST}
    for path in sorted(folder.path.rglob("*")):
        name = path.relative_to(folder.path).as_posix()
        if path.is_file() and name not in listed:
            place = f"{folder.path.name}/{name}"
            raise Corrupt(where=place, expected="no such file", found="a file")
