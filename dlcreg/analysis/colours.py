"""Colours that tell keypoints and animals apart on any ground."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_rgba

ANIMALS = ("#ffffff", "#ffd500", "#00e5ff", "#ff6ad5", "#8dff5a", "#ff8a1f", "#a98bff", "#ff4d4d")
_KEYPOINTS = (
    *("#ff2d2d", "#ffe119", "#3cff4f", "#00e5ff", "#3a6bff", "#ff3df2"),
    *("#ff8c1a", "#a55bff", "#00997a", "#ffb3c7", "#9a5b1f", "#b8c4ff"),
)


def keypoint_colours(count: int) -> np.ndarray:
    """Return RGBA ``(count, 4)``: few can be told apart at a glance, many follow the rainbow."""
    if count <= len(_KEYPOINTS):
        return np.array([to_rgba(colour) for colour in _KEYPOINTS[:count]]).reshape(count, 4)
    return np.asarray(colormaps["gist_rainbow"](np.linspace(0, 1, count)))


def animal_colours(count: int) -> np.ndarray:
    """Return RGBA ``(count, 4)``, vivid ones; from the ninth animal on they come again."""
    vivid = (*ANIMALS[1:], ANIMALS[0])
    rows = [to_rgba(vivid[index % len(vivid)]) for index in range(count)]
    return np.array(rows).reshape(count, 4)
