"""The grammar: rules of templates, read from TOML, shared by all kinds or written for one.

`common.toml` holds the rules that every kind uses; `<kind>.toml` adds its own, `text` first. A rule
is a list of templates (`rinsho.corpus.template`); one drawn at random writes it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources

from rinsho.corpus.page import Rules
from rinsho.corpus.template import Template, parse_template
from rinsho.errors import BrokenRecord
from rinsho.text.normalize import normalize

NOTE_KINDS = (
    "progress_note",
    "discharge_summary",
    "radiology_report",
    "nursing_record",
    "referral_letter",
    "outpatient_note",
)


def read_grammar() -> dict[str, Rules]:
    """Return the embedded rules of every kind, those of `common.toml` and its departments included.

    Raises:
        BrokenRecord: A template is not one, with the file and the rule.
    """
    folder = resources.files("rinsho.demo") / "grammar"
    tables = {
        entry.name.removesuffix(".toml"): _read_rules(entry.name, entry.read_text("utf-8"))
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".toml")
    }
    shared = _merged(rules for name, rules in tables.items() if name.startswith("common"))
    own = {name: rules for name, rules in tables.items() if not name.startswith("common")}
    return {name: {**shared, **rules} for name, rules in own.items()}


def _merged(
    tables: Iterable[Mapping[str, tuple[Template, ...]]],
) -> dict[str, tuple[Template, ...]]:
    merged: dict[str, tuple[Template, ...]] = {}
    for rules in tables:
        for name, templates in rules.items():
            merged[name] = merged.get(name, ()) + templates
    return merged


def _read_rules(file: str, text: str) -> dict[str, tuple[Template, ...]]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BrokenRecord(where=file, found=str(error), expected="TOML") from None
    return {
        rule: tuple(_compile(file, rule, source) for source in sources)
        for rule, sources in table.items()
    }


def _compile(file: str, rule: str, source: str) -> Template:
    """Compile one template; texts are normalized, so templates are too."""
    try:
        return parse_template(normalize(source))
    except BrokenRecord as error:
        place = f"{file} {rule}: {source}"
        raise BrokenRecord(where=place, found=error.found, expected=error.expected) from None
