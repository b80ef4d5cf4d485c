"""Engines and parts: the same documents whatever does the work, and after whatever stopped it."""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rinsho.corpus.collect import CollectConfig, collect, make_share
from rinsho.corpus.document import read_documents
from rinsho.corpus.engines import Workers
from rinsho.corpus.part import PART_BYTES
from rinsho.errors import Corrupt, PartMissing, WorkerDied
from rinsho.runfile import to_config

N_SOURCES = 6
WORDS = (
    *("発熱", "咳嗽", "腹痛", "頭痛", "浮腫", "息切れ", "嘔気", "下痢", "胸痛", "めまい"),
    *("が昨日から続いて", "は軽くなって", "を繰り返して", "のため受診して", "を強く訴えて"),
)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Sources of different sizes, 5 MB in all, with duplicates between them."""
    folder, choice = tmp_path_factory.mktemp("sources"), random.Random(0)
    texts = [
        "".join(choice.choice(WORDS) + "いる。" for _ in range(choice.randrange(20, 200)))
        for _ in range(1800)
    ]
    tables: list[dict[str, Any]] = []
    for number in range(N_SOURCES):
        path = folder / f"source{number}.jsonl"
        chosen = texts[number * 250 : number * 250 + 300]  # 50 of them stand in the next one too
        lines = [json.dumps({"text": text}) for text in chosen]
        path.write_text("\n".join([*lines, "{broken"]) + "\n", encoding="utf-8")
        skipped = ["duplicate_ngrams", "top_ngram"]  # a small vocabulary repeats itself
        tables.append({"path": str(path), "license": "CC0-1.0", "skip_rules": skipped})
    return tables


def config(sources: list[dict[str, Any]], **values: Any) -> CollectConfig:
    made = to_config(CollectConfig, {"sources": sources, **values}, "[collect]")
    assert isinstance(made, CollectConfig)
    return made


@pytest.fixture(scope="module")
def whole(sources: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What one process makes."""
    return collect(config(sources), out=tmp_path_factory.mktemp("one") / "out", n_workers=1)


def test_duplicates_between_sources_go_and_the_first_stays(whole: Any) -> None:
    assert whole.counts["rejected"]["exact_duplicate"] == 50 * (N_SOURCES - 1)
    assert whole.counts["rejected"]["broken_line"] == N_SOURCES
    assert whole.counts["records_in"] == 301 * N_SOURCES


@pytest.mark.parametrize("n_workers", [2, pytest.param(4, marks=pytest.mark.campaign)])
def test_any_number_of_workers_makes_the_same_folder(
    sources: list[dict[str, Any]], whole: Any, tmp_path: Path, n_workers: int
) -> None:
    made = collect(config(sources), out=tmp_path / "out", n_workers=n_workers)
    assert made.identity_hash == whole.identity_hash
    assert not (tmp_path / "out.parts").exists()


@pytest.mark.campaign
def test_a_ray_cluster_makes_the_same_folder(
    sources: list[dict[str, Any]], whole: Any, tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    made = collect(config(sources), out=tmp_path / "out", engine="ray", n_workers=2)
    assert made.identity_hash == whole.identity_hash


def test_shares_made_in_any_order_are_merged_into_the_same_folder(
    sources: list[dict[str, Any]], whole: Any, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    numbers = [
        make_share(config(sources), share=share, n_shares=4, out=out, n_workers=1)
        for share in (3, 0, 2, 1)
    ]
    assert sorted(numbers) == [1, 1, 2, 2]
    assert not out.exists()
    merged = collect(config(sources), out=out, only_merge=True)
    assert merged.identity_hash == whole.identity_hash


def test_a_share_that_comes_after_the_merge_leaves_nothing_behind(
    sources: list[dict[str, Any]], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    make_share(config(sources[:1]), share=0, n_shares=1, out=out, n_workers=1)
    collect(config(sources[:1]), out=out, only_merge=True, n_workers=1)
    assert make_share(config(sources[:1]), share=0, n_shares=1, out=out, n_workers=1) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.campaign
def test_a_merge_without_a_share_names_the_part_and_the_share_makes_it_whole(
    sources: list[dict[str, Any]], whole: Any, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for share in (0, 2):
        make_share(config(sources), share=share, n_shares=3, out=out, n_workers=1)
    with pytest.raises(PartMissing, match="part 2 of 6"):
        collect(config(sources), out=out, only_merge=True)
    make_share(config(sources), share=1, n_shares=3, out=out, n_workers=1)
    assert collect(config(sources), out=out, only_merge=True).identity_hash == whole.identity_hash


def test_a_run_that_was_killed_goes_on_with_the_parts_that_are_done(
    sources: list[dict[str, Any]], whole: Any, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    make_share(config(sources), share=0, n_shares=2, out=out, n_workers=1)
    done = sorted((tmp_path / "out.parts").iterdir())
    before = [part.stat().st_mtime_ns for part in done]
    half = (tmp_path / "out.parts") / (done[0].name[:6] + "-cut.123.tmp")
    half.mkdir()
    (half / "candidates.jsonl").write_bytes(b'{"id": "source0/0", "te')
    assert [part.stat().st_mtime_ns for part in done] == before
    assert collect(config(sources), out=out, n_workers=1).identity_hash == whole.identity_hash


def test_a_part_that_changed_on_the_disk_is_found(
    sources: list[dict[str, Any]], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    make_share(config(sources), share=0, n_shares=1, out=out, n_workers=1)
    texts = sorted((tmp_path / "out.parts").glob("*/candidates.jsonl"))[2]
    raw = bytearray(texts.read_bytes())
    raw[1000] ^= 1
    texts.write_bytes(raw)
    with pytest.raises(Corrupt, match=r"part 3.*candidates"):
        collect(config(sources), out=out, n_workers=1)


@pytest.mark.campaign
def test_another_config_makes_its_own_parts(
    sources: list[dict[str, Any]], whole: Any, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    make_share(config(sources, min_document_chars=500), share=0, n_shares=2, out=out, n_workers=1)
    assert collect(config(sources), out=out, n_workers=1).identity_hash == whole.identity_hash


@pytest.mark.campaign
def test_limits_cut_at_the_same_document_whatever_the_workers(
    sources: list[dict[str, Any]], tmp_path: Path
) -> None:
    limited = config([{**source, "max_chars": 40_000} for source in sources], max_documents=500)
    one = collect(limited, out=tmp_path / "one", n_workers=1)
    two = collect(limited, out=tmp_path / "two", n_workers=2)
    assert one.identity_hash == two.identity_hash
    assert 0 < one.counts["records_out"] <= 500
    table = json.loads((tmp_path / "one" / "removals.json").read_bytes())["sources"]
    assert sum(one["records_in"] for one in table.values()) == one.counts["records_in"]


@pytest.mark.parametrize("part_bytes", [1, PART_BYTES])  # a part a file, or all files in one
def test_ids_count_the_records_of_a_source_over_all_its_files(
    part_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rinsho.corpus.part.PART_BYTES", part_bytes)
    for number in range(3):
        text = json.dumps({"text": f"{WORDS[number]}が続くため受診した。", "n": number})
        (tmp_path / f"{number}.jsonl").write_text(f"{text}\n{{broken\n", encoding="utf-8")
    source = {"path": str(tmp_path / "*.jsonl"), "name": "all", "license": "CC0-1.0"}
    collect(config([source]), out=tmp_path / "out")
    assert [d.id for d in read_documents(tmp_path / "out")] == ["all/0", "all/2", "all/4"]


# ---------------------------------------------------------------------------- the engines

WORK = """
import os, signal
from pathlib import Path

def die_once(task, on_read):
    started = Path(task + ".started")
    if not started.exists():
        started.touch()
        if task.endswith("2"):
            os.kill(os.getpid(), signal.SIGKILL)
    Path(task).touch()
    on_read(1)

def die(task, on_read):
    os.kill(os.getpid(), signal.SIGKILL)

def fail(task, on_read):
    raise ValueError(task)
"""


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "some_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("some_work", None)
    import some_work  # pyright: ignore[reportMissingImports]

    return some_work


def test_a_worker_that_is_killed_costs_its_task_alone(work: Any, tmp_path: Path) -> None:
    tasks = [str(tmp_path / f"task{n}") for n in range(5)]
    counted: list[int] = []
    with Workers(n_workers=2) as workers:
        workers.run(tasks, work.die_once, counted.append)
        workers.run(tasks, work.die_once, counted.append)  # a new pool took its place
    assert all(Path(task).exists() for task in tasks)


def test_a_worker_that_is_always_killed_is_an_error(work: Any, tmp_path: Path) -> None:
    with Workers(n_workers=2) as workers, pytest.raises(WorkerDied):
        workers.run(["a", "b"], work.die)


def test_what_a_task_raises_is_raised(work: Any) -> None:
    with Workers(n_workers=2) as workers, pytest.raises(ValueError, match=r"^[ab]$"):
        workers.run(["a", "b"], work.fail)


@pytest.mark.parametrize(
    "stop", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.campaign)]
)
def test_a_stopped_process_leaves_a_run_that_can_go_on(
    stop: signal.Signals, sources: list[dict[str, Any]], whole: Any, tmp_path: Path
) -> None:
    run_file = tmp_path / "run.toml"
    tables = "".join(
        "[[collect.sources]]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in source.items())
        for source in sources
    )
    run_file.write_text(f"[collect]\n{tables}", encoding="utf-8")
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-c",
        "from rinsho.cli import main; main()",
        "collect",
        str(run_file),
        "--out",
        str(out),
    ]
    said = tmp_path / "said.txt"
    with said.open("wb") as file:
        process = subprocess.Popen([*command, "--workers", "1"], stderr=file)
    while process.poll() is None and not list(tmp_path.glob("out.parts/*/part.json")):
        os.sched_yield()
    process.send_signal(stop)
    if process.wait() == 130:
        assert "同じコマンド" in (words := said.read_text("utf-8")) or "same command" in words
        assert "Traceback" not in words
    made = collect(config(sources), out=out, n_workers=1)
    assert made.identity_hash == whole.identity_hash


def test_workers_leave_the_thresholds_of_the_garbage_collector_as_they_were() -> None:
    before = gc.get_threshold()
    with pytest.raises(KeyboardInterrupt), Workers():
        assert gc.get_threshold() != before
        raise KeyboardInterrupt
    assert gc.get_threshold() == before
