"""Words that stand beside names, and words that stand where a name would and are none."""

from __future__ import annotations

import importlib.resources
import re


def read_words(name: str) -> list[str]:
    """Return the words of one of the lists beside this module."""
    words = importlib.resources.files("rinsho.text").joinpath("words", f"{name}.txt")
    return words.read_text("utf-8").split()


def in_any_case(words: list[str]) -> list[str]:
    """Return the words, those in Latin letters also in small letters, capitals and as titles."""
    more = [
        w for word in words if len(word) > 3 for w in (word.lower(), word.upper(), word.title())
    ]
    return list(dict.fromkeys([*words, *(word for word in more if word.isascii())]))


_own = [
    *read_words("own_cues"),
    "主 治 医",
    "Patient Name",
    "Patient name",
    "patient name",
    "Full name",
    "氏 名",
    "氏  名",
    "氏   名",
    "患者氏 名",
    "名  前",
    "患 者 名",
    "名 前",
]
OWN_CUES = in_any_case(_own)
ROLE_CUES = in_any_case(read_words("role_cues"))
HONORIFICS = [*read_words("honorifics"), "家 御一同", "家 一同", "家一同"]
# In notes alone: in public text they stand behind other words as often.
NOTE_HONORIFICS = read_words("note_honorifics")
KIN = read_words("kin")
NO_NAME_LETTERS = "".join(read_words("no_name_letters"))


class NoNames:
    """Words that no name holds: plain ones looked up by their lengths, the rest as patterns."""

    def __init__(self, words: list[str]) -> None:
        """Keep the words; those with signs of a pattern are patterns."""
        self._plain = frozenset(word for word in words if not re.search(r"[\^$?+*\[]", word))
        self._lengths = sorted({len(word) for word in self._plain})
        self._patterns = re.compile("|".join(w for w in words if w not in self._plain) or "(?!)")

    def search(self, text: str) -> bool:
        """Tell whether a text holds one of the words."""
        for length in self._lengths:
            for start in range(len(text) - length + 1):
                if text[start : start + length] in self._plain:
                    return True
        return self._patterns.search(text) is not None


NO_NAME = NoNames(read_words("no_name"))
NO_PERSON_BEFORE_HONORIFIC = frozenset(read_words("no_person"))
NO_KATAKANA_NAME = NoNames(read_words("no_katakana_name"))
