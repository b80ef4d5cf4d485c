"""A page: one text while it is being written, with its spans and what it has said so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from rinsho.corpus.template import Template
from rinsho.text.spans import Span

T = TypeVar("T")
Rules = Mapping[str, Sequence[Template]]
_SENTENCES, _LINES, _BULLETS = range(3)
# How several statements are set: mostly as sentences, as people write.
_FORMS = (_SENTENCES,) * 6 + (_LINES,) * 3 + (_BULLETS,)
_SEPARATORS = ("、",) * 9 + ("・",) * 4 + (",",) * 2 + ("、 ", "/")
_FINAL_SEPARATORS = {"、": ("、",) * 4 + ("と", "および", "や"), "・": ("・",)}


class Slots(Protocol):
    """What fills the slots of templates: a case drawn from the lexicon."""

    department: str
    supply: Mapping[str, int]  # how many different ones a slot has, where that is few

    def fill(self, name: str, certainty: str | None, page: Page) -> None:
        """Write one slot with its mark."""
        ...


class Page:
    """A text in the making.

    Attributes:
        random: Draws from [0, 1).
        slots: Fills slots.
        stated: Surfaces of diseases and symptoms that the patient has, or may have.
        denied: Surfaces of those that the text has denied.
        contradicts: Whether something was denied that is stated, or the other way round.
    """

    def __init__(self, random: Callable[[], float], rules: Rules, slots: Slots) -> None:
        self.random, self.rules, self.slots = random, rules, slots
        self.length = 0
        self.parts: list[str] = []
        self.spans: list[Span] = []
        self.contradicts = False
        self.stated: set[str] = set()
        self.denied: set[str] = set()
        self.used: set[Template] = set()
        self._styles: dict[str, str] = {}

    @property
    def text(self) -> str:
        """Return what was written."""
        return "".join(self.parts)

    def add(self, text: str) -> None:
        """Write text without a mark."""
        self.parts.append(text)
        self.length += len(text)

    def add_marked(self, surface: str, label: str, certainty: str = "present") -> None:
        """Write a mention."""
        start = self.length
        self.add(surface)
        self.spans.append(Span(start, self.length, label, certainty))
        self._remember(surface, label, certainty)

    def mark(self, start: int, label: str, certainty: str) -> None:
        """Mark what was written since `start`, without outer blanks."""
        n_parts, length = len(self.parts), self.length
        while length > start:
            n_parts -= 1
            length -= len(self.parts[n_parts])
        written = "".join(self.parts[n_parts:])
        surface = written.strip()
        start += len(written) - len(written.lstrip())
        self.spans.append(Span(start, start + len(surface), label, certainty))
        self._remember(surface, label, certainty)

    def _remember(self, surface: str, label: str, certainty: str) -> None:
        if label in ("disease", "symptom"):
            is_denied = certainty == "negated"
            here, there = (self.denied, self.stated) if is_denied else (self.stated, self.denied)
            here.add(surface)
            self.contradicts = self.contradicts or surface in there

    def add_resolved(self, surface: str, label: str) -> None:
        """Write a mention of what the patient had and has no more."""
        start = self.length
        self.add(surface)
        self.spans.append(Span(start, self.length, label, "negated"))

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[int(self.random() * len(options))]

    def between(self, low: int, high: int) -> int:
        """Return a number of the range, both ends included."""
        return low + int(self.random() * (high - low + 1))

    # --------------------------------------------------------------------------- rules

    def rule(self, name: str, by_department: bool) -> Sequence[Template]:
        """Return the templates of a rule; those of the department, where it has some, more often.

        Raises:
            KeyError: The grammar has no such rule.
        """
        special = self.rules.get(f"{name}_{self.slots.department}") if by_department else None
        return special if special and self.random() < 0.8 else self.rules[name]

    def choose(self, templates: Sequence[Template]) -> Template:
        """Return a template that contradicts nothing said so far, a fresh one if there is one."""
        template = self.pick(templates)
        for _ in range(12):
            if self._fits(template) and template not in self.used:
                break
            template = self.pick(templates)
        else:
            fitting = [one for one in templates if self._fits(one)]
            template = self.pick(fitting or templates)
        self.used.add(template)
        return template

    def _fits(self, template: Template) -> bool:
        supply = self.slots.supply
        if any(n > supply.get(name, n) for name, n in template.demand):
            return False
        return self.stated.isdisjoint(template.denied) and self.denied.isdisjoint(template.asserted)

    def write_rule(self, name: str, by_department: bool = False) -> None:
        """Write one template of a rule."""
        self.choose(self.rule(name, by_department)).write(self)

    def write_several(self, name: str, by_department: bool, low: int, high: int, form: str) -> None:
        """Write several templates of a rule: as sentences (p), as lines (l), or either."""
        layout = {"p": _SENTENCES, "l": _LINES}.get(form)
        layout = self.pick(_FORMS) if layout is None else layout
        before = self.style("bullet") if layout == _BULLETS else ""
        if layout == _BULLETS and self.parts and not self.parts[-1].endswith("\n"):
            self.add("\n")
        after = "。" if layout == _SENTENCES or self.random() < 0.3 else ""
        for i in range(self.between(low, high)):
            if i and layout != _SENTENCES:
                self.add("\n")
            self.add(before)
            self.write_rule(name, by_department)
            self.add(after)

    def style(self, name: str) -> str:
        """Return a rule that is drawn once and stays the same in the whole text."""
        if name not in self._styles:
            self._styles[name] = self.pick(self.rules[name]).source
        return self._styles[name]

    def write_style(self, name: str) -> None:
        """Write a rule that stays the same in the whole text."""
        self.add(self.style(name))

    # --------------------------------------------------------------------------- slots

    def fill(self, name: str, certainty: str | None) -> None:
        """Write one slot."""
        self.slots.fill(name, certainty, self)

    def fill_several(self, name: str, certainty: str | None) -> None:
        """Write two to four of a slot, joined in one style."""
        separator = self.pick(_SEPARATORS)
        n = min(self.between(2, 4), self.slots.supply.get(name, 4))
        last = self.pick(_FINAL_SEPARATORS.get(separator, (separator,)))
        for i in range(n):
            if i:
                self.add(last if i == n - 1 else separator)
            self.slots.fill(name, certainty, self)
