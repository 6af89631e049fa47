"""Codecs against the targets and the decoding of the original implementations."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dlcreg.data.transforms.geometric import CropInstance
from dlcreg.models.codecs import udp
from dlcreg.models.codecs.dark import DarkHeatmap
from dlcreg.models.codecs.gaussian import GaussianHeatmap
from dlcreg.models.codecs.maps import Peaks, find_peaks, peak_centres
from dlcreg.models.codecs.mirroring import mirror
from dlcreg.models.codecs.msra import MSRAHeatmap
from dlcreg.models.codecs.plateau import PlateauHeatmap
from dlcreg.models.codecs.udp import UDPHeatmap
from dlcreg.structures import Instances

SIZES = {"256x192": ((256, 192), 2.0), "384x288": ((384, 288), 3.0)}
TWINS = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]


def heatmaps(file) -> dict[str, torch.Tensor]:
    """The outputs of a network in a file."""
    return {"heatmap": torch.tensor(file["in/heatmaps"])}


def highest_cells(maps: torch.Tensor) -> torch.Tensor:
    """The highest cell of each map; the originals say 0 of a map without a value above 0."""
    peaks = find_peaks(maps)
    return peak_centres(peaks, torch.float32) * (peaks.value > 0)[..., None]


@pytest.mark.codec_file("codec_hrnet", "in/joints_*", "in/vis_*", "out/target_*")
def test_msra_targets_are_hrnet_s(codec_file, label):
    for name, (size, sigma) in SIZES.items():
        keypoints = codec_file[f"in/joints_{name}"][None, None, :, :2]
        labels = label(keypoints, codec_file[f"in/vis_{name}"][None, None])
        target, weight = MSRAHeatmap(sigma, stride=4).encode(labels, size)["heatmap"]
        codec_file.compare(f"out/target_{name}", target[0], atol=1e-6)
        codec_file.compare(f"out/target_weight_{name}", weight[0, ..., 0])


@pytest.mark.codec_file(
    "codec_hrnet", "in/heatmaps", "in/scale", "in/center", "out/maxvals", "out/final_preds_image"
)
def test_msra_decodes_as_hrnet_does(codec_file):
    poses = MSRAHeatmap(stride=4).decode(heatmaps(codec_file))
    codec_file.compare("out/maxvals", poses.scores[:, 0, :, None])
    # The original maps cells straight to the image: 48 cells are the width of the crop.
    cells = poses.keypoints[:, 0] / 4
    width = torch.tensor(codec_file["in/scale"])[:, None, :1] * 200
    image = (cells - torch.tensor([24.0, 32.0])) * width / 48
    image = image + torch.tensor(codec_file["in/center"])[:, None]
    codec_file.compare("out/final_preds_image", image, atol=1e-4)


@pytest.mark.codec_file("codec_hrnet", "in/heatmaps", "out/flip_back_shifted")
def test_msra_flips_with_hrnet_s_shift(codec_file):
    flipped = MSRAHeatmap(stride=4).flip(heatmaps(codec_file), torch.tensor(TWINS))["heatmap"]
    codec_file.compare("out/flip_back_shifted", flipped)


@pytest.mark.codec_file("codec_hrnet", "in/heatmaps", "out/argmax", "out/flip_back")
def test_highest_cells_and_mirrored_maps_are_hrnet_s(codec_file):
    maps = heatmaps(codec_file)["heatmap"]
    codec_file.compare("out/argmax", highest_cells(maps))
    codec_file.compare("out/flip_back", mirror(maps, torch.tensor(TWINS)))


@pytest.mark.codec_file("codec_transpose_dark", "in/joints_*", "in/vis_*", "out/target_*")
def test_dark_targets_are_transpose_s(codec_file, label):
    for name, (size, sigma) in SIZES.items():
        cells = np.array([size[1] // 4, size[0] // 4])
        pixels = np.array([size[1], size[0]])
        given = codec_file[f"in/joints_{name}"][:, :2]  # in cells
        keypoints = given * (pixels - 1) / (cells - 1)
        labels = label(keypoints[None, None], codec_file[f"in/vis_{name}"][None, None])
        target, weight = DarkHeatmap(sigma, stride=4).encode(labels, size)["heatmap"]
        codec_file.compare(f"out/target_{name}", target[0], atol=1e-5)
        codec_file.compare(f"out/target_weight_{name}", weight[0, ..., 0])


@pytest.mark.codec_file(
    "codec_transpose_dark", "in/heatmaps", "out/final_preds_heatmap", "out/maxvals"
)
def test_dark_decodes_as_transpose_does(codec_file):
    poses = DarkHeatmap(stride=4).decode(heatmaps(codec_file))
    cells = poses.keypoints[:, 0] * torch.tensor([47 / 191, 63 / 255])
    codec_file.compare("out/final_preds_heatmap", cells, atol=1e-4)
    codec_file.compare("out/maxvals", poses.scores[:, 0, :, None])


def _to_image(file, align: str, less: int) -> torch.Tensor:
    """Return the matrices from the crops of a file to its images, ``(B, 2, 3)``.

    Args:
        file: with the centres of boxes and their scales, padded, in units of 200 px.
        align: see `CropInstance`.
        less: of how many pixels less than its width a box has its middle at its centre.
    """
    matrices = []
    for centre, scale in zip(file["in/center"], file["in/scale"], strict=True):
        size = scale * 200 / 1.25
        box = np.array([[*(centre - (size - less) / 2), *size]])
        animal = Instances(None, None, box, None, np.ones(1, bool), None)
        warp = CropInstance((256, 192), align=align).warp((480, 640), animal, None)
        matrices.append(cv2.invertAffineTransform(warp.matrix))
    return torch.tensor(np.stack(matrices))


@pytest.mark.codec_file(
    "codec_transpose_dark", "in/heatmaps", "in/center", "in/scale", "out/final_preds_image"
)
def test_dark_comes_back_to_the_image_as_transpose_does(codec_file):
    poses = DarkHeatmap(square_cells=True, stride=4).decode(heatmaps(codec_file))
    image = poses.to_image(_to_image(codec_file, "corners", 1)).keypoints[:, 0]
    codec_file.compare("out/final_preds_image", image, atol=1e-3)


@pytest.mark.codec_file("codec_transpose_dark", "in/heatmaps", "out/argmax")
def test_dark_peaks_are_transpose_s_highest_cells(codec_file):
    codec_file.compare("out/argmax", highest_cells(heatmaps(codec_file)["heatmap"]))


@pytest.mark.codec_file("codec_transpose_dark", "in/heatmaps", "out/flip_back")
def test_dark_flips_without_a_shift(codec_file):
    flipped = DarkHeatmap(stride=4).flip(heatmaps(codec_file), torch.tensor(TWINS))["heatmap"]
    codec_file.compare("out/flip_back", flipped)


@pytest.mark.codec_file("codec_vitpose_udp", "in/joints", "in/vis", "out/target*")
def test_udp_targets_are_vitpose_s(codec_file, label):
    keypoints = codec_file["in/joints"][None, None, :, :2]
    labels = label(keypoints, codec_file["in/vis"][None, None])
    target, weight = UDPHeatmap(stride=4).encode(labels, (256, 192))["heatmap"]
    codec_file.compare("out/target", target[0], atol=1e-5)
    codec_file.compare("out/target_weight", weight[0, ..., 0])


@pytest.mark.codec_file(
    "codec_vitpose_udp", "in/heatmaps", "in/center", "in/scale", "out/maxvals", "out/preds_image"
)
def test_udp_decodes_as_vitpose_does(codec_file):
    outputs = heatmaps(codec_file)
    poses = UDPHeatmap(stride=4).decode(outputs)
    codec_file.compare("out/maxvals", poses.scores[:, 0, :, None])
    # Of a map without a value above 0 the original refines the cell beyond the corner, and what it
    # takes for the cells at the left of it and above are the last ones of the map before.
    (image, keypoint) = np.argwhere(poses.scores[:, 0].numpy() <= 0)[0]
    step = _step_beyond_the_corner(outputs["heatmap"], image * 17 + keypoint)
    poses.keypoints[image, 0, keypoint] += step * torch.tensor([191 / 47, 255 / 63])
    at = poses.to_image(_to_image(codec_file, "udp", 0)).keypoints[:, 0]
    codec_file.compare("out/preds_image", at, atol=1e-4)


def _step_beyond_the_corner(maps: torch.Tensor, number: int) -> torch.Tensor:
    """Return the step from the cell before the first one of a map, maps in a row in memory."""
    logarithm = udp.smooth(maps, kernel=11).clamp(0.001, 50).log()
    row = F.pad(logarithm, (1, 1, 1, 1), mode="replicate").flatten()
    height, width = maps.shape[-2] + 2, maps.shape[-1] + 2
    around = torch.arange(-1, 2) + width * torch.arange(-1, 2)[:, None]
    patch = row[number * height * width + around]
    middle = torch.ones(1, 1, dtype=torch.int64)
    return udp.newton_step(patch[None, None], Peaks(middle, middle, middle, middle))[0, 0]


@pytest.mark.codec_file("codec_vitpose_udp", "in/heatmaps", "out/flip_back")
def test_udp_flips_without_a_shift(codec_file):
    flipped = UDPHeatmap(stride=4).flip(heatmaps(codec_file), torch.tensor(TWINS))["heatmap"]
    codec_file.compare("out/flip_back", flipped)


def deeplabcut(kind: str) -> PlateauHeatmap | GaussianHeatmap:
    """A codec of DeepLabCut's heatmaps."""
    if kind == "plateau":
        return PlateauHeatmap(stride=8)
    known = dict(locref_std=7.2801, locref_radius=17, anchor="deeplabcut", stride=8)
    return GaussianHeatmap(34 / 3 / 8, **known)


@pytest.mark.codec_file(
    "codec_dlc_bottomup",
    "in/keypoints",
    "out/*_heatmap",
    "out/*_heatmap_weights",
    "out/*_locref_weights",
)
def test_targets_are_deeplabcut_s(codec_file, label):
    keypoints = codec_file["in/keypoints"]
    visible = keypoints[..., 2] > 0
    labels = label(np.where(visible[..., None], keypoints[..., :2], 0), visible)
    # DeepLabCut leaves a whole map out where a keypoint of it is undefined, which no label here is
    defined = torch.tensor((keypoints[..., 2] >= 0).all(axis=1))[..., None, None]
    for kind in ("plateau", "gaussian"):
        targets = deeplabcut(kind).encode(labels, (320, 320))
        heatmap, weight = targets["heatmap"]
        codec_file.compare(f"out/{kind}_heatmap", heatmap, atol=1e-5)
        weights = (weight * defined).expand_as(heatmap)
        codec_file.compare(f"out/{kind}_heatmap_weights", weights)
        codec_file.compare(f"out/{kind}_locref_weights", targets["locref"][1])


@pytest.mark.codec_file("codec_dlc_bottomup", "in/keypoints")
def test_location_refinement_points_at_the_nearest_animal(codec_file, label):
    """DeepLabCut's points at the animal that was drawn last: they agree where it is the same."""
    keypoints = codec_file["in/keypoints"]
    visible = keypoints[..., 2] > 0
    labels = label(np.where(visible[..., None], keypoints[..., :2], 0), visible)
    way = np.linalg.norm(keypoints[:, :, :, None, None, :2] - cell_centres(), axis=-1)
    way = np.where(visible[..., None, None], way, np.inf)  # (B, N, K, h, w)
    last = 2 - visible[:, ::-1].argmax(axis=1)
    same = (way.argmin(axis=1) == last[..., None, None]) & (way.min(axis=1) <= 17)
    same = np.repeat(same, 2, axis=1)
    assert same.sum() > 300
    for kind in ("plateau", "gaussian"):
        locref, _ = deeplabcut(kind).encode(labels, (320, 320))["locref"]
        assert np.abs(locref.numpy() - codec_file[f"out/{kind}_locref"])[same].max() < 1e-5


def cell_centres() -> np.ndarray:
    y, x = np.meshgrid(np.arange(40) * 8 + 4, np.arange(40) * 8 + 4, indexing="ij")
    return np.stack([x, y], axis=-1)


@pytest.mark.codec_file(
    "codec_dlc_bottomup", "in/pred_heatmap", "in/pred_locref", "out/single_poses"
)
@pytest.mark.parametrize("kind", ["plateau", "gaussian"])
def test_decoding_is_deeplabcut_s(codec_file, kind):
    codec = deeplabcut(kind)
    codec.activation = "sigmoid"
    outputs = {k: torch.tensor(codec_file[f"in/pred_{k}"]) for k in ("heatmap", "locref")}
    codec_file.compare("out/single_poses", rows(codec.decode(outputs)), atol=[1e-4, 1e-4, 1e-6])


@pytest.mark.codec_file("codec_dlc_bottomup", "in/pred_heatmap", "out/single_poses_nolocref_clip")
def test_decoding_without_refinement_is_deeplabcut_s(codec_file):
    codec = PlateauHeatmap(stride=8, locref_std=None)
    poses = codec.decode({"heatmap": torch.tensor(codec_file["in/pred_heatmap"])})
    codec_file.compare("out/single_poses_nolocref_clip", rows(poses))


def rows(poses) -> torch.Tensor:
    """x, y and score of keypoints ``(B, N, K, 3)``, as DeepLabCut has them."""
    return torch.cat([poses.keypoints, poses.scores[..., None]], dim=-1)


@pytest.mark.codec_file("codec_dlc_bottomup", "in/keypoints", "out/topdown_*")
def test_top_down_targets_are_deeplabcut_s(codec_file, label):
    keypoints = codec_file["in/keypoints"][:, :1]
    codec = GaussianHeatmap(34 / 3 / 4, anchor="deeplabcut", stride=4)
    labels = label(keypoints[..., :2], keypoints[..., 2])
    target, weight = codec.encode(labels, (320, 320))["heatmap"]
    codec_file.compare("out/topdown_gaussian_heatmap_stride4", target, atol=1e-5)
    codec_file.compare("out/topdown_gaussian_weights_stride4", weight[..., 0, 0])
