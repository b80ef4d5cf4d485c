"""Build a folder that installs rinsho on a Linux machine with no network.

    python packaging/bundle.py --out out/bundle --model out/demo/chat

Beside the wheels it holds `install.sh`, `SHA256SUMS` over everything, the pinned and hashed
requirements, a list of licenses and an SBOM (CycloneDX 1.6), the systemd unit and the instructions.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXTRAS = "corpus,model,serve"
DOCS = ("install.ja.md", "models.md", "serving.md", "security.md", "errors.md", "clinical.md")


@dataclass(frozen=True)
class Wheel:
    """One package of the bundle."""

    path: Path
    name: str
    version: str
    license: str
    sha256: str


def build(out: Path, models: Sequence[Path]) -> None:
    """Write the whole bundle; `out` has to be new or empty."""
    if out.exists() and any(out.iterdir()):
        raise SystemExit(
            f"{out} は空ではありません。消すか、--out で別の場所を指定してください / "
            "is not empty: delete it, or give another --out"
        )
    (out / "wheels").mkdir(parents=True)
    fetch_wheels(out / "wheels")
    wheels = [read_wheel(path) for path in sorted((out / "wheels").glob("*.whl"))]
    write_lists(out, wheels)
    for model in models:
        check_model(model)
        shutil.copytree(model, out / "models" / model.name)
    copy_files(out)
    write_sums(out)


def fetch_wheels(folder: Path) -> None:
    """Build our wheel and fetch everything it needs, in the versions of requirements.lock.

    PyTorch, which the lock leaves open, is the build that stands in this environment.
    """
    torch = f"torch=={importlib.metadata.version('torch')}"
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    constraints = folder.parent / "constraints.txt"
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    constraints.write_text("\n".join(pins_of(lock)) + "\n", encoding="utf-8")
    words = ["--wheel-dir", str(folder), "--constraint", str(constraints)]
    subprocess.run([*pip, *words, torch, f"{ROOT}[{EXTRAS}]"], check=True)
    constraints.unlink()


def pins_of(lock: str) -> Iterator[str]:
    """Yield `name==version ; marker` of a lock file, without the hashes.

    >>> list(pins_of("a==1 ; x == 'y' \\\\\\n    --hash=sha256:00\\nb==2 \\\\\\n"))
    ["a==1 ; x == 'y'", 'b==2']
    """
    for line in lock.splitlines():
        if re.match(r"[A-Za-z0-9]", line):
            yield line.removesuffix("\\").strip()


def read_wheel(path: Path) -> Wheel:
    """Read what a wheel says about itself."""
    with zipfile.ZipFile(path) as archive:
        metadata = [n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n)]
        fields = HeaderParser().parsestr(archive.read(metadata[0]).decode("utf-8"))
    said = [c for c in fields.get_all("Classifier", ()) if c.startswith("License ::")]
    classified = "; ".join(one.rsplit(" :: ", 1)[1] for one in said)
    license_ = fields["License-Expression"] or classified or first_line(fields["License"]) or "?"
    return Wheel(path, fields["Name"], fields["Version"], license_, hash_file(path))


def first_line(text: str | None) -> str:
    """Return the first line of a license field, which can hold the whole text."""
    return (text or "").strip().partition("\n")[0]


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_lists(out: Path, wheels: Sequence[Wheel]) -> None:
    """Write hashed requirements, the licenses and the SBOM."""
    pins = [f"{w.name}=={w.version} --hash=sha256:{w.sha256}" for w in wheels]
    (out / "requirements.txt").write_text("\n".join(pins) + "\n", encoding="utf-8")
    rows = [f"{w.name}\t{w.version}\t{w.license}" for w in wheels]
    (out / "LICENSES.tsv").write_text("\n".join(["name\tversion\tlicense", *rows]) + "\n", "utf-8")
    components = [
        {
            "type": "library",
            "name": wheel.name,
            "version": wheel.version,
            "purl": f"pkg:pypi/{wheel.name.lower().replace('_', '-')}@{wheel.version}",
            "hashes": [{"alg": "SHA-256", "content": wheel.sha256}],
            "licenses": [{"license": {"name": wheel.license}}],
        }
        for wheel in wheels
    ]
    bom = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}
    (out / "sbom.json").write_text(json.dumps(bom, ensure_ascii=False, indent=1) + "\n", "utf-8")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}\n"
    (out / "PYTHON_VERSION").write_text(version, encoding="utf-8")


def check_model(model: Path) -> None:
    """Check every byte of a model of ours before it is carried anywhere."""
    if (model / "manifest.json").is_file():
        from rinsho.verify import verify

        for verified in verify(model):
            sys.stdout.write(f"{verified.folder.name}: {verified.n_files} files are right\n")


def copy_files(out: Path) -> None:
    """Copy the script, the unit and the pages that a person needs without a network."""
    (out / "docs").mkdir()
    for name in ("install.sh", "rinsho.service"):
        shutil.copy(ROOT / "packaging" / name, out / name)
    for name in DOCS:
        if (ROOT / "docs" / name).is_file():
            shutil.copy(ROOT / "docs" / name, out / "docs" / name)
    shutil.copy(ROOT / "LICENSE", out / "LICENSE")


def write_sums(out: Path) -> None:
    """Write the checksum of every file, as `sha256sum -c` reads it."""
    paths = sorted(path for path in out.rglob("*") if path.is_file())
    lines = [f"{hash_file(path)}  {path.relative_to(out).as_posix()}" for path in paths]
    (out / "SHA256SUMS").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bundle")
    parser.add_argument("--model", type=Path, action="append", default=[])
    given = parser.parse_args()
    build(given.out, given.model)
    sys.stdout.write(f"{given.out}: sh install.sh /opt/rinsho\n")


if __name__ == "__main__":
    main()
