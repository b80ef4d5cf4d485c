"""A marker is planted in every kind of input; it may stand in documents, nowhere else."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MARKER = "秘密之印Zq7"
NOTE = f"3日前から咳嗽と発熱が出現し、{MARKER}として外来を受診した。肺炎を疑い入院とした。"


def rinsho(folder: Path, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "RINSHO_KEY_FILE": str(folder / "key"), "LC_ALL": "C.UTF-8"}
    environment.pop("RINSHO_DEBUG", None)
    return subprocess.run(
        [sys.executable, "-m", "rinsho.cli", *words],
        cwd=folder,
        env=environment,
        input=stdin,
        capture_output=True,
        check=False,
    )


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    folder = tmp_path / f"患者{MARKER}"  # a folder's name can hold a patient's number
    folder.mkdir()
    good = [json.dumps({"text": NOTE + str(n), "id": str(n)}, ensure_ascii=False) for n in range(5)]
    broken = ['{"text": "' + NOTE, f'["{MARKER}"]', '{"text": 3}', f'{{"body": "{NOTE}"}}']
    (folder / "a.jsonl").write_text("\n".join([*good, *broken]), encoding="utf-8")
    (folder / "b.jsonl").write_bytes(NOTE.encode("utf-16"))
    (folder / "c.jsonl.gz").write_bytes(gzip.compress(("\n".join(good)).encode())[:-20])
    run_file = f'[[collect.sources]]\npath = "{folder}/*"\nname = "ward"\nlicense = "CC0-1.0"\n'
    (tmp_path / "run.toml").write_text(run_file, encoding="utf-8")
    return tmp_path


def test_no_word_of_a_record_reaches_logs_manifests_or_the_list_of_rejections(inputs: Path) -> None:
    done = rinsho(inputs, "collect", "run.toml", "--out", "documents")
    assert done.returncode == 0, done.stderr.decode()
    assert MARKER not in done.stderr.decode() + done.stdout.decode()
    for path in (inputs / "documents").iterdir():
        if path.name.startswith("documents-"):
            continue
        import zstandard

        data = path.read_bytes()
        if path.suffix == ".zst":
            data = zstandard.ZstdDecompressor().stream_reader(data).read()
        if path.name == "manifest.json":  # the config repeats the run file, whose path is ours
            manifest = json.loads(data)
            manifest["identity"]["config"] = {}
            data = json.dumps(manifest, ensure_ascii=False).encode()
        assert MARKER.encode() not in data, path.name


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        (["extract", "--format", "jsonl"], f'{{"text": "{NOTE}'.encode()),
        (["extract", "--format", "jsonl"], f'{{"text": ["{NOTE}"]}}'.encode()),
        (["extract", "--format", "csv"], f'text\n"{NOTE}'.encode() + b"\x00\xff"),
        (["deidentify", "--encoding", "utf-8"], NOTE.encode("cp932", "ignore") + b"\xff\xfe"),
        (["generate", "--model", f"nowhere/{MARKER}"], NOTE.encode()),
    ],
)
def test_no_word_of_a_note_reaches_an_error(tmp_path: Path, words: list[str], stdin: bytes) -> None:
    done = rinsho(tmp_path, *words, stdin=stdin)
    assert NOTE not in done.stderr.decode()
    if "--model" not in words:  # there the marker is in the path that the caller typed
        assert MARKER not in done.stderr.decode()
    assert b"Traceback" not in done.stderr
