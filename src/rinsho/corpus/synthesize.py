"""`rinsho synthesize`: documents out of the lexicon by a seeded grammar, offline, any amount.

Document n is drawn from the seed and n alone; only where it would repeat an earlier one word for
word is it drawn again. So the first n documents are the same however many are asked for.
"""

from __future__ import annotations

import bisect
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from rinsho.console import progress
from rinsho.corpus.asked import AskingConfig, prepare, show_asked, to_jobs, write_asked
from rinsho.corpus.document import Document, to_json
from rinsho.corpus.exam import Question, to_question_row
from rinsho.corpus.grammar import NOTE_KINDS
from rinsho.corpus.lexicon_documents import LexiconConfig, LexiconDrafts, to_document
from rinsho.corpus.lexicon_entries import Lists, read_lists
from rinsho.corpus.lexicon_output import write_lexicon
from rinsho.corpus.shards import ShardWriter
from rinsho.corpus.splits import split_of
from rinsho.corpus.writers import Writers
from rinsho.errors import NothingLeft
from rinsho.manifest import Manifest, OpenFolder, canonical_json, door, new_folder
from rinsho.text.lexicon import Lexicon, read_demo_lexicon, read_lexicon

LICENSE = "CC0-1.0"
KINDS = ("textbook", *NOTE_KINDS, "exam_question", "instruction", "adverse_event")
_DEFAULT_SHARES = {  # of the documents
    "textbook": 0.16,
    "progress_note": 0.14,
    "discharge_summary": 0.07,
    "radiology_report": 0.09,
    "nursing_record": 0.10,
    "referral_letter": 0.05,
    "outpatient_note": 0.09,
    "exam_question": 0.12,
    "instruction": 0.18,
}
_N_TRIES = 25  # drawings of one document; then its kind is exhausted, and another one is drawn
_N_MOST_TRIES = 2_000
_N_OF_GROUP = 5  # documents of a kind about one fact or section: more would be near-duplicates
_SHARD_BYTES = 256 * 2**20


class SynthesizeConfig(LexiconConfig):
    """The `[synthesize]` table."""

    writer: Literal["grammar", "endpoint"] = Field(
        "grammar", description="the seeded grammar, or the model of `[synthesize.asking]`"
    )
    asking: AskingConfig | None = Field(None, description="of the writer endpoint")
    seed: int = Field(0, ge=0, description="another seed gives other documents")
    n_bytes: int | None = Field(None, gt=0, description="UTF-8 bytes of text, about")
    n_documents: int | None = Field(None, gt=0, description="documents, instead of bytes")
    shares: dict[str, float] = Field(
        default_factory=lambda: dict(_DEFAULT_SHARES),
        description="share of the documents by kind; a kind that is left out is not written",
    )
    n_test_questions: int = Field(
        100,
        ge=0,
        description="questions of the test split at least; only the questions file has them",
    )
    lexicon: str | None = Field(
        None, description="folder with CSV files in the form of the embedded lexicon"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.writer == "endpoint") != (self.asking is not None):
            raise ValueError('asking and writer = "endpoint" belong together')
        if self.asking is not None:
            if self.n_bytes is not None or self.lexicons:
                raise ValueError("asking has lexicons of its own, and n_documents, not n_bytes")
            return self
        n_limits = sum(limit is not None for limit in (self.n_bytes, self.n_documents))
        if n_limits > 1 or (n_limits == 0 and not self.lexicons):
            raise ValueError("one of n_bytes and n_documents")
        if not set(self.shares) <= set(KINDS) or min(self.shares.values(), default=-1) < 0:
            raise ValueError(f"shares of 0 or more for kinds among {', '.join(KINDS)}")
        if sum(self.shares.values()) <= 0:
            raise ValueError("at least one share above 0")
        return self


@dataclass(frozen=True, slots=True)
class Synthetic:
    """A written document, and its question where it is one."""

    document: Document
    question: Question | None = None


@door
def synthesize(
    config: SynthesizeConfig,
    *,
    out: Path,
    data: Path | None = None,
    noncommercial: bool = False,
    allow_remote: bool = False,
) -> Manifest:
    """Write a folder of synthetic documents, and the exam questions beside them.

    Args:
        config: What to write; with `lexicons`, about the entries of published lists.
        out: The folder to make.
        data: Where relative paths of lists begin.
        noncommercial: Whether non-commercial lists may be used.
        allow_remote: Whether the endpoint that writes may lie beyond the local network.

    Raises:
        PathMissing, NothingToRead, BrokenRecord: The lexicon folder or a list cannot be read.
        DataFolderMissing: A list has a relative path, and `data` is not given.
        LicenseRefused: A list is not free to use, and nobody vouches for it.
        RemoteRefused, EndpointFailed, NothingLeft: The endpoint may not or cannot be asked, or
            nothing that it wrote passes the checks.
        OutputOccupied, DiskFull: As in `new_folder`.
    """
    if config.asking is not None:
        return _synthesize_by_asking(config, out, data, noncommercial, allow_remote)
    if config.lexicons:
        return _synthesize_lists(config, out, _lists(config, data, noncommercial))
    lexicon = _lexicon(config)
    inputs = {"lexicon": _hash(lexicon)}
    with new_folder(out, stage="synthesize", config=config, inputs=inputs) as folder:
        folder.licenses.add(LICENSE)
        folder.count(**_write(config, lexicon, folder))
    assert folder.manifest is not None
    return folder.manifest


def _synthesize_by_asking(
    config: SynthesizeConfig, out: Path, data: Path | None, noncommercial: bool, allow_remote: bool
) -> Manifest:
    assert config.asking is not None
    asking = prepare(
        config.asking, data=data, noncommercial=noncommercial, allow_remote=allow_remote
    )
    with new_folder(
        out, stage="synthesize", config=config, inputs=asking.hashes(), can_resume=True
    ) as folder:
        jobs = to_jobs(asking, config.seed, config.n_documents)
        folder.count(**write_asked(asking, jobs, folder))
    assert folder.manifest is not None
    return folder.manifest


def _synthesize_lists(config: SynthesizeConfig, out: Path, lists: Lists) -> Manifest:
    inputs = {"lexicons": lists.sha256}
    with new_folder(out, stage="synthesize", config=config, inputs=inputs) as folder:
        limits = {"n_bytes": config.n_bytes, "n_documents": config.n_documents}
        write_lexicon(config, lists, folder, seed=config.seed, **limits)
    assert folder.manifest is not None
    return folder.manifest


def _lists(config: SynthesizeConfig, data: Path | None, noncommercial: bool) -> Lists:
    return read_lists(
        config.lexicons,
        data=data,
        allow_licenses=config.allow_licenses,
        noncommercial=noncommercial,
    )


def show_synthesize(
    config: SynthesizeConfig, n: int, *, data: Path | None = None, noncommercial: bool = False
) -> Iterator[Document | str]:
    """Yield the first `n` documents that `synthesize` would write; write nothing.

    Of lists, near-duplicates among them are shown too. Of an endpoint, the questions are shown, and
    nothing is asked: its address may be any.
    """
    if config.asking is not None:
        asking = prepare(config.asking, data=data, noncommercial=noncommercial, allow_remote=True)
        yield from show_asked(asking, config.seed, n)
        return
    if config.lexicons:
        drafts = LexiconDrafts(config, _lists(config, data, noncommercial), config.seed)
        for number, draft in enumerate(islice(drafts, n)):
            yield to_document(draft, number)
        return
    for one in islice(write_synthetic(config, _lexicon(config)), n):
        yield one.document


def write_synthetic(config: SynthesizeConfig, lexicon: Lexicon) -> Iterator[Synthetic]:
    """Yield documents without an end, whatever the config's amount.

    Raises:
        NothingLeft: The lexicon is too small for the kinds that are asked for.
    """
    writers = Writers(lexicon)
    kinds, limits = _limits(config.shares)
    seen, n_of_group = set[bytes](), Counter[str]()
    for n in count():
        for attempt in count():
            _give_up(attempt)
            share = Random(f"{config.seed}/{n}/kind/{attempt // _N_TRIES}").random()
            kind = kinds[bisect.bisect_right(limits, share)]
            random = Random(f"{config.seed}/{n}/{attempt}").random
            written = writers.write(kind, f"synthetic/{n}", random)
            if written is None:
                continue
            group = f"{kind} {written[0].group}" if written[0].group else ""
            digest = hashlib.blake2b(written[0].text.encode(), digest_size=8).digest()
            # Where everything has been asked often enough, only repetitions are left out.
            is_frequent = n_of_group[group] >= _N_OF_GROUP and attempt < 4 * _N_TRIES
            if digest not in seen and not (group and is_frequent):
                seen.add(digest)
                n_of_group[group] += 1
                yield Synthetic(*written)
                break


def _give_up(attempt: int) -> None:
    if attempt > _N_MOST_TRIES:
        hint = "give a larger lexicon, or leave kinds out of `shares`"
        raise NothingLeft(where="synthesize", found=f"{attempt} drawings", hint=hint)


def _limits(shares: dict[str, float]) -> tuple[list[str], list[float]]:
    total, reached = sum(shares.values()), 0.0
    kinds = [kind for kind in KINDS if shares.get(kind)]
    limits: list[float] = []
    for kind in kinds:
        reached += shares[kind] / total
        limits.append(reached)
    limits[-1] = 1.0
    return kinds, limits


def _write(config: SynthesizeConfig, lexicon: Lexicon, folder: OpenFolder) -> dict[str, Any]:
    by_source: dict[str, Counter[str]] = {}
    n_documents = n_bytes = n_questions = 0
    name = "文書を合成しています", "writing synthetic documents"
    total, unit = (config.n_bytes, "bytes") if config.n_bytes else (config.n_documents, "documents")
    documents = ShardWriter(folder.path, "documents", _SHARD_BYTES)
    questions = ShardWriter(folder.path, "questions", _SHARD_BYTES)
    with progress(*name, total, unit) as advance, documents, questions:
        for one in write_synthetic(config, lexicon):
            documents.write(to_json(one.document))
            if one.question is not None:
                questions.write(to_question_row(one.document.id, one.question))
                n_questions += 1
            size = len(one.document.text.encode())
            counted = by_source.setdefault(one.document.source, Counter())
            counted.update(documents=1, bytes=size)
            n_documents, n_bytes = n_documents + 1, n_bytes + size
            advance(size if config.n_bytes else 1)
            if n_bytes >= (config.n_bytes or n_bytes + 1) or n_documents == config.n_documents:
                break
        n_questions += _write_test_questions(config, lexicon, questions)
    return {
        "documents": n_documents,
        "bytes": n_bytes,
        "questions": n_questions,
        "by_source": {source: dict(counted) for source, counted in sorted(by_source.items())},
    }


def _write_test_questions(
    config: SynthesizeConfig, lexicon: Lexicon, questions: ShardWriter
) -> int:
    """Write questions about facts of the test split alone: the documents hold too few of them."""
    n_written = 0
    groups = Counter[str]()
    writers, random = Writers(lexicon), Random(f"{config.seed}/test-questions").random
    for n in range(100 * config.n_test_questions):
        written = writers.write("exam_question", f"synthetic/test-question-{n}", random)
        if written is None or written[1] is None or split_of(written[0]) != "test":
            continue
        groups[written[1].group] += 1
        if groups[written[1].group] > 1:
            continue  # one wording of each fact
        questions.write(to_question_row(written[0].id, written[1]))
        n_written += 1
        if n_written == config.n_test_questions:
            break
    return n_written


def _lexicon(config: SynthesizeConfig) -> Lexicon:
    return read_lexicon(Path(config.lexicon)) if config.lexicon else read_demo_lexicon()


def _hash(lexicon: Lexicon) -> str:
    return hashlib.sha256(canonical_json(asdict(lexicon))).hexdigest()
