"""Documents about the entries of published lists: what they say stands in the lists."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.corpus.document import Document, read_documents, read_json_lines
from rinsho.corpus.lexicon_entries import Lists, read_lists
from rinsho.corpus.lexicon_lists import LexiconList, icd10_code
from rinsho.corpus.synthesize import SynthesizeConfig, show_synthesize, synthesize
from rinsho.errors import (
    BrokenRecord,
    DataFolderMissing,
    InvalidValue,
    LicenseRefused,
    NotText,
    PathMissing,
)
from rinsho.manifest import Manifest
from rinsho.runfile import read_run_file, to_config
from rinsho.text.normalize import normalize
from tests.corpus.tiny_lists import FORMS, KANJI, write_tiny_lists

RELATIONS = {"code": "icd10", "class": "drug_class", "price_code": "code"}  # by name in groups
IDENTIFIER = re.compile(
    r"HP:\d{7}|MONDO:\d{7}|NANDO:\d{7}|(?<![A-Z\d])[CD]\d{6,9}|(?<![A-Za-z\d.])[A-TV-Z]\d\d\.\d{1,3}"
    r"|(?<![\dA-Z])\d{4}[0-9A-Z]{8}(?![\dA-Z])"
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lists")
    write_tiny_lists(folder)
    return folder


def _config(**changed: Any) -> SynthesizeConfig:
    lists = [
        {"path": path, "form": form, "license": "MIT" if form != "hpo" else "HPO license"}
        for form, path in FORMS.items()
    ]
    values = {"seed": 3, "lexicons": lists, "allow_licenses": ["HPO license"], **changed}
    config = to_config(SynthesizeConfig, values, "[synthesize]")
    assert isinstance(config, SynthesizeConfig)
    return config


@pytest.fixture(scope="module")
def made(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    out = tmp_path_factory.mktemp("made") / "out"
    config = _config(forms_per_entry=10, max_template_share=0.1)
    return out, synthesize(config, out=out, data=data)


@pytest.fixture(scope="module")
def documents(made: tuple[Path, Manifest]) -> list[Document]:
    return list(read_documents(made[0]))


@pytest.fixture(scope="module")
def lists(data: Path) -> Lists:
    config = _config()
    return read_lists(config.lexicons, data=data, allow_licenses=["HPO license"])


def _raw_rows(paths: Iterable[Path]) -> Iterator[list[str]]:
    """Every row as it stands in the files, cells normalized as texts are, codes with their dot."""
    for path in paths:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            delimiter = "\t" if ".tsv" in path.suffixes else ","
            for row in csv.reader(file, delimiter=delimiter):
                cells = [normalize(cell).strip() for cell in row]
                dotted = [re.sub(r"^([A-Z]\d\d)(\d+)\$?$", r"\1.\2", cell) for cell in cells]
                yield cells + [c for c in dotted if c not in cells]


def _names_by_identifier(paths: Iterable[Path]) -> dict[str, set[str]]:
    """By identifier, all that stands in one row with it."""
    found: dict[str, set[str]] = {}
    for row in _raw_rows(paths):
        for cell in row:
            for identifier in IDENTIFIER.findall(cell):
                found.setdefault(identifier, set()).update(row)
    return found


def _assert_identifiers_stand_beside_a_name(
    documents: Iterable[Document], beside: dict[str, set[str]]
) -> int:
    n_found = 0
    for document in documents:
        for identifier in set(IDENTIFIER.findall(document.text)):
            n_found += 1
            assert identifier in beside, identifier
            assert any(
                len(name) > 1 and name in document.text
                for name in beside[identifier] - {identifier}
            )
    return n_found


def test_every_identifier_stands_in_a_row_with_a_name_of_the_text(
    data: Path, documents: list[Document]
) -> None:
    beside = _names_by_identifier(data / name for name in FORMS.values())
    said = [one for one in documents if one.source in ("lexicon_text", "lexicon_instruction")]
    assert _assert_identifiers_stand_beside_a_name(said, beside) > 100


def test_every_answer_to_one_question_stands_in_the_lists(
    data: Path, documents: list[Document], lists: Lists
) -> None:
    """A reply may be a sentence; the fact in it has to be one of the entry's."""
    by_name = {entry.name: entry for entry in lists.entries}
    n_checked = 0
    for one in documents:
        if one.source == "lexicon_instruction" and (one.group or "").startswith("fact:"):
            assert one.group is not None and one.messages is not None
            _, relation, name = one.group.split(":", 2)
            values = by_name[name].values[RELATIONS.get(relation, relation)]
            reply = one.messages[-1].content
            asked = one.messages[-2].content
            assert any(value in reply or (value in asked and name in reply) for value in values)
            n_checked += 1
    assert n_checked > 20


def test_the_gold_choice_is_right_and_the_others_are_not(
    made: tuple[Path, Manifest], lists: Lists
) -> None:
    by_name = {entry.name: entry.values for entry in lists.entries}
    rows = list(read_json_lines(made[0] / "questions-00000.jsonl.zst"))
    assert len(rows) > 20
    for row in rows:
        _, relation, name = row["group"].split(":", 2)
        relation = RELATIONS.get(relation, relation)
        gold = row["choices"]["ABCDE".index(row["gold"][0])]
        value = by_name[name][relation][0]
        right = (
            {value}
            if gold == value
            else {n for n, of in by_name.items() if value in of.get(relation, ())}
        )
        assert [choice for choice in row["choices"] if choice in right] == [gold]
        assert len(set(row["choices"])) == 5


def test_a_name_with_one_known_fact_is_a_term_only(documents: list[Document], lists: Lists) -> None:
    assert "ひとつだけ症" not in {entry.name for entry in lists.entries}
    mentions = [one for one in documents if "ひとつだけ症" in one.text]
    assert {one.source for one in mentions} <= {"lexicon_terms"}
    written = {entry.name for entry in lists.entries}
    terms = {name for name, _ in lists.terms}
    assert not written & terms and "ひとつだけ症" in terms
    for one in documents:
        assert one.group is not None
        if one.source != "lexicon_terms":
            assert one.group.rpartition(":")[2] in written


def test_every_entry_knows_two_facts_besides_its_difficulty(lists: Lists) -> None:
    for entry in lists.entries:
        assert len(set(entry.values) - {"difficulty"}) >= 2


def test_counts_add_up(made: tuple[Path, Manifest], documents: list[Document]) -> None:
    out, manifest = made
    counts = manifest.counts
    assert counts == json.loads((out / "synthesis.json").read_text("utf-8"))
    assert counts["documents"] == len(documents)
    assert counts["documents"] == sum(one["documents"] for one in counts["by_kind"].values())
    assert counts["bytes"] == sum(len(one.text.encode()) for one in documents)
    assert counts["entries"] == sum(counts["entries_by_facts"].values())
    two = sum(n for facts, n in counts["entries_by_facts"].items() if int(facts[0]) > 1)
    assert counts["entries_with_two_facts"] == two == sum(counts["entries_by_group"].values())
    assert counts["entries_written"] == two
    assert counts["lists"]["nando.csv"]["rows_read"] == len(KANJI) + 2
    assert counts["lists"]["nando.csv"]["names"] == len(KANJI) + 1
    assert 0 < counts["terms_used"] <= counts["terms"]


def test_what_contradicts_or_is_malformed_is_dropped_and_counted(lists: Lists) -> None:
    by_name = {entry.name: entry for entry in lists.entries}
    assert by_name["肺炎もどき症"].values["icd10"] == ("J18",)  # the official list is believed
    assert by_name["肺炎もどき症"].values["english"] == ("Like it",)  # two against one
    assert "hpo" not in by_name["肺炎もどき症"].values
    assert lists.counts["contradictions"] == {"english": 1, "icd10": 1}
    counted = lists.counts["lists"]
    assert isinstance(counted, dict)
    assert counted["hpo.tsv"]["would_be_altered"] == 1
    assert counted["hpo.tsv"]["not_translated"] == 1
    wikidata = counted["wikidata.csv"]
    assert wikidata["nothing_says_it_is_medical"] == 1
    assert wikidata["category_against_description"] == 1
    assert wikidata["malformed_umls"] == wikidata["malformed_icd10"] == 1
    assert "category" not in by_name["窒素アミン"].values
    assert "殿堂" not in by_name and "殿堂" not in {name for name, _ in lists.terms}


def test_terms_of_the_ontology_are_quoted_as_they_are(documents: list[Document]) -> None:
    assert not any("読点の徴候" in one.text for one in documents)


def test_licenses_and_attributions_reach_manifest_and_documents(
    made: tuple[Path, Manifest], documents: list[Document]
) -> None:
    assert made[1].identity.licenses == ("HPO license", "MIT")
    quoting = [one for one in documents if "HP:000" in one.text]
    assert quoting and all("HPO license" in one.license for one in quoting)


def test_lists_that_are_not_free_are_refused_unless_somebody_vouches(data: Path) -> None:
    lists = _config().lexicons
    with pytest.raises(LicenseRefused):
        read_lists(lists, data=data)
    bound = [lists[0].model_copy(update={"license": "CC BY-NC-SA 4.0"})]
    with pytest.raises(LicenseRefused):
        read_lists(bound, data=data)
    assert read_lists(bound, data=data, noncommercial=True).licenses == ("CC-BY-NC-SA-4.0",)


def test_the_same_seed_and_lists_give_the_same_bytes(data: Path, tmp_path: Path) -> None:
    made = [
        synthesize(_config(seed=seed, n_documents=60), out=tmp_path / name, data=data)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert made[0].identity_hash == made[1].identity_hash
    assert made[0].identity.files == made[1].identity.files != made[2].identity.files


def test_fewer_documents_are_the_first_of_more(data: Path) -> None:
    config = _config()
    more = list(show_synthesize(config, 80, data=data))
    assert list(show_synthesize(config, 30, data=data)) == more[:30]


def test_no_template_mark_is_left_and_texts_are_in_normal_form(documents: list[Document]) -> None:
    for one in documents:
        assert not re.search(r"\{[a-z_]+\}|\bNone\b", one.text), one.text
        assert normalize(one.text) == one.text


def test_near_duplicates_and_templates_stay_within_their_caps(
    made: tuple[Path, Manifest],
) -> None:
    counts = made[1].counts
    assert counts["duplicates"]["near_kept"] <= 0.01 * counts["documents"]
    assert counts["templates"]["largest_share"] <= 0.1


@given(st.from_regex(r"[A-Z]\d\d\d{0,3}", fullmatch=True))
def test_a_code_keeps_its_characters(code: str) -> None:
    assert icd10_code(code).replace(".", "") == code
    assert icd10_code(icd10_code(code)) == icd10_code(code)


def test_a_list_that_cannot_be_read_is_named(data: Path, tmp_path: Path) -> None:
    one = LexiconList(path="nando.csv", form="nando", license="MIT")
    with pytest.raises(DataFolderMissing):
        read_lists([one], data=None)
    with pytest.raises(PathMissing):
        read_lists([one.model_copy(update={"path": "nowhere.csv"})], data=data)
    with pytest.raises(BrokenRecord):
        read_lists([one.model_copy(update={"form": "dpc"})], data=data)
    (tmp_path / "other.csv").write_bytes("語".encode("cp932"))
    with pytest.raises(NotText):
        read_lists([one.model_copy(update={"path": "other.csv"})], data=tmp_path)


def test_amounts_may_be_left_out_only_with_lists() -> None:
    assert _config().n_bytes is None
    with pytest.raises(InvalidValue):
        _config(n_bytes=1, n_documents=1)


@pytest.mark.data
@pytest.mark.campaign
def test_identifiers_of_the_published_lists_stand_beside_a_name(data_folder: Path) -> None:
    step = read_run_file(Path(__file__).parents[2] / "runs" / "textbooks.toml").step("synthesize")
    assert isinstance(step.config, SynthesizeConfig)
    paths = [data_folder / one.path for one in step.config.lexicons if one.form != "difficulty"]
    beside = _names_by_identifier(paths)
    said = (
        one
        for one in show_synthesize(step.config, 4_000, data=data_folder)
        if one.source in ("lexicon_text", "lexicon_instruction")
    )
    assert _assert_identifiers_stand_beside_a_name(said, beside) > 3_000


def test_keys_of_lists_are_part_of_the_identity_only_where_there_is_a_list() -> None:
    assert "forms_per_entry" not in SynthesizeConfig(n_documents=1).model_dump()
    assert _config().model_dump()["forms_per_entry"] == 3


def test_an_amount_of_bytes_ends_the_documents(data: Path, tmp_path: Path) -> None:
    manifest = synthesize(_config(n_bytes=9_000), out=tmp_path / "out", data=data)
    assert 5_000 < manifest.counts["bytes"] < 13_000
