"""What may follow DEKR's poses: rescoring, and keypoints moved onto their heatmaps."""

from __future__ import annotations

import copy

import pytest
import torch

from dlcreg.models.codecs.dekr import DEKROffsets
from dlcreg.models.codecs.rescoring import PoseRescorer, best_oks

SIZE = (160, 224)
CHAIN = [(0, 1), (1, 2), (2, 3)]


def make(**options) -> DEKROffsets:
    return DEKROffsets(num_keypoints=4, skeleton=CHAIN, stride=4, **options)


@pytest.fixture
def two(label):
    """Two animals, the second one turned."""
    animal = torch.tensor([[0.0, 0.0], [20.0, 0.0], [40.0, 5.0], [60.0, 0.0]])
    return label(torch.stack([animal + 30, animal.flip(-1) + 90])[None])


@pytest.fixture
def outcomes(label, targets_as_outputs):
    """Images of animals that lie down, whose poses are right, and that stand, which are not."""
    draw = torch.Generator().manual_seed(1)
    codec, batches = make(), []
    for _ in range(8):
        animal = torch.tensor([[0.0, 0.0], [20.0, 0.0], [40.0, 5.0], [60.0, 0.0]])
        lying = animal + torch.rand(4, 1, 1, 2, generator=draw) * 40 + 10
        standing = animal.flip(-1) + torch.rand(4, 1, 1, 2, generator=draw) * 40 + 80
        instances = label(torch.cat([lying, standing], dim=1))
        outputs = targets_as_outputs(codec, instances, SIZE)
        wrong = instances.keypoints.clone()
        wrong[:, 1] += 25
        batches.append((outputs, label(wrong)))
    return batches


def test_until_it_is_trained_scores_are_as_without_it(two, targets_as_outputs):
    plain, rescored = make(), make(rescore=True)
    outputs = targets_as_outputs(plain, two, SIZE)
    ours, theirs = plain.decode(outputs), rescored.decode(outputs)
    assert torch.equal(ours.instance_scores, theirs.instance_scores)
    assert torch.equal(ours.keypoints, theirs.keypoints)


def test_poses_that_are_wrong_are_learnt_to_be_worth_less(outcomes):
    codec = make(rescore=True)
    assert codec.calibrates
    report = codec.calibrate(outcomes)
    assert "learnt from 64 poses" in report["rescoring"]
    outputs, _ = outcomes[0]
    before, after = make().decode(outputs), codec.decode(outputs)
    assert (before.instance_scores[before.valid] > 0.5).all()
    standing = after.keypoints[:, :2, 0, 1] > 75
    assert (after.instance_scores[:, :2][standing] < 0.2).all()
    assert (after.instance_scores[:, :2][~standing] > 0.5).all()
    # the best animal comes first
    assert not standing[:, 0].any()


def test_what_was_learnt_travels_with_the_state_and_the_optimizer_leaves_it_alone(outcomes):
    codec, other = make(rescore=True), make(rescore=True)
    codec.calibrate(outcomes)
    assert not any(p.requires_grad for p in codec.parameters())
    other.load_state_dict(codec.state_dict())
    outputs, _ = outcomes[0]
    scores = [one.decode(outputs).instance_scores for one in (codec, other)]
    assert torch.equal(*scores)


def test_where_nothing_is_found_scores_stay_as_they_are(outcomes):
    codec = make(rescore=True)
    before = copy.deepcopy(codec.state_dict())
    outputs, labels = outcomes[0]
    empty = {name: torch.zeros_like(value) for name, value in outputs.items()}
    assert "no pose" in codec.calibrate([(empty, labels)])["rescoring"]
    assert all(torch.equal(value, before[name]) for name, value in codec.state_dict().items())


def test_similarity_is_that_of_coco(two):
    points = two.keypoints.clone()
    points[0, 0, :, 0] += 3
    oks = best_oks(points, two, [0.1])
    area = float(two.areas[0, 0])
    expected = torch.exp(torch.tensor(-9 / (2 * 0.2**2 * max(area, 1.0))))
    assert torch.allclose(oks[0], torch.stack([expected, torch.tensor(1.0)]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(limbs=[]), "the data has no skeleton"),
        (dict(limbs=[(0, 9)]), "keypoints end at 3"),
        (dict(torso=[3]), "limbs end at 2"),
        (dict(oks_sigma=[0.1, 0.2]), "one for each of the 4"),
        (dict(oks_sigma=0), "positive"),
    ],
)
def test_a_network_that_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make(rescore=True, **options)


def test_without_rescoring_there_is_nothing_to_calibrate():
    assert not make().calibrates
    with pytest.raises(NotImplementedError, match="nothing to calibrate"):
        make().calibrate([])


def test_a_pose_does_not_change_its_features_with_place_and_size():
    network = PoseRescorer(4, CHAIN)
    points, scores = torch.rand(5, 4, 2) * 100, torch.rand(5, 4)
    seen = network.features(points, scores)
    assert seen.shape == (5, 3 * 3 + 4)
    assert torch.allclose(seen, network.features(points * 3 + 7, scores), atol=1e-4)


@pytest.mark.parametrize(("snap", "near"), [("peak", 2.1), ("fit", 0.3)])
def test_keypoints_that_were_regressed_badly_find_their_peaks(two, targets_as_outputs, snap, near):
    outputs = targets_as_outputs(make(), two, SIZE)
    outputs["offset"] = outputs["offset"] + torch.where(outputs["offset"] != 0, 1.0, 0.0)

    def missed(poses):
        apart = (poses.keypoints[:, :2, None] - two.keypoints[:, None]).abs().amax(dim=(-1, -2))
        return float(apart.amin(dim=1).max())

    assert missed(make().decode(outputs)) > 3.9
    assert missed(make(snap=snap).decode(outputs)) < near


def test_peaks_that_are_too_far_are_left_alone(two, targets_as_outputs):
    outputs = targets_as_outputs(make(), two, SIZE)
    outputs["offset"] = outputs["offset"] + torch.where(outputs["offset"] != 0, 1.0, 0.0)
    plain = make().decode(outputs)
    near = make(snap="peak", snap_distance=1.0).decode(outputs)
    assert torch.equal(plain.keypoints, near.keypoints)
