"""Every mistake in a config gives one clear message with its place, and no bare traceback."""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from dlcreg.builder import build, build_dataset, build_model, check
from dlcreg.config import load_config
from dlcreg.data.project import Project
from dlcreg.errors import ConfigError
from dlcreg.registry import REGISTRIES

MISTAKES = yaml.safe_load(Path(__file__).with_name("mistakes.yaml").read_text())


def whole(message: str) -> str:
    """Fill in what a message lists and what grows with every new part."""
    names = {kind: registry.names() for kind, registry in REGISTRIES.items()}
    names["keypoints"] = list(Project("project").bodyparts) if "<keypoints>" in message else []
    names["packaging"] = [importlib.metadata.version("packaging")]
    return re.sub(r"<(\w+)>", lambda match: ", ".join(names[match[1]]), message)


@pytest.mark.parametrize("case", MISTAKES, ids=[case["mistake"] for case in MISTAKES])
def test_says_what_is_wrong_where_and_how_to_mend_it(folder, two_animals, case):
    (folder / "two").symlink_to(two_animals)
    text = (folder / case["file"]).read_text()
    assert case["old"] in text
    (folder / case["file"]).write_text(text.replace(case["old"], case["new"]))
    with pytest.raises(ConfigError) as caught:
        build("config.py")
    assert str(caught.value) == whole(case["says"])


def test_the_config_without_a_mistake_has_no_problem(folder):
    assert check("config.py") == []


def test_a_name_that_is_not_defined_points_at_its_line(folder, change):
    change("depth=18", "depth=deep")
    with pytest.raises(ConfigError) as caught:
        load_config("config.py")
    assert re.match(
        r"config\.py:3:\d+: NameError: name 'deep' is not defined\n"
        r"    .*depth=deep.*\n +\^$",
        str(caught.value),
    )


def test_a_key_left_over_from_the_base_says_how_to_drop_it(folder, change):
    change("lr=5e-4", "lr=5e-4, betas=(0.9, 0.99)", "runtime.py")
    change("'runtime.py'\n", "'runtime.py'\nsolver = dict(optimizer=dict(type='SGD'))\n")
    (problem,) = check("config.py")
    assert str(problem) == (
        "runtime.py:2:43: solver.optimizer.betas: SGD takes no 'betas'. It comes from the base "
        "config, where another type stood: _delete_=True in 'solver.optimizer' drops what the "
        "base says.\n"
        "        optimizer=dict(type='AdamW', lr=5e-4, betas=(0.9, 0.99)),\n"
        "                                              ^"
    )


def test_all_mistakes_come_at_once_in_the_order_of_the_file(folder, change):
    change("depth=18", "dpeth=18")
    change("sigma=2.0", "sigma='wide'")
    change("rotation=30", "rotaton=30")
    change("max_epochs=3", "max_epoch=3", "runtime.py")
    with pytest.raises(ConfigError) as caught:
        build("config.py")
    assert [problem.path for problem in caught.value.problems] == [
        "model.backbone.dpeth",
        "model.head.codec.sigma",
        "data.train.transform.1.rotaton",
        "solver.max_epoch",
    ]
    assert str(caught.value).startswith("4 problems in the config:\nconfig.py:3:34: model.backbone")


def test_a_broken_model_does_not_hide_what_is_wrong_with_the_data(folder, change):
    change("sigma=2.0", "sigma=-1")
    change("mode='val'", "mode='val', keypoint_names=['nose']")
    assert [problem.path for problem in check("config.py")] == [
        "model.head.codec.sigma",
        "data.val.keypoint_names",
    ]


def test_a_broken_backbone_is_the_only_problem_of_what_stands_behind_it(folder, change):
    change("output_stride=16", "out_indices=[5]")
    (problem,) = check("config.py")
    assert problem.path == "model.backbone.out_indices"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            "model.backbone.dpeth=50",
            "--cfg-options: model.backbone.dpeth: ResNet takes no 'dpeth'. Did you mean 'depth'?",
        ),
        (
            "solver.max_epochs=ten",
            "--cfg-options: solver.max_epochs: must be an int, not the string 'ten'.",
        ),
        (
            "sover.max_epochs=3",
            "--cfg-options: sover: a config has no 'sover'. Did you mean 'solver'? It has: model, "
            "data, solver, evaluation, required_plugins, work_dir; the name of a helper variable "
            "begins with an underscore.",
        ),
        (
            "data.train.transform.1.type=Afine",
            "--cfg-options: data.train.transform.1.type: there is no transform 'Afine'. Did you "
            "mean 'Affine'? Known: <transforms>.",
        ),
    ],
)
def test_a_mistake_from_the_command_line_says_so(folder, option, message):
    (problem,) = check(load_config("config.py", [option]))
    assert str(problem) == whole(message)


def test_a_project_that_cannot_be_read_is_named(own_project):
    (own_project / "config.yaml").write_text("scorer: me\nbodyparts: [a, b\n")
    messages = [str(problem) for problem in check("config.py")]
    assert len(messages) == 3
    assert messages[0].startswith(
        "config.py:14:22: data.train.project.root: Project: project/config.yaml:3:1: "
    )


def test_an_image_that_cannot_be_read_is_named(own_project, folder):
    for image in own_project.glob("labeled-data/*/*.png"):
        image.write_bytes(b"no image")
    problems = check("config.py")
    assert [problem.path for problem in problems] == ["data.train", "data.val", "data.test"]
    assert all(".png" in problem.message for problem in problems)


def test_a_section_that_says_nothing_is_missing(folder, change):
    change("data = dict(", "data = None\n_data = dict(")
    (problem,) = check("config.py")
    assert str(problem) == "config.py:1:1: the config has no 'data'. Add data = dict(...)"


def test_a_config_made_in_python_gives_paths_without_places(folder):
    config = load_config("config.py").to_dict()
    config["model"]["backbone"]["dpeth"] = 18
    with pytest.raises(ConfigError) as caught:
        build(config)
    assert str(caught.value) == (
        "model.backbone.dpeth: ResNet takes no 'dpeth'. Did you mean 'depth'?"
    )


def test_a_model_alone_without_keypoints_says_how_to_give_them(folder):
    model = load_config("config.py").data["model"]
    with pytest.raises(ConfigError) as caught:
        build_model(model)
    assert str(caught.value) == (
        "model.head: HeatmapHead needs 'num_keypoints', and nothing here gives it. Write "
        "num_keypoints=..., or give it to the build function as a keyword argument."
    )


def test_a_data_set_that_the_config_lacks_is_named(folder):
    with pytest.raises(ConfigError) as caught:
        build_dataset("config.py", "tset")
    assert "data: has no 'tset'. It has: train, val, test." in str(caught.value)


def test_a_part_that_raises_an_unexpected_error_is_named_with_its_line(folder, change):
    (folder / "mine.py").write_text(
        dedent(
            """
            from dlcreg.contracts import Neck

            class Broken(Neck):
                def __init__(self, in_channels):
                    {}["nothing"]

                def forward(self, features):
                    return features
            """
        )
    )
    change("dict(type='IdentityNeck')", "dict(type='mine:Broken')")
    sys.path.insert(0, str(folder))
    try:
        (problem,) = check("config.py")
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("mine", None)
    assert str(problem) == (
        "config.py:4:5: model.neck: Broken cannot be built: KeyError: 'nothing' "
        f"({folder / 'mine.py'}:6)\n"
        "        neck=dict(type='mine:Broken'),\n"
        "        ^"
    )


def test_a_value_put_to_three_places_is_one_problem(folder):
    tree = load_config("config.py")
    for part in ("train", "val", "test"):
        tree.set(f"data.{part}.project", {"root": "nowhere"}, "--project")
    assert [str(problem) for problem in check(tree)] == [
        "--project: data.train.project.root: Project: there is no project folder nowhere"
    ]


def test_two_options_with_the_same_mistake_are_two_problems(folder):
    options = ["model.backbone.depth=7", "solver.max_epochs=two", "solver.val_interval=two"]
    assert [problem.path for problem in check(load_config("config.py", options))] == [
        "model.backbone.depth", "solver.max_epochs", "solver.val_interval",
    ]  # fmt: skip


def test_a_data_set_of_others_that_gives_no_sample_is_named_with_its_line(folder, change):
    (folder / "theirs.py").write_text(
        dedent(
            """
            from dlcreg import PoseDataset

            class Torn(PoseDataset):
                def __getitem__(self, index):
                    return {}[index]
            """
        )
    )
    change("train=dict(\n        type='PoseDataset',", "train=dict(\n        type='theirs:Torn',")
    change("        transform=[dict(type='Flip'), dict(type='Affine', rotation=30)],\n", "")
    sys.path.insert(0, str(folder))
    try:
        (problem,) = check("config.py")
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("theirs", None)
    assert problem.path == "data.train"
    assert problem.message == (f"Torn gives no sample: KeyError: 0 ({folder / 'theirs.py'}:6)")


@pytest.mark.parametrize(
    ("old", "new", "path", "part"),
    [
        (
            "dict(type='Flip')",
            "dict(type='Albumentations', transform=[dict(type='GaussNoise', pp=3)])",
            "data.train.transform.0", "'pp'",
        ),
        ("lr=5e-4", "lr=-1.0", "solver.optimizer", "Invalid learning rate"),
        ("milestones=[2]", "milestones=[2], begin=9", "solver.schedule.0", "end should be larger"),
        ("[dict(type='MultiStepLR', milestones=[2])]", "dict(type='LinearLR', start_factor=-1)",
         "solver.schedule", "Starting multiplicative factor"),
        ("max_epochs=3", "max_epochs=3, save_best='rmse_pxx'", "solver.save_best", "rmse_px"),
    ],
)  # fmt: skip
def test_what_needs_no_data_is_found_without_it(folder, change, old, new, path, part):
    change(old, new, "config.py" if "Albu" in new else "runtime.py")
    (problem,) = check("config.py", open_data=False)
    assert problem.path == path
    assert part in problem.message


def test_nothing_is_held_against_made_up_data(folder, change):
    change("dict(type='PixelError')", "dict(type='CocoOKS', sigmas=[0.1] * 17)", "runtime.py")
    assert check("config.py", open_data=False) == []


@pytest.mark.parametrize(
    ("split", "place", "message"),
    [
        (
            {"train": [], "test": ["<image>"]},
            "data.split",
            "PoseDataset: the train part of the split has no images",
        ),
        ({"trian": ["<image>"]}, "data.split", "PoseDataset: split.json is no split: it needs"),
        (
            {"train": ["labeled-data/x/y.png"], "test": []},
            "data.split",
            "PoseDataset: the split names images that ",
        ),
    ],
)
def test_a_split_that_does_not_fit_is_explained(folder, change, split, place, message):
    image = Project("project").images[0]
    text = json.dumps(split).replace("<image>", image)
    (folder / "split.json").write_text(text)
    change("dict(train_fraction=0.8, val_fraction=0.25)", "'split.json'")
    first = check("config.py")[0]
    assert first.path == place
    assert first.message.startswith(message)
    assert first.location.line == 19


@pytest.mark.parametrize(
    ("transform", "path", "part"),
    [
        ("dict(type='Crop', size=[0, 5])", "data.train.transform.0.size", "height and width"),
        (
            "dict(type='Albumentations', transform=dict(type='ElasticTransform'))",
            "data.train.transform.0",
            "does not move keypoints with the image",
        ),
        (
            "dict(type='Albumentations', transform=[dict(type='GaussNoise', pp=3)])",
            "data.train.transform.0",
            "'pp'",
        ),
    ],
)
def test_a_transform_that_refuses_its_values_is_named(folder, change, transform, path, part):
    change("dict(type='Flip')", transform)
    (problem,) = check("config.py")
    assert problem.path == path
    assert part in problem.message
