"""The helpers of a thread end when it says so, and come back."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
import torch

from rinsho.model.threads import release_helpers


@pytest.mark.skipif(sys.platform != "linux", reason="counts the tasks of /proc")
def test_helpers_end_and_come_back() -> None:
    found: list[int] = []

    def count() -> None:
        found.append(len(list(Path("/proc/self/task").iterdir())))

    def work() -> None:
        torch.set_num_threads(3)
        for _ in range(2):
            count()
            torch.ones(1 << 20).exp()
            count()
            release_helpers()
        count()

    n_threads = torch.get_num_threads()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    torch.set_num_threads(n_threads)
    before, at_work, after, again, at_end = found
    assert at_work == before + 2
    assert again == after + 2
    assert before == after == at_end
