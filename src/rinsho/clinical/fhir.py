"""Mentions as a FHIR R4 bundle: statements of a program about a text, never confirmed facts.

Every Condition is `unconfirmed` (`provisional` where the text suspects it, `refuted` where it
denies it; one of the past carries a note, for whether it goes on is not said). What a relative has
is a FamilyMemberHistory and no Condition; times are no resource. What a drug is said to have caused
is an AdverseEvent of the Condition and the MedicationStatement, its causality not assessed. A
Provenance names the program, its version, the engines and the text. The forms are those of JP Core;
conformance to its profiles is not claimed: they ask for the patient, who is known to the hospital
alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from rinsho import __version__
from rinsho.clinical.codes import CodeIndex, Coding, code_spans
from rinsho.clinical.extract import Extraction
from rinsho.clinical.notes import Note
from rinsho.text.quantity_parts import AS_NEEDED, Quantity, find_quantities
from rinsho.text.relations import CAUSED
from rinsho.text.spans import Span

_SPACE = UUID("6f0a3b52-3a55-5c3e-9a0b-6f2f3c1f7a10")  # of rinsho's own identifiers
_TERMS = "http://terminology.hl7.org/CodeSystem/"
_V3 = "http://terminology.hl7.org/CodeSystem/v3-"
_PAST = "既往として記載 / written as past history"
_NOT_ASSESSED = "本文の記載、因果関係は未評価 / written in the text, causality not assessed"
_OFFSETS = "urn:rinsho:offsets"  # start and end in code points of the text
_STATUS = {"present": "unconfirmed", "suspected": "provisional", "negated": "refuted"}
_SYSTEMS = {
    "ICD-10": "http://hl7.org/fhir/sid/icd-10",
    "薬価基準": "urn:oid:1.2.392.100495.20.1.72",  # 薬価基準収載医薬品コード
}
_N_PRODUCT = 12  # characters; a shorter code of the price list is a group of products
_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


def to_bundle(extraction: Extraction, index: CodeIndex | None = None) -> dict[str, Any]:
    """Return the bundle of one note: the text, what it mentions and relates, and whence.

    The same note gives the same bundle. Without a patient's identifier the subject is left unnamed.

    Args:
        extraction: A note and its mentions.
        index: Codes for those whose lists agree on the very name; None: words alone.
    """
    note = extraction.note
    text_url = _url(note.id, "text")
    codes = dict(code_spans(index, note.text, extraction.spans)) if index else {}
    made: dict[Span, tuple[str, dict[str, Any]]] = {}
    quantities = find_quantities(note.text, extraction.spans)
    for number, span in enumerate(extraction.spans):
        kind = _RESOURCES.get(span.label)
        if kind is None:
            continue
        if kind is _condition and span.certainty == "family":
            kind = _family_history
        fields = {"subject": _subject(note.group), **_coded(span, note.text, codes.get(span, ()))}
        resource = kind(span, fields, note.text, quantities.get(span, ()))
        resource["extension"] = [_offsets(span)]
        made[span] = (_url(note.id, f"{number}"), resource)
    entries = [*made.values(), *_adverse_events(extraction, made, text_url)]
    if entries:
        targets = [url for url, _ in entries]
        provenance = _provenance(targets, text_url, extraction)
        entries.append((_url(note.id, "provenance"), provenance))
    entries.insert(0, (text_url, _document(note, _subject(note.group))))
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": url, "resource": resource} for url, resource in entries],
    }


def to_json_line(extraction: Extraction, index: CodeIndex | None = None) -> str:
    """Return one bundle on a line, as bulk FHIR (ndjson) has it."""
    return json.dumps(to_bundle(extraction, index), ensure_ascii=False)


def _url(note_id: str, name: str) -> str:
    return f"urn:uuid:{uuid5(_SPACE, f'{note_id}/{name}')}"


def _subject(group: str | None) -> dict[str, Any]:
    return {"identifier": {"value": group}} if group else {"display": "not named by the text"}


def _coded(span: Span, text: str, codings: Sequence[Coding]) -> dict[str, Any]:
    """Return the words as they stand, and the codes that lists agree on."""
    coding = [
        {"system": _SYSTEMS[one.system], "code": one.code, "display": one.candidates[0].name}
        for one in codings
        if one.code and one.system in _SYSTEMS and _is_whole(one)
    ]
    words = text[span.start : span.end]
    return {"code": {**({"coding": coding} if coding else {}), "text": words}}


def _is_whole(coding: Coding) -> bool:
    return coding.system != "薬価基準" or len(coding.code) == _N_PRODUCT


def _condition(
    span: Span, fields: dict[str, Any], text: str, _: Sequence[Quantity]
) -> dict[str, Any]:
    status = _STATUS.get(span.certainty, "unconfirmed")
    system = f"{_TERMS}condition-ver-status"
    return {
        "resourceType": "Condition",
        "verificationStatus": {"coding": [{"system": system, "code": status}]},
        **fields,
        **({"note": [{"text": _PAST}]} if span.certainty == "past" else {}),
    }


def _family_history(
    span: Span, fields: dict[str, Any], text: str, _: Sequence[Quantity]
) -> dict[str, Any]:
    """Return the finding of some relative; which one, no mention says."""
    relative = {"system": f"{_V3}RoleCode", "code": "FAMMEMB", "display": "family member"}
    return {
        "resourceType": "FamilyMemberHistory",
        "status": "partial",
        "patient": fields["subject"],
        "relationship": {"coding": [relative]},
        "condition": [{"code": fields["code"]}],
    }


def _procedure(
    span: Span, fields: dict[str, Any], text: str, _: Sequence[Quantity]
) -> dict[str, Any]:
    """Return a procedure that is written: whether it was done, planned or declined is not said."""
    return {"resourceType": "Procedure", "status": "unknown", **fields}


def _medication(
    span: Span, fields: dict[str, Any], text: str, dosages: Sequence[Quantity]
) -> dict[str, Any]:
    written = [_dosage(one, number, text) for number, one in enumerate(dosages, start=1)]
    return {
        "resourceType": "MedicationStatement",
        "status": "unknown",
        "medicationCodeableConcept": fields["code"],
        "subject": fields["subject"],
        **({"dosage": written} if written else {}),
    }


def _dosage(dosage: Quantity, number: int, text: str) -> dict[str, Any]:
    """Return a dosage as it is written; no doseQuantity: 3T of `3T 分3` are for a day."""
    words = {
        kind: "、".join(text[p.start : p.end] for p in dosage.parts if p.kind == kind)
        for kind in ("route", "frequency")
    }
    timing, route = words["frequency"], words["route"]
    return {
        "sequence": number,
        "text": text[dosage.start : dosage.end],
        **({"timing": {"code": {"text": timing}}} if timing else {}),
        **({"asNeededBoolean": True} if AS_NEEDED.search(timing) else {}),
        **({"route": {"text": route}} if route else {}),
    }


def _observation(
    span: Span, fields: dict[str, Any], text: str, values: Sequence[Quantity]
) -> dict[str, Any]:
    result = {"valueString": text[values[0].start : values[0].end]} if values else {}
    return {"resourceType": "Observation", "status": "preliminary", **fields, **result}


_RESOURCES = {
    "disease": _condition,
    "symptom": _condition,
    "drug": _medication,
    "test": _observation,
    "procedure": _procedure,
}


def _adverse_events(
    extraction: Extraction, made: Mapping[Span, tuple[str, dict[str, Any]]], text_url: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield an event for each Condition that drugs are said to have caused.

    What a relative had is no event of the patient, and what is denied did not happen.
    """
    drugs: dict[Span, list[str]] = {}  # by the event
    for one in extraction.relations or ():
        kinds = [made[span][1]["resourceType"] for span in (one.head, one.tail) if span in made]
        has_happened = one.kind == CAUSED and one.tail.certainty != "negated"
        if has_happened and kinds == ["MedicationStatement", "Condition"]:
            drugs.setdefault(one.tail, []).append(made[one.head][0])
    for tail, urls in drugs.items():
        url, condition = made[tail]
        causality = [{"assessment": {"text": _NOT_ASSESSED}}]
        event = {
            "resourceType": "AdverseEvent",
            "actuality": "actual",
            "subject": condition["subject"],
            "event": condition["code"],
            "resultingCondition": [{"reference": url}],
            "suspectEntity": [
                {"instance": {"reference": drug}, "causality": causality} for drug in urls
            ],
            "referenceDocument": [{"reference": text_url}],
            "extension": [_offsets(tail)],
        }
        yield _url(extraction.note.id, f"event/{tail.start}-{tail.end}"), event


def _offsets(span: Span) -> dict[str, Any]:
    low, high = {"value": span.start}, {"value": span.end}
    return {"url": _OFFSETS, "valueRange": {"low": low, "high": high}}


def _document(note: Note, subject: dict[str, Any]) -> dict[str, Any]:
    """Name the text without repeating it: the hospital's record holds it."""
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": subject,
        "content": [
            {
                "attachment": {
                    "contentType": "text/plain; charset=utf-8",
                    "title": note.id,
                    "size": len(note.text.encode("utf-8", "replace")),
                }
            }
        ],
    }


def _provenance(targets: Sequence[str], text_url: str, extraction: Extraction) -> dict[str, Any]:
    engines = f"engine {extraction.engine}"
    if extraction.relation_engine:
        engines += f", relations {extraction.relation_engine}"
    role = {"system": f"{_TERMS}provenance-participant-type", "code": "assembler"}
    return {
        "resourceType": "Provenance",
        "target": [{"reference": url} for url in targets],
        # The same note gives the same bundle: the time of the run is in the hospital's own log.
        "_recorded": {"extension": [{"url": _ABSENT, "valueCode": "not-applicable"}]},
        "agent": [
            {
                "type": {"coding": [role]},
                "who": {"display": f"rinsho {__version__}, {engines}"},
            }
        ],
        "entity": [{"role": "source", "what": {"reference": text_url}}],
    }
