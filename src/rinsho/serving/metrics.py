"""Counts and durations of requests in Prometheus' text form; no label holds what a caller sent."""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKET_SECONDS = (0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_Labels = tuple[tuple[str, str], ...]


class Metrics:
    """What a server has done since it began. Used from the loop's thread alone."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._buckets: dict[str, list[int]] = defaultdict(lambda: [0] * (len(BUCKET_SECONDS) + 1))
        self._seconds: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that has ended; status 0: the client left before an answer."""
        self._requests[method, route, str(status) if status else "left"] += 1
        self._buckets[route][bisect_left(BUCKET_SECONDS, seconds)] += 1
        self._seconds[route] += seconds  # pyright: ignore[reportArgumentType]  # a sum of floats

    def count_error(self, code: str) -> None:
        """Count an error by rinsho's code."""
        self._errors[code] += 1

    def count_tokens(self, n_prompt: int, n_new: int) -> None:
        """Count what an answer cost."""
        self._tokens["prompt"] += n_prompt
        self._tokens["new"] += n_new

    def to_text(self, gauges: Mapping[str, float]) -> str:
        """Return everything, with gauges that are read now."""
        lines = [*self._counters(), *self._histogram()]
        for name, value in {**gauges, **_process()}.items():
            lines += [f"# TYPE rinsho_{name.partition('{')[0]} gauge", f"rinsho_{name} {value:g}"]
        return "\n".join(lines) + "\n"

    def _counters(self) -> Iterator[str]:
        yield "# TYPE rinsho_requests_total counter"
        for (method, route, status), n in sorted(self._requests.items()):
            labels = (("method", method), ("route", route), ("status", status))
            yield f"rinsho_requests_total{_braces(labels)} {n}"
        yield "# TYPE rinsho_errors_total counter"
        for code, n in sorted(self._errors.items()):
            yield f"rinsho_errors_total{_braces((('code', code),))} {n}"
        yield "# TYPE rinsho_tokens_total counter"
        for kind, n in sorted(self._tokens.items()):
            yield f"rinsho_tokens_total{_braces((('kind', kind),))} {n}"

    def _histogram(self) -> Iterator[str]:
        yield "# TYPE rinsho_request_seconds histogram"
        for route, counts in sorted(self._buckets.items()):
            n_so_far = 0
            for limit, n in zip((*map(str, BUCKET_SECONDS), "+Inf"), counts, strict=True):
                n_so_far += n
                labels = (("route", route), ("le", limit))
                yield f"rinsho_request_seconds_bucket{_braces(labels)} {n_so_far}"
            label = _braces((("route", route),))
            yield f"rinsho_request_seconds_sum{label} {self._seconds[route]:.6f}"
            yield f"rinsho_request_seconds_count{label} {n_so_far}"


def _braces(labels: _Labels) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels) + "}"


def _process() -> dict[str, float]:
    """Return what a leak would show in: memory, files and threads of this process."""
    found: dict[str, float] = {"threads": threading.active_count()}
    proc = Path("/proc/self")
    if proc.is_dir():
        pages = int((proc / "statm").read_text().split()[1])
        found["resident_memory_bytes"] = pages * os.sysconf("SC_PAGE_SIZE")
        found["open_files"] = sum(1 for _ in (proc / "fd").iterdir())
    return found
