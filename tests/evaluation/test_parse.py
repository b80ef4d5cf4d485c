"""Parsers against what the published code does, and against hostile output."""

import ast
import builtins
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.evaluation import parse
from rinsho.evaluation.parse import (
    format_spans,
    official_letter,
    parse_letters,
    parse_list,
    parse_spans,
    without_thinking,
)
from rinsho.text.spans import CERTAINTIES, LABELS, Span


@pytest.mark.parametrize(
    ("output", "letter"),
    [
        ("ADEの可能性は低い", "A"),
        ("Answer: B", "A"),
        ("回答はBです", "B"),
        ("Ｂ", "None"),
        ("b", "None"),
        ("Because C", "B"),
        ("F", "F"),
        ("", "None"),
    ],
)
def test_the_official_letter_is_the_first_capital_wherever_it_stands(output, letter):
    assert official_letter(output) == letter


@pytest.mark.parametrize(
    ("output", "letters"),
    [
        ("B", "B"),
        ("Ｂ", "B"),
        ("b\n", "B"),
        ("B. 肺炎", "B"),
        ("回答はBです", "B"),
        ("Answer: B", "B"),
        ("A ではない。答え：C", "C"),
        ("答え: D。理由はAではないため", "D"),
        ("ADEの可能性は低い", ""),
        ("A、C", ""),  # too many
        ("E", ""),  # beyond the choices
        ("肺炎です", ""),
        ("", ""),
        ("A1", ""),
        ("考え中\nB\n以上", "B"),
    ],
)
def test_the_corrected_letter_is_isolated_and_one_of_the_choices(output, letters):
    assert "".join(parse_letters(output, "ABCD").letters) == letters


@pytest.mark.parametrize("output", ["A,C", "AC", "A、C", "a c", "C, A", "正解はAとC"])
def test_two_letters_are_a_set_where_two_were_asked_for(output):
    assert parse_letters(output, "ABCDE", n_letters=2).letters == ("A", "C")


def test_only_the_bare_letter_is_strict():
    assert parse_letters("A", "AB").is_strict
    assert not parse_letters("A です", "AB").is_strict


LITERALS = [
    "['a', 'b']",
    '["a"]',
    "['a',]",
    "(['a'])",
    "  \t['a']",
    "\n['a']",
    "['a']\n\n",
    "['a']  # 以上",
    "['a' 'b']",
    "['''a''', r'b', u'c', '\\u80c3']",
    "[]",
    "()",
    "('a','b')",
    "'a','b'",
    "{'a'}",
    "None",
    "",
    "['a', 'b'",
    "回答: ['a']",
    "['a']。",
    "```python\n['a']\n```",
    "['a']\n['b']",
    "['a'、'b']",
    "[‘a’]",
    "['a\nb']",
    "\u3000['a']",
    "[甲, 乙]",
]


def with_eval(text: str) -> list[str]:
    """What the published code does; only called on the harmless strings above."""
    try:
        value = builtins.eval(text, {"__builtins__": {}})  # noqa: S307
    except Exception:
        return []
    return value if isinstance(value, list) else []


@pytest.mark.parametrize("output", LITERALS)
def test_a_list_of_literals_reads_as_the_published_code_reads_it(output):
    assert list(parse_list(output).entities) == with_eval(output)


@pytest.mark.parametrize(
    "output",
    ["['a'] + ['b']", "['a']*3", "list('ab')", "[x for x in 'ab']", "[f'a']", "exit()", "[1+2]"],
)
def test_expressions_are_counted_and_never_run(output):
    parsed = parse_list(output)
    assert parsed.entities == ()
    assert parsed.is_expression
    assert not parsed.is_valid


def test_elements_that_are_not_strings_are_dropped_and_counted():
    parsed = parse_list("['a', 1, ['b'], {'c': 2}, None]")
    assert parsed.entities == ("a",)
    assert parsed.n_dropped == 4


HOSTILE = [
    "__import__('os').system('touch hostile')",
    "[open('hostile', 'w').write('x')]",
    "[" * 5_000,
    "-" * 20_000 + "1",
    "(" * 90 + "['a']" + ")" * 90,
    "1+" * 20_000 + "1",
    "'" + "a" * 200_000 + "'",
    "9" * 10_000,
    "['a\x00b']",
    "['\ud800']",
    "['\\N{BULLET}', '\\d']",
    "{[]: 1}",
    "1e999999",
    "lambda: 0",
]


@pytest.mark.parametrize("output", HOSTILE)
def test_hostile_output_neither_runs_nor_fails(output, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    parse_list(output)
    parse_spans(output, 10)
    parse_letters(output, "ABCD")
    official_letter(output)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_nothing_in_the_package_evaluates_text():
    source = Path(parse.__file__).parent.parent
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile", "__import__"), path.name


@pytest.mark.parametrize("output", ["[text]", "[np]", "[*['a']]", "['a'][:1]", "[not True]",
                                    "['a'] if 1 else []", "sorted(['a'])"])  # fmt: skip
def test_names_and_slices_of_the_publishers_parser_are_no_lists(output):
    assert parse_list(output).entities == ()
    assert parse_list(output).is_expression


pieces = st.sampled_from(
    ["[", "]", "(", ")", "{", "}", "'", '"', ",", "a", "胃癌", "1", "-", "\\", "#", "\n", "f'", "*"]
)


@given(st.one_of(st.text(), st.lists(pieces, max_size=40).map("".join)))
def test_no_output_makes_a_parser_fail(output):
    parse_list(output)
    parse_spans(output, 10)
    parse_letters(output, "ABCD")
    official_letter(output)


@given(st.lists(pieces, max_size=20).map("".join))
def test_a_valid_list_is_what_eval_would_give(output):
    parsed = parse_list(output)
    if parsed.is_valid:
        assert list(parsed.entities) == [x for x in with_eval(output) if isinstance(x, str)]


spans = st.builds(
    lambda start, length, label, certainty: Span(start, start + length, label, certainty),
    st.integers(0, 50),
    st.integers(1, 10),
    st.sampled_from(LABELS),
    st.sampled_from(CERTAINTIES),
)


@given(st.sets(spans))
def test_spans_survive_writing_and_reading(found):
    parsed = parse_spans(format_spans(tuple(found)), 60)
    assert parsed.is_valid
    assert set(parsed.spans) == found


@pytest.mark.parametrize(
    "output",
    [
        '[[0, 11, "drug", "present"]]',
        '[[1, 1, "drug", "present"]]',
        '[[0, 1, "x", "present"]]',
        "7",
    ],
)
def test_a_span_out_of_the_text_or_without_a_label_is_invalid(output):
    assert not parse_spans(output, 10).is_valid


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("B", "B"),
        ("<think>A</think>\nB", "\nB"),
        ("<Thinking>A</Thinking>B<thoughts>C</thoughts>D", "BD"),
        ("A</think>B", "B"),
        ("<think><think>A</think>B", "B"),
        ("B<think>", None),
        ("<think>A</think>B<think>", None),
    ],
)
def test_closed_thinking_is_removed_and_open_thinking_leaves_no_answer(output, said):
    assert without_thinking(output) == said


@given(st.lists(st.sampled_from(["<think>", "</think>", "</THINK>", "A", "\n"]), max_size=12))
def test_no_tag_of_thinking_is_left_where_there_is_an_answer(pieces):
    said = without_thinking("".join(pieces))
    assert said is None or "think>" not in said.lower()


def test_many_open_tags_are_read_in_one_pass():
    assert without_thinking("<think>" * 20_000) is None
