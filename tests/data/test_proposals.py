"""What another model found, as files and as crops."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dlcreg.data.batching import collate
from dlcreg.data.dataset import PoseDataset
from dlcreg.data.proposals import ImageProposals, Proposals
from dlcreg.data.transforms.conditions import ConditionBox, GenerativeCondition
from dlcreg.data.transforms.geometric import CropInstance
from dlcreg.errors import DataError
from dlcreg.structures import Meta, Poses


def of_boxes(*boxes, scores=None, keypoints=None):
    count = len(boxes)
    return ImageProposals(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores or [0.5] * count, np.float32),
        keypoints,
        np.zeros(count, bool),
    )


def of_labels(dataset, drop=0, shift=0.0, poses=False):
    """Return the labelled boxes of all images as what was found, the last animal first."""
    images = []
    for record in dataset.records:
        labels = dataset.annotations(record.image_id)
        boxes = (labels.boxes + np.float32([shift, 0, 0, 0]))[::-1][drop:]
        keypoints = None
        if poses:
            keypoints = np.dstack([labels.keypoints + shift, labels.visibility / 2])
            keypoints = keypoints.astype(np.float32)[::-1][drop:]
        found = of_boxes(*boxes, scores=[0.9 - 0.1 * i for i in range(len(boxes))])
        found = ImageProposals(found.boxes, found.scores, keypoints, found.derived)
        images.append((record.image_id, record.name, found))
    return Proposals(images)


@given(
    arrays.arrays(np.float32, (3, 4), elements=st.integers(1, 500)),
    arrays.arrays(np.float32, (3, 2, 3), elements=st.integers(0, 1)),
    st.booleans(),
)
def test_what_is_written_is_read_again(tmp_path_factory, boxes, keypoints, posed):
    path = tmp_path_factory.mktemp("p") / "found.json"
    keypoints[..., :2] *= keypoints[..., 2:]
    found = of_boxes(*boxes, scores=[0.1, 0.2, 0.3], keypoints=keypoints if posed else None)
    Proposals([(7, "a/b.png", found), (8, None, found)]).write(path)
    read = Proposals.read(path)
    assert len(read) == 6
    for again in (read.of(1, "a/b.png"), read.of(8)):
        np.testing.assert_allclose(again.boxes, boxes)
        np.testing.assert_allclose(again.scores, found.scores)
        assert not again.derived.any()
        if posed:
            np.testing.assert_allclose(again.keypoints, keypoints)
        else:
            assert again.keypoints is None


def test_a_name_counts_for_more_than_a_number():
    one, two, three = (of_boxes([i, 1, 1, 1]) for i in range(3))
    found = Proposals([(1, "x/a.png", one), (2, r"y\a.png", two), (3, None, three)])
    assert found.of(2, "x/a.png").boxes[0, 0] == 0
    assert found.of(9, "/root/of/y/a.png").boxes[0, 0] == 1
    assert len(found.of(1, "a.png")) == 0  # of two images it may be either
    assert len(found.of(1, "other.png")) == 0
    assert found.of(3, "other.png").boxes[0, 0] == 2


def test_poses_give_boxes_and_those_that_found_nothing_none():
    points = torch.tensor([[[[1.0, 2], [5, 8]], [[3, 3], [torch.nan] * 2], [[torch.nan] * 2] * 2]])
    scores = torch.tensor([[[0.5, 0.25], [1, 0], [0, 0]]])
    poses = Poses(points, scores, torch.tensor([[0.9, 0.8, 0.7]]), torch.ones(1, 3).bool())
    found = Proposals.from_poses([(Meta(1, "a.png", (9, 9)), poses)]).of(1, "a.png")
    assert found.boxes.tolist() == [[1, 2, 4, 6], [3, 3, 0, 0]]
    assert found.derived.tolist() == [True, True]
    assert found.keypoints[1].tolist() == [[3, 3, 1], [0, 0, 0]]
    np.testing.assert_allclose(found.scores, [0.9, 0.8])
    boxed = Poses(points * torch.nan, scores * 0, poses.instance_scores, poses.valid)
    boxed.boxes = torch.tensor([[[0.0, 0, 4, 4]] * 3])
    found = Proposals.from_poses([(Meta(1, "a.png", (9, 9)), boxed)]).of(1, "a.png")
    assert found.keypoints is None
    assert (len(found), found.derived.any()) == (3, False)


def test_who_is_who_is_written_and_read(tmp_path):
    points = torch.rand(1, 3, 2, 2) + 1
    poses = Poses(points, points[..., 0], torch.ones(1, 3), torch.ones(1, 3).bool())
    poses.identities = torch.tensor([[1, -1, 0]])
    path = tmp_path / "found.json"
    Proposals.from_poses([(Meta(1, "a.png", (9, 9)), poses)]).write(path)
    rows = json.loads(path.read_text())
    assert [row["track_id"] for row in rows] == [2, 0, 1]  # as annotations of COCO count
    assert Proposals.read(path).of(1, "a.png").as_poses(2).identities.tolist() == [[1, -1, 0]]
    del rows[0]["track_id"]
    path.write_text(json.dumps(rows))
    assert Proposals.read(path).of(1, "a.png").identities.tolist() == [-1, -1, 0]
    path.write_text(json.dumps([{**row, "track_id": "left one"} for row in rows]))
    assert Proposals.read(path).of(1, "a.png").identities is None


def test_each_proposal_is_a_sample_with_its_score(herd):
    data = PoseDataset(herd, [CropInstance((48, 64))], "test", view="instance")
    view = data.with_proposals(of_labels(data))
    assert len(view) == len(data)
    sample = view[0]
    assert sample.meta.score == pytest.approx(0.9)
    assert (sample.meta.image_id, sample.meta.instance) == (data.records[0].image_id, 0)
    assert sample.condition is None
    assert not sample.instances.visibility.any()
    last = [i for i in range(len(data)) if data[i].meta.image_id == sample.meta.image_id][-1]
    np.testing.assert_array_equal(sample.image, data[last].image)
    assert data[0].meta.score == 1


def test_in_training_each_animal_comes_with_the_proposal_most_like_it(herd):
    data = PoseDataset(herd, None, "train", view="instance")
    found = of_labels(data, drop=1, shift=2.0, poses=True)
    view = PoseDataset(herd, None, "train", view="instance", proposals=found)
    assert len(view) == len(data) - len(data.records)
    for index in range(len(view)):
        sample = view[index]
        labels = data.annotations(sample.meta.image_id)
        animal = sample.meta.instance
        np.testing.assert_array_equal(sample.instances.keypoints[0], labels.keypoints[animal])
        np.testing.assert_allclose(
            sample.instances.boxes[0], labels.boxes[animal] + [2, 0, 0, 0], rtol=1e-5
        )
        known = labels.visibility[animal] > 0
        np.testing.assert_allclose(
            sample.condition[known, :2], labels.keypoints[animal][known] + 2, rtol=1e-5
        )
    measured = view.with_pipeline_of(PoseDataset(herd, mode="test", view="instance"))
    assert not measured[0].instances.visibility.any()


def test_of_several_models_one_is_drawn_for_an_animal_in_each_epoch(herd):
    data = PoseDataset(herd, None, "train", view="instance")
    models = [of_labels(data, shift=shift, poses=True) for shift in (2.0, 4.0)]
    models.append(of_labels(data, drop=1, shift=6.0, poses=True))
    view = PoseDataset(herd, None, "train", view="instance", proposals=models)
    assert len(view) == len(data)

    def shift_of(index: int) -> float:
        sample = view[index]
        own = data.annotations(sample.meta.image_id).keypoints[sample.meta.instance]
        known = sample.instances.visibility[0] > 0
        assert np.ptp(sample.condition[known, :2] - own[known]) < 1e-3
        return round(float((sample.condition[known, :2] - own[known]).mean()))

    drawn = []
    for epoch in range(12):
        view.set_epoch(epoch)
        drawn.append([shift_of(index) for index in (0, len(view) - 1)])
        assert shift_of(0) == drawn[-1][0]
    seen = [set(column) for column in zip(*drawn, strict=True)]
    assert {2, 4} in seen or {2, 4, 6} in seen
    with pytest.raises(DataError, match="proposals of 3 models are to learn from"):
        data.with_proposals(models)
    measured = view.with_pipeline_of(PoseDataset(herd, mode="test", view="instance"))
    assert len(measured.proposed.models) == 1


def test_animals_that_nobody_proposes_are_kept_where_asked_for_and_get_a_made_condition(herd):
    found = of_labels(PoseDataset(herd, mode="train", view="instance"), drop=1, poses=True)
    steps = [GenerativeCondition(p=0), ConditionBox(), CropInstance((32, 32))]
    options = dict(mode="train", view="instance", proposals=found)
    plain = PoseDataset(herd, None, **options, unmatched="keep")
    without = [i for i in range(len(plain)) if plain[i].condition is None]
    assert len(without) == len(plain.records)
    view = PoseDataset(herd, steps, **options, unmatched="keep")
    assert all(view[i].condition[:, 2].any() for i in range(len(view)))
    assert collate([view[i] for i in range(len(view))]).condition is not None
    with pytest.raises(DataError, match="unmatched must be 'drop' or 'keep'"):
        PoseDataset(herd, None, **options, unmatched="lose")


def test_poses_of_other_keypoints_are_boxes_with_a_warning_and_no_choice(herd, caplog):
    record = PoseDataset(herd, mode="test").records[0]
    found = ImageProposals(
        np.float32([[5, 6, 30, 30]]),
        np.ones(1, np.float32),
        np.ones((1, 2, 3), np.float32),
        np.array([False]),
    )
    other = Proposals([(record.image_id, None, found)], "two.json")
    data = PoseDataset(herd, None, "test", view="instance")
    assert data.with_proposals(other)[0].condition is None
    assert "two.json: poses of 2 keypoints, where the data has" in caplog.text
    with pytest.raises(DataError, match="those of several models must all fit"):
        data.with_proposals([other, of_labels(data, poses=True)], matched=True)
    with pytest.raises(DataError, match="an empty list"):
        data.with_proposals([])


def test_conditions_move_with_the_crop_and_make_a_batch(herd):
    data = PoseDataset(herd, [CropInstance((48, 64))], "test", view="instance")
    view = data.with_proposals(of_labels(data, poses=True))
    batch = collate([view[i] for i in range(len(view))])
    assert batch.condition.shape == (len(view), data.info.num_keypoints, 3)
    expected = (
        view.proposed.models[0].of(data.records[0].image_id, data.records[0].name).keypoints[0]
    )
    back = batch.condition[0, :, :2] @ batch.matrix[0, :, :2].T + batch.matrix[0, :, 2]
    known = expected[:, 2] > 0
    np.testing.assert_allclose(back.numpy()[known], expected[known, :2], atol=0.01)


def test_boxes_made_of_keypoints_get_the_margin_and_what_lies_outside_is_left_out(herd):
    record = PoseDataset(herd, mode="test").records[0]
    keypoints = np.float32([[[50, 60, 1]] * 2, [[500, 60, 1]] * 2, [[0, 0, 0]] * 2])
    found = ImageProposals(
        np.float32([[50, 60, 0, 0], [500, 60, 0, 0], [-9, -9, 5, 5]]),
        np.ones(3, np.float32),
        keypoints,
        np.array([True, True, False]),
    )
    data = PoseDataset(
        *(herd, None, "test"),
        view="instance",
        box_margin=7,
        proposals=Proposals([(record.image_id, None, found)]),
    )
    assert len(data) == 1
    assert data[0].instances.boxes.tolist() == [[43, 53, 14, 14]]
    assert data[0].condition is None  # of two keypoints, where the data has more


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"images": []}, "holds no proposals: COCO results are wanted"),
        ([[1]], "holds no proposals"),
        ([{"bbox": [1, 1, 1, 1], "score": 1}], "result 0 has the image_id None"),
        ([{"image_id": 1, "bbox": [1, 1, 1, 1]}], "result 0: score must be one number, not None"),
        ([{"image_id": 1, "score": 1}], "result 0 has neither a bbox nor keypoints"),
        ([{"image_id": 1, "score": 1, "bbox": [1, 1, -1, 1]}], "bbox must be x, y, width and"),
        ([{"image_id": 1, "score": 1, "bbox": [1, 1, 0, 1]}], "has no area, and there are no key"),
        ([{"image_id": 1, "score": 1, "bbox": [1, None, 2, 1]}], "bbox must be x, y, width and"),
        ([{"image_id": 1, "score": 1, "keypoints": [1, 1]}], "keypoints must be x, y and score"),
        (
            [{"image_id": i, "score": 1, "keypoints": [1, 1, 1] * (i + 1)} for i in range(2)],
            "poses of 1 and of 2 keypoints; all must have the same",
        ),
        ([{"image_id": 1, "score": 1, "bbox": [1] * 4, "file_name": 3}], "file_name must be"),
    ],
)
def test_files_that_are_no_proposals_are_refused(tmp_path, content, message):
    path = tmp_path / "found.json"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError) as caught:
        Proposals.read(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_or_damaged_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"there is no file of proposals .*no\.json"):
        Proposals.read(tmp_path / "no.json")
    (tmp_path / "half.json").write_text("[{")
    with pytest.raises(DataError, match=r"half\.json is not valid JSON"):
        Proposals.read(tmp_path / "half.json")
    with pytest.raises(DataError, match="must be Proposals or the path of a file, not 3"):
        Proposals.read(3)


def test_labels_do_for_proposals_and_other_categories_are_left_out(tmp_path, herd):
    content = herd.to_coco()
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(content))
    found = Proposals.read(path)
    assert len(found) == len([a for a in content["annotations"] if a["category_id"] == 1])
    assert set(found.of(1, content["images"][0]["file_name"]).scores) == {1}
    rows = [{"image_id": 1, "category_id": c, "bbox": [1, 1, c, c], "score": 1} for c in (1, 2, 2)]
    path.write_text(json.dumps(rows))
    assert len(Proposals.read(path)) == 3
    assert len(Proposals.read(path, [2])) == 2
    assert len(Proposals.read(path, [5])) == 3  # of a file that knows none of them all count


def test_proposals_that_do_not_fit_are_refused(herd):
    elsewhere = Proposals([(1, "no.png", of_boxes([1, 1, 2, 2]))], "found.json")
    with pytest.raises(DataError, match=r"found\.json: 1 proposals, none of them in an image of"):
        PoseDataset(herd, view="instance", proposals=elsewhere)
    with pytest.raises(DataError, match="set view='instance'"):
        PoseDataset(herd, proposals=elsewhere)
    name = PoseDataset(herd).records[0].name
    tiny = Proposals([(1, name, of_boxes([0, 0, 1, 1]))])
    with pytest.raises(DataError, match="none of the proposals is like a labelled animal"):
        PoseDataset(herd, view="instance", proposals=tiny)


def test_proposals_are_poses_to_be_measured_those_of_images_without_any_too(herd):
    data = PoseDataset(herd, mode="test", view="instance")
    assert data.proposed_poses() is None
    record = data.records[0]
    points = np.float32([[[50, 60, 0.5], *[[0, 0, 0]] * (data.info.num_keypoints - 1)]])
    found = of_boxes([40, 50, 20, 20], scores=[0.7], keypoints=points)
    view = data.with_proposals(Proposals([(record.image_id, None, found)]))
    images = view.proposed_poses()
    assert [meta.image_id for meta, _ in images] == [r.image_id for r in data.records]
    meta, poses = images[0]
    assert meta.size == data.image(record.image_id).shape[:2]
    assert poses.keypoints[0, 0, 0].tolist() == [50, 60]
    assert poses.keypoints[0, 0, 1:].isnan().all()
    assert poses.instance_scores[0, 0] == pytest.approx(0.7)
    assert all(len(p.valid[0]) == 0 for _, p in images[1:])
    assert data.with_proposals(of_labels(data)).proposed_poses() is None
