"""2,000 random mistakes in valid configs: each builds, or is told at a place that is there."""

from __future__ import annotations

import math
import pathlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlcreg.apis.settings import default_config
from dlcreg.builder import check
from dlcreg.builder.sections import check_sections
from dlcreg.config import ConfigTree, load_config
from dlcreg.registry import REGISTRIES

FOLDER = Path(__file__).resolve().parents[2] / "configs"
SHIPPED = [load_config(p).data for p in [*sorted(FOLDER.glob("[!_]*/*.py")), default_config()]]
SMALL = [config for config in SHIPPED if config["model"].get("backbone", {}).get("depth") == 18]

JUNK: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 3, 10**12, -(10**30), 2**63, 0.0, 0.5, -2.5, 1e308, math.nan,
    math.inf, -math.inf, 1j, "", " ", "x", "é", "ResNet", "None", "1e-3", "a.b", "a:b", "a/b",
    "os:path", "no_such_module:X", "../..", "\n", "x" * 500, b"x", [], (), {}, [None], [[1]],
    [-1, "x"], (1, 2), (0, 0), [1.5, math.nan], {1, 2}, {"type": "Flip"}, {"type": 3},
    {"type": None}, {"type": "HeatmapHead"}, {"a": {"b": {"c": 1}}}, {1: 2}, {None: 1}, {"": 0},
    {"root": 1}, int, object, torch.nn.Linear, torch.optim.SGD, len, object(), Exception("x"),
    pathlib.Path("x"), range(3), np.float32(1), np.zeros(3), torch.zeros(2), Ellipsis,
)  # fmt: skip
KEYS: tuple[Any, ...] = (
    "unknown", "widht", "Type", "types", "self", "cls", "args", "kwargs", "params", "_delete_x",
    "in_chanels", "é", "a b", "", "a.b", "0", "class", "__class__", "model_", 1, 1.5, None, True,
    (1, 2), b"x",
)  # fmt: skip
NAMES = sorted({name for registry in REGISTRIES.values() for name in registry.names()})


@dataclass
class Mutated:
    """A config with mistakes.

    Args:
        config: the config.
        unknown: paths of keys that nobody has ever heard of.
        said: what was done, for the report of a failure.
    """

    config: dict[Any, Any]
    unknown: list[tuple[Any, ...]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def places(value: Any, path: tuple[Any, ...] = ()) -> Any:
    """Yield the path of everything inside a config."""
    if isinstance(value, dict):
        items: Any = value.items()
    else:
        items = enumerate(value) if isinstance(value, (list, tuple)) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def at(config: Any, path: tuple[Any, ...]) -> Any:
    """Return the value at a path."""
    for key in path:
        config = config[key]
    return config


def dotted(config: Any) -> set[str]:
    """Return all paths of a config as problems write them."""
    return {"", *(".".join(map(str, path)) for path in places(config))}


def unfrozen(value: Any) -> Any:
    """Return a copy, with lists for tuples so that it can be changed anywhere."""
    if isinstance(value, dict):
        return {key: unfrozen(item) for key, item in value.items()}
    return [unfrozen(item) for item in value] if isinstance(value, (list, tuple)) else value


@st.composite
def mutated(draw: Any, configs: list[dict[str, Any]], most: int = 3) -> Mutated:
    """Draw one of some configs, and one to `most` mistakes in it."""
    result = Mutated(unfrozen(draw(st.sampled_from(configs))))
    for _ in range(draw(st.integers(1, most))):
        paths = list(places(result.config))
        if not paths:
            break
        path = draw(st.sampled_from(paths))
        kind = draw(st.sampled_from(sorted(_KINDS)))
        result.said.append(f"{kind} at {path}")
        _KINDS[kind](draw, result, path)
    return result


def _rename(draw: Any, result: Mutated, path: tuple[Any, ...]) -> None:
    holder, key = at(result.config, path[:-1]), path[-1]
    if not isinstance(holder, dict) or not isinstance(key, str) or not key:
        return
    i = draw(st.integers(0, len(key) - 1))
    new = draw(
        st.sampled_from(
            [key[:i] + key[i + 1 :], key[:i] + key[i] * 2 + key[i + 1 :], key.upper(), f"{key}s",
             key[:i] + "q" + key[i + 1 :], key[::-1], f" {key}", f"{key}.{key}"]
        )
    )  # fmt: skip
    if new in holder:
        return
    items = {new if k == key else k: v for k, v in holder.items()}
    holder.clear()
    holder.update(items)
    result.unknown.append((*path[:-1], new))


def _delete(draw: Any, result: Mutated, path: tuple[Any, ...]) -> None:
    del at(result.config, path[:-1])[path[-1]]


def _insert(draw: Any, result: Mutated, path: tuple[Any, ...]) -> None:
    holder = at(result.config, path)
    holder, path = (holder, path) if isinstance(holder, dict) else (result.config, ())
    key = draw(st.sampled_from(KEYS))
    if key not in holder:
        holder[key] = unfrozen(draw(st.sampled_from(JUNK)))
        result.unknown.append((*path, key))


def _junk(draw: Any, result: Mutated, path: tuple[Any, ...]) -> None:
    at(result.config, path[:-1])[path[-1]] = unfrozen(draw(st.sampled_from(JUNK)))


def _swap(draw: Any, result: Mutated, path: tuple[Any, ...]) -> None:
    other = draw(st.sampled_from(list(places(result.config))))
    if path == other[: len(path)] or other == path[: len(other)]:
        return
    one, two = at(result.config, path[:-1]), at(result.config, other[:-1])
    one[path[-1]], two[other[-1]] = two[other[-1]], one[path[-1]]


def _paste(draw: Any, result: Mutated, path: tuple[Any, ...]) -> None:
    source = draw(st.sampled_from(list(places(result.config))))
    at(result.config, path[:-1])[path[-1]] = unfrozen(at(result.config, source))


def _retype(draw: Any, result: Mutated, path: tuple[Any, ...]) -> None:
    typed = [p for p in places(result.config) if p[-1] == "type"]
    if typed:
        where = draw(st.sampled_from(typed))
        at(result.config, where[:-1])["type"] = draw(st.sampled_from(NAMES))


def _nest(draw: Any, result: Mutated, path: tuple[Any, ...]) -> None:
    holder, key = at(result.config, path[:-1]), path[-1]
    value = holder[key]
    holder[key] = draw(
        st.sampled_from([[value], [[value]], {key: value}, {"type": value}, {"0": value}])
    )


_KINDS = {
    "rename": _rename, "delete": _delete, "insert": _insert, "junk": _junk, "swap": _swap,
    "paste": _paste, "retype": _retype, "nest": _nest,
}  # fmt: skip


def hold(result: Mutated, problems: list[Any]) -> None:
    """Fail if a problem stands nowhere, or an unknown key is met with silence."""
    there = dotted(result.config)
    for problem in problems:
        assert str(problem)
        assert problem.path in there, f"{problem.path!r} is not in the config: {problem}"
    told = {problem.path for problem in problems}
    for path in result.unknown:
        helper = len(path) == 1 and str(path[0]).startswith("_")
        if ".".join(map(str, path)) in there and not helper and not _is_free(path, result.config):
            around = {".".join(map(str, path[:end])) for end in range(len(path) + 1)}
            untyped = {".".join(map(str, (*path[:end], "type"))) for end in range(len(path))}
            assert told & (around | untyped), f"{path} is accepted: {sorted(told)}"


def mutations(count: int) -> Any:
    """Return the settings of a test of so many mutations."""
    return settings(
        max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )


@mutations(1900)
@given(result=mutated(SHIPPED))
def test_by_the_signatures_alone(result):
    tree = ConfigTree(result.config)
    free = ("losses", "transform", "param_groups", "split")  # what parts themselves look into
    result.unknown = [p for p in result.unknown if not {*free} & {*p[:-1]} or "type" in p[:-1]]
    hold(result, [tree.placed(problem) for problem in check_sections(tree)])


@mutations(70)
@given(result=mutated(SMALL))
def test_with_the_model_traced_and_the_solver_rehearsed(result):
    hold(result, check(result.config, open_data=False))


@mutations(30)
@given(data=st.data())
def test_with_real_data(folder, data):
    result = data.draw(mutated([load_config("config.py").data], most=2))
    hold(result, check(result.config))


def _is_free(path: tuple[Any, ...], config: Any) -> bool:
    """Whether a key may be any: the name of a head."""
    is_head = len(path) == 3 and path[:2] == ("model", "head")
    return is_head and "type" not in config["model"]["head"]
