"""Any local encoder of transformers, tuned on the same rows: BERT and its kin as baselines.

Choices go through `AutoModelForSequenceClassification` (question and text as a pair; of two
sentences the level as a number), entities through `AutoModelForTokenClassification` (B, I, O for
each question). The folder has to be here: nothing is downloaded, no program of a model is run.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rinsho.console import say
from rinsho.errors import MissingDependency, ModelCannot
from rinsho.evaluation.baselines import FittedEngine
from rinsho.evaluation.benchmark import Item
from rinsho.evaluation.engines import Engine
from rinsho.evaluation.head_engine import text_of
from rinsho.evaluation.jmed_llm import document_text
from rinsho.model.base import open_base
from rinsho.model.character_crf import to_borders, to_tags
from rinsho.text.normalize import normalize
from rinsho.training.examples import find_entities

if TYPE_CHECKING:
    import torch

_NAMED = re.compile(r"「([^」]*)」")
_STRIDE = 32  # tokens that neighbouring windows share
_TAGS = "OBI"


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """How an encoder is tuned: what most papers about them use."""

    n_epochs: int = 3
    batch_rows: int = 16
    learning_rate: float = 5e-5
    weight_decay: float = 0.01
    warmup_share: float = 0.1
    max_length: int = 512  # tokens, or the encoder's own longest if less


def hash_encoder(path: Path) -> str:
    """Return the hash of an encoder's folder.

    Raises:
        PathMissing, PickleRefused, ProgramRefused: As `open_base`.
    """
    source = open_base(path).source
    return source if isinstance(source, str) else source.manifest.identity_hash


def fit_encoder(path: Path, train: Sequence[Item], seed: int, settings: EncoderSettings) -> Engine:
    """Tune an encoder on items; the seed decides its new head, the order and dropout.

    Raises:
        ModelCannot: Entities, and its tokenizer does not say where tokens stand.
        MissingDependency: transformers is not installed.
    """
    import torch

    open_base(path)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        is_tagger = train[0].form == "entities"
        fit = _fit_tagger if is_tagger else _fit_classifier
        return FittedEngine(fit(path, train, settings))


# ------------------------------------------------------------------------------------- classes


def _fit_classifier(
    path: Path, train: Sequence[Item], settings: EncoderSettings
) -> Callable[[Item], str]:
    import torch

    is_rating = text_of(train[0])[1] is not None
    n_choices = max(len(item.choices) for item in train)
    model, tokenizer = _open(path, "SequenceClassification", 1 if is_rating else n_choices)
    limit = _longest(model, settings)
    levels = [float(item.letters.index(item.gold[0])) for item in train] if is_rating else [0.0]
    middle, scale = statistics.fmean(levels), statistics.pstdev(levels) or 1.0
    n_cut = sum(len(tokenizer(*_pair(item))["input_ids"]) > limit for item in train)
    if n_cut:
        say(
            f"{n_cut} 件の文は末尾を切って学習します",
            f"{n_cut} texts are learned without their end",
        )

    def encode(items: Sequence[Item]) -> Any:
        firsts, seconds = zip(*(_pair(item) for item in items), strict=True)
        return tokenizer(
            list(firsts), list(seconds), truncation="longest_first", max_length=limit,
            padding=True, return_tensors="pt",
        ).to(model.device)  # fmt: skip

    def loss_of(items: Sequence[Item]) -> torch.Tensor:
        gold = torch.tensor([i.letters.index(i.gold[0]) for i in items], device=model.device)
        logits = model(**encode(items)).logits
        if is_rating:
            return torch.nn.functional.mse_loss(logits[:, 0], (gold - middle) / scale)
        return torch.nn.functional.cross_entropy(logits, gold)

    _train(model, train, loss_of, settings)

    def answer(item: Item) -> str:
        with torch.no_grad():
            logits = model(**encode([item])).logits[0]
        n_own = len(item.choices)
        if is_rating:
            level = round(float(logits[0]) * scale + middle)
        else:
            level = int(logits[:n_own].argmax())
        return item.letters[min(max(level, 0), n_own - 1)]

    return answer


def _pair(item: Item) -> tuple[str, str]:
    """Return the question and its text, or two sentences.

    Of a document about a named word its surroundings stand first, so that no cut takes them away.
    """
    first, second = text_of(item)
    if second is not None:
        return first, second
    question, document = item.question.partition("\n")[0], document_text(item.question)
    if not document:
        return normalize(item.question), ""
    if named := _NAMED.search(question):
        place = max(0, document.find(named.group(1)))
        document = document[max(0, place - 200) : place + 200]
    return normalize(question), normalize(document)


# ------------------------------------------------------------------------------------ entities


def _fit_tagger(
    path: Path, train: Sequence[Item], settings: EncoderSettings
) -> Callable[[Item], str]:
    import torch

    tags = sorted({item.tag for item in train})
    model, tokenizer = _open(path, "TokenClassification", len(_TAGS) * len(tags))
    if not tokenizer.is_fast:
        expected = "a tokenizer that says where tokens stand (tokenizer.json)"
        raise ModelCannot(where=path.name, found="a tokenizer without offsets", expected=expected)
    limit = _longest(model, settings)

    def windows(text: str) -> Any:
        return tokenizer(
            text, truncation=True, max_length=limit, stride=min(_STRIDE, limit // 4), padding=True,
            return_overflowing_tokens=True, return_offsets_mapping=True, return_tensors="pt",
        )  # fmt: skip

    def logits_of(found: Any, tag: str) -> torch.Tensor:
        inputs = {k: found[k].to(model.device) for k in ("input_ids", "attention_mask")}
        logits_WTL = model(**inputs).logits
        place = len(_TAGS) * tags.index(tag)
        return logits_WTL[..., place : place + len(_TAGS)]

    def loss_of(items: Sequence[Item]) -> torch.Tensor:
        losses: list[torch.Tensor] = []
        for item in items:
            text = document_text(item.question)
            found = windows(text)
            spans = find_entities(text, item.gold, item.tag)
            of_characters = to_tags(len(text), [(s.start, s.end) for s in spans])
            gold = [
                [_tag_of(start, end, of_characters) for start, end in offsets]
                for offsets in found["offset_mapping"].tolist()
            ]
            logits = logits_of(found, item.tag)
            labels = torch.tensor(gold, device=model.device)
            losses.append(torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels))
        return torch.stack(losses).mean()

    _train(model, train, loss_of, settings)

    def answer(item: Item) -> str:
        if item.tag not in tags:
            return "[]"
        text = document_text(item.question)
        found = windows(text)
        with torch.no_grad():
            best = logits_of(found, item.tag).argmax(-1).tolist()
        said = ["O"] * len(text)
        for offsets, places in zip(found["offset_mapping"].tolist(), best, strict=True):
            for (start, end), tag in zip(offsets, places, strict=True):
                if tag and end > start:
                    said[start:end] = [_TAGS[tag], *["I"] * (end - start - 1)]
        borders = to_borders(said)
        return repr(list(dict.fromkeys(text[start:end] for start, end in borders)))

    return answer


def _tag_of(start: int, end: int, of_characters: Sequence[str]) -> int:
    """Return the tag of a token's first marked character; -100 for one that stands nowhere."""
    if start == end:
        return -100
    return next((_TAGS.index(tag) for tag in of_characters[start:end] if tag != "O"), 0)


# ------------------------------------------------------------------------------------ training


def _open(path: Path, kind: str, n_labels: int) -> tuple[Any, Any]:
    import torch

    try:
        import transformers
    except ImportError:
        raise MissingDependency(where="encoder", found="transformers", expected="adapt") from None
    known = {"local_files_only": True, "trust_remote_code": False}
    model_class = getattr(transformers, f"AutoModelFor{kind}")
    model = model_class.from_pretrained(
        path, num_labels=n_labels, use_safetensors=True, dtype=torch.float32, **known
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.to(device), transformers.AutoTokenizer.from_pretrained(path, **known)


def _longest(model: Any, settings: EncoderSettings) -> int:
    return min(settings.max_length, int(getattr(model.config, "max_position_embeddings", 512)))


def _train(
    model: Any,
    train: Sequence[Item],
    loss_of: Callable[[Sequence[Item]], torch.Tensor],
    settings: EncoderSettings,
) -> None:
    """Run AdamW with a linear rise and fall of the rate; leaves the model ready to answer."""
    import torch

    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    batches = list(_batches(len(train), settings))
    n_warmup = max(1, round(settings.warmup_share * len(batches)))
    model.train()
    for step, places in enumerate(batches):
        falling = (len(batches) - step) / max(1, len(batches) - n_warmup)
        rate = settings.learning_rate * min((step + 1) / n_warmup, falling, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss_of([train[place] for place in places]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    model.eval()


def _batches(n_rows: int, settings: EncoderSettings) -> Iterator[list[int]]:
    """Yield the places of each batch, another order every epoch."""
    import torch

    for _ in range(settings.n_epochs):
        order: list[int] = torch.randperm(n_rows).tolist()
        for start in range(0, n_rows, settings.batch_rows):
            yield order[start : start + settings.batch_rows]
