"""Morphemes by MeCab (fugashi, IPADIC) with a user dictionary of terms; used in training alone."""

from __future__ import annotations

import errno
import re
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from rinsho.errors import DictionaryMissing, MissingDependency

# Context id of 名詞,一般 in IPADIC's connection matrix, left and right.
_NOUN = 1285
# MeCab stores a cost in 16 bits and lets a lower one wrap round to a huge positive one.
_LOWEST_COST = -32_768
_MAGIC = 0xEF718F77  # DictionaryMagicID in MeCab's dictionary.cpp
# Characters that are a word by themselves: no piece joins them with a neighbour. "<" keeps
# `<0x41>` apart from a byte token, the brackets make an identifier's placeholder always win.
_ALONE = re.compile(r"([<\[\]\s])")
_MAX_LINE = 4_096  # MeCab's lattice grows with the line; a cut here and there changes no vocabulary
_KANA_ONLY = re.compile(r"[ぁ-ゖー]{1,3}")


class Morphology:
    """A morphological analyser; make it with `new_morphology`."""

    def __init__(self, arguments: str) -> None:
        from fugashi.fugashi import GenericTagger  # pyright: ignore[reportMissingImports]

        self._tagger = GenericTagger(arguments)

    def words(self, line: str) -> list[str]:
        """Return the line cut into words; joined, they are the line.

        A single space before a Latin word belongs to that word: "3 mg" is "3", " mg".
        """
        words: list[str] = []
        position = 0
        for word in str(self._tagger.parse(line)).split(" "):
            start = line.find(word, position) if word else -1
            if start < 0:
                continue
            gap = line[position:start]
            if gap == " " and word[0].isascii() and word[0].isalpha():
                word, gap = " " + word, ""
            words.extend(gap)
            words.append(word)
            position = start + len(word.lstrip(" "))
        words.extend(line[position:])
        return words


def new_morphology(terms: Iterable[str], folder: Path) -> Morphology:
    """Compile a user dictionary of terms into `folder` and return an analyser that knows them.

    Raises:
        MissingDependency: fugashi or ipadic is not installed.
        DictionaryMissing: MeCab cannot compile or read its dictionaries.
    """
    for package in ("fugashi", "ipadic"):
        if find_spec(package) is None:
            raise MissingDependency(where="train-tokenizer", expected="corpus", found=package)
    import ipadic

    rows = [_row(term) for term in sorted(set(terms)) if _is_word(term)]
    arguments = f'-r /dev/null -d "{ipadic.DICDIR}" -Owakati'
    if rows:
        arguments += f' -u "{_compile(rows, folder, Path(ipadic.DICDIR))}"'
    try:
        return Morphology(arguments)
    except RuntimeError:
        raise DictionaryMissing(where="ipadic") from None


def _is_word(term: str) -> bool:
    # Short words in hiragana alone would cut ordinary prose to pieces.
    has_delimiter = any(c in ',"' or c.isspace() for c in term)
    return 2 <= len(term) <= 64 and not has_delimiter and not _KANA_ONLY.fullmatch(term)


def _row(term: str) -> str:
    # The longer a term, the surer; the formula of mecab-ipadic-NEologd, within 16 bits.
    cost = max(_LOWEST_COST, int(-400 * len(term) ** 1.5))
    return f"{term},{_NOUN},{_NOUN},{cost},名詞,一般,*,*,*,*,{term},*,*\n"


def _compile(rows: list[str], folder: Path, system: Path) -> Path:
    source, compiled = folder / "terms.csv", folder / "terms.dic"
    source.write_text("".join(rows), encoding="utf-8")
    command = f'mecab-dict-index -d "{system}" -u "{compiled}" -f utf-8 -t utf-8 "{source}"'
    # In a process of its own: it prints to standard output, and it exits on an error.
    script = "import sys, fugashi; fugashi.build_dictionary(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", script, command], capture_output=True, check=False)
    if done.returncode != 0 or not compiled.is_file():
        raise DictionaryMissing(where="the user dictionary (mecab-dict-index)")
    # MeCab says nothing when the disk is full; its first four bytes are the size it meant to write.
    with compiled.open("rb") as file:
        (magic,) = struct.unpack("<I", file.read(4).ljust(4, b"\0"))
    if magic ^ _MAGIC != compiled.stat().st_size:
        raise OSError(errno.ENOSPC, "mecab-dict-index")
    return compiled


def cut_alone(word: str) -> list[str]:
    """Return a word of the analyser without the characters that stand alone.

    >>> cut_alone("a<b")
    ['a', '<', 'b']
    >>> cut_alone(" mg")
    [' mg']
    """
    if word[0] == " " and len(word) > 1:
        first, *rest = cut_alone(word[1:])
        return [" " + first, *rest] if first[0].isalpha() else [" ", first, *rest]
    return [part for part in _ALONE.split(word) if part]


def lines(text: str) -> Iterator[str]:
    """Yield the lines of a text, long ones in parts, as the analyser takes them."""
    for line in text.split("\n"):
        for start in range(0, len(line), _MAX_LINE):
            yield line[start : start + _MAX_LINE].replace("\0", " ")
