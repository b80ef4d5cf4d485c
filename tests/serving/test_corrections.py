"""The loop of docs/corrections.md as it stands: page, training data, finetune, compare."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from rinsho.evaluation.demo_notes import Note, read_notes
from rinsho.manifest import new_folder, open_folder
from rinsho.model.checkpoint import load_decoder
from rinsho.model.tagger import Tagger, save_tagger
from rinsho.model.tags import TagSet
from rinsho.runfile import StageConfig
from rinsho.tokenizer.tokenizer import read_tokenizer
from tests.serving.person import check_notes, opened, save_corrections

pytestmark = pytest.mark.browser
DOCUMENT = Path(__file__).parents[2] / "docs" / "corrections.md"
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TAGGER = Path("out/demo/tagger")
N_NOTES = 5  # 3 of them are held out
RunCommand = Callable[..., AbstractContextManager[Any]]


def test_the_loop_runs_as_the_tutorial_says(
    chat_weights: Path, browser: Browser, run_command: RunCommand, tmp_path: Path
) -> None:
    put_untrained_tagger(chat_weights, tmp_path / TAGGER)
    notes = sorted(read_notes(), key=lambda note: len(note.spans))[8 : 8 + N_NOTES]
    compared = run_the_loop(tmp_path, notes, browser, run_command)
    corrected = [json.loads(line) for line in (tmp_path / "data/own/corrected.jsonl").open()]
    gold = {note.id: note for note in notes}
    assert {one["id"] for one in corrected} == set(gold)
    for one in corrected:
        spans = {(s["start"], s["end"], s["label"], s["certainty"]) for s in one["spans"]}
        assert (one["text"], spans) == (
            gold[one["id"]].text,
            {(s.start, s.end, s.label, s.certainty) for s in gold[one["id"]].spans},
        )
    held_out = {one["id"] for one in corrected if one.get("split") == "test"}
    assert 0 < len(held_out) < N_NOTES
    counts = open_folder(tmp_path / "out/corrected").manifest.counts
    assert counts["n_skipped_documents"] == {"test split": len(held_out)}
    assert counts["n_train_documents"] + counts["n_validation_documents"] == N_NOTES - len(held_out)
    answers = (tmp_path / "out/compared/answers-1/answers.jsonl").read_text().splitlines()
    assert {json.loads(line)["item"] for line in answers} == held_out
    assert [(c["first"], c["second"], c["metric"]) for c in compared] == [
        (first, second, metric)
        for first, second in (
            ("corrected", "tagger"), ("corrected", "dictionary"), ("tagger", "dictionary"),
        )
        for metric in ("f1", "f1_with_certainty")
    ]  # fmt: skip
    assert all(c["difference"]["n_documents"] == len(held_out) for c in compared)
    assert compared[0]["value_second"] == 0  # a head that learned nothing marks nothing


@pytest.mark.campaign
def test_the_loop_with_every_note_and_the_demo_s_tagger(
    browser: Browser, run_command: RunCommand, tmp_path: Path
) -> None:
    """`RINSHO_DEMO` names a finished `out/demo`; without it, one is made, in minutes."""
    if demo := os.environ.get("RINSHO_DEMO"):
        shutil.copytree(Path(demo) / "tagger", tmp_path / TAGGER)
    else:
        subprocess.run([sys.executable, "-m", "rinsho.cli", "demo"], cwd=tmp_path, check=True)
    run_the_loop(tmp_path, read_notes(), browser, run_command)
    print((tmp_path / "out/compared/compare.md").read_text())


def put_untrained_tagger(weights: Path, out: Path) -> None:
    decoder, tokenizer = load_decoder(weights), read_tokenizer(weights)
    pairs = (("disease", "present"), ("symptom", "present"))
    out.parent.mkdir(parents=True)
    with new_folder(out, stage="finetune", config=StageConfig(), inputs={}) as folder:
        save_tagger(Tagger(decoder, tokenizer, {"": TagSet(pairs)}), folder.path, weights)


def run_the_loop(
    folder: Path, notes: Sequence[Note], browser: Browser, run_command: RunCommand
) -> list[dict[str, Any]]:
    """Do what the tutorial says in a folder; a person corrects where it starts the server."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"}
    environment.pop("RINSHO_DATA", None)
    for language, marks, body in BLOCK.findall(DOCUMENT.read_text("utf-8")):
        if match := re.search(r"file=(\S+)", marks):
            (folder / match[1]).write_text(body, encoding="utf-8")
        elif "rinsho serve" in body:
            file = folder / "notes.jsonl"
            keep_notes(file, {note.id for note in notes})
            gold = {note.text: note.spans for note in notes}
            texts = [json.loads(line)["text"] for line in file.open(encoding="utf-8")]
            words = ("serve", "--extractor", str(folder / TAGGER), "--port", "0")
            with run_command(*words) as server:
                for page in opened(browser, server.url):
                    n = check_notes(page, file, [(text, gold[text]) for text in texts])
                    save_corrections(page, folder / "corrections.jsonl")
            print(f"{n} corrections in {len(texts)} notes")
        elif language == "bash":
            words = ["bash", "-euc", body]
            done = subprocess.run(
                words, cwd=folder, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{body}\n{done.stdout}\n{done.stderr}"
    return json.loads((folder / "out/compared/compare.json").read_bytes())


def keep_notes(file: Path, ids: set[str]) -> None:
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(line for line in lines if json.loads(line)["id"] in ids), "utf-8")
