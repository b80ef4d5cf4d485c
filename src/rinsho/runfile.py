"""Run files: TOML with one table per stage, turned into typed configs and wired folder to folder.

A table is `[collect]`, or `[[finetune]]` with a `name` where a stage runs more than once. `name` is
the output folder below the run's folder; `inputs` names earlier folders by slot. Left out, a slot
takes the last earlier folder of its kind, and `documents` takes every one:

    [[finetune]]
    name = "tagger"
    inputs = { base = "weights", documents = "synthetic" }
    form = "tagging"

`[pretrain.grid]` makes several steps of one: see `rinsho.grid`.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from rinsho.errors import (
    InvalidValue,
    MissingInput,
    PathMissing,
    RunFileBroken,
    UnknownKey,
    UnknownStage,
)
from rinsho.grid import expand
from rinsho.stages import STAGES, Stage


class StageConfig(BaseModel):
    """The base of every stage's config: frozen, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


_FEW_NAMES = 12


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of a run: its config and the names of the folders it reads."""

    stage: Stage
    name: str
    config: StageConfig
    inputs: Mapping[str, tuple[str, ...]]  # slot -> folders, relative to the run's folder


@dataclass(frozen=True, slots=True)
class RunFile:
    """A checked run file."""

    name: str
    steps: tuple[Step, ...]

    def step(self, verb: str, name: str | None = None) -> Step:
        """Return the step of a stage (the first one, or the one called `name`).

        Raises:
            UnknownStage: The run file has none.
        """
        for step in self.steps:
            if step.stage.verb == verb and name in (None, step.name):
                return step
        raise UnknownStage(where=self.name, found=name or verb, expected=self.choices())

    def choices(self) -> str:
        """Return the names of the steps, for an error."""
        return ", ".join(step.name for step in self.steps)


def read_run_file(path: Path, overrides: Sequence[str] = ()) -> RunFile:
    """Read a run file and check every key and value before anything runs.

    Args:
        path: A TOML file.
        overrides: `table.key=value` (or `name.key=value`) from the command line, values as TOML.

    Raises:
        PathMissing, RunFileBroken, UnknownStage, UnknownKey, InvalidValue, MissingInput
    """
    if not path.is_file():
        raise PathMissing(where=path.name)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        place = str(error).rpartition("(")[2].rstrip(")") or "?"
        raise RunFileBroken(where=f"{path.name}, {place}", found="TOML") from None
    return to_run_file(path.stem, tables, overrides)


def to_run_file(name: str, tables: Mapping[str, Any], overrides: Sequence[str] = ()) -> RunFile:
    """Turn parsed TOML into a run file; `read_run_file` tells the errors."""
    entries = [(verb, entry) for verb, table in tables.items() for entry in _entries(verb, table)]
    for override in overrides:
        _override(entries, override)
    steps: list[Step] = []
    for verb, entry in entries:
        for one_verb, one in expand(verb, entry, _folder_of(verb)):
            steps.append(_to_step(one_verb, dict(one), steps))
    return RunFile(name, tuple(steps))


def _entries(verb: str, table: Any) -> list[dict[str, Any]]:
    if verb not in STAGES:
        near = nearest(verb, STAGES)
        raise UnknownStage(where="the run file", found=f"[{verb}]", expected=near)
    return [dict(one) for one in cast(list[Any], table if isinstance(table, list) else [table])]


def _override(entries: list[tuple[str, dict[str, Any]]], override: str) -> None:
    dotted, equals, text = override.partition("=")
    first, *keys = dotted.strip().split(".")
    targets = [
        e for verb, e in entries if first == e.get("name", _folder_of(verb)) or first == verb
    ]
    if not equals or not keys or not targets:
        names = ", ".join(e.get("name", _folder_of(verb)) for verb, e in entries)
        raise InvalidValue(
            where=f"--set {dotted}", found="?", expected=f"TABLE.KEY=VALUE ({names})"
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a bare word is a string: --set encode.split=train
    for target in targets:
        for key in keys[:-1]:
            target = cast(dict[str, Any], target.setdefault(key, {}))
        target[keys[-1]] = value


def _folder_of(verb: str) -> str:
    return STAGES[verb].folder


def _to_step(verb: str, entry: dict[str, Any], earlier: Sequence[Step]) -> Step:
    stage = STAGES[verb]
    name = str(entry.pop("name", stage.folder))
    if any(step.name == name for step in earlier):
        raise InvalidValue(where=f"[{verb}] name", found=name, expected="a name of its own")
    given = {
        slot: tuple(cast(list[str], value) if isinstance(value, list) else [str(value)])
        for slot, value in cast(dict[str, Any], entry.pop("inputs", {})).items()
    }
    config = to_config(stage.config_class(), entry, where=f"[{verb}]")
    return Step(stage, name, config, _wire(stage, given, earlier))


def _wire(
    stage: Stage, given: Mapping[str, tuple[str, ...]], earlier: Sequence[Step]
) -> dict[str, tuple[str, ...]]:
    slots = {slot.name: slot for slot in stage.slots}
    for name in given:
        if name not in slots:
            near = nearest(name, slots)
            raise UnknownKey(where=f"[{stage.verb}] inputs", found=name, expected=near)
    wired: dict[str, tuple[str, ...]] = dict(given)
    for slot in stage.slots:
        made = [step.name for step in earlier if step.stage.verb in slot.kinds]
        if slot.name not in wired and slot.is_required and made:
            is_every = slot.is_many and not slot.takes_last
            wired[slot.name] = tuple(made if is_every else made[-1:])
        for name in wired.get(slot.name, ()):
            if name not in made:
                raise MissingInput(where=f"[{stage.verb}] inputs {name}", expected=slot.name)
    return wired


def to_config(
    config_class: type[StageConfig], values: Mapping[str, Any], where: str
) -> StageConfig:
    """Check values and return the frozen config.

    Raises:
        UnknownKey: With the nearest known key.
        InvalidValue: With the key and what it should be; the value itself is not quoted.
    """
    try:
        return config_class.model_validate(dict(values))
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        keys = [str(part) for part in problem["loc"]]
        if problem["type"] == "extra_forbidden":
            place = ".".join([where, *keys[:-1]])
            near = nearest(keys[-1], _known_keys(config_class, keys[:-1]))
            raise UnknownKey(where=place, found=keys[-1], expected=near) from None
        # pydantic names the member of a union that failed: "literal['a','b']", "tuple[str, ...]".
        place = ".".join([where, *(key for key in keys if "[" not in key)])
        raise InvalidValue(
            where=place, found=problem["type"], expected=_wanted(problem["msg"])
        ) from None


def _wanted(message: str) -> str:
    """Return what a value should be, from pydantic's message.

    >>> _wanted("Input should be greater than 0"), _wanted("Value error, one of a and b")
    ('a value greater than 0', 'one of a and b')
    """
    wanted = message.removeprefix("Value error, ").removeprefix("Input should be ")
    return f"a value {wanted}" if wanted.startswith(("greater", "less")) else wanted


def _known_keys(config_class: type[BaseModel], path: Sequence[str]) -> list[str]:
    """Return the keys of the (nested) config at a path, from its JSON schema."""
    schema = config_class.model_json_schema()
    node: dict[str, Any] = schema
    for key in path:
        node = node.get("items", node) if key.isdigit() else node.get("properties", {}).get(key, {})
        node = _resolve(node, schema)
    keys = list(node.get("properties", {}))
    return keys or list(config_class.model_fields)


def _resolve(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    for option in (node, *node.get("anyOf", ()), *node.get("allOf", ())):
        if "$ref" in option:
            return schema["$defs"][option["$ref"].rpartition("/")[2]]
    return node


def nearest(word: str, known: Any) -> str:
    """Return the known word most like `word`; where none is, all of few and three of many.

    >>> nearest("n_layer", ["n_layers", "n_heads"])
    'n_layers'
    """
    names = list(known)
    found = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if not found and len(names) > _FEW_NAMES:
        return ", ".join(difflib.get_close_matches(word, names, n=3, cutoff=0.0))
    return found[0] if found else ", ".join(names)
