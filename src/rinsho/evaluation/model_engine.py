"""A language model as an engine: greedy generation, log-likelihoods, seeded free generations."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from rinsho.corpus.document import Message
from rinsho.evaluation.answer_record import FREE, Answer, Method
from rinsho.evaluation.benchmark import Item
from rinsho.evaluation.prompts import hash_messages, hash_prompt, messages_of
from rinsho.generation.language_model import LanguageModel, Sampling, Scored
from rinsho.text.normalize import normalize

# Free generations begin in turn with the openings and the questions; no benchmark holds them.
OPENINGS = (
    "糖尿病は、",
    "【現病歴】\n",
    "S: 昨夜から",
    "胸部X線では、",
    "肺炎の治療は、",
    "【退院時要約】\n",
    "高血圧症の患者では、",
    "検査所見: ",
    "看護記録\n10:00 ",
    "心不全の原因として、",
)
QUESTIONS = (
    "気管支喘息とはどのような病気ですか。",
    "急性虫垂炎の主な症状を教えてください。",
    "ワルファリンを飲むときの注意点は何ですか。",
    "CRPが高いときに考えることを説明してください。",
    "脳梗塞の検査にはどのようなものがありますか。",
    "鉄欠乏性貧血の治療を説明してください。",
    "発熱と咳がある患者の経過記録を書いてください。",
    "尿路感染症について短く説明してください。",
    "骨粗鬆症の薬にはどのようなものがありますか。",
    "めまいの原因を三つ挙げてください。",
)


@dataclass(frozen=True, slots=True)
class _Requests:
    """What is scored of one item."""

    pairs: Sequence[tuple[Sequence[int], Sequence[int]]]
    n_prompt_tokens: int = 0
    is_too_long: bool = False


class ModelEngine:
    """Asks a language model: texts one at a time, log-likelihoods of many items at once.

    Args:
        model: The model.
        max_new_tokens: Of an answer by generation.
        seed: Stored with every answer; greedy generation does not use it.
    """

    def __init__(self, model: LanguageModel, max_new_tokens: int, seed: int) -> None:
        self._model = model
        self._tokenizer = model.tokenizer
        self._sampling = Sampling(max_new_tokens=max_new_tokens, seed=seed)

    def answer(self, benchmark: str, item: Item, method: Method) -> Answer:
        """Answer one item; one that does not fit the context is marked, never cut."""
        if method == "log-likelihood":
            return self.score_many([(benchmark, item)])[0]
        messages = messages_of(item)
        return self.answer_messages(
            benchmark, item, messages, method=method, is_raw_text=item.is_plain
        )

    def answer_messages(
        self,
        benchmark: str,
        item: Item,
        messages: Sequence[Message],
        *,
        method: Method,
        is_raw_text: bool,
    ) -> Answer:
        """Answer by a prompt: through the chat template, or one text as it is."""
        prompt = self._plain(messages) if is_raw_text else self._render(messages)
        return self._generate(benchmark, item, prompt, hash_messages(messages), method)

    def score_many(self, asked: Sequence[tuple[str, Item]]) -> list[Answer]:
        """Score the choices of items, or texts, all at once; what is asked together is packed."""
        requests = [self._requests(item) for _, item in asked]
        flat = [pair for one in requests for pair in one.pairs]
        scored = iter(self._model.log_likelihoods(flat) if flat else [])
        return [
            self._scored(benchmark, item, one, [next(scored) for _ in one.pairs])
            for (benchmark, item), one in zip(asked, requests, strict=True)
        ]

    def _plain(self, messages: Sequence[Message]) -> Sequence[int]:
        text = normalize(messages[0].content)
        return [self._tokenizer.bos_id, *self._tokenizer.encode(text)]

    def _render(self, messages: Sequence[Message]) -> Sequence[int]:
        normalized = [Message(m.role, normalize(m.content)) for m in messages]
        return self._tokenizer.render(normalized, add_generation_prompt=True)

    def _generate(
        self,
        benchmark: str,
        item: Item,
        prompt: Sequence[int],
        prompt_sha256: str,
        method: Method,
    ) -> Answer:
        n_left = self._model.context_length - len(prompt)
        is_too_long = n_left <= 0
        tokens = [] if is_too_long else list(self._model.generate(prompt, self._sampling))
        return Answer(
            benchmark,
            item.id,
            method,
            prompt_sha256,
            output=self._tokenizer.decode(tokens),
            n_prompt_tokens=len(prompt),
            n_tokens=len(tokens),
            seed=self._sampling.seed,
            is_too_long=is_too_long,
            is_truncated=0 < min(n_left, self._sampling.max_new_tokens) <= len(tokens),
        )

    def _requests(self, item: Item) -> _Requests:
        """Return what is scored: the letter of each choice where it would stand, or a text."""
        if item.form == "text":
            tokens = [self._tokenizer.bos_id, *self._tokenizer.encode(item.question)]
            return _Requests(windows(tokens, self._model.context_length))
        # The prompt is official; our models read it as they read their training text: normalized.
        messages = messages_of(item)
        prompt = self._plain(messages) if item.is_plain else self._render(messages)
        blank = " " if item.is_plain else ""  # an example says "答え: A"
        letters = [self._tokenizer.encode(blank + letter) for letter in item.letters]
        longest = len(prompt) + max((len(letter) for letter in letters), default=0)
        is_too_long = longest > self._model.context_length
        pairs = [] if is_too_long else [(prompt, letter) for letter in letters]
        return _Requests(pairs, len(prompt), is_too_long)

    def _scored(
        self, benchmark: str, item: Item, asked: _Requests, scored: Sequence[Scored]
    ) -> Answer:
        values = tuple(one.log_likelihood for one in scored)
        return Answer(
            benchmark,
            item.id,
            "log-likelihood",
            hash_prompt(item),
            log_likelihoods=(sum(values),) if item.form == "text" else values,
            n_prompt_tokens=asked.n_prompt_tokens,
            n_tokens=sum(one.n_tokens for one in scored),
            seed=self._sampling.seed,
            is_too_long=asked.is_too_long,
            shots=item.shot_ids,
        )

    def generate_freely(self, number: int, sampling: Sampling) -> Answer:
        """Continue an opening or answer a question, sampled; the prompt is ours and is kept."""
        lists = (OPENINGS, QUESTIONS)[number % 2]
        text = lists[number // 2 % len(lists)]
        if number % 2 and self._tokenizer.has_chat_template:
            user = Message("user", text)
            prompt = self._tokenizer.render([user], add_generation_prompt=True)
        else:
            prompt = [self._tokenizer.bos_id, *self._tokenizer.encode(text)]
        tokens = list(self._model.generate(prompt, sampling))
        return Answer(
            FREE,
            f"{FREE}/{number}",
            "free",
            hashlib.sha256(text.encode()).hexdigest(),
            output=self._tokenizer.decode(tokens),
            n_prompt_tokens=len(prompt),
            n_tokens=len(tokens),
            seed=sampling.seed,
            prompt=text,
        )


def windows(
    tokens: Sequence[int], context_length: int
) -> list[tuple[Sequence[int], Sequence[int]]]:
    """Cut a long text into (context, continuation) pairs that score each token but the first once.

    After the first window every token has at least half a context before it.

    >>> windows([0, 1, 2, 3, 4, 5, 6], 4)
    [([0], [1, 2, 3]), ([2, 3], [4, 5]), ([4, 5], [6])]
    """
    pairs: list[tuple[Sequence[int], Sequence[int]]] = []
    at, n_next = 1, context_length - 1
    while at < len(tokens):
        end = min(len(tokens), at + n_next)
        pairs.append((tokens[max(0, at + n_next - context_length) : at], tokens[at:end]))
        at, n_next = end, max(1, context_length // 2)
    return pairs
