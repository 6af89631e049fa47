"""Whether a detector makes of an image what its contract says, for the trace of a config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dlcreg.contracts import Detector, Size
from dlcreg.structures import Boxes
from dlcreg.trace_heads import is_of_meta


def wrong_detector(detector: Detector, outputs: Any, size: Size) -> str:
    """Return what is wrong with a detector, or nothing.

    Nothing is known of one that looks at values, which there are none of on the meta device.

    Args:
        detector: in evaluation mode.
        outputs: what its forward has given for an image.
        size: height and width of the image.
    """
    if not isinstance(outputs, Mapping) or not all(isinstance(v, Tensor) for v in outputs.values()):
        return f"must return a dict of tensors by name, not a {type(outputs).__name__}."
    device = next((tensor.device for tensor in outputs.values()), torch.device("cpu"))
    try:
        with torch.no_grad(), torch.device(device):
            found = detector.predict(torch.zeros(1, 3, *size))
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        return "" if is_of_meta(text) else f"fails in predict: {text.splitlines()[0]}."
    return wrong_boxes(found, 1)


def wrong_boxes(found: Any, images: int) -> str:
    """Return where boxes of a number of images do not have the shapes of `Boxes`, or nothing."""
    if not isinstance(found, Boxes):
        return f"must predict dlcreg.structures.Boxes, not a {type(found).__name__}."
    shape = tuple(found.boxes.shape)
    if len(shape) != 3 or shape[0] != images or shape[2] != 4:
        return f"predicts boxes of shape {shape}, not ({images}, N, 4)."
    for name in ("scores", "valid"):
        real = tuple(getattr(found, name).shape)
        if real != shape[:2]:
            return f"predicts {name} of shape {real} for boxes of {shape}, not {shape[:2]}."
    if found.valid.dtype != torch.bool:
        return f"predicts valid as {found.valid.dtype}, not as bool."
    return ""
