"""FHIR bundles: valid R4, what the text says and no more, and the same for the same note."""

from __future__ import annotations

import dataclasses
import json

import pytest
from fhir.resources.R4B.bundle import Bundle

from rinsho.clinical.code_output import open_index
from rinsho.clinical.extract import Extraction, load_extractor
from rinsho.clinical.fhir import to_bundle, to_json_line
from rinsho.clinical.notes import Note
from rinsho.text.spans import Relation, Span

TEXT = "𠮷田医院より紹介。胃癌の疑い。発熱なし。\r\nＣＲＰ 3.2mg/dL。アムロジピン5mgを内服。"


@pytest.fixture(scope="module")
def extraction() -> Extraction:
    extractor = load_extractor(None)
    return Extraction(Note("n", TEXT, "p-7"), extractor.spans(TEXT), extractor.name)


def resources(extraction: Extraction, kind: str) -> list[dict[str, object]]:
    entries = to_bundle(extraction, open_index(None))["entry"]
    return [one["resource"] for one in entries if one["resource"]["resourceType"] == kind]


def test_the_bundle_is_valid_r4(extraction: Extraction) -> None:
    bundle = Bundle.model_validate_json(to_json_line(extraction, open_index(None)))
    kinds = [entry.resource.get_resource_type() for entry in bundle.entry]
    assert kinds[0] == "DocumentReference"
    assert kinds[-1] == "Provenance"
    assert {"Condition", "MedicationStatement", "Observation"} < set(kinds)


def test_no_condition_is_confirmed(extraction: Extraction) -> None:
    said = {
        one["code"]["text"]: one["verificationStatus"]["coding"][0]["code"]
        for one in resources(extraction, "Condition")
    }
    assert said == {"胃癌": "provisional", "発熱": "refuted"}


def test_a_relative_s_disease_is_no_condition_and_the_past_is_said() -> None:
    text = "家族歴: 父に胃癌。既往歴: 高血圧。3日前に血液透析を開始。"
    spans = load_extractor(None).spans(text)
    extraction = Extraction(Note("n", text), spans, "dictionary")
    Bundle.model_validate_json(to_json_line(extraction, open_index(None)))
    (relative,) = resources(extraction, "FamilyMemberHistory")
    assert relative["condition"][0]["code"]["text"] == "胃癌"
    assert relative["relationship"]["coding"][0]["code"] == "FAMMEMB"
    (condition,) = resources(extraction, "Condition")
    assert condition["code"]["text"] == "高血圧"
    assert "既往" in condition["note"][0]["text"]
    (procedure,) = resources(extraction, "Procedure")
    assert (procedure["code"]["text"], procedure["status"]) == ("血液透析", "unknown")


def test_codes_offsets_doses_and_values_go_with_their_words(extraction: Extraction) -> None:
    cancer = next(c for c in resources(extraction, "Condition") if c["code"]["text"] == "胃癌")
    assert cancer["code"]["coding"][0]["code"] == "C16.9"
    place = cancer["extension"][0]["valueRange"]
    assert TEXT[place["low"]["value"] : place["high"]["value"]] == "胃癌"
    (drug,) = resources(extraction, "MedicationStatement")
    assert drug["dosage"] == [{"sequence": 1, "text": "5mgを内服", "route": {"text": "内服"}}]
    (test,) = resources(extraction, "Observation")
    assert (test["code"]["text"], test["valueString"]) == ("ＣＲＰ", "3.2mg/dL")


def test_a_changed_dose_is_two_dosages_with_their_timing_and_only_some_are_as_needed() -> None:
    text = "メサラジン 4,800mg 分3→3,600mg 分1へ減量。スマトリプタン50mg 頭痛時頓用。"
    extraction = Extraction(Note("n", text), load_extractor(None).spans(text), "dictionary")
    Bundle.model_validate_json(to_json_line(extraction))
    first, second = (one["dosage"] for one in resources(extraction, "MedicationStatement"))
    assert [(d["sequence"], d["text"], d["timing"]["code"]["text"]) for d in first] == [
        (1, "4,800mg 分3", "分3"),
        (2, "3,600mg 分1", "分1"),
    ]
    assert ["asNeededBoolean" in d for d in (*first, *second)] == [False, False, True]


def test_whence_is_said_and_the_text_is_not_repeated(extraction: Extraction) -> None:
    (provenance,) = resources(extraction, "Provenance")
    assert "rinsho" in provenance["agent"][0]["who"]["display"]
    assert "dictionary" in provenance["agent"][0]["who"]["display"]
    assert "紹介" not in to_json_line(extraction)


def related(*certainties: str, kind: str = "caused") -> tuple[Extraction, dict[str, Span]]:
    """A note whose two drugs are said to have caused each of its events."""
    text = "ロキソニンと甲薬で" + "、".join(f"症状{n}" for n in range(len(certainties)))
    drugs = Span(0, 5, "drug"), Span(6, 8, "drug")
    events = [Span(9 + 4 * n, 12 + 4 * n, "symptom", c) for n, c in enumerate(certainties)]
    relations = tuple(Relation(kind, drug, event) for event in events for drug in drugs)
    spans = (*drugs, *events)
    words = {text[one.start : one.end]: one for one in spans}
    return Extraction(Note("n", text, "p-7"), spans, "dictionary", (), relations, "heads"), words


def test_relations_are_read_back_from_adverse_events() -> None:
    extraction, _ = related("present", "suspected", "past")
    bundle = Bundle.model_validate_json(to_json_line(extraction))
    found = {entry.fullUrl: entry.resource for entry in bundle.entry}
    assert len(found) == len(bundle.entry)

    def span_of(reference: str) -> tuple[int, int]:
        place = found[reference].extension[0].valueRange
        return int(place.low.value), int(place.high.value)

    events = [one for one in found.values() if one.get_resource_type() == "AdverseEvent"]
    read = {
        (span_of(suspect.instance.reference), span_of(event.resultingCondition[0].reference))
        for event in events
        for suspect in event.suspectEntity
    }
    places = [
        ((r.head.start, r.head.end), (r.tail.start, r.tail.end)) for r in extraction.relations
    ]
    assert read == set(places)
    assert len(events) == 3, "an event has all of its drugs"
    assert {event.actuality for event in events} == {"actual"}
    assert {event.subject.identifier.value for event in events} == {"p-7"}


def test_an_adverse_event_claims_no_more_than_the_text() -> None:
    extraction, _ = related("present")
    (event,) = resources(extraction, "AdverseEvent")
    assert all("未評価" in s["causality"][0]["assessment"]["text"] for s in event["suspectEntity"])
    (condition,) = resources(extraction, "Condition")
    assert condition["verificationStatus"]["coding"][0]["code"] == "unconfirmed"
    (provenance,) = resources(extraction, "Provenance")
    display = provenance["agent"][0]["who"]["display"]
    assert display.endswith("engine dictionary, relations heads")
    (place,) = event["extension"]
    assert place["valueRange"] == {"low": {"value": 9}, "high": {"value": 12}}
    entries = to_bundle(extraction)["entry"]
    made = [one["fullUrl"] for one in entries[1:-1]]
    assert [one["reference"] for one in provenance["target"]] == made
    assert event["referenceDocument"] == [{"reference": entries[0]["fullUrl"]}]


@pytest.mark.parametrize("certainty", ["negated", "family"])
def test_what_the_patient_did_not_have_is_no_adverse_event(certainty: str) -> None:
    assert resources(related(certainty)[0], "AdverseEvent") == []


def test_another_relation_is_no_adverse_event() -> None:
    assert resources(related("present", kind="TREATMENT_FOR")[0], "AdverseEvent") == []
    extraction, words = related("present")
    turned = Relation("caused", words["症状0"], words["甲薬"])
    changed = dataclasses.replace(extraction, relations=(turned,))
    assert resources(changed, "AdverseEvent") == []


def test_the_same_note_gives_the_same_bundle(extraction: Extraction) -> None:
    assert to_json_line(extraction) == to_json_line(extraction)
    urls = [entry["fullUrl"] for entry in to_bundle(extraction)["entry"]]
    assert len(set(urls)) == len(urls)


def test_an_empty_note_is_a_document_alone() -> None:
    bundle = to_bundle(Extraction(Note("n", ""), (), "dictionary"))
    assert [entry["resource"]["resourceType"] for entry in bundle["entry"]] == ["DocumentReference"]
    Bundle.model_validate_json(json.dumps(bundle))
