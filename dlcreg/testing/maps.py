"""The checks of backbones and necks: their maps, and what they declare of them."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from dlcreg.contracts import Size
from dlcreg.testing.modules import divisor_of, inputs_of, padded, run
from dlcreg.testing.results import fail, skip
from dlcreg.testing.subject import Subject


def wrong_layout(part: Any, maps: Any) -> str:
    """Return what is wrong with the layout of a backbone's or neck's maps, or nothing."""
    if not isinstance(maps, tuple) or not all(isinstance(m, Tensor) and m.dim() == 4 for m in maps):
        return f"returns {type(maps).__name__} {_shapes(maps)}"
    channels = tuple(part.out_channels)
    if tuple(m.shape[1] for m in maps) != channels == tuple(m.shape[3] for m in maps):
        return f"returns maps {_shapes(maps)} of {list(channels)} channels, channels last"
    return ""


def channels_first(subject: Subject) -> str:
    """It returns a tuple of maps (B, C, h, w), finest first."""
    maps = run(subject.built, inputs_of(subject))
    wrong = wrong_layout(subject.built, maps)
    if wrong:
        fail(wrong, "a tuple of maps (B, C, h, w)", "x.permute(0, 3, 1, 2) if channels are last")
    sizes = [m.shape[2] * m.shape[3] for m in maps]
    if sizes != sorted(sizes, reverse=True):
        fail(f"returns maps {_shapes(maps)}", "the finest first", "Turn the order")
    return _shapes(maps)


def declared_channels(subject: Subject) -> str:
    """`out_channels` are those of its maps."""
    maps = _maps(subject, subject.options.size)
    real = [m.shape[1] for m in maps]
    if real != list(subject.built.out_channels):
        fail(
            f"says out_channels={list(subject.built.out_channels)}, but its maps have {real}",
            "the truth: the next part is built for it",
            "Set self.out_channels from the layers, or leave it out: then it is measured",
        )
    return f"out_channels={real}"


def declared_strides(subject: Subject) -> str:
    """`out_strides` are those of its maps."""
    size = _usual(subject)
    strides = list(subject.built.out_strides)
    maps = _maps(subject, size)
    if len(strides) != len(maps) or not _divided(maps, size, strides):
        fail(
            f"says out_strides={strides}, but the maps of an image of {size[0]} x {size[1]} are "
            f"{_shapes(maps)}: the strides are {_real(maps, size)}",
            "the truth: keypoints are drawn by it",
            "Set self.out_strides from the layers, or leave it out: then it is measured",
        )
    return f"out_strides={strides}"


def odd_sizes(subject: Subject) -> str:
    """One image alone, of odd multiples of what its sides must be divisible by, works as well."""
    if "input_size" in subject.parameters:
        skip("it is built for one input_size")
    divisor = divisor_of(subject.built) if subject.kind == "backbones" else 1
    size = (3 * divisor, divisor) if divisor > 1 else (67, 41)
    strides = _real(_maps(subject, _usual(subject)), _usual(subject))
    maps = _maps(subject, size, images=1)
    if not _divided(maps, size, strides):
        fail(
            f"makes {_shapes(maps)} of an image of {size[0]} x {size[1]}",
            f"maps of the image's size divided by {strides}, with no row or column cut off",
            "Pad an odd number of cells, or set size_divisor",
        )
    return f"{_shapes(maps)} of {size[0]} x {size[1]}"


def _usual(subject: Subject) -> Size:
    """Return the size of the images that a backbone or neck is usually tried on."""
    size = subject.options.size
    return padded(subject.built, size) if subject.kind == "backbones" else size


def _real(maps: tuple[Tensor, ...], size: Size) -> list[int]:
    return [round(size[0] / m.shape[2]) for m in maps]


def _divided(maps: tuple[Tensor, ...], size: Size, strides: list[int]) -> bool:
    """Whether each map has the image's size divided by its stride, rounded either way."""
    return all(
        abs(size[axis] / stride - m.shape[2 + axis]) < 1
        for stride, m in zip(strides, maps)
        for axis in (0, 1)
    )


def _maps(subject: Subject, size: Size, images: int = 2) -> tuple[Tensor, ...]:
    maps = run(subject.built, inputs_of(subject, images, size))
    if wrong_layout(subject.built, maps):
        skip("the maps have another layout, see 'channels_first'")
    return maps  # type: ignore[no-any-return]


def _shapes(maps: Any) -> str:
    if isinstance(maps, Tensor):
        return str(tuple(maps.shape))
    if isinstance(maps, (tuple, list)):
        return ", ".join(_shapes(m) for m in maps)
    return ""


MAP_CHECKS = (channels_first, declared_channels, declared_strides, odd_sizes)
