"""Codecs against the targets and the decoding of the original implementations."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from dlcreg.data.transforms.geometric import CropInstance
from dlcreg.models.codecs.dark import DarkHeatmap
from dlcreg.models.codecs.gaussian import GaussianHeatmap
from dlcreg.models.codecs.maps import find_peaks, peak_centres
from dlcreg.models.codecs.mirroring import mirror
from dlcreg.models.codecs.msra import MSRAHeatmap
from dlcreg.models.codecs.plateau import PlateauHeatmap
from dlcreg.models.codecs.udp import UDPHeatmap
from dlcreg.structures import Instances

SIZES = [("256x192", (256, 192), 2.0), ("384x288", (384, 288), 3.0)]
TWINS = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]


@pytest.fixture(scope="module")
def arrays(shared):
    return lambda name: np.load(shared / "golden" / "out" / f"{name}.npz")


def distance(ours: torch.Tensor, theirs: np.ndarray) -> float:
    return float(np.abs(ours.numpy() - theirs).max())


@pytest.mark.parametrize(("name", "size", "sigma"), SIZES)
def test_msra_targets_are_hrnet_s(arrays, label, name, size, sigma):
    file = arrays("codec_hrnet")
    labels = label(file[f"in/joints_{name}"][None, None, :, :2], file[f"in/vis_{name}"][None, None])
    target, weight = MSRAHeatmap(sigma, stride=4).encode(labels, size)["heatmap"]
    assert distance(target[0], file[f"out/target_{name}"]) < 1e-6
    assert distance(weight[0, :, 0], file[f"out/target_weight_{name}"]) == 0


def test_msra_decodes_as_hrnet_does(arrays):
    file = arrays("codec_hrnet")
    poses = MSRAHeatmap(stride=4).decode({"heatmap": torch.tensor(file["in/heatmaps"])})
    assert distance(poses.scores[:, 0], file["out/maxvals"][..., 0]) == 0
    # The original maps cells straight to the image: 48 cells are the width of the crop.
    cells = poses.keypoints[:, 0] / 4
    width = torch.tensor(file["in/scale"])[:, None, :1] * 200
    image = (cells - torch.tensor([24.0, 32.0])) * width / 48
    image = image + torch.tensor(file["in/center"])[:, None]
    assert distance(image, file["out/final_preds_image"]) < 1e-4


def test_msra_flips_with_hrnet_s_shift(arrays):
    file = arrays("codec_hrnet")
    maps = {"heatmap": torch.tensor(file["in/heatmaps"])}
    flipped = MSRAHeatmap(stride=4).flip(maps, torch.tensor(TWINS))["heatmap"]
    assert distance(flipped, file["out/flip_back_shifted"]) == 0


def test_highest_cells_and_mirrored_maps_are_hrnet_s(arrays):
    file = arrays("codec_hrnet")
    maps = torch.tensor(file["in/heatmaps"])
    peaks = find_peaks(maps)
    cells = peak_centres(peaks, torch.float32) * (peaks.value > 0)[..., None]
    assert distance(cells, file["out/argmax"]) == 0
    assert distance(mirror(maps, torch.tensor(TWINS)), file["out/flip_back"]) == 0


@pytest.mark.parametrize(("name", "size", "sigma"), SIZES)
def test_dark_targets_are_transpose_s(arrays, label, name, size, sigma):
    file = arrays("codec_transpose_dark")
    cells = np.array([size[1] // 4, size[0] // 4])
    pixels = np.array([size[1], size[0]])
    keypoints = file[f"in/joints_{name}"][:, :2] * (pixels - 1) / (cells - 1)  # given in cells
    labels = label(keypoints[None, None], file[f"in/vis_{name}"][None, None])
    target, weight = DarkHeatmap(sigma, stride=4).encode(labels, size)["heatmap"]
    assert distance(target[0], file[f"out/target_{name}"]) < 1e-5
    assert distance(weight[0, :, 0], file[f"out/target_weight_{name}"]) == 0


def test_dark_decodes_as_transpose_does(arrays):
    file = arrays("codec_transpose_dark")
    poses = DarkHeatmap(stride=4).decode({"heatmap": torch.tensor(file["in/heatmaps"])})
    cells = poses.keypoints[:, 0] * torch.tensor([47 / 191, 63 / 255])
    assert distance(cells, file["out/final_preds_heatmap"]) < 1e-4
    assert distance(poses.scores[:, 0], file["out/maxvals"][..., 0]) == 0


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


def test_dark_comes_back_to_the_image_as_transpose_does(arrays):
    file = arrays("codec_transpose_dark")
    poses = DarkHeatmap(square_cells=True, stride=4).decode(
        {"heatmap": torch.tensor(file["in/heatmaps"])}
    )
    image = poses.to_image(_to_image(file, "corners", 1))
    assert distance(image.keypoints[:, 0], file["out/final_preds_image"]) < 1e-3


def test_dark_peaks_are_transpose_s_highest_cells(arrays):
    file = arrays("codec_transpose_dark")
    peaks = find_peaks(torch.tensor(file["in/heatmaps"]))
    cells = peak_centres(peaks, torch.float32) * (peaks.value > 0)[..., None]
    assert distance(cells, file["out/argmax"]) == 0


def test_dark_flips_without_a_shift(arrays):
    file = arrays("codec_transpose_dark")
    maps = {"heatmap": torch.tensor(file["in/heatmaps"])}
    flipped = DarkHeatmap(stride=4).flip(maps, torch.tensor(TWINS))["heatmap"]
    assert distance(flipped, file["out/flip_back"]) == 0


def test_udp_targets_are_vitpose_s(arrays, label):
    file = arrays("codec_vitpose_udp")
    labels = label(file["in/joints"][None, None, :, :2], file["in/vis"][None, None])
    target, weight = UDPHeatmap(stride=4).encode(labels, (256, 192))["heatmap"]
    assert distance(target[0], file["out/target"]) < 1e-5
    assert distance(weight[0, :, 0], file["out/target_weight"]) == 0


def test_udp_decodes_as_vitpose_does(arrays):
    file = arrays("codec_vitpose_udp")
    poses = UDPHeatmap(stride=4).decode({"heatmap": torch.tensor(file["in/heatmaps"])})
    assert distance(poses.scores[:, 0], file["out/maxvals"][..., 0]) == 0
    image = poses.to_image(_to_image(file, "udp", 0)).keypoints[:, 0]
    apart = np.abs(image.numpy() - file["out/preds_image"]).max(-1)
    # Of the map without a value above 0 the original reads cells of the map before it.
    assert (apart[file["out/maxvals"][..., 0] > 0] < 1e-4).all()


def test_udp_flips_without_a_shift(arrays):
    file = arrays("codec_vitpose_udp")
    maps = {"heatmap": torch.tensor(file["in/heatmaps"])}
    flipped = UDPHeatmap(stride=4).flip(maps, torch.tensor(TWINS))["heatmap"]
    assert distance(flipped, file["out/flip_back"]) == 0


DEEPLABCUT = [
    ("plateau", lambda: PlateauHeatmap(stride=8)),
    (
        "gaussian",
        lambda: GaussianHeatmap(
            34 / 3 / 8, locref_std=7.2801, locref_radius=17, anchor="deeplabcut", stride=8
        ),
    ),
]


@pytest.mark.parametrize(("name", "make"), DEEPLABCUT)
def test_targets_are_deeplabcut_s(arrays, label, name, make):
    file = arrays("codec_dlc_bottomup")
    keypoints = file["in/keypoints"]
    visible = keypoints[..., 2] > 0
    labels = label(np.where(visible[..., None], keypoints[..., :2], 0), visible)
    targets = make().encode(labels, (320, 320))

    heatmap, weight = targets["heatmap"]
    assert distance(heatmap, file[f"out/{name}_heatmap"]) < 1e-5
    undefined = (keypoints[..., 2] < 0).any(axis=1)  # DeepLabCut then leaves the whole map out
    theirs = file[f"out/{name}_heatmap_weights"]
    assert distance(weight.expand_as(heatmap)[~torch.tensor(undefined)], theirs[~undefined]) == 0

    locref, mask = targets["locref"]
    assert distance(mask, file[f"out/{name}_locref_weights"]) == 0
    # DeepLabCut points at the animal drawn last, dlcreg at the nearest: compare where it is one.
    way = np.linalg.norm(keypoints[:, :, :, None, None, :2] - cell_centres(), axis=-1)
    way = np.where(visible[..., None, None], way, np.inf)  # (B, N, K, h, w)
    last = 2 - visible[:, ::-1].argmax(axis=1)
    same = (way.argmin(axis=1) == last[..., None, None]) & (way.min(axis=1) <= 17)
    same = np.repeat(same, 2, axis=1)
    assert same.sum() > 300
    assert np.abs(locref.numpy() - file[f"out/{name}_locref"])[same].max() < 1e-5


def cell_centres() -> np.ndarray:
    y, x = np.meshgrid(np.arange(40) * 8 + 4, np.arange(40) * 8 + 4, indexing="ij")
    return np.stack([x, y], axis=-1)


@pytest.mark.parametrize(("name", "make"), DEEPLABCUT)
def test_decoding_is_deeplabcut_s(arrays, name, make):
    file = arrays("codec_dlc_bottomup")
    codec = make()
    codec.activation = "sigmoid"
    outputs = {k: torch.tensor(file[f"in/pred_{k}"]) for k in ("heatmap", "locref")}
    poses = codec.decode(outputs)
    assert distance(poses.keypoints, file["out/single_poses"][..., :2]) < 1e-4
    assert distance(poses.scores, file["out/single_poses"][..., 2]) < 1e-6


def test_decoding_without_refinement_is_deeplabcut_s(arrays):
    file = arrays("codec_dlc_bottomup")
    codec = PlateauHeatmap(stride=8, locref_std=None)
    poses = codec.decode({"heatmap": torch.tensor(file["in/pred_heatmap"])})
    assert distance(poses.keypoints, file["out/single_poses_nolocref_clip"][..., :2]) == 0
    assert distance(poses.scores, file["out/single_poses_nolocref_clip"][..., 2]) == 0


def test_top_down_targets_are_deeplabcut_s(arrays, label):
    file = arrays("codec_dlc_bottomup")
    keypoints = file["in/keypoints"][:, :1]
    codec = GaussianHeatmap(34 / 3 / 4, anchor="deeplabcut", stride=4)
    target, weight = codec.encode(label(keypoints[..., :2], keypoints[..., 2]), (320, 320))[
        "heatmap"
    ]
    assert distance(target, file["out/topdown_gaussian_heatmap_stride4"]) < 1e-5
    assert distance(weight[..., 0, 0], file["out/topdown_gaussian_weights_stride4"]) == 0
