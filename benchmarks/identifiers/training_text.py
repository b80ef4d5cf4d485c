"""Texts with planted identifiers that the network of the learned detector is trained on.

Forms of the development sets, as they stand and with one another's values; labels, joints and
values of `forms/train/grammar.toml`, joined anew each time; people, diseases and drugs of the
embedded lists; lines that hold no identifier; real text and terms (`real_text.py`); placeholders in
the place of some. The same sets, data and seed give the same texts.
"""

from __future__ import annotations

import csv
import importlib.resources
import random
import re
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from planted import SLOT, Form, Forms, Half, Planted, Span, join, read_forms, render
from real_text import RealText
from values import Pools, Values

from rinsho.text.identifiers import PLACEHOLDERS, replace_identifiers

_GRAMMAR = Path(__file__).parent / "forms" / "train" / "grammar.toml"
_N_PEOPLE = 600  # family and given names from the lists of words, beside those of the forms
# How often a kind is drawn, others 1: names and birth dates are written in most ways.
_WEIGHTS = {
    "name": 5.0,
    "birth_date": 2.0,
    "record_number": 2.0,
    "date": 1.6,
    "address": 1.6,
    "hospital": 1.5,
    "workplace": 1.5,
    "school": 1.2,
}
_ROW_KINDS = (
    *("name", "name", "date", "birth_date", "phone", "postal_code", "address"),
    *("hospital", "mail", "record_number", "workplace"),
)
_ROW_SEPARATORS = (",", "、", "|", "｜", "\t", "  ", "　", " / ", "／", "^", ";", "\n", " ")
_HYPHENS = ("−", "‐", "ー", "–", "－", " - ", " ー ", "-\n", "\n-", " ")
_BEFORE_LABEL = ["本人", "患者", "新", "旧", "仮", "前", "父の", "母の", "当院", "他院", "登録"]
_BEHIND_LABEL = ("1", "２", "①", "(1)", "（再）", ".", "*", "※", "コード")
_KATAKANA = (
    "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン"
    "ガギグゲゴザジズゼゾダヂヅデドバビブベボパピプペポ"
)
_SYLLABLES = (
    "a i u e o ka ki ku ke ko sa shi su se so ta chi tsu te to na ni nu ne no ha hi fu he ho ma "
    "mi mu me mo ya yu yo ra ri ru re ro wa o n ga gi gu ge go za ji zu ze zo da ji zu de do ba "
    "bi bu be bo pa pi pu pe po"
)
_ROMAN = dict(zip(_KATAKANA, _SYLLABLES.split(), strict=True))
_SMALL = {"ャ": "a", "ュ": "u", "ョ": "o"}


class TrainingText:
    """Draws documents."""

    def __init__(self, halves: Sequence[Half], real: RealText, seed: int = 0) -> None:
        self._real = real
        self._random = random.Random(f"{'+'.join(halves)}/{seed}")
        self._grammar: dict[str, Any] = tomllib.loads(_GRAMMAR.read_text(encoding="utf-8"))
        self._groups, self._pools, self._carriers = self._merge([read_forms(h) for h in halves])
        self._kinds = list(self._groups)
        self._notes = _notes()
        self._rules: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for one in self._grammar["kind"]:
            self._rules[one["kind"]].append(one)
        self._templates: dict[str, list[str]] = defaultdict(list)
        for groups in self._groups.values():
            for form in (form for group in groups for form in group):
                for _, kind, _, template in (slot.groups() for slot in SLOT.finditer(form.text)):
                    self._templates[kind or form.kind].append(template)

    def document(self) -> Planted:
        """Return a note, or fields and sentences in any order."""
        draw = self._random
        chance = draw.random()
        if chance < 0.2:
            return self._without_identifiers(chance)
        chosen = [self._form() for _ in range(draw.randint(1, 7))]
        fields = [self._render(form) for form in chosen if not form.is_sentence]
        body = [self._render(form) for form in chosen if form.is_sentence]
        for _ in range(draw.randint(0, 4)):
            (fields if draw.random() < 0.6 else body).append(self._plain())
        if draw.random() < 0.05:
            body.append(self._row())
        for _ in range(draw.randint(0, 5)):
            body.append(self._distractor() if draw.random() < 0.5 else self._plain())
        if draw.random() < 0.15:
            body.append(Planted(draw.choice(draw.choice(self._notes).splitlines()), ()))
        for _ in range(draw.randint(0, 5) if draw.random() < 0.6 else 0):
            (fields if draw.random() < 0.6 else body).append(self._real.line())
        if draw.random() < 0.15:
            body.append(self._real.piece())
        if draw.random() < 0.15:
            fields, body = [], fields + body
        draw.shuffle(fields)
        draw.shuffle(body)
        return self._with_placeholders(self._lay_out(fields, body))

    def _without_identifiers(self, chance: float) -> Planted:
        """Return a piece of a note, of real text, or a list of terms."""
        if chance < 0.04:
            return Planted(self._piece_of_note(), ())
        if chance < 0.16:
            return self._real.piece()
        lines = [self._real.line() for _ in range(self._random.randint(3, 12))]
        return join(lines, self._random.choice(["\n", "\n", "\n", "、", "　", " ", "|"]))

    def _lay_out(self, fields: list[Planted], body: list[Planted]) -> Planted:
        draw, carriers = self._random, self._carriers
        parts = [Planted(draw.choice(carriers["headings"]), ())] * (draw.random() < 0.6)
        if fields:
            parts.append(join(fields, draw.choice([*carriers["separators"], *["\n"] * 8])))
        if body:
            parts.append(join(body, draw.choice(carriers["sentence_separators"])))
        if len(parts) > 1 and draw.random() < 0.2:
            parts[-1], parts[-2] = parts[-2], parts[-1]
        return join(parts, "\n")

    def _form(self) -> Form:
        chance = self._random.random()
        if chance < 0.12:
            is_sentence = self._random.random() < 0.5
            lines = self._grammar["lines"]["sentences" if is_sentence else "fields"]
            return _form_of("name", "patient", self._random.choice(lines), is_sentence)
        return self._joined() if chance < 0.45 else self._recombined()

    def _joined(self) -> Form:
        """Return any label of a kind with any of its values."""
        draw = self._random
        kind = self._kind()
        rule = draw.choice(self._rules[kind])
        is_known = draw.random() < 0.75
        value = draw.choice(rule["values"]) if is_known else draw.choice(self._templates[kind])
        joint = self._joint()
        role = rule.get("role")
        slot = f"⟦{kind}{f'/{role}' if role else ''}|{value}⟧{draw.choice(rule.get('tails', ['']))}"
        text = joint.replace("{label}", self._label(rule["labels"])).replace("{value}", slot)
        form = _form_of(kind, role, text, joint.endswith("。") or draw.random() < 0.25)
        return self._restyled(form)

    def _label(self, labels: Sequence[str]) -> str:
        draw, label = self._random, self._random.choice(labels)
        chance = draw.random()
        if chance < 0.07:
            return label + draw.choice(_BEHIND_LABEL)
        if chance < 0.12:
            return draw.choice(_BEFORE_LABEL) + label
        if chance < 0.18 and 1 < len(label) < 5 and label[0] > "\u3000":
            return " ".join(label)
        if chance < 0.22:
            return draw.choice(labels) + draw.choice("・/（、") + label
        return label

    def _joint(self) -> str:
        joints = self._grammar["joints"]
        return self._random.choice(joints if self._random.random() < 0.6 else joints[:10])

    def _recombined(self) -> Form:
        """Return a form of the sets, its values sometimes those of another form of the kind."""
        draw = self._random
        groups = self._groups[self._kind()]
        group = draw.choices(groups, [len(one) ** 0.5 for one in groups])[0]
        form = draw.choice(group)

        def other(slot: re.Match[str]) -> str:
            turned, kind, role, _ = slot.groups()
            if kind == "?" or draw.random() < 0.3:
                return slot[0]
            kind = kind or form.kind
            template = draw.choice(self._templates[kind])
            return f"⟦{turned}{kind}{f'/{role}' if role else ''}|{template}⟧"

        if draw.random() < 0.35:
            form = replace(form, text=SLOT.sub(other, form.text))
        return self._restyled(form)

    def _restyled(self, form: Form) -> Form:
        if self._random.random() < 0.13:
            form = replace(form, widths=["full"])
        if self._random.random() < 0.08:
            form = replace(form, hyphens=[self._random.choice(_HYPHENS)])
        return form

    def _kind(self) -> str:
        weights = [_WEIGHTS.get(kind, 1.0) for kind in self._kinds]
        return self._random.choices(self._kinds, weights)[0]

    def _plain(self) -> Planted:
        """Return a sentence, or a label and its value, without identifiers."""
        draw = self._random
        if draw.random() < 0.06:  # a label without its value
            label = draw.choice(draw.choice(draw.choice(list(self._rules.values())))["labels"])
            return self._fill(label + draw.choice(("", "", "：", ":", "　", "（　　）")))
        if draw.random() < 0.25:
            other = draw.choice(self._grammar["others"]["plain"])
            return self._render(_form_of("address", None, other, True))
        if draw.random() < 0.5:
            return self._fill(draw.choice(self._grammar["sentences"]["plain"]))
        rule, other = draw.choice(self._grammar["plain"]), draw.choice(self._grammar["plain"])
        label = draw.choice((other if draw.random() < 0.1 else rule)["labels"])
        value = draw.choice(rule["values"])
        return self._fill(self._joint().replace("{label}", label).replace("{value}", value))

    def _distractor(self) -> Planted:
        return self._fill(self._random.choice(self._carriers["distractors"]))

    def _row(self) -> Planted:
        """Return values of several kinds without labels."""
        draw, parts = self._random, list[Planted]()
        for kind in draw.sample(_ROW_KINDS, draw.randint(2, 5)):
            rule = draw.choice(self._rules[kind])
            slot = f"⟦{draw.choice(rule['values'])}⟧"
            parts.append(self._render(_form_of(kind, rule.get("role"), slot, False)))
            if draw.random() < 0.4:
                parts.append(self._fill(draw.choice(draw.choice(self._grammar["plain"])["values"])))
        return join(parts, draw.choice(_ROW_SEPARATORS))

    def _with_placeholders(self, document: Planted) -> Planted:
        """Put placeholders, which are no identifiers, in the place of some."""
        draw = self._random
        if draw.random() > 0.12:
            return document
        share, parts, done = draw.random(), list[Planted](), 0
        for span in document.spans:
            is_replaced = span.kind in PLACEHOLDERS and draw.random() < share
            value = document.text[span.start : span.end]
            kept = Planted(value, (replace(span, start=0, end=len(value)),))
            parts.append(Planted(document.text[done : span.start], ()))
            parts.append(Planted(PLACEHOLDERS[span.kind], ()) if is_replaced else kept)
            done = span.end
        return _in_a_row([*parts, Planted(document.text[done:], ())])

    def _piece_of_note(self) -> str:
        note = self._random.choice(self._notes)
        start = self._random.randrange(max(1, len(note) - 100))
        return note[start : start + self._random.randint(80, 400)]

    def _fill(self, template: str) -> Planted:
        return Planted(Values(self._random, self._pools).fill(template), ())

    def _render(self, form: Form) -> Planted:
        return render(form, self._pools, self._random)

    def _merge(
        self, sets: Sequence[Forms]
    ) -> tuple[dict[str, list[list[Form]]], Pools, dict[str, list[str]]]:
        groups: dict[str, list[list[Form]]] = defaultdict(list)
        lists: dict[str, list[str]] = defaultdict(list)
        carriers: dict[str, list[str]] = defaultdict(list)
        for one in sets:
            for (kind, _), found in one.groups.items():
                groups[kind] += found
            for name, values in one.pools.lists.items():
                lists[name] += values
            for name, values in one.carriers.items():
                carriers[name] += values
        families, givens = self._people()
        families += [entry for one in sets for entry in one.pools.families]
        givens += [entry for one in sets for entry in one.pools.givens]
        places = [entry for one in sets for entry in one.pools.places]
        lists["stem"] += [entry[0] for entry in self._random.sample(families, _N_PEOPLE // 2)]
        lists["stem"] += [place[2] for place in places]
        return dict(groups), Pools(families, givens, places, {**lists, **_terms()}), dict(carriers)

    def _people(self) -> tuple[list[Sequence[str]], list[Sequence[str]]]:
        """Return names of the dictionary, each with any reading of its kind."""
        families = [one for one in _words("surnames_ipadic", "surnames_rare") if len(one) < 4]
        return (
            self._with_readings(families, "kana_surnames_ipadic"),
            self._with_readings(_words("given_ipadic", "given_more"), "kana_given_ipadic"),
        )

    def _with_readings(self, names: Sequence[str], readings: str) -> list[Sequence[str]]:
        kana = [_katakana(one) for one in _words(readings) if 2 <= len(one) <= 5]
        chosen = [(self._random.choice(names), self._random.choice(kana)) for _ in range(_N_PEOPLE)]
        return [(name, reading, romanize(reading)) for name, reading in chosen]


def _form_of(kind: str, role: str | None, text: str, is_sentence: bool) -> Form:
    return Form(kind, True, role, text, is_sentence, ["half"], ["-"])


def _in_a_row(parts: Sequence[Planted]) -> Planted:
    text, spans = "", list[Span]()
    for part in parts:
        shifted = (
            replace(one, start=one.start + len(text), end=one.end + len(text)) for one in part.spans
        )
        spans.extend(shifted)
        text += part.text
    return Planted(text, tuple(spans))


def _words(*names: str) -> list[str]:
    folder = importlib.resources.files("rinsho.text").joinpath("words")
    return [
        word for name in names for word in folder.joinpath(f"{name}.txt").read_text("utf-8").split()
    ]


def _terms() -> Mapping[str, list[str]]:
    """Return diseases, drugs, symptoms, tests and sites of the body, with their synonyms."""
    folder = importlib.resources.files("rinsho.demo").joinpath("lexicon")
    files = {"disease": "diseases", "drug": "drugs", "symptom": "symptoms", "test": "tests"}
    terms: dict[str, list[str]] = {}
    for name, file in {**files, "body": "body_parts"}.items():
        rows = csv.DictReader(folder.joinpath(f"{file}.csv").read_text("utf-8").splitlines())
        columns = ("name", "synonyms", "related")
        cells = {
            word for row in rows for key in columns for word in (row.get(key) or "").split(";")
        }
        terms[name] = sorted(cells - {""})
    return terms


def _notes() -> list[str]:
    """Return the embedded notes without their marks, and with placeholders of the few names."""
    folder = importlib.resources.files("rinsho.demo").joinpath("notes")
    files = sorted((one for one in folder.iterdir() if one.name.endswith(".txt")), key=str)
    blocks = [block for one in files for block in one.read_text("utf-8").split("\n\n")]
    texts = ("\n".join(n for n in one.splitlines() if not n.startswith("#")) for one in blocks)
    plain = [re.sub(r"\{([^{}|]*)\|[^{}]*\}", r"\1", text) for text in texts if text.strip()]
    return [replace_identifiers(text)[0] for text in plain]


def _katakana(word: str) -> str:
    return "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" else c for c in word)


def romanize(kana: str) -> str:
    """Return katakana in Latin letters, roughly.

    >>> romanize("キョウコ"), romanize("ショウタ")
    ('kyouko', 'shouta')
    """
    letters = ""
    for one in kana:
        if one in _SMALL and letters:
            letters = letters[:-1]
            glide = "" if letters.endswith(("sh", "ch", "j")) else "y"
            letters += glide + _SMALL[one]
        else:
            letters += _ROMAN.get(one, "")
    return letters or "a"
