"""What a user may hand over as images, made frames: where each is from, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from dlcreg.data.coco import coco_images
from dlcreg.data.images import read_image, rgb_of
from dlcreg.errors import DataError, DlcregError
from dlcreg.structures import Meta

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
"""What image files of a folder are told by."""


@dataclass(frozen=True)
class Frame:
    """An image that may not have been read yet.

    Args:
        meta: where it is from; its size is (0, 0) as long as it is not known.
        source: pixels, or the `Path` of the file that holds them.
        image: uint8 ``(H, W, 3)`` RGB once it is read.
        error: why it could not be.
    """

    meta: Meta
    source: Any = None
    image: np.ndarray | None = None
    error: DlcregError | None = None

    def read(self) -> Frame:
        """Return the frame with its pixels, or with the error that this met."""
        try:
            if isinstance(self.source, Path):
                image = read_image(self.source)
            else:
                image = rgb_of(self.source, f"image {self.meta.index}")
        except DlcregError as error:
            return replace(self, source=None, error=error)
        image = image.view()
        image.flags.writeable = False  # it may be the user's own array
        meta = replace(self.meta, size=image.shape[:2])
        return replace(self, meta=meta, source=None, image=image)


def is_one(images: Any) -> bool:
    """Return whether `images` is a single image: an array of it, or the path of its file."""
    if isinstance(images, (str, PathLike)):
        return not (Path(images).is_dir() or Path(images).suffix.lower() == ".json")
    return isinstance(images, np.ndarray) and images.ndim < 4


def frames_of(images: Any) -> Iterator[Frame]:
    """Return the frames of whatever holds images, numbered from 0.

    Args:
        images: an array ``(H, W)`` or ``(H, W, C)``, or a stack ``(N, H, W, C)`` of them; an image
            file; a folder, whose images are taken in the order of their names, the numbers in
            them counted as numbers; a COCO file, for its images; or any iterable of such, also of
            pairs of a `Meta` and an image, which is drawn from as its images are needed.

    Raises:
        DataError: it is nothing of the kind, a file or folder is not there, or a folder holds no
            image. Of a list this is told at once, of an iterator as it is drawn from.
    """
    lazy = not isinstance(images, (list, tuple, np.ndarray))
    if isinstance(images, (list, tuple)) and not _is_pair(images):
        images = [_files(item) if isinstance(item, (str, PathLike)) else item for item in images]
    elif isinstance(images, (str, PathLike)):
        images = _files(images)
    return (_frame(item, index, lazy) for index, item in enumerate(_single(images)))


def with_files(paths: Sequence[str | PathLike[str]]) -> list[tuple[Meta, Path]]:
    """Return the image files that files, folders and COCO files mean, each with its `Meta`.

    Raises:
        DataError: see `frames_of`.
    """
    return [(frame.meta, frame.source) for frame in frames_of(list(paths))]


def _single(images: Any) -> Iterator[Any]:
    """Yield the single images: arrays, files, and pairs of a `Meta` and one of these."""
    if isinstance(images, (str, PathLike)):
        yield from _files(images)
    elif isinstance(images, np.ndarray):
        yield from images if images.ndim == 4 else [images]
    elif _is_pair(images):
        yield images
    elif isinstance(images, Iterable) and not isinstance(images, (bytes, Mapping, Tensor)):
        for item in images:
            yield from _single(item)
    else:
        raise DataError(
            "images are arrays (height, width, channels), image files, folders, or lists and "
            f"iterators of these, not {type(images).__name__}"
        )


def _is_pair(item: Any) -> bool:
    return isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], Meta)


def _frame(item: Any, index: int, lazy: bool) -> Frame:
    meta, source = (replace(item[0], index=index), item[1]) if _is_pair(item) else (None, item)
    if isinstance(source, (str, PathLike)):
        path = Path(source)
        return Frame(meta or Meta(index, path.as_posix(), (0, 0), index=index), path)
    # an iterator may fill one and the same array again and again
    source = np.array(source) if lazy else source
    return Frame(meta or Meta(index, "", (0, 0), index=index), source)


def _files(path: str | PathLike[str]) -> list[Any]:
    path = Path(path)
    if path.suffix.lower() == ".json":
        return list(coco_images(path))
    if path.is_dir():
        return _images_in(path)
    if not path.exists():
        raise DataError(f"there is no image {path}")
    return [path]


def _images_in(folder: Path) -> list[Path]:
    """Return the image files of a folder and of the folders in it, in natural order."""
    files = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    ]
    if not files:
        raise DataError(f"the folder {folder} holds no image ({', '.join(SUFFIXES)})")
    return sorted(files, key=lambda path: _natural(path.relative_to(folder).as_posix()))


def _natural(name: str) -> list[tuple[int, str]]:
    """Return what names are sorted by, so that img10 comes after img9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
