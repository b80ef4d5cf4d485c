"""Fine-tuning: weights in, weights for a task out, in the form that the task asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from pydantic import Field

from rinsho.corpus.document import read_documents
from rinsho.corpus.licenses import check_folders
from rinsho.errors import InvalidValue, MissingInput, NothingToLearn, SequenceTooLong
from rinsho.manifest import FinishedFolder, Manifest, OpenFolder, door, new_folder, open_folder
from rinsho.model.adapter import AdapterSettings
from rinsho.model.architecture import read_config_file
from rinsho.model.base import Base
from rinsho.model.card import write_model_card
from rinsho.training.base import open_training_base
from rinsho.training.examples import (
    Example,
    ExampleFile,
    find_example_files,
    from_documents,
    hash_examples,
    read_examples,
)
from rinsho.training.settings import TrainingConfig, later_key, require_torch

if TYPE_CHECKING:
    from rinsho.model.decoder_protocol import TrainableDecoder
    from rinsho.model.heads import TextForm, TextHeads
    from rinsho.model.tagger import Tagger
    from rinsho.tokenizer.tokenizer import Tokenizer
    from rinsho.training.span_examples import Notes

LanguageForm = Literal["generation", "label-scoring"]
HeadForm = Literal["tagging", "pooled", "pair", "relation"]
Form = LanguageForm | HeadForm
LANGUAGE_FORMS: tuple[LanguageForm, ...] = get_args(LanguageForm)


class FinetuneConfig(TrainingConfig):
    """Keys of `[finetune]`."""

    form: Form | None = Field(
        None,
        description="generation, label-scoring, tagging, pooled, pair, relation; else by the input",
    )
    attention: Literal["causal", "bidirectional"] | None = Field(
        None,
        description="how a decoder with a head reads; left out: bidirectional",
        exclude_if=lambda value: value is None,
    )
    examples: tuple[ExampleFile, ...] = Field(
        (), description="files with answers, for heads", exclude_if=lambda files: not files
    )
    validation_share: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="of the groups of the examples that name no split",
        exclude_if=lambda share: share == 0.1,
    )
    # Many small steps learn more from little text: docs/training.md has the figures.
    batch_tokens: int = Field(1_024, gt=0, description="tokens per optimizer update, at most")
    learning_rate: float = Field(1e-3, gt=0, description="peak, after the warm-up")
    max_epochs: int = Field(2, gt=0, description="passes over the training split")
    head_learning_rate: float = Field(
        1e-2, gt=0, description="peak for the heads and CRFs, which start from nothing"
    )
    max_documents: int | None = Field(
        None, gt=0, description="heads: documents that are learned, at most"
    )
    patience: int | None = Field(
        None, gt=0, description="heads: stop after so many validations without a better measure"
    )
    context_length: int | None = later_key(
        None,
        gt=1,
        description="tokens per row; left out: micro_batch_tokens, or the base's context if less",
    )
    adapter: AdapterSettings | None = Field(
        None,
        description="train an adapter beside frozen weights; left out: all weights",
        exclude_if=lambda value: value is None,
    )
    allow_licenses: tuple[str, ...] = Field(
        (),
        description="licenses that you may use, where rinsho refuses or does not know them",
        exclude_if=lambda names: not names,  # folders of before this key keep their identity
    )

    @property
    def is_causal(self) -> bool:
        """Return whether a decoder with a head sees only what stands before a token."""
        return self.attention == "causal"


@door
def finetune(
    config: FinetuneConfig,
    *,
    base: Path,
    out: Path,
    tokens: Path | None = None,
    documents: Sequence[Path] = (),
    data: Path | None = None,
    noncommercial: bool = False,
) -> Manifest:
    """Train the weights of a base further.

    Args:
        config: `[finetune]` of the run file.
        base: A finished folder of weights, a Hugging Face folder, or a hub id in the local cache.
        out: The weights folder to write. An unfinished run of the same config is taken up.
        tokens: What "generation" and "label-scoring" learn: a finished folder of `encode`.
        documents: What "tagging" and "relation" learn: finished folders of documents with spans,
            and with relations between them. Every head learns the files of `config.examples` too.
        data: The data folder, below which example files may lie.
        noncommercial: Whether non-commercial licenses may be used.

    Raises:
        MissingInput: The form's input was not given.
        InvalidValue: Another form's input was given.
        TokenizerMismatch: The tokens are of another tokenizer than the base.
        LicenseRefused: A folder holds, or was made from, what the run may not use.
        NothingToLearn: No counted label, no end of an answer, no span or no answer in the
            training split.
        ModelCannot: A base with a head cannot learn to generate.
        SequenceTooLong: A conversation does not fit a row, or a row the base's context.
        BrokenRecord, SplitOverlap, NotText, NothingToRead, PathMissing: As `read_examples`.
        LossNotFinite, OutOfMemory, ResumeRefused: As said in the training loop.
    """
    paths = find_example_files(
        config.examples, data, config.allow_licenses, noncommercial=noncommercial
    )
    examples = read_examples(paths, config.validation_share)
    form = config.form or default_form(tokens is not None, bool(documents), examples)
    config = config.model_copy(update={"form": form})
    _check_inputs(config, tokens, documents)
    opened = open_training_base(base)
    opened.check_license(config.allow_licenses, noncommercial=noncommercial)
    sources = [open_folder(path, "collect", "synthesize") for path in documents]
    given = open_folder(tokens, "encode") if tokens is not None else None
    own = [opened.finished] if opened.finished else []
    used = [*own, *sources, *([given] if given else [])]
    check_folders(used, config.allow_licenses, noncommercial=noncommercial)
    if given is not None:
        _check_rows(config, opened, given)
    inputs = {
        "base": opened.source,
        **({"tokens": given} if given else {"documents": sources}),
        **({"examples": hash_examples(paths)} if paths else {}),
    }
    with new_folder(
        out,
        stage="finetune",
        config=config,
        inputs=inputs,
        can_resume=True,
        is_private=any(file.is_private for file in config.examples),
    ) as folder:
        require_torch("finetune")
        folder.licenses.update(file.license for file in config.examples)
        folder.attributions.update(f.attribution for f in config.examples if f.attribution)
        if given is not None:
            _learn_tokens(config, opened, given, folder)
        else:
            annotated = (e for s in sources for e in from_documents(read_documents(s.path)))
            _learn_head(config, opened, [*annotated, *examples], folder)
        write_model_card(folder, "finetune", used)
    assert folder.manifest is not None  # written on leaving `with`
    return folder.manifest


def default_form(has_tokens: bool, has_documents: bool, examples: Sequence[Example]) -> Form:
    """Return the form that an input asks for.

    Tokens are generated, spans are tagged, pairs go to a head over both, other texts to a head over
    one.
    """
    if has_tokens:
        return "generation"
    kinds = {kind for example in examples for _, kind in example.answers}
    if has_documents or "spans" in kinds or not examples:
        return "tagging"
    return "pair" if any(example.text_b is not None for example in examples) else "pooled"


def _check_inputs(config: FinetuneConfig, tokens: Path | None, documents: Sequence[Path]) -> None:
    place = f'[finetune] form = "{config.form}"'
    if config.adapter is not None and config.form not in LANGUAGE_FORMS:
        expected = " / ".join(LANGUAGE_FORMS)
        raise InvalidValue(where="[finetune] form", found="adapter", expected=expected)
    if config.attention == "bidirectional" and config.form in LANGUAGE_FORMS:
        expected = f"causal: {config.form} writes from left to right"
        raise InvalidValue(where="[finetune] attention", found=config.attention, expected=expected)
    has = {
        "tokens": tokens is not None,
        "documents": bool(documents),
        "examples": bool(config.examples),
    }
    needed = ("tokens",) if config.form in LANGUAGE_FORMS else ("examples",)
    if config.form in ("tagging", "relation"):
        needed = ("documents", "examples")
    if not any(has[name] for name in needed):
        raise MissingInput(where=place, expected=needed[0])
    for name in has:
        if has[name] and name not in needed:
            expected = f"{needed[0]} alone"
            raise InvalidValue(where=f"{place}, {name}", found="given", expected=expected)


def _learn_tokens(
    config: FinetuneConfig, base: Base, tokens: FinishedFolder, folder: OpenFolder
) -> None:
    from rinsho.training.base import (
        count_weights,
        load_base,
        require_no_head,
        require_same_tokenizer,
        write_result,
    )
    from rinsho.training.language import train_on_tokens, write_record
    from rinsho.training.session import training_session

    require_no_head(base)
    tokenizer = require_same_tokenizer(base, tokens.path)
    with training_session(config) as session:
        decoder = load_base(base, config, session, config.adapter)
        longest = _row_length(config, decoder.config.context_length)
        finished = train_on_tokens(
            decoder, tokenizer, tokens.path, config, session, folder, context_length=longest
        )
    write_result(decoder, tokenizer, base, config.adapter, folder)
    write_record(count_weights(decoder), folder, finished)


def _row_length(config: FinetuneConfig, context_length: int) -> int:
    """Return the tokens of a row.

    Raises:
        SequenceTooLong: More are asked for than the base sees at once.
    """
    found = config.context_length or min(context_length, config.micro_batch_tokens)
    if found > context_length:
        where = "[finetune] context_length"
        raise SequenceTooLong(where=where, expected=context_length, found=found)
    return found


def _check_rows(config: FinetuneConfig, base: Base, tokens: FinishedFolder) -> None:
    """Check, before anything is loaded, that every conversation fits a row.

    Raises:
        SequenceTooLong: What is cut away of a conversation would be missing to its answers.
    """
    from rinsho.encoding.token_shard import read_token_split

    stated = read_config_file(base.path).get("max_position_embeddings")
    row = _row_length(config, stated if isinstance(stated, int) else config.micro_batch_tokens)
    if tokens.manifest.identity.config.get("what") != "conversations":
        return
    for name in ("train", "validation"):
        split = read_token_split(tokens.path, name)
        longest = int(split.lengths.max(initial=0))
        if longest > row:
            where = f"{tokens.path.name}, {split.ids[int(split.lengths.argmax())]}"
            hint = f"set encode.max_document_tokens = {row}, or a larger finetune.context_length"
            raise SequenceTooLong(where=where, expected=row, found=longest, hint=hint)


def _learn_head(
    config: FinetuneConfig, base: Base, examples: Sequence[Example], folder: OpenFolder
) -> None:
    import torch

    from rinsho.model.checkpoint import load_decoder
    from rinsho.model.heads import save_text_heads
    from rinsho.model.tagger import Tagger, save_tagger
    from rinsho.tokenizer.tokenizer import read_tokenizer
    from rinsho.training.language import write_record
    from rinsho.training.relation_examples import pair_examples
    from rinsho.training.session import training_session
    from rinsho.training.span_examples import sort_notes
    from rinsho.training.tagging import train_tagger
    from rinsho.training.text_heads import train_text_heads

    asked = pair_examples(examples) if config.form == "relation" else examples
    notes, tokenizer = sort_notes(asked, config.max_documents), read_tokenizer(base.path)
    with training_session(config, on_cpu=True) as session:
        decoder = load_decoder(base.path, dtype=torch.float32, dropout=config.dropout)
        model = new_head(config, decoder, tokenizer, notes, base.path)
        if isinstance(model, Tagger):
            finished = train_tagger(model, notes, config, session, folder)
            save_tagger(model.eval(), folder.path, base.path)
        else:
            finished = train_text_heads(model, notes, config, session, folder)
            save_text_heads(model.eval(), folder.path, base.path)
    write_record(sum(p.numel() for p in model.parameters()), folder, finished)


def new_head(
    config: FinetuneConfig,
    decoder: TrainableDecoder,
    tokenizer: Tokenizer,
    notes: Notes,
    base: Path,
) -> Tagger | TextHeads:
    """Put heads for the tasks of some examples over the decoder of a base.

    They are fresh, but where tags are learned over a base that has tags, or relations over one
    that relates: its heads go on, with every pair of label and certainty, every kind, they know.

    Raises:
        NothingToLearn: No example of the training split has an answer for the form.
        InvalidValue: The form needs pairs, and a text stands alone.
    """
    from rinsho.model.head_record import form_of
    from rinsho.model.heads import TextHeads
    from rinsho.model.tagger import Tagger
    from rinsho.training.tagging import go_on_tagging, tag_sets
    from rinsho.training.text_heads import go_on_relating, text_tasks

    is_tagging = config.form == "tagging"
    sets = tag_sets(notes.train) if is_tagging else {}
    tasks = text_tasks(notes.train) if not is_tagging else ()
    if config.form == "relation" and tasks and form_of(base) == "relation":
        return go_on_relating(decoder, base, tasks[0], is_causal=config.is_causal)
    if config.form == "relation":  # with one class alone there is nothing to tell apart
        tasks = tuple(task for task in tasks if len(task.labels) > 1)
    if not (sets or tasks):
        what = "spans" if is_tagging else "relations" if config.form == "relation" else "answers"
        found = f"{len(notes.train)} annotated documents, 0 {what}"
        raise NothingToLearn(where="documents, train", expected="the documents", found=found)
    if is_tagging and form_of(base) == "tagging":
        return go_on_tagging(decoder, base, sets, is_causal=config.is_causal)
    if is_tagging:
        return Tagger(decoder, tokenizer, sets, is_causal=config.is_causal)
    if config.form == "pair" and any(e.text_b is None for e in (*notes.train, *notes.validation)):
        raise InvalidValue(where="[finetune] examples", found="one text", expected="text_b")
    form: TextForm = config.form if config.form in ("pair", "relation") else "pooled"
    return TextHeads(decoder, tokenizer, tasks, form=form, is_causal=config.is_causal)
