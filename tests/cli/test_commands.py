"""What the commands print and how they end."""

from __future__ import annotations

import pytest

from dlcreg.cli import main

GOOD = """
model:
  backbone: {type: ResNet, depth: 18}
  head:
    type: HeatmapHead
    codec: {type: GaussianHeatmap}
    losses: {heatmap: {type: MSELoss}}
data:
  train: {type: PoseDataset, project: {root: ROOT}}
  test: {type: PoseDataset, project: {root: ROOT}, mode: test}
solver: {optimizer: {type: SGD, lr: 0.1}, max_epochs: 1}
"""


@pytest.fixture
def config(tmp_path, demo_project):
    path = tmp_path / "good.yaml"
    path.write_text(GOOD.replace("ROOT", str(demo_project)))
    return path


def test_check_of_a_good_config_says_so(config, capsys):
    assert main(["check", str(config)]) == 0
    assert capsys.readouterr().out == f"{config}: no problems\n"


def test_check_prints_all_problems_with_file_line_and_caret(config, capsys):
    config.write_text(config.read_text().replace("depth: 18", "dept: 18").replace("lr:", "rl:"))
    assert main(["check", str(config)]) == 2
    error = capsys.readouterr().err
    assert "2 problems in the config" in error
    assert f"{config}:3:28: model.backbone.dept: ResNet takes no 'dept'. Did you mean" in error
    assert "solver.optimizer.rl" in error
    assert error.count("^") == 2


def test_check_without_data_needs_no_project(config, capsys):
    config.write_text(GOOD.replace("ROOT", "nowhere"))
    assert main(["check", str(config), "--no-data"]) == 0
    assert main(["check", str(config)]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_config_show_fills_defaults_in_and_loads_again(config, capsys, tmp_path):
    assert main(["config", "show", str(config)]) == 0
    shown = capsys.readouterr().out
    assert "output_stride=32" in shown
    again = tmp_path / "again.py"
    again.write_text(shown)
    assert main(["config", "show", str(again)]) == 0
    assert capsys.readouterr().out == shown


def test_a_missing_config_is_one_line(capsys):
    assert main(["train", "nowhere.py"]) == 2
    error = capsys.readouterr().err
    assert "nowhere.py" in error
    assert len(error.splitlines()) == 1


def test_a_missing_checkpoint_is_one_line(capsys):
    assert main(["test", "nowhere.pth"]) == 2
    error = capsys.readouterr().err
    assert "nowhere.pth" in error
    assert len(error.splitlines()) == 1


def test_demo_leaves_a_folder_with_something_in_it_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("precious")
    assert main(["demo", "--work-dir", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("place", ["a file", "a folder that cannot be made"])
def test_demo_needs_a_folder_that_it_can_make(tmp_path, capsys, place):
    folder = tmp_path / "occupied"
    folder.write_text("precious")
    folder = folder if place == "a file" else folder / "below"
    assert main(["demo", "--work-dir", str(folder)]) == 2
    error = capsys.readouterr().err
    assert str(folder) in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--epochs", "0"], "0 makes no sense: give 1 or more"), (["--device", "gpu"], "'gpu'")],
)
def test_a_demo_that_cannot_start_leaves_nothing_behind(tmp_path, capsys, options, message):
    assert main(["demo", "--work-dir", str(tmp_path / "demo"), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()


def test_version_is_that_of_the_package(capsys):
    import dlcreg

    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"dlcreg {dlcreg.__version__}\n"
