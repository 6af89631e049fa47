"""COCO files: AP-10K, the flies, and what a project gives."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from dlcreg.data.batching import collate
from dlcreg.data.dataset import CocoDataset, PoseDataset
from dlcreg.data.transforms.geometric import CropInstance
from dlcreg.errors import DataError
from dlcreg.solvers.metrics.matching import match
from dlcreg.solvers.metrics.oks import CocoOKS
from dlcreg.structures import Meta, Poses


@pytest.fixture
def ap10k(shared):
    return shared / "data" / "coco-keypoints" / "ap10k" / "annotations" / "test_ap10k.json"


@pytest.fixture
def fly_file(shared):
    return shared / "data" / "flies-sleap-2020-01-01" / "coco" / "keypoints_train.json"


def test_ap10k_is_read_with_images_found_beside_the_annotations(ap10k):
    dataset = CocoDataset(ap10k)
    assert len(dataset) == 2
    assert dataset.info.num_keypoints == 17
    assert dataset.info.num_individuals == 1
    assert len(dataset.info.flip_pairs) == 7
    assert dataset.info.skeleton[0] == (0, 1)
    sample = dataset[0]
    assert sample.image.shape == (867, 1200, 3)
    assert sample.instances.boxes.tolist() == [[66, 192, 1092, 512]]
    assert sample.instances.areas.tolist() == [559104]
    assert sample.meta.image_id == 37516
    assert (sample.instances.visibility > 0).sum() == 16


def test_categories_are_chosen_by_name_or_id(ap10k):
    content = json.loads(ap10k.read_text())
    category = content["annotations"][0]["category_id"]
    name = next(c["name"] for c in content["categories"] if c["id"] == category)
    assert [len(CocoDataset(ap10k, categories=[key])) for key in (category, name)] == [1, 1]
    with pytest.raises(DataError, match=r"has no category 'dodo'\. It has: antelope"):
        CocoDataset(ap10k, categories=["dodo"])


def test_flies_give_crops_whose_labels_lead_back(fly_file):
    dataset = CocoDataset(fly_file, transform=[CropInstance((96, 96))], view="instance")
    assert len(dataset) == 120
    assert dataset.info.num_individuals == 1
    for index in (0, 1, 50):
        sample = dataset[index]
        labels = dataset.annotations(sample.meta.image_id)
        shown = labels.visibility[sample.meta.instance] > 0
        back = sample.instances.keypoints[0] @ sample.matrix[:, :2].T + sample.matrix[:, 2]
        expected = labels.keypoints[sample.meta.instance]
        np.testing.assert_allclose(back[shown], expected[shown], atol=0.01)
        assert sample.instances.visibility[0].sum() == 2 * shown.sum()


def test_the_coco_file_of_a_project_gives_the_projects_samples(herd, tmp_path):
    path = tmp_path / "herd.json"
    path.write_text(json.dumps(herd.to_coco()))
    coco = CocoDataset(path, herd.root)
    project = PoseDataset(herd, split={"train_fraction": 1})
    assert coco.info.keypoint_names == project.info.keypoint_names
    assert coco.info.skeleton == project.info.skeleton
    assert coco.info.flip_pairs == project.info.flip_pairs
    for index in range(len(project)):
        ours, theirs = coco[index].instances, project[index].instances
        np.testing.assert_allclose(ours.keypoints, theirs.keypoints, rtol=1e-6)
        np.testing.assert_array_equal(ours.visibility, theirs.visibility)
        np.testing.assert_array_equal(ours.ids, theirs.ids)
        np.testing.assert_allclose(ours.areas, theirs.areas, rtol=1e-5)


def test_images_of_different_sizes_make_one_batch(ap10k):
    dataset = CocoDataset(ap10k)
    batch = collate([dataset[0], dataset[1]])
    assert batch.images.shape == (2, 3, 867, 1200)
    assert (batch.images[1, :, 683:] == 0).all()
    np.testing.assert_array_equal(
        batch.images[1, :, :683, :1024].numpy(), dataset[1].image.transpose(2, 0, 1)
    )


def test_a_split_divides_a_coco_file_too(fly_file):
    options = {"split": {"train_fraction": 0.5}, "seed": 3}
    train, test = (CocoDataset(fly_file, mode=mode, **options) for mode in ("train", "test"))
    assert (len(train), len(test)) == (30, 30)
    assert not set(train.images) & set(test.images)


def test_coco_persons_have_coco_sigmas(tmp_path, demo):
    names = ["nose"] + [
        f"{side}_{part}"
        for part in ["eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"]
        for side in ("left", "right")
    ]
    content = minimal(names, demo.images[0])
    path = tmp_path / "persons.json"
    path.write_text(json.dumps(content))
    info = CocoDataset(path, demo.root).info
    assert info.sigmas[0] == 0.026
    assert info.sigmas[-1] == 0.089
    assert CocoDataset(path, demo.root, keypoint_names=["left_hip"]).info.sigmas == (0.107,)


def minimal(names, image="a.png"):
    return {
        "images": [{"id": 1, "file_name": image}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [5, 6, 2] * len(names)}
        ],
        "categories": [{"id": 1, "name": "animal", "keypoints": list(names)}],
    }


def test_animals_without_a_box_get_one_and_crowds_are_left_out(tmp_path, demo):
    content = minimal(["a", "b"], demo.images[0])
    content["annotations"][0]["keypoints"] = [20, 30, 2, 40, 60, 1]
    content["annotations"].append(
        {**content["annotations"][0], "id": 2, "iscrowd": 1, "bbox": [0, 0, 9, 9]}
    )
    content["annotations"].append(
        {"id": 3, "image_id": 1, "category_id": 1, "keypoints": [0, 0, 0, 0, 0, 0]}
    )
    path = tmp_path / "c.json"
    path.write_text(json.dumps(content))
    labels = CocoDataset(path, demo.root, box_margin=5)[0].instances
    assert labels.boxes.tolist() == [[15, 25, 30, 40]]
    assert labels.areas.tolist() == [600]
    assert labels.visibility.tolist() == [[2, 1]]


def herd_file(tmp_path, demo, *animals, **image):
    """Write a file of one image whose animals have the given values beside their keypoints."""
    content = minimal(["a", "b"], demo.images[0])
    content["images"][0].update(image)
    base = {"image_id": 1, "category_id": 1, "keypoints": [20, 30, 2, 40, 60, 1]}
    content["annotations"] = [{**base, "id": i, **one} for i, one in enumerate(animals, start=1)]
    path = tmp_path / "herd.json"
    path.write_text(json.dumps(content))
    return path


def test_a_box_is_made_only_for_the_animal_that_has_none(tmp_path, demo):
    path = herd_file(
        *(tmp_path, demo),
        {"bbox": [1, 2, 50, 70], "area": 99},
        {},
        {"bbox": [20, 30, 0, 9], "area": 0},
    )
    labels = CocoDataset(path, demo.root, box_margin=5).annotations(1)
    assert labels.boxes.tolist() == [[1, 2, 50, 70], [15, 25, 30, 40], [15, 25, 30, 40]]
    assert labels.areas.tolist() == [99, 600, 600]


def test_a_box_is_cut_at_the_border_of_its_image(tmp_path, demo):
    path = herd_file(tmp_path, demo, {"bbox": [-10, -5, 50, 70]}, {"bbox": [100, 80, 90, 90]})
    labels = CocoDataset(path, demo.root).annotations(1)
    assert labels.boxes.tolist() == [[0, 0, 40, 65], [100, 80, 28, 16]]


@pytest.mark.parametrize("size", [{}, {"width": 128, "height": 96}])
def test_a_box_outside_its_image_is_refused(tmp_path, demo, size):
    path = herd_file(tmp_path, demo, {}, {"bbox": [130, 10, 20, 20]}, **size)
    with pytest.raises(DataError, match="lies outside the image of 128 x 96 pixels") as caught:
        CocoDataset(path, demo.root).annotations(1)
    if size:
        assert f"{path}: annotation 2 of image 1: bbox [130, 10, 20, 20]" in str(caught.value)


@pytest.mark.parametrize("box", [[1, 2, -3, 4], [1, 2, 3, float("nan")]])
@pytest.mark.parametrize("crowd", [0, 1])
def test_a_box_of_sides_that_are_none_is_refused(tmp_path, demo, box, crowd):
    path = herd_file(tmp_path, demo, {}, {"bbox": box, "iscrowd": crowd})
    with pytest.raises(DataError, match=r"annotation 2 of image 1: bbox .* has a side that is neg"):
        CocoDataset(path, demo.root)


def test_animals_without_keypoints_are_left_out_whatever_their_box(tmp_path, demo):
    bare = {"bbox": [1, 2, 30, 40], "keypoints": [0] * 6}
    path = herd_file(tmp_path, demo, {}, bare, {"bbox": [1, 2, 30, 40], "keypoints": []})
    assert len(CocoDataset(path, demo.root)[0].instances) == 1
    assert len(CocoDataset(path, demo.root, view="instance")) == 1


def test_what_is_found_in_a_crowd_is_no_mistake(tmp_path, demo):
    crowd = {"iscrowd": 1, "bbox": [60, 40, 40, 30], "keypoints": [0] * 6}
    path = herd_file(tmp_path, demo, {"area": 900}, crowd)
    data = CocoDataset(path, demo.root)
    labels = data.annotations(1)
    assert len(labels) == len(data[0].instances) == 1
    assert labels.crowds.tolist() == [[60, 40, 40, 30]]
    keypoints = torch.tensor([[[[70.0, 50], [80, 60]], [[20, 30], [40, 60]], [[5, 90], [9, 95]]]])
    scores = torch.tensor([[0.9, 0.8, 0.1]])
    valid = torch.ones(1, 3, dtype=torch.bool)
    poses = Poses(keypoints, scores[..., None].expand(1, 3, 2), scores, valid)
    meta, metric = Meta(1, data.images[0], (96, 128)), CocoOKS()
    found = {}
    for name, seen in (("crowd", labels), ("none", replace(labels, crowds=None))):
        metric.reset(data.info)
        metric.update(poses, seen, meta)
        found[name] = metric.compute()["oks_ap"]
        found[name + " false"] = match(poses, seen)[2]
    assert found["crowd"] == pytest.approx(1)
    assert found["none"] == pytest.approx(0.5)
    assert (found["crowd false"], found["none false"]) == (1, 2)


def broken(change):
    content = minimal(["a", "b"])
    change(content)
    return content


def changed(key, **values):
    return broken(lambda content: content[key][0].update(values))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "is no COCO keypoint file: it needs a list of 'images'"),
        (broken(lambda c: c.pop("annotations")), "it needs a list of 'annotations'"),
        (broken(lambda c: c["images"][0].pop("file_name")), "an image needs 'id' and 'file_name'"),
        (broken(lambda c: c["categories"][0].pop("keypoints")), "has no category with keypoints"),
        (
            broken(lambda c: c["annotations"][0].update(keypoints=[1, 2, 2])),
            "annotation 1 has 3 numbers for 2 keypoints; x, y and visibility of each are wanted",
        ),
        (
            broken(lambda c: c["annotations"][0].update(image_id=9)),
            "an annotation is for image_id 9, which does not exist",
        ),
        (broken(lambda c: c["images"].append(5)), "images must be a list of objects; one is 5"),
        (broken(lambda c: c["annotations"].append(None)), "annotations must be a list of objects"),
        (broken(lambda c: c["categories"][0].pop("id")), "a category has the id None; it must be"),
        (broken(lambda c: c["images"].append(c["images"][0])), "two images have the id 1; give"),
        (changed("images", id=[1]), "an image has the id [1]; it must be a whole number"),
        (changed("images", file_name=7), "image 1 has the file_name 7; it must be a path below"),
        (changed("images", width="64"), "image 1 has the width '64'; it must be a number of"),
        (changed("annotations", image_id=None), "annotation 1 has the image_id None; it must"),
        (
            changed("categories", keypoints="ab"),
            "category 'animal': keypoints must be a list of names, not 'ab'",
        ),
        (
            changed("categories", skeleton=[[1, 99]]),
            "category 'animal': skeleton must be pairs of the numbers 1 to 2 of its keypoints, "
            "not [1, 99]",
        ),
        (changed("categories", skeleton=5), "of its keypoints, not 5"),
        (
            changed("annotations", keypoints=[1, 2, 0.9, 1, 2, 2]),
            "annotation 1: a keypoint has visibility 0.9; 0 (not labelled), 1 (occluded) and 2 "
            "(visible) are known",
        ),
        (changed("annotations", keypoints=[1, 2, -1, 1, 2, 2]), "has visibility -1; 0 (not"),
        (
            changed("annotations", keypoints=["1", "2", "2"]),
            "annotation 1: keypoints must be numbers, not ['1', '2', '2']",
        ),
        (
            changed("annotations", bbox=[1, 2, 3]),
            "annotation 1: bbox must be x, y, width and height, not [1, 2, 3]",
        ),
        (changed("annotations", bbox="big"), "annotation 1: bbox must be numbers, not 'big'"),
        (changed("annotations", area="big"), "annotation 1: area must be numbers, not 'big'"),
        (changed("annotations", area=[1]), "annotation 1: area must be one number, not [1]"),
        (broken(lambda c: c["annotations"].clear()), "has no image with a labelled animal"),
        (
            broken(lambda c: c["categories"].append({"id": 2, "name": "o", "keypoints": ["z"]})),
            "categories 'animal' and 'o' have different keypoints; choose with categories=[...]",
        ),
        (minimal(["a", "b"]), "a.png was not found; give image_root=..."),
    ],
)
def test_files_that_cannot_be_read_are_refused(tmp_path, content, message):
    path = tmp_path / "deep" / "annotations.json"
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    with pytest.raises(DataError) as caught:
        CocoDataset(path)
    assert message in str(caught.value)


def test_what_is_null_is_not_given(tmp_path, demo):
    content = minimal(["a", "b"], demo.images[0])
    first = content["annotations"][0]
    first.update(keypoints=[5, 6, 2, None, None, None], bbox=None, area=None, track_id=None)
    content["annotations"].append({**first, "id": 2, "keypoints": None})
    content["categories"][0]["skeleton"] = None
    path = tmp_path / "c.json"
    path.write_text(json.dumps(content))
    labels = CocoDataset(path, demo.root).annotations(1)
    assert labels.visibility.tolist() == [[2, 0]]
    assert labels.ids.tolist() == [-1]


def test_an_image_of_another_size_than_the_file_says_is_refused_whoever_asks(tmp_path, demo):
    content = minimal(["a"], demo.images[0])
    content["images"][0].update(width=5, height=4)
    path = tmp_path / "c.json"
    path.write_text(json.dumps(content))
    dataset = CocoDataset(path, demo.root)
    for ask in (lambda: dataset.annotations(1), lambda: dataset[0]):
        with pytest.raises(DataError) as caught:
            ask()
        assert str(caught.value) == (
            f"{demo.path(demo.images[0])} is 128 x 96 pixels, but was labelled at 5 x 4 by its "
            "annotation file: restore the image, or correct its width and height there"
        )


def test_a_missing_or_damaged_file_is_named(tmp_path):
    with pytest.raises(
        DataError, match="annotation_file must be the path of a COCO file, not None"
    ):
        CocoDataset(None)
    with pytest.raises(DataError, match=r"there is no annotation file .*no\.json"):
        CocoDataset(tmp_path / "no.json")
    path = tmp_path / "half.json"
    path.write_text('{"images": [')
    with pytest.raises(DataError, match=r"half\.json is not valid JSON"):
        CocoDataset(path)
    path.write_text(json.dumps(minimal(["a"])))
    with pytest.raises(DataError, match="there is no image folder"):
        CocoDataset(path, tmp_path / "images")
    with pytest.raises(DataError, match=r"image_root must be .* a folder, not \['mouse'\]; categ"):
        CocoDataset(path, ["mouse"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keypoint_names": ["a", "a"]}, "keypoint_names must name each keypoint once: a, a"),
        ({"split": {"by": "mouse"}}, "by must be 'image' or 'video', not 'mouse'"),
    ],
)
def test_options_that_cannot_be_are_refused(tmp_path, options, message):
    path = tmp_path / "two.json"
    path.write_text(json.dumps(minimal(["a", "b"])))
    with pytest.raises(DataError, match=message):
        CocoDataset(path, tmp_path, **options)
