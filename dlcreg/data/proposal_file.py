"""The results in a JSON file in COCO's format, and whether they can be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from dlcreg.data.coco_check import numbers
from dlcreg.errors import DataError


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return the results of a file; annotations are results that are certain.

    Raises:
        DataError: the file is missing, damaged or holds neither.
    """
    if not path.is_file():
        raise DataError(f"there is no file of proposals {path}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"the file of proposals {path} is not valid JSON: {error}") from error
    names: dict[Any, Any] = {}
    labels = isinstance(content, dict) and isinstance(content.get("annotations"), list)
    if labels:
        images = [image for image in content.get("images") or () if isinstance(image, dict)]
        names = {image.get("id"): image.get("file_name") for image in images}
        content = [row for row in content["annotations"] if not row.get("iscrowd")]
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise DataError(
            f"{path} holds no proposals: COCO results are wanted, a list of objects with image_id, "
            "score, and bbox or keypoints"
        )
    if not labels:
        return content
    return [
        {"score": 1.0, "file_name": names.get(row.get("image_id"))} | row | _seen(row)
        for row in content
    ]


def _seen(row: dict[str, Any]) -> dict[str, Any]:
    """Return keypoints of an annotation with 1 for a score in place of the visibility."""
    keypoints = list(row.get("keypoints") or ())
    keypoints[2::3] = [float(bool(flag)) for flag in keypoints[2::3]]
    return {"keypoints": keypoints}


def check_row(where: str, row: dict[str, Any]) -> None:
    """Check a result.

    Raises:
        DataError: it cannot be read; the text begins with `where`.
    """
    if not isinstance(row.get("image_id"), (int, str)):
        raise DataError(f"{where} has the image_id {row.get('image_id')!r}")
    name = row.get("file_name")
    if name is not None and not isinstance(name, str):
        raise DataError(f"{where}: file_name must be a path, not {name!r}")
    score = numbers(row.get("score"), f"{where}: score")
    if score.shape != () or not np.isfinite(score):
        raise DataError(f"{where}: score must be one number, not {row.get('score')!r}")
    box, keypoints = row.get("bbox"), row.get("keypoints")
    if not box and not keypoints:
        raise DataError(f"{where} has neither a bbox nor keypoints")
    if keypoints:
        values = numbers(keypoints, f"{where}: keypoints")
        if values.ndim != 1 or values.size % 3:
            raise DataError(f"{where}: keypoints must be x, y and score of each")
    if box:
        values = numbers(box, f"{where}: bbox")
        if values.shape != (4,) or not np.isfinite(values).all() or (values[2:] < 0).any():
            raise DataError(f"{where}: bbox must be x, y, width and height, not {box!r}")
        if not keypoints and (values[2:] == 0).any():
            raise DataError(f"{where}: bbox {box!r} has no area, and there are no keypoints")
