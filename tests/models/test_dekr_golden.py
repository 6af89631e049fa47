"""DEKR's targets and decoding against those of the original and of DeepLabCut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dlcreg.models.codecs.centre_decoding import Search, read_maps
from dlcreg.models.codecs.dekr import DEKROffsets
from dlcreg.models.codecs.mirroring import mirror_images
from dlcreg.models.codecs.rescoring import PoseRescorer
from dlcreg.models.codecs.resizing import at_grid
from dlcreg.solvers.losses.huber import HuberLoss
from dlcreg.solvers.losses.mse import MSELoss

TWINS = torch.tensor([0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15])

LIMBS = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 6), (5, 7), (5, 11)]
LIMBS += [(6, 8), (6, 12), (7, 9), (8, 10), (11, 12), (11, 13), (12, 14), (13, 15), (14, 16)]
TORSO = (9, 11)


@pytest.fixture(scope="module")
def arrays(shared):
    return lambda name: np.load(shared / "golden" / "out" / f"{name}.npz")


def original(**options) -> DEKROffsets:
    """The codec as DEKR has it."""
    return DEKROffsets(
        anchor="corner",
        overlap="first",
        truncate=True,
        unlabelled="background",
        min_area=1024,
        read="pixel",
        shift_mirrored=True,
        stride=4,
        **options,
    )


def deeplabcut(**options) -> DEKROffsets:
    """The codec as DeepLabCut has it, for three animals."""
    known = dict(
        sigma=8.5 / 4,
        radius=17 / 4,
        anchor="deeplabcut",
        overlap="first",
        truncate=True,
        normalise_by="area",
        unlabelled="background",
        candidates=3,
        window=5,
        nms_keypoints=0,
        nms_order="centre",
        read="cell",
        activation="sigmoid",
        stride=4,
    )
    return DEKROffsets(**{**known, **options})


def distance(ours: torch.Tensor, theirs: np.ndarray) -> float:
    assert tuple(ours.shape) == theirs.shape
    return float(np.abs(ours.numpy() - theirs).max())


@pytest.fixture(scope="module")
def dekr_labels(arrays, label):
    joints = arrays("codec_dekr")["in/joints"]
    labels = label(joints[None, :, :-1, :2] * 4, joints[None, :, :-1, 2])
    # the last animal has no centre: it is too small
    return replace(labels, areas=torch.tensor([[2e3, 2e3, 2e3, 10.0]]))


def test_targets_are_dekr_s(arrays, dekr_labels):
    file = arrays("codec_dekr")
    targets = original().encode(dekr_labels, (256, 256))
    for name, arrays_of in (
        ("heatmap", ("heatmap", "mask")),
        ("offset", ("offset", "offset_weight")),
    ):
        for ours, theirs in zip(targets[name], arrays_of):
            assert distance(ours[0], file[f"out/{theirs}"]) < 2e-6, theirs


def test_losses_are_dekr_s(arrays, dekr_labels):
    file = arrays("codec_dekr")
    targets = original().encode(dekr_labels, (256, 256))
    predicted = {k: torch.tensor(file[f"in/pred_{k}"]) for k in ("heatmap", "offset")}
    # two centres were added to the map after the loss had been taken
    target, _ = targets["heatmap"]
    added = (predicted["heatmap"] - target).abs() > 0.09
    assert added.sum() == 2
    predicted["heatmap"][added] = target[added]
    losses = {
        "heatmap": (MSELoss(reduction="mean"), 3e-8),
        "offset": (HuberLoss(weight=0.03 * 9, delta=1 / 9), 1e-9),
    }
    for name, (loss, tolerance) in losses.items():
        ours = loss.weight * loss(predicted[name], *targets[name])
        assert ours.item() == pytest.approx(float(file[f"out/loss_{name}"]), abs=tolerance)


@pytest.fixture(scope="module")
def averaged(arrays):
    """The outputs of the flip test."""
    file = arrays("codec_dekr")
    plain, mirrored = (
        {k: torch.tensor(file[f"in/{kind}_{k}"]) for k in ("heatmap", "offset")}
        for kind in ("pred", "flip_pred")
    )
    back = original().flip(mirrored, TWINS)
    return {k: (plain[k] + back[k]) / 2 for k in plain}


def test_the_flip_test_is_dekr_s(arrays, averaged):
    file = arrays("codec_dekr")
    assert distance(averaged["heatmap"], file["out/flip_heatmap"]) == 0
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    poses = torch.stack([x, y]).repeat(17, 1, 1) - averaged["offset"]
    assert distance(poses, file["out/flip_posemap"]) < 1e-5


def test_mirrored_images_are_moved_as_dekr_moves_them(arrays):
    file = arrays("codec_dekr")
    moved = mirror_images(torch.tensor(file["in/image"]), original().mirrored_shift)
    assert distance(moved[..., -8:], file["out/flip_image_last8cols"]) == 0
    plain = DEKROffsets(anchor="corner", stride=4)
    assert plain.mirrored_shift == 0


def test_heatmaps_are_read_between_cells_as_dekr_upsamples_them(arrays, averaged):
    y, x = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    cells = torch.stack([x, y], dim=-1).flatten(0, 1)[None, :, None].expand(1, -1, 17, 2) / 4
    heatmap, theirs = averaged["heatmap"][:, :-1], arrays("codec_dekr")["out/heatmap_upsampled"]
    read = read_maps(heatmap, cells)[0].T.unflatten(1, (256, 256))
    assert distance(read[[0, 6, 12]], theirs) < 1e-6
    upsampled = at_grid(heatmap, torch.arange(256.0) / 4, torch.arange(256.0) / 4)[0]
    assert distance(upsampled[[0, 6, 12]], theirs) < 1e-6


def test_centres_are_found_as_dekr_finds_them(arrays, averaged):
    theirs = arrays("codec_dekr")["out/poses_before_nms"]
    search = Search(candidates=30, threshold=0.01, window=None)
    found = search(averaged["heatmap"][:, -1], averaged["offset"])
    assert found.found.all()
    assert distance(4 * found.cells[0], theirs[..., :2]) < 1e-4
    assert distance(found.centre[0], theirs[:, 0, 2]) == 0


def test_poses_are_dekr_s(arrays, averaged):
    file = arrays("codec_dekr")
    # halved, so that no score is above 1: what is clipped cannot be compared
    halved = {**averaged, "heatmap": averaged["heatmap"] / 2}
    poses = original(threshold=0.005).decode(halved)
    theirs = torch.tensor(file["out/poses_after_nms"])
    assert poses.valid.sum() == len(theirs)
    scores = theirs[..., 2].clamp(min=0) / 4
    for points, score in zip(theirs[..., :2], scores):
        apart = (poses.keypoints[0] - points).abs().amax(dim=(-1, -2))
        ours = int(apart.argmin())
        assert apart[ours] < 1e-4
        assert (poses.scores[0, ours] - score).abs().max() < 1e-6
        assert (poses.instance_scores[0, ours] - score.mean()).abs() < 1e-6
    assert distance(theirs[..., 2].mean(dim=-1), file["out/scores"]) < 1e-6


def test_keypoints_are_snapped_to_heatmaps_as_dekr_does(arrays, averaged):
    file = arrays("codec_dekr")
    halved = {**averaged, "heatmap": averaged["heatmap"] / 2}
    poses = original(threshold=0.005, snap="fit").decode(halved)
    theirs = torch.tensor(file["out/poses_matched_to_heatmap"])
    apart = (poses.keypoints[0, :, None] - theirs[..., :2]).abs().amax(dim=(-1, -2))
    assert len(poses.keypoints[0]) >= len(theirs)
    assert apart.amin(dim=0).max() < 1e-4


def test_the_rescoring_network_sees_what_dekr_s_does(arrays):
    file = arrays("codec_dekr")
    poses = torch.tensor(file["out/poses_after_nms"])
    features = PoseRescorer(17, LIMBS, TORSO).features(poses[..., :2], poses[..., 2])
    assert distance(features, file["out/rescore_feature"]) < 1e-6


@pytest.mark.parametrize(("keypoints", "limbs", "parameters"), [(17, 19, 85_249), (14, 15, 81_409)])
def test_the_rescoring_network_has_the_size_of_dekr_s(keypoints, limbs, parameters):
    network = PoseRescorer(keypoints, [(0, 1)] * limbs)
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.fixture(scope="module")
def dlc_labels(arrays, label):
    file = arrays("codec_dlc_dekr")
    keypoints = file["in/keypoints_with_center"][:, :, :-1]
    visible = keypoints[..., 2] > 0
    labels = label(np.where(visible[..., None], keypoints[..., :2], 0), visible)
    return replace(labels, areas=torch.tensor(file["in/area"]).float())


def test_targets_are_deeplabcut_s(arrays, dlc_labels):
    file = arrays("codec_dlc_dekr")
    targets = deeplabcut().encode(dlc_labels, (320, 320))
    undefined = torch.tensor((file["in/keypoints_with_center"][..., 2] < 0).any(axis=1))
    heatmap, weight = targets["heatmap"]
    assert distance(heatmap, file["out/heatmap"]) < 2e-6
    # DeepLabCut leaves the whole map out where a keypoint is undefined
    assert distance(weight[~undefined], file["out/heatmap_weights"][~undefined.numpy()]) == 0
    for ours, theirs in zip(targets["offset"], ("offset", "offset_weights")):
        assert distance(ours, file[f"out/{theirs}"]) < 1e-5


def test_losses_are_deeplabcut_s(arrays, dlc_labels):
    file = arrays("codec_dlc_dekr")
    targets = deeplabcut().encode(dlc_labels, (320, 320))
    target, _ = targets["heatmap"]
    targets["heatmap"] = (target, torch.tensor(file["out/heatmap_weights"]))
    losses = {"heatmap": MSELoss(reduction="mean"), "offset": HuberLoss(weight=9, delta=1 / 9)}
    for name, loss in losses.items():
        ours = loss.weight * loss(torch.tensor(file[f"in/pred_{name}"]), *targets[name])
        assert ours.item() == pytest.approx(float(file[f"out/loss_{name}"]), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("default", {}),
        ("nonms_center", dict(scores="centre", nms_keypoints=6)),
        ("heatmap_refined", dict(snap="peak", snap_distance=300)),
    ],
)
def test_poses_are_deeplabcut_s(arrays, name, options):
    file = arrays("codec_dlc_dekr")
    codec = deeplabcut(**options)
    outputs = {k: torch.tensor(file[f"in/pred_{k}"]) for k in ("heatmap", "offset")}
    poses = codec.decode(outputs)
    for image, theirs in enumerate(file[f"out/poses_{name}"]):
        theirs = torch.tensor(theirs[theirs[:, 0, 0] >= 0])
        theirs = theirs[theirs[..., 2].mean(dim=-1).argsort(descending=True)]
        valid = poses.valid[image]
        assert distance(poses.keypoints[image, valid], theirs[..., :2].numpy()) < 1e-4
        assert distance(poses.scores[image, valid], theirs[..., 2].numpy()) < 1e-6
