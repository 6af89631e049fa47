"""DEKR's targets and decoding against those of the original and of DeepLabCut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dlcreg.models.codecs.centre_decoding import Search, Selection, read_maps
from dlcreg.models.codecs.centre_targets import centres_of
from dlcreg.models.codecs.dekr import DEKROffsets
from dlcreg.models.codecs.mirroring import mirror_images
from dlcreg.models.codecs.rescoring import PoseRescorer
from dlcreg.models.codecs.resizing import at_grid
from dlcreg.models.codecs.snapping import fit_peaks
from dlcreg.solvers.losses.huber import HuberLoss
from dlcreg.solvers.losses.mse import MSELoss
from dlcreg.structures import Poses

TWINS = torch.tensor([0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15])

LIMBS = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 6), (5, 7), (5, 11)]
LIMBS += [(6, 8), (6, 12), (7, 9), (8, 10), (11, 12), (11, 13), (12, 14), (13, 15), (14, 16)]
TORSO = (9, 11)


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


def dekr_labels(file, label):
    joints = file["in/joints"]
    labels = label(joints[None, :, :-1, :2] * 4, joints[None, :, :-1, 2])
    # the last animal has no centre: it is too small
    return replace(labels, areas=torch.tensor([[2e3, 2e3, 2e3, 10.0]]))


@pytest.mark.codec_file("codec_dekr", "in/joints", "out/heatmap", "out/mask", "out/offset*")
def test_targets_are_dekr_s(codec_file, label):
    targets = original().encode(dekr_labels(codec_file, label), (256, 256))
    for name, weight in (("heatmap", "mask"), ("offset", "offset_weight")):
        for ours, theirs in zip(targets[name], (name, weight)):
            codec_file.compare(f"out/{theirs}", ours[0], atol=2e-6)


@pytest.mark.codec_file("codec_dekr", "in/joints", "in/area")
def test_centres_and_sizes_are_dekr_s(codec_file):
    joints = torch.tensor(codec_file["in/joints"])
    centres, diagonal = centres_of(joints[None, :, :-1, :2], joints[None, :, :-1, 2] > 0)
    assert torch.allclose(centres[0], joints[:, -1, :2])
    codec_file.compare("in/area", diagonal.T**2, rtol=1e-6)  # what DEKR has for areas


@pytest.mark.codec_file(
    "codec_dekr", "in/joints", "in/pred_heatmap", "in/pred_offset", "out/loss_*"
)
def test_losses_are_dekr_s(codec_file, label):
    targets = original().encode(dekr_labels(codec_file, label), (256, 256))
    predicted = {k: torch.tensor(codec_file[f"in/pred_{k}"]) for k in ("heatmap", "offset")}
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
        codec_file.compare(f"out/loss_{name}", ours, atol=tolerance)


def averaged(file):
    """The outputs of the flip test."""
    plain, mirrored = (
        {k: torch.tensor(file[f"in/{kind}_{k}"]) for k in ("heatmap", "offset")}
        for kind in ("pred", "flip_pred")
    )
    back = original().flip(mirrored, TWINS)
    return {k: (plain[k] + back[k]) / 2 for k in plain}


@pytest.mark.codec_file("codec_dekr", "in/*pred_*", "out/flip_heatmap", "out/flip_posemap")
def test_the_flip_test_is_dekr_s(codec_file):
    outputs = averaged(codec_file)
    codec_file.compare("out/flip_heatmap", outputs["heatmap"])
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    poses = torch.stack([x, y]).repeat(17, 1, 1) - outputs["offset"]
    codec_file.compare("out/flip_posemap", poses, atol=1e-5)


@pytest.mark.codec_file("codec_dekr", "in/image*", "out/flip_image_last8cols")
def test_mirrored_images_are_moved_as_dekr_moves_them(codec_file):
    image = torch.tensor(codec_file["in/image"])
    codec_file.compare("in/image_for_flip_first12cols", image[..., :12])
    moved = mirror_images(image, original().mirrored_shift)
    codec_file.compare("out/flip_image_last8cols", moved[..., -8:])
    plain = DEKROffsets(anchor="corner", stride=4)
    assert plain.mirrored_shift == 0


@pytest.mark.codec_file("codec_dekr", "in/*pred_*", "out/heatmap_upsampled")
def test_heatmaps_are_read_between_cells_as_dekr_upsamples_them(codec_file):
    heatmap = averaged(codec_file)["heatmap"][:, :-1]
    y, x = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    cells = torch.stack([x, y], dim=-1).flatten(0, 1)[None, :, None].expand(1, -1, 17, 2) / 4
    read = read_maps(heatmap, cells)[0].T.unflatten(1, (256, 256))
    upsampled = at_grid(heatmap, torch.arange(256.0) / 4, torch.arange(256.0) / 4)[0]
    for ours in (read, upsampled):
        codec_file.compare("out/heatmap_upsampled", ours[[0, 6, 12]], atol=1e-6)


def candidates(outputs):
    """The poses of all centres, before those found more than once are taken away."""
    search = Search(candidates=30, threshold=0.01, window=None)
    return search(outputs["heatmap"][:, -1], outputs["offset"])


@pytest.mark.codec_file("codec_dekr", "in/*pred_*", "out/poses_before_nms")
def test_centres_are_found_as_dekr_finds_them(codec_file):
    found = candidates(averaged(codec_file))
    assert found.found.all()
    centre = found.centre[0, :, None, None].expand(-1, 17, 1)
    ours = torch.cat([4 * found.cells[0], centre], dim=-1)
    codec_file.compare("out/poses_before_nms", ours, atol=[1e-4, 1e-4, 0])


def remaining(outputs) -> Poses:
    """The poses without those found more than once, in pixels; scores are not clipped."""
    found = candidates(outputs)
    heat = read_maps(outputs["heatmap"][:, :-1], torch.floor(4 * found.cells) / 4)
    poses = Selection(0.05, None, "heatmap", "combined", None)(found, heat)
    assert poses.valid[0].tolist() == [True] * 28 + [False] * 2
    return replace(poses, keypoints=4 * poses.keypoints)


def in_order_of(theirs, poses) -> tuple[torch.Tensor, torch.Tensor]:
    """x, y and scores ``(P, K, 3)`` of poses, and their own scores, in the order of others."""
    valid = poses.valid[0]
    points, scores = poses.keypoints[0, valid], poses.scores[0, valid]
    apart = (points - torch.tensor(theirs[:, None, :, :2])).abs().amax(dim=(-1, -2))
    order = apart.argmin(dim=1)
    assert sorted(order.tolist()) == list(range(len(theirs)))
    rows = torch.cat([points, scores[..., None]], dim=-1)
    return rows[order], poses.instance_scores[0, valid][order]


@pytest.mark.codec_file("codec_dekr", "in/*pred_*", "out/poses_after_nms", "out/scores")
def test_poses_are_dekr_s(codec_file):
    outputs, theirs = averaged(codec_file), codec_file["out/poses_after_nms"]
    rows, scores = in_order_of(theirs, remaining(outputs))
    codec_file.compare("out/poses_after_nms", rows, atol=[1e-4, 1e-4, 1e-6])
    codec_file.compare("out/scores", scores, atol=1e-6)
    # halved, so that no score is above 1: what is clipped cannot be compared
    halved = {**outputs, "heatmap": outputs["heatmap"] / 2}
    decoded, scores = in_order_of(theirs, original(threshold=0.005).decode(halved))
    assert torch.equal(decoded[..., :2], rows[..., :2])
    assert torch.allclose(decoded[..., 2], rows[..., 2].clamp(min=0) / 4, rtol=0, atol=1e-6)
    assert torch.allclose(scores, decoded[..., 2].mean(dim=-1), rtol=0, atol=1e-6)


@pytest.mark.codec_file("codec_dekr", "in/*pred_*", "out/poses_matched_to_heatmap")
def test_keypoints_are_snapped_to_heatmaps_as_dekr_does(codec_file):
    outputs, theirs = averaged(codec_file), codec_file["out/poses_matched_to_heatmap"]
    poses, codec = remaining(outputs), original(snap="fit")
    fitted = fit_peaks(
        outputs["heatmap"][:, :-1], poses, 30, codec.snap_distance, codec.sigma, 4.0, 0.0
    )
    rows, _ = in_order_of(theirs, replace(poses, keypoints=fitted))
    codec_file.compare("out/poses_matched_to_heatmap", rows, atol=[1e-4, 1e-4, 1e-6])
    halved = {**outputs, "heatmap": outputs["heatmap"] / 2}
    decoded, _ = in_order_of(theirs, original(threshold=0.005, snap="fit").decode(halved))
    assert torch.allclose(decoded[..., :2], rows[..., :2], rtol=0, atol=1e-4)


@pytest.mark.codec_file("codec_dekr", "out/rescore_feature")
def test_the_rescoring_network_sees_what_dekr_s_does(codec_file):
    poses = torch.tensor(codec_file["out/poses_after_nms"])
    features = PoseRescorer(17, LIMBS, TORSO).features(poses[..., :2], poses[..., 2])
    codec_file.compare("out/rescore_feature", features, atol=1e-6)


@pytest.mark.parametrize(("keypoints", "limbs", "parameters"), [(17, 19, 85_249), (14, 15, 81_409)])
def test_the_rescoring_network_has_the_size_of_dekr_s(keypoints, limbs, parameters):
    network = PoseRescorer(keypoints, [(0, 1)] * limbs)
    assert sum(p.numel() for p in network.parameters()) == parameters


def dlc_labels(file, label):
    keypoints = file["in/keypoints_with_center"][:, :, :-1]
    visible = keypoints[..., 2] > 0
    labels = label(np.where(visible[..., None], keypoints[..., :2], 0), visible)
    return replace(labels, areas=torch.tensor(file["in/area"]).float())


@pytest.mark.codec_file(
    "codec_dlc_dekr", "in/keypoints_with_center", "in/area", "out/heatmap*", "out/offset*"
)
def test_targets_are_deeplabcut_s(codec_file, label):
    targets = deeplabcut().encode(dlc_labels(codec_file, label), (320, 320))
    # DeepLabCut leaves a whole map out where a keypoint of it is undefined, which no label here is
    visibility = codec_file["in/keypoints_with_center"][..., 2]
    defined = torch.tensor((visibility >= 0).all(axis=1))[..., None, None]
    heatmap, weight = targets["heatmap"]
    codec_file.compare("out/heatmap", heatmap, atol=2e-6)
    codec_file.compare("out/heatmap_weights", weight * defined)
    for ours, theirs in zip(targets["offset"], ("offset", "offset_weights")):
        codec_file.compare(f"out/{theirs}", ours, atol=1e-5)


@pytest.mark.codec_file("codec_dlc_dekr", "in/*", "out/loss_*")
def test_losses_are_deeplabcut_s(codec_file, label):
    targets = deeplabcut().encode(dlc_labels(codec_file, label), (320, 320))
    target, _ = targets["heatmap"]
    targets["heatmap"] = (target, torch.tensor(codec_file["out/heatmap_weights"]))
    losses = {"heatmap": MSELoss(reduction="mean"), "offset": HuberLoss(weight=9, delta=1 / 9)}
    for name, loss in losses.items():
        predicted = torch.tensor(codec_file[f"in/pred_{name}"])
        ours = loss.weight * loss(predicted, *targets[name])
        codec_file.compare(f"out/loss_{name}", ours, rtol=1e-5)


@pytest.mark.codec_file("codec_dlc_dekr", "in/pred_*", "out/poses_*")
def test_poses_are_deeplabcut_s(codec_file):
    outputs = {k: torch.tensor(codec_file[f"in/pred_{k}"]) for k in ("heatmap", "offset")}
    for name, options in {
        "default": {},
        "nonms_center": dict(scores="centre", nms_keypoints=6),
        "heatmap_refined": dict(snap="peak", snap_distance=300),
    }.items():
        poses = deeplabcut(**options).decode(outputs)
        rows = torch.cat([poses.keypoints, poses.scores[..., None]], dim=-1)
        # DeepLabCut's are in the order of their centres; in place of those that are none stands -1
        ours = np.full_like(codec_file[f"out/poses_{name}"], -1)
        for image, theirs in enumerate(codec_file[f"out/poses_{name}"]):
            there = theirs[:, 0, 0] >= 0
            best_first = theirs[there, :, 2].mean(axis=-1).argsort()[::-1]
            ours[image, there.nonzero()[0][best_first]] = rows[image, poses.valid[image]]
        codec_file.compare(f"out/poses_{name}", ours, atol=[1e-4, 1e-4, 1e-6])
