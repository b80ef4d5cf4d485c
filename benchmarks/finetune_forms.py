"""The forms of fine-tuning against each other, on splits by document: language forms beside heads.

    rinsho data splits nrner mrner-disease smdis jcsts --setting grouped --data DIR --out SPLITS \\
        --noncommercial
    python benchmarks/finetune_forms.py SPLITS BASE --out OUT --noncommercial \\
        --set max_tokens=100000 --set max_epochs=20

BASE is a weights folder of `pretrain`. Every form starts from it and sees the same training rows
and tokens, and the same test rows; `rinsho supervise` makes the cells, the baselines and the table.
The language forms here learn the official prompt with its answer: `generation` writes it, with
`label-scoring` the likeliest letter counts. `head-causal` reads left to right, `head-pooled` takes
a pair as one text. Pools hold test rows: nothing that is trained here may be released.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

from rinsho.encoding.conversation_files import ConversationFile
from rinsho.encoding.encode import EncodeConfig, encode
from rinsho.evaluation.answer_record import Answer, Method
from rinsho.evaluation.benchmark import Item
from rinsho.evaluation.engines import Engine
from rinsho.evaluation.head_engine import text_of
from rinsho.evaluation.model_engine import ModelEngine
from rinsho.evaluation.split_folder import CONVERSATIONS, Split
from rinsho.evaluation.supervise import SuperviseConfig, System, head_systems, run_supervised
from rinsho.generation.decoder_model import load_language_model
from rinsho.manifest import FinishedFolder, open_folder
from rinsho.model.checkpoint import read_decoder_config
from rinsho.runfile import to_run_file
from rinsho.training.finetune import FinetuneConfig, finetune

Form = Literal["generation", "label-scoring"]


@dataclasses.dataclass(frozen=True)
class LanguageForm:
    """A language model that answers by one method, whatever it is asked by."""

    engine: ModelEngine
    form: Form

    def answer(self, benchmark: str, item: Item, method: Method) -> Answer:
        """Write an answer, or say the likeliest letter."""
        if self.form == "generation":
            return self.engine.answer(benchmark, item, "generation")
        said = self.engine.answer(benchmark, item, "log-likelihood")
        scores = said.log_likelihoods
        best = item.letters[scores.index(max(scores))] if scores else ""
        return dataclasses.replace(said, output=best)


def tune_language(
    split: Split, seed: int, work: Path, *, form: Form, base: Path, tuning: FinetuneConfig,
    splits: Path, noncommercial: bool, max_new_tokens: int,
) -> Engine:  # fmt: skip
    """Train the answers of conversations; one that does not fit the context teaches nothing."""
    file = ConversationFile(
        path=str(splits / split.record.name / CONVERSATIONS),
        license=split.record.description["license"],
    )
    longest = read_decoder_config(base).context_length
    what = EncodeConfig(what="conversations", files=(file,), max_document_tokens=longest)
    encode(what, tokenizer=base, out=work / "tokens", noncommercial=noncommercial)
    config = tuning.model_copy(update={"form": form, "seed": seed})
    finetune(
        config, base=base, tokens=work / "tokens", out=work / "chat", noncommercial=noncommercial
    )
    engine = ModelEngine(load_language_model(work / "chat"), max_new_tokens, seed)
    return LanguageForm(engine, form)


def systems_of(
    arguments: argparse.Namespace, folder: FinishedFolder, tuning: FinetuneConfig
) -> list[System]:
    """Return the forms that `rinsho supervise` does not know."""

    def is_choice(items: Sequence[Item]) -> bool:
        return items[0].form != "entities"

    (head,) = head_systems(
        folder, tuning, {"head": arguments.base}, noncommercial=arguments.noncommercial
    )
    found: list[System] = []
    for form in cast(tuple[Form, ...], ("generation", "label-scoring")):
        found.append(
            System(
                form,
                {**head.identity, "form": form, "max_new_tokens": arguments.max_new_tokens},
                is_seeded=True,
                is_model=False,
                fits=is_choice if form == "label-scoring" else lambda items: True,
                fit=lambda split, seed, work, form=form: tune_language(
                    split, seed, work, form=form, base=arguments.base, tuning=tuning,
                    splits=arguments.splits, noncommercial=arguments.noncommercial,
                    max_new_tokens=arguments.max_new_tokens,
                ),
            )
        )  # fmt: skip
    for name, changed in (
        ("head-causal", {"attention": "causal"}),
        ("head-pooled", {"form": "pooled"}),
    ):
        values = tuning.model_dump(exclude_unset=True) | changed
        (other,) = head_systems(
            folder, FinetuneConfig.model_validate(values), {name: arguments.base},
            noncommercial=arguments.noncommercial,
        )  # fmt: skip
        takes = (
            (lambda items: text_of(items[0])[1] is not None) if "form" in changed else other.fits
        )
        found.append(dataclasses.replace(other, is_model=False, fits=takes))
    return found


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("splits", type=Path)
    parser.add_argument("base", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--noncommercial", action="store_true")
    parser.add_argument("--split", action="append", default=[])
    parser.add_argument("--system", action="append", default=[])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--max-new-tokens", type=int, default=64)
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE of [finetune]")
    arguments = parser.parse_args()
    overrides = [f"finetune.{one}" for one in arguments.set]
    step = to_run_file("forms", {"finetune": {}}, overrides).step("finetune")
    tuning = cast(FinetuneConfig, step.config)
    run_supervised(
        SuperviseConfig(
            splits=tuple(arguments.split), systems=tuple(arguments.system),
            n_seeds=arguments.seeds, n_grouped_seeds=arguments.seeds,
        ),
        splits=arguments.splits,
        out=arguments.out,
        tuning=tuning,
        bases={"head": arguments.base},
        more=systems_of(arguments, open_folder(arguments.splits, "split"), tuning),
        noncommercial=arguments.noncommercial,
    )  # fmt: skip
    print((arguments.out / "table" / "table.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
