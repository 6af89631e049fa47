"""COCO files of boxes alone: which animals there are, and where their boxes go."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from dlcreg.builder import check
from dlcreg.data import CocoDataset
from dlcreg.data.transforms.geometric import Crop
from dlcreg.errors import DataError

MOUSE, RAT = {"id": 1, "name": "mouse"}, {"id": 2, "name": "rat"}
POSED = {"id": 3, "name": "posed", "keypoints": ["a", "b"]}


@pytest.fixture
def written(tmp_path):
    """Write a file of annotations of one image of 64 x 48 pixels, and return its path."""

    def write(*animals, categories=(MOUSE, RAT)):
        Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(tmp_path / "a.png")
        base = {"image_id": 1, "category_id": categories[0]["id"]}
        content = {
            "images": [{"id": 1, "file_name": "a.png", "height": 48, "width": 64}],
            "annotations": [{**base, "id": i, **one} for i, one in enumerate(animals, start=1)],
            "categories": list(categories),
        }
        path = tmp_path / "boxes.json"
        path.write_text(json.dumps(content))
        return path

    return write


def test_animals_are_boxes_without_keypoints(written):
    path = written({"bbox": [1, 2, 30, 20], "area": 99}, {"bbox": [40, 8, 60, 10]})
    dataset = CocoDataset(path)
    assert (dataset.info.num_keypoints, dataset.info.num_individuals) == (0, 2)
    labels = dataset[0].instances
    assert labels.keypoints.shape == (2, 0, 2)
    assert labels.boxes.tolist() == [[1, 2, 30, 20], [40, 8, 24, 10]]  # cut at the border
    assert labels.areas.tolist() == [99, 600]


def test_boxes_without_an_area_are_left_out_and_crowds_are_no_animals(written):
    animals = {"bbox": [5, 5, 0, 9]}, {}, {"bbox": [0, 0, 9, 9], "iscrowd": 1}, {"bbox": [3] * 4}
    labels = CocoDataset(written(*animals)).annotations(1)
    assert labels.boxes.tolist() == [[3, 3, 3, 3]]
    assert labels.crowds.tolist() == [[0, 0, 9, 9]]


@pytest.mark.parametrize(("wanted", "found"), [(None, 2), (["rat"], 1), ([1, "rat"], 2)])
def test_categories_are_chosen(written, wanted, found):
    path = written({"bbox": [1, 2, 9, 9]}, {"bbox": [20, 2, 9, 9], "category_id": 2})
    assert len(CocoDataset(path, categories=wanted)[0].instances) == found


def test_without_keypoint_names_every_animal_is_taken_for_its_box(written):
    posed = {"keypoints": [20, 30, 2, 40, 36, 1]}
    path = written(
        *({"bbox": [1, 2, 9, 9], "category_id": 1}, {**posed, "bbox": [18, 25, 30, 20]}, posed),
        {"keypoints": [0] * 6, "bbox": [50, 2, 9, 9]},
        categories=(POSED, MOUSE),
    )
    dataset = CocoDataset(path, keypoint_names=[], box_margin=5)
    boxes = [[1, 2, 9, 9], [18, 25, 30, 20], [15, 25, 30, 16], [50, 2, 9, 9]]
    assert dataset[0].instances.boxes.tolist() == boxes
    assert len(CocoDataset(path)[0].instances) == 2  # those with a labelled keypoint


def test_boxes_of_which_little_is_left_in_a_crop_are_left_out(written):
    path = written({"bbox": [1, 2, 20, 20]}, {"bbox": [40, 10, 20, 20]})
    transform = [Crop((48, 32), position="center")]  # from x = 16 to 47
    labels = CocoDataset(path, transform=transform)[0].instances
    assert labels.boxes.tolist() == [[-15, 2, 20, 20], [24, 10, 20, 20]]
    labels = CocoDataset(path, transform=[Crop((48, 26), position="center")])[0].instances
    assert labels.boxes.tolist() == [[21, 10, 20, 20]]


def test_a_window_around_an_animal_is_one_around_its_box(written):
    path = written({"bbox": [44, 20, 10, 10]})
    transform = [Crop((20, 20), position="keypoint", max_shift=0)]
    x, y, width, height = CocoDataset(path, transform=transform)[0].instances.boxes[0]
    assert (abs(x - 5), abs(y - 5), width, height) == (0, 0, 10, 10)


@pytest.mark.parametrize(
    ("animal", "options", "message"),
    [
        ({"bbox": [70, 2, 9, 9]}, {}, r"bbox \[70, 2, 9, 9\] lies outside the image"),
        ({"bbox": [1, 2, -9, 9]}, {}, "has a side that is negative"),
        ({"bbox": [1, 2, 9]}, {}, "bbox must be x, y, width and height"),
        ({"bbox": [1, 2, 9, 9], "area": "x"}, {}, "area must be numbers"),
        ({"bbox": [1, 2, 9, 9], "image_id": 7}, {}, "image_id 7, which is not there"),
        ({"bbox": [1, 2, 9, 9]}, {"view": "instance"}, "the annotations are boxes alone"),
        ({"bbox": [1, 2, 9, 9]}, {"categories": ["cat"]}, "no category 'cat'. It has: mouse, rat"),
        ({"keypoints": [1, 2, 2]}, {}, "no category with keypoints, but annotation 1 has some"),
        ({}, {}, "has no image with a labelled animal"),
    ],
)
def test_what_cannot_be_is_refused(written, animal, options, message):
    with pytest.raises(DataError, match=message):
        CocoDataset(written(animal), **options)


def test_a_model_of_keypoints_is_refused_before_anything_is_trained(written):
    head = {
        "type": "HeatmapHead",
        "codec": {"type": "GaussianHeatmap"},
        "losses": {"heatmap": {"type": "MSELoss"}},
    }
    part = {"type": "CocoDataset", "annotation_file": str(written({"bbox": [1, 2, 9, 9]}))}
    config = {
        "model": {"backbone": {"type": "ResNet", "depth": 18}, "head": head},
        "data": {"train": part},
        "solver": {"optimizer": {"type": "SGD", "lr": 0.1}, "max_epochs": 1},
    }
    problems = check(config)
    assert [problem.path for problem in problems] == ["model.head"]
    assert "HeatmapHead learns keypoints, and the data has none" in problems[0].message
