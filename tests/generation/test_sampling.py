"""The choice of a token: greedy, by chance, and inside the nucleus."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rinsho.generation.language_model import Sampling
from rinsho.generation.sampling import choose_token, seeded_generator

LOGITS_V = torch.tensor([0.5, 0.2, 0.2, 0.1]).log()


def draws(sampling: Sampling, n: int = 4_000) -> list[int]:
    generator = seeded_generator(sampling)
    return [choose_token(LOGITS_V, sampling, generator) for _ in range(n)]


def test_temperature_zero_takes_the_most_likely_token() -> None:
    assert set(draws(Sampling(temperature=0.0), 5)) == {0}


def test_draws_have_the_frequencies_of_the_model() -> None:
    found = draws(Sampling(temperature=1.0, seed=1))
    for token, probability in enumerate([0.5, 0.2, 0.2, 0.1]):
        spread = math.sqrt(probability * (1 - probability) / len(found))
        assert found.count(token) / len(found) == pytest.approx(probability, abs=4 * spread)


def test_a_low_temperature_sharpens() -> None:
    found = draws(Sampling(temperature=0.5, seed=1))
    expected = 0.25 / (0.25 + 0.04 + 0.04 + 0.01)
    assert found.count(0) / len(found) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.01, {0}), (0.5, {0}), (0.6, {0, 1}), (0.95, {0, 1, 2, 3})]
)
def test_the_nucleus_is_the_smallest_set_that_holds_top_p(top_p: float, kept: set[int]) -> None:
    assert set(draws(Sampling(temperature=1.0, top_p=top_p), 500)) == kept


def drawn_by_sorting(logits_V: torch.Tensor, sampling: Sampling) -> int:
    """The same draw with the whole vocabulary in order."""
    ordered_V, ids_V = (logits_V.double() / sampling.temperature).sort(descending=True, stable=True)
    kept = slice(sampling.top_k or len(ids_V))
    probs_V = ordered_V[kept].softmax(0)
    before_V = probs_V.cumsum(0) - probs_V
    n_kept = max(1, int((before_V < sampling.top_p).sum()))
    mass_V = probs_V[:n_kept].cumsum(0)
    generator = seeded_generator(sampling)
    point = (1 - torch.rand(1, generator=generator, dtype=torch.float64)) * mass_V[-1]
    return int(ids_V[int((mass_V < point).sum())])


@pytest.mark.parametrize("spread", [0.1, 1.0, 6.0], ids=["flat", "usual", "peaked"])
@pytest.mark.parametrize("allowed", [5_000, 40], ids=["free", "bound"])
@pytest.mark.parametrize(
    "given", [Sampling(top_p=0.9), Sampling(top_k=50), Sampling(top_k=50, top_p=0.7)]
)
def test_a_draw_is_that_of_the_sorted_vocabulary(
    given: Sampling, allowed: int, spread: float
) -> None:
    drawn = torch.randn(5_000, generator=torch.Generator().manual_seed(0)) * spread
    logits_V = drawn.mul(8).round().div(8)  # many alike
    logits_V[allowed:] = -math.inf
    for seed in range(40):
        sampling = dataclasses.replace(given, temperature=0.8, seed=seed)
        found = choose_token(logits_V, sampling, seeded_generator(sampling))
        assert found == drawn_by_sorting(logits_V, sampling)


@pytest.mark.parametrize("given", [Sampling(), Sampling(top_p=0.9), Sampling(top_k=2)])
@pytest.mark.parametrize("temperature", [5e-324, 1e-309, 1e-30])
def test_a_temperature_near_0_takes_the_most_likely_token(
    given: Sampling, temperature: float
) -> None:
    sampling = dataclasses.replace(given, temperature=temperature)
    assert set(draws(sampling, 5)) == {0}


@pytest.mark.parametrize("given", [Sampling(), Sampling(top_p=0.9), Sampling(top_k=2)])
def test_logits_without_a_number_give_a_token_of_the_vocabulary(given: Sampling) -> None:
    sampling = dataclasses.replace(given, temperature=1.0)
    infinite = torch.tensor([1.0, math.inf, -math.inf, math.nan])
    assert choose_token(infinite, sampling, seeded_generator(sampling)) == 1
    broken = torch.full((4,), math.nan)
    assert 0 <= choose_token(broken, sampling, seeded_generator(sampling)) < 4


def test_what_a_constraint_forbids_is_never_drawn() -> None:
    logits_V = torch.full((3_000,), -math.inf)
    logits_V[[5, 2_999]] = torch.tensor([0.0, -2.0])
    generator = seeded_generator(Sampling())
    found = {choose_token(logits_V, Sampling(temperature=1.0), generator) for _ in range(300)}
    assert found == {5, 2_999}


def test_a_seed_gives_the_same_draws() -> None:
    first, second, other = (draws(Sampling(temperature=1.0, seed=s), 50) for s in (7, 7, 8))
    assert first == second
    assert first != other


@given(
    st.lists(st.floats(-50, 50), min_size=1, max_size=20),
    st.floats(0.05, 5),
    st.floats(0.01, 1),
    st.integers(0, 99),
)
def test_any_logits_give_a_token_of_the_vocabulary(
    logits: list[float], temperature: float, top_p: float, seed: int
) -> None:
    sampling = Sampling(temperature=temperature, top_p=top_p, seed=seed)
    assert (
        0 <= choose_token(torch.tensor(logits), sampling, seeded_generator(sampling)) < len(logits)
    )
