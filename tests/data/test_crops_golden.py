"""Crops of animals against those of the originals."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dlcreg.data.transforms import Pipeline
from dlcreg.data.transforms.geometric import Affine, CropInstance
from dlcreg.structures import Instances, Meta, Sample

IMAGE = (480, 640)
CASES = [(0, 0, (256, 192)), (0, -33, (256, 192)), (1, 71, (64, 48))]
"""Of HRNet and TransPose: animal, degrees clockwise, and size of the crop."""


def sample_of(box) -> Sample:
    """A sample with a box, of an animal that fills it."""
    corners = np.array([[box[:2], np.add(box[:2], box[2:])]], np.float32)
    instances = Instances(
        keypoints=corners,
        visibility=np.full((1, 2), 2, np.uint8),
        boxes=np.array([box]),
        areas=np.array([box[2] * box[3]]),
        valid=np.ones(1, bool),
        ids=np.zeros(1, np.int64),
    )
    return Sample(np.zeros((*IMAGE, 3), np.uint8), instances, np.eye(2, 3), Meta(0, "made", IMAGE))


def box_of(file, animal: int, less: int = 0) -> list[float]:
    """The box that an original has as its centre and its scale, which is padded and counts 200 px.

    Args:
        file: the golden file.
        animal: the row.
        less: of how many pixels less than its width a box has its middle at its centre.
    """
    centre, size = file["in/center"][animal], file["in/scale"][animal] * 200 / 1.25
    return [*(centre - (size - less) / 2), *size]


def crop_matrix(box, size, align: str) -> np.ndarray:
    """The matrix from the image to the crop of a box."""
    return CropInstance(size, align=align).warp(IMAGE, sample_of(box).instances, None).matrix


def turned_matrix(centre, degrees: float) -> np.ndarray:
    """The matrix that turns an image about a point, ``(3, 3)``."""
    around = 2 * centre[1] + 1, 2 * centre[0] + 1  # height and width of which it is the middle
    warp = Affine(rotation=(degrees, degrees)).warp(around, None, np.random.default_rng(0))
    return np.vstack([warp.matrix, [0, 0, 1]])


@pytest.mark.codec_file("codec_hrnet", "in/center", "in/scale", "out/affine_cases")
def test_crops_of_turned_images_are_hrnet_s(codec_file):
    check_turned(codec_file, "sides", less=0, atol=1e-4)


@pytest.mark.codec_file("codec_transpose_dark", "in/center", "in/scale", "out/affine_cases")
def test_crops_of_turned_images_are_transpose_s(codec_file):
    check_turned(codec_file, "corners", less=1, atol=2e-4)


def check_turned(file, align: str, less: int, atol: float) -> None:
    matrices = []
    for animal, degrees, size in CASES:
        crop = crop_matrix(box_of(file, animal, less), size, align)
        matrices.append(crop @ turned_matrix(file["in/center"][animal], degrees))
    matrices[-1] = cv2.invertAffineTransform(matrices[-1])  # the last one leads to the image
    file.compare("out/affine_cases", np.stack(matrices), atol=atol)


@pytest.mark.codec_file("codec_transpose_dark", "in/center", "in/scale", "out/affine_cases")
def test_turned_crops_are_transpose_s(codec_file):
    matrices = []  # of the crops to the images
    for animal, degrees, size in CASES:
        steps = [CropInstance(size, align="corners"), Affine(rotation=(degrees, degrees))]
        sample = sample_of(box_of(codec_file, animal, less=1))
        matrices.append(Pipeline(steps)(sample, np.random.default_rng(0)).matrix)
    matrices[:2] = map(cv2.invertAffineTransform, matrices[:2])
    codec_file.compare("out/affine_cases", np.stack(matrices), atol=2e-4)


@pytest.mark.codec_file("codec_vitpose_udp", "in/center", "in/scale", "out/warp_matrix_*")
def test_crops_of_turned_images_are_vitpose_s(codec_file):
    # The scales along x and y differ a little: a crop that is turned would be another one.
    crop = crop_matrix(box_of(codec_file, 0), (256, 192), "udp")
    for degrees in (0, 33):
        turned = crop @ turned_matrix(codec_file["in/center"][0], degrees)
        codec_file.compare(f"out/warp_matrix_rot{degrees}", turned, atol=1e-4)


@pytest.mark.codec_file("codec_hrnet", "in/boxes_xywh", "out/box_*")
def test_boxes_are_widened_to_the_aspect_as_hrnet_s(codec_file):
    check_boxes(codec_file, "sides", less=0)


@pytest.mark.codec_file("codec_transpose_dark", "in/boxes_xywh", "out/box_*")
def test_boxes_are_widened_to_the_aspect_as_transpose_s(codec_file):
    check_boxes(codec_file, "corners", less=1)


def check_boxes(file, align: str, less: int) -> None:
    """Compare centres, which come to the middle of the crop, and scales, whose padding we add."""
    centres, scales = [], []
    for box in file["in/boxes_xywh"]:
        matrix = crop_matrix(box, (256, 192), align)
        middle = np.array([192 - less, 256 - less]) / 2
        centres.append(np.linalg.solve(matrix[:, :2], middle - matrix[:, 2]))
        width = (192 - less) / matrix[0, 0] + less
        scales.append(np.array([width, width * 256 / 192]) / 200)
    file.compare("out/box_center", np.stack(centres), atol=1e-4)
    file.compare("out/box_scale", np.stack(scales), rtol=1e-6)
