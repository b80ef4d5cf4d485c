"""Our GGUF files in llama.cpp itself: the same tokens, and how far its numbers lie from ours.

    RINSHO_LLAMA_SERVER=… python benchmarks/gguf_proof.py WEIGHTS --data DIR [--lines 10000]

Exports WEIGHTS as fp16 and Q8_0, loads each in `llama-server` (`benchmarks/llama_server.py` where
there is none), and compares: ids of lines of the real text; log-probabilities of the ten likeliest
tokens after prompts of real text, and greedy continuations, with the file read back by rinsho.
Prints JSON. "a tie" are other pieces of the very same total score.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from rinsho.generation.llama_server import llama_server
from rinsho.model.checkpoint import load_decoder
from rinsho.model.decoder import Decoder
from rinsho.model.gguf_file import StoredAs, read_gguf, write_gguf
from rinsho.text.normalize import normalize
from rinsho.tokenizer.model_file import BYTE, Piece, read_pieces
from rinsho.tokenizer.tokenizer import MODEL_FILE, Tokenizer, read_tokenizer

N_PROMPTS, N_PROMPT_TOKENS, N_TOP, N_GREEDY = 50, 64, 10, 24


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--lines", type=int, default=10_000)
    args = parser.parse_args()
    decoder, tokenizer = load_decoder(args.weights).eval(), read_tokenizer(args.weights)
    lines = [normalize(line) for line in itertools.islice(read_lines(args.data), args.lines)]
    with tempfile.TemporaryDirectory() as scratch:
        for stored_as in ("fp16", "q8_0"):
            path = Path(scratch) / f"{stored_as}.gguf"
            write_gguf(decoder, args.weights, path, stored_as)
            with llama_server(path, threads=1) as address:
                server = Server(address.removesuffix("/v1"))
                if stored_as == "fp16":
                    pieces = read_pieces((args.weights / MODEL_FILE).read_bytes())
                    print(json.dumps(compare_ids(server, tokenizer, pieces, lines)), flush=True)
                read = read_gguf(path, decoder.config)
                print(json.dumps(compare_numbers(server, stored_as, read, tokenizer, lines)))


def read_lines(data: Path) -> Iterator[str]:
    """Yield the lines of real text that are not empty, a few of each file in turns."""
    paths = sorted((data / "text").rglob("*.jsonl.gz"))
    each = [_lines_of(path) for path in paths]
    while each:
        for lines in list(each):
            found = list(itertools.islice(lines, 100))
            yield from found
            if not found:
                each.remove(lines)


def _lines_of(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for record in file:
            text = json.loads(record).get("text") or ""
            yield from (line for line in text.split("\n") if line.strip())


class Server:
    """A llama.cpp server."""

    def __init__(self, address: str) -> None:
        self._address = address

    def post(self, route: str, body: dict[str, Any]) -> Any:
        """Return the answer to a request."""
        request = urllib.request.Request(
            self._address + route, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)


def compare_ids(
    server: Server, tokenizer: Tokenizer, pieces: list[Piece], lines: list[str]
) -> dict[str, Any]:
    """Return on how many lines its own tokenizer has our ids; lines with byte tokens apart."""
    counts: Counter[str] = Counter()
    for line in lines:
        ids = tokenizer.encode(line)
        body = {"content": line, "add_special": False, "parse_special": False}
        theirs = server.post("/tokenize", body)["tokens"]
        score, their_score = (sum(pieces[id_].score for id_ in row) for row in (ids, theirs))
        found = "same" if theirs == ids else "a tie" if score == their_score else "other"
        has_bytes = any(pieces[id_].type == BYTE for id_ in ids)
        counts[f"{'with bytes' if has_bytes else 'without bytes'}, {found}"] += 1
    return {"lines": len(lines), **counts}


def compare_numbers(
    server: Server, stored_as: StoredAs, decoder: Decoder, tokenizer: Tokenizer, lines: list[str]
) -> dict[str, Any]:
    """Return the largest difference of log-probabilities, and how many texts go on alike."""
    stream = itertools.chain.from_iterable(map(tokenizer.encode, lines))
    differences: list[float] = []
    n_first = n_same = 0
    for _ in range(N_PROMPTS):
        prompt = [tokenizer.bos_id, *itertools.islice(stream, N_PROMPT_TOKENS)]
        body = {"prompt": prompt, "n_predict": N_GREEDY, "temperature": 0, "n_probs": N_TOP,
                "return_tokens": True, "cache_prompt": False, "ignore_eos": True}  # fmt: skip
        found = server.post("/completion", body)
        steps = found["completion_probabilities"]
        ours = log_probabilities(decoder, prompt)
        top = steps[0]["top_logprobs"]
        differences += [abs(one["logprob"] - float(ours[one["id"]])) for one in top]
        n_first += top[0]["id"] == int(ours.argmax())
        written = [step["id"] for step in steps]
        n_same += written == greedy(decoder, prompt, len(written))
    return {
        "stored_as": stored_as,
        "prompts": N_PROMPTS,
        "largest_difference": round(max(differences), 5),
        "mean_difference": round(sum(differences) / len(differences), 6),
        "same_likeliest_token": n_first,
        f"same_{N_GREEDY}_greedy_tokens": n_same,
    }


@torch.inference_mode()
def log_probabilities(decoder: Decoder, ids: list[int]) -> torch.Tensor:
    """Return the log-probabilities (V,) of the next token."""
    return decoder(torch.tensor([ids]))[0, -1].float().log_softmax(-1)


def greedy(decoder: Decoder, prompt: list[int], n_new: int) -> list[int]:
    """Return the likeliest tokens, one after the other, without any cache."""
    ids = list(prompt)
    for _ in range(n_new):
        ids.append(int(log_probabilities(decoder, ids).argmax()))
    return ids[len(prompt) :]


if __name__ == "__main__":
    main()
