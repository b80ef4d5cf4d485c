"""The helpers that torch's OpenMP keeps for each thread that computes."""

from __future__ import annotations

import ctypes
import sys

_SOFT = 1  # omp_pause_soft (OpenMP 5.0, section 2.8.6)


def release_helpers() -> None:
    """End the helpers of the calling thread; its next product starts them again.

    GNU's OpenMP counts the helpers of all threads. Where they are more than the cores, none keeps
    watch for work any more and every product has to wake its own: a token takes 1.8 times as long
    on two cores. So who will not compute for a while lets go of them.
    """
    if sys.platform == "win32":
        return
    if release := getattr(ctypes.CDLL(None), "omp_pause_resource_all", None):
        release(_SOFT)
