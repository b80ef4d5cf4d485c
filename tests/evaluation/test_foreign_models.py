"""Models that rinsho did not make: Hugging Face folders, adapters, GGUF files, thinking models."""

from __future__ import annotations

import json
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from rinsho.errors import (
    EndpointFailed,
    MissingDependency,
    MissingInput,
    ModelCannot,
    PathMissing,
    TemplateRefused,
)
from rinsho.evaluation.answer import AnswerConfig, answer
from rinsho.evaluation.answer_record import read_answers
from rinsho.evaluation.evaluate import engine_of
from rinsho.generation.llama_server import llama_server
from rinsho.manifest import open_folder
from rinsho.model.adapter import AdapterSettings, attach_adapter, save_adapter
from rinsho.model.checkpoint import load_decoder
from rinsho.tokenizer.tokenizer import CONFIG_FILE

TURNS = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
PLAIN = TURNS + "{% if add_generation_prompt %}<|assistant|>{% endif %}"
EMPTY_THOUGHT = "{% if enable_thinking is false %}<think></think>{% endif %}"
THINKS = TURNS + "{% if add_generation_prompt %}<|assistant|>" + EMPTY_THOUGHT + "{% endif %}"


def config(**changes: object) -> AnswerConfig:
    values = {
        "benchmarks": ["demo-questions"],
        "max_items": 3,
        "max_new_tokens": 3,
        "n_free_generations": 0,
        "threads": 1,
    }
    return AnswerConfig.model_validate(values | changes)


def foreign(weights: Path, out: Path, template: str | None) -> Path:
    """Copy weights as another project would leave them: no manifest, a `tokenizer.json` alone."""
    shutil.copytree(weights, out)
    for name in ("manifest.json", "loss.jsonl", "tokenizer.model"):
        (out / name).unlink()
    settings: dict[str, Any] = json.loads((out / CONFIG_FILE).read_bytes())
    settings.pop("chat_template", None)
    if template is not None:
        settings["chat_template"] = template
    (out / CONFIG_FILE).write_text(json.dumps(settings), encoding="utf-8")
    return out


def test_a_hugging_face_folder_is_asked_like_any_model(tmp_path, weights_folder, synthetic_folder):
    folder = foreign(weights_folder, tmp_path / "hf", PLAIN)
    out = tmp_path / "answers"
    manifest = answer(config(), out=out, model=folder, documents=[synthetic_folder])
    assert {one.method for one in read_answers(out)} == {"generation", "log-likelihood"}
    assert str(manifest.identity.inputs["model"]).startswith("sha256:")
    assert "hf: not stated" in manifest.identity.licenses
    assert all(len(a.log_likelihoods) == 5 for a in read_answers(out) if a.log_likelihoods)


def test_an_adapter_of_another_program_is_asked_with_its_base(
    tmp_path, weights_folder, synthetic_folder
):
    decoder = load_decoder(weights_folder)
    settings = AdapterSettings(rank=2)
    attach_adapter(decoder, settings)
    with torch.no_grad():
        for parameter in decoder.parameters():
            if parameter.requires_grad:
                parameter.fill_(0.3)
    adapter = tmp_path / "elsewhere" / "adapter"
    adapter.mkdir(parents=True)
    save_adapter(decoder, adapter, settings, "weights")
    asked = config(methods=["log-likelihood"])
    found: list[object] = []
    for name, model, base in (("a", adapter, weights_folder), ("b", weights_folder, None)):
        out = tmp_path / name
        answer(asked, out=out, model=model, base=base, documents=[synthetic_folder])
        found.append([one.log_likelihoods for one in read_answers(out)])
    assert found[0] != found[1]
    inputs = open_folder(tmp_path / "a").manifest.identity.inputs
    assert inputs["base"] == open_folder(weights_folder).manifest.identity_hash
    with pytest.raises(MissingInput):
        answer(asked, out=tmp_path / "c", model=adapter, documents=[synthetic_folder])


def test_a_model_without_a_chat_template_is_told_how_it_can_be_asked(
    tmp_path, weights_folder, synthetic_folder
):
    folder = foreign(weights_folder, tmp_path / "hf", None)
    with pytest.raises(ModelCannot, match="no chat template") as caught:
        answer(config(), out=tmp_path / "a", model=folder, documents=[synthetic_folder])
    assert "3-shot" in caught.value.text("ja")
    plain = config(benchmarks=["synthetic-text", "demo-questions@0-shot"])
    answer(plain, out=tmp_path / "b", model=folder, documents=[synthetic_folder])
    assert {one.method for one in read_answers(tmp_path / "b")} == {"log-likelihood"}
    assert not (tmp_path / "a").exists()


def test_a_thinking_model_gets_no_log_likelihoods_unless_its_switch_is_off(
    tmp_path, weights_folder, synthetic_folder
):
    folder = foreign(weights_folder, tmp_path / "hf", THINKS)
    documents = [synthetic_folder]
    found = answer(config(), out=tmp_path / "a", model=folder, documents=documents)
    assert {one.method for one in read_answers(tmp_path / "a")} == {"generation"}
    assert found.counts["thinking"] == {"template": "switch", "enable_thinking": "default"}
    assert list(found.counts["not_asked"].values()) == [3]
    off = answer(config(thinking="off"), out=tmp_path / "b", model=folder, documents=documents)
    assert off.counts["thinking"]["enable_thinking"] == "off"
    assert {one.method for one in read_answers(tmp_path / "b")} == {"generation", "log-likelihood"}
    with pytest.raises(ModelCannot, match="thinks before"):
        only = config(methods=["log-likelihood"])
        answer(only, out=tmp_path / "c", model=folder, documents=documents)


def test_thinking_is_not_switched_where_there_is_no_switch(
    tmp_path, weights_folder, synthetic_folder
):
    with pytest.raises(TemplateRefused):
        answer(
            config(thinking="on"), out=tmp_path / "a", model=weights_folder,
            documents=[synthetic_folder],
        )  # fmt: skip


def test_answers_that_were_cut_off_by_the_budget_are_counted(
    tmp_path, weights_folder, synthetic_folder
):
    found = answer(
        config(max_new_tokens=1, methods=["generation"]), out=tmp_path / "a",
        model=weights_folder, documents=[synthetic_folder],
    )  # fmt: skip
    written = [one for one in read_answers(tmp_path / "a") if one.n_tokens]
    assert written
    assert all(one.is_truncated for one in written)
    assert found.counts["truncated"] == len(written)


def test_a_cache_gives_the_same_answers_to_another_run(tmp_path, weights_folder, synthetic_folder):
    for name in ("one", "other"):
        answer(
            config(label=name), out=tmp_path / name, model=weights_folder,
            documents=[synthetic_folder], cache=tmp_path / "cache",
        )  # fmt: skip
    (file,) = (tmp_path / "cache").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_bytes().splitlines()) == 6  # the other run added none
    assert "症例" not in file.read_text(encoding="utf-8")
    one, other = ((tmp_path / n / "answers.jsonl").read_bytes() for n in ("one", "other"))
    assert one == other


# ----------------------------------------------------------------------------------- GGUF

SERVER = """#!{python}
import argparse, json
from http.server import BaseHTTPRequestHandler, HTTPServer
parser = argparse.ArgumentParser()
for name in ("--model", "--host", "--port", "--ctx-size", "--parallel", "--threads"):
    parser.add_argument(name)
parser.add_argument("--jinja", action="store_true")
given = parser.parse_args()
if open(given.model, "rb").read(4) != b"GGUF":
    raise SystemExit(1)
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply({{"status": "ok"}})
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        top = [{{"token": letter, "logprob": -1.0 - n}} for n, letter in enumerate("CABDE")]
        logprobs = {{"content": [{{"token": "C", "logprob": -1.0, "top_logprobs": top}}]}}
        choice = {{"message": {{"content": "C"}}, "finish_reason": "stop"}}
        choice |= {{"logprobs": logprobs}} if body.get("logprobs") else {{}}
        self.reply({{"choices": [choice], "model": "m"}})
    def reply(self, value):
        raw = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)
    def log_message(self, *_):
        pass
HTTPServer((given.host, int(given.port)), Handler).serve_forever()
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program with llama-server's options and answers, for a machine that has not got it."""
    program = tmp_path / "bin" / "llama-server"
    program.parent.mkdir()
    program.write_text(SERVER.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("RINSHO_LLAMA_SERVER", str(program))
    return program


def gguf(tmp_path: Path, start: bytes = b"GGUF") -> Path:
    path = tmp_path / "model-q4.gguf"
    path.write_bytes(start + bytes(64))
    return path


def test_a_gguf_file_answers_through_llama_server(stand_in, tmp_path, synthetic_folder):
    model, out = gguf(tmp_path), tmp_path / "answers"
    assert engine_of(model) == "endpoint"
    answer(config(engine="endpoint"), out=out, model=model, documents=[synthetic_folder])
    found = read_answers(out)
    assert {one.output for one in found if one.method == "generation"} == {"C"}
    scored = [one.log_likelihoods for one in found if one.method == "log-likelihood"]
    assert scored == [(-2.0, -3.0, -1.0, -4.0, -5.0)] * 3


def test_without_llama_server_it_is_said_how_to_get_it(tmp_path, monkeypatch, synthetic_folder):
    monkeypatch.setenv("RINSHO_LLAMA_SERVER", str(tmp_path / "nowhere"))
    with pytest.raises(MissingDependency, match="llama-server") as caught:
        answer(
            config(engine="endpoint"), out=tmp_path / "a", model=gguf(tmp_path),
            documents=[synthetic_folder],
        )  # fmt: skip
    assert "brew install llama.cpp" in caught.value.text("ja")


def test_a_file_that_llama_server_cannot_load_is_an_error(stand_in, tmp_path):
    with (
        pytest.raises(EndpointFailed, match="llama-server ended with 1"),
        llama_server(gguf(tmp_path, b"none")),
    ):
        pass
    with pytest.raises(PathMissing), llama_server(tmp_path / "no.gguf"):
        pass
