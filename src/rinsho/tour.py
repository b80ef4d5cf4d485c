"""What `rinsho demo` shows at its end: one answered question, one extraction, the next steps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from rinsho.console import language
from rinsho.evaluation.demo_notes import read_notes


def show_demo(root: Path) -> Iterator[str]:
    """Yield the lines that a person reads after the demo.

    Args:
        root: The run's folder, finished.
    """
    yield from _question(root)
    yield from _extraction(root)
    yield from _scores(root)
    yield from _next_steps(root)


def _question(root: Path) -> Iterator[str]:
    from rinsho.corpus.document import Message
    from rinsho.generation.decoder_model import load_language_model
    from rinsho.generation.language_model import Sampling
    from rinsho.generation.reply import reply

    model = load_language_model(root / "chat")
    question = "肺炎とはどのような病気ですか。患者さんに説明してください。"
    pieces = reply(model, [Message("user", question)], Sampling(max_new_tokens=160))
    yield ""
    yield _heading("質問", "A question")
    yield f"  {question}"
    yield "  → " + "".join(piece.text for piece in pieces).replace("\n", "\n    ")


def _extraction(root: Path) -> Iterator[str]:
    from rinsho.clinical.extract import load_extractor

    note = read_notes()[0]
    extractor = load_extractor(root / "tagger")
    yield ""
    yield _heading("抽出（手書きの例文、学習には不使用）", "An extraction (a hand-written note)")
    yield "  " + note.text.replace("\n", "\n  ")
    for span in extractor.spans(note.text):
        words = note.text[span.start : span.end]
        yield f"    {span.start:>4}–{span.end:<4} {span.label:<10} {span.certainty:<10} {words}"


def _scores(root: Path) -> Iterator[str]:
    report = json.loads((root / "report" / "report.json").read_bytes())
    yield ""
    yield _heading("成績（95% 区間）", "Scores (95% intervals)")
    for row in report.get("summary", ()):
        yield "  " + "  ".join(str(cell) for cell in row)


def _next_steps(root: Path) -> Iterator[str]:
    yield ""
    yield _heading("次に", "What next")
    report, serve = root / "report" / "report.html", f"{root}/chat --extractor {root}/tagger"
    yield f"  {report}"
    yield f"  rinsho serve {serve}"
    yield f"  rinsho verify {root}"


def _heading(ja: str, en: str) -> str:
    return f"── {ja if language() == 'ja' else en}"
