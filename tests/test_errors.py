from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from rinsho import errors
from rinsho.error_words import in_japanese, phrases
from rinsho.errors import RinshoError

SOURCE = Path(errors.__file__).parent
NOT_SHOWN = {"identifier_anchors.py", "repeated_lines.py"}  # for who calls them, not for a person
GIVEN = ("where", "expected", "found", "hint", "limit")
COMMAND = re.compile("`?rinsho [a-z-]+`?")
ENGLISH = re.compile(r"(?<![`\w./-])[a-z]{2,} [a-z]{2,}|\b(?:a|an|no|not|the|to|more|other)\b ")


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


def texts_in(value: ast.expr) -> Iterator[str]:
    """The texts of an expression, with a 7 for what is computed."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.JoinedStr):
        yield "".join(str(getattr(part, "value", 7)) if isinstance(part, ast.Constant) else "7"
                      for part in value.values)  # fmt: skip
    elif isinstance(value, ast.IfExp | ast.BoolOp):
        parts = value.values if isinstance(value, ast.BoolOp) else (value.body, value.orelse)
        yield from (text for part in parts for text in texts_in(part))


def given_to_errors(path: Path) -> Iterator[str]:
    """The texts that a file puts into errors: where, expected, found and hint."""
    names = {error.__name__ for error in EVERY} | {"ValueError"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names:
            values = [*node.args, *(one.value for one in node.keywords)]
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in GIVEN:
            values = [node.value]
        else:
            continue
        yield from (text for value in values for text in texts_in(value))


def test_no_english_phrase_stands_in_a_japanese_error() -> None:
    left = {
        text
        for path in sorted(SOURCE.rglob("*.py"))
        if path.name not in NOT_SHOWN
        for text in given_to_errors(path)
        if ENGLISH.search(COMMAND.sub("", text)) and in_japanese(text) == text
    }
    assert left == set()


def test_phrases_fill_japanese_errors_with_what_differs() -> None:
    error = errors.KeyLimit(where="requests", found="more", expected="600 per minute")
    assert error.message("ja") == (
        "この鍵の上限を超えます: 要求の数（上限より多い要求、上限 1 分に 600 件）"
    )
    assert "600 per minute" in error.message("en")
    host = errors.InvalidValue(where="--host", expected="an address of this machine")
    assert host.next_step("ja") == "この機械のアドレスを指定してください"
    path = errors.PathMissing(where="{found} 佐藤 花子")
    assert path.message("ja").endswith(": {found} 佐藤 花子")


def test_a_phrase_has_no_place_more_in_japanese() -> None:
    for english, japanese in phrases().items():
        assert japanese.count("{}") <= english.count("{}"), english
        assert re.search("[ぁ-んァ-ヶ一-龠]|engine = ", japanese), english
