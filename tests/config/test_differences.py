"""What two configs differ in."""

from __future__ import annotations

import pytest

from dlcreg.config import ConfigTree, load_config
from dlcreg.config.difference import MISSING, differences


def _of(left, right):
    found = differences(ConfigTree(left), ConfigTree(right))
    return [(one.path, one.left, one.right) for one in found]


def test_equal_configs_differ_in_nothing():
    config = {"a": {"b": [1, {"c": float("nan")}]}, "d": None}
    assert _of(config, config) == []


def test_a_tuple_is_a_list_and_a_class_its_path():
    assert _of({"a": (1, 2), "b": dict}, {"a": [1, 2], "b": "builtins:dict"}) == []


@pytest.mark.parametrize(
    ("left", "right", "found"),
    [
        ({"a": 1}, {"a": 2}, [("a", 1, 2)]),
        ({"a": {"b": 1}}, {"a": {}}, [("a.b", 1, MISSING)]),
        ({}, {"a": {"b": 1}}, [("a", MISSING, {"b": 1})]),
        ({"a": [1, 2]}, {"a": [1]}, [("a", [1, 2], [1])]),
        ({"a": [True]}, {"a": [1]}, [("a", [True], [1])]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, [("a.0.b", 1, 2)]),
        (
            {"a": [{"type": "X", "b": 1}]},
            {"a": [{"type": "Y"}]},
            [("a.0", {"type": "X", "b": 1}, {"type": "Y"})],
        ),
        ({"a": [1]}, {"a": {"0": 1}}, [("a", [1], {"0": 1})]),
        ({"a": True}, {"a": 1}, [("a", True, 1)]),
        ({"a": 1.0}, {"a": 1}, []),
    ],
)
def test_a_difference_is_told_at_its_path_with_both_values(left, right, found):
    assert _of(left, right) == found


def test_each_side_has_its_place_also_where_it_is_inherited(tmp_path):
    (tmp_path / "base.yaml").write_text("solver: {max_epochs: 3, seed: 1}\n")
    (tmp_path / "left.yaml").write_text("_base_: base.yaml\n")
    (tmp_path / "right.yaml").write_text("_base_: base.yaml\nsolver:\n  max_epochs: 4\n")
    (one,) = differences(load_config(tmp_path / "left.yaml"), load_config(tmp_path / "right.yaml"))
    assert (one.left_place.file, one.left_place.line) == (str(tmp_path / "base.yaml"), 1)
    assert (one.right_place.file, one.right_place.line) == (str(tmp_path / "right.yaml"), 3)
