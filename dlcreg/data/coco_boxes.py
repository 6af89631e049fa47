"""Annotations of COCO files that are taken for their boxes alone, as a detector learns them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from dlcreg.data.coco_check import check_animal, check_box, check_box_inside, check_number
from dlcreg.errors import DataError


def boxed(
    path: Path, content: dict[str, Any], categories: Collection[Any], margin: float
) -> dict[Any, list[dict[str, Any]]]:
    """Return the annotations of some categories without their keypoints, by image.

    One whose box is missing or has no area is given that of its labelled keypoints, if it has some,
    and left out otherwise. So are crowds.

    Args:
        path: of the file, for messages.
        content: of the file.
        categories: ids.
        margin: pixels around the keypoints of such a box.

    Raises:
        DataError: values that are no numbers, a box beside its image, or an unknown image.
    """
    images = {image["id"]: image for image in content["images"]}
    found: dict[Any, list[dict[str, Any]]] = {}
    for annotation in content["annotations"]:
        if annotation["category_id"] not in categories or annotation.get("iscrowd"):
            continue
        check_box(path, annotation)
        for key in ("area", "track_id"):
            check_number(path, annotation, key)
        box = _box(path, annotation, margin)
        if box is None:
            continue
        image_id = annotation["image_id"]
        if image_id not in images:
            raise DataError(f"{path}: an annotation is for image_id {image_id}, which is not there")
        check_box_inside(path, annotation, images[image_id])
        area = annotation.get("area") or box[2] * box[3]
        one = {**annotation, "keypoints": [], "bbox": box, "area": area}
        found.setdefault(image_id, []).append(one)
    return found


def check_boxes_alone(path: Path, content: dict[str, Any], categories: Collection[int]) -> None:
    """Refuse keypoints that no category names: they would be lost without a word.

    Raises:
        DataError: an annotation of these categories has some.
    """
    for annotation in content["annotations"]:
        if annotation.get("keypoints") and annotation["category_id"] in categories:
            raise DataError(
                f"{path} has no category with keypoints, but annotation {annotation.get('id')} has "
                "some: name them in its category, or take boxes alone with keypoint_names=[]"
            )


def _box(path: Path, annotation: dict[str, Any], margin: float) -> list[float] | None:
    box, keypoints = annotation.get("bbox"), annotation.get("keypoints")
    if box and min(box[2:]) > 0:
        return list(map(float, box))
    if not keypoints:
        return None
    check_animal(path, annotation, len(keypoints) // 3)
    triples = np.array(keypoints, np.float64).reshape(-1, 3)
    points = triples[np.isfinite(triples).all(axis=1) & (triples[:, 2] > 0), :2]
    if not len(points):
        return None
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    return [*low.tolist(), *(high - low).tolist()]
