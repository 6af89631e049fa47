"""What a COCO keypoint file must hold, and its faults in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlcreg.errors import DataError

_NUMBERS = "iuf"  # kinds of numpy's dtypes; text and true/false are none


def check_entries(path: Path, content: Any) -> None:
    """Refuse a file without images, annotations and categories that can be told apart.

    Args:
        path: of the file, for messages.
        content: what JSON made of it.

    Raises:
        DataError: a list or an entry is missing or of another kind, or an image's id stands twice.
    """
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise DataError(f"{path} is no COCO keypoint file: it needs a list of {key!r}")
        for entry in content[key]:
            if not isinstance(entry, dict):
                raise DataError(f"{path}: {key} must be a list of objects; one is {entry!r}")
    ids = set()
    for image in content["images"]:
        if not {"id", "file_name"} <= set(image):
            raise DataError(f"{path}: an image needs 'id' and 'file_name'; one has {list(image)}")
        _check_id(path, image, "id", "an image")
        if image["id"] in ids:
            raise DataError(f"{path}: two images have the id {image['id']}; give each its own")
        ids.add(image["id"])
        _check_image(path, image)
    for category in content["categories"]:
        _check_id(path, category, "id", "a category")
        _check_category(path, category)
    for annotation in content["annotations"]:
        for key in ("image_id", "category_id"):
            _check_id(path, annotation, key, f"annotation {annotation.get('id')}")


def check_animal(path: Path, annotation: dict[str, Any], count: int) -> None:
    """Refuse an annotation whose values are not numbers, or not as many as they must be.

    Args:
        path: of the file, for messages.
        annotation: of an animal.
        count: of the keypoints.

    Raises:
        DataError: the text names the annotation.
    """
    where = f"{path}: annotation {annotation.get('id')}"
    values = numbers(annotation["keypoints"], f"{where}: keypoints")
    if values.shape != (3 * count,):
        raise DataError(
            f"{where} has {values.size} numbers for {count} keypoints; "
            "x, y and visibility of each are wanted"
        )
    flags = values[2::3]
    wrong = flags[np.isfinite(flags) & ~np.isin(flags, (0, 1, 2))]
    if len(wrong):
        raise DataError(
            f"{where}: a keypoint has visibility {wrong[0]:g}; "
            "0 (not labelled), 1 (occluded) and 2 (visible) are known"
        )
    check_box(path, annotation)
    for key in ("area", "track_id"):
        check_number(path, annotation, key)


def check_number(path: Path, annotation: dict[str, Any], key: str) -> None:
    """Refuse a value that is there and not one number.

    Raises:
        DataError: the text names the annotation.
    """
    where, value = f"{path}: annotation {annotation.get('id')}", annotation.get(key)
    if value and numbers(value, f"{where}: {key}").shape != ():
        raise DataError(f"{where}: {key} must be one number, not {value!r}")


def check_box(path: Path, annotation: dict[str, Any]) -> None:
    """Refuse a box that is none; one without an area passes, as one that is missing.

    Args:
        path: of the file, for messages.
        annotation: of an animal or of a crowd.

    Raises:
        DataError: the text names the annotation and its image.
    """
    box = annotation.get("bbox")
    if not box:
        return
    where = f"{path}: annotation {annotation.get('id')}"
    values = numbers(box, f"{where}: bbox")
    if values.shape != (4,):
        raise DataError(f"{where}: bbox must be x, y, width and height, not {box!r}")
    if not np.isfinite(values).all() or (values[2:] < 0).any():
        raise DataError(
            f"{where} of image {annotation['image_id']}: bbox {box!r} has a side that is negative "
            "or no number; correct it, or leave it out to have one made of the keypoints"
        )


def check_box_inside(path: Path, annotation: dict[str, Any], image: dict[str, Any]) -> None:
    """Refuse a box of which nothing lies in its image, where the file says how large that is.

    Raises:
        DataError: the text names the annotation and its image.
    """
    if not annotation.get("bbox") or not image.get("height") or not image.get("width"):
        return
    x, y, width, height = annotation["bbox"]
    within = x < image["width"] and y < image["height"] and x + width > 0 and y + height > 0
    if width > 0 and height > 0 and not within:
        raise DataError(
            f"{path}: annotation {annotation.get('id')} of image {image['id']}: bbox "
            f"{annotation['bbox']!r} lies outside the image of {image['width']} x "
            f"{image['height']} pixels; correct it, or leave it out"
        )


def numbers(value: Any, what: str) -> np.ndarray:
    """Return float64 numbers; null is NaN."""
    try:
        array = np.array(value)
        if array.dtype.kind == "O":
            array = np.array(value, np.float64)
        if array.dtype.kind in _NUMBERS:
            return array.astype(np.float64)
    except (TypeError, ValueError):  # nested, or with words
        pass
    raise DataError(f"{what} must be numbers, not {value!r}")


def _check_id(path: Path, entry: dict[str, Any], key: str, what: str) -> None:
    if not isinstance(entry.get(key), (int, str)):
        raise DataError(
            f"{path}: {what} has the {key} {entry.get(key)!r}; it must be a whole number"
        )


def _check_image(path: Path, image: dict[str, Any]) -> None:
    if not isinstance(image["file_name"], str):
        raise DataError(
            f"{path}: image {image['id']} has the file_name {image['file_name']!r}; "
            "it must be a path below the folder of the images"
        )
    for key in ("height", "width"):
        value = image.get(key)
        whole = isinstance(value, (int, float)) and value > 0 and float(value).is_integer()
        if value and not whole:
            raise DataError(
                f"{path}: image {image['id']} has the {key} {value!r}; "
                "it must be a number of pixels"
            )


def _check_category(path: Path, category: dict[str, Any]) -> None:
    where = f"{path}: category {category.get('name', category['id'])!r}"
    names = category.get("keypoints")
    if not names:
        return
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"{where}: keypoints must be a list of names, not {names!r}")
    skeleton = category.get("skeleton") or []
    pairs = skeleton if isinstance(skeleton, list) else [skeleton]
    for pair in pairs:
        good = isinstance(pair, list) and len(pair) == 2 and all(type(i) is int for i in pair)
        if not good or not 1 <= min(pair) <= max(pair) <= len(names):
            raise DataError(
                f"{where}: skeleton must be pairs of the numbers 1 to {len(names)} of its "
                f"keypoints, not {pair!r}"
            )
