"""What a model can be asked, found out before it is asked anything: templates, thoughts, scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rinsho.console import say
from rinsho.corpus.endpoint import Endpoint
from rinsho.errors import ModelCannot
from rinsho.evaluation.ask_endpoint import find_offer
from rinsho.evaluation.asking import Asked
from rinsho.evaluation.opened_model import OpenedModel
from rinsho.tokenizer.tokenizer import read_tokenizer

SILENT = "log-likelihood: the endpoint offers no log-probabilities"
THINKS = "log-likelihood: the model thinks before it answers"


@dataclass(frozen=True, slots=True)
class Plan:
    """The questions that are asked.

    Attributes:
        questions: In the order of the answers.
        n_top: How many of the likeliest tokens an endpoint gives, by form.
        said: What the manifest, and so the report, says about it; counted as the rest is.
    """

    questions: tuple[Asked, ...]
    n_top: dict[str, int] = field(default_factory=dict[str, int])
    said: dict[str, Any] = field(default_factory=dict[str, Any])


def plan_local(
    questions: Sequence[Asked], opened: OpenedModel | None, thinking: Literal["on", "off"] | None
) -> Plan:
    """Decide what a model on this machine is asked.

    A model that thinks has no log-likelihood of a letter: it would stand where a thought begins.

    Raises:
        ModelCannot: A conversation is asked for and there is no chat template, or nothing is left.
        TemplateRefused: Thinking is to be switched, and the template has no switch.
    """
    assert opened is not None and opened.tokenizer is not None
    tokenizer = read_tokenizer(opened.tokenizer)
    if not tokenizer.has_chat_template and any(not q.is_text for q in questions):
        expected = "NAME@3-shot (a plain text, by log-likelihood), or a model with a chat template"
        raise ModelCannot(where=opened.name, found="no chat template", expected=expected)
    if thinking is not None:
        tokenizer.switch_thinking(thinking == "on")
    if tokenizer.thinking == "none":
        return Plan(tuple(questions))
    said = {"thinking": {"template": tokenizer.thinking, "enable_thinking": thinking or "default"}}
    if tokenizer.thinking == "switch" and thinking == "off":
        return Plan(tuple(questions), said=said)
    return _without(questions, opened.name, THINKS, said, lambda q: q.item.form == "text")


def plan_endpoint(
    endpoint: Endpoint, questions: Sequence[Asked], thinking: Literal["on", "off"] | None
) -> Plan:
    """Decide what an endpoint is asked; one harmless question finds out what it offers.

    Raises:
        ModelCannot: Nothing is left to ask.
        EndpointFailed: It does not answer.
    """
    forms = {q.form for q in questions if q.method == "log-likelihood"}
    offers = {form: find_offer(endpoint, form) for form in sorted(forms)}
    n_top = {form: 0 if offer.thinks else offer.n_top for form, offer in offers.items()}
    said: dict[str, Any] = {}
    if thinking or any(offer.thinks for offer in offers.values()):
        said["thinking"] = {"template": "server's", "enable_thinking": thinking or "default"}
    if all(n_top.values()):
        return Plan(tuple(questions), n_top, said)
    reason = THINKS if any(offer.thinks for offer in offers.values()) else SILENT
    return _without(questions, endpoint.config.model, reason, said, lambda q: bool(n_top[q.form]))


def _without(
    questions: Sequence[Asked],
    name: str,
    reason: str,
    said: dict[str, Any],
    can_score: Callable[[Asked], bool],
) -> Plan:
    """Leave out the log-likelihoods that there cannot be, and say so."""
    left = tuple(q for q in questions if q.method != "log-likelihood" or can_score(q))
    n_out = len(questions) - len(left)
    if not left:
        raise ModelCannot(where=name, found=reason, expected="methods = generation")
    if not n_out:
        return Plan(left, said=said)
    say(f"尋ねません: {n_out} 問、{reason}", f"not asked: {n_out} questions, {reason}")
    return Plan(left, said={**said, "not_asked": {reason: n_out}})
