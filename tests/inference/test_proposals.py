"""Models that see one animal at a time are told where the animals are."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
import torch
from alike import same

from dlcreg import Predictor
from dlcreg.builder import build_data
from dlcreg.data.proposals import ImageProposals, Proposals
from dlcreg.errors import DataError
from dlcreg.inference import load_trained
from dlcreg.solvers.evaluation import evaluate
from dlcreg.structures import Meta


@pytest.fixture(scope="module")
def data(top_down):
    return build_data(load_trained(top_down).config).test


@pytest.fixture(scope="module")
def images(data):
    """Pairs of Meta and file, as the data set knows the images."""
    records = data.records
    return [(Meta(one.image_id, one.name, (0, 0)), one.path) for one in records]


@pytest.fixture(scope="module")
def labelled(data):
    """The labelled boxes as proposals."""
    found = []
    for record in data.records:
        boxes = data.annotations(record.image_id).boxes
        count = len(boxes)
        given = ImageProposals(boxes, np.ones(count, np.float32), None, np.zeros(count, bool))
        found.append((record.image_id, record.name, given))
    return Proposals(found)


def test_with_labelled_boxes_poses_are_exactly_those_of_evaluation(
    top_down, labelled, images, measured
):
    found = measured(top_down)
    predictor = Predictor(top_down, labelled, batch_size=4)
    assert sum(len(poses.valid[0]) for _, poses in found) >= 8
    for (meta, expected), (known, poses) in zip(found, predictor.stream(images), strict=True):
        assert meta.image_id == known.image_id
        assert torch.equal(poses.keypoints, expected.keypoints)
        assert torch.equal(poses.scores, expected.scores)


def test_with_proposals_of_a_model_poses_are_those_of_evaluation_with_a_file_of_them(
    top_down, bottom_up, images, data, tmp_path
):
    first = Predictor(bottom_up, batch_size=3)
    found = Proposals.from_poses(first.stream(images))
    assert len(found) > 2
    found.write(tmp_path / "found.json")
    trained, expected = load_trained(top_down), []
    loader = build_data(trained.config).loader(data.with_proposals(found), 4)
    evaluate(trained.model, loader, [], predictions=expected)
    known = {meta.image_id: poses for meta, poses in expected}
    for proposals in (first, bottom_up, found, lambda image, meta: first(image)):
        predictor = Predictor(top_down, proposals, batch_size=4)
        for meta, poses in predictor.stream(images):
            same(poses, known[meta.image_id], atol=1e-4)
    written = Predictor(top_down, tmp_path / "found.json")
    for meta, poses in written.stream(images):  # a file is rounded to 0.001 pixels
        same(poses, known[meta.image_id], atol=0.05)


def test_the_score_of_a_proposal_counts(top_down, images):
    box = np.array([[20, 20, 50, 50]], np.float32)

    def scored(score):
        found = ImageProposals(box, np.array([score], np.float32), None, np.zeros(1, bool))
        return Predictor(top_down, lambda image, meta: found)(images[0])[0]

    torch.testing.assert_close(scored(0.25).instance_scores, scored(1.0).instance_scores / 4)


def test_animals_of_several_images_make_a_batch(top_down, labelled, images):
    predictor, sizes = Predictor(top_down, labelled, batch_size=8), []
    predict = predictor._predict
    predictor._predict = lambda batch: (sizes.append(len(batch)), predict(batch))[1]
    predictor(images)
    assert sizes[0] == 8
    assert sum(sizes) == 2 * len(images)


def test_images_without_animals_hold_up_no_other(top_down, images):
    image = np.zeros((96, 128, 3), np.uint8)

    def first_alone(image, meta):
        return [[10, 10, 40, 40]] if meta.index == 0 else np.zeros((0, 4))

    predictor = Predictor(top_down, first_alone, batch_size=4)
    stream = predictor.stream(image for _ in range(10_000))
    started = time.monotonic()
    assert next(stream)[1].keypoints.shape[1] == 1
    assert [next(stream)[1].keypoints.shape[1] for _ in range(50)] == [0] * 50
    stream.close()
    assert time.monotonic() - started < 60


def test_an_image_that_cannot_be_read_is_left_out_once(top_down, bottom_up, images, tmp_path):
    (tmp_path / "torn.png").write_bytes(images[0][1].read_bytes()[:200])
    told = []
    predictor = Predictor(top_down, bottom_up)
    files = [images[0][1], tmp_path / "torn.png", images[1][1]]
    poses = predictor(files, on_error=lambda meta, error: told.append(meta.index))
    assert told == [1]
    assert not poses[1].valid.any()
    with pytest.raises(DataError, match=r"torn\.png"):
        predictor(files)


def test_a_model_that_needs_boxes_says_so(top_down):
    with pytest.raises(DataError, match=r"sees one animal at a time.* give proposals"):
        Predictor(top_down)


def test_a_model_of_whole_images_takes_no_boxes(bottom_up, labelled):
    with pytest.raises(DataError, match="sees whole images: leave out proposals"):
        Predictor(bottom_up, labelled)


@pytest.mark.parametrize(
    ("proposals", "message"),
    [
        (3, "proposals must be a Predictor.* not int"),
        (lambda image, meta: [[1, 2, 3]], r"shape \(1, 3\); boxes \(N, 4\)"),
        (lambda image, meta: [[1, 2, 3, 0]], "a box without width or height"),
        (lambda image, meta: [[1, 2, 3, np.nan]], "finite numbers"),
        ("nowhere.json", r"no file of proposals nowhere\.json"),
    ],
)
def test_proposals_that_are_none_are_refused(top_down, images, proposals, message):
    with pytest.raises(DataError, match=message):
        Predictor(top_down, proposals)(images[0][1])


def test_proposals_of_coco_files_are_known_by_the_names_of_images(top_down, images, tmp_path):
    box = [20.0, 20.0, 50.0, 50.0]
    row = {"image_id": 4711, "file_name": images[1][0].path, "bbox": box, "score": 0.5}
    (tmp_path / "found.json").write_text(json.dumps([row]))
    predictor = Predictor(top_down, tmp_path / "found.json")
    found = predictor([path for _, path in images[:3]])
    assert [poses.keypoints.shape[1] for poses in found] == [0, 1, 0]
