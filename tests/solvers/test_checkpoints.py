import builtins
import errno
import io
import os
import pickle
import random
import resource
import shutil
import zipfile
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from dlcreg.errors import CheckpointError
from dlcreg.registry import Part
from dlcreg.solvers import checkpoint, folder
from dlcreg.structures import DatasetInfo


def test_what_is_saved_is_loaded_without_running_code(tmp_path):
    content = {
        "model": {"weight": torch.arange(3.0)},
        "info": DatasetInfo(("nose",), num_individuals=2),
        "provenance": [Part("heads", "HeatmapHead", "dlcreg", "0.1", "a.b:C")],
        "config": {"type": nn.Linear, "sizes": (1, 2), "flag": np.bool_(True), 3: np.float64(0.5)},
        "array": np.arange(2),
    }
    path = checkpoint.save(tmp_path / "a.pth", content)
    loaded = checkpoint.load(path)
    assert torch.equal(loaded["model"]["weight"], torch.arange(3.0))
    assert loaded["info"]["keypoint_names"] == ("nose",)
    assert loaded["provenance"][0]["version"] == "0.1"
    assert loaded["config"] == {
        "type": "torch.nn.modules.linear:Linear",
        "sizes": (1, 2),
        "flag": True,
        3: 0.5,
    }
    assert loaded["array"].tolist() == [0, 1]
    assert loaded["format"] == checkpoint.FORMAT


def test_what_is_not_plain_is_refused_by_name(tmp_path):
    with pytest.raises(CheckpointError, match=r"hooks.Mine\[0\] cannot be saved: it is a builtins"):
        checkpoint.save(tmp_path / "a.pth", {"model": {}, "hooks": {"Mine": [lambda: 0]}})
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = checkpoint.save(tmp_path / "epoch_1.pth", {"model": {"w": torch.ones(2)}})

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"epoch_1.pth .*No space left on device"):
        checkpoint.save(path, {"model": {"w": torch.zeros(2)}})
    monkeypatch.undo()
    assert checkpoint.load(path)["model"]["w"].tolist() == [1, 1]
    assert [p.name for p in tmp_path.iterdir()] == ["epoch_1.pth"]


def test_a_disk_that_is_full_in_the_middle_of_a_file_is_told(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(
            CheckpointError, match=r"a\.pth cannot be written; its disk has \d+ MiB"
        ):
            checkpoint.save(tmp_path / "a.pth", {"model": {"w": torch.ones(100_000)}})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_a_truncated_file_is_told(tmp_path, keep):
    path = checkpoint.save(tmp_path / "a.pth", {"model": {"w": torch.ones(500)}})
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(CheckpointError, match=r"a\.pth is damaged"):
        checkpoint.load(path)


def _archive():
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
        archive.writestr("a.txt", "hello")
    return buffer.getvalue()


_GARBAGE = {
    "config": b"_base_ = 'base.py'\nmodel = dict(type='PoseModel')\n",
    "words": "Gänse, Füchse\n".encode(),
    "latin": b"\x80\x02X\x02\x00\x00\x00\xff\xfe.",
    "short": b"J1",
    "unknown": b"h\x07.",
    "archive": _archive(),
    "pickle": pickle.dumps([1, 2]),
    "noise": bytes(random.Random(0).randbytes(300)),
}


@pytest.mark.parametrize("name", _GARBAGE)
def test_any_other_file_is_one_error(tmp_path, name):
    path = tmp_path / "config.py"
    path.write_bytes(_GARBAGE[name])
    with pytest.raises(CheckpointError, match=r"config\.py (is no checkpoint|is damaged|was not)"):
        checkpoint.load(path)


def test_of_a_folder_the_checkpoints_are_named(tmp_path):
    for name in ("epoch_10.pth", "epoch_9.pth", "train.log"):
        (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match=r"is a folder.* holds epoch_9\.pth, epoch_10\.pth\."):
        checkpoint.load(tmp_path)


def test_a_file_that_would_run_code_is_not_loaded(tmp_path):
    class Evil:
        def __reduce__(self):
            return builtins.print, ("executed",)

    torch.save({"model": Evil(), "format": 1}, tmp_path / "evil.pth")
    with pytest.raises(CheckpointError, match=r"was not written by dlcreg: only .* are read\.$"):
        checkpoint.load(tmp_path / "evil.pth")


def test_files_of_others_and_of_the_future_are_told(tmp_path):
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        checkpoint.load(tmp_path / "none.pth")
    torch.save({"layer.weight": torch.ones(1)}, tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match="no checkpoint of dlcreg"):
        checkpoint.load(tmp_path / "weights.pth")
    torch.save({"model": {}, "format": 99, "dlcreg": "9.0"}, tmp_path / "future.pth")
    with pytest.raises(CheckpointError, match=r"dlcreg 9\.0, newer than this one.*Upgrade dlcreg"):
        checkpoint.load(tmp_path / "future.pth")


def test_weights_that_do_not_fit_are_listed():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    state = dict(model.state_dict())
    del state["0.bias"]
    state["1.weight"] = torch.zeros(5, 3)
    state["2.weight"] = torch.zeros(1)
    before = model[1].weight.clone()
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load_weights(model, state, "best.pth")
    text = str(caught.value)
    assert "the weights of best.pth do not fit the model:" in text
    assert "missing in the weights (1):\n    0.bias" in text
    assert "unknown to the model (1):\n    2.weight" in text
    assert "1.weight is (5, 3), the model wants (1, 3)" in text
    assert torch.equal(model[1].weight, before)


def test_the_new_checkpoint_is_there_before_an_old_one_goes(make_solver, monkeypatch):
    solver = make_solver(max_keep=1, max_epochs=2)
    seen = []
    unlink = type(solver.work_dir).unlink

    def watch(path, **options):
        if path.name.startswith("epoch_"):
            seen.append((path.name, sorted(p.name for p in path.parent.glob("epoch_*"))))
        return unlink(path, **options)

    monkeypatch.setattr(type(solver.work_dir), "unlink", watch)
    solver.fit()
    assert seen == [("epoch_1.pth", ["epoch_1.pth", "epoch_2.pth"])]
    assert folder.snapshots(solver.work_dir) == [solver.work_dir / "epoch_2.pth"]


def test_a_run_can_keep_all_and_save_at_an_interval(make_solver):
    solver = make_solver(max_keep=-1, max_epochs=5, checkpoint_interval=2)
    solver.fit()
    names = [path.name for path in folder.snapshots(solver.work_dir)]
    assert names == ["epoch_2.pth", "epoch_4.pth", "epoch_5.pth"]


def test_snapshots_are_ordered_by_position_not_by_name(tmp_path):
    for name in ("epoch_10.pth", "epoch_9.pth", "epoch_9_iter_20.pth", "epoch_9_iter_3.pth"):
        (tmp_path / name).touch()
    (tmp_path / "epoch_11.pth.part").touch()
    assert [path.name for path in folder.snapshots(tmp_path)] == [
        "epoch_9.pth",
        "epoch_9_iter_3.pth",
        "epoch_9_iter_20.pth",
        "epoch_10.pth",
    ]


def test_a_damaged_newest_checkpoint_is_passed_over(make_solver, caplog):
    solver = make_solver()
    solver.fit()
    newest = solver.work_dir / "epoch_3.pth"
    newest.write_bytes(newest.read_bytes()[:100])
    again = make_solver()
    assert again.resume() == solver.work_dir / "epoch_2.pth"
    assert "passed over" in caplog.text
    again.fit()
    assert checkpoint.load(newest)["position"]["epoch"] == 3


def test_weights_alone_cannot_be_resumed(make_solver):
    path = make_solver().fit()
    with pytest.raises(CheckpointError, match=r"best.pth holds the weights alone"):
        make_solver().resume(path)


def test_an_older_checkpoint_of_the_same_folder_is_not_resumed_by_accident(make_solver):
    solver = make_solver()
    solver.fit()
    with pytest.raises(CheckpointError, match=r"epoch_2.pth is older than epoch_3.pth beside it"):
        make_solver().resume(solver.work_dir / "epoch_2.pth")


def test_another_model_or_optimizer_is_told(make_solver):
    from toy_world import Net

    solver = make_solver()
    solver.fit()
    other = make_solver(net=partial(Net, norm=True), max_epochs=4)
    other.resume()
    with pytest.raises(CheckpointError, match=r"missing in the weights \(5\)"):
        other.fit()
    other = make_solver(param_groups={"body": {"lr_mult": 2}}, max_epochs=4)
    other.resume()
    with pytest.raises(CheckpointError, match=r"the optimizer's state in .* does not fit"):
        other.fit()
    other = make_solver(optimizer={"type": "AdamW", "lr": 0.1}, max_epochs=4)
    other.resume()
    with pytest.raises(CheckpointError, match=r"it was saved by SGD, and this is AdamW"):
        other.fit()
    other = make_solver(schedule={"type": "StepLR", "step_size": 1}, max_epochs=4)
    other.resume()
    with pytest.raises(CheckpointError, match="has 0 schedules, this config 1"):
        other.fit()


def test_a_run_goes_on_in_another_folder_with_its_best_weights(make_solver):
    first = make_solver("a", max_epochs=2)
    first.fit()
    best = checkpoint.load(first.work_dir / "best.pth")
    second = make_solver("b", max_epochs=3, optimizer={"type": "SGD", "lr": 0.0})
    second.resume(first.work_dir / "epoch_2.pth")
    second.fit()
    kept = checkpoint.load(second.work_dir / "best.pth")
    assert kept["best"]["value"] <= best["best"]["value"]


def test_a_moved_work_dir_is_resumed(make_solver, tmp_path):
    make_solver("here", max_epochs=2).fit()
    shutil.move(tmp_path / "here", tmp_path / "there")
    solver = make_solver("there", max_epochs=3)
    assert solver.resume() == tmp_path / "there" / "epoch_2.pth"
    solver.fit()
    assert solver.epoch == 3
