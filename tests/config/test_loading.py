"""Python, YAML and JSON say the same, and every value knows where it was written."""

from __future__ import annotations

import json
import keyword
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config

from dlcreg.config import ConfigTree, load_config
from dlcreg.errors import ConfigError


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return ``write(name, text)``; the current folder is where it writes."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str) -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"))
        return path

    return write


def place(tree: ConfigTree, path: str) -> str:
    at = tree.locate(path)
    return f"{at.file}:{at.line}:{at.column}" if at else ""


PYTHON = """
    model = dict(backbone=dict(type='ResNet', depth=18))
    solver = dict(optimizer=dict(lr=1e-3), schedule=[dict(milestones=[1, 2])], best=None)
"""
YAML = """
    model:
      backbone: {type: ResNet, depth: 18}
    solver:
      optimizer:
        lr: 1e-3
      schedule:
        - milestones: [1, 2]
      best: null
"""
JSON = """
    {
    \t"model": {"backbone": {"type": "ResNet", "depth": 18}},
    \t"solver": {"optimizer": {"lr": 1e-3}, "schedule": [{"milestones": [1, 2]}], "best": null}
    }
"""
VALUES = {
    "model": {"backbone": {"type": "ResNet", "depth": 18}},
    "solver": {"optimizer": {"lr": 0.001}, "schedule": [{"milestones": [1, 2]}], "best": None},
}


@pytest.mark.parametrize(
    ("name", "text"), [("a.py", PYTHON), ("a.yaml", YAML), ("a.yml", YAML), ("a.json", JSON)]
)
def test_the_three_languages_say_the_same(write, name, text):
    assert load_config(write(name, text)).to_dict() == VALUES


def test_a_dict_and_a_config_of_mmengine_are_taken(write):
    assert load_config(VALUES).to_dict() == VALUES
    assert load_config(Config(VALUES)).to_dict() == VALUES
    copied = load_config(load_config(VALUES))
    copied.set("model.backbone.depth", 50)
    assert VALUES["model"]["backbone"]["depth"] == 18


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        ("-2e+1", -20.0),
        (".5", 0.5),
        ("5e-4", 5e-4),
        ("3", 3),
        ("true", True),
        ("null", None),
        ("e3", "e3"),
        ("1e", "1e"),
    ],
)
def test_yaml_numbers_mean_what_they_say(write, text, value):
    found = load_config(write("a.yaml", f"lr: {text}")).data["lr"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "places"),
    [
        (
            "a.py",
            PYTHON,
            {
                "model": "1:1",
                "model.backbone.depth": "1:43",
                "solver.schedule.0.milestones": "2:55",
            },
        ),
        ("a.yaml", YAML, {"model.backbone.depth": "2:28", "solver.schedule.0.milestones": "7:7"}),
        ("a.json", JSON, {"model.backbone.depth": "2:43", "solver.schedule.0": "3:53"}),
    ],
)
def test_values_are_located(write, name, text, places):
    tree = load_config(write(name, text))
    assert {path: place(tree, path) for path in places} == {
        path: f"{name}:{where}" for path, where in places.items()
    }


def test_values_are_located_through_variables_lists_and_subscripts(write):
    tree = load_config(
        write(
            "a.py",
            """
            _common = dict(p=0.5)
            _flip = [dict(type='Flip',
                          **_common)]
            _head = {'type': 'Head',
                     'sigma': 2}
            model = dict(head=_head)
            data = dict(train=dict(transform=_flip + [
                dict(type='Pad')]), test=dict(transform=[*_flip]))
            model['head']['weight'] = 3
            if True:
                solver = dict(lr=1)
            """,
        )
    )
    assert place(tree, "model.head.sigma") == "a.py:5:10"
    assert place(tree, "data.train.transform.0.p") == "a.py:1:16"
    assert place(tree, "data.train.transform[1].type") == "a.py:8:10"
    assert place(tree, "data.test.transform.0.type") == "a.py:2:15"
    assert place(tree, "model.head.weight") == "a.py:9:1"
    assert place(tree, "solver.lr") == "a.py:11:19"
    assert tree.data["model"]["head"] == {"type": "Head", "sigma": 2, "weight": 3}


def test_what_is_not_there_is_located_at_what_stands_around_it(write):
    tree = load_config(write("a.py", PYTHON))
    assert place(tree, "model.backbone.weights.path") == "a.py:1:14"
    assert place(tree, "nothing") == "a.py:1:1"


def test_a_column_counts_characters_not_bytes(write):
    tree = load_config(write("a.py", "model = dict(name='Mäuse', depth=3)"))
    assert place(tree, "model.depth") == "a.py:1:28"


# -- bases ---------------------------------------------------------------------------------------


def test_bases_in_any_language_are_merged_and_located(write):
    write("base/runtime.yaml", "solver:\n  lr: 1e-3\n  epochs: 5\n")
    write("base/model.json", '{"model": {"depth": 18}}')
    tree = load_config(
        write(
            "a.py",
            """
            _base_ = ['base/runtime.yaml', 'base/model.json']
            solver = dict(epochs=2 * _base_.solver.epochs)
            """,
        )
    )
    assert tree.to_dict() == {"solver": {"lr": 1e-3, "epochs": 10}, "model": {"depth": 18}}
    assert place(tree, "solver.lr") == "base/runtime.yaml:2:3"
    assert place(tree, "solver.epochs") == "a.py:2:15"
    assert place(tree, "model.depth") == "base/model.json:1:12"


def test_yaml_builds_on_python(write):
    write("base.py", "_lr = 1\nsolver = dict(lr=_lr, epochs=3)")
    tree = load_config(write("a.yaml", "_base_: base.py\nsolver:\n  lr: 2\n"))
    assert tree.to_dict() == {"solver": {"lr": 2, "epochs": 3}}


def test_delete_drops_what_the_base_says_with_its_places(write):
    write("base.py", "solver = dict(optimizer=dict(type='Adam', betas=[1, 2]), epochs=3)")
    tree = load_config(
        write(
            "a.py",
            """
            _base_ = 'base.py'
            solver = dict(optimizer=dict(_delete_=True, type='SGD'))
            """,
        )
    )
    assert tree.to_dict() == {"solver": {"optimizer": {"type": "SGD"}, "epochs": 3}}
    assert place(tree, "solver.optimizer.betas") == "a.py:2:15"


def test_numbers_change_single_items_of_a_list_of_the_base(write):
    write("base.yaml", "steps: [{p: 1}, {p: 2}]")
    tree = load_config(write("a.yaml", "_base_: base.yaml\nsteps: {1: {p: 3}}"))
    assert tree.to_dict() == {"steps": [{"p": 1}, {"p": 3}]}


def test_a_later_base_has_the_last_word(write):
    write("one.yaml", "seed: 1\nepochs: 1")
    write("two.yaml", "seed: 2")
    tree = load_config(write("a.yaml", "_base_: [one.yaml, two.yaml]"))
    assert tree.to_dict() == {"seed": 2, "epochs": 1}


def test_imports_functions_and_helpers_are_no_values(write):
    text = """
    import math
    from pathlib import Path

    def twice(x):
        return 2 * x

    _rate = math.sqrt(4)
    solver = dict(lr=twice(_rate))
    """
    assert load_config(write("a.py", text)).to_dict() == {"solver": {"lr": 4.0}}


# -- files that cannot be read ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "line", "column", "message"),
    [
        ("a.yaml", "a: [1, 2\nb: 3\n", 2, 2, "this is not YAML: expected ',' or ']', but got ':'"),
        ("a.yaml", "- 1\n- 2\n", 1, 1, "a config is a set of 'key: value' pairs, not a list."),
        ("a.yaml", "on: 3", 1, 1, "the key 'on' means true or false in YAML. Write 'on': ..."),
        ("a.yaml", "a:\n  b: 1\n  b: 2\n", 3, 3, "a.b: 'b' is said twice here. Leave one out."),
        ("a.yaml", "a: &x\n  b: *x\n", 1, 4, "a.b: a value that contains itself."),
        (
            "a.yaml",
            "a: !!python/name:os.system",
            1,
            4,
            "this is not YAML: could not determine a constructor for the tag "
            "'tag:yaml.org,2002:python/name:os.system'",
        ),
        ("a.json", '{"a": 1,\n "a": 2}', 2, 2, "a: 'a' is said twice here. Leave one out."),
        ("a.json", '{"a": tru}', 1, 7, "this is not JSON: Expecting value"),
        (
            "a.py",
            "_base_ = [n for n in 'ab']",
            1,
            1,
            "_base_: must be a path or a list of paths, written out.",
        ),
        ("a.yaml", "_base_: 3", 1, 1, "_base_: must be a path or a list of paths."),
    ],
)
def test_a_file_that_cannot_be_read_says_where(write, name, text, line, column, message):
    write(name, text)
    with pytest.raises(ConfigError) as caught:
        load_config(name)
    shown = text.splitlines()[line - 1]
    pointer = " " * (column - 1) + "^"
    assert str(caught.value) == f"{name}:{line}:{column}: {message}\n    {shown}\n    {pointer}"


def test_a_file_of_another_kind_is_refused(write):
    with pytest.raises(ConfigError) as caught:
        load_config(write("a.txt", ""))
    assert str(caught.value) == (
        "a.txt is no config: its name must end in .py, .yaml, .yml or .json."
    )


def test_a_file_that_is_not_there_is_named_with_its_likely_neighbour(write):
    write("config.py", "")
    with pytest.raises(
        ConfigError, match=r"^there is no file confg.py. Did you mean 'config.py'\?$"
    ):
        load_config("confg.py")
    with pytest.raises(ConfigError, match=r"There is no folder nowhere either"):
        load_config("nowhere/config.py")


def test_what_is_no_config_at_all_is_refused():
    with pytest.raises(ConfigError, match="a config is a dict or the path of a file, not None"):
        load_config(None)


def test_bytes_that_are_no_text_are_refused(write):
    write("a.yaml", "").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"^a.yaml cannot be read: "):
        load_config("a.yaml")


# -- options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("1e-3", 1e-3),
        ("true", True),
        ("True", True),
        ("None", None),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ("1,2", [1, 2]),
        ("(1, 2)", (1, 2)),
        ("[left, right]", ["left", "right"]),
        ("'3'", "3"),
        ("0x10", 16),
        ("path/to=this", "path/to=this"),
        ("", None),
        ("dict(type='Adam', betas=(0.9, 0.99))", {"type": "Adam", "betas": (0.9, 0.99)}),
        ("[dict(type='Flip'), dict(type='Pad')]", [{"type": "Flip"}, {"type": "Pad"}]),
        ("{'a': 1}", {"a": 1}),
    ],
)
def test_an_option_is_read_as_python_or_yaml(text, value):
    assert load_config({}, [f"a.b={text}"]).data == {"a": {"b": value}}


def test_options_reach_into_lists_and_merge_dicts():
    tree = load_config(VALUES, ["solver.schedule.0.gamma=0.5", "model.backbone=dict(depth=50)"])
    assert tree.data["solver"]["schedule"] == [{"milestones": [1, 2], "gamma": 0.5}]
    assert tree.data["model"]["backbone"] == {"type": "ResNet", "depth": 50}
    replaced = load_config(VALUES, ["model.backbone=dict(_delete_=True, type='HRNet')"])
    assert replaced.data["model"]["backbone"] == {"type": "HRNet"}


def test_a_value_from_an_option_names_its_source(write):
    tree = load_config(write("a.py", PYTHON), ["model.backbone.depth=50"])
    assert tree.locate("model.backbone.depth") is None
    assert tree.source_of("model.backbone.depth") == "--cfg-options"
    assert tree.source_of("model.backbone.type") == ""
    tree.set("data.project", "there", source="--project")
    assert tree.source_of("data.project.root") == "--project"


def test_a_config_after_its_options_is_told_where_it_belongs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.py").write_text("")
    with pytest.raises(ConfigError, match="The file of a config comes before --cfg-options"):
        load_config({}, ["a=1", "my.py"])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("abc", "--cfg-options: 'abc' has no '='. Write key=value, such as solver.max_epochs=20."),
        (
            "=3",
            "--cfg-options: '=3' has no key before '='. "
            "Write key=value, such as solver.max_epochs=20.",
        ),
        (
            "a..b=3",
            "--cfg-options: 'a..b=3' has no key before '='. "
            "Write key=value, such as solver.max_epochs=20.",
        ),
        ("a=[1, 2", "--cfg-options: a: '[1, 2' is no value: is a bracket or a quote missing?"),
        (
            "solver.schedule.3.p=1",
            "--cfg-options: solver.schedule.3.p: solver.schedule is a list of 1; "
            "after it comes a number from 0 to 0, not '3'.",
        ),
        (
            "model.backbone.depth.x=1",
            "--cfg-options: model.backbone.depth.x: model.backbone.depth is 18, "
            "which has nothing inside.",
        ),
    ],
)
def test_an_option_that_makes_no_sense_is_explained(option, message):
    with pytest.raises(ConfigError) as caught:
        load_config(VALUES, [option])
    assert str(caught.value) == message


def test_all_bad_options_are_told_at_once():
    with pytest.raises(ConfigError, match="2 problems"):
        load_config({}, ["abc", "=1"])


# -- writing ---------------------------------------------------------------------------------------

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
names = st.from_regex(r"[a-z][a-z_]{0,8}[a-z]", fullmatch=True)
variables = names.filter(lambda name: not keyword.iskeyword(name))
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(names, inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(data=st.dictionaries(variables, values, max_size=4))
def test_what_is_written_loads_to_the_same_values(tmp_path_factory, data):
    data = ConfigTree(data).to_dict()  # without _delete_
    path = tmp_path_factory.mktemp("dump") / "config.py"
    path.write_text(load_config(data).dump(), encoding="utf-8")
    assert load_config(path).to_dict() == data


def test_type_is_written_first_and_lines_are_short():
    text = load_config(
        {"model": {"depth": 18, "type": "ResNet", "names": ["keypoint"] * 20}}
    ).dump()
    assert text.startswith("model = dict(\n    type='ResNet',\n    depth=18,\n")
    assert max(map(len, text.splitlines())) <= 100


def test_a_class_is_written_as_its_import_path_and_an_object_is_refused():
    assert load_config({"type": Path}).dump().startswith("type = 'pathlib")
    with pytest.raises(ConfigError) as caught:
        load_config({"model": {"hook": object(), "steps": [object()]}}).dump()
    assert str(caught.value) == (
        "2 problems in the config:\n"
        "model.hook: an object of object cannot be written into a config.\n"
        "model.steps.0: an object of object cannot be written into a config."
    )


def test_json_round_trip_of_values_is_exact(write):
    path = write("a.json", json.dumps(VALUES))
    assert load_config(path).to_dict() == VALUES


def test_keys_that_python_would_read_as_others_are_written_as_strings(tmp_path):
    data = {"model": {"\u00aa": 1, "a": 2, "class": 3, "b c": 4}}
    path = tmp_path / "config.py"
    path.write_text(load_config(data).dump(), encoding="utf-8")
    assert load_config(path).to_dict() == data
