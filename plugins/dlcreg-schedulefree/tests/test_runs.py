"""Runs end with the averaged weights, and with the same ones however often they were cut short."""

from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook

from dlcreg import apis
from dlcreg.builder import check
from dlcreg.errors import ConfigError
from dlcreg.solvers import checkpoint

CONFIG = Path(__file__).parents[1] / "configs/resnet18_schedulefree.py"


class Stopped(Exception):
    pass


class StopAt(Hook):
    def __init__(self, iteration):
        self.iteration = iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == self.iteration:
            raise Stopped


def differences(one, other, path=""):
    """Return where two nested containers with tensors are not equal bit for bit."""
    if isinstance(one, dict):
        if one.keys() != other.keys():
            return [f"{path}: {one.keys() ^ other.keys()}"]
        return [d for k in one for d in differences(one[k], other[k], f"{path}.{k}")]
    if isinstance(one, (list, tuple)):
        pairs = zip(one, other, strict=True)
        return [d for i, (a, b) in enumerate(pairs) for d in differences(a, b, f"{path}[{i}]")]
    equal = torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
    return [] if equal else [path]


def saved(solver, name="epoch_3.pth"):
    state = checkpoint.load(solver.work_dir / name)
    return {k: state[k] for k in ("model", "evaluated", "optimizer", "best") if k in state}


def averages(solver, state):
    """Return the average x of each weight y, by the definition: y = beta x + (1 - beta) z."""
    found = {}
    names = [name for name, _ in solver.model.named_parameters()]
    order = [i for group in state["optimizer"]["param_groups"] for i in group["params"]]
    for name, index in zip(names, order, strict=True):
        y, z = state["model"][name], state["optimizer"]["state"][index]["z"]
        beta = 0.9
        found[name] = (y - (1 - beta) * z) / beta
    return found


@pytest.mark.parametrize("optimizer", ["AdamWScheduleFree", "RAdamScheduleFree", "SGDScheduleFree"])
def test_a_run_that_is_cut_short_and_resumed_ends_with_the_very_same_weights(
    make_solver, optimizer
):
    unbroken = make_solver("unbroken", optimizer)
    unbroken.fit()
    options = {"checkpoint_interval": 2, "checkpoint_by_epoch": False}
    with pytest.raises(Stopped):
        make_solver("broken", optimizer, hooks=[StopAt(5)], **options).fit()
    torch.rand(7)
    resumed = make_solver("broken", optimizer, **options)
    assert resumed.resume().name == "epoch_1_iter_1.pth"
    resumed.fit()
    assert differences(saved(unbroken), saved(resumed)) == []
    assert differences(saved(unbroken, "best.pth"), saved(resumed, "best.pth")) == []


def test_neither_saving_nor_validating_moves_the_weights_that_are_trained(make_solver):
    plain = make_solver("plain", checkpoint_interval=3, val_interval=3)
    often = make_solver("often", checkpoint_interval=1, checkpoint_by_epoch=False)
    plain.fit()
    often.fit()
    assert differences(saved(plain)["model"], saved(often)["model"]) == []


def test_the_average_is_measured_and_is_what_checkpoints_predict_with(make_solver):
    solver = make_solver(max_epochs=1)
    measured = []

    class Watch(Hook):
        def after_val_epoch(self, runner, metrics=None):
            measured.append({k: v.clone() for k, v in runner.evaluated_model.state_dict().items()})

    solver.hooks.append(Watch())
    best = solver.fit()
    state = checkpoint.load(best.with_name("epoch_1.pth"))
    for name, value in averages(solver, state).items():
        torch.testing.assert_close(state["evaluated"][name], value)
    assert differences(measured[0], checkpoint.load(best)["model"]) == []
    assert differences(measured[0], checkpoint.weights_of(state)) == []
    assert differences(state["model"], state["evaluated"]) != []


def test_without_a_validation_part_the_last_checkpoint_has_the_average(make_solver):
    solver = make_solver(val=False, max_epochs=1)
    state = checkpoint.load(solver.fit())
    for name, value in averages(solver, state).items():
        torch.testing.assert_close(checkpoint.weights_of(state)[name], value)


def test_statistics_of_batch_normalisation_are_estimated_at_the_average(make_solver):
    hook = {"type": "ScheduleFreeHook", "batch_norm_batches": 2}
    solver = make_solver(max_epochs=1, hooks=[hook])
    state = checkpoint.load(solver.fit().with_name("epoch_1.pth"))
    model = solver.model
    model.load_state_dict(state["evaluated"])
    inputs = []
    model.backbone.bn1.register_forward_pre_hook(lambda layer, args: inputs.append(args[0]))
    model.eval()
    with torch.no_grad():
        for batch, _ in zip(solver.train_loader.epoch(1), range(2), strict=False):
            model(batch.images)
    mean = torch.stack([x.mean((0, 2, 3)) for x in inputs]).mean(0)
    torch.testing.assert_close(state["evaluated"]["backbone.bn1.running_mean"], mean)
    assert not torch.equal(state["model"]["backbone.bn1.running_mean"], mean)


def test_the_statistics_can_be_left_as_they_are(make_solver):
    solver = make_solver(
        max_epochs=1, hooks=[{"type": "ScheduleFreeHook", "batch_norm_batches": 0}]
    )
    state = checkpoint.load(solver.fit().with_name("epoch_1.pth"))
    name = "backbone.bn1.running_mean"
    assert torch.equal(state["evaluated"][name], state["model"][name])


def test_statistics_that_the_model_keeps_fixed_stay_fixed(make_solver):
    solver = make_solver(max_epochs=1)
    solver.model.backbone.norm_eval = True
    state = checkpoint.load(solver.fit().with_name("epoch_1.pth"))
    assert not state["evaluated"]["backbone.bn1.running_mean"].any()


def test_the_hook_comes_with_the_optimizer_and_the_config_can_set_it(make_solver):
    def hooks(solver):
        return [h for h in solver.hooks if type(h).__name__ == "ScheduleFreeHook"]

    assert [hook.batch_norm_batches for hook in hooks(make_solver("a"))] == [50]
    given = [{"type": "ScheduleFreeHook", "batch_norm_batches": 3}]
    assert [hook.batch_norm_batches for hook in hooks(make_solver("b", hooks=given))] == [3]


def test_a_moving_average_beside_it_is_refused(make_solver):
    text = "EMAHook and ScheduleFreeHook each keep weights of their own"
    with pytest.raises(ConfigError, match=text):
        make_solver(ema=0.1)


def test_the_hook_with_another_optimizer_is_refused(make_solver):
    text = r"solver.hooks: ScheduleFreeHook has nothing to do for AdamW, which has no train\(\)"
    with pytest.raises(ConfigError, match=text):
        make_solver(optimizer="AdamW", hooks=[{"type": "ScheduleFreeHook"}])


def test_a_negative_number_of_batches_is_refused(make_solver):
    with pytest.raises(ConfigError, match="batch_norm_batches=-1: give 0 or more"):
        make_solver(hooks=[{"type": "ScheduleFreeHook", "batch_norm_batches": -1}])


def test_the_example_config_is_right_and_trains(project, tmp_path):
    options = {f"data.{part}.project.root": str(project) for part in ("train", "val", "test")}
    options |= {"solver.max_epochs": 1, "solver.tensorboard": False, "evaluation": {"pictures": 0}}
    options["data.train.transform.0.longest"] = options["data.test.transform.0.longest"] = 64
    apis.train(CONFIG, options=options, work_dir=tmp_path / "run")
    assert check(tmp_path / "run/config.py") == []
    listed = (tmp_path / "run/provenance.json").read_text()
    assert '"distribution": "dlcreg-schedulefree"' in listed
