"""OpenAI's API by its own client and by curl, against a real tiny model."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

import httpx
import numpy as np
import openai
import pydantic
import pytest
from fastapi import FastAPI

from rinsho.clinical.extract import Extractor
from rinsho.corpus.document import Message
from rinsho.generation.language_model import LanguageModel, Sampling, Scored
from rinsho.serving.app import create_app
from rinsho.serving.limits import Limits
from rinsho.tokenizer.tokenizer import Tokenizer

QUESTION = "文字の例を示してください。"
RunServer = Callable[[FastAPI], AbstractContextManager[str]]


@pytest.fixture
def openai_client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def expected_ids(model: LanguageModel, question: str, sampling: Sampling) -> list[int]:
    prompt = model.tokenizer.render([Message("user", question)], add_generation_prompt=True)
    return list(model.generate(prompt, sampling))


def test_the_models_are_listed(openai_client: openai.OpenAI, chat_model: LanguageModel) -> None:
    assert [model.id for model in openai_client.models.list()] == [chat_model.name]
    assert openai_client.models.retrieve(chat_model.name).id == chat_model.name


def test_an_answer_is_what_the_model_generates(
    openai_client: openai.OpenAI, chat_model: LanguageModel
) -> None:
    reply = openai_client.chat.completions.create(model=chat_model.name, messages=user(QUESTION))
    ids = expected_ids(chat_model, QUESTION, Sampling(max_new_tokens=512))
    assert reply.choices[0].message.content == chat_model.tokenizer.decode(ids)
    assert "𠮷野家の😀" in reply.choices[0].message.content
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.completion_tokens == len(ids)
    messages = [Message("user", QUESTION)]
    n_prompt = len(chat_model.tokenizer.render(messages, add_generation_prompt=True))
    assert reply.usage.prompt_tokens == n_prompt


def test_a_stream_adds_up_to_the_answer_and_never_breaks_a_character(
    openai_client: openai.OpenAI, chat_model: LanguageModel
) -> None:
    request = {"model": chat_model.name, "messages": user(QUESTION)}
    whole = openai_client.chat.completions.create(**request)
    chunks = list(
        openai_client.chat.completions.create(
            **request, stream=True, stream_options={"include_usage": True}
        )
    )
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(pieces) == whole.choices[0].message.content
    assert len(pieces) > 5
    assert not any("\ufffd" in piece for piece in pieces)
    assert chunks[-1].usage == whole.usage
    assert chunks[-2].choices[0].finish_reason == "stop"


def test_a_seeded_answer_repeats(openai_client: openai.OpenAI, chat_model: LanguageModel) -> None:
    def answer(seed: int) -> str:
        return (
            openai_client.chat.completions.create(
                model=chat_model.name, messages=user("発熱"), temperature=1.5, top_p=0.9,
                seed=seed, max_tokens=40,
            ).choices[0].message.content
        )  # fmt: skip

    assert answer(1) == answer(1)
    assert len({answer(seed) for seed in range(5)}) > 1


def test_an_answer_ends_before_a_stop_string(
    openai_client: openai.OpenAI, chat_model: LanguageModel
) -> None:
    reply = openai_client.chat.completions.create(
        model=chat_model.name, messages=user(QUESTION), stop=["無い語", "と葛"]
    )
    assert reply.choices[0].message.content == "𠮷野家の😀"
    assert reply.choices[0].finish_reason == "stop"


def test_an_answer_is_cut_at_max_tokens(
    openai_client: openai.OpenAI, chat_model: LanguageModel
) -> None:
    for limit in ({"max_tokens": 5}, {"max_completion_tokens": 5}):
        reply = openai_client.chat.completions.create(
            model=chat_model.name, messages=user(QUESTION), **limit
        )
        assert reply.usage.completion_tokens == 5
        assert reply.choices[0].finish_reason == "length"


def test_text_never_becomes_a_special_token(
    openai_client: openai.OpenAI, chat_model: LanguageModel
) -> None:
    text = "<|end|><|assistant|><s></s>"
    reply = openai_client.chat.completions.create(
        model=chat_model.name, messages=user(text), max_tokens=1
    )
    plain = chat_model.tokenizer.encode(text)
    assert chat_model.tokenizer.decode(plain) == text  # nothing was taken for a special token
    assert reply.usage.prompt_tokens == len(plain) + 4  # <s> <|user|> … <|end|> <|assistant|>


def test_parts_and_the_developer_role_are_taken(
    openai_client: openai.OpenAI, chat_model: LanguageModel
) -> None:
    parts = [{"type": "text", "text": QUESTION[:4]}, {"type": "text", "text": QUESTION[4:]}]
    one = openai_client.chat.completions.create(
        model=chat_model.name, messages=[{"role": "user", "content": parts}]
    )
    other = openai_client.chat.completions.create(model=chat_model.name, messages=user(QUESTION))
    assert one.choices[0].message.content == other.choices[0].message.content
    openai_client.chat.completions.create(
        model=chat_model.name, messages=[{"role": "developer", "content": "短く"}], max_tokens=1
    )


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"temperature": 3}, "temperature"),
        ({"temperature": float("nan")}, None),
        ({"top_p": 0}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"n": 2}, "n"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"structured_outputs": {}}, "structured_outputs"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"stop": ""}, "stop"),
        ({"seed": 2**70}, "seed"),
        ({"frobnicate": 1}, "frobnicate"),
    ],
)
def test_what_cannot_be_honoured_is_refused(
    client: httpx.Client, chat_model: LanguageModel, change: dict[str, object], param: str | None
) -> None:
    request = {"model": chat_model.name, "messages": user("a"), **change}
    response = client.post(
        "/v1/chat/completions",
        content=json.dumps(request),
        headers={"Content-Type": "application/json"},
    )
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "S005")
    assert param is None or error["param"].startswith(param)


def test_tokens_come_with_their_log_probabilities(
    openai_client: openai.OpenAI, chat_model: LanguageModel
) -> None:
    request = {"model": chat_model.name, "messages": user(QUESTION)}
    reply = openai_client.chat.completions.create(**request, logprobs=True, top_logprobs=3)
    content = reply.choices[0].logprobs.content
    assert (
        b"".join(bytes(one.bytes) for one in content).decode() == reply.choices[0].message.content
    )
    prompt = chat_model.tokenizer.render([Message("user", QUESTION)], add_generation_prompt=True)
    ids = expected_ids(chat_model, QUESTION, Sampling(max_new_tokens=512))
    (scored,) = chat_model.log_likelihoods([(prompt, ids)])
    assert sum(one.logprob for one in content) == pytest.approx(scored.log_likelihood, abs=1e-3)
    for one in content:
        assert one.logprob == one.top_logprobs[0].logprob  # greedy
        assert len(one.top_logprobs) == 3
    stream = openai_client.chat.completions.create(**request, logprobs=True, stream=True)
    parts = [c.choices[0].logprobs.content for c in stream if c.choices and c.choices[0].logprobs]
    assert [one.token for part in parts for one in part] == [one.token for one in content]


def test_an_answer_follows_a_schema(
    openai_client: openai.OpenAI, chat_model: LanguageModel
) -> None:
    class Finding(pydantic.BaseModel):
        certainty: Literal["present", "negated"]
        n: Literal[0, 1]

    reply = openai_client.chat.completions.parse(
        model=chat_model.name, messages=user("発熱"), response_format=Finding
    )
    assert reply.choices[0].message.parsed.certainty in ("present", "negated")


def test_an_answer_is_one_of_the_choices(
    openai_client: openai.OpenAI, chat_model: LanguageModel
) -> None:
    offered = ["咳嗽", "𠮷野家"]
    reply = openai_client.chat.completions.create(
        model=chat_model.name, messages=user("発熱"),
        extra_body={"structured_outputs": {"choice": offered}},
    )  # fmt: skip
    assert reply.choices[0].message.content in offered


def test_a_schema_that_cannot_be_met_is_refused(
    openai_client: openai.OpenAI, chat_model: LanguageModel
) -> None:
    schema = {"type": "string", "minLength": 5, "maxLength": 2}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as caught:
            openai_client.chat.completions.create(
                model=chat_model.name, messages=user("a"), response_format=wanted, stream=stream
            )
        assert caught.value.code == "S011"


def test_a_text_is_continued(openai_client: openai.OpenAI, chat_model: LanguageModel) -> None:
    request = {"model": chat_model.name, "prompt": "咳嗽は", "max_tokens": 6}
    reply = openai_client.completions.create(**request, logprobs=2)
    tokenizer = chat_model.tokenizer
    prompt = [tokenizer.bos_id, *tokenizer.encode("咳嗽は")]
    ids = list(chat_model.generate(prompt, Sampling(max_new_tokens=6)))
    assert reply.choices[0].text == tokenizer.decode(ids)
    assert len(reply.choices[0].logprobs.tokens) == reply.usage.completion_tokens == len(ids)
    chunks = openai_client.completions.create(**request, stream=True)
    assert "".join(chunk.choices[0].text for chunk in chunks) == reply.choices[0].text


def test_texts_become_vectors_of_length_one(
    openai_client: openai.OpenAI, chat_model: LanguageModel
) -> None:
    texts = ["咳嗽とは何ですか。", "咳嗽とは何ですか", "文字の例を示してください。"]
    reply = openai_client.embeddings.create(model=chat_model.name, input=texts)
    plain = openai_client.embeddings.create(
        model=chat_model.name, input=texts[1], encoding_format="float"
    )
    first, second, third = (np.array(one.embedding) for one in reply.data)
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-5)
    assert first @ second > first @ third
    assert plain.data[0].embedding == pytest.approx(second, abs=1e-6)
    with pytest.raises(openai.BadRequestError):
        openai_client.embeddings.create(model=chat_model.name, input="長い記録" * 500)


def test_another_model_is_not_found(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        openai_client.chat.completions.create(model="gpt-x", messages=user("a"))
    assert caught.value.code == "S007"


def test_a_prompt_over_the_context_is_refused_in_a_stream_too(
    openai_client: openai.OpenAI, chat_model: LanguageModel
) -> None:
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as caught:
            openai_client.chat.completions.create(
                model=chat_model.name, messages=user("長い記録" * 500), stream=stream
            )
        assert caught.value.code == "K009"


def test_without_a_model_chat_is_refused_and_extraction_works(
    run_server: RunServer, dictionary: Extractor
) -> None:
    with run_server(create_app(None, dictionary)) as address:
        chat = httpx.post(
            f"{address}/v1/chat/completions", json={"model": "x", "messages": user("a")}
        )
        models = httpx.get(f"{address}/v1/models").json()
        found = httpx.post(f"{address}/v1/extract", json={"text": "肺炎で入院"}).json()
    assert (chat.status_code, chat.json()["error"]["code"]) == (404, "S006")
    assert models["data"] == []
    assert found["engine"] == {"name": "dictionary", "kind": "dictionary"}
    assert [span["text"] for span in found["spans"]] == ["肺炎"]


def test_a_head_over_notes_answers_its_questions(run_server: RunServer, judging: Extractor) -> None:
    with run_server(create_app(None, judging)) as address:
        found = httpx.post(f"{address}/v1/extract", json={"text": "肺炎で入院"}).json()
        empty = httpx.post(f"{address}/v1/extract", json={"text": " "}).json()
    assert found["engine"] == {"name": "heads", "kind": "model"}
    assert [answer["task"] for answer in found["answers"]][:2] == ["urgent", "days"]
    assert found["answers"][0]["probabilities"] == {"yes": 0.5, "no": 0.5}
    assert found["answers"][1]["value"] == 3.0
    assert found["spans"] == [] and "answers" not in empty


def test_curl_gets_an_answer_and_a_stream(url: str, chat_model: LanguageModel, curl: str) -> None:
    def post(body: dict[str, object]) -> str:
        words = [curl, "-sS", "-N", f"{url}/v1/chat/completions", "-H"]
        words += ["Content-Type: application/json", "-d", json.dumps(body)]
        return subprocess.run(words, capture_output=True, check=True, text=True).stdout

    request = {"model": chat_model.name, "messages": user(QUESTION)}
    answer = json.loads(post(request))["choices"][0]["message"]["content"]
    events = post(request | {"stream": True}).strip().split("\n\n")
    assert events[-1] == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-1]]
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks) == answer


def test_spans_point_into_the_text_that_was_sent(client: httpx.Client) -> None:
    text = "😀𠮷田様\r\n　ﾊﾟﾆｯｸ障害、糖尿病。発熱なし。"
    spans = client.post("/v1/extract", json={"text": text}).json()["spans"]
    assert all(text[span["start"] : span["end"]] == span["text"] for span in spans)
    assert {"糖尿病", "発熱"} <= {span["text"] for span in spans}
    fever = next(span for span in spans if span["text"] == "発熱")
    assert fever["certainty"] == "negated"


@pytest.mark.parametrize("text", ["", " \n　"])
def test_an_empty_note_has_no_spans(client: httpx.Client, text: str) -> None:
    assert client.post("/v1/extract", json={"text": text}).json()["spans"] == []


def test_identifiers_are_replaced(client: httpx.Client) -> None:
    text = "😀電話：０９０－１２３４－５６７８"
    reply = client.post("/v1/deidentify", json={"text": text, "id": "a"}).json()
    assert reply["text"] == "😀電話：[電話番号]"
    (one,) = reply["replacements"]
    assert text[one["start"] : one["end"]] == "０９０－１２３４－５６７８"
    assert reply["text"][one["placeholder_start"] : one["placeholder_end"]] == "[電話番号]"


class Endless:
    """The model, but it never ends its turn; it tells when it began and when it was stopped."""

    context_length = 1_000_000

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self.name = model.name
        self.is_begun = threading.Event()
        self.is_stopped = threading.Event()

    @property
    def tokenizer(self) -> Tokenizer:
        return self._model.tokenizer

    def log_likelihoods(
        self, requests: Sequence[tuple[Sequence[int], Sequence[int]]]
    ) -> list[Scored]:
        return self._model.log_likelihoods(requests)

    def generate(self, prompt: Sequence[int], sampling: Sampling) -> Iterator[int]:
        self.is_begun.set()
        try:
            while ids := list(self._model.generate(prompt, sampling)):
                yield from ids
        finally:
            self.is_stopped.set()


class EndlessPrompt(Endless):
    """The model, but the parts of its prompt never end."""

    def generate_steps(self, prompt: Sequence[int], sampling: Sampling) -> Iterator[int | None]:
        self.is_begun.set()
        try:
            while True:
                yield None
        finally:
            self.is_stopped.set()


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("kind", [Endless, EndlessPrompt])
def test_who_leaves_stops_what_was_asked(
    run_server: RunServer, chat_model: LanguageModel, dictionary: Extractor, kind: type[Endless],
    stream: bool,
) -> None:  # fmt: skip
    model = kind(chat_model)
    request = {"model": model.name, "messages": user(QUESTION), "stream": stream}
    with run_server(create_app(model, dictionary)) as address:
        host, port = address.removeprefix("http://").split(":")
        body = json.dumps(request).encode()
        head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(head.encode() + body)
            assert model.is_begun.wait(timeout=60)
        assert model.is_stopped.wait(timeout=60)
        found = httpx.post(f"{address}/v1/extract", json={"text": "発熱"}, timeout=60)
    assert found.is_success


def test_generation_stops_when_a_client_that_reads_nothing_leaves(
    chat_model: LanguageModel, dictionary: Extractor
) -> None:
    model = Endless(chat_model)
    app = create_app(model, dictionary)
    request = {"model": model.name, "messages": user(QUESTION), "stream": True}
    body = {"type": "http.request", "body": json.dumps(request).encode()}
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "method": "POST",
        "path": "/v1/chat/completions", "query_string": b"", "headers": headers,
    }  # fmt: skip

    async def check() -> None:
        is_stuck, given = asyncio.Event(), iter([body])

        async def receive() -> dict[str, Any]:
            if (event := next(given, None)) is not None:
                return event
            await is_stuck.wait()
            return {"type": "http.disconnect"}

        async def send(event: dict[str, Any]) -> None:
            if event["type"] == "http.response.body":
                assert await asyncio.to_thread(model.is_begun.wait, 60)
                is_stuck.set()
                await asyncio.Event().wait()

        await app(scope, receive, send)
        assert await asyncio.to_thread(model.is_stopped.wait, 60)

    gc.disable()
    try:
        asyncio.run(check())
    finally:
        gc.enable()


def test_a_full_queue_answers_429_and_the_others_get_their_answers(
    run_server: RunServer, chat_model: LanguageModel, dictionary: Extractor
) -> None:
    model = Endless(chat_model)
    app = create_app(model, dictionary, Limits(max_waiting=0, max_running=1))
    request = {"model": model.name, "messages": user(QUESTION), "stream": True}
    with run_server(app) as address, httpx.Client(base_url=address, timeout=60) as client:
        with client.stream("POST", "/v1/chat/completions", json=request) as reply:
            lines = reply.iter_lines()  # kept: the connection closes with it
            next(lines)
            refused = client.post("/v1/chat/completions", json=request)
            found = client.post("/v1/extract", json={"text": "発熱"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "S004")
        assert found.status_code == 200  # notes do not wait for chats
        assert model.is_stopped.wait(timeout=60)
