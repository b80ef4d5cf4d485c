from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from rinsho import errors
from rinsho.errors import RinshoError


def leaves(root: type[RinshoError]) -> list[type[RinshoError]]:
    found = [leaf for child in root.__subclasses__() for leaf in leaves(child)]
    return found or [root]


EVERY = [error for error in leaves(RinshoError) if error.__module__ == errors.__name__]


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("error", EVERY, ids=lambda e: e.code)
def test_every_error_has_both_languages_with_the_same_fields(error: type[RinshoError]) -> None:
    assert error.ja and error.en and error.hint_ja and error.hint_en
    assert re.search("[ぁ-んァ-ヶ一-龠]", error.ja + error.hint_ja)
    assert not re.search("[ぁ-んァ-ヶ一-龠]", error.en + error.hint_en)
    assert fields(error.ja + error.hint_ja) == fields(error.en + error.hint_en)
    assert fields(error.ja) <= {"where", "expected", "found"}


def test_codes_are_unique_and_of_their_branch() -> None:
    codes = [error.code for error in EVERY]
    assert len(codes) == len(set(codes))
    for error in EVERY:
        branch = error.__mro__[1]
        assert issubclass(branch, RinshoError)
        assert error.code[0] == branch.code[0], error


def test_an_error_reads_as_two_lines_in_the_language_asked_for() -> None:
    error = errors.NotText(where="notes-003.jsonl 41", expected="UTF-8")
    assert error.text("ja").splitlines() == [
        "エラー[D012]: 文書の文字コードが UTF-8 ではありません: notes-003.jsonl 41",
        "対処: 正しい文字コード（utf-8, cp932 など）を --encoding"
        "（実行ファイルでは encoding）に指定してください",
    ]
    assert str(error).startswith("Error[D012]: not UTF-8 text")


@pytest.mark.parametrize(
    ("variables", "language"),
    [({"LC_ALL": "ja_JP.UTF-8"}, "ja"), ({"LANG": "en_US.UTF-8"}, "en"), ({"LANG": "C"}, "en")],
)
def test_the_language_is_that_of_the_locale(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], language: str
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert errors.default_language() == language


def test_the_page_of_errors_lists_every_one() -> None:
    page = (Path(__file__).parent.parent / "docs" / "errors.md").read_text(encoding="utf-8")
    for error in EVERY:
        assert f"### {error.code} {error.__name__}\n" in page
        assert error.ja in page and error.en in page and error.hint_ja in page
