"""Plant invented identifiers in invented clinical text, from surface forms with a source each.

    python benchmarks/identifiers/planted.py dev [seed] > planted.jsonl

`dev` to `dev7` may be looked at while rules are written; `test` may not (README.md). One JSON
line a document: `text` and `spans` with start and end in code points, kind, has_cue, role of
names and the form. The same half and seed give the same documents on every machine.
"""

from __future__ import annotations

import json
import random
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from values import Pools, Values, widen

Half = Literal["dev", "dev2", "dev3", "dev4", "dev5", "dev6", "dev7", "test"]
STRUCTURED = (
    *("address", "postal_code", "phone", "mail", "url", "birth_date", "date", "record_number"),
    *("device_number", "my_number", "insurance_number", "license_number", "passport_number"),
)
KINDS = ("name", "hospital", "workplace", "school", *STRUCTURED)
# What each half holds at least. The interval of a recall of .995 on 1,500 ends at .990.
WANTED: dict[tuple[str, bool | None], int] = {
    **{(kind, None): 1_500 for kind in STRUCTURED},
    ("name", True): 1_500,
    ("name", False): 400,
    ("hospital", None): 400,
    ("workplace", None): 400,
    ("school", None): 400,
}
_FORMS = Path(__file__).parent / "forms"
SLOT = re.compile(r"⟦(~?)(?:([a-z_]+|\?)?(?:/([a-z]+))?\|)?([^⟧]*)⟧")


@dataclass(frozen=True, slots=True)
class Span:
    """Where an identifier stands, in code points.

    Attributes:
        kind: One of `KINDS`, or `?` for what a detector may find or leave.
        has_cue: Whether a label, honorific or title beside it says what it is.
        role: For names: patient, family or staff.
        form: Which surface form it was written in; empty in hand-written text.
    """

    start: int
    end: int
    kind: str
    has_cue: bool = True
    role: str | None = None
    form: str = ""


@dataclass(frozen=True, slots=True)
class Planted:
    """A text and the identifiers in it, in order."""

    text: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write identifiers: text with slots `⟦kind/role|template⟧`.

    A slot without a kind is of the form's; one after `~` has a cue where the form has none, and the
    other way round.
    """

    kind: str
    has_cue: bool
    role: str | None
    text: str
    is_sentence: bool
    widths: Sequence[str]
    hyphens: Sequence[str]


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms of one half, what fills them and what surrounds them."""

    groups: Mapping[tuple[str, bool], Sequence[Sequence[Form]]]
    pools: Pools
    carriers: Mapping[str, Sequence[str]]


def read_forms(half: Half) -> Forms:
    """Read `forms/<half>`: pools.toml, carriers.toml, and groups of forms in the other files."""
    folder = _FORMS / half
    pools = tomllib.loads((folder / "pools.toml").read_text(encoding="utf-8"))
    lists = {key: value for key, value in pools.items() if isinstance(value, list)}
    people = [[one.split() for one in lists.pop(key)] for key in ("families", "givens", "places")]
    groups: dict[tuple[str, bool], list[list[Form]]] = {}
    for path in sorted(folder.glob("*.toml")):
        for group in tomllib.loads(path.read_text(encoding="utf-8")).get("group", ()):
            key = (group["kind"], group.get("cue", True))
            groups.setdefault(key, []).append(_read_group(group))
    carriers = tomllib.loads((folder / "carriers.toml").read_text(encoding="utf-8"))
    return Forms(groups, Pools(*people, lists), carriers)


def _read_group(group: Mapping[str, object]) -> list[Form]:
    return [
        Form(
            kind=str(group["kind"]),
            has_cue=bool(group.get("cue", True)),
            role=group.get("role"),  # type: ignore[arg-type]
            text=text,
            is_sentence=key == "sentences",
            widths=group.get("widths", ["half"]),  # type: ignore[arg-type]
            hyphens=group.get("hyphens", ["-"]),  # type: ignore[arg-type]
        )
        for key in ("fields", "sentences")
        for text in group.get(key, ())  # type: ignore[attr-defined]
    ]


def write_documents(half: Half, seed: int = 0) -> Iterator[Planted]:
    """Yield documents until every kind is planted as often as `WANTED` says."""
    forms = read_forms(half)
    randomness = random.Random(f"{half}/{seed}")
    counts = Counter[tuple[str, bool | None]]()
    while lacking := {key: n - counts[key] for key, n in WANTED.items() if counts[key] < n}:
        document = _write_document(forms, lacking, randomness)
        for span in document.spans:
            counts[span.kind, None] += 1
            counts[span.kind, span.has_cue] += 1
        yield document


def _write_document(
    forms: Forms, lacking: Mapping[tuple[str, bool | None], int], randomness: random.Random
) -> Planted:
    chosen = [_choose(forms, lacking, randomness) for _ in range(randomness.randint(3, 7))]
    fields = [render(form, forms.pools, randomness) for form in chosen if not form.is_sentence]
    body = [render(form, forms.pools, randomness) for form in chosen if form.is_sentence]
    for _ in range(randomness.randint(2, 5)):
        body.append(_distractor(forms, randomness))
    randomness.shuffle(body)
    parts = [Planted(randomness.choice(forms.carriers["headings"]), ())] * (
        randomness.random() < 0.7
    )
    if fields:
        parts.append(join(fields, randomness.choice(forms.carriers["separators"])))
    parts.append(join(body, randomness.choice(forms.carriers["sentence_separators"])))
    if len(parts) > 1 and randomness.random() < 0.2:  # letters sign at the end
        parts[-1], parts[-2] = parts[-2], parts[-1]
    return join(parts, "\n")


def _choose(
    forms: Forms, lacking: Mapping[tuple[str, bool | None], int], randomness: random.Random
) -> Form:
    kind, has_cue = randomness.choices(list(lacking), weights=list(lacking.values()))[0]
    cues = [has_cue] if has_cue is not None else [True, False]
    groups = [group for cue in cues for group in forms.groups.get((kind, cue), ())]
    return randomness.choice(randomness.choice(groups))


def _distractor(forms: Forms, randomness: random.Random) -> Planted:
    template = randomness.choice(forms.carriers["distractors"])
    return Planted(Values(randomness, forms.pools).fill(template), ())


def render(form: Form, pools: Pools, randomness: random.Random) -> Planted:
    """Fill the slots of a form; all its slots speak of one person and one place."""
    values = Values(randomness, pools)
    width, hyphen = randomness.choice(form.widths), randomness.choice(form.hyphens)
    text, spans, done = "", [], 0
    for slot in SLOT.finditer(form.text):
        turned, kind, role, template = slot.groups()
        text += values.fill(form.text[done : slot.start()])
        done = slot.end()
        own = values.branch(is_birth=(kind or form.kind) == "birth_date")
        value = own.fill(template).replace("-", hyphen)
        value = widen(value) if width == "full" else value
        has_cue = form.has_cue != bool(turned)
        role = role or (form.role if kind in (None, "name") else None)
        start, end = len(text), len(text) + len(value)
        spans.append(Span(start, end, kind or form.kind, has_cue, role, form.text))
        text += value
    return Planted(text + values.fill(form.text[done:]), tuple(spans))


def join(parts: Sequence[Planted], separator: str) -> Planted:
    """Put texts one after the other and move their spans along."""
    text, spans = "", []
    for part in parts:
        text += separator if text else ""
        spans += [
            replace(one, start=one.start + len(text), end=one.end + len(text)) for one in part.spans
        ]
        text += part.text
    return Planted(text, tuple(spans))


def main() -> None:
    """Write the documents of a half as JSON lines."""
    half = sys.argv[1] if len(sys.argv) > 1 else ""
    if half not in get_args(Half):
        sys.exit("usage: planted.py dev|dev2|dev3|dev4|dev5|dev6|dev7|test [seed]")
    for document in write_documents(half, int(sys.argv[2]) if len(sys.argv) > 2 else 0):
        print(json.dumps(asdict(document), ensure_ascii=False))


if __name__ == "__main__":
    main()
