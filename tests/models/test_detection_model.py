"""The model of boxes: what it keeps of what a detector finds, and the poses that it makes of it."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import nn

from dlcreg.contracts import Detector
from dlcreg.models.detection_model import DetectionModel
from dlcreg.structures import Boxes, Instances


class Bright(Detector):
    """Finds what it is told of an image in the channel of its first pixel; keeps what it saw."""

    image_mean = image_std = (0.5, 0.5, 0.5)

    def __init__(self, *boxes: tuple[float, ...], scores: tuple[float, ...] = ()) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 1, 1)
        self.boxes = torch.tensor(boxes).view(1, len(boxes), 4)
        self.scores = torch.tensor(scores or [0.9] * len(boxes)).view(1, len(boxes))

    def predict(self, images):
        self.seen = images
        count = len(images)
        boxes, scores = self.boxes.expand(count, -1, -1), self.scores.expand(count, -1)
        return Boxes(boxes, scores, torch.ones_like(scores, dtype=torch.bool))

    def loss(self, images, instances):
        return {"mean": self.layer(images).mean() * instances.valid.sum()}


IMAGES = torch.full((2, 3, 40, 60), 255, dtype=torch.uint8)
FAR = (0.0, 0.0, 9.0, 9.0), (30.0, 5.0, 10.0, 8.0), (12.0, 20.0, 8.0, 8.0)


def test_poses_have_boxes_and_scores_and_keypoints_that_were_not_found():
    model = DetectionModel(Bright(*FAR), num_individuals=3, num_keypoints=4).eval()
    found = model(IMAGES, mode="predict")
    assert found.keypoints.shape == (2, 3, 4, 2)
    assert found.keypoints.isnan().all()
    assert (found.scores == 0).all()
    assert found.valid.all()
    assert torch.equal(found.boxes[1], torch.tensor(FAR))
    assert torch.allclose(found.instance_scores, torch.tensor(0.9))


def test_uint8_images_are_normalised_as_the_detector_wants():
    model = DetectionModel(Bright(*FAR)).eval()
    model(IMAGES, mode="predict")
    assert torch.allclose(model.detector.seen, torch.ones(2, 3, 40, 60))
    told = DetectionModel(Bright(*FAR), mean=(0.0,) * 3, std=(0.5,) * 3).eval()
    told(IMAGES, mode="predict")
    assert torch.allclose(told.detector.seen, torch.full((2, 3, 40, 60), 2.0))


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (dict(num_individuals=2), [2, 0]),
        (dict(num_individuals=1, max_animals=5), [2, 0, 1]),
        (dict(num_individuals=3, min_score=0.4), [2, 0]),
        (dict(num_individuals=3, min_score=0.95), []),
    ],
)
def test_the_best_boxes_are_kept_best_first(options, kept):
    model = DetectionModel(Bright(*FAR, scores=(0.5, 0.3, 0.8)), **options).eval()
    found = model(IMAGES, mode="predict")
    assert found.boxes[0][found.valid[0]].tolist() == [list(FAR[i]) for i in kept]
    assert (found.instance_scores[~found.valid] == 0).all()


def test_of_two_boxes_on_one_animal_the_worse_one_is_left_out():
    twice = (10.0, 10.0, 10.0, 10.0), (11.0, 10.0, 10.0, 10.0), (40.0, 10.0, 10.0, 10.0)
    detector = Bright(*twice, scores=(0.6, 0.7, 0.5))
    options = dict(num_individuals=3)
    assert DetectionModel(detector, **options).eval()(IMAGES, mode="predict").valid.all()
    found = DetectionModel(detector, nms=0.5, **options).eval()(IMAGES, mode="predict")
    assert found.valid.tolist() == [[True, True, False]] * 2
    assert found.boxes[1, :2].tolist() == [list(twice[1]), list(twice[2])]


def test_what_is_found_in_the_mirrored_image_is_mirrored_back():
    width = IMAGES.shape[-1]
    box = (5.0, 6.0, 10.0, 8.0)
    twin = (width - 1 - 5.0 - 10.0, 6.0, 10.0, 8.0)
    model = DetectionModel(Bright(box), num_individuals=3).eval()
    found = model(IMAGES, mode="predict", flip_test=True)
    assert sorted(found.boxes[0][found.valid[0]].tolist()) == sorted([list(box), list(twin)])
    middle = ((width - 1 - 10.0) / 2, 6.0, 10.0, 8.0)
    alone = DetectionModel(Bright(middle), num_individuals=3).eval()
    assert alone(IMAGES, mode="predict", flip_test=True).valid.sum() == 2  # one of each image


def test_an_image_in_which_nothing_is_found_has_no_pose():
    found = DetectionModel(Bright(), num_individuals=2, num_keypoints=3).eval()(
        IMAGES, mode="predict"
    )
    assert found.keypoints.shape == (2, 0, 3, 2)
    assert found.to_image(torch.eye(2, 3).expand(2, 2, 3)).boxes.shape == (2, 0, 4)


def test_losses_are_those_of_the_detector():
    instances = Instances(*(torch.zeros(2, 1, 1),) * 4, torch.ones(2, 1, dtype=torch.bool), None)
    model = DetectionModel(Bright(*FAR)).train()
    assert set(model(IMAGES, mode="loss", instances=instances)) == {"mean"}
    with pytest.raises(ValueError, match="needs instances="):
        model(IMAGES, mode="loss")


def test_what_makes_no_sense_is_refused():
    for options, told in (
        (dict(max_animals=0), "max_animals=0"),
        (dict(min_score=1.0), "min_score=1"),
        (dict(nms=2.0), "an overlap"),
        (dict(channel_order="GBR"), "channel_order"),
    ):
        with pytest.raises(ValueError, match=told):
            DetectionModel(Bright(*FAR), **options)
    model = DetectionModel(Bright(*FAR))
    with pytest.raises(ValueError, match=r"leave evaluation\.scales out"):
        model(IMAGES, mode="predict", scales=(1, 2))
    with pytest.raises(ValueError, match="mode must be"):
        model(IMAGES, mode="guess")


def test_it_can_be_pickled():
    model = pickle.loads(pickle.dumps(DetectionModel(Bright(*FAR), num_individuals=3))).eval()
    assert model(IMAGES, mode="predict").valid.all()


def test_a_detector_that_says_no_outputs_gives_its_boxes():
    outputs = DetectionModel(Bright(*FAR)).eval()(IMAGES)
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {
        "boxes": (2, 3, 4),
        "scores": (2, 3),
        "valid": (2, 3),
    }
