"""Poses onto a single image, with the names of their keypoints below it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from dlcreg.analysis.colours import keypoint_colours
from dlcreg.analysis.painting import Painter
from dlcreg.recording import Recording

_LONGEST = 640  # pixels that the longer side has at least, if need be by whole factors
_LINE, _LEFT, _GAP = 18, 14, 22  # pixels of the legend
_FONT, _SIZE = cv2.FONT_HERSHEY_SIMPLEX, 0.42


def still(image: np.ndarray, recording: Recording, pcutoff: float = 0.6) -> np.ndarray:
    """Return a picture of the poses in an image, uint8 ``(H', W', 3)`` RGB.

    Small images are drawn larger. Boxes are drawn where the recording has some, with their score
    where they are all that was found of an animal.

    Args:
        image: uint8 ``(H, W, 3)`` RGB.
        recording: of one frame, the image.
        pcutoff: likelihood below which a keypoint is drawn as a ring.
    """
    factor = -(-_LONGEST // max(image.shape[:2]))
    picture = np.ascontiguousarray(image.repeat(factor, axis=0).repeat(factor, axis=1))
    painter = Painter(
        _enlarged(recording, factor),
        picture.shape[:2],
        pcutoff=pcutoff,
        skeleton=True,
        boxes=recording.boxes is not None,
    )
    painter.paint(picture, 0)
    unique = recording.info.unique
    names = [*recording.info.keypoint_names, *(unique.keypoint_names if unique else ())]
    return np.concatenate([picture, _legend(names, picture.shape[1])])


def _enlarged(recording: Recording, factor: int) -> Recording:
    """Return the poses of an image of which each pixel has become `factor` x `factor` pixels."""
    shift = (factor - 1) / 2  # of the centre of the first pixel
    boxes, unique = recording.boxes, recording.unique
    if boxes is not None:
        boxes = np.concatenate([boxes[..., :2] * factor + shift, boxes[..., 2:] * factor], axis=-1)
    if unique is not None:
        points = unique[..., :2] * factor + shift
        unique = np.concatenate([points, unique[..., 2:]], axis=-1)
    keypoints = recording.keypoints * factor + shift
    return replace(recording, keypoints=keypoints, boxes=boxes, unique=unique)


def _legend(names: list[str], width: int) -> np.ndarray:
    """Return rows of pixels that name the colours of the keypoints, in as few lines as they fit."""
    places: list[tuple[int, int]] = []
    x, line = _LEFT, 0
    for name in names:
        length = cv2.getTextSize(name, _FONT, _SIZE, 1)[0][0] + _LEFT + _GAP
        if x > _LEFT and x + length > width:
            x, line = _LEFT, line + 1
        places.append((x, line))
        x += length
    height = (line + 1) * _LINE + _LINE // 2 if names else 0
    strip = np.full((height, width, 3), 40, np.uint8)
    colours = (keypoint_colours(len(names))[:, :3] * 255).round().tolist()
    for name, colour, (left, row) in zip(names, colours, places):
        middle = row * _LINE + _LINE * 3 // 4
        cv2.circle(strip, (left, middle), 4, colour, -1, cv2.LINE_AA)
        at = (left + 9, middle + 4)
        cv2.putText(strip, name, at, _FONT, _SIZE, (235, 235, 235), 1, cv2.LINE_AA)
    return strip
