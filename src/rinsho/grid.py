"""A grid in a run file: one step for each combination of some values, and a figure of all of them.

    [pretrain.grid]
    learning_rate = [1e-3, 2e-3]
    model.n_layers = [4, 6]

makes four steps, `weights-learning_rate=0.001-n_layers=4` and so on, and behind them
`weights-grid`, a `draw-losses` of the four. The rest of the table is the same for all.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, cast

from rinsho.errors import InvalidValue

GRID = "grid"
_VERBS = ("pretrain", "finetune")  # stages that leave a loss log

Entry = dict[str, Any]
_Choice = tuple[tuple[str, ...], Any]  # a key, part by part, and its value in one variant


def expand(verb: str, entry: Mapping[str, Any], folder: str) -> Iterator[tuple[str, Entry]]:
    """Yield the verb and the table of each step that a table stands for; mostly the table alone.

    Args:
        verb: What the table is called.
        entry: What stands in it.
        folder: The name of the folder where the table has none.

    Raises:
        InvalidValue: The grid is empty, or a key of it has no list of values.
    """
    if verb not in _VERBS or GRID not in entry:
        yield verb, dict(entry)
        return
    rest = {key: value for key, value in entry.items() if key != GRID}
    name = str(rest.get("name", folder))
    keys = list(_keys(entry[GRID], (), f"[{verb}.{GRID}]"))
    if not keys:
        raise InvalidValue(where=f"[{verb}.{GRID}]", found="0 keys", expected="key = [values]")
    names: list[str] = []
    for choices in itertools.product(*keys):
        names.append("-".join([name, *(f"{key[-1]}={_written(value)}" for key, value in choices)]))
        yield verb, _with(rest, choices) | {"name": names[-1]}
    yield "draw-losses", {"name": f"{name}-{GRID}", "inputs": {"weights": names}}


def _keys(table: Any, above: tuple[str, ...], where: str) -> Iterator[Sequence[_Choice]]:
    """Yield the choices of each key; `model.n_layers` is a table in the table."""
    for key, value in cast(Mapping[str, Any], table if isinstance(table, Mapping) else {}).items():
        path = (*above, key)
        if isinstance(value, Mapping):
            yield from _keys(value, path, where)
        elif isinstance(value, list) and value:
            yield [(path, one) for one in cast(list[Any], value)]
        else:
            expected = "a list of values"
            raise InvalidValue(where=f"{where} {'.'.join(path)}", found="?", expected=expected)


def _with(rest: Mapping[str, Any], choices: Sequence[_Choice]) -> Entry:
    """Return a table with one value for each key of the grid."""
    variant = deepcopy(dict(rest))
    for path, value in choices:
        table = variant
        for key in path[:-1]:
            table = table.setdefault(key, {})
        table[path[-1]] = value
    return variant


def _written(value: Any) -> str:
    """Return a value as part of a folder's name.

    >>> [_written(value) for value in (0.002, 6, True, "wsd", ["a/b", 2])]
    ['0.002', '6', 'true', 'wsd', 'a_b+2']
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "+".join(_written(one) for one in cast(list[Any], value))
    return (f"{value:g}" if isinstance(value, float) else str(value)).replace("/", "_")
