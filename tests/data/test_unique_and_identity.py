"""Unique body parts and individuals, from the project to the batch."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcreg.data import CocoDataset, PoseDataset, Project, collate
from dlcreg.data.demo import generate
from dlcreg.data.demo_scene import BODYPARTS, CORNERS
from dlcreg.data.module import DataModule
from dlcreg.errors import DataError

ALL = {"train_fraction": 1}


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    """Two animals that are known apart, and four corners."""
    return generate(
        tmp_path_factory.mktemp("arena") / "project",
        frames=6, animals=2, size=(96, 128), video=False, corners=True, identity=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def anonymous(tmp_path_factory):
    """Two animals that nobody tells apart, without corners."""
    root = tmp_path_factory.mktemp("anonymous") / "project"
    return generate(root, frames=4, animals=2, size=(96, 128), video=False)


def test_a_data_set_tells_of_individuals_and_unique_body_parts(arena):
    info = PoseDataset(arena, split=ALL).info
    assert info.identified
    assert info.individuals == ("animal1", "animal2")
    assert info.keypoint_names == BODYPARTS
    assert info.unique.keypoint_names == CORNERS
    assert info.unique.flip_pairs == ((0, 1), (2, 3))
    wired = info.wiring()
    assert wired["individuals"] == ("animal1", "animal2")
    assert wired["num_unique_keypoints"] == 4
    assert wired["unique_keypoint_names"] == CORNERS


def test_individuals_are_known_apart_only_where_that_is_said(arena, anonymous):
    info = PoseDataset(anonymous, split=ALL).info
    assert (info.identified, info.unique) == (False, None)
    assert info.wiring()["individuals"] == ()
    assert info.wiring()["num_unique_keypoints"] == 0
    assert PoseDataset(anonymous, split=ALL, identity=True).info.identified
    assert not PoseDataset(arena, split=ALL, identity=False).info.identified


def test_labels_hold_the_corners_once(arena):
    dataset, project = PoseDataset(arena, split=ALL), Project(arena)
    for index in range(len(dataset)):
        sample = dataset[index]
        unique = sample.instances.unique
        row = project.images.index(sample.meta.path)
        wanted = np.nan_to_num(project.unique_keypoints[row])
        np.testing.assert_allclose(unique.keypoints[0], wanted, atol=1e-3)
        assert unique.keypoints.dtype == np.float32
        assert (unique.visibility[0] > 0).tolist() == (wanted != 0).any(axis=-1).tolist()


def test_corners_are_chosen_by_name_and_left_out(arena):
    chosen = PoseDataset(arena, split=ALL, unique_keypoint_names=["bottomleft", "topleft"])
    every = PoseDataset(arena, split=ALL)
    assert chosen.info.unique.keypoint_names == ("bottomleft", "topleft")
    both = every[0].instances.unique.keypoints[:, [2, 0]]
    np.testing.assert_array_equal(chosen[0].instances.unique.keypoints, both)
    none = PoseDataset(arena, split=ALL, unique_keypoint_names=[])
    assert none.info.unique is None
    assert none[0].instances.unique is None
    with pytest.raises(DataError, match="no unique body part 'lid'"):
        PoseDataset(arena, unique_keypoint_names=["lid"])
    with pytest.raises(DataError, match="give the one or the other"):
        PoseDataset(arena, keypoint_names=["topleft"], unique_keypoint_names=["topright"])


def test_crops_of_single_animals_have_no_unique_body_parts(arena):
    crops = PoseDataset(arena, split=ALL, view="instance")
    assert crops.info.unique is None
    assert crops[0].instances.unique is None
    assert crops.info.individuals == ("animal1", "animal2")
    assert {int(crops[i].instances.ids[0]) for i in range(len(crops))} == {0, 1}


STEPS = {
    "Flip": dict(type="Flip"),
    "Affine": dict(type="Affine", rotation=60, scale=(0.7, 1.3), translate=0.1, shear=8),
    "Crop": dict(type="Crop", size=(70, 90), position="keypoint"),
    "Resize": dict(type="Resize", scale=0.7),
    "Albumentations": dict(
        type="Albumentations",
        transform=[dict(type="HorizontalFlip"), dict(type="Affine", rotate=(-20, 20))],
    ),
    "Torchvision": dict(
        type="Torchvision",
        transform=[dict(type="RandomHorizontalFlip"), dict(type="RandomRotation", degrees=20)],
    ),
}


@pytest.fixture(scope="module")
def steps_of(arena):
    """The transforms, each built once."""
    return {n: PoseDataset(arena, [s], split=ALL).pipeline.transforms[0] for n, s in STEPS.items()}


@settings(max_examples=25)
@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=4), st.integers(0, 10_000))
def test_animals_and_corners_stay_who_they_are_whatever_is_done_to_the_image(
    arena, steps_of, steps, epoch
):
    dataset = PoseDataset(arena, [steps_of[name] for name in steps], split=ALL)
    dataset.set_epoch(epoch)
    sample = dataset[epoch % len(dataset)]
    truth = dataset.annotations(sample.meta.image_id)
    mirrored = np.linalg.det(sample.matrix[:, :2]) < 0
    groups = [(sample.instances.unique, truth.unique, [1, 0, 3, 2], [0])]
    rows = [truth.ids.tolist().index(who) for who in sample.instances.ids.tolist()]
    groups.append((sample.instances, truth, [0, 2, 1, 3, 4, 5], rows))
    for now, before, twins, row in groups:
        order = twins if mirrored else list(range(len(twins)))
        back = now.keypoints @ sample.matrix[:, :2].T + sample.matrix[:, 2]
        seen = now.visibility > 0
        wanted = before.keypoints[row][:, order]
        assert np.linalg.norm(back - wanted, axis=-1)[seen].max(initial=0) < 0.1
        assert (before.visibility[row][:, order] > 0)[seen].all()


def test_batches_hold_ids_and_corners(arena):
    dataset = PoseDataset(arena, split=ALL)
    samples = [dataset[i] for i in range(3)]
    samples[1].instances = dataset.annotations(samples[1].meta.image_id)
    batch = collate(samples)
    assert batch.instances.unique.keypoints.shape == (3, 1, 4, 2)
    assert batch.instances.unique.valid.all()
    assert batch.instances.unique.visibility.dtype == torch.uint8
    assert batch.instances.ids[0].tolist() == [0, 1]
    assert batch.to("meta").instances.unique.keypoints.device.type == "meta"
    samples[0].instances.unique = None
    with pytest.raises(DataError, match="some have none"):
        collate(samples)


# -- COCO ------------------------------------------------------------------------------------------


@pytest.fixture
def coco(arena, tmp_path):
    content = Project(arena).to_coco()

    def make(change=lambda content: None, **options):
        change(content)
        file = tmp_path / "labels.json"
        file.write_text(json.dumps(content))
        return CocoDataset(file, arena, **options)

    return make


def test_a_project_comes_back_whole_from_its_coco_file(arena, coco):
    mine, theirs = PoseDataset(arena, split=ALL), coco(individual_names=["animal1", "animal2"])
    assert theirs.info.unique == mine.info.unique
    assert theirs.info.wiring() == mine.info.wiring()
    by_path = {mine[i].meta.path: mine[i].instances for i in range(len(mine))}
    for index in range(len(theirs)):
        sample = theirs[index]
        one = by_path[sample.meta.path]
        for name in ("keypoints", "visibility"):
            for a, b in ((sample.instances, one), (sample.instances.unique, one.unique)):
                np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=1e-3)
        assert sample.instances.ids.tolist() == one.ids.tolist()


def test_individuals_of_a_coco_file_are_known_only_by_name(coco):
    assert not coco().info.identified
    with pytest.raises(DataError, match="has a track_id of 2"):
        coco(individual_names=["anne"])
    with pytest.raises(DataError, match="each individual once"):
        coco(individual_names=["anne", "anne"])


def test_the_category_of_unique_body_parts_can_be_read_as_animals(coco):
    dataset = coco(categories=["unique"])
    assert dataset.info.keypoint_names == CORNERS
    assert dataset.info.unique is None
    with pytest.raises(DataError, match="different keypoints"):
        coco(unique_category=None)


def test_unique_body_parts_that_exist_twice_are_told(coco):
    def twice(content):
        one = next(a for a in content["annotations"] if a["category_id"] == 2)
        content["annotations"].append(dict(one, id=1000))

    with pytest.raises(DataError, match="they exist once"):
        coco(twice)


def test_parts_with_other_unique_body_parts_are_refused(arena):
    train = PoseDataset(arena, split=ALL)
    other = PoseDataset(arena, split=ALL, unique_keypoint_names=["topleft"])
    with pytest.raises(DataError, match="has the unique body parts topleft"):
        DataModule(train, test=other, allow_overlap=True)
