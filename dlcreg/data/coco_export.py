"""A project's labels in COCO's format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcreg.data.images import image_size
from dlcreg.data.records import inside

if TYPE_CHECKING:
    from dlcreg.data.project import Project


@dataclass
class _CocoWriter:
    annotations: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        image_id: int,
        category: int,
        points: np.ndarray,
        labelled: np.ndarray,
        track: int | None,
    ) -> None:
        if not labelled.any():
            return
        low, high = points[labelled].min(axis=0), points[labelled].max(axis=0)
        width, height = np.maximum(high - low, 1.0)  # one keypoint alone has an area too
        flat = np.where(labelled[:, None], points, 0)
        triples = np.column_stack([flat, 2 * labelled]).astype(float)
        annotation = {
            "id": len(self.annotations) + 1,
            "image_id": image_id,
            "category_id": category,
            "iscrowd": 0,
            "num_keypoints": int(labelled.sum()),
            "keypoints": [int(v) if i % 3 == 2 else v for i, v in enumerate(triples.ravel())],
            "bbox": [float(low[0]), float(low[1]), float(width), float(height)],
            "area": float(width * height),
        }
        if track is not None:
            annotation["track_id"] = track
        self.annotations.append(annotation)


def coco_of(project: Project, names: Sequence[str]) -> dict[str, Any]:
    """Return the labels of some images as a COCO keypoint data set.

    Labels outside their image are none, as in a data set.

    Args:
        project: whose labels.
        names: of images of the project.

    Raises:
        DataError: an image cannot be read.
    """
    number = {name: i for i, name in enumerate(project.images)}
    writer, images = _CocoWriter(), []
    for image_id, name in enumerate(names, start=1):
        height, width = size = image_size(project.path(name))
        images.append({"id": image_id, "file_name": name, "width": width, "height": height})
        row = number[name]
        for who, points in enumerate(project.keypoints[row], start=1):
            track = who if project.multianimal else None
            writer.add(image_id, 1, points, inside(points, size), track)
        unique = project.unique_keypoints[row]
        writer.add(image_id, 2, unique, inside(unique, size), None)
    index = {name: i for i, name in enumerate(project.bodyparts, start=1)}
    categories = [_category(1, "animal", project.bodyparts)]
    categories[0]["skeleton"] = [[index[a], index[b]] for a, b in project.skeleton]
    if project.unique_bodyparts:
        categories.append(_category(2, "unique", project.unique_bodyparts))
    return {
        "info": {"description": project.name},
        "images": images,
        "annotations": writer.annotations,
        "categories": categories,
    }


def _category(number: int, name: str, keypoints: tuple[str, ...]) -> dict[str, Any]:
    return {
        "id": number,
        "name": name,
        "supercategory": "animal",
        "keypoints": list(keypoints),
        "skeleton": [],
    }
