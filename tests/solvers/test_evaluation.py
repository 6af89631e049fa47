import numpy as np
import pytest
import torch
from torch import nn
from toy_world import SIZE, Dots, Net

from dlcreg.data.loader import EpochLoader
from dlcreg.errors import ConfigError, DataError, DlcregError
from dlcreg.solvers.evaluation import Collector, Evaluation, evaluate
from dlcreg.solvers.metrics.pck import PCK
from dlcreg.solvers.metrics.pixel_error import PixelError
from dlcreg.structures import Meta, Poses


class Oracle(nn.Module):
    """Finds the dots of `Dots` where the image is brightest."""

    def forward(self, images, mode, flip_test=False, condition=None):
        flat = images.flatten(2).argmax(-1)
        points = torch.stack([flat % SIZE, flat // SIZE], dim=-1).float()[:, None]
        count = len(points)
        valid = torch.ones(count, 1, dtype=torch.bool)
        return Poses(points, torch.ones(count, 1, 3), torch.ones(count, 1), valid)


def test_predictions_are_measured_in_pixels_of_the_original_images():
    class Shrunk(Dots):
        """As if the model's input were the original image at a third of its size, moved."""

        def __getitem__(self, index):
            sample = super().__getitem__(index)
            sample.matrix = np.array([[3.0, 0, 10], [0, 3.0, 20]])
            return sample

        def annotations(self, image_id):
            instances = super().annotations(image_id)
            instances.keypoints = np.round(instances.keypoints) * 3 + np.float32([10, 20])
            return instances

    loader = EpochLoader(Shrunk(7, noise=0), 3)
    values = evaluate(Oracle(), loader, [PixelError()])
    assert values["mean_error_px"] == pytest.approx(0, abs=1e-4)


def test_the_predictions_of_each_image_can_be_had():
    predictions = []
    loader = EpochLoader(Dots(5, noise=0), 2)
    evaluate(Oracle(), loader, [PixelError()], predictions=predictions)
    assert [meta.path for meta, _ in predictions] == [
        f"labeled-data/video/img{i}.png" for i in range(5)
    ]
    assert all(poses.keypoints.shape == (1, 1, 3, 2) for _, poses in predictions)


def test_batches_make_no_difference():
    torch.manual_seed(0)
    model = Net(norm=True)
    one, many = (
        evaluate(model, EpochLoader(Dots(7), size), [PixelError()])["mean_error_px"]
        for size in (1, 7)
    )
    assert one == pytest.approx(many, rel=1e-5)


def test_the_model_is_left_in_the_mode_it_was_in():
    model = Net(0.5, norm=True).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    evaluate(model, EpochLoader(Dots(4), 2), [PixelError()])
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_crops_of_one_image_are_put_together():
    def crops(image_id, instance, x, valid=(True,)):
        count = len(valid)
        keypoints = torch.full((1, count, 3, 2), float(x))
        poses = Poses(
            keypoints, torch.ones(1, count, 3), torch.ones(1, count), torch.tensor([valid])
        )
        meta = Meta(
            image_id, f"img{image_id}.png", (9, 9), instance, index=image_id * 10 + instance
        )
        return [meta], poses

    collected = Collector()
    collected.add(*crops(5, 1, 51))
    collected.add(*crops(3, 0, 30, (True, False)))
    collected.add(*crops(5, 0, 50))
    images = collected.images()
    assert [(meta.image_id, meta.instance) for meta, _ in images] == [(3, None), (5, None)]
    assert images[0][1].keypoints[0, :, 0, 0].tolist() == [30]
    assert images[1][1].keypoints[0, :, 0, 0].tolist() == [50, 51]


def test_a_model_without_poses_is_told():
    class Wrong(nn.Module):
        def forward(self, images, mode):
            return images

    with pytest.raises(DataError, match=r"Wrong\(mode='predict'\) gave a Tensor"):
        evaluate(Wrong(), EpochLoader(Dots(2), 1), [PixelError()])


def test_metrics_that_do_not_fit_are_told_with_their_place():
    metrics = [PixelError(), PCK(normalize=("nose", "elbow")), PixelError()]
    with pytest.raises(ConfigError) as caught:
        evaluate(Oracle(), EpochLoader(Dots(2), 1), metrics)
    paths = [problem.path for problem in caught.value.problems]
    assert paths[:2] == ["evaluation.metrics.1", "evaluation.metrics.2"]
    assert "no keypoint 'elbow'" in str(caught.value)


def test_a_metric_named_twice_is_one_problem():
    with pytest.raises(ConfigError) as caught:
        evaluate(Oracle(), EpochLoader(Dots(2), 1), [PixelError(), PixelError()])
    (problem,) = caught.value.problems
    assert problem.message == (
        "PixelError and PixelError both measure 'mean_error_px', 'rmse_px', "
        "'mean_error_px_pcutoff', 'rmse_px_pcutoff', 'missed_rate', 'false_rate': leave one of "
        "them out."
    )


def test_a_metric_that_does_not_give_what_it_promises_is_told():
    class Forgetful(PixelError):
        def compute(self):
            return {"mean_error_px": 1.0}

    with pytest.raises(DlcregError, match="Forgetful promises 'rmse_px' among its keys, but"):
        evaluate(Oracle(), EpochLoader(Dots(2), 1), [Forgetful()])


@pytest.mark.parametrize(
    "options", [{"batch_size": 0}, {"pcutoff": 1.5}, {"pictures": -1}], ids=lambda o: next(iter(o))
)
def test_settings_that_make_no_sense_are_told(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}="):
        Evaluation(**options)
