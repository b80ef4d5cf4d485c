"""The whole of `collect` against the same pipeline in datatrove, and its speed on all of the text.

    python benchmarks/collect.py --data DIR --peers SITE_PACKAGES       # against datatrove
    python benchmarks/collect.py --data DIR --whole [--workers 1]       # MB/s and memory

Against datatrove: 30 MB of real text in five slices; in every round both read the same slice from
JSON lines, normalize (datatrove: fix nothing), filter, replace mail addresses, remove duplicates
and write packed JSON lines, in this process, one core, CPU time of which is taken; the ratio is the
median of the rounds. datatrove runs what FineWeb-2 runs on Japanese: Gopher repetition, FineWeb
quality and Gopher quality (see `rules.py`), its formatter of mail and IP addresses, and MinHash in
its four steps (see `duplicates.py`). rinsho runs its defaults: all rules, all kinds of identifiers
that are on by default, exact and near duplicates, repeated lines. Neither looks for benchmarks.

The whole: every file below DIR/text and the conversations below DIR/sft as in
`runs/real-small.toml`, without its limit on documents, every benchmark below DIR/eval indexed.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from normalize import read_texts

from rinsho.corpus.collect import CollectConfig, collect
from rinsho.runfile import to_config

RUN_FILE = Path(__file__).parent.parent / "runs" / "real-small.toml"


def by_rinsho(slice_: Path, out: Path) -> int:
    """Collect a slice as `rinsho collect` does; return the number of documents."""
    source = {"path": str(slice_), "license": "CC0-1.0"}
    config = to_config(CollectConfig, {"sources": [source]}, "[collect]")
    assert isinstance(config, CollectConfig)
    return collect(config, out=out, n_workers=1).counts["records_out"]


def by_datatrove(slice_: Path, out: Path) -> int:
    """Run the same steps in datatrove; return the number of documents."""
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.formatters import PIIFormatter
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter
    from datatrove.utils.logging import logger
    from rules import datatrove_filters

    logger.disable("datatrove")
    folders = {name: str(out / name) for name in ("filtered", "s", "b", "r", "written")}

    def run(steps: list[Any], rank: int = 0, world_size: int = 1) -> None:
        stream: Any = None
        for step in steps:
            stream = step(stream, rank, world_size)
        for _ in stream or ():
            pass

    config = MinhashConfig()
    reader = JsonlReader(str(slice_.parent), glob_pattern=slice_.name)
    filters = list(datatrove_filters().values())
    run([reader, *filters, PIIFormatter(), JsonlWriter(folders["filtered"], compression=None)])
    again = JsonlReader(folders["filtered"])
    run([again, MinhashDedupSignature(folders["s"], config, language="jpn_Jpan")])
    for bucket in range(config.num_buckets):
        step = MinhashDedupBuckets(folders["s"], folders["b"], config=config)
        run([step], bucket, config.num_buckets)
    run([MinhashDedupCluster(folders["b"], folders["r"], config)])
    writer = JsonlWriter(folders["written"], compression="gzip")
    run([again, MinhashDedupFilter(folders["r"]), writer])
    return sum(len(path.read_bytes()) > 0 for path in (out / "written").rglob("*.gz"))


def compare(data: Path, megabytes: float, n_rounds: int) -> None:
    """Time both on slices of the text, in turn."""
    texts = read_texts(data, int(megabytes * 1e6))
    ratios: list[float] = []
    seconds: dict[str, float] = {"rinsho": 0.0, "datatrove": 0.0}
    n_bytes = sum(len(text.encode()) for text in texts)
    with tempfile.TemporaryDirectory() as place:
        for number in range(n_rounds):
            slice_ = Path(place) / f"slice{number}.jsonl"
            lines = (
                json.dumps({"text": text}, ensure_ascii=False) for text in texts[number::n_rounds]
            )
            slice_.write_text("\n".join(lines), encoding="utf-8")
            spent: dict[str, float] = {}
            for name, work in (("rinsho", by_rinsho), ("datatrove", by_datatrove)):
                started = time.process_time()
                work(slice_, Path(place) / f"{name}{number}")
                spent[name] = time.process_time() - started
                seconds[name] += spent[name]
            ratios.append(spent["datatrove"] / spent["rinsho"])
            print(f"round {number + 1}: {spent}, ratio {ratios[-1]:.1f}", flush=True)
    line = {
        "megabytes": round(n_bytes / 1e6, 1),
        "cpu_seconds": {name: round(value, 2) for name, value in seconds.items()},
        "ratio_median": round(statistics.median(ratios), 1),
        "ratio_range": [round(min(ratios), 1), round(max(ratios), 1)],
    }
    print(json.dumps(line))


def whole(data: Path, n_workers: int) -> None:
    """Collect all of the text in a process of its own, and print speed and memory."""
    table = tomllib.loads(RUN_FILE.read_text(encoding="utf-8"))["collect"]
    table.pop("max_documents", None)
    config = to_config(CollectConfig, table, "[collect]")
    assert isinstance(config, CollectConfig)
    with tempfile.TemporaryDirectory() as place:
        started = time.perf_counter()
        manifest = collect(config, out=Path(place) / "out", data=data, n_workers=n_workers)
        wall = time.perf_counter() - started
        removals = (Path(place) / "out" / "removals.txt").read_text(encoding="utf-8")
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = sum(one.ru_utime + one.ru_stime for one in (own, children))
    megabytes = manifest.counts["bytes_in"] / 1e6
    line = {
        "workers": n_workers,
        "megabytes": round(megabytes, 1),
        "wall_seconds": round(wall, 2),
        "cpu_seconds": round(cpu, 2),
        "megabytes_per_cpu_second": round(megabytes / cpu, 2),
        "cpu_seconds_of_workers": round(children.ru_utime + children.ru_stime, 2),
        "peak_mb": round(own.ru_maxrss / 1024),
        "peak_mb_of_a_worker": round(children.ru_maxrss / 1024),
        "documents": manifest.counts["records_in"],
        "identity": manifest.identity_hash,
    }
    print("\n".join(row for row in removals.splitlines() if row.startswith(("source", "ALL"))))
    print(json.dumps(line))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--peers", type=Path, help="site-packages where datatrove lies")
    parser.add_argument("--whole", action="store_true", help="all of the text, no peer")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--megabytes", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.peers:
        sys.path.append(str(arguments.peers))  # last: what rinsho needs comes from its own place
    if arguments.whole:
        whole(arguments.data, arguments.workers)
    else:
        compare(arguments.data, arguments.megabytes, arguments.rounds)


if __name__ == "__main__":
    main()
