"""Average precision of boxes, and which box is whose."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcreg.solvers.metrics.box_matching import match_boxes
from dlcreg.solvers.metrics.boxes import BoxAP
from dlcreg.structures import DatasetInfo, Instances, Meta, Poses

INFO = DatasetInfo(keypoint_names=("nose", "tail"), num_individuals=2)
META = Meta(0, "a.png", (100, 200))


def labels(*boxes) -> Instances:
    count = len(boxes)
    return Instances(
        keypoints=np.zeros((count, 2, 2), np.float32),
        visibility=np.zeros((count, 2), np.uint8),
        boxes=np.array(boxes, np.float32).reshape(count, 4),
        areas=np.ones(count, np.float32),
        valid=np.ones(count, bool),
        ids=np.arange(count),
    )


def found(*boxes, scores=None, keypoints=None) -> Poses:
    count = len(boxes) if keypoints is None else len(keypoints)
    points = torch.full((1, count, 2, 2), torch.nan)
    if keypoints is not None:
        points = torch.tensor(keypoints)[None]
    return Poses(
        keypoints=points,
        scores=torch.zeros(1, count, 2),
        instance_scores=torch.tensor(scores or [0.9] * count)[None],
        valid=torch.ones(1, count, dtype=torch.bool),
        boxes=torch.tensor(boxes).view(1, count, 4) if keypoints is None else None,
    )


def measured(*pairs, **options) -> dict[str, float]:
    metric = BoxAP(**options)
    metric.reset(INFO)
    for poses, instances in pairs:
        metric.update(poses, instances, META)
    return metric.compute()


ONE, OTHER = (10.0, 10.0, 40.0, 20.0), (120.0, 30.0, 30.0, 30.0)


def test_boxes_that_are_the_labels_are_worth_one():
    values = measured((found(OTHER, ONE), labels(ONE, OTHER)))
    assert values == pytest.approx(dict(box_ap=1, box_ap50=1, box_ap75=1, box_ar=1))


def test_a_box_counts_up_to_the_threshold_of_its_overlap():
    shifted = (10.0, 10.0, 40.0, 27.0)  # IoU 20 / 27 = 0.74: thresholds 0.5 to 0.7
    values = measured((found(shifted), labels(ONE)))
    assert values == pytest.approx(dict(box_ap=0.5, box_ap50=1, box_ap75=0, box_ar=0.5))


def test_a_false_box_matters_where_it_is_surer_than_a_true_one():
    true_first = measured((found(ONE, OTHER, scores=[0.9, 0.1]), labels(ONE)))
    false_first = measured((found(ONE, OTHER, scores=[0.1, 0.9]), labels(ONE)))
    assert true_first["box_ap"] == pytest.approx(1)
    assert false_first["box_ap"] == pytest.approx(0.5)


def test_poses_without_boxes_are_measured_by_the_extent_of_what_was_found():
    points = [[[12.0, 12.0], [48.0, 28.0]], [[float("nan")] * 2] * 2]
    assert measured((found(keypoints=points), labels(ONE)), margin=2)["box_ap"] == pytest.approx(1)


def test_labels_without_an_area_are_neither_asked_for_nor_counted():
    assert measured((found(ONE), labels(ONE, (5.0, 5.0, 0.0, 0.0))))["box_ar"] == pytest.approx(1)


def test_what_is_found_in_a_crowd_is_no_mistake():
    alone, crowded = labels(ONE), labels(ONE)
    crowded.crowds = np.array([(100.0, 0.0, 90.0, 90.0)], np.float32)
    both = found(ONE, OTHER, scores=[0.1, 0.9])
    assert measured((both, alone))["box_ap"] == pytest.approx(0.5)
    assert measured((both, crowded))["box_ap"] == pytest.approx(1)


def test_no_label_is_no_number_and_no_box_is_nought():
    assert np.isnan(measured((found(ONE), labels()))["box_ap"])
    assert measured((found(), labels(ONE)))["box_ap"] == 0


def test_only_the_best_boxes_of_an_image_count():
    many = found(ONE, OTHER, scores=[0.1, 0.9])
    assert measured((many, labels(ONE)), max_detections=1)["box_ap"] == 0


@pytest.mark.parametrize("options", [dict(margin=-1), dict(max_detections=0)])
def test_numbers_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match="give"):
        BoxAP(**options)


def test_the_surest_box_takes_its_label_first():
    near = (12.0, 10.0, 40.0, 20.0)
    pairs, missed, spare = match_boxes(found(near, ONE, scores=[0.9, 0.8]), labels(ONE, OTHER))
    assert [(row, animal) for row, animal, _ in pairs] == [(0, 0)]
    assert (missed, spare) == (1, 1)
    assert pairs[0][2] == pytest.approx(38 / 42)
    assert match_boxes(found(), labels(ONE))[1:] == (1, 0)
    assert match_boxes(found(ONE), labels())[1:] == (0, 1)
