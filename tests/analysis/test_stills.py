"""A picture of an image's poses: large enough, with the names of the keypoints."""

from __future__ import annotations

import numpy as np

from dlcreg.analysis.stills import still
from dlcreg.recording import Recording
from dlcreg.structures import DatasetInfo

GREY = np.full((48, 64, 3), 120, np.uint8)


def _recording(keypoints, **more) -> Recording:
    points = np.array(keypoints, np.float32)
    scores = np.isfinite(points).all(axis=-1).astype(np.float32)
    names = tuple(f"k{k}" for k in range(points.shape[2]))
    return Recording(points, scores, np.full(points.shape[:2], 0.75), DatasetInfo(names), **more)


def test_small_images_are_drawn_larger_and_points_stay_on_their_pixels():
    picture = still(GREY, _recording([[[[15.0, 20.0]]]]))
    assert picture.shape[1] == 640
    assert picture[:480].tolist() != still(GREY, _recording([[[[np.nan] * 2]]]))[:480].tolist()
    drawn = np.argwhere((picture[:480] != 120).any(axis=-1))
    assert abs(drawn.mean(axis=0) - (204.5, 154.5)).max() < 0.6  # the middle of the ten pixels


def test_names_stand_below_the_image_and_without_keypoints_nothing_does():
    assert still(GREY, _recording(np.full((1, 1, 3, 2), np.nan))).shape[0] > 480
    assert still(GREY, _recording(np.zeros((1, 0, 0, 2)))).shape[0] == 480
    many = _recording(np.full((1, 1, 40, 2), np.nan))
    assert still(GREY, many).shape[0] > still(GREY, _recording(np.zeros((1, 0, 3, 2)))).shape[0]


def test_boxes_of_a_detector_are_drawn_with_their_scores():
    boxes = np.array([[[10, 10, 30, 20], [np.nan] * 4]], np.float32)
    picture = still(GREY, _recording(np.zeros((1, 2, 0, 2)), boxes=boxes))
    changed = (picture != 120).any(axis=-1)
    low = 10 * 10 + 4.5  # the centre of a pixel of the image
    assert changed[round(low) : round(low) + 200, round(low)].all()
    assert not changed[: round(low) - 6].any()
    assert changed[270:300, 340:400].any()  # the score, above the lower right corner
    assert not changed[200:250, 200:300].any()
