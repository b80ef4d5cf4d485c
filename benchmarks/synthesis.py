"""How fast `synthesize` writes on one core, and how much of what it writes is new.

    python benchmarks/synthesis.py [bytes]

Prints a table by kind and, last, one JSON line. A near-duplicate is a document whose character
5-grams are like those of an earlier one (Jaccard at least 0.8), as `collect` would remove it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter, defaultdict

from rinsho.corpus.duplicates import NearDuplicates
from rinsho.corpus.synthesize import SynthesizeConfig, write_synthetic
from rinsho.text.lexicon import read_demo_lexicon


def main() -> None:
    """Write documents, then count."""
    n_wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 4_000_000
    config = SynthesizeConfig(seed=1, n_bytes=n_wanted)
    documents, n_bytes = [], 0
    started = time.process_time()
    for one in write_synthetic(config, read_demo_lexicon()):
        documents.append(one.document)
        n_bytes += len(one.document.text.encode())
        if n_bytes >= n_wanted:
            break
    seconds = time.process_time() - started
    grams = defaultdict[str, Counter[str]](Counter)
    n_documents, n_near, size = Counter[str](), Counter[str](), Counter[str]()
    with tempfile.TemporaryFile() as spool:
        near = NearDuplicates(spool, 0.8)
        for document in documents:
            text, kind = document.text, document.source
            n_documents[kind] += 1
            size[kind] += len(text.encode())
            n_near[kind] += near.check(document) is not None
            grams[kind].update(text[i : i + 5] for i in range(len(text) - 4))
    everything = sum(grams.values(), Counter())
    print(f"{'kind':18} {'documents':>9} {'bytes':>9} {'distinct 5-grams':>17} {'near-dup.':>9}")
    for kind in sorted(n_documents):
        share = len(grams[kind]) / grams[kind].total()
        print(
            f"{kind:18} {n_documents[kind]:9,} {size[kind]:9,} {len(grams[kind]):9,} ({share:5.1%})"
            f" {n_near[kind] / n_documents[kind]:9.2%}"
        )
    figures = {
        "bytes": n_bytes,
        "documents": len(documents),
        "bytes_per_cpu_second": round(n_bytes / seconds),
        "distinct_5_grams": len(everything),
        "distinct_5_gram_share": round(len(everything) / everything.total(), 4),
        "near_duplicate_share": round(n_near.total() / len(documents), 4),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
