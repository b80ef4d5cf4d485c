"""Results of tests: numbers around the reference range, vital signs, and words for results."""

from __future__ import annotations

import math
from collections.abc import Callable

from rinsho.corpus.page import Page
from rinsho.text.lexicon import Test

# A range is narrow (electrolytes, pH) where its ends differ by less than this factor: such values
# leave it by a part of its width, others by a factor.
_NARROW = 1.45


def draw_number(test: Test, random: Callable[[], float]) -> float:
    """Return a result: in range in three of eight draws, above it in half, else below.

    Raises:
        ValueError: The test has no upper limit.
    """
    if test.high is None:
        raise ValueError(test.name)
    low, high, u = test.low or 0.0, test.high, random()
    if u < 0.375:
        return low + (high - low) * random()
    if low == 0:
        return high * 10 ** (1.5 * random())
    if u < 0.875:
        wide = high * 10 ** (0.02 + _reach(test, high / low) * random())
        return high + (high - low) * 0.9 * random() if high / low < _NARROW else wide
    wide = low * (0.45 + 0.53 * random())
    return low - (high - low) * 0.9 * random() if high / low < _NARROW else wide


def _reach(test: Test, ratio: float) -> float:
    """Return how far above its range a result goes, in powers of ten: enzymes go far."""
    if test.unit == "U/L":
        return 0.9
    return 0.12 if ratio <= 2 else 0.3


def draw_value(test: Test, page: Page) -> str:
    """Return a result with its unit as the text writes it: spaced or not, or without."""
    number = draw_number(test, page.random)
    decimals = test.decimals or 0
    if test.unit == "%":
        number = min(number, 99.0)
    step = 10 ** max(0, int(math.log10(max(number, 1))) - 2) if decimals == 0 else 1
    number = round(number / step) * step if step > 1 else number
    comma = "," if decimals == 0 and page.style("thousands") == "," else ""
    text = f"{max(number, 0):{comma}.{decimals}f}"
    if not test.unit or page.style("units") == "-":
        return text
    space = "" if test.unit == "%" else page.style("space")
    return text + space + test.unit.replace("µ", page.style("micro"))


def write_qualitative(test: Test | None, page: Page) -> None:
    """Write the result of a test that gives no number, in the words of its kind."""
    start = page.length
    kind = test.kind if test and f"qualitative_{test.kind}" in page.rules else "laboratory"
    page.write_rule(f"qualitative_{kind}")
    page.mark(start, "value", "present")


class Vitals:
    """Vital signs of one patient, in keeping with fever and age."""

    NAMES = (
        "temperature",
        "blood_pressure",
        "pulse",
        "saturation",
        "respiratory_rate",
        "weight",
        "height",
    )

    def __init__(self, random: Callable[[], float], has_fever: bool, is_child: bool) -> None:
        self._random, self._has_fever, self._is_child = random, has_fever, is_child

    def draw(self, name: str, page: Page) -> str:
        """Return a value with its unit."""
        text, units = getattr(self, name)()
        unit = page.pick(units)
        return text + (page.style("space") if unit and unit[0] not in "℃%/" else "") + unit

    def _between(self, low: float, high: float) -> float:
        return low + (high - low) * self._random()

    def temperature(self) -> tuple[str, tuple[str, ...]]:
        """Return degrees."""
        low, high = (37.5, 40.0) if self._has_fever else (35.9, 37.2)
        return f"{self._between(low, high):.1f}", ("℃", "℃", "℃", "度", "")

    def blood_pressure(self) -> tuple[str, tuple[str, ...]]:
        """Return systolic over diastolic."""
        systolic = self._between(84, 118) if self._is_child else self._between(88, 186)
        diastolic = systolic * self._between(0.5, 0.66)
        return f"{systolic:.0f}/{diastolic:.0f}", ("mmHg", "mmHg", "", "")

    def pulse(self) -> tuple[str, tuple[str, ...]]:
        """Return beats a minute."""
        low, high = (90, 160) if self._is_child else (52, 128)
        return f"{self._between(low, high):.0f}", ("回/分", "/分", "/min", "bpm", "")

    def saturation(self) -> tuple[str, tuple[str, ...]]:
        """Return percent of oxygen saturation."""
        return f"{self._between(88, 100):.0f}", ("%",)

    def respiratory_rate(self) -> tuple[str, tuple[str, ...]]:
        """Return breaths a minute."""
        low, high = (22, 60) if self._is_child else (12, 32)
        return f"{self._between(low, high):.0f}", ("回/分", "/分", "/min", "")

    def weight(self) -> tuple[str, tuple[str, ...]]:
        """Return kilograms."""
        low, high = (7, 42) if self._is_child else (38, 88)
        return f"{self._between(low, high):.1f}", ("kg",)

    def height(self) -> tuple[str, tuple[str, ...]]:
        """Return centimetres."""
        low, high = (70, 150) if self._is_child else (145, 182)
        return f"{self._between(low, high):.1f}", ("cm",)
