"""`rinsho draw-losses`: losses and held-out measures of several runs, as a figure and a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rinsho.console import say
from rinsho.errors import InvalidValue
from rinsho.manifest import FinishedFolder, Manifest, door, new_folder, open_folder
from rinsho.runfile import StageConfig
from rinsho.training.figure import FIGURES, draw_loss
from rinsho.training.journal import LOSS_LOG

TABLE = "runs.json"
_COUNTS = ("n_steps", "n_seen_tokens", "n_parameters", "loss", "bits_per_byte")


class DrawLossesConfig(StageConfig):
    """Keys of `[draw-losses]`: none."""


@door
def draw_losses(config: DrawLossesConfig, *, weights: Sequence[Path], out: Path) -> Manifest:
    """Draw the logs of several runs, and write what each came to, the best one first.

    Args:
        config: `[draw-losses]` of a run file.
        weights: Folders of `pretrain` or `finetune` with a loss log; their names stand in the
            figure, without what is the same in all of them.
        out: The folder to write: loss.svg, loss.png and runs.json.

    Raises:
        InvalidValue: A folder has no loss log.
    """
    sources = [open_folder(path, "pretrain", "finetune") for path in weights]
    names = short_names([source.path.name for source in sources])
    inputs = {"weights": sources}
    with new_folder(out, stage="draw-losses", config=config, inputs=inputs) as folder:
        runs = dict(zip(names, sources, strict=True))
        rows = sorted((_row(name, source) for name, source in runs.items()), key=_worth)
        (folder.path / TABLE).write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
        folder.count(n_runs=len(rows), best=rows[0]["name"])
        try:
            draw_loss(folder.path, {name: _log(source) for name, source in runs.items()})
        except ImportError:
            say(
                'matplotlib が無いため図は作りません（`pip install "rinsho[report]"`）',
                'no figure: matplotlib is not installed (`pip install "rinsho[report]"`)',
            )
        else:
            folder.keep_out_of_identity(*FIGURES)
    assert folder.manifest is not None
    return folder.manifest


def short_names(names: Sequence[str]) -> list[str]:
    """Return names without the words that all of them begin with.

    >>> short_names(["weights-learning_rate=0.001", "weights-learning_rate=0.002"])
    ['learning_rate=0.001', 'learning_rate=0.002']
    >>> short_names(["small", "large"]), short_names(["weights"])
    (['small', 'large'], ['weights'])
    """
    parts = [name.split("-") for name in names]
    n_shared = 0
    while all(len(p) > n_shared + 1 for p in parts) and len({p[n_shared] for p in parts}) == 1:
        n_shared += 1
    return ["-".join(p[n_shared:]) for p in parts] if len(names) > 1 else list(names)


def _row(name: str, source: FinishedFolder) -> dict[str, Any]:
    counts = source.manifest.counts
    known = {key: counts[key] for key in _COUNTS if key in counts}
    return {"name": name, "identity": source.manifest.identity_hash, **known}


def _worth(row: dict[str, Any]) -> tuple[bool, float]:
    """Put fewer bits per byte first; runs that did not measure them go by their loss, behind."""
    found = row.get("bits_per_byte")
    return (False, found) if found is not None else (True, row.get("loss", 0.0))


def _log(source: FinishedFolder) -> list[dict[str, float]]:
    path = source.path / LOSS_LOG
    if not path.is_file():
        raise InvalidValue(where=source.path.name, found="no loss.jsonl", expected="a training run")
    return [json.loads(line) for line in path.read_text().splitlines()]
