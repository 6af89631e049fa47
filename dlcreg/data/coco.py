"""Files of keypoints, or of boxes alone, in COCO's format, as records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from dlcreg.data.coco_boxes import boxed, check_boxes_alone
from dlcreg.data.coco_check import check_animal, check_box, check_box_inside, check_entries
from dlcreg.data.labels import forward_slashes
from dlcreg.data.records import Record
from dlcreg.errors import DataError
from dlcreg.structures import Meta

_PERSON = [
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
]
_PERSON_SIGMAS = [0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072]
_PERSON_SIGMAS += [0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089]


@dataclass(frozen=True)
class CocoFile:
    """What is read from a COCO file.

    Args:
        path: the file.
        records: images with at least one labelled animal, in the order of the file.
        keypoint_names: names along the K axis; none where the animals have boxes alone.
        skeleton: pairs of names.
        sigmas: OKS constants, where the keypoints are COCO's persons.
        unique_names: names of the unique body parts; empty where the file has none.
        category_ids: of the animals.
    """

    path: Path
    records: tuple[Record, ...]
    keypoint_names: tuple[str, ...]
    skeleton: tuple[tuple[str, str], ...]
    sigmas: tuple[float, ...] | None
    unique_names: tuple[str, ...] = ()
    category_ids: tuple[int, ...] = ()

    def with_keypoints(self, record: Record, axis: Sequence[int]) -> Record:
        """Return the record with the chosen keypoints in the chosen order."""
        axis = list(axis)
        return replace(
            record, keypoints=record.keypoints[:, axis], visibility=record.visibility[:, axis]
        )


def read_coco(
    path: str | Path,
    image_root: str | Path | None = None,
    categories: Sequence[str | int] | None = None,
    unique_category: str | int | None = "unique",
    boxes_only: bool = False,
    box_margin: float = 10.0,
) -> CocoFile:
    """Return the labelled images of a COCO file.

    Animals without a labelled keypoint are left out. So are crowds, but for their boxes. An animal
    whose box is missing or has no area is to be given one that is made of its keypoints.

    Where the categories name no keypoints, animals are boxes alone; those without one are left out.

    Args:
        path: the JSON file.
        image_root: folder of the images; None: the folder of the file or a neighbour of it.
        categories: names or ids to read; None reads all that have keypoints, or all if
            none has.
        unique_category: name or id of the category whose keypoints are the unique body parts, where
            the file has it and `categories` does not name it.
        boxes_only: take every animal for its box, whether keypoints are labelled or not.
        box_margin: pixels around the keypoints, in a box that is made of these for want of one.

    Raises:
        DataError: the file is missing, damaged or not of this format; the categories have
            different keypoints; an image has unique body parts twice; the images are not found.
    """
    if not isinstance(path, (str, PathLike)):
        raise DataError(f"annotation_file must be the path of a COCO file, not {path!r}")
    path = Path(path)
    content = _content(path)
    known = content["categories"]
    apart = {
        c["id"]: c
        for c in known
        if c.get("keypoints") and unique_category in (c["id"], c.get("name"))
    }
    if any(key in (c["id"], c.get("name")) for c in apart.values() for key in categories or ()):
        apart = {}
    chosen = _categories(path, [c for c in known if c["id"] not in apart], categories, boxes_only)
    names = () if boxes_only else tuple(next(iter(chosen.values())).get("keypoints") or ())
    if not names:
        apart = {}
        check_boxes_alone(path, content, () if boxes_only else chosen)
    unique_names = tuple(name for c in list(apart.values())[:1] for name in c["keypoints"])
    if names:
        animals = _labelled(path, content, chosen, len(names))
    else:
        animals = boxed(path, content, chosen, box_margin)
    crowds = _crowds(path, content, chosen)
    unique = _labelled(path, content, apart, len(unique_names))
    twice = next((image for image, found in unique.items() if len(found) > 1), None)
    if twice is not None:
        raise DataError(f"{path}: image {twice} has unique body parts twice; they exist once")
    shown = [image for image in content["images"] if image["id"] in {*animals, *unique}]
    root = _image_root(path, image_root, shown)
    records = tuple(
        _record(
            *(root, image, animals.get(image["id"], []), crowds.get(image["id"], []), len(names))
        )
        for image in shown
    )
    if unique_names:
        records = tuple(
            _with_unique(record, unique.get(record.image_id, []), len(unique_names))
            for record in records
        )
    skeleton = next(iter(chosen.values())).get("skeleton") or [] if names else []
    return CocoFile(
        path=path,
        records=records,
        keypoint_names=names,
        skeleton=tuple((names[a - 1], names[b - 1]) for a, b in skeleton),  # COCO counts from 1
        sigmas=tuple(_PERSON_SIGMAS) if list(names) == _PERSON else None,
        unique_names=unique_names,
        category_ids=tuple(chosen),
    )


def coco_images(path: str | Path, image_root: str | Path | None = None) -> list[tuple[Meta, Path]]:
    """Return all images of a COCO file, labelled or not, each with its file; sizes are (0, 0).

    Args:
        path: the JSON file; annotations and categories may be missing.
        image_root: folder of the images; None: the folder of the file or a neighbour of it.

    Raises:
        DataError: the file is missing, damaged, not of this format, or has no image.
    """
    path = Path(path)
    images = _content(path, defaults=("annotations", "categories"))["images"]
    if not images:
        raise DataError(f"{path} has no image")
    root = _image_root(path, image_root, images)
    names = [forward_slashes(image["file_name"]) for image in images]
    return [
        (Meta(image["id"], name, (0, 0), index=index), root / name)
        for index, (image, name) in enumerate(zip(images, names, strict=True))
    ]


def _labelled(
    path: Path, content: dict[str, Any], categories: dict[int, dict], count: int
) -> dict[int, list[dict]]:
    """Return the annotations of some categories with a labelled keypoint, by image."""
    found: dict[int, list[dict]] = {}
    for annotation in content["annotations"]:
        if annotation["category_id"] not in categories or annotation.get("iscrowd"):
            continue
        if annotation.get("keypoints"):
            check_animal(path, annotation, count)
            if any(annotation["keypoints"][2::3]):
                found.setdefault(annotation["image_id"], []).append(annotation)
    known = {image["id"]: image for image in content["images"]}
    stray = sorted(set(found) - set(known), key=str)
    if stray:
        raise DataError(f"{path}: an annotation is for image_id {stray[0]}, which does not exist")
    for image_id, group in found.items():
        for annotation in group:
            check_box_inside(path, annotation, known[image_id])
    return found


def _crowds(
    path: Path, content: dict[str, Any], categories: dict[int, dict]
) -> dict[int, list[dict]]:
    """Return the annotations of crowds that say where these are, by image."""
    found: dict[int, list[dict]] = {}
    for annotation in content["annotations"]:
        crowd = annotation.get("iscrowd") and annotation["category_id"] in categories
        if crowd and annotation.get("bbox"):
            check_box(path, annotation)
            found.setdefault(annotation["image_id"], []).append(annotation)
    return found


def _content(path: Path, defaults: Sequence[str] = ()) -> dict[str, Any]:
    if not path.is_file():
        raise DataError(f"there is no annotation file {path}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"the annotation file {path} is not valid JSON: {error}") from error
    if isinstance(content, dict):
        content = {**{key: [] for key in defaults}, **content}
    check_entries(path, content)
    return content


def _categories(
    path: Path, found: list[dict], wanted: Sequence[str | int] | None, boxes_only: bool
) -> dict[int, dict]:
    with_keypoints = [c for c in found if c.get("keypoints")]
    chosen = found if boxes_only else with_keypoints or found
    if wanted is not None:
        for key in wanted:
            if not any(key in (c["id"], c.get("name")) for c in found):
                known = ", ".join(str(c.get("name")) for c in found)
                raise DataError(f"{path} has no category {key!r}. It has: {known}")
        chosen = [c for c in found if c["id"] in wanted or c.get("name") in wanted]
    if not chosen:
        raise DataError(f"{path} has no category of animals")
    first = chosen[0]
    for category in () if boxes_only else chosen:
        if (category.get("keypoints") or []) != (first.get("keypoints") or []):
            raise DataError(
                f"{path}: categories {first.get('name')!r} and {category.get('name')!r} have "
                "different keypoints; choose with categories=[...], or take boxes alone with "
                "keypoint_names=[]"
            )
    return {category["id"]: category for category in chosen}


def _image_root(path: Path, given: str | Path | None, images: list[dict]) -> Path:
    if given is not None:
        if not isinstance(given, (str, PathLike)):
            raise DataError(
                f"image_root must be the path of a folder, not {given!r}; categories are given by "
                "name, as categories=[...]"
            )
        if not Path(given).is_dir():
            raise DataError(f"there is no image folder {given}")
        return Path(given)
    if not images:
        return path.parent
    name = forward_slashes(images[0]["file_name"])
    here, above = path.parent, path.parent.parent
    for folder in (here, above, here / "images", above / "images"):
        if (folder / name).is_file():
            return folder
    raise DataError(
        f"the images of {path} are not beside it: {name} was not found; give image_root=..."
    )


def _record(root: Path, image: dict, animals: list[dict], crowds: list[dict], count: int) -> Record:
    keypoints, visibility = _points(animals, count)
    areas = np.array([a.get("area") or 0 for a in animals], np.float32)
    name = forward_slashes(image["file_name"])
    has_size = image.get("height") and image.get("width")
    return Record(
        name=name,
        path=root / name,
        image_id=image["id"],
        keypoints=keypoints,
        visibility=visibility,
        ids=np.array([(a.get("track_id") or 0) - 1 for a in animals], np.int64),
        boxes=_boxes(animals),
        areas=np.where(areas > 0, areas, np.nan),
        size=(int(image["height"]), int(image["width"])) if has_size else None,
        crowds=_boxes(crowds) if crowds else None,
    )


def _boxes(annotations: list[dict]) -> np.ndarray:
    """Return boxes ``(N, 4)``; NaN for those that are missing or have no area."""
    boxes = np.array([a.get("bbox") or [0] * 4 for a in annotations], np.float32).reshape(-1, 4)
    return np.where((boxes[:, 2:] > 0).all(axis=1, keepdims=True), boxes, np.nan)


def _points(annotations: list[dict], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return keypoints float32 ``(N, K, 2)`` and visibility uint8 ``(N, K)``."""
    triples = np.array([a["keypoints"] for a in annotations], np.float64)
    triples = triples.reshape(len(annotations), count, 3)
    visibility = np.where(np.isfinite(triples).all(axis=-1), triples[..., 2], 0)
    keypoints = np.where(visibility[..., None] > 0, triples[..., :2], 0)
    return keypoints.astype(np.float32), visibility.astype(np.uint8)


def _with_unique(record: Record, annotations: list[dict], count: int) -> Record:
    """Return a record with its unique body parts, of which none may be labelled."""
    keypoints, visibility = _points(annotations or [{"keypoints": [0] * 3 * count}], count)
    return replace(record, unique_keypoints=keypoints[0], unique_visibility=visibility[0])
