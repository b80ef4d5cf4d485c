"""A linear-chain CRF over the characters around each character: no pre-training, no dictionary.

Source:
    Lafferty, McCallum and Pereira 2001, "Conditional Random Fields". CRFsuite (Okazaki 2007)
    through python-crfsuite (MIT), L-BFGS: the same rows give the same model.
"""

from __future__ import annotations

import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from rinsho.errors import MissingDependency

Borders = tuple[int, int]
_REACH = 3  # characters to each side
_LONGEST = 4  # characters of an n-gram
_BLANK = "\x02"  # beyond the text; CRFsuite ends a name at a zero


def train_character_crf(
    rows: Iterable[tuple[str, Sequence[Borders]]], n_iterations: int = 40
) -> Callable[[str], list[Borders]]:
    """Learn where spans stand in texts; return what finds them in another text.

    Args:
        rows: Texts with their spans, which do not overlap, in code points.
        n_iterations: Of L-BFGS, at most.

    Raises:
        MissingDependency: python-crfsuite is not installed.
    """
    # CRFsuite writes its model to a file, and reads all of it back: the file is needed no longer.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.crfsuite"
        tagged = ((text, to_tags(len(text), spans)) for text, spans in rows)
        write_character_crf(tagged, path, n_iterations)
        tag = read_character_crf(path)
    return lambda text: to_borders(tag(text))


def write_character_crf(
    rows: Iterable[tuple[str, Sequence[str]]], path: Path, n_iterations: int = 40
) -> None:
    """Learn the tag of each character, and write the model in CRFsuite's own format.

    Args:
        rows: Texts, and any tag for each of their characters.
        path: The file to write.
        n_iterations: Of L-BFGS, at most.

    Raises:
        MissingDependency: python-crfsuite is not installed.
    """
    trainer = _crfsuite().Trainer(algorithm="lbfgs", verbose=False)
    trainer.set_params({"c1": 0.05, "c2": 0.05, "max_iterations": n_iterations})
    for text, tags in rows:
        trainer.append(features(text), tags)
    trainer.train(str(path))


def read_character_crf(path: Path) -> Callable[[str], list[str]]:
    """Return what gives the most likely tag of each character of a text.

    Raises:
        MissingDependency: python-crfsuite is not installed.
        ValueError: The file is no model of CRFsuite.
    """
    tagger = _crfsuite().Tagger()
    tagger.open(str(path))
    return lambda text: tagger.tag(features(text))


def features(text: str) -> list[list[str]]:
    """Return the n-grams around each character with their place, and the kinds of characters."""
    blank = _BLANK * _REACH
    padded = blank + unicodedata.normalize("NFKC", text) + blank
    if len(padded) != len(text) + 2 * _REACH:  # NFKC changed the length: offsets would be lost
        padded = blank + text + blank
    kinds = "".join(map(_kind, padded))
    places = [(s, n) for n in range(1, _LONGEST + 1) for s in range(2 * _REACH + 2 - n)]
    kind_places = [(s, n) for s, n in places if n <= 3]
    return [
        [f"{s},{n}={padded[i + s : i + s + n]}" for s, n in places]
        + [f"k{s},{n}={kinds[i + s : i + s + n]}" for s, n in kind_places]
        for i in range(len(text))
    ]


def _kind(character: str) -> str:
    """Return one letter for the script of a character.

    >>> "".join(map(_kind, "胃がんア1a、"))
    'chhkdax'
    """
    if character.isdigit():
        return "d"
    if "぀" <= character <= "ゟ":
        return "h"
    if "゠" <= character <= "ヿ":
        return "k"
    if "㐀" <= character <= "鿿":
        return "c"
    return "a" if character.isalpha() else "x"


def to_tags(length: int, spans: Sequence[Borders]) -> list[str]:
    """Return B at the start of each span, I in it, O elsewhere.

    >>> to_tags(4, [(1, 3)])
    ['O', 'B', 'I', 'O']
    """
    tags = ["O"] * length
    for start, end in spans:
        tags[start:end] = ["B", *["I"] * (end - start - 1)]
    return tags


def to_borders(tags: Sequence[str]) -> list[Borders]:
    """Return the spans of tags; an I without a span before it starts one.

    >>> to_borders(["B", "I", "B", "O", "I"])
    [(0, 2), (2, 3), (4, 5)]
    """
    found: list[Borders] = []
    for place, tag in enumerate(tags):
        if tag == "I" and found and found[-1][1] == place:
            found[-1] = (found[-1][0], place + 1)
        elif tag != "O":
            found.append((place, place + 1))
    return found


def require_crfsuite() -> None:
    """Check that python-crfsuite is there.

    Raises:
        MissingDependency: With the extra that brings it.
    """
    _crfsuite()


def _crfsuite() -> Any:
    import importlib

    try:
        return importlib.import_module("pycrfsuite")
    except ImportError:
        raise MissingDependency(
            where="character-crf", found="python-crfsuite", expected="baselines"
        ) from None
