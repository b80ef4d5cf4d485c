"""The stage `answer` with a real decoder and real folders."""

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rinsho.corpus.document import Message
from rinsho.errors import MissingInput, ModelCannot, UnknownBenchmark
from rinsho.evaluation.answer import AnswerConfig, answer
from rinsho.evaluation.answer_record import FREE, Answer, AnswerLog, read_answers, to_line
from rinsho.evaluation.benchmark import Item, Sources
from rinsho.evaluation.catalogue import load_benchmark
from rinsho.evaluation.model_engine import ModelEngine, windows
from rinsho.evaluation.prompts import messages_of
from rinsho.generation.decoder_model import load_language_model
from rinsho.manifest import open_folder
from rinsho.model.checkpoint import load_decoder
from rinsho.model.precision import computes_in_bf16
from rinsho.text.normalize import normalize

CONFIG = {
    "benchmarks": ["demo-questions", "demo-notes-entities", "synthetic-text"],
    "max_items": 3,
    "max_new_tokens": 4,
    "n_free_generations": 3,
    "free_max_new_tokens": 5,
    "threads": 1,
}
# Where the processor has bf16 products the model reads its prompts with them.
CLOSE = 0.03 if computes_in_bf16(torch.device("cpu")) else 1e-4


def config(**changes: object) -> AnswerConfig:
    return AnswerConfig.model_validate({**CONFIG, **changes})


@pytest.fixture(scope="module")
def answered(tmp_path_factory, weights_folder, synthetic_folder) -> Path:
    out = tmp_path_factory.mktemp("answered") / "answers"
    answer(config(), out=out, model=weights_folder, documents=[synthetic_folder])
    return out


def test_each_item_is_answered_by_each_method_that_fits_its_form(answered):
    answers = read_answers(answered)
    counted = {(a.benchmark, a.method): 0 for a in answers}
    for one in answers:
        counted[one.benchmark, one.method] += 1
    assert counted == {
        ("demo-questions", "generation"): 3,
        ("demo-questions", "log-likelihood"): 3,
        ("demo-notes-entities", "generation"): 3,
        ("synthetic-text", "log-likelihood"): 3,
        (FREE, "free"): 3,
    }
    assert open_folder(answered, "answer").manifest.counts["answers"] == 15


def test_log_likelihoods_are_those_of_the_decoder_itself(answered, weights_folder):
    """Truth: softmax over the whole prompt in one plain forward pass."""
    item = load_item(answered, "demo-questions")
    model = load_language_model(weights_folder)
    tokenizer, decoder = model.tokenizer, load_decoder(weights_folder)
    messages = [Message(m.role, normalize(m.content)) for m in messages_of(item)]
    prompt = tokenizer.render(messages, add_generation_prompt=True)
    with torch.inference_mode():
        log_probs_V = decoder(torch.tensor([prompt]))[0, -1].log_softmax(-1)
    expected = [float(log_probs_V[tokenizer.encode(letter)[0]]) for letter in item.letters]
    given = next(
        a for a in read_answers(answered) if a.item == item.id and a.method == "log-likelihood"
    )
    assert given.log_likelihoods == pytest.approx(expected, abs=CLOSE)


def test_a_model_answers_in_4_bits_as_it_is_served(
    answered, weights_folder, synthetic_folder, tmp_path
):
    given = config(precision="int4", benchmarks=["demo-questions"], n_free_generations=0)
    answer(given, out=tmp_path / "int4", model=weights_folder, documents=[synthetic_folder])
    assert open_folder(tmp_path / "int4").manifest.identity.precision == "int4"
    item = load_item(answered, "demo-questions")
    packed = load_language_model(weights_folder, precision="int4")
    expected = ModelEngine(packed, 4, 0).answer("demo-questions", item, "log-likelihood")
    usual, found = (
        next(a for a in read_answers(folder) if (a.item, a.method) == (item.id, "log-likelihood"))
        for folder in (answered, tmp_path / "int4")
    )
    assert found.log_likelihoods == expected.log_likelihoods != usual.log_likelihoods


def load_item(answered: Path, benchmark: str) -> Item:
    asked = {one["name"]: one for one in json.loads((answered / "asked.json").read_bytes())}
    prompts = {a.item: a.prompt for a in read_answers(answered) if a.benchmark == benchmark}
    first = asked[benchmark]["items"][0]
    number = int(first.rpartition("/")[2])
    item = Item(
        first,
        "choice",
        f"症例{number}。最も考えられるのはどれか。",
        ("肺炎", "胃癌", "骨折", "腎炎", "貧血"),
    )
    assert item.question in (prompts[first] or "")
    return item


def test_the_likelihood_of_a_text_is_that_of_its_tokens_once_each(answered, weights_folder):
    model, decoder = load_language_model(weights_folder), load_decoder(weights_folder)
    given = next(a for a in read_answers(answered) if a.benchmark == "synthetic-text")
    tokens = [model.tokenizer.bos_id, *model.tokenizer.encode(given.prompt or "")]
    with torch.inference_mode():
        log_probs_TV = decoder(torch.tensor([tokens]))[0].log_softmax(-1)
    expected = sum(float(log_probs_TV[at, token]) for at, token in enumerate(tokens[1:]))
    assert given.log_likelihoods[0] == pytest.approx(expected, abs=10 * CLOSE)
    assert given.n_tokens == len(tokens) - 1


@pytest.mark.parametrize(("n_tokens", "context_length"), [(2, 8), (8, 8), (9, 8), (50, 7), (9, 2)])
def test_windows_score_every_token_once_within_the_context(n_tokens, context_length):
    tokens = list(range(n_tokens))
    pairs = windows(tokens, context_length)
    assert [token for _, continuation in pairs for token in continuation] == tokens[1:]
    for context, continuation in pairs:
        assert len(context) + len(continuation) <= context_length
        assert context[-1] + 1 == continuation[0]
    for context, _ in pairs[1:]:
        assert len(context) >= context_length - max(1, context_length // 2)


def test_a_question_longer_than_the_context_is_marked_and_not_cut(weights_folder):
    model = load_language_model(weights_folder)
    engine = ModelEngine(model, max_new_tokens=4, seed=0)
    item = Item("x/1", "choice", "咳" * 2_000, ("有", "無"), ("A",))
    for method in ("generation", "log-likelihood"):
        given = engine.answer("x", item, method)
        assert given.is_too_long
        assert (given.output, given.log_likelihoods, given.n_tokens) == ("", (), 0)
        assert given.n_prompt_tokens > model.context_length


def test_the_same_call_gives_the_same_folder(answered, tmp_path, weights_folder, synthetic_folder):
    out = tmp_path / "answers"
    again = answer(config(), out=out, model=weights_folder, documents=[synthetic_folder])
    assert again.identity_hash == open_folder(answered).manifest.identity_hash


SCRIPT = """
import sys
from pathlib import Path
from rinsho.evaluation.answer import AnswerConfig, answer
config, out, model, documents = sys.argv[1:]
config = AnswerConfig.model_validate_json(config)
answer(config, out=Path(out), model=Path(model), documents=[Path(documents)])
"""


@pytest.mark.campaign
def test_a_killed_run_goes_on_and_gives_the_same_folder(tmp_path, weights_folder, synthetic_folder):
    long = config(benchmarks=["demo-similarity"], max_items=40)
    out, unbroken = tmp_path / "answers", tmp_path / "unbroken"
    arguments = [long.model_dump_json(), str(out), str(weights_folder), str(synthetic_folder)]
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments])
    log = tmp_path / "answers.partial" / "checkpoints" / "answers.jsonl"
    while process.poll() is None:
        if log.is_file() and log.stat().st_size > 0:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.wait()
    found = answer(long, out=out, model=weights_folder, documents=[synthetic_folder])
    expected = answer(long, out=unbroken, model=weights_folder, documents=[synthetic_folder])
    assert found.identity_hash == expected.identity_hash
    assert not (tmp_path / "answers.partial").exists()


def test_a_line_that_a_kill_cut_short_is_answered_again(tmp_path):
    path = tmp_path / "answers.jsonl"
    first, second = (Answer("b", f"b/{n}", "generation", "0", output="発熱\n") for n in (1, 2))
    path.write_bytes(to_line(first) + to_line(second)[:-9])
    log = AnswerLog(path)
    assert set(log.answers) == {first.key}
    log.add(second)
    log.close()
    assert path.read_bytes() == to_line(first) + to_line(second)


def test_free_generations_differ_by_seed_and_not_by_run(answered):
    free = [a for a in read_answers(answered) if a.benchmark == FREE]
    assert [a.seed for a in free] == [0, 1, 2]
    assert len({a.prompt for a in free}) == 3
    assert all(a.n_tokens <= 5 for a in free)


def test_prompts_stay_out_where_they_are_not_wanted(tmp_path, weights_folder, synthetic_folder):
    out = tmp_path / "answers"
    asked = config(keep_prompts=False, n_free_generations=0)
    answer(asked, out=out, model=weights_folder, documents=[synthetic_folder])
    assert all(a.prompt is None and a.prompt_sha256 for a in read_answers(out))


def test_private_texts_stay_out_of_answers(tmp_path, private_folder):
    out = tmp_path / "answers"
    asked = config(benchmarks=["documents-text"], engine="kneser-ney")
    manifest = answer(asked, out=out, documents=[private_folder])
    assert manifest.identity.is_private
    assert "秘密" not in (out / "answers.jsonl").read_text(encoding="utf-8")


def test_the_character_model_is_trained_on_the_train_split_alone(tmp_path, synthetic_folder):
    out = tmp_path / "answers"
    answer(
        config(benchmarks=["synthetic-text"], engine="kneser-ney", max_items=None),
        out=out,
        documents=[synthetic_folder],
    )
    folder = open_folder(synthetic_folder)
    items = load_benchmark("synthetic-text", Sources(documents=(folder,))).items
    answers = read_answers(out)
    assert [a.item for a in answers] == [item.id for item in items]
    n_bits = -sum(a.log_likelihoods[0] for a in answers) / math.log(2)
    n_bytes = sum(len(item.question.encode()) for item in items)
    assert 0.05 < n_bits / n_bytes < 2  # the day number alone is new


def test_an_engine_is_not_asked_what_it_cannot_do(tmp_path, weights_folder, synthetic_folder):
    with pytest.raises(ModelCannot, match="dictionary, tagger"):
        answer(config(benchmarks=["demo-notes"]), out=tmp_path / "a", model=weights_folder)
    with pytest.raises(ModelCannot):
        answer(
            config(benchmarks=["demo-questions"], engine="kneser-ney"),
            out=tmp_path / "b",
            documents=[synthetic_folder],
        )
    with pytest.raises(MissingInput):
        answer(config(benchmarks=["notes-text"]), out=tmp_path / "c")
    with pytest.raises(UnknownBenchmark):
        answer(config(benchmarks=["demo-note"]), out=tmp_path / "d")
    assert list(tmp_path.iterdir()) == []


def test_an_answer_survives_writing_and_reading():
    given = Answer("b", "b/1", "log-likelihood", "0", log_likelihoods=(-0.1, -2.0), n_tokens=2)
    value = json.loads(to_line(given))
    value["log_likelihoods"] = tuple(value["log_likelihoods"])
    assert Answer(**value) == given
    assert "prompt" not in value
    assert json.loads(to_line(dataclasses.replace(given, prompt="咳")))["prompt"] == "咳"
