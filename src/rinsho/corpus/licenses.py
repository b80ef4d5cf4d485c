"""Licenses: one name for each, and whether a run may use it."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterable
from typing import Literal

from rinsho.errors import LicenseRefused
from rinsho.manifest import FinishedFolder

Verdict = Literal["free", "noncommercial", "unknown"]

_CREATIVE_COMMONS = re.compile(
    r"^CC[ -]BY(?P<nc>[ -]NC)?(?P<more>[ -](?:SA|ND))?[ -](?P<version>\d\.\d)", re.IGNORECASE
)
_NAMES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), name)
    for pattern, name in (
        (r"^CC[ -]?0\b", "CC0-1.0"),
        (r"^MIT\b", "MIT"),
        (r"^Apache(?: License)?[ ,-]*(?:Version )?2", "Apache-2.0"),
        (r"^BSD-3", "BSD-3-Clause"),
        (r"^BSD-2", "BSD-2-Clause"),
        (r"^ODC-BY", "ODC-By-1.0"),
        (r"^CDLA-Permissive-2", "CDLA-Permissive-2.0"),
        (r"^PDL-?1\.0|^公共データ利用規約", "PDL-1.0"),
        (r"^public domain", "public domain"),
        (r"^not copyrightable", "not copyrightable"),
    )
)
_NONCOMMERCIAL = re.compile(r"\bNC\b|non-?commercial|非商用|非営利", re.IGNORECASE)


@functools.lru_cache(1024)  # asked for every record; a corpus has a few
def license_name(written: str) -> str:
    """Return the SPDX identifier of a license, or what was written where it has none.

    >>> license_name("CC BY-NC-SA 4.0"), license_name("PDL1.0 (CC BY 4.0 compatible)")
    ('CC-BY-NC-SA-4.0', 'PDL-1.0')
    """
    written = " ".join(written.split())
    if match := _CREATIVE_COMMONS.match(written):
        parts = ("CC-BY", match["nc"] or "", match["more"] or "", f"-{match['version']}")
        return "".join(parts).replace(" ", "-").upper()
    return next((name for pattern, name in _NAMES if pattern.match(written)), written)


@functools.lru_cache(1024)
def verdict(name: str) -> Verdict:
    """Tell what is known about a license: free to use, non-commercial only, or nothing."""
    if _NONCOMMERCIAL.search(name):
        return "noncommercial"
    match = _CREATIVE_COMMONS.match(name)
    is_adaptable = match is not None and "ND" not in (match["more"] or "").upper()
    return "free" if is_adaptable or name in {name for _, name in _NAMES} else "unknown"


def is_allowed(name: str, allow_licenses: Collection[str], *, noncommercial: bool) -> bool:
    """Tell whether a run may use texts under a license.

    Args:
        name: From `license_name`.
        allow_licenses: Names that a person vouches for, as written or as SPDX identifiers.
        noncommercial: Whether the run serves a non-commercial purpose.
    """
    if name in {license_name(one) for one in allow_licenses}:
        return True
    known = verdict(name)
    return known == "free" or (known == "noncommercial" and noncommercial)


def check_folders(
    folders: Iterable[FinishedFolder], allow_licenses: Collection[str], *, noncommercial: bool
) -> None:
    """Refuse input folders that hold, or were made from, what a run may not use.

    A folder's manifest names the licenses of everything that went into it, through all stages. A
    stage that takes a part of a folder (`exclude_sources`) still answers for all of it.

    Args:
        folders: Every input folder of a stage.
        allow_licenses, noncommercial: As in `is_allowed`.

    Raises:
        LicenseRefused: With the folder and the license; a license that somebody wrote into private
            text is not quoted.
    """
    for folder in folders:
        identity = folder.manifest.identity
        for written in identity.licenses:
            name = license_name(written)
            if not is_allowed(name, allow_licenses, noncommercial=noncommercial):
                is_hidden = identity.is_private and verdict(name) == "unknown"
                shown = "unknown" if is_hidden else name[:60]
                raise LicenseRefused(where=folder.path.name, found=shown)
