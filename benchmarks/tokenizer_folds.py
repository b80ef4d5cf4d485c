"""How well a tokenizer compresses text that it never saw: every document held out once.

    python benchmarks/tokenizer_folds.py DOCUMENTS OUT --data DIR [--fold 0]

A split of 2% holds few of the long medical documents, and unlike ones. Here the groups are dealt
into five folds; a tokenizer of `tokenizer-32k` in runs/tokenizers.toml is trained on four and
measured on the fifth. DOCUMENTS is the folder of that run's `collect`; OUT gets a folder for each
fold, and a fold that is there is not trained again. Prints what was measured as one JSON line.
7 minutes a fold on two cores.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rinsho.corpus import splits
from rinsho.corpus.document import Document

N_FOLDS = 5
RUN_FILE = Path(__file__).parent.parent / "runs" / "tokenizers.toml"


def hold_out(fold: int) -> None:
    """Make `split_of` say "validation" for one fold of the groups and "train" for the others."""

    def split_of(document: Document) -> splits.Split:
        key = f"folds/{document.group or document.id}"
        share = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
        return "validation" if int(share * N_FOLDS) == fold else "train"

    splits.split_of = split_of  # the stages import it by name, below


def measure_fold(fold: int, documents: Path, out: Path, data: Path) -> Mapping[str, Any]:
    """Train on the other folds unless that was done; return what was measured."""
    folder = out / f"fold-{fold}"
    if not (folder / "manifest.json").is_file():
        from rinsho.runfile import read_run_file
        from rinsho.tokenizer.train_tokenizer import TrainTokenizerConfig, train_tokenizer

        steps = read_run_file(RUN_FILE).steps
        config = next(step.config for step in steps if step.name == "tokenizer-32k")
        assert isinstance(config, TrainTokenizerConfig)
        config = config.model_copy(update={"max_measured_bytes": 60_000_000})
        train_tokenizer(config, documents=[documents], out=folder, data=data)
    return json.loads((folder / "measure.json").read_bytes())


def main() -> None:
    """Measure one fold and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("documents", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fold", type=int, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    hold_out(arguments.fold)
    found = measure_fold(arguments.fold, arguments.documents, arguments.out, arguments.data)
    print(json.dumps(found, ensure_ascii=False))


if __name__ == "__main__":
    main()
