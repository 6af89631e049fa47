"""Pictures are drawn whole, whatever the numbers are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from dlcreg.apis.learning_curves import draw_learning_curves
from dlcreg.apis.pictures import Frame, _legend, draw_frames


def _frame(labels, keypoints, scores) -> Frame:
    image = np.full((60, 80, 3), 128, np.uint8)
    return Frame(image, np.array(labels, float), np.array(keypoints, float), np.array(scores), "a")


def test_frames_with_missing_labels_and_no_prediction_are_drawn(tmp_path):
    frames = [
        _frame([[[10, 10], [20, 20]]], [[[11, 10], [22, 21]]], [[0.9, 0.2]]),
        _frame([[[np.nan, np.nan], [20, 20]]], np.zeros((0, 2, 2)), np.zeros((0, 2))),
        _frame(np.full((1, 2, 2), np.nan), np.zeros((0, 2, 2)), np.zeros((0, 2))),
    ]
    path = draw_frames(tmp_path / "x.png", frames, ["nose", "tail"], "title")
    with Image.open(path) as picture:
        assert picture.size[0] > 600
    assert [p.name for p in tmp_path.iterdir()] == ["x.png"]


def test_animals_without_a_match_and_a_skeleton_over_missing_points_are_drawn(tmp_path):
    labels = [[[10, 10], [20, 20]], [[50, 40], [np.nan, np.nan]]]
    poses = [[[51, 41], [60, 50]], [[np.nan, np.nan], [30, 30]], [[11, 10], [22, 21]]]
    frame = replace(
        _frame(labels, poses, np.full((3, 2), 0.9)), pairs=[(0, 1), (2, 0)], names=["anne", "bert"]
    )
    path = draw_frames(tmp_path / "x.png", [frame], ["nose", "tail"], "title", skeleton=[(0, 1)])
    assert path.stat().st_size > 0


def test_a_frame_is_cut_around_what_counts(tmp_path):
    near, far = [[[30, 30], [np.nan, np.nan]]], [[[32, 30], [79, 59]]]
    areas = {}
    for score in (0.1, 0.9):  # a guess at a keypoint that nobody labelled, and a likely find
        frame = replace(_frame(near, far, [[0.9, score]]), pairs=[(0, 0)])
        frame.image[36, 36] = (1, 2, 3)  # one pixel, which a narrower cut shows larger
        with Image.open(draw_frames(tmp_path / "x.png", [frame], ["a", "b"], "title")) as picture:
            areas[score] = (np.asarray(picture.convert("RGB")) == (1, 2, 3)).all(axis=-1).sum()
    assert areas[0.1] > 2 * areas[0.9] > 0


def test_learning_curves_leave_out_what_was_not_measured(tmp_path):
    table = tmp_path / "metrics.csv"
    table.write_text("epoch,train/loss,lr,val/mean_error_px\n1,0.5,0.001,\n2,0.25,0.001,3.5\n")
    path = draw_learning_curves(tmp_path / "curves.png", table)
    with Image.open(path) as picture:
        assert picture.size[0] > 1000


def test_learning_curves_of_an_empty_table_are_an_empty_picture(tmp_path):
    table = tmp_path / "metrics.csv"
    table.write_text("epoch,train/loss\n")
    assert draw_learning_curves(tmp_path / "curves.png", table).is_file()


def test_the_legend_tells_the_boxes_of_labels_from_those_found():
    none = np.empty((0, 0, 2))
    image, box = np.zeros((20, 30, 3), np.uint8), np.array([[3.0, 4, 12, 8]])
    plain = Frame(image, none, none, np.empty((0, 0)), "")
    assert _legend([plain], (), (), 0.6) == ([], [])
    boxed = replace(plain, boxes=box, box_scores=np.array([0.9]), label_boxes=box)
    names, marks = _legend([plain, boxed], (), (), 0.6)
    assert names == ["labelled box", "box found, its score"]
    assert [mark.get_linestyle() for mark in marks] == ["--", "-"]
    names, _ = _legend([plain], ("nose",), ("corner",), 0.6)
    assert names == ["nose", "corner", "label", "prediction", "likelihood < 0.6"]
