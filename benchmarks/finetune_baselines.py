"""What stands beside the forms of `finetune_forms.py` without a model: words, n-grams, lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
from finetune_tasks import Cell

from rinsho.evaluation.benchmark import Item
from rinsho.evaluation.head_engine import text_of
from rinsho.evaluation.jmed_llm import document_text


def remember(cell: Cell) -> Callable[[Item], str]:
    """Mark every longest match of an entity of the training rows."""
    from rinsho.training.examples import find_entities

    words: dict[str, set[str]] = defaultdict(set)
    for item in cell.train:
        words[item.tag].update(item.gold)

    def answer(item: Item) -> str:
        text = document_text(item.question)
        spans = find_entities(text, words[item.tag], item.tag)
        return repr(list(dict.fromkeys(text[s.start : s.end] for s in spans)))

    return answer


def character_crf(cell: Cell) -> Callable[[Item], str]:
    """Train a CRF over hashed character n-grams, without any pre-training; one model a tag."""
    models = {tag: _train_crf(cell, tag) for tag in sorted({item.tag for item in cell.train})}

    def answer(item: Item) -> str:
        text = document_text(item.question)
        spans = models[item.tag](text)
        return repr(list(dict.fromkeys(text[start:end] for start, end in spans)))

    return answer


def _train_crf(cell: Cell, tag: str) -> Callable[[str], list[tuple[int, int]]]:
    import torch
    from torch.nn.utils.rnn import pad_sequence

    from rinsho.model.crf import ConditionalRandomField
    from rinsho.model.tags import TagSet
    from rinsho.training.examples import find_entities

    torch.manual_seed(cell.seed)
    tags = TagSet(((tag, "present"),))
    table = torch.nn.Embedding(2**17, tags.n_tags)
    torch.nn.init.zeros_(table.weight)
    crf = ConditionalRandomField(*tags.allowed())
    optimizer = torch.optim.Adagrad([*table.parameters(), *crf.parameters()], lr=0.3)
    rows: list[tuple[torch.Tensor, torch.Tensor]] = []
    for item in (item for item in cell.train if item.tag == tag):
        text = document_text(item.question)
        gold = torch.zeros(len(text), dtype=torch.int64)
        for span in find_entities(text, item.gold, tag):
            gold[span.start] = 1
            gold[span.start + 1 : span.end] = 2
        rows.append((_ngrams(text), gold))
    generator = np.random.default_rng(cell.seed)
    for _ in range(12):
        order = generator.permutation(len(rows))
        for start in range(0, len(rows), 16):
            batch = [rows[place] for place in order[start : start + 16]]
            features_BLF, gold_BL = (
                pad_sequence(list(x), batch_first=True) for x in zip(*batch, strict=True)
            )
            lengths_B = torch.tensor([len(gold) for _, gold in batch])
            loss = crf.summed_loss(table(features_BLF).sum(2), gold_BL, lengths_B)
            (loss / lengths_B.sum()).backward()
            optimizer.step()
            optimizer.zero_grad()

    def spans(text: str) -> list[tuple[int, int]]:
        with torch.no_grad():
            best = crf.best_tags(table(_ngrams(text)).sum(1)[None], torch.tensor([len(text)]))[0]
        offsets = [(n, n + 1) for n in range(len(text))]
        return [(s.start, s.end) for s in tags.to_spans(best, offsets, text)]

    return spans


def _ngrams(text: str) -> Any:
    """Return hashes of the 1- to 4-grams around each character, shape (L, n-grams)."""
    import zlib

    import torch

    padded = f"\0\0\0{text}\0\0\0"
    places = [(s, n) for n in (1, 2, 3, 4) for s in range(7 - n + 1)]
    return torch.tensor(
        [
            [zlib.crc32(f"{s},{n},{padded[i + s : i + s + n]}".encode()) % 2**17 for s, n in places]
            for i in range(len(text))
        ]
    )


def tf_idf(cell: Cell) -> Callable[[Item], str]:
    """Logistic regression over character 1- to 4-grams, one for each question."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    models: dict[str, tuple[Any, Any]] = {}
    for tag in sorted({item.tag for item in cell.train}):
        rows = [item for item in cell.train if item.tag == tag]
        vectors = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True)
        matrix = vectors.fit_transform(text_of(item)[0] for item in rows)
        model = LogisticRegression(C=30, max_iter=1000, class_weight="balanced")
        models[tag] = vectors, model.fit(matrix, [item.gold[0] for item in rows])

    def answer(item: Item) -> str:
        vectors, model = models[item.tag]
        return str(model.predict(vectors.transform([text_of(item)[0]]))[0])

    return answer


def ngram_overlap(cell: Cell) -> Callable[[Item], str]:
    """Linear regression over the Jaccard overlap of character 1- to 4-grams."""

    def features(item: Item) -> list[float]:
        first, second = text_of(item)
        sets = [
            [{text[i : i + n] for i in range(len(text) - n + 1)} for text in (first, second or "")]
            for n in (1, 2, 3, 4)
        ]
        return [1.0, *(len(a & b) / max(1, len(a | b)) for a, b in sets)]

    matrix = np.array([features(item) for item in cell.train])
    scores = np.array([5.0 - "ABCDEF".index(item.gold[0]) for item in cell.train])
    weights = np.linalg.lstsq(matrix, scores, rcond=None)[0]

    def answer(item: Item) -> str:
        score = float(np.array(features(item)) @ weights)
        return "ABCDEF"[5 - min(5, max(0, round(score)))]

    return answer


BASELINES: dict[str, Callable[[Cell], Callable[[Item], str]]] = {
    "dictionary": remember,
    "character-crf": character_crf,
    "tf-idf": tf_idf,
    "n-grams": ngram_overlap,
}
