"""Second way in: ``tools/train.py CONFIG`` and its kin."""

from __future__ import annotations

import json


def test_train_leaves_everything_in_the_work_dir_and_overwrites_nothing(
    run, repo, tiny_config, tmp_path
):
    command = (repo / "tools/train.py", tiny_config(), "--work-dir", "run", "--seed", "3")
    done = run(*command)
    folder = tmp_path / "run"
    for name in (
        "config.py",
        "provenance.json",
        "split.json",
        "train.log",
        "metrics.csv",
        "learning_curves.png",
        "evaluation/metrics.json",
        "evaluation/per_keypoint.csv",
        "evaluation/test_best.png",
        "evaluation/test_worst.png",
    ):
        assert (folder / name).stat().st_size > 0, name
    metrics = json.loads((folder / "evaluation/metrics.json").read_text())
    assert set(metrics) == {"train", "test"}
    assert metrics["test"]["mean_error_px"] > 0
    assert "per_keypoint" in metrics["test"]
    split = json.loads((folder / "split.json").read_text())
    assert len(split["train"]) + len(split["test"]) == 20
    assert "mean_error_px" in done.stdout
    assert "warning" not in done.stderr.lower()

    checkpoint = next(folder.rglob("*.pth"))
    run(repo / "tools/test.py", checkpoint, "--work-dir", "again")
    repeated = json.loads((tmp_path / "again/evaluation/metrics.json").read_text())
    assert repeated == metrics

    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    again = run(*command, check=False)
    assert again.returncode == 2
    assert "--resume" in again.stderr
    assert before == {p: p.stat().st_mtime_ns for p in before}


def test_yaml_default_config_trains_as_a_python_one_does(run, repo, demo_project, tmp_path):
    options = [
        "solver.max_epochs=1", "data.batch_size=8", "data.train.transform.3.size=[96, 96]",
        *(f"data.{part}.transform.0.longest=128" for part in ("train", "val", "test")),
    ]  # fmt: skip
    run("-m", "dlcreg", "train", "--project", demo_project, "--work-dir", "run",
        "--cfg-options", *options)  # fmt: skip
    assert (tmp_path / "run/evaluation/metrics.json").is_file()


def test_a_mistake_ends_with_status_2_and_no_traceback(run, repo, tiny_config, tmp_path):
    done = run(
        repo / "tools/train.py", tiny_config(), "--cfg-options", "model.head.codec.sigmma=2",
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "sigmma" in done.stderr
    assert "Did you mean 'sigma'?" in done.stderr
    assert "--cfg-options" in done.stderr
    assert not (tmp_path / "work_dirs").exists()
