"""Metrics against values computed by hand, and against pycocotools called directly."""

import contextlib
import io
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcreg.solvers.evaluation import measure
from dlcreg.solvers.metrics.identity import IdentityAccuracy
from dlcreg.solvers.metrics.matching import match, object_similarity
from dlcreg.solvers.metrics.oks import CocoOKS
from dlcreg.solvers.metrics.pck import AUC, PCK
from dlcreg.solvers.metrics.pixel_error import PixelError
from dlcreg.solvers.metrics.unique import UniqueKeypoints
from dlcreg.structures import DatasetInfo, Instances, Meta, Poses

NAMES = ("nose", "hip", "tail")


def info(individuals=1, sigmas=()):
    return DatasetInfo(NAMES, num_individuals=individuals, sigmas=sigmas)


def labels(points, visibility=None, boxes=None, areas=None):
    points = np.asarray(points, np.float32)
    count = len(points)
    visibility = np.full(points.shape[:2], 2) if visibility is None else visibility
    return Instances(
        keypoints=points,
        visibility=np.asarray(visibility, np.uint8),
        boxes=np.zeros((count, 4), np.float32) if boxes is None else np.asarray(boxes, np.float32),
        areas=np.zeros(count, np.float32) if areas is None else np.asarray(areas, np.float32),
        valid=np.ones(count, bool),
        ids=np.arange(count),
    )


def poses(points, scores=None, valid=None, instance_scores=None):
    points = torch.as_tensor(np.asarray(points, np.float32))[None]
    shape = points.shape[:3]
    scores = torch.ones(shape) if scores is None else torch.tensor(scores).float()[None]
    means = scores.mean(-1) if instance_scores is None else torch.as_tensor(instance_scores)[None]
    valid = torch.ones(shape[:2], dtype=torch.bool) if valid is None else torch.tensor([valid])
    return Poses(points, scores, means.float(), valid)


def run(metric, images, about=None):
    metric.reset(about or info())
    for number, (predicted, labelled) in enumerate(images):
        metric.update(predicted, labelled, Meta(number, f"img{number}.png", (30, 40)))
    return metric.compute()


TRUE = np.array([[10.0, 10.0], [20.0, 10.0], [30.0, 10.0]])


def beside(distance):
    return off(distance, distance, distance)


def off(*distances):
    return [[x, y + d] for (x, y), d in zip(TRUE, distances, strict=True)]


def test_mean_error_and_rmse_by_hand():
    values = run(PixelError(), [(poses([off(3, 4, 5)]), labels([TRUE]))])
    assert values["mean_error_px"] == pytest.approx(4)
    assert values["rmse_px"] == pytest.approx(math.sqrt((9 + 16 + 25) / 3))
    assert values["per_keypoint"]["tail"]["mean_error_px"] == pytest.approx(5)
    assert values["counts"]["keypoints"] == 3


def test_unlabelled_keypoints_do_not_count():
    labelled = labels([[TRUE[0], [0, 0], TRUE[2]]], visibility=[[1, 0, 2]])
    values = run(PixelError(), [(poses([off(3, 400, 5)]), labelled)])
    assert values["mean_error_px"] == pytest.approx(4)
    assert math.isnan(values["per_keypoint"]["hip"]["rmse_px"])
    assert values["per_keypoint"]["hip"]["count"] == 0


def test_the_cut_off_leaves_out_unsure_keypoints():
    images = [(poses([off(1, 2, 90)], scores=[[0.6, 0.9, 0.59]]), labels([TRUE]))]
    values = run(PixelError(pcutoff=0.6), images)
    assert values["mean_error_px"] == pytest.approx(31)
    assert values["mean_error_px_pcutoff"] == pytest.approx(1.5)
    assert values["rmse_px_pcutoff"] == pytest.approx(math.sqrt(2.5))
    assert values["counts"]["keypoints_pcutoff"] == 2


def test_a_single_animal_is_compared_however_far_it_is_off():
    # the four frames of which DeepLabCut's training metrics forget two
    images = [(poses([off(d, d, d)]), labels([TRUE])) for d in (1, 1, 2000, 2000)]
    assert run(PixelError(), images)["mean_error_px"] == pytest.approx(1000.5)


def test_several_animals_are_matched_and_the_rest_is_counted():
    first, second = TRUE, beside(100)
    nowhere = beside(100_000)
    predicted = poses([nowhere, beside(102), beside(1)], scores=[[0.9] * 3, [0.8] * 3, [0.7] * 3])
    third = beside(5000)
    values = run(PixelError(), [(predicted, labels([first, second, third]))], info(3))
    assert values["mean_error_px"] == pytest.approx(1.5)
    counts = values["counts"]
    assert (counts["animals"], counts["missed_animals"], counts["false_animals"]) == (2, 1, 1)


def test_the_surer_prediction_chooses_first():
    both = poses([beside(1), beside(3)], scores=[[0.5] * 3, [0.9] * 3])
    values = run(PixelError(), [(both, labels([TRUE]))], info(2))
    assert values["mean_error_px"] == pytest.approx(3)
    assert values["counts"]["false_animals"] == 1


def test_flat_animals_are_found_too():
    flat = [[10.0, 10], [200, 10], [400, 10]]
    predicted = poses([np.add(flat, [0, 30])])
    values = run(PixelError(), [(predicted, labels([flat]))], info(2))
    assert values["mean_error_px"] == pytest.approx(30)
    one = labels([TRUE], visibility=[[2, 0, 0]], areas=[900])
    values = run(PixelError(), [(poses([beside(5)]), one)], info(2))
    assert values["mean_error_px"] == pytest.approx(5)


def test_keypoints_that_were_not_found_are_counted():
    points = np.array(off(1, 1, 1))
    points[1] = np.nan
    values = run(PixelError(), [(poses([points]), labels([TRUE]))])
    assert values["mean_error_px"] == pytest.approx(1)
    assert values["counts"]["missed_keypoints"] == 1


def test_padding_is_not_a_prediction():
    predicted = poses([off(1, 1, 1), TRUE], valid=[True, False])
    assert run(PixelError(), [(predicted, labels([TRUE]))])["mean_error_px"] == pytest.approx(1)


@pytest.mark.parametrize("metric", [PixelError(), PCK(), AUC(), CocoOKS()])
def test_nothing_labelled_is_not_a_number(metric):
    nothing = labels([TRUE], visibility=[[0, 0, 0]])
    values = run(metric, [(poses([TRUE]), nothing)])
    assert all(math.isnan(values[key]) for key in metric.keys)


@pytest.mark.parametrize("metric", [PixelError(), PCK(), AUC(), CocoOKS()])
def test_nothing_predicted_is_no_error(metric):
    nothing = poses(np.zeros((0, 3, 2)))
    values = run(metric, [(nothing, labels([TRUE]))])
    assert set(metric.keys) <= set(values)
    if isinstance(metric, PixelError):
        assert values["counts"]["missed_animals"] == 1
    else:
        assert all(values[key] == 0 for key in metric.keys)


@pytest.mark.parametrize("metric", [PixelError(), PCK(), AUC(), CocoOKS()])
def test_the_declared_keys_are_the_scalars(metric):
    values = run(metric, [(poses([off(1, 2, 3)]), labels([TRUE]))])
    assert {key for key, value in values.items() if isinstance(value, float)} == set(metric.keys)


def test_pck_by_hand():
    boxes = [[10, 10, 20, 8]]  # the longer side is 20: thresholds of 2 and 4 pixels
    values = run(PCK([0.1, 0.2]), [(poses([off(2, 3, 5)]), labels([TRUE], boxes=boxes))])
    assert values["pck@0.1"] == pytest.approx(1 / 3)
    assert values["pck@0.2"] == pytest.approx(2 / 3)
    assert values["pck"] == {"0.1": values["pck@0.1"], "0.2": values["pck@0.2"]}
    assert [values["per_keypoint"][name]["pck@0.2"] for name in NAMES] == [1, 1, 0]


@pytest.mark.parametrize(
    ("normalize", "length", "key"),
    [
        ("px", 1.0, "pck@0.5_px"),
        ("image", 50.0, "pck@0.5_image"),
        (("nose", "tail"), 20.0, "pck@0.5_nose_tail"),
        ("box", 20.0, "pck@0.5"),
    ],
)
def test_pck_by_other_lengths(normalize, length, key):
    limit = 0.5 * length
    images = [(poses([off(limit * 0.99, limit * 1.01, 0)]), labels([TRUE]))]
    assert run(PCK([0.5], normalize), images)[key] == pytest.approx(2 / 3)


def test_keypoints_of_missed_animals_are_wrong():
    animals = labels([TRUE, beside(500)])
    values = run(PCK([0.2]), [(poses([TRUE]), animals)], info(2))
    assert values["pck@0.2"] == 0.5


def test_auc_is_the_area_under_pck():
    points = [(poses([off(0.5, 2.5, 8)]), labels([TRUE])), (poses([off(4, 7, 1)]), labels([TRUE]))]
    thresholds = np.linspace(0, 10, 2001)[1:]
    curve = [run(PCK([t], "px"), points)[f"pck@{t:g}_px"] for t in thresholds[::40]]
    assert run(AUC(10, "px"), points)["auc_px"] == pytest.approx(np.mean(curve), abs=0.02)


def test_names_that_the_data_lack_are_told():
    with pytest.raises(ValueError, match=r"no keypoint 'elbow'\. It has: nose, hip, tail"):
        PCK(normalize=("nose", "elbow")).reset(info())


def reference_oks(images, sigmas):
    """COCO's own evaluation, with all that it asks for, on the same animals."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth, found = [], []
    for number, (predicted, labelled) in enumerate(images, start=1):
        for i in range(len(labelled.keypoints)):
            flat = np.column_stack([labelled.keypoints[i], labelled.visibility[i]])
            truth.append(
                {
                    "id": len(truth) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "keypoints": flat.reshape(-1).tolist(),
                    "num_keypoints": int((labelled.visibility[i] > 0).sum()),
                    "area": float(labelled.areas[i]),
                    "bbox": labelled.boxes[i].tolist(),
                    "iscrowd": 0,
                }
            )
        for i in range(predicted.keypoints.shape[1]):
            flat = np.column_stack([predicted.keypoints[0, i], np.ones(3)])
            found.append(
                {
                    "image_id": number,
                    "category_id": 1,
                    "keypoints": flat.reshape(-1).tolist(),
                    "score": float(predicted.instance_scores[0, i]),
                }
            )
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": n + 1, "width": 40, "height": 30} for n in range(len(images))],
            "annotations": truth,
            "categories": [{"id": 1, "name": "animal"}],
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(found), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.array(sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[[0, 1, 2, 5]]


def random_images(seed, count=6):
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(count):
        animals = rng.integers(1, 4)
        points = rng.uniform(0, 300, (animals, 1, 2)) + rng.uniform(0, 60, (animals, 3, 2))
        visibility = rng.choice([0, 1, 2], (animals, 3), p=[0.2, 0.2, 0.6])
        visibility[:, 0] = 2
        areas = rng.uniform(500, 4000, animals)
        boxes = np.concatenate([points.min(1), np.ptp(points, axis=1)], axis=1)
        noise = rng.normal(0, rng.choice([1, 4, 15]), points.shape)
        scores = rng.uniform(0, 1, animals)
        images.append(
            (
                poses(points + noise, instance_scores=scores),
                labels(points, visibility, boxes, areas),
            )
        )
    return images


@pytest.mark.parametrize("seed", range(5))
def test_oks_is_that_of_pycocotools(seed):
    sigmas = (0.05, 0.1, 0.08)
    images = random_images(seed)
    values = run(CocoOKS(), images, info(3, sigmas))
    want = reference_oks(images, sigmas)
    have = [values[key] for key in ("oks_ap", "oks_ap50", "oks_ap75", "oks_ar")]
    np.testing.assert_allclose(have, want, atol=1e-12)


def test_oks_prints_nothing(capsys):
    run(CocoOKS(), random_images(0), info(3))
    assert capsys.readouterr() == ("", "")


def test_animals_with_too_few_keypoints_are_not_asked_for():
    one_keypoint = labels([TRUE, beside(90)], [[2, 2, 2], [2, 0, 0]], areas=[400, 9])
    predicted = poses([TRUE])
    assert run(CocoOKS(), [(predicted, one_keypoint)], info(2))["oks_ar"] == 0.5
    assert run(CocoOKS(min_keypoints=2), [(predicted, one_keypoint)], info(2))["oks_ar"] == 1


def test_a_wrong_number_of_sigmas_is_told():
    with pytest.raises(ValueError, match="sigmas has 2 entries, the data set 3 keypoints"):
        CocoOKS(sigmas=(0.1, 0.1)).reset(info())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(-200, 200), st.floats(-200, 200))
def test_moving_everything_changes_no_metric(seed, dx, dy):
    images = random_images(seed, count=2)
    moved = []
    for predicted, labelled in images:
        shift = np.array([dx, dy], np.float32)
        boxes = labelled.boxes + np.array([dx, dy, 0, 0], np.float32)
        other = labels(labelled.keypoints + shift, labelled.visibility, boxes, labelled.areas)
        points = predicted.keypoints[0].numpy() + shift
        moved.append((poses(points, instance_scores=predicted.instance_scores[0].tolist()), other))
    for metric in (PixelError(), AUC(0.5), CocoOKS()):
        here, there = run(metric, images, info(3)), run(metric, moved, info(3))
        for key in metric.keys:
            assert there[key] == pytest.approx(here[key], abs=1e-3, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 5), st.integers(0, 5))
def test_a_match_is_one_to_one_and_nobody_is_lost(seed, predictions, animals):
    rng = np.random.default_rng(seed)
    labelled = labels(rng.uniform(0, 50, (animals, 3, 2)), rng.integers(0, 3, (animals, 3)))
    predicted = poses(rng.uniform(0, 50, (predictions, 3, 2)))
    pairs, missed, false = match(predicted, labelled)
    assert len({p for p, _ in pairs}) == len({n for _, n in pairs}) == len(pairs)
    assert len(pairs) + missed == int((labelled.visibility > 0).any(1).sum())
    assert len(pairs) + false == predictions


def test_similarity_by_hand():
    similarity = object_similarity(
        np.array([off(3, 4, 5)]),
        np.array([TRUE]),
        np.array([[True, True, False]]),
        np.array([100.0]),
        np.array([0.1, 0.2, 0.1]),
    )
    want = (math.exp(-9 / (200 * 0.04)) + math.exp(-16 / (200 * 0.16))) / 2
    assert similarity == pytest.approx(np.array([[want]]))


def test_tables_of_several_metrics_are_merged():
    class Data:
        info = info()

        def annotations(self, image_id):
            return labels([TRUE])

    images = [(Meta(0, "a.png", (30, 40)), poses([off(1, 1, 1)]))]
    values = measure(images, Data(), [PixelError(), PCK([0.2]), PCK([5.0], "px"), AUC()])
    assert set(values["per_keypoint"]["nose"]) >= {"mean_error_px", "pck@0.2", "pck@5_px", "auc"}
    assert values["pck"] == {"0.2": 1.0, "5_px": 1.0}


# -- several animals -------------------------------------------------------------------------------


def several(predicted, who=None, scores=None):
    made = poses(predicted)
    made.identities = None if who is None else torch.tensor([who])
    made.identity_scores = None if scores is None else torch.tensor(scores)[None]
    return made


def test_misses_and_false_animals_are_shares_that_can_be_compared():
    images = [
        (poses([beside(1), off(500, 500, 500)]), labels([TRUE])),  # one false
        (poses([beside(3)]), labels([TRUE, TRUE + 300])),  # one missed
    ]
    values = run(PixelError(), images, info(2))
    assert values["missed_rate"] == pytest.approx(1 / 3)
    assert values["false_rate"] == pytest.approx(1 / 3)
    assert values["counts"]["missed_animals"] == values["counts"]["false_animals"] == 1
    assert values["mean_error_px"] == pytest.approx(2)


def test_keypoints_that_were_not_found_are_missed_and_no_error():
    found = poses([off(2, 4, 0)], [[0.9, 0.9, 0.0]])
    found.keypoints[0, 0, 2] = math.nan
    values = run(PixelError(), [(found, labels([TRUE]))], info(2))
    assert values["mean_error_px"] == pytest.approx(3)
    assert values["counts"]["missed_keypoints"] == 1
    assert values["missed_rate"] == 0
    right = run(PCK((5,), "px"), [(found, labels([TRUE]))], info(2))
    assert right["pck@5_px"] == pytest.approx(2 / 3)


def known():
    return replace(info(2), individuals=("anne", "bert"), identified=True)


def test_identities_are_right_of_matched_animals():
    labelled = labels([TRUE, TRUE + 300])
    images = [
        (several([TRUE, TRUE + 300], [0, 1]), labelled),  # both right
        (several([TRUE + 300, TRUE], [0, 1]), labelled),  # the one for the other
        (several([TRUE], [0]), labelled),  # one missed: counts neither way
        (several([TRUE, TRUE + 300], [-1, 1]), labelled),  # one of whom nothing is said
    ]
    values = run(IdentityAccuracy(), images, known())
    assert values["identity_accuracy"] == pytest.approx((2 + 0 + 1 + 1) / (2 + 2 + 1 + 2))
    assert math.isnan(values["identity_keypoint_accuracy"])


def test_identities_of_single_keypoints_have_a_table():
    labelled = labels([TRUE], visibility=[[2, 2, 0]])
    scores = [[[0.9, 0.1], [0.2, 0.8], [0.9, 0.1]]]
    values = run(IdentityAccuracy(), [(several([TRUE], [0], scores), labelled)], known())
    assert values["identity_keypoint_accuracy"] == pytest.approx(0.5)
    table = {name: row["identity_accuracy"] for name, row in values["per_keypoint"].items()}
    assert (table["nose"], table["hip"]) == (1, 0)
    assert math.isnan(table["tail"])


def test_animals_that_nobody_knows_do_not_count():
    labelled = labels([TRUE, TRUE + 300])
    labelled.ids[1] = -1
    predicted = several([TRUE, TRUE + 300], [1, 1])
    assert run(IdentityAccuracy(), [(predicted, labelled)], known())["identity_accuracy"] == 0


def test_identities_cannot_be_measured_where_they_are_not_known():
    with pytest.raises(ValueError, match="does not say who is who"):
        IdentityAccuracy().reset(info(2))


def test_unique_body_parts_are_measured_by_any_metric_under_their_own_keys():
    corners = DatasetInfo(("left", "right"))
    about = replace(info(2), unique=corners)
    labelled, predicted = labels([TRUE]), poses([TRUE])
    labelled.unique = labels([[[5.0, 5.0], [50.0, 5.0]]])
    predicted.unique = poses([[[5.0, 8.0], [50.0, 6.0]]])
    images = [(predicted, labelled), (poses([TRUE]), labelled)]  # in the other none was found
    metric = UniqueKeypoints(PixelError())
    values = run(metric, images, about)
    assert set(metric.keys) == {f"unique_{key}" for key in PixelError().keys}
    assert values["unique_mean_error_px"] == pytest.approx(2)
    assert values["unique_missed_rate"] == pytest.approx(1 / 2)
    assert values["per_keypoint"]["left"]["mean_error_px"] == pytest.approx(3)
    assert values["unique"]["counts"]["keypoints"] == 2
    assert UniqueKeypoints(PCK()).higher_is_better
    with pytest.raises(ValueError, match="no unique body parts"):
        metric.reset(info(2))
