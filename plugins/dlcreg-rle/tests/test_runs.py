"""Models are trained end to end, and the flow is trained and resumed with them."""

from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook

from dlcreg import apis, build_model
from dlcreg.builder import build, check
from dlcreg.errors import ConfigError
from dlcreg.solvers import checkpoint

CONFIG = Path(__file__).parents[1] / "configs/rle_resnet18_top_down.py"
HEAD = {
    "type": "RLEHead",
    "codec": {"type": "RLECodec"},
    "losses": {"keypoints": {"type": "RLELoss", "hidden": 16}},
}


class Stopped(Exception):
    pass


class StopAt(Hook):
    def __init__(self, iteration):
        self.iteration = iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == self.iteration:
            raise Stopped


@pytest.fixture
def make_graph(project, tmp_path):
    def make(name="run", size=(32, 48), batch_size=8, **solver):
        crop = {"type": "CropInstance", "size": list(size)}
        dataset = {
            "type": "PoseDataset",
            "project": {"root": str(project)},
            "view": "instance",
            "transform": [crop],
        }
        model = {"backbone": {"type": "ResNet", "depth": 18, "out_indices": [0, 1]}, "head": HEAD}
        data = {
            "train": {**dataset, "mode": "train"},
            "test": {**dataset, "mode": "test"},
            "batch_size": batch_size,
        }
        settings = {
            "optimizer": {"type": "AdamW", "lr": 0.002},
            "max_epochs": 2,
            "metrics": [{"type": "PixelError"}],
            "tensorboard": False,
            "verbose": False,
            "device": "cpu",
            **solver,
        }
        work_dir = str(tmp_path / name)
        return build({"model": model, "data": data, "solver": settings, "work_dir": work_dir})

    return make


def pixels_off(graph):
    """Return the mean error on the training crops, in pixels of the crops."""
    errors = []
    graph.model.eval()
    for batch in graph.data.loader(graph.data.train).epoch(0):
        with torch.no_grad():
            found = graph.model(batch.images, mode="predict").keypoints
        known = batch.instances.visibility > 0
        errors.append((found - batch.instances.keypoints).norm(dim=-1)[known])
    return torch.cat(errors).mean().item()


def test_a_small_network_learns_the_crops_of_the_demo_project(make_graph):
    graph = make_graph(batch_size=24, max_epochs=40, checkpoint_interval=40, clip_grad=10.0)
    before = pixels_off(graph)
    graph.solver.fit()
    after = pixels_off(graph)
    assert after < 3.5
    assert after < before / 2


def test_a_run_that_is_cut_short_and_resumed_ends_with_the_very_same_weights_and_flow(make_graph):
    unbroken = make_graph("unbroken").solver
    start = {k: v.clone() for k, v in unbroken.model.state_dict().items() if ".flow." in k}
    unbroken.fit()
    options = {"checkpoint_interval": 1, "checkpoint_by_epoch": False}
    with pytest.raises(Stopped):
        make_graph("broken", hooks=[StopAt(4)], **options).solver.fit()
    resumed = make_graph("broken", **options).solver
    resumed.resume()
    resumed.fit()
    one, other = (checkpoint.load(s.work_dir / "epoch_2.pth") for s in (unbroken, resumed))
    assert start
    assert all(not torch.equal(one["model"][name], start[name]) for name in start)
    assert all(torch.equal(value, other["model"][name]) for name, value in one["model"].items())


def test_images_of_any_size_are_predicted(make_graph):
    model = make_graph().model.eval()
    with torch.no_grad():
        for size in ((48, 64), (50, 33), (200, 100)):
            poses = model(torch.zeros(2, 3, *size, dtype=torch.uint8), mode="predict")
            middle = torch.tensor([size[1], size[0]]) / 2
            assert ((poses.keypoints - middle).abs() < middle).all()


def test_flip_test_mirrors_exactly(make_graph):
    model = make_graph().model.eval()
    image = torch.randint(0, 255, (1, 3, 48, 64), dtype=torch.uint8)
    with torch.no_grad():
        here = model(image, mode="predict", flip_test=True).keypoints
        there = model(image.flip(-1), mode="predict", flip_test=True).keypoints
    twins = list(range(model.head.num_keypoints))
    for left, right in model.flip_pairs:
        twins[left], twins[right] = right, left
    back = there[:, :, twins].clone()
    back[..., 0] = 63 - back[..., 0]
    torch.testing.assert_close(here, back, rtol=0, atol=1e-3)


def refusal(**head):
    cfg = {"backbone": {"type": "ResNet", "depth": 18}, "head": {**HEAD, **head}}
    with pytest.raises(ConfigError) as caught:
        build_model(cfg, num_keypoints=3)
    return str(caught.value)


def test_a_loss_that_compares_outputs_with_targets_is_refused_before_the_training():
    assert refusal(losses={"keypoints": {"type": "MSELoss"}}) == (
        "model.head.codec: RLECodec draws a target of shape (1, 3, 2) for 'keypoints', but the "
        "head gives (1, 3, 4)."
    )


def test_a_codec_of_maps_is_refused():
    losses = {"heatmap": {"type": "MSELoss"}}
    assert "gives no 'heatmap', which GaussianHeatmap decodes. It gives: keypoints" in refusal(
        codec={"type": "GaussianHeatmap", "stride": 4}, losses=losses
    )


def test_the_example_config_is_right_and_trains(project, tmp_path):
    options = {f"data.{part}.project.root": str(project) for part in ("train", "val", "test")}
    options |= {"solver.max_epochs": 1, "solver.tensorboard": False, "evaluation.pictures": 0}
    options |= {f"data.{part}.transform.0.size": [32, 32] for part in ("train", "test")}
    apis.train(CONFIG, options=options, work_dir=tmp_path / "run", device="cpu")
    assert check(tmp_path / "run/config.py") == []
    listed = (tmp_path / "run/provenance.json").read_text()
    assert listed.count('"distribution": "dlcreg-rle"') == 3
