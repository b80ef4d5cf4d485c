"""The planted identifiers: the same every time, cut right, from sources apart."""

import doctest
import importlib
import re
import sys
import tomllib
import unicodedata
from collections import Counter
from itertools import combinations, islice
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "identifiers"
# The half `test` is made anew each time an older one has been read: between two it is absent.
HALVES = tuple(
    half
    for half in ("dev", "dev2", "dev3", "dev4", "dev5", "dev6", "dev7", "test")
    if (FOLDER / "forms" / half).is_dir()
)
# dev4 is broad; dev6, dev7 and test are typed from knowledge: they may name another half's names.
APART = [half for half in HALVES if half not in ("dev4", "dev6", "dev7", "test")]
DASHES = dict.fromkeys(map(ord, "ー‐−–―─〜～~"), "-")
KANJI_DIGITS = str.maketrans("〇一二三四五六七八九", "0123456789")
SHAPES = {
    "postal_code": r"\d\|?\d\|?\d[-の|]?\d\|?\d\|?\d\|?\d",
    "phone": r"\+?[\d()_./・、局番の|+-]+",
    "mail": r"[^@]+@[a-z.-]+\.(jp|com|org|net)",
    "url": r"((https?|h(xx|\*\*)ps?|ttps?|ftp)://|www\.|[a-z0-9-]+\.)\S+",
    "license_number": r"\d(\|?\d){11}",
    "passport_number": r"[a-z]\|?[a-z]?[の|-]?\d(\|?\d){6,7}[a-z]?",
    "my_number": r"\d{4}([.の|、_・-]?)\d{4}\1\d{4}|\d(\|\d){11}",
    "record_number": r"[a-z]*[a-zの、\d-]*\d",
    "device_number": r"[a-z0-9()+/$:-]+",
}


def plain(value, kind):
    """Write a value in one notation: figures, dashes and signs alike, no blanks."""
    folded = unicodedata.normalize("NFKC", value).translate(DASHES)
    if kind in ("postal_code", "phone", "my_number", "license_number", "record_number"):
        folded = folded.translate(KANJI_DIGITS)
    if kind == "mail":
        folded = re.sub(r"[\[(]at[\])]|☆|アットマ-ク", "@", folded)
    return re.sub(r"\s", "", folded).lower()


@pytest.fixture(scope="module")
def bench():
    sys.path.insert(0, str(FOLDER))
    yield {name: importlib.import_module(name) for name in ("values", "planted", "measure")}
    sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module", params=HALVES)
def documents(request, bench):
    return list(bench["planted"].write_documents(request.param))


def test_the_same_seed_plants_the_same_and_another_does_not(bench):
    def first(half, seed):
        return list(islice(bench["planted"].write_documents(half, seed), 100))

    for half in HALVES:
        assert first(half, 7) == first(half, 7) != first(half, 8)


def test_every_kind_is_planted_as_often_as_promised(bench, documents):
    counts = Counter(span.kind for document in documents for span in document.spans)
    assert all(counts[kind] >= 1_500 for kind in bench["planted"].STRUCTURED)
    assert all(counts[kind] >= 400 for kind in ("hospital", "workplace", "school"))
    names = [span for document in documents for span in document.spans if span.kind == "name"]
    assert sum(span.has_cue for span in names) >= 1_500
    assert sum(not span.has_cue for span in names) >= 400
    assert {span.role for span in names} == {"patient", "family", "staff"}


def test_spans_cut_out_the_planted_values_and_nothing_else(documents):
    for document in documents:
        assert not re.search(r"[⟦⟧]|\{[^\"{}\s]+\}", document.text)
        end = 0
        for span in document.spans:
            value = document.text[span.start : span.end]
            assert end <= span.start < span.end
            assert value == value.strip()
            shape = SHAPES.get(span.kind, "(?s:.+)")
            assert re.fullmatch(shape, plain(value, span.kind)), (span.kind, value)
            end = span.end


def test_my_numbers_are_valid_by_the_weights_written_out(documents):
    weights = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)  # of the 11 digits from the left
    for document in documents:
        for span in document.spans:
            if span.kind == "my_number":
                value = document.text[span.start : span.end]
                digits = [int(c) for c in plain(value, span.kind) if c.isdigit()]
                rest = sum(w * d for w, d in zip(weights, digits, strict=False)) % 11
                assert digits[11] == (0 if rest < 2 else 11 - rest)


def test_the_halves_share_no_source_and_no_person_or_place(bench):
    tokens, pools = {}, {}
    for half in HALVES:
        groups = [
            group
            for path in (FOLDER / "forms" / half).glob("*.toml")
            for group in tomllib.loads(path.read_text(encoding="utf-8")).get("group", ())
        ]
        sources = " ".join(group["source"] for group in groups)
        tokens[half] = set(re.findall(r"https?://[^\s;,]+|[\w-]+/[\w.-]+", sources))
        pools[half] = bench["planted"].read_forms(half).pools
        assert {group["kind"] for group in groups} == set(bench["planted"].KINDS)
    for one, other in combinations([half for half in HALVES if half != "dev4"], 2):
        assert not tokens[one] & tokens[other]
    for one, other in combinations(APART, 2):
        for key in ("families", "givens", "places"):
            values = (
                {tuple(value) for value in getattr(pools[half], key)} for half in (one, other)
            )
            assert not set.intersection(*values), (one, other, key)


def test_check_digits_and_dates_are_those_of_the_examples(bench):
    assert doctest.testmod(bench["values"]).failed == 0


def test_hard_cases_are_a_hundred_and_their_spans_lie_in_the_text(bench):
    cases = list(bench["measure"].read_hard_cases())
    assert len({case.text for case in cases}) == 100
    for case in cases:
        ends = [place for span in case.spans for place in (span.start, span.end)]
        assert (
            ends == sorted(ends)
            and len(set(ends)) == len(ends)
            and max(ends, default=0) <= len(case.text)
        )
        assert {span.kind for span in case.spans} <= {*bench["planted"].KINDS, "?"}


def test_recall_needs_the_whole_span_and_precision_forgives_what_may_be_found(bench):
    span, document = bench["planted"].Span, bench["planted"].Planted
    text = "氏名 山田 花子 内線 12 川崎病"
    report = bench["measure"].Report()
    report.add(
        document(text, (span(3, 8, "name"), span(12, 14, "?"))),
        [span(3, 5, "name"), span(6, 8, "name"), span(12, 14, "phone"), span(15, 17, "name")],
    )
    counts = report.counts["name"]
    assert (counts.n, counts.found, counts.covered, counts.exact, counts.part) == (1, 1, 1, 0, 0)
    assert report.predicted == {"name": [3, 2], "phone": [1, 1]}
    report.add(document(text, (span(3, 8, "name"),)), [span(3, 5, "name"), span(5, 8, "address")])
    assert (counts.n, counts.found, counts.covered, counts.part) == (2, 1, 2, 0)
    report.add(document(text, (span(3, 8, "name"),)), [span(3, 5, "name")])
    assert (counts.n, counts.found, counts.covered, counts.part) == (3, 1, 2, 1)


def test_misses_of_the_test_half_are_not_shown(bench, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["measure.py", "test", "--misses", "1"])
    with pytest.raises(SystemExit):
        bench["measure"].main()
    assert "not shown" in capsys.readouterr().err


def test_a_detector_sees_normalized_text_and_its_spans_are_mapped_back(
    bench, monkeypatch, tmp_path
):
    (tmp_path / "find_x.py").write_text(
        "import re\n"
        "from planted import Span\n"
        "def find(text, kinds):\n"
        "    return [Span(one.start(), one.end(), 'url') for one in re.finditer('x+', text)]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    detect = bench["measure"].open_detector("find_x:find")
    assert detect("ﾊﾟｘｘ\u200bｘ。") == [bench["planted"].Span(2, 6, "url")]
