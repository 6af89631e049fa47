"""The best and the worst frames are the ones that the numbers say."""

from __future__ import annotations

import torch

from dlcreg.apis.results import draw_extremes, extremes
from dlcreg.data.dataset import PoseDataset
from dlcreg.structures import Meta, Poses


def _predictions(dataset, shifts, animals=None):
    """Return the labels themselves as predictions, each image's moved by so many pixels."""
    found = []
    for index, (record, shift) in enumerate(zip(dataset.records, shifts)):
        labels = dataset.annotations(record.image_id)
        points = torch.from_numpy(labels.keypoints[:animals] + shift)[None]
        ones = torch.ones(points.shape[:3])
        poses = Poses(points, ones, ones[..., 0], ones[..., 0].bool())
        found.append((Meta(record.image_id, record.name, (96, 128), None, index), poses))
    return found


def _errors(frames):
    return [frame.title.partition(": ")[2] for frame in frames]


def test_best_and_worst_are_in_order_and_share_no_frame(demo_project):
    data = PoseDataset(demo_project, split={"train_fraction": 0.25})
    found = extremes(data, _predictions(data, [3.0, 0.0, 9.0, 6.0, 12.0]), 4)
    assert _errors(found["best"]) == ["0.0 px", "4.2 px", "8.5 px"]
    assert _errors(found["worst"]) == ["17.0 px", "12.7 px"]


def test_one_frame_alone_is_the_best(demo_project, tmp_path):
    data = PoseDataset(demo_project, split={"train_fraction": 0.05})
    pictures = draw_extremes(tmp_path, "test", data, _predictions(data, [1.0]), 4, 0.6)
    assert pictures == [tmp_path / "test_best.png"]
    assert list(tmp_path.iterdir()) == pictures


def test_a_missed_animal_is_worse_than_a_large_error(two_animals):
    data = PoseDataset(two_animals, split={"train_fraction": 0.5})
    one_missed = _predictions(data, [0.0, 0.0], animals=1)[:1]
    found = extremes(data, one_missed + _predictions(data, [3.0, 3.0])[1:], 1)
    assert _errors(found["best"]) == ["4.2 px"]
    assert _errors(found["worst"]) == ["0.0 px, 1 missed"]


def test_each_animal_has_its_name_and_its_prediction(two_animals):
    data = PoseDataset(two_animals, split={"train_fraction": 0.5})
    (frame,) = extremes(data, _predictions(data, [2.0]), 1)["best"]
    assert list(frame.names) == list(data.info.individuals)
    assert sorted(frame.pairs) == [(0, 0), (1, 1)]
