"""Fine-tuning: weights in, weights for a task out: conversations, or spans of clinical text."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rinsho.training.settings import TrainingConfig


class FinetuneConfig(TrainingConfig):
    """Keys of `[finetune]`."""

    form: Literal["generation", "tagging"] = Field(
        "generation", description="learn answers of conversations, or the spans of documents"
    )
    learning_rate: float = Field(5e-4, gt=0, description="peak, after the warm-up")
    max_epochs: int = Field(2, gt=0, description="passes over the training split")
    head_learning_rate: float = Field(
        5e-3, gt=0, description="peak for the tagging head and its CRF, which start from nothing"
    )
    max_documents: int | None = Field(
        None, gt=0, description="tagging: documents that are learned, at most"
    )
    patience: int | None = Field(
        None, gt=0, description="tagging: stop after so many validations without a better F1"
    )
