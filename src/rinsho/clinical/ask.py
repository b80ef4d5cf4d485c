"""Questions about a text, answered with its own words: what it says, and where.

Without a model the answer is the sentences that fit the question best. A model first quotes, held
to strings that stand in the text, then answers from them; what they do not support is marked. Where
it quotes nothing, the sentences that fit best are quoted, and the answer says so.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any

from rinsho.clinical.declines import Declined, declined
from rinsho.clinical.notes import MAX_NOTE_CHARACTERS, check_length
from rinsho.clinical.support import Checked, check_support
from rinsho.corpus.document import Message
from rinsho.generation.constraint import quotes as only_quotes
from rinsho.generation.language_model import LanguageModel, Sampling
from rinsho.generation.reply import Piece, reply
from rinsho.text.mentions import embedded_tagger
from rinsho.text.normalize import normalize_with_offsets
from rinsho.text.sentences import split_sentences

N_QUOTES = 3
_QUOTE_TOKENS, _ANSWER_TOKENS = 200, 256
_WORDS = re.compile(r"[一-龥々ァ-ヶー]+|[A-Za-z]+|\d+(?:\.\d+)?")
# What a question is about, by its words, and what kind of mention tells it.
_ABOUT = (
    (re.compile(r"薬|処方|内服|投与|点滴"), ("drug",)),
    (re.compile(r"用量|用法|何mg|何錠|量は"), ("dose",)),
    (re.compile(r"診断|病名|疾患|既往|病気"), ("disease",)),
    (re.compile(r"症状|主訴|訴え|所見"), ("symptom",)),
    (re.compile(r"検査|値|結果|データ|いくつ|何度"), ("test", "value")),
)
_WHEN = re.compile(r"いつ|何月|何日|何時|日付|期間")
_DATE = re.compile(r"\d+[/月年]|\d+日|昨日|本日|翌日|朝|夕")
_MENTION_SCORE, _DATE_SCORE = 0.6, 1.0
_ASKED_FOR = (
    "次の本文から、質問に答えるために必要な部分をそのまま抜き出し、JSONの配列で書いてください。"
    "該当する部分がなければ [] と書いてください。"
)
_ANSWER_FROM = (
    "次の抜き書きだけをもとに、質問に短く答えてください。書かれていないことは答えません。"
)
NOTICE_JA = "本文にある記載の抜き書きです。専門職が原文で確認してください。"
NOTICE_EN = "quotes of the text; a professional must check them against it"
RULES = "extractive"  # the engine that quotes without a model


@dataclass(frozen=True, slots=True)
class Quote:
    """A part of the text, in code points of the text as it was given."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a text says about a question.

    Attributes:
        refused: What was asked for, where it is declined; then there is nothing else.
        quotes: Where the text says it; none: it was not found.
        sentences: What a model wrote about them, each checked; none without a model.
        engine: "extractive", or the model's name.
        quoted_by: Which of both quoted; the rules also where a model quoted nothing.
    """

    question: str
    refused: Declined | None
    quotes: tuple[Quote, ...]
    sentences: tuple[Checked, ...]
    engine: str
    quoted_by: str

    @property
    def is_fallback(self) -> bool:
        """Whether the rules quoted what a model was asked for."""
        return bool(self.quotes) and self.quoted_by != self.engine

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "question": self.question,
            "declined": self.refused,
            "quotes": [{"start": q.start, "end": q.end, "text": q.text} for q in self.quotes],
            "answer": [
                {"text": one.text, "unsupported": [list(why) for why in one.unsupported]}
                for one in self.sentences
            ],
            "engine": self.engine,
            "quoted_by": self.quoted_by,
            "notice": {"ja": NOTICE_JA, "en": NOTICE_EN},
        }


def ask(text: str, question: str, model: LanguageModel | None = None) -> Answer:
    """Answer a question about a text with its own words.

    Raises:
        TextTooLong: The text is over the limit.
        SequenceTooLong: It does not fit the model's context; nothing is cut in silence.
    """
    *_, answer = ask_steps(text, question, model)
    assert isinstance(answer, Answer)
    return answer


def ask_steps(
    text: str, question: str, model: LanguageModel | None = None
) -> Iterator[Answer | None]:
    """Do the same a step at a time: None while the model works, the answer last."""
    check_length(text, "text", MAX_NOTE_CHARACTERS)
    name = model.name if model else RULES
    empty = Answer(question, declined(question), (), (), name, name)
    if empty.refused or not text.strip():
        yield empty
        return
    if model is None:
        yield replace(empty, quotes=best_sentences(text, question))
        return
    quoted: list[str] = []
    pieces = _written(model, f"{_ASKED_FOR}\n\n本文:\n{text}\n\n質問: {question}", text)
    yield from _collect(pieces, quoted)
    found = _located(text, "".join(quoted))
    if not found:  # a weak model overlooks what the text says
        yield replace(empty, quotes=best_sentences(text, question), quoted_by=RULES)
        return
    shown = "\n".join(f"・{quote.text}" for quote in found)
    answered: list[str] = []
    pieces = _written(model, f"{_ANSWER_FROM}\n\n抜き書き:\n{shown}\n\n質問: {question}", None)
    yield from _collect(pieces, answered)
    checked = check_support("".join(answered), [quote.text for quote in found])
    yield replace(empty, quotes=found, sentences=tuple(checked))


def _written(
    model: LanguageModel, request: str, quoted: str | None
) -> Generator[Piece, None, None]:
    sampling = Sampling(max_new_tokens=_ANSWER_TOKENS)
    if quoted is not None:
        constraint = only_quotes(quoted, max_items=N_QUOTES)
        sampling = Sampling(max_new_tokens=_QUOTE_TOKENS, constraint=constraint)
    return reply(model, [Message("user", request)], sampling)


def _collect(pieces: Generator[Piece, None, None], into: list[str]) -> Iterator[None]:
    with contextlib.closing(pieces):  # who leaves gives the model's row back at once
        for piece in pieces:
            into.append(piece.text)
            yield None


def _located(text: str, written: str) -> tuple[Quote, ...]:
    """Return where the quoted strings stand; a list that was cut off loses its last one."""
    try:
        found = json.loads(written)
    except ValueError:
        whole = written.rpartition('", "')[0]
        try:
            found = json.loads(whole + '"]') if whole else []
        except ValueError:
            found = []
    places = [(text.find(one), one) for one in dict.fromkeys(found) if one.strip()]
    return tuple(sorted((Quote(at, at + len(one), one) for at, one in places if at >= 0),
                        key=lambda quote: quote.start))  # fmt: skip


def best_sentences(text: str, question: str, n_most: int = N_QUOTES) -> tuple[Quote, ...]:
    """Return the sentences that fit a question best, in reading order; none where none fits.

    Bigrams that question and sentence share, weighted by how few sentences have them (Robertson
    2004, "Understanding inverse document frequency"), and what kind of thing is asked for.
    """
    normalized = normalize_with_offsets(text)
    places = split_sentences(normalized.text)
    sentences = [normalized.text[start:end] for start, end in places]
    asked = _pairs(normalize_with_offsets(question).text)
    shared = [asked & _pairs(sentence) for sentence in sentences]
    n_with = Counter(pair for one in shared for pair in one)
    n_all = len(sentences)
    scores = [sum(math.log1p(n_all / n_with[pair]) for pair in one) for one in shared]
    wanted = {label for pattern, labels in _ABOUT if pattern.search(question) for label in labels}
    asks_when = _WHEN.search(question) is not None
    for number, sentence in enumerate(sentences):
        scores[number] += _fits(sentence, wanted, asks_when=asks_when)
    best = sorted(range(n_all), key=lambda number: (-scores[number], number))[:n_most]
    least = 0.5 * max(scores, default=0.0)
    kept = sorted(number for number in best if scores[number] >= least > 0)
    return tuple(_quote(text, *normalized.to_original(*places[number])) for number in kept)


def _quote(text: str, start: int, end: int) -> Quote:
    return Quote(start, end, text[start:end])


def _pairs(text: str) -> set[str]:
    words = _WORDS.findall(text.casefold())
    return {w[i : i + 2] for w in words for i in range(max(1, len(w) - 1))}


def _fits(sentence: str, wanted: set[str], *, asks_when: bool) -> float:
    score = 0.0
    if wanted:
        labels = {span.label for span in embedded_tagger().spans(sentence)}
        score += _MENTION_SCORE * len(wanted & labels)
    if asks_when and _DATE.search(sentence):
        score += _DATE_SCORE
    return score


def refusal(kind: Declined, language: str) -> str:
    """Return what a declined request is told."""
    ja = {"diagnosis": "診断", "treatment": "治療の提案", "dose": "用量の提案"}[kind]
    if language == "ja":
        return f"{ja}はできません。本文に書かれていることを質問してください。"
    return f"no {kind} is suggested; ask what the text says"


def to_text(answer: Answer) -> str:
    """Return an answer as a person reads it: quotes with their offsets, then what was written."""
    rows = [f"Q: {answer.question}"]
    if answer.refused:
        return "\n".join((*rows, refusal(answer.refused, "ja"), refusal(answer.refused, "en")))
    if answer.is_fallback:
        rows.append(f"{answer.engine} は引用できず、規則で選んだ文です / quoted by the rules")
    rows += [f"「{quote.text}」 [{quote.start}–{quote.end}]" for quote in answer.quotes]
    if not answer.quotes:
        rows.append("本文に該当する記載が見つかりません / not found in the text")
    for one in answer.sentences:
        why = "、".join(words for _, words in one.unsupported)
        rows.append(f"A: {one.text}" + (f"【要確認: {why}】" if why else ""))
    return "\n".join((*rows, f"※ {NOTICE_JA}"))
