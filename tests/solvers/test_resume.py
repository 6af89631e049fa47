"""Runs that are cut short and resumed end as if they had not been."""

import csv
import os
import signal
from functools import partial
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from toy_world import Net

from dlcreg.errors import CheckpointError
from dlcreg.solvers import checkpoint
from dlcreg.solvers.hooks.early_stopping import EarlyStoppingHook
from dlcreg.solvers.signals import TrainingInterrupted

RUN = Path(__file__).with_name("run_that_is_killed.py")


class Stopped(Exception):
    pass


class StopAt(Hook):
    def __init__(self, iteration):
        self.iteration = iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == self.iteration:
            raise Stopped


class Signal(Hook):
    """Sends this process a signal at a stage."""

    def __init__(self, stage, number=signal.SIGTERM, skip=0):
        self.number, self.skip = number, skip
        setattr(self, stage, self.send)

    def send(self, runner, **values):
        if self.skip == 0:
            os.kill(os.getpid(), self.number)
        self.skip -= 1


def differences(one, other, path=""):
    """Return where two nested containers with tensors are not equal bit for bit."""
    if type(one) is not type(other):
        return [path]
    if isinstance(one, torch.Tensor):
        return [] if torch.equal(one, other) else [path]
    if isinstance(one, dict):
        if one.keys() != other.keys():
            return [f"{path}: {sorted(map(str, one.keys() ^ other.keys()))}"]
        return [d for k in one for d in differences(one[k], other[k], f"{path}.{k}")]
    if isinstance(one, (list, tuple)):
        if len(one) != len(other):
            return [f"{path}: {len(one)} and {len(other)}"]
        pairs = zip(one, other, strict=True)
        return [d for i, (a, b) in enumerate(pairs) for d in differences(a, b, f"{path}[{i}]")]
    return [] if one == other or (one != one and other != other) else [path]


def without_times(state):
    state = {**state, "hooks": dict(state["hooks"])}
    logged = {**state["hooks"]["LoggerHook"], "waited": 0, "worked": 0}
    logged["rows"] = [
        {k: v for k, v in row.items() if "seconds" not in k} for row in logged["rows"]
    ]
    state["hooks"]["LoggerHook"] = logged
    return state


OPTIONS = {
    "max_epochs": 4,
    "optimizer": {"type": "AdamW", "lr": 0.01},
    "schedule": [
        {"type": "LinearLR", "start_factor": 0.1, "by_epoch": False, "end": 5},
        {"type": "MultiStepLR", "milestones": [2, 3]},
    ],
    "ema": 0.1,
    "checkpoint_by_epoch": False,
    "max_keep": -1,
}


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("cut", [0, 4, 5, 7, 11])
def test_the_whole_state_of_a_resumed_run_is_that_of_the_unbroken(make_solver, cut, accumulate):
    options = {**OPTIONS, "accumulate": accumulate, "checkpoint_interval": 2}
    unbroken = make_solver("unbroken", net=partial(Net, 0.3, norm=True), **options)
    unbroken.fit()
    broken = make_solver("broken", net=partial(Net, 0.3, norm=True), hooks=[StopAt(cut)], **options)
    with pytest.raises(Stopped):
        broken.fit()
    torch.manual_seed(1234)
    resumed = make_solver("broken", net=partial(Net, 0.3, norm=True), **options)
    resumed.resume()
    resumed.fit()
    want = checkpoint.load(unbroken.work_dir / "epoch_4.pth")
    have = checkpoint.load(resumed.work_dir / "epoch_4.pth")
    assert differences(without_times(want), without_times(have)) == []
    best = [checkpoint.load(s.work_dir / "best.pth") for s in (unbroken, resumed)]
    assert differences(*best) == []


def test_a_resumed_table_has_each_epoch_once(make_solver):
    with pytest.raises(Stopped):
        make_solver(hooks=[StopAt(7)]).fit()
    resumed = make_solver()
    resumed.resume()
    resumed.fit()
    with open(resumed.work_dir / "metrics.csv", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2", "3"]


def test_a_finished_run_is_resumed_with_more_epochs(make_solver):
    make_solver("long", net=partial(Net, 0.3), max_epochs=5).fit()
    make_solver("short", net=partial(Net, 0.3), max_epochs=2).fit()
    more = make_solver("short", net=partial(Net, 0.3), max_epochs=5)
    more.resume()
    more.fit()
    long = checkpoint.load(more.work_dir.with_name("long") / "epoch_5.pth")
    assert differences(long["model"], checkpoint.load(more.work_dir / "epoch_5.pth")["model"]) == []


def test_a_resumed_run_says_where_it_goes_on_from(make_solver, capsys):
    make_solver(max_epochs=2).fit()
    resumed = make_solver(verbose=True)
    resumed.resume()
    resumed.fit()
    assert f"goes on from {resumed.work_dir / 'epoch_2.pth'}\n" in capsys.readouterr().out


def test_nothing_to_resume_is_a_new_run(make_solver):
    solver = make_solver()
    assert solver.resume() is None
    solver.fit()
    assert solver.epoch == 3


def test_patience_outlives_a_resumption(make_solver):
    stuck = {"optimizer": {"type": "SGD", "lr": 0.0}, "early_stopping": EarlyStoppingHook(4)}
    with pytest.raises(Stopped):
        make_solver(max_epochs=50, hooks=[StopAt(10)], **stuck).fit()
    again = make_solver(max_epochs=50, **{**stuck, "early_stopping": EarlyStoppingHook(4)})
    again.resume()
    again.fit()
    assert again.epoch == 5  # one best and four waited for, counted over both halves


def test_a_run_that_was_stopped_early_stays_stopped(make_solver):
    stuck = {"optimizer": {"type": "SGD", "lr": 0.0}, "max_epochs": 50}
    make_solver(early_stopping=EarlyStoppingHook(2), **stuck).fit()
    again = make_solver(early_stopping=EarlyStoppingHook(2), **stuck)
    again.resume()
    again.fit()
    assert again.epoch == 3


def test_the_best_score_outlives_a_resumption(make_solver):
    first = make_solver(max_epochs=3, optimizer={"type": "AdamW", "lr": 0.01})
    best = checkpoint.load(first.fit())["best"]
    worse = make_solver(max_epochs=6, optimizer={"type": "AdamW", "lr": 0.01})
    worse.resume()

    class Spoil(Hook):
        def before_val(self, runner):
            with torch.no_grad():
                runner.model.head[-1].bias += 1000.0

    worse.hooks.append(Spoil())
    assert checkpoint.load(worse.fit())["best"] == best


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    "stage", ["before_train_iter", "after_train_iter", "after_val_iter", "after_train_epoch"]
)
def test_a_signal_saves_first_and_the_run_goes_on_exactly(make_solver, number, stage):
    make_solver("unbroken", net=partial(Net, 0.3)).fit()
    hook = Signal(stage, number, skip=1)
    broken = make_solver("broken", net=partial(Net, 0.3), hooks=[hook], accumulate=1)
    before = signal.getsignal(number)
    with pytest.raises(TrainingInterrupted, match=rf"stopped by {number.name} .*--resume") as info:
        broken.fit()
    assert info.value.signum == number
    assert signal.getsignal(number) is before
    resumed = make_solver("broken", net=partial(Net, 0.3))
    assert resumed.resume().name in str(info.value)
    resumed.fit()
    states = [
        without_times(checkpoint.load(resumed.work_dir.with_name(name) / "epoch_3.pth"))
        for name in ("unbroken", "broken")
    ]
    assert differences(*states) == []


def test_a_signal_within_accumulated_batches_waits_for_their_update(make_solver):
    options = {"batch_size": 1, "count": 6, "accumulate": 3}
    make_solver("unbroken", **options).fit()
    with pytest.raises(TrainingInterrupted, match="0 of 3 epochs and 3 batches"):
        make_solver("broken", hooks=[Signal("after_train_iter", skip=1)], **options).fit()
    resumed = make_solver("broken", **options)
    resumed.resume()
    resumed.fit()
    states = [
        checkpoint.load(resumed.work_dir.with_name(name) / "epoch_3.pth")["model"]
        for name in ("unbroken", "broken")
    ]
    assert differences(*states) == []


def test_a_second_ctrl_c_does_not_wait(make_solver):
    class Twice(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        make_solver(hooks=[Twice()]).fit()


def test_other_data_within_an_epoch_is_told(make_solver):
    with pytest.raises(TrainingInterrupted):
        make_solver(hooks=[Signal("after_train_iter")]).fit()
    other = make_solver(batch_size=2)
    other.resume()
    with pytest.raises(CheckpointError, match="within an epoch of 3 batches; this one has 5"):
        other.fit()


def test_another_seed_is_told(make_solver, caplog):
    make_solver(max_epochs=1).fit()
    other = make_solver(seed=7)
    other.resume()
    other.fit()
    assert "was begun with seed=42 and goes on with seed=7" in caplog.text


@pytest.fixture(scope="module")
def run(processes, tmp_path_factory):
    """Return a function that runs the training script in a process of its own.

    It sends the process and its workers a signal at the line `until`, if given, and returns the
    exit status.
    """
    pipe = tmp_path_factory.mktemp("output") / "pipe"
    os.mkfifo(pipe)

    def call(work_dir, *arguments, until=None, number=signal.SIGKILL):
        files = dict(output=pipe, errors=pipe.with_name("errors"))
        group = processes.start(RUN, work_dir, *arguments, cwd=pipe.parent, **files)
        with open(pipe) as lines:
            for line in lines:
                if line.strip() == until:
                    os.killpg(group, number)
        return processes.wait()

    return call


@pytest.fixture(scope="module")
def unbroken(run, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp("unbroken") / "run"
    assert run(work_dir) == 0
    return checkpoint.load(work_dir / "epoch_3.pth")


@pytest.mark.parametrize(
    ("workers", "interval"),
    [(0, 0), (2, 2)],
    ids=["from the end of an epoch, no workers", "from within an epoch, two workers"],
)
def test_killed_hard_within_an_epoch_and_resumed(run, tmp_path, unbroken, workers, interval):
    """Dropout, augmentation, batch normalisation, EMA and schedules are all on."""
    arguments = (f"--workers={workers}", f"--interval={interval}")
    status = run(tmp_path / "run", *arguments, "--pause=7", until="iteration 7")
    assert status == -signal.SIGKILL
    assert not (tmp_path / "run" / "epoch_2.pth").exists()
    assert run(tmp_path / "run", *arguments, "--resume") == 0
    state = checkpoint.load(tmp_path / "run" / "epoch_3.pth")
    assert differences(without_times(unbroken), without_times(state)) == []


def test_a_ctrl_c_that_reaches_the_workers_too(run, tmp_path, unbroken):
    options = {"until": "iteration 6", "number": signal.SIGINT}
    status = run(tmp_path / "run", "--workers=2", "--pause=6", "--seconds=2", **options)
    assert status == 128 + signal.SIGINT
    assert len(list((tmp_path / "run").glob("epoch_1_iter_*.pth"))) == 1
    assert run(tmp_path / "run", "--resume") == 0
    state = checkpoint.load(tmp_path / "run" / "epoch_3.pth")
    assert differences(without_times(unbroken), without_times(state)) == []
