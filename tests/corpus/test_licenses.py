"""Which licenses a run may use."""

from __future__ import annotations

import pytest

from rinsho.corpus.licenses import is_allowed, license_name, verdict


@pytest.mark.parametrize(
    ("written", "name", "expected"),
    [
        ("CC BY-SA 3.0", "CC-BY-SA-3.0", "free"),
        ("CC BY 2.5", "CC-BY-2.5", "free"),
        ("cc-by-4.0", "CC-BY-4.0", "free"),
        ("CC0 1.0", "CC0-1.0", "free"),
        ("MIT", "MIT", "free"),
        ("Apache License, Version 2.0", "Apache-2.0", "free"),
        ("PDL1.0 (CC BY 4.0 compatible)", "PDL-1.0", "free"),
        ("public domain in Japan", "public domain", "free"),
        ("not copyrightable (Copyright Act of Japan, Art. 13)", "not copyrightable", "free"),
        ("CC BY-NC-SA 4.0", "CC-BY-NC-SA-4.0", "noncommercial"),
        ("research, non-commercial", "research, non-commercial", "noncommercial"),
        ("CC BY-ND 4.0", "CC-BY-ND-4.0", "unknown"),
        ("GPL-3.0", "GPL-3.0", "unknown"),
        ("unknown", "unknown", "unknown"),
        ("", "", "unknown"),
        ("MITRE internal", "MITRE internal", "unknown"),
    ],
)
def test_a_license_has_one_name_and_one_verdict(written: str, name: str, expected: str) -> None:
    assert license_name(written) == name
    assert verdict(name) == expected


def test_noncommercial_needs_the_switch_and_unknown_needs_a_name() -> None:
    assert not is_allowed("CC-BY-NC-SA-4.0", (), noncommercial=False)
    assert is_allowed("CC-BY-NC-SA-4.0", (), noncommercial=True)
    assert is_allowed("CC-BY-NC-SA-4.0", ("CC BY-NC-SA 4.0",), noncommercial=False)
    assert not is_allowed("our own notes", (), noncommercial=True)
    assert is_allowed("our own notes", ("our own notes",), noncommercial=False)
