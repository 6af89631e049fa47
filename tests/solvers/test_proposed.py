"""Poses in crops that another model proposed: scores, boxes, duplicates, and what was missed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcreg.solvers.evaluation import Evaluation, with_all_images
from dlcreg.solvers.proposed import of_proposals, oks_nms
from dlcreg.structures import Batch, DatasetInfo, Instances, Meta, Poses


def crops(scores, threshold):
    """Return the poses of two crops, of scores 0.5 and 1, at twice the size of the image."""
    boxes = torch.tensor([[[20.0, 20, 40, 60]], [[0, 0, 10, 10]]])
    ones = torch.ones(2, 1)
    instances = Instances(torch.zeros(2, 1, 3, 2), torch.zeros(2, 1, 3), boxes, ones, ones, ones)
    metas = [Meta(1, "a.png", (9, 9), i, i, score) for i, score in enumerate((0.5, 1.0))]
    matrix = torch.tensor([[[0.5, 0, 3], [0, 0.5, 4]]]).expand(2, -1, -1)
    batch = Batch(torch.zeros(2, 3, 9, 9), instances, matrix, metas)
    poses = Poses(torch.zeros(2, 1, 3, 2), torch.tensor(scores)[:, None], ones * 0.8, ones.bool())
    return of_proposals(batch, poses, threshold)


def test_an_animal_scores_as_its_proposal_times_the_mean_of_what_is_sure():
    poses = crops([[0.1, 0.4, 0.8], [0.1, 0.2, 0.0]], 0.2)
    assert poses.instance_scores.flatten().tolist() == pytest.approx([0.5 * 0.6, 0])
    poses = crops([[0.1, 0.4, 0.8], [0.1, 0.2, 0.0]], None)
    assert poses.instance_scores.flatten().tolist() == pytest.approx([0.4, 0.8])


def test_it_has_the_box_of_its_proposal_in_pixels_of_the_image():
    assert crops([[1.0] * 3] * 2, 0.2).boxes.tolist() == [[[13, 14, 20, 30]], [[3, 4, 5, 5]]]


def found(points, scores, boxes):
    points = torch.tensor(points, dtype=torch.float32)[None]
    seen = points.isfinite().all(-1)
    valid = torch.ones(1, len(scores), dtype=torch.bool)
    boxes = torch.tensor(boxes, dtype=torch.float32)[None]
    return Poses(points, seen.float(), torch.tensor([scores]), valid, boxes)


def test_of_poses_that_are_one_animal_the_best_remains():
    one, near, far = [[10, 10], [20, 30]], [[11, 10], [20, 31]], [[40, 10], [50, 30]]
    boxes = [[5, 5, 20, 30]] * 3
    poses = oks_nms(found([near, far, one], [0.5, 0.4, 0.9], boxes), (0.1, 0.1), 0.9)
    assert poses.instance_scores[0].tolist() == pytest.approx([0.4, 0.9])
    assert poses.boxes.shape == (1, 2, 4)
    assert len(oks_nms(poses, (0.1, 0.1), 0.9).instance_scores[0]) == 2


def test_similarity_is_that_of_coco_for_the_mean_area():
    boxes = [[0, 0, 10, 10], [0, 0, 20, 15]]
    poses = found([[[0, 0], [5, 5]], [[3, 4], [5, 5]]], [0.9, 0.8], boxes)
    alike = (np.exp(-25 / (2 * 200 * 0.2**2)) + 1) / 2
    for threshold, count in ((alike - 1e-6, 1), (alike + 1e-6, 2)):
        assert oks_nms(poses, (), threshold).valid.sum() == count


def test_keypoints_that_one_of_two_lacks_do_not_tell_them_apart():
    lost = float("nan")
    poses = found([[[1, 1], [lost] * 2], [[1, 1], [5, 5]]], [0.9, 0.8], [[0, 0, 9, 9]] * 2)
    assert oks_nms(poses, (), 0.9).instance_scores[0].tolist() == pytest.approx([0.9])
    apart = found([[[1, 1], [lost] * 2], [[lost] * 2, [5, 5]]], [0.9, 0.8], [[0, 0, 9, 9]] * 2)
    assert oks_nms(apart, (), 0.9).valid.sum() == 2


def test_images_without_a_proposal_are_measured_as_images_in_which_nothing_was_found():
    class Three:
        info = DatasetInfo(("a", "b"))

        def image_metas(self):
            return [Meta(i, f"{i}.png", (9, 9), index=i) for i in range(3)]

    known = (Meta(1, "1.png", (9, 9)), found([[[1, 1], [2, 2]]], [0.9], [[0, 0, 1, 1]]))
    images = with_all_images([known], Three())
    assert sorted(meta.image_id for meta, _ in images) == [0, 1, 2]
    assert sum(int(poses.valid.sum()) for _, poses in images) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"proposals": "no.json"}, "proposals='no.json': there is no such file"),
        ({"nms": 2}, "nms=2: give a number from 0 to 1, or None"),
        ({"score_threshold": -1}, "score_threshold=-1: give a number from 0 to 1"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Evaluation(**options)
