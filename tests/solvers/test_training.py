import copy
import csv
import math
from functools import partial

import pytest
import torch
from mmengine.hooks import Hook
from toy_world import Dots, Net

from dlcreg.data.loader import EpochLoader
from dlcreg.errors import CheckpointError, ConfigError, DlcregError
from dlcreg.solvers import checkpoint
from dlcreg.solvers.finite import NonFiniteLoss
from dlcreg.solvers.hooks.early_stopping import EarlyStoppingHook
from dlcreg.solvers.metrics.pixel_error import PixelError


def weights(solver):
    return {name: value.clone() for name, value in solver.model.state_dict().items()}


def same(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


class Recorder(Hook):
    def __init__(self):
        self.calls = []

    def __getattribute__(self, name):
        if name in Hook.stages:
            return lambda runner, **values: self.calls.append((name, sorted(values)))
        return super().__getattribute__(name)


def test_training_lowers_the_error(make_solver):
    solver = make_solver(max_epochs=20, optimizer={"type": "AdamW", "lr": 0.01}, count=20)
    solver.fit()
    rows = next(h for h in solver.hooks if type(h).__name__ == "LoggerHook").rows
    assert rows[-1]["train/loss"] < 0.2 * rows[0]["train/loss"]
    assert rows[-1]["val/mean_error_px"] < rows[0]["val/mean_error_px"]


def test_the_same_seed_gives_the_same_weights(make_solver):
    first, second = make_solver("a", net=partial(Net, 0.3)), make_solver("b", net=partial(Net, 0.3))
    first.fit()
    torch.rand(7)  # whatever was drawn before does not matter
    second.fit()
    assert same(weights(first), weights(second))


def test_accumulated_batches_are_one_big_batch(make_solver):
    big = make_solver("big", count=8, batch_size=8, max_epochs=4)
    small = make_solver("small", count=8, batch_size=2, accumulate=4, max_epochs=4)
    big.fit()
    small.fit()
    for name, value in big.model.state_dict().items():
        torch.testing.assert_close(small.model.state_dict()[name], value)


def test_a_smaller_last_group_is_still_a_mean(make_solver):
    # 6 batches of 1 in groups of 4: the last group has 2
    accumulated = make_solver("a", count=6, batch_size=1, accumulate=4, max_epochs=1)
    before = weights(accumulated)
    accumulated.fit()
    by_hand = Net()
    by_hand.load_state_dict(before)
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.02)
    batches = list(EpochLoader(Dots(6), 1, seed=42, shuffle=True).epoch(0))
    for group in (batches[:4], batches[4:]):
        optimizer.zero_grad()
        for batch in group:
            loss = by_hand(batch.images, mode="loss", instances=batch.instances)["points"]
            (loss / len(group)).backward()
        optimizer.step()
    for name, value in by_hand.state_dict().items():
        torch.testing.assert_close(accumulated.model.state_dict()[name], value)


def test_gradients_are_clipped_to_a_norm(make_solver):
    solver = make_solver(max_epochs=1, batch_size=10, clip_grad=0.5)
    before = weights(solver)
    solver.fit()
    after = weights(solver)
    moved = torch.stack([(after[n] - before[n]).square().sum() for n in before]).sum().sqrt()
    assert moved == pytest.approx(0.02 * 0.5, rel=1e-4)


def test_schedules_by_epoch_and_by_update(make_solver):
    rates = []

    class Watch(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            rates.append(runner.optimizer.param_groups[0]["lr"])

    # 8 batches and 4 updates an epoch
    make_solver(
        count=8,
        batch_size=1,
        accumulate=2,
        max_epochs=3,
        optimizer={"type": "SGD", "lr": 1e-3},
        schedule=[
            {"type": "LinearLR", "start_factor": 0.25, "by_epoch": False, "end": 4},
            {"type": "MultiStepLR", "milestones": [2], "gamma": 0.1},
        ],
        hooks=[Watch()],
    ).fit()
    first = [0.25, 0.5, 0.5, 0.75, 0.75, 1.0, 1.0, 1.0]
    assert rates == pytest.approx([1e-3 * f for f in first] + [1e-3] * 8 + [1e-4] * 8)


def test_a_schedule_ends_with_the_training_unless_told_otherwise(make_solver):
    solver = make_solver(max_epochs=5, schedule={"type": "CosineAnnealingLR", "eta_min": 1e-5})
    solver.fit()
    assert solver.optimizer.param_groups[0]["lr"] < 2e-3
    assert solver.schedules.schedulers[0].end == 5


@pytest.mark.parametrize("epochs", [1, 2, 3, 6, 7])
@pytest.mark.parametrize("unit", [{"by_epoch": False}, {"convert_to_iter_based": True}])
def test_a_training_however_short_has_a_warm_up_of_two_steps(make_solver, epochs, unit):
    one_cycle = {"type": "OneCycleLR", "eta_max": 1.0, "pct_start": 1 / 18, **unit}
    solver = make_solver(max_epochs=epochs, schedule=one_cycle)  # of three updates an epoch
    rates = [solver.schedules.values()["lr"]]
    for _ in range(3 * epochs - 1):
        solver.optimizer.step()
        solver.schedules.step_update()
        rates.append(solver.schedules.values()["lr"])
    assert rates[0] == pytest.approx(1 / 25)
    assert max(rates) == rates[1] == pytest.approx(1.0, rel=0.02)


def test_epochs_of_a_schedule_turn_into_updates(make_solver):
    solver = make_solver(
        max_epochs=4, schedule=[{"type": "CosineAnnealingLR", "convert_to_iter_based": True}]
    )
    scheduler = solver.schedules.schedulers[0]
    assert (scheduler.by_epoch, scheduler.end) == (False, 4 * 3)


def test_a_plateau_of_the_validation_lowers_the_rate(make_solver):
    solver = make_solver(
        max_epochs=3,
        optimizer={"type": "SGD", "lr": 1e-9},
        schedule=[{"type": "ReduceOnPlateauLR", "monitor": "rmse_px", "patience": 1, "eps": 0}],
        metrics=[PixelError()],
    )
    for group in solver.optimizer.param_groups:
        group["lr"] = 0.0  # nothing can get better
    solver.fit()
    assert solver.schedules.schedulers[0].num_bad_epochs == 1


def test_parameters_get_options_of_their_own(make_solver):
    solver = make_solver(
        net=partial(Net, norm=True),
        optimizer={"type": "AdamW", "lr": 1e-3, "weight_decay": 0.1},
        param_groups={"body": {"lr_mult": 0.1}, "body.0.weight": {"lr_mult": 0.5}},
        no_weight_decay=["norm", "bias"],
    )
    names = {id(p): n for n, p in solver.model.named_parameters()}
    found = {
        names[id(p)]: (group["lr"], group["weight_decay"])
        for group in solver.optimizer.param_groups
        for p in group["params"]
    }
    assert found == {
        "body.0.weight": (5e-4, 0.1),
        "body.0.bias": (1e-4, 0.0),
        "body.1.weight": (1e-4, 0.0),
        "body.1.bias": (1e-4, 0.0),
        "head.2.weight": (1e-3, 0.1),
        "head.2.bias": (1e-3, 0.0),
    }


class Layered(Net):
    """A net that knows its layers: what comes before its head is the first of two."""

    num_layers = 2

    def layer_of(self, parameter):
        return int(parameter.startswith("head"))


def test_each_layer_learns_slower_than_the_one_behind_it(make_solver):
    solver = make_solver(
        net=Layered,
        optimizer={"type": "AdamW", "lr": 1e-3},
        param_groups={"body.0.bias": {"lr_mult": 0.1}, "head.2.bias": {"lr": 0.5}},
        layer_decay=0.75,
    )
    names = {id(p): n for n, p in solver.model.named_parameters()}
    found = {names[id(p)]: g["lr"] for g in solver.optimizer.param_groups for p in g["params"]}
    assert found == {
        "body.0.weight": pytest.approx(0.75e-3),
        "body.0.bias": pytest.approx(0.075e-3),
        "head.2.weight": pytest.approx(1e-3),
        "head.2.bias": 0.5,
    }


def test_a_layer_decay_without_layers_is_told(make_solver):
    with pytest.raises(ConfigError, match=r"solver\.layer_decay: no part of this model has layers"):
        make_solver(layer_decay=0.75)
    with pytest.raises(
        ConfigError, match=r"solver\.layer_decay: 1\.5 makes no sense: give a factor"
    ):
        make_solver(layer_decay=1.5)


def test_a_pattern_that_fits_no_parameter_is_told(make_solver):
    with pytest.raises(ConfigError, match=r"param_groups.backbone: no parameter .* body, head"):
        make_solver(param_groups={"backbone": {"lr_mult": 0.1}})


def test_the_moving_average_is_what_is_validated_and_kept(make_solver):
    solver = make_solver(ema=0.5, max_epochs=2, val_interval=2, count=4)
    seen = [weights(solver)]

    class Watch(Hook):
        priority = "LOWEST"

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            seen.append(weights(runner))

    solver.hooks.append(Watch())
    path = solver.fit()
    average = seen[0]
    for update, now in enumerate(seen[1:]):
        m = max(0.5, 9 / (update + 10))
        average = {n: (1 - m) * average[n] + m * now[n] for n in now}
    run = checkpoint.load(path.with_name("epoch_2.pth"))
    for name, value in average.items():
        torch.testing.assert_close(run["evaluated"][name], value)
    assert same(checkpoint.weights_of(run), run["evaluated"])
    assert same(checkpoint.load(path)["model"], run["evaluated"])


class Shadow(Hook):
    """Measures a copy of the model whose weights are all zero."""

    provides_weights = True

    def __init__(self, kind="brought"):
        self.kind = kind

    def before_run(self, runner):
        runner.evaluated_model = copy.deepcopy(runner.model)
        for value in runner.evaluated_model.parameters():
            value.detach().zero_()


class NeedsShadow(torch.optim.SGD):
    def run_hooks(self):
        return [Shadow()]


def test_an_optimizer_brings_the_hook_that_it_needs(make_solver):
    solver = make_solver(optimizer={"type": NeedsShadow, "lr": 0.02}, max_epochs=1)
    assert [h.kind for h in solver.hooks if isinstance(h, Shadow)] == ["brought"]
    best = solver.fit()
    run = checkpoint.load(best.with_name("epoch_1.pth"))
    measured = [checkpoint.load(best)["model"], run["evaluated"], checkpoint.weights_of(run)]
    assert all(not state["head.2.weight"].any() for state in measured)
    assert run["model"]["head.2.weight"].any()


def test_a_part_of_the_model_brings_its_hook_and_the_config_can_replace_it(make_solver):
    class Needing(Net):
        def run_hooks(self):
            return [Shadow()]

    solver = make_solver(net=Needing, hooks=[Shadow("given")])
    assert [h.kind for h in solver.hooks if isinstance(h, Shadow)] == ["given"]


def test_two_hooks_with_weights_of_their_own_are_refused(make_solver):
    text = "solver.hooks: EMAHook and Shadow each keep weights of their own to be measured"
    with pytest.raises(ConfigError, match=text):
        make_solver(ema=0.1, hooks=[Shadow()])


def test_the_moving_average_waits_for_the_update(make_solver):
    solver = make_solver(ema=0.01, accumulate=3, batch_size=1, count=6, max_epochs=1)
    solver.fit()
    assert checkpoint.load(solver.work_dir / "epoch_1.pth")["hooks"]["EMAHook"] == {"updates": 2}


@pytest.mark.parametrize("precision", ["bf16", "fp16", "auto"])
def test_half_precision_trains_on_the_cpu(make_solver, precision):
    solver = make_solver(precision=precision, max_epochs=8, optimizer={"type": "AdamW", "lr": 0.01})
    solver.fit()
    rows = next(h for h in solver.hooks if type(h).__name__ == "LoggerHook").rows
    assert rows[-1]["train/loss"] < 0.7 * rows[0]["train/loss"]


def test_channels_last_and_determinism_change_no_result_by_much(make_solver):
    plain = make_solver("plain", max_epochs=1)
    other = make_solver("other", max_epochs=1, channels_last=True, deterministic=True)
    plain.fit()
    other.fit()
    assert not torch.are_deterministic_algorithms_enabled()
    for name, value in plain.model.state_dict().items():
        torch.testing.assert_close(other.model.state_dict()[name], value)


def test_early_stopping_ends_the_run(make_solver):
    solver = make_solver(
        optimizer={"type": "SGD", "lr": 0.0}, max_epochs=50, early_stopping=EarlyStoppingHook(2)
    )
    path = solver.fit()
    assert solver.epoch == 3  # the first is the best, two are waited for
    assert path.name == "best.pth"
    assert (path.parent / "epoch_3.pth").is_file()


def test_without_a_validation_part_the_last_checkpoint_is_the_result(make_solver):
    path = make_solver(val=False).fit()
    assert path.name == "epoch_3.pth"
    assert not (path.parent / "best.pth").exists()


def test_validation_comes_at_its_interval_and_at_the_end(make_solver):
    recorder = Recorder()
    make_solver(max_epochs=5, val_interval=2, hooks=[recorder]).fit()
    order = [c for c, _ in recorder.calls if c in ("after_train_epoch", "after_val_epoch")]
    train, val = "after_train_epoch", "after_val_epoch"
    assert order == [train, train, val, train, train, val, train, val]


def test_hooks_are_called_as_by_mmengine(make_solver):
    recorder = Recorder()
    make_solver(max_epochs=1, hooks=[recorder]).fit()
    stages = list(dict.fromkeys(name for name, _ in recorder.calls))
    assert stages == [
        "before_run",
        "before_train",
        "before_train_epoch",
        "before_train_iter",
        "after_train_iter",
        "after_train_epoch",
        "before_val",
        "before_val_epoch",
        "before_val_iter",
        "after_val_iter",
        "after_val_epoch",
        "after_val",
        "before_save_checkpoint",
        "after_train",
        "after_run",
    ]
    values = dict(recorder.calls)
    assert values["after_train_iter"] == ["batch_idx", "data_batch", "outputs"]
    assert values["after_val_epoch"] == ["metrics"]
    assert values["before_save_checkpoint"] == ["checkpoint"]


def test_hooks_that_mmengine_brings_run(make_solver):
    solver = make_solver(hooks=[{"type": "IterTimerHook"}, {"type": "EmptyCacheHook"}])
    solver.fit()
    assert len(solver.message_hub.get_scalar("train/time").data[0]) == 9


def test_a_hook_can_stop_the_training_as_in_mmengine(make_solver):
    class Stop(Hook):
        def after_train_epoch(self, runner):
            runner.train_loop.stop_training = True

    solver = make_solver(max_epochs=9, hooks=[Stop()])
    solver.fit()
    assert solver.epoch == 1
    assert solver.result().is_file()


def test_a_hook_of_the_same_class_replaces_the_built_in_one(make_solver):
    solver = make_solver(hooks=[{"type": "CheckpointHook", "max_keep": 1, "priority": "LOW"}])
    found = [hook for hook in solver.hooks if type(hook).__name__ == "CheckpointHook"]
    assert [(hook.max_keep, hook.priority) for hook in found] == [(1, "LOW")]


def test_a_loss_that_is_not_finite_names_the_images(make_solver):
    class Broken(Net):
        def forward(self, images, mode="tensor", instances=None, condition=None):
            out = super().forward(images, mode, instances, condition)
            if mode == "loss" and self.training:
                out["points"] = out["points"] * math.nan
            return out

    solver = make_solver(net=Broken, batch_size=2)
    before = weights(solver)
    message = (
        r"not finite \(points = nan\) in epoch 1, batch 1. The images:\n    labeled-data/video/"
    )
    with pytest.raises(NonFiniteLoss, match=message):
        solver.fit()
    assert same(before, weights(solver))


def test_the_table_has_a_row_for_each_epoch(make_solver):
    solver = make_solver(val_interval=2)
    solver.fit()
    with open(solver.work_dir / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [row["iter"] for row in rows] == ["3", "6", "9"]
    assert [bool(row["val/mean_error_px"]) for row in rows] == [False, True, True]
    assert all(float(row["lr"]) == 0.02 and float(row["train/points"]) > 0 for row in rows)


def test_tensorboard_gets_losses_and_measures(make_solver):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    solver = make_solver(tensorboard=True, log_interval=2)
    solver.fit()
    events = EventAccumulator(str(solver.work_dir / "tensorboard"))
    events.Reload()
    assert [e.step for e in events.Scalars("train/loss")] == [2, 4, 6, 8]
    assert [e.step for e in events.Scalars("val/mean_error_px")] == [3, 6, 9]


def test_a_run_says_a_line_an_epoch_and_little_else(make_solver, capsys):
    make_solver(verbose=True).fit()
    out = capsys.readouterr()
    lines = out.out.splitlines()
    assert len(lines) == 4
    assert "10 samples in 3 batches an epoch, 5 for validation" in lines[0]
    assert lines[1].startswith("epoch 1/3  loss ")
    assert "mean_error_px" in lines[1]
    assert out.err == ""


def test_the_log_file_has_the_lines_and_warnings(make_solver):
    solver = make_solver()

    class Warn(Hook):
        def before_train(self, runner):
            runner.logger.warning("mind the gap")

    solver.hooks.append(Warn())
    solver.fit()
    text = (solver.work_dir / "train.log").read_text()
    assert "WARNING mind the gap" in text
    assert text.count(" INFO epoch ") == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"save_best": "mean_eror_px"},
            "solver.save_best: no metric measures 'mean_eror_px'. Did you mean 'mean_error_px'? "
            "Known: mean_error_px, rmse_px, mean_error_px_pcutoff, rmse_px_pcutoff, missed_rate, "
            "false_rate.",
        ),
        (
            {"save_best": "rmse_px", "val": False},
            "solver.save_best: there is no validation part to choose the best checkpoint by. Give "
            "data.val, for instance with data.split=dict(val_fraction=0.1), or leave save_best "
            "out: the last checkpoint is then the result.",
        ),
        (
            {"early_stopping": EarlyStoppingHook(3), "val": False},
            "solver.early_stopping: there is no validation part to measure on. Give data.val, for "
            "instance with data.split=dict(val_fraction=0.1), or leave early_stopping out.",
        ),
        (
            {"early_stopping": EarlyStoppingHook(3, monitor="pck")},
            "solver.early_stopping.monitor: no metric measures 'pck'. "
            "Known: mean_error_px, rmse_px, mean_error_px_pcutoff, rmse_px_pcutoff, missed_rate, "
            "false_rate.",
        ),
        (
            {"metrics": [PixelError(), PixelError(0.1)]},
            "solver.metrics.1: PixelError and PixelError both measure",
        ),
        (
            {"schedule": {"type": "ReduceOnPlateauLR", "monitor": "loss"}},
            "solver.schedule.monitor: no metric measures 'loss'.",
        ),
        ({"max_epochs": 0}, "solver.max_epochs: 0 makes no sense: give 1 or more."),
        ({"device": "cuda:99"}, "solver.device: device 'cuda:99' cannot be used here:"),
        ({"device": "gpu"}, "solver.device: device 'gpu' cannot be used here:"),
        (
            {"hooks": [{"type": "EmptyCacheHook", "priority": "SOON"}]},
            "solver.hooks.0.priority: 'SOON' is no priority. Known: HIGHEST, VERY_HIGH,",
        ),
        (
            {"optimizer": {"type": "Rprop"}, "param_groups": {"body": {"decay_mult": 0.5}}},
            "solver.param_groups: decay_mult=0.5 is a factor of the optimizer's 'weight_decay', "
            "which the config does not say: add weight_decay=... to solver.optimizer.",
        ),
        (
            {"optimizer": {"type": "LBFGS"}},
            "solver.optimizer.type: LBFGS computes the loss several times for one update",
        ),
        (
            {"ema": 3.0, "max_keep": 0},
            "solver.max_keep: 0 makes no sense: give 1 or more, or -1 to keep all.\n"
            "solver.ema: 3 makes no sense: give the share of the newest weights, in (0, 1].",
        ),
    ],
)
def test_mistakes_are_told_before_anything_starts(make_solver, options, message):
    with pytest.raises(ConfigError) as caught:
        make_solver(**options)
    assert message in str(caught.value)


def test_a_frozen_model_has_nothing_to_train(make_solver):
    with pytest.raises(ConfigError, match="no parameter to train: all are frozen"):
        make_solver(net=lambda: Net().requires_grad_(False))


def test_a_run_is_not_overwritten_by_accident(make_solver):
    first = make_solver()
    first.fit()
    with pytest.raises(CheckpointError, match=r"holds a run already .*--resume.*--overwrite"):
        make_solver().fit()
    (first.work_dir / "evaluation").mkdir()
    (first.work_dir / "evaluation/metrics.json").write_text("{}")
    make_solver(max_epochs=1).fit(overwrite=True)
    assert sorted(p.name for p in first.work_dir.glob("*.pth")) == ["best.pth", "epoch_1.pth"]
    assert not (first.work_dir / "evaluation").exists(), "numbers of the run that is gone"


@pytest.mark.parametrize("name", [".epoch_3-x1y2.pth", ".best-x1y2.pth"])
def test_what_a_killed_run_left_of_a_file_is_swept_away(make_solver, name):
    solver = make_solver(max_epochs=1)
    solver.work_dir.mkdir(parents=True, exist_ok=True)
    (solver.work_dir / name).write_bytes(b"half a checkpoint")
    solver.fit()
    assert not (solver.work_dir / name).exists()


def test_a_solver_fits_once(make_solver):
    solver = make_solver()
    solver.fit()
    with pytest.raises(DlcregError, match="has trained already"):
        solver.fit(overwrite=True)
