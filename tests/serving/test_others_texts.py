"""No answer holds a word of another request, however many are asked at the same time."""

import asyncio
import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from rinsho.generation.language_model import LanguageModel

N_CAMPAIGN = int(os.environ.get("RINSHO_REQUESTS", "100000"))
N_CLIENTS = 24
MARK = re.compile(r"PT-\d{8}")
Asked = tuple[str, dict[str, Any]]


def request_of(number: int, model: str) -> Asked:
    """Return a request around an identifier that no other one has."""
    draw = random.Random(number)
    text = f"番号PT-{draw.randrange(10**8):08d}。" + "咳嗽。" * draw.randint(1, 9)
    kind = draw.choice(["chat", "stream", "extract", "deidentify", "ask"])
    if kind in ("chat", "stream"):
        messages = [{"role": "user", "content": text}]
        sampling = {"temperature": draw.choice([0, 1]), "seed": number, "max_tokens": 6}
        body = {"model": model, "messages": messages, "stream": kind == "stream", **sampling}
        return "/v1/chat/completions", body
    if kind == "ask":
        return "/v1/ask", {"text": text, "question": "番号は？", "use_model": False}
    return f"/v1/{kind}", {"text": text, "id": MARK.findall(text)[0]}


async def said(client: httpx.AsyncClient, asked: Asked) -> str:
    """Return what came back, less what differs each time: the ids and times of chats."""
    while (reply := await client.post(asked[0], json=asked[1])).status_code == 429:
        await asyncio.sleep(0)
    assert reply.status_code == 200, reply.text
    return re.sub(r'"(id|created)": ?("chatcmpl-\w+"|\d+)', "", reply.text)


async def ask_all(url: str, model: str, n_requests: int) -> Counter[str]:
    """Ask a pool alone, then all at once; count others' identifiers and answers that differ."""
    counts, n_pool = Counter[str](), min(200, n_requests // 4)
    limits = httpx.Limits(max_connections=N_CLIENTS)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
        alone = {n: await said(client, request_of(n, model)) for n in range(n_pool)}

        async def work(numbers: Iterator[int]) -> None:
            for number in numbers:
                asked = request_of(number, model)
                answer = await said(client, asked)
                own = set(MARK.findall(str(asked[1])))
                found = set(MARK.findall(answer))
                counts["requests"] += 1
                counts["with its own"] += bool(found & own)
                counts["with another's"] += bool(found - own)
                if number in alone:
                    counts["asked alone before"] += 1
                    counts["other bytes"] += answer != alone[number]

        # Half of them are new, half come from the pool.
        numbers = (n % n_pool if n % 2 else n_pool + n for n in range(n_requests))
        await asyncio.gather(*(work(numbers) for _ in range(N_CLIENTS)))
    return counts


def check(counts: Counter[str], n_requests: int) -> None:
    assert counts["requests"] == n_requests
    assert counts["with its own"] > n_requests / 10  # the search finds identifiers where there are
    assert counts["with another's"] == counts["other bytes"] == 0


def test_an_answer_holds_nothing_of_other_requests(url: str, chat_model: LanguageModel) -> None:
    check(asyncio.run(ask_all(url, chat_model.name, 200)), 200)


@pytest.mark.campaign
def test_100_000_answers_hold_nothing_of_others(url: str, chat_model: LanguageModel) -> None:
    counts = asyncio.run(ask_all(url, chat_model.name, N_CAMPAIGN))
    print(f"\n{dict(counts)}")
    check(counts, N_CAMPAIGN)
