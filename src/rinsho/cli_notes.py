"""The commands over notes: generate, extract, annotations, deidentify, codes, ask, draft."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rinsho.cli_options import (
    DataOption,
    JsonOption,
    PrecisionOption,
    checked_precision,
    print_json,
)

if TYPE_CHECKING:
    from rinsho.clinical.notes import Note
    from rinsho.generation.language_model import LanguageModel

over_notes = typer.Typer()
USE = "Use a model"
FilesArgument = Annotated[
    list[Path] | None, typer.Argument(help="text, JSONL or CSV files; none: standard input")
]
FormatOption = Annotated[str, typer.Option("--format", help="auto, text, jsonl or csv")]
EncodingOption = Annotated[str, typer.Option("--encoding", help="auto, utf-8, cp932, …")]
TextFieldOption = Annotated[
    str, typer.Option("--text-field", help="where JSONL and CSV hold the text")
]
FORMATS = ("auto", "text", "jsonl", "csv")


@over_notes.command(rich_help_panel=USE)
def generate(
    files: FilesArgument = None,
    model: Annotated[Path, typer.Option("--model", help="weights folder")] = Path("out/demo/chat"),
    precision: PrecisionOption = None,
    form: Annotated[str, typer.Option("--form", help="chat, or text: go on writing")] = "chat",
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", min=1)] = 256,
    temperature: Annotated[float, typer.Option("--temperature", min=0, help="0: greedy")] = 0.0,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    format_: FormatOption = "auto",
    encoding: EncodingOption = "auto",
    text_field: TextFieldOption = "text",
) -> None:
    """Answer each text with a model; JSON lines out."""
    checked = checked_precision(precision, model)
    from rinsho.clinical.generate import Prompting, generate_notes, to_json_line
    from rinsho.generation.language_model import Sampling

    sampling = Sampling(max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)
    prompting = Prompting(_one_of("--form", form, ("chat", "text")), sampling=sampling)
    notes = _read_notes(files, format_, encoding, text_field)
    for generation in generate_notes(_open_model(model, checked), notes, prompting):
        print(to_json_line(generation), flush=True)


@over_notes.command(rich_help_panel=USE)
def extract(
    files: FilesArgument = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", help="a head, CRFs, encoder or chat weights; none: dictionary"),
    ] = None,
    relations: Annotated[
        Path | None,
        typer.Option("--relations", help="weights that relate drugs to events they caused"),
    ] = None,
    with_text: Annotated[bool, typer.Option("--with-text", help="repeat each text")] = False,
    form: Annotated[
        str,
        typer.Option("--as", help="lines (default), jsonl, brat, conll, doccano, csv or fhir"),
    ] = "lines",
    out: Annotated[
        Path | None, typer.Option("--out", help="file, or folder for brat; needed but for lines")
    ] = None,
    group_field: Annotated[
        str | None, typer.Option("--group-field", help="patient: kept in jsonl and fhir")
    ] = None,
    data: DataOption = None,
    format_: FormatOption = "auto",
    encoding: EncodingOption = "auto",
    text_field: TextFieldOption = "text",
) -> None:
    """Find diseases, symptoms, drugs, doses, tests, procedures, times …; JSON lines out.

    A head over whole texts adds its answers; --relations adds which drug is said to have caused
    what (not in conll and doccano). Offsets are code points of the text as it was given.
    Works without any model. `--as jsonl` is what `finetune` reads; correct it by hand first (the
    page of `serve`, brat, doccano), and bring it back with `rinsho annotations`.
    """
    from rinsho.clinical.extract import extract_notes, load_extractor, to_json_line
    from rinsho.clinical.extract_output import OUTPUT_FORMS, write_extractions

    checked = _one_of("--as", form, ("lines", *OUTPUT_FORMS))
    notes = _read_notes(files, format_, encoding, text_field, group_field)
    finder = None
    if relations is not None:
        from rinsho.model.relation_finder import load_relations

        finder = load_relations(relations)
    found = extract_notes(load_extractor(model), notes, finder)
    if checked != "lines":
        place, is_related = _needed("--out", out), finder is not None
        n_notes = write_extractions(found, checked, place, data, has_relations=is_related)
        _tell(
            f"{out}: 記録 {n_notes} 件（本文を含む、mode 0600）。人が確認してください",
            f"{out}: {n_notes} notes with their clinical text, mode 0600; a person has to check",
        )
        return
    for extraction in found:
        print(to_json_line(extraction, with_text=with_text), flush=True)


@over_notes.command("annotations", rich_help_panel=USE)
def convert_annotations(
    files: Annotated[
        list[Path], typer.Argument(help="JSON lines (ours or doccano's), .conll, brat folders")
    ],
    out: Annotated[Path, typer.Option("--out", help="file, or folder for brat")],
    form: Annotated[str, typer.Option("--as", help="jsonl, brat, conll, doccano or csv")] = "jsonl",
    held_out: Annotated[
        float | None,
        typer.Option("--held-out", help="share of the patients kept for `compare`", min=0, max=1),
    ] = None,
) -> None:
    """Bring annotated notes from one tool to another; `jsonl` is what `finetune` learns from.

    Texts stay as they are, character by character, line ends too. --held-out keeps the last
    correction of each text, marks a share of the patients (`group`; without one, of the notes) as
    the test split, which `finetune` never reads, and describes it beside the file: in `own/` of a
    data folder, NAME.jsonl is then the benchmark own/NAME; relations are own/NAME-relations.
    """
    from rinsho.clinical.annotations import FORMS, read_annotations
    from rinsho.clinical.extract_output import write_notes
    from rinsho.clinical.held_out import count_held_out, hold_out, write_benchmark

    checked = _one_of("--as", form, FORMS)
    if held_out is None:
        notes = tuple(read_annotations(files))
        has_relations = any(one.relations is not None for one in notes)
        n_notes = write_notes(notes, checked, out, has_relations=has_relations)
        _tell(f"{out}: 記録 {n_notes} 件（mode 0600）", f"{out}: {n_notes} notes, mode 0600")
        return
    _one_of("--as", form, ("jsonl",))
    notes = hold_out(read_annotations(files), held_out)
    n_notes, n_test = write_notes(notes, checked, out), count_held_out(notes)
    _tell(
        f"{out}: 学習用 {n_notes - n_test} 件、取り分け {n_test} 件（mode 0600）",
        f"{out}: {n_notes - n_test} notes to learn from, {n_test} held out, mode 0600",
    )
    path = write_benchmark(out)
    _tell(f"{path}: 取り分けた {n_test} 件の評価用", f"{path}: the {n_test} as a benchmark")
    if n_related := count_held_out([one for one in notes if one.relations is not None]):
        path = write_benchmark(out, "relations")
        _tell(
            f"{path}: {n_related} 件の関係の評価用",
            f"{path}: the relations of {n_related} as another",
        )


@over_notes.command(rich_help_panel=USE)
def deidentify(
    files: FilesArgument = None,
    form: Annotated[
        str | None,
        typer.Option("--as", help="placeholders (default), surrogates, or spans: text unchanged"),
    ] = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--kinds", help="kinds to look for (repeatable); all")
    ] = None,
    rules_only: Annotated[
        bool, typer.Option("--rules-only", help="without the network that finds unforeseen forms")
    ] = False,
    group_field: Annotated[
        str | None, typer.Option("--group-field", help="patient: its notes share surrogates")
    ] = None,
    review: Annotated[
        Path | None, typer.Option("--review", help="write a page to correct by hand instead")
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="FILES are exports of such pages: recall, precision")
    ] = False,
    json: JsonOption = False,
    format_: FormatOption = "auto",
    encoding: EncodingOption = "auto",
    text_field: TextFieldOption = "text",
) -> None:
    """Replace names, numbers, addresses, dates and 13 more kinds of identifiers; JSON lines out.

    By rules and a small network. It is not claimed to be anonymous: a person has to read it.
    `--review OUT.html` writes a page to correct by hand; `--measure corrections.json` counts.
    """
    chosen = {"--as": form is not None, "--review": review is not None, "--measure": measure}
    _at_most_one([name for name, is_given in chosen.items() if is_given])
    if measure:
        _measure_corrections(files or (), json)
        return
    from rinsho.clinical.deidentify import deidentify as deidentify_note
    from rinsho.clinical.deidentify import to_json_line

    wanted = form or ("placeholders" if review is None else "spans")
    replacing = _replacing(wanted, kinds, rules_only)
    notes = _read_notes(files, format_, encoding, text_field, group_field)
    if review is not None:
        from rinsho.clinical.deidentify_review import write_review

        n_notes = write_review(review, ((note, deidentify_note(note, replacing)) for note in notes))
        _tell(
            f"{review}: 記録 {n_notes} 件（本文を含む、mode 0600）。使い終えたら消してください",
            f"{review}: {n_notes} notes with their clinical text, mode 0600; delete it after use",
        )
        return
    for note in notes:
        print(to_json_line(deidentify_note(note, replacing)), flush=True)


@over_notes.command(rich_help_panel=USE)
def codes(
    files: FilesArgument = None,
    term: Annotated[
        list[str] | None, typer.Option("--term", help="look one term up instead (repeatable)")
    ] = None,
    kind: Annotated[
        str, typer.Option("--kind", help="of --term: condition, drug, test or procedure")
    ] = "condition",
    master: Annotated[
        list[Path] | None,
        typer.Option("--master", help="TOML that describes a code master of yours (repeatable)"),
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="weights with a head; none: dictionary")
    ] = None,
    candidates: Annotated[int, typer.Option("--candidates", min=1, help="most per system")] = 5,
    data: DataOption = None,
    format_: FormatOption = "auto",
    encoding: EncodingOption = "auto",
    text_field: TextFieldOption = "text",
) -> None:
    """Look up ICD-10 and drug codes for what is written in a note; JSON lines out.

    A code is given only where a list has the very name and its lists agree; all else is named as
    candidates with scores. Sources: the embedded lexicon, the lists below --data, your --master
    files. Negated and suspected mentions say so: they are not the patient's diagnoses.
    """
    from rinsho.clinical.code_output import open_index, term_line, text_line
    from rinsho.clinical.extract import extract_notes, load_extractor

    index = open_index(data, master or ())
    if term:
        checked = _one_of("--kind", kind, ("condition", "drug", "test", "procedure"))
        for one in term:
            print(term_line(index, one, checked, candidates))
        return
    notes = _read_notes(files, format_, encoding, text_field)
    for extraction in extract_notes(load_extractor(model), notes):
        print(text_line(index, extraction, candidates), flush=True)


@over_notes.command("ask", rich_help_panel=USE)
def ask_text(
    question: Annotated[list[str], typer.Option("--question", "-q", help="repeatable")],
    files: FilesArgument = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="weights to quote and answer; none: sentences")
    ] = None,
    precision: PrecisionOption = None,
    json: JsonOption = False,
    format_: FormatOption = "auto",
    encoding: EncodingOption = "auto",
    text_field: TextFieldOption = "text",
) -> None:
    """Ask what a text says: the answer is its own words, with their places.

    Requests for a diagnosis, a treatment or a dose are declined. A professional has to check it.
    """
    checked = checked_precision(precision, model)
    from rinsho.clinical.ask import ask, to_text

    opened = _open_model(model, checked) if model else None
    for note in _read_notes(files, format_, encoding, text_field):
        for one in question:
            answer = ask(note.text, one, opened)
            if json:
                print_json({"id": note.id, **answer.to_json()})
            else:
                print(to_text(answer), flush=True)


@over_notes.command("draft", rich_help_panel=USE)
def draft_letter(
    files: FilesArgument = None,
    form: Annotated[
        str, typer.Option("--form", help="discharge-summary or referral-letter")
    ] = "discharge-summary",
    model: Annotated[
        Path | None, typer.Option("--model", help="weights to write the course; none: its lines")
    ] = None,
    precision: PrecisionOption = None,
    extractor: Annotated[
        Path | None, typer.Option("--extractor", help="weights with a head; none: dictionary")
    ] = None,
    json: JsonOption = False,
    format_: FormatOption = "auto",
    encoding: EncodingOption = "auto",
    text_field: TextFieldOption = "text",
) -> None:
    """Draft a letter from the notes of one patient, in their order; each line cites [note:line].

    Nothing is concluded that no note says; what a model adds is marked. A professional has to
    check it.
    """
    checked = checked_precision(precision, model)
    from rinsho.clinical.draft import DRAFT_FORMS, draft
    from rinsho.clinical.extract import load_extractor

    wanted = _one_of("--form", form, DRAFT_FORMS)
    notes = list(_read_notes(files, format_, encoding, text_field))
    opened = _open_model(model, checked) if model else None
    made = draft(notes, wanted, load_extractor(extractor), opened)
    if json:
        print_json(made.to_json())
    else:
        print(made.to_text(), end="")


def _tell(ja: str, en: str) -> None:
    from rinsho.console import language

    print(ja if language() == "ja" else en)


def _open_model(folder: Path, precision: Any) -> LanguageModel:
    from rinsho.generation.decoder_model import load_language_model

    return load_language_model(folder, precision=precision)


def _needed(option: str, value: Path | None) -> Path:
    from rinsho.errors import InvalidValue

    if value is None:
        raise InvalidValue(where=option, found="-", expected="--out FILE / DIR")
    return value


def _at_most_one(options: Sequence[str]) -> None:
    from rinsho.errors import InvalidValue

    if len(options) > 1:
        raise InvalidValue(where=options[0], found=f"with {options[1]}", expected="one of them")


def _replacing(form: str, kinds: Sequence[str] | None, rules_only: bool) -> Any:
    from rinsho.clinical.deidentify import Replacing
    from rinsho.corpus.keys import read_key
    from rinsho.text.identifiers import IDENTIFIER_KINDS

    checked = _one_of("--as", form, ("placeholders", "surrogates", "spans"))
    wanted = [_one_of("--kinds", kind, IDENTIFIER_KINDS) for kind in kinds or IDENTIFIER_KINDS]
    key = read_key() if form == "surrogates" else b""
    return Replacing(checked, wanted, key, rules_only=rules_only)


def _measure_corrections(files: Sequence[Path], json: bool) -> None:
    from rinsho.clinical.deidentify_measure import measure_corrections, to_table

    measures = measure_corrections(files)
    if json:
        print_json([one.to_json() for one in measures])
    else:
        print(to_table(measures))


def _read_notes(
    files: Sequence[Path] | None,
    form: str,
    encoding: str,
    text_field: str,
    group_field: str | None = None,
) -> Iterator[Note]:
    from rinsho.clinical.notes import NoteReading, read_notes

    checked: Any = _one_of("--format", form, FORMATS)
    reading = NoteReading(checked, encoding, text_field, group_field=group_field)
    return read_notes(files or (), reading)


def _one_of(option: str, value: str, known: Sequence[str]) -> Any:
    from rinsho.errors import InvalidValue

    if value not in known:
        raise InvalidValue(where=option, found=value, expected=" / ".join(known))
    return value
