"""Image files to RGB uint8 arrays, and the failures of that in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from dlcreg.errors import DataError

_EXIF_ORIENTATION = 0x0112
_PNG_SIGNATURE = 8  # bytes before the first chunk
_ROTATED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_image(path: str | Path) -> np.ndarray:
    """Return an image file as uint8 ``(H, W, 3)`` RGB.

    Grey images are repeated, an alpha channel is dropped, 16 bits are cut to the upper 8, and a
    camera's orientation tag is obeyed: as OpenCV, and with it DeepLabCut, shows the image.

    Raises:
        DataError: the file is missing, truncated or no image.
    """
    try:
        with Image.open(path) as file:
            file.load()
            turn = _ROTATED.get(_orientation(file))
            image: Image.Image = file if turn is None else file.transpose(turn)
            if image.mode.startswith("I") or image.mode == "F":
                return _deep_to_rgb(np.asarray(image), path)
            return np.array(image if image.mode == "RGB" else image.convert("RGB"))
    except FileNotFoundError as error:
        raise DataError(f"there is no image {path}") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is not an image that can be read") from error
    except Image.DecompressionBombError as error:
        raise DataError(f"the image {path} is too large: {error}") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise DataError(f"the image {path} is damaged: {error}. Copy it anew") from error


def rgb_of(pixels: Any, where: str = "the image") -> np.ndarray:
    """Return an array as `read_image` gives the same image: uint8 ``(H, W, 3)`` RGB.

    Args:
        pixels: bool, or integers of 8 or 16 bits: ``(H, W)``, or ``(H, W, C)`` of grey (1 channel),
            grey and alpha (2), RGB (3) or RGB and alpha (4).
        where: names the image in messages.

    Raises:
        DataError: it is no such array.
    """
    values = np.asarray(pixels)
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3 or not 1 <= values.shape[2] <= 4 or not values.size:
        raise DataError(
            f"{where} is an array of shape {np.shape(pixels)}: height, width and 1, 3 or 4 "
            "channels are wanted"
        )
    if values.dtype == np.uint16:
        values = (values >> 8).astype(np.uint8)
    elif values.dtype == bool:
        values = values.astype(np.uint8) * np.uint8(255)
    elif values.dtype != np.uint8:
        raise DataError(
            f"{where} has {values.dtype} pixels; 8 or 16 bits per channel are read (uint8, uint16)"
        )
    values = values[:, :, :3] if values.shape[2] > 2 else np.repeat(values[:, :, :1], 3, axis=2)
    return np.ascontiguousarray(values)


def image_size(path: str | Path) -> tuple[int, int]:
    """Return height and width of an image file from its header alone.

    Raises:
        DataError: the file is missing or no image.
    """
    try:
        with Image.open(path) as file:
            width, height = file.size
            if file.format == "PNG":
                _read_late_exif(file)
            return (width, height) if _orientation(file) in (5, 6, 7, 8) else (height, width)
    except FileNotFoundError as error:
        raise DataError(f"there is no image {path}") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} is not an image that can be read: {error}") from error


def _orientation(file: Image.Image) -> int:
    if file.format != "PNG":
        return int(file.getexif().get(_EXIF_ORIENTATION, 1))
    # OpenCV obeys the eXIf chunk of a PNG file, and no text that holds the same
    exif = Image.Exif()
    exif.load(file.info.get("exif", b""))
    return int(exif.get(_EXIF_ORIENTATION, 1))


def _read_late_exif(file: ImageFile.ImageFile) -> None:
    """Find the tags of a PNG file that stand behind its pixels, without decoding these."""
    stream = file.fp
    if "exif" in file.info or stream is None:
        return
    stream.seek(_PNG_SIGNATURE)
    while len(head := stream.read(8)) == 8:
        length = int.from_bytes(head[:4], "big")
        if head[4:] == b"eXIf":
            file.info["exif"] = stream.read(length)
            return
        stream.seek(length + 4, 1)  # 4 bytes of checksum


def _deep_to_rgb(values: np.ndarray, path: str | Path) -> np.ndarray:
    if values.dtype.kind == "f" or values.min() < 0 or values.max() > 65535:
        raise DataError(f"{path} has {values.dtype} pixels; 8 or 16 bits per channel are read")
    grey = (values >> 8).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)
