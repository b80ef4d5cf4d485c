"""The CRF against enumeration of every path, in double precision."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from rinsho.model.crf import ConditionalRandomField

N_TAGS = 5  # O, B-a, I-a, B-b, I-b


@pytest.fixture
def crf() -> ConditionalRandomField:
    follow = torch.ones(N_TAGS, N_TAGS, dtype=torch.bool)
    for inside, allowed in ((2, (1, 2)), (4, (3, 4))):
        follow[:, inside] = False
        follow[list(allowed), inside] = True
    crf = ConditionalRandomField(follow, torch.tensor([True, True, False, True, False]))
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.normal_(generator=generator)
    return crf


def is_possible(path: tuple[int, ...]) -> bool:
    starts_well = path[0] not in (2, 4)
    moves = itertools.pairwise(path)
    return starts_well and all(b not in (2, 4) or a in (b - 1, b) for a, b in moves)


def score(crf: ConditionalRandomField, emissions: torch.Tensor, path: tuple[int, ...]) -> float:
    total = float(crf.start[path[0]].detach()) + float(crf.end[path[-1]].detach())
    total += sum(float(emissions[i, tag]) for i, tag in enumerate(path))
    return total + sum(float(crf.transitions[a, b].detach()) for a, b in itertools.pairwise(path))


def all_scores(
    crf: ConditionalRandomField, emissions: torch.Tensor
) -> dict[tuple[int, ...], float]:
    paths = itertools.product(range(N_TAGS), repeat=len(emissions))
    return {path: score(crf, emissions, path) for path in paths if is_possible(path)}


def test_the_loss_equals_enumeration_of_every_possible_path(crf: ConditionalRandomField) -> None:
    emissions = torch.randn(3, 4, N_TAGS, generator=torch.Generator().manual_seed(1)) * 3
    lengths, gold = [4, 1, 3], [(1, 2, 0, 3), (3,), (0, 3, 4)]
    expected = 0.0
    for row, (length, path) in enumerate(zip(lengths, gold, strict=True)):
        scores = all_scores(crf, emissions[row, :length])
        expected += math.log(sum(math.exp(s) for s in scores.values())) - scores[path]
    tags = torch.tensor([[*path, *[0] * (4 - len(path))] for path in gold])
    loss = crf.summed_loss(emissions, tags, torch.tensor(lengths))
    assert float(loss.detach()) == pytest.approx(expected, abs=1e-4)


def test_viterbi_finds_the_best_path_of_the_enumeration(crf: ConditionalRandomField) -> None:
    emissions = torch.randn(40, 4, N_TAGS, generator=torch.Generator().manual_seed(2)) * 2
    lengths = torch.tensor([1 + row % 4 for row in range(40)])
    found = crf.best_tags(emissions, lengths)
    for row, length in enumerate(lengths.tolist()):
        scores = all_scores(crf, emissions[row, :length])
        assert tuple(found[row]) == max(scores, key=scores.__getitem__)


def test_the_gradient_of_the_loss_is_the_marginal_minus_the_gold(
    crf: ConditionalRandomField,
) -> None:
    emissions = torch.randn(1, 3, N_TAGS, generator=torch.Generator().manual_seed(4))
    emissions.requires_grad_()
    path = (0, 1, 2)
    crf.summed_loss(emissions, torch.tensor([path]), torch.tensor([3])).backward()
    scores = all_scores(crf, emissions[0].detach())
    total = sum(math.exp(s) for s in scores.values())
    for position, tag in itertools.product(range(3), range(N_TAGS)):
        through = sum(math.exp(s) for p, s in scores.items() if p[position] == tag)
        expected = through / total - (path[position] == tag)
        assert emissions.grad is not None
        assert float(emissions.grad[0, position, tag]) == pytest.approx(expected, abs=1e-5)
    assert crf.transitions.grad is not None
    assert crf.transitions.grad[0, 2] == 0, "an impossible move learns nothing"


def test_every_gradient_equals_that_of_the_enumeration(crf: ConditionalRandomField) -> None:
    emissions = torch.randn(3, 4, N_TAGS, generator=torch.Generator().manual_seed(6))
    emissions.requires_grad_()
    lengths, gold = [4, 1, 3], [(1, 2, 0, 3), (3, 0, 0, 0), (0, 3, 4, 0)]

    def differentiable(row: int, path: tuple[int, ...]) -> torch.Tensor:
        total = crf.start[path[0]] + crf.end[path[-1]]
        total = total + sum(emissions[row, i, tag] for i, tag in enumerate(path))
        return total + sum(crf.transitions[a, b] for a, b in itertools.pairwise(path))

    loss = torch.zeros(())
    for row, (length, tags) in enumerate(zip(lengths, gold, strict=True)):
        paths = filter(is_possible, itertools.product(range(N_TAGS), repeat=length))
        scores = torch.stack([differentiable(row, path) for path in paths])
        loss = loss + 2 * row * (scores.logsumexp(0) - differentiable(row, tags[:length]))
    learned = [emissions, crf.transitions, crf.start, crf.end]
    expected = torch.autograd.grad(loss, learned)
    rows = [
        2 * row * crf.summed_loss(emissions[row : row + 1], torch.tensor([tags]), torch.tensor([n]))
        for row, (n, tags) in enumerate(zip(lengths, gold, strict=True))
    ]
    torch.testing.assert_close(torch.autograd.grad(sum(rows), learned), expected)
    together = crf.summed_loss(emissions, torch.tensor(gold), torch.tensor(lengths))
    apart = sum(
        crf.summed_loss(emissions[row : row + 1], torch.tensor([tags]), torch.tensor([n]))
        for row, (n, tags) in enumerate(zip(lengths, gold, strict=True))
    )
    torch.testing.assert_close(
        torch.autograd.grad(together, learned), torch.autograd.grad(apart, learned)
    )


def test_what_lies_behind_the_end_of_a_row_changes_nothing(crf: ConditionalRandomField) -> None:
    emissions = torch.randn(1, 3, N_TAGS, generator=torch.Generator().manual_seed(5))
    padded = torch.cat((emissions, torch.full((1, 5, N_TAGS), 7.0)), dim=1)
    tags, length = torch.tensor([[1, 2, 0]]), torch.tensor([3])
    alone = crf.summed_loss(emissions, tags, length)
    beside = crf.summed_loss(padded, torch.tensor([[1, 2, 0, 3, 3, 3, 3, 3]]), length)
    assert torch.allclose(alone, beside)
    assert crf.best_tags(emissions, length) == crf.best_tags(padded, length)


def test_scores_far_apart_do_not_overflow(crf: ConditionalRandomField) -> None:
    emissions = torch.zeros(1, 300, N_TAGS)
    emissions[:, :, 1] = 500.0
    emissions.requires_grad_()
    loss = crf.summed_loss(emissions, torch.ones(1, 300, dtype=torch.int64), torch.tensor([300]))
    loss.backward()
    assert torch.isfinite(loss)
    assert emissions.grad is not None
    assert torch.isfinite(emissions.grad).all()
