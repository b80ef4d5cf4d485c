"""The table of every benchmark, and how a name becomes items."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from rinsho.errors import NoncommercialRefused, UnknownBenchmark
from rinsho.evaluation.benchmark import Benchmark, Item, Sources, hash_items
from rinsho.evaluation.clinical_sts import JA_CLINICAL_STS
from rinsho.evaluation.demo_notes import DEMO_NOTES
from rinsho.evaluation.demo_questions import DEMO_QUESTIONS
from rinsho.evaluation.demo_similarity import DEMO_SIMILARITY
from rinsho.evaluation.igakuqa import IGAKUQA
from rinsho.evaluation.igakuqa119 import IGAKUQA119
from rinsho.evaluation.jglue import JGLUE
from rinsho.evaluation.jmed_llm import JMED_LLM
from rinsho.evaluation.jmedbench import JMEDBENCH
from rinsho.evaluation.jmmlu import JMMLU
from rinsho.evaluation.keepha import KEEPHA
from rinsho.evaluation.legacy_benchmarks import LEGACY, SETS, templates_of
from rinsho.evaluation.medllm_qa import MEDLLM_QA
from rinsho.evaluation.nursing_ner import NURSING_NER
from rinsho.evaluation.own_benchmark import PREFIX, read_own
from rinsho.evaluation.sogocheck import SOGOCHECK
from rinsho.evaluation.split_folder import PREFIX as SPLIT
from rinsho.evaluation.split_folder import describe_split
from rinsho.evaluation.texts import TEXTS
from rinsho.evaluation.variants import expand_variant, join_name, split_name, vary
from rinsho.evaluation.yakugakuqa import YAKUGAKUQA
from rinsho.manifest import canonical_json
from rinsho.runfile import nearest

BENCHMARKS: dict[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        *JMED_LLM,
        *IGAKUQA,
        IGAKUQA119,
        *YAKUGAKUQA,
        *JMMLU,
        *MEDLLM_QA,
        *SOGOCHECK,
        *KEEPHA,
        *JGLUE,
        *JMEDBENCH,
        JA_CLINICAL_STS,
        *NURSING_NER,
        *LEGACY,
        *DEMO_NOTES,
        DEMO_QUESTIONS,
        DEMO_SIMILARITY,
        *TEXTS,
    )
}
# Every template, in the languages that a set is supplied in: `legacy-igakuqa`, `legacy-medqa-4op`.
LEGACY_GROUPS = {
    f"legacy-{name}": tuple(
        f"{one.title}/{template}"
        for one in SETS
        if one.name == name and one.n_items is not None
        for template in templates_of(one)
    )
    for name in dict.fromkeys(one.name for one in SETS)
}
# A name that stands for several; what needs a switch or is not supplied is left out.
GROUPS: dict[str, tuple[str, ...]] = {
    "jmed-llm": tuple(
        b.name for b in JMED_LLM if not b.is_noncommercial and b.name != "jmed-llm/rrtnm"
    ),
    "igakuqa": tuple(b.name for b in IGAKUQA if b.language == "ja"),
    **LEGACY_GROUPS,
    "medllm-qa": tuple(b.name for b in MEDLLM_QA if not b.is_noncommercial),
    "jglue": tuple(b.name for b in JGLUE),
    "keepha": tuple(b.name for b in KEEPHA),
    "sogocheck": tuple(b.name for b in SOGOCHECK),
    "igakuqa-en": tuple(b.name for b in IGAKUQA if b.language == "en"),
    "demo": (
        *(benchmark.name for benchmark in DEMO_NOTES),
        DEMO_QUESTIONS.name,
        DEMO_SIMILARITY.name,
        "notes-text",
        "synthetic-text",
    ),
}


@dataclass(frozen=True, slots=True)
class LoadedBenchmark:
    """A benchmark with its items, all of them."""

    benchmark: Benchmark
    items: tuple[Item, ...]
    sha256: str  # of the items: answers and scores must agree on it
    is_text_withheld: bool  # its terms or privacy: reports show no text of it

    @property
    def name(self) -> str:
        """Return the benchmark's name."""
        return self.benchmark.name


def hash_benchmarks(loaded: Sequence[LoadedBenchmark]) -> str:
    """Return the SHA-256 of what was loaded: it stands among the inputs of a stage."""
    versions = [[one.name, one.benchmark.version, one.sha256] for one in loaded]
    return hashlib.sha256(canonical_json(versions)).hexdigest()


def list_benchmarks() -> tuple[Benchmark, ...]:
    """Return every benchmark, in the order of the table."""
    return tuple(BENCHMARKS.values())


def describe_benchmark(name: str, sources: Sources | None = None) -> Benchmark:
    """Return one benchmark: what it is, its license, what it needs.

    Args:
        name: Its name; `own/NAME` and `split/NAME` are described in the data folder; a word after
            an @ names a variant: other orders of the options, demonstrations.
        sources: Where to look for that description.

    Raises:
        UnknownBenchmark: With the nearest known name.
    """
    base, variant = split_name(name)
    if variant:
        return vary(describe_benchmark(base, sources), variant)
    if name.startswith(PREFIX):
        return read_own(name, sources or Sources())
    if name.startswith(SPLIT):
        return describe_split(name, sources or Sources())
    if name not in BENCHMARKS:
        raise UnknownBenchmark(found=name, expected=nearest(name, [*BENCHMARKS, *GROUPS]))
    return BENCHMARKS[name]


def expand_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return names with groups replaced by their members, each once.

    >>> expand_names(["jmmlu/medical@shuffles"])[:2]
    ('jmmlu/medical', 'jmmlu/medical@shuffle-1')
    """
    expanded = list[str]()
    for name in names:
        base, word = split_name(name)
        for one in GROUPS.get(base, (base,)):
            expanded += [join_name(one, variant) for variant in expand_variant(word)]
    return tuple(dict.fromkeys(expanded))


def load_benchmark(name: str, sources: Sources) -> LoadedBenchmark:
    """Read a benchmark's items.

    Raises:
        UnknownBenchmark: No benchmark has that name.
        NoncommercialRefused: Its license asks for `--noncommercial`.
        DataFolderMissing, BenchmarkMissing, MissingInput: What it needs is not there.
    """
    benchmark = describe_benchmark(name, sources)
    if benchmark.is_noncommercial and not sources.noncommercial:
        raise NoncommercialRefused(where=name, found=benchmark.license)
    items = benchmark.load(sources)
    is_private = benchmark.is_from_documents and sources.is_private
    is_withheld = benchmark.is_noncommercial or benchmark.withholds_text or is_private
    return LoadedBenchmark(benchmark, items, hash_items(items), is_withheld)
