"""What can be followed while a run goes on: loss.jsonl, timing.jsonl and a TensorBoard file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rinsho.training.tensorboard import EVENTS, first_event, number_event

LOSS_LOG, TIMING_LOG = "loss.jsonl", "timing.jsonl"
Line = Mapping[str, float]


class Journal:
    """The log files of a run, each line on the disk as soon as its step is done.

    They lie in the unfinished folder (`<out>.partial/result`) and are written again from the
    checkpoint when a run is taken up: no step stands in them twice, and none is missing.

    Args:
        folder: Where the files go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, log: Sequence[Line], timing: Sequence[Line]) -> None:
        """Start the files with the lines of before a stop."""
        for name in (LOSS_LOG, TIMING_LOG):
            (self._folder / name).write_bytes(b"")
        (self._folder / EVENTS).write_bytes(first_event())
        for line, times in zip(log, timing, strict=True):
            self.add(line, times)

    def add(self, line: Line, timing: Line) -> None:
        """Append the lines of a step."""
        named = [(name, value) for name, value in line.items() if name != "step"]
        named.append(("tokens_per_second", timing["tokens_per_second"]))
        event = number_event(int(line["step"]), timing["seconds"], named)
        for name, data in (
            (LOSS_LOG, as_json(line)),
            (TIMING_LOG, as_json(timing)),
            (EVENTS, event),
        ):
            with (self._folder / name).open("ab") as file:
                file.write(data)


def as_json(line: Line) -> bytes:
    """Return one line of a log."""
    return json.dumps(line, allow_nan=False).encode() + b"\n"
