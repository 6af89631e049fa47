"""Data sets: the right images, keypoints and crops, the same sample for the same numbers."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from dlcreg.data.dataset import PoseDataset
from dlcreg.data.module import DataModule
from dlcreg.data.split import Split
from dlcreg.data.transforms.geometric import Affine, Crop, CropInstance, Flip, Resize
from dlcreg.errors import DataError


def test_the_stored_split_decides_the_parts(shared, openfield):
    path = shared / "data" / "splits" / "openfield_80.json"
    parts = [PoseDataset(openfield, mode=mode, split=path) for mode in ("train", "test")]
    assert [len(part) for part in parts] == [92, 24]
    split = Split.load(path)
    assert parts[1].images == split.test
    assert parts[1][3].meta.path == split.test[3]


def test_a_sample_holds_the_labels_of_its_image(openfield):
    dataset = PoseDataset(openfield, mode="test")
    for index in range(len(dataset)):
        sample = dataset[index]
        row = openfield.images.index(sample.meta.path)
        np.testing.assert_allclose(sample.instances.keypoints, openfield.keypoints[row], rtol=1e-6)
        assert sample.meta.image_id == row
        assert sample.meta.size == (480, 640) == sample.image.shape[:2]
        np.testing.assert_array_equal(sample.matrix, np.eye(2, 3))


def test_boxes_and_areas_are_the_extent_of_the_labels(openfield):
    dataset = PoseDataset(openfield, mode="test", box_margin=10)
    labels = dataset[0].instances
    low, high = labels.keypoints[0].min(0), labels.keypoints[0].max(0)
    np.testing.assert_allclose(labels.areas[0], np.prod(high - low), rtol=1e-5)
    expected = np.maximum(low - 10, 0)
    np.testing.assert_allclose(labels.boxes[0, :2], expected, rtol=1e-5)
    np.testing.assert_allclose(labels.boxes[0, :2] + labels.boxes[0, 2:], high + 10, rtol=1e-5)


def test_the_info_is_what_parts_are_wired_with(openfield, flies):
    info = PoseDataset(openfield).info
    assert info.flip_pairs == ((1, 2),)
    assert info.num_individuals == 1
    assert info.wiring()["keypoint_names"] == ("snout", "leftear", "rightear", "tailbase")
    info = PoseDataset(flies).info
    assert info.num_individuals == 2
    assert (3, 4) in info.flip_pairs
    assert len(info.flip_pairs) == 5
    assert (1, 0) in info.skeleton
    assert PoseDataset(flies, view="instance").info.num_individuals == 1


def test_keypoints_can_be_chosen_and_ordered(openfield):
    dataset = PoseDataset(openfield, keypoint_names=["tailbase", "rightear", "leftear"])
    whole = PoseDataset(openfield)
    assert dataset.info.flip_pairs == ((2, 1),)
    np.testing.assert_array_equal(
        dataset[0].instances.keypoints[0], whole[0].instances.keypoints[0][[3, 2, 1]]
    )


def test_an_instance_view_gives_every_labelled_animal_once(flies):
    dataset = PoseDataset(flies, view="instance", split={"train_fraction": 1})
    animals = np.isfinite(flies.keypoints).all(-1).any(-1)
    assert len(dataset) == animals.sum() == 160
    seen = {(dataset[i].meta.path, dataset[i].meta.instance) for i in range(len(dataset))}
    assert len(seen) == 160
    sample = dataset[1]
    assert sample.instances.keypoints.shape == (1, 13, 2)
    assert sample.instances.ids.tolist() == [1]
    whole = dataset.annotations(sample.meta.image_id)
    np.testing.assert_array_equal(sample.instances.keypoints[0], whole.keypoints[1])


def test_an_instance_crop_holds_its_animal_and_leads_back(flies):
    dataset = PoseDataset(flies, [CropInstance((128, 128))], view="instance")
    for index in range(0, len(dataset), 7):
        sample = dataset[index]
        assert sample.image.shape == (128, 128, 3)
        labels = dataset.annotations(sample.meta.image_id)
        who = sample.meta.instance
        np.testing.assert_array_equal(sample.instances.visibility[0], labels.visibility[who])
        back = sample.instances.keypoints[0] @ sample.matrix[:, :2].T + sample.matrix[:, 2]
        shown = labels.visibility[who] > 0
        np.testing.assert_allclose(back[shown], labels.keypoints[who][shown], atol=0.01)


def test_what_leaves_the_picture_has_no_label_but_stays_annotated(openfield):
    dataset = PoseDataset(openfield, [Crop((64, 64), position="center")])
    outside = [i for i in range(len(dataset)) if not len(dataset[i].instances)]
    assert outside
    labels = dataset.annotations(dataset[outside[0]].meta.image_id)
    assert (labels.visibility == 2).all()


def test_a_sample_follows_from_seed_epoch_and_index_alone(demo):
    transform = [Affine(rotation=90, scale=(0.5, 1.5))]
    first, second = PoseDataset(demo, transform, seed=1), PoseDataset(demo, transform, seed=1)
    second[5], second[0]
    np.testing.assert_array_equal(first[3].image, second[3].image)
    np.testing.assert_array_equal(first[3].matrix, second[3].matrix)
    first.set_epoch(1)
    assert not np.array_equal(first[3].matrix, second[3].matrix)
    second.set_epoch(1)
    np.testing.assert_array_equal(first[3].matrix, second[3].matrix)
    split = first.split
    other = PoseDataset(demo, transform, seed=2, split=split)
    assert not np.array_equal(PoseDataset(demo, transform, seed=1)[3].matrix, other[3].matrix)


def test_the_same_samples_can_be_seen_through_another_pipeline(openfield):
    train = PoseDataset(openfield, [Affine(rotation=30), Crop((100, 100))])
    test = PoseDataset(openfield, [Resize(scale=0.5)], mode="test")
    view = train.with_pipeline_of(test)
    assert len(view) == len(train)
    assert view[0].image.shape == (240, 320, 3)
    assert train[0].image.shape == (100, 100, 3)


@pytest.mark.parametrize("view", ["image", "instance"])
def test_what_is_done_to_a_sample_changes_no_stored_label_and_no_stored_frame(demo, view):
    def erase(sample):
        labels = sample.instances
        for array in (sample.image, labels.keypoints, labels.visibility, labels.boxes, labels.ids):
            array[:] = 0
        return sample

    plain = PoseDataset(demo, view=view)
    dataset = PoseDataset(demo, erase, view=view)
    for ruined in (dataset[0], plain[0]):
        erase(ruined)
    image_id = plain[0].meta.image_id
    dataset.annotations(image_id).keypoints[:] = 0
    assert plain[0].image.any()
    assert plain[0].instances.visibility.any()
    for name in ("keypoints", "visibility", "boxes", "areas", "valid", "ids"):
        stored = getattr(dataset.annotations(image_id), name)
        np.testing.assert_array_equal(stored, getattr(plain.annotations(image_id), name))
    assert dataset.annotations(image_id).keypoints.any()


def test_a_data_set_is_iterated_to_its_end(demo):
    assert len(list(PoseDataset(demo, mode="test"))) == len(PoseDataset(demo, mode="test"))
    with pytest.raises(IndexError):
        PoseDataset(demo)[999]


def mirroring():
    """Return three ways to ask for mirror images."""
    import albumentations as A
    from torchvision.transforms import v2

    return [Flip(0.5), A.Compose([A.HorizontalFlip()]), v2.RandomHorizontalFlip()]


@pytest.mark.parametrize("number", range(3))
def test_mirror_images_without_known_twins_are_told_of_once(demo, caplog, number):
    names = ["snout", "leftear", "spine"]
    PoseDataset(demo, [mirroring()[number]], keypoint_names=names)
    (line,) = [record.getMessage() for record in caplog.records]
    assert "(snout, leftear, spine) tell of no left and right: none are swapped" in line


def test_keypoints_that_look_sided_but_have_no_twin_are_told_of(maker, caplog):
    maker.write_config(bodyparts=["leftear", "rightear", "pawL", "FR", "nose"])
    maker.labels()
    PoseDataset(maker.root, [Flip(0.5)])
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == (
        "Flip mirrors images, but no twin was found of pawL, FR: what looks like left or right by "
        "its name is not swapped. Give flip_pairs=[[left, right], ...] with all pairs"
    )
    PoseDataset(maker.root, [Flip(0.5)], flip_pairs=[["leftear", "rightear"]])
    assert len(caplog.records) == 1


@pytest.mark.parametrize("number", range(3))
def test_mirror_images_are_not_told_of_where_twins_are_known_or_said_to_be_none(
    demo, caplog, number
):
    PoseDataset(demo, [mirroring()[number]])
    PoseDataset(demo, [mirroring()[number]], keypoint_names=["snout", "spine"], flip_pairs=[])
    PoseDataset(demo, [Flip(0.0), Affine(30)], keypoint_names=["snout", "spine"])
    assert caplog.records == []


def test_a_flip_made_by_hand_learns_the_twins_from_the_data_set(demo):
    flip = Flip(1.0)
    plain, mirrored = PoseDataset(demo), PoseDataset(demo, [flip])
    whole = next(i for i in range(len(plain)) if plain[i].instances.visibility.all())
    expected = plain[whole].instances.keypoints[0][[0, 2, 1, 3, 4, 5]] * [-1, 1] + [127, 0]
    np.testing.assert_allclose(mirrored[whole].instances.keypoints[0], expected, atol=1e-4)
    assert flip.flip_pairs is None


def test_a_data_set_survives_the_way_to_a_spawned_worker(demo):
    dataset = PoseDataset(demo, [Affine(rotation=90), Crop((64, 64))])
    copied = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(copied[3].image, dataset[3].image)
    np.testing.assert_array_equal(copied[3].matrix, dataset[3].matrix)


def test_unique_body_parts_can_be_learned_on_their_own(maker):
    maker.write_config(
        multianimalproject=True,
        individuals=["a"],
        multianimalbodyparts=["nose", "leftear"],
        uniquebodyparts=["corner"],
        bodyparts="MULTI!",
    )
    folder = maker.root / "labeled-data" / "vid"
    maker.labels(3)
    (folder / "CollectedData_ann.h5").unlink()
    (folder / "CollectedData_ann.csv").write_text(
        "scorer,,,ann,ann,ann,ann\nindividuals,,,a,a,single,single\n"
        "bodyparts,,,nose,nose,corner,corner\ncoords,,,x,y,x,y\n"
        "labeled-data,vid,img00.png,1,2,3,4\nlabeled-data,vid,img01.png,5,6,7,8\n"
    )
    dataset = PoseDataset(maker.root, keypoint_names=["corner"], split={"train_fraction": 1})
    assert dataset.info.keypoint_names == ("corner",)
    assert dataset[1].instances.keypoints.tolist() == [[[7, 8]]]
    with pytest.raises(DataError, match="'corner' is a unique body part and belongs to no animal"):
        PoseDataset(maker.root, keypoint_names=["nose", "corner"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"keypoint_names": ["snot"]},
            "keypoint_names: there is no keypoint 'snot'. Did you mean 'snout'? There are: "
            "snout, leftear, rightear, spine, tailbase, tailtip",
        ),
        ({"keypoint_names": []}, "keypoint_names must name each keypoint once: "),
        (
            {"flip_pairs": [["leftear", "rightea"]]},
            "flip_pairs: there is no keypoint 'rightea'. Did you mean 'rightear'?",
        ),
        ({"flip_pairs": [[1, 2], [2, 3]]}, "flip_pairs: 'rightear' stands in two places"),
        ({"flip_pairs": ["leftear"]}, "flip_pairs must be pairs of keypoints, not 'leftear'"),
        ({"skeleton": [[0, 9]]}, "skeleton: there is no keypoint 9; there are 6"),
        ({"sigmas": [0.1]}, "sigmas must be 6 positive numbers, one for each keypoint"),
        ({"sigmas": [float("nan")] * 6}, "sigmas must be 6 positive numbers"),
        ({"mode": "validate"}, "mode must be 'train', 'val' or 'test', not 'validate'"),
        ({"view": "crop"}, "view must be 'image' or 'instance', not 'crop'"),
        ({"box_margin": np.nan}, "box_margin is a number of pixels from 0 on, not nan"),
        ({"split": {"fraction": 0.5}}, "split takes no 'fraction'; it takes train_fraction"),
        ({"split": Split(("x.png",))}, "names images that demo-dlcreg-2024-01-01 has no labels"),
        (
            {"split": {"train_fraction": 1}, "mode": "test"},
            "the test part of the split has no images: change train_fraction, or the split",
        ),
        ({"split": Split(())}, "the train part of the split has no images"),
        ({"seed": -1}, "seed must not be negative"),
        ({"seed": "a"}, "seed must be a whole number, not 'a'"),
        ({"split": {"seed": 1.5}}, "seed must be a whole number, not 1.5"),
        ({"split": {"seed": -1}}, "seed must not be negative: -1"),
        ({"split": {"train_fraction": "0.8"}}, "train_fraction must be a number, not '0.8'"),
        ({"split": {"val_fraction": None}}, "val_fraction must be a number, not None"),
        ({"split": 5}, "split must be a Split, the path of one, or a dict that says how to"),
        ({"cache": -1}, "cache is a number of bytes, not -1"),
    ],
)
def test_options_that_cannot_be_are_refused(demo, options, message):
    with pytest.raises(DataError) as caught:
        PoseDataset(demo, **options)
    assert message in str(caught.value)


def test_an_image_of_another_part_has_no_annotations_here(demo):
    train, test = PoseDataset(demo), PoseDataset(demo, mode="test")
    with pytest.raises(DataError, match="the test part has no image with id"):
        test.annotations(train[0].meta.image_id)


# -- the data of a run -------------------------------------------------------------------------


def test_an_empty_validation_part_is_none(demo):
    module = DataModule(PoseDataset(demo), PoseDataset(demo, mode="val"))
    assert module.val is None
    split = {"train_fraction": 0.8, "val_fraction": 0.25}
    module = DataModule(
        PoseDataset(demo, split=split), PoseDataset(demo, mode="val", split=split), batch_size=3
    )
    assert len(module.val) == 4
    assert len(module.loader(module.val)) == 2
    assert len(module.train_loader(seed=0)) == 4


def test_parts_with_different_keypoints_are_refused(demo):
    with pytest.raises(DataError, match="test has the keypoints snout, but train has snout, left"):
        DataModule(PoseDataset(demo), test=PoseDataset(demo, mode="test", keypoint_names=["snout"]))


@pytest.mark.parametrize("option", ["batch_size", "eval_batch_size"])
def test_a_batch_holds_at_least_one_sample(demo, option):
    with pytest.raises(DataError, match=f"^{option} must be at least 1, not 0"):
        DataModule(PoseDataset(demo), **{option: 0})


def test_parts_that_share_some_images_are_refused(demo):
    train = PoseDataset(demo)
    test = PoseDataset(demo, mode="test", split={"train_fraction": 0.5})
    shared = sorted(set(train.images) & set(test.images))
    says = f"{len(shared)} of the 10 images of test are images of train, too, such as "
    with pytest.raises(DataError, match=says) as caught:
        DataModule(train, test=test)
    assert shared[0] in str(caught.value)
    assert str(caught.value).endswith("if it is meant so, set data.allow_overlap=True")
    assert DataModule(train, test=test, allow_overlap=True).test is test


def test_images_are_the_same_by_whatever_link_they_are_reached(demo, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(demo.root, target_is_directory=True)
    test = PoseDataset(link, mode="test", split={"train_fraction": 0.5})
    with pytest.raises(DataError, match="of the 10 images of test are images of train"):
        DataModule(PoseDataset(demo), test=test)


def test_two_parts_of_the_very_same_images_are_told(demo, caplog):
    DataModule(PoseDataset(demo), test=PoseDataset(demo))
    assert "train and test are the same 16 images: the numbers of test say how" in caplog.text
    assert "data.allow_overlap=True" in caplog.text
    caplog.clear()
    DataModule(PoseDataset(demo), test=PoseDataset(demo), allow_overlap=True)
    assert not caplog.text


def test_validation_images_that_nothing_uses_are_told(demo, caplog):
    split = {"train_fraction": 0.8, "val_fraction": 0.25}
    DataModule(PoseDataset(demo, split=split))
    assert "4 images of the split are for validation, and nothing uses them" in caplog.text
    assert "add data.val, or set val_fraction=0" in caplog.text
