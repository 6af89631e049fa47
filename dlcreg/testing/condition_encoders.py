"""The checks of condition encoders."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcreg.contracts import ConditionEncoder, Size
from dlcreg.flipping import flip_index
from dlcreg.testing.devices import stays_there, to_meta
from dlcreg.testing.results import fail
from dlcreg.testing.samples import conditions, difference
from dlcreg.testing.subject import INFO, Subject

_SIZES = ((64, 96), (96, 64), (33, 47))
_ROUNDING = 1e-5


def shape_and_values(subject: Subject) -> str:
    """It draws a finite map (B, out_channels, H, W) of each size, of float32."""
    encoder: ConditionEncoder = subject.built
    for size in _SIZES:
        drawn = encoder(conditions(size), size)
        if tuple(drawn.shape) != (2, encoder.out_channels, *size):
            fail(
                f"draws {tuple(drawn.shape)} for images of {size[0]} x {size[1]}",
                f"(2, {encoder.out_channels}, {size[0]}, {size[1]})",
                "Set self.out_channels, and draw (B, out_channels, H, W) of size = (H, W)",
            )
        if drawn.dtype != torch.float32 or not drawn.isfinite().all():
            fail(
                f"draws {drawn.dtype} values, {int((~drawn.isfinite()).sum())} of them not finite",
                "finite values of torch.float32",
                "Leave keypoints without a score out before computing with them",
            )
    return f"{encoder.out_channels} channels, of {len(_SIZES)} sizes"


def leaves_out_what_is_not_there(subject: Subject) -> str:
    """A keypoint without a score, or outside the image, leaves nothing."""
    size = subject.options.size
    nothing = _alone(subject, (0.0, 0.0), 0.0)
    height, width = size
    nan = float("nan")
    cases = (
        ((width / 2, height / 2), 0.0),
        ((width / 2, height / 2), -1.0),
        ((width / 2, height / 2), nan),
        ((nan, nan), 1.0),
        ((-20.0, height / 2), 1.0),
        ((width / 2, height + 20.0), 1.0),
    )
    for place, score in cases:
        if not torch.equal(_alone(subject, place, score), nothing):
            fail(
                f"draws something for a keypoint at {place} with the score {score:g} in an image "
                f"of {height} x {width}",
                "nothing: it is not there",
                "Draw where score > 0, and the keypoint lies inside",
            )
    return f"{len(cases)} ways of not being there"


def draws_where_it_is(subject: Subject) -> str:
    """What a keypoint adds to the map is strongest where the keypoint is, borders included."""
    height, width = subject.options.size
    nothing = _alone(subject, (0.0, 0.0), 0.0)
    limit = max(subject.options.tolerance, 0.5)
    places = [(0.0, 0.0), (width - 1.0, height - 1.0), (width / 3, height / 2 + 0.3), (5.0, 1.0)]
    for x, y in places:
        strength = (_alone(subject, (x, y), 1.0) - nothing).abs().sum(dim=1)[0]
        row, column = divmod(int(strength.argmax()), width)
        if max(abs(row - y), abs(column - x)) > limit or not strength.max() > 0:
            fail(
                f"draws a keypoint at ({x:g}, {y:g}) at ({column}, {row})",
                f"at most {limit:g} pixels away",
                "Pixel centres have integer coordinates: x is a column, y is a row. tolerance= for "
                "an encoder that is to be off",
            )
    return f"{len(places)} places, within {limit:g} pixels"


def takes_drawn_maps(subject: Subject) -> str:
    """A map that is drawn already is returned as it is; one of another size is refused."""
    encoder: ConditionEncoder = subject.built
    size = subject.options.size
    drawn = encoder(conditions(size), size)
    if not torch.equal(encoder(drawn, size), drawn):
        fail("changes a map that is drawn already", "that it is left as it is", "Call draw alone")
    try:
        encoder(drawn, (size[0] + 1, size[1]))
    except ValueError:
        return "taken as it is, and refused where it does not fit"
    fail("takes a drawn map of another size", "a ValueError", "Leave forward to ConditionEncoder")


def mirrors(subject: Subject) -> str:
    """The mirrored map is the map of the mirrored keypoints, twins swapped or left as they are."""
    encoder: ConditionEncoder = subject.built
    height, width = subject.options.size
    keypoints = conditions((height, width), seed=2)
    index = torch.from_numpy(flip_index(INFO.flip_pairs, INFO.num_keypoints))
    mirrored = keypoints.clone()
    mirrored[..., 0] = width - 1 - mirrored[..., 0]
    found = encoder.mirror(encoder(keypoints, (height, width)), index)
    expected = [encoder(keys, (height, width)) for keys in (mirrored[:, index], mirrored)]
    if min(difference(found, wanted)[0] for wanted in expected) <= _ROUNDING:
        return "as the mirrored animal"
    fail(
        "mirrors a drawn map to another one than that of the mirrored keypoints",
        "the same",
        "Flip the last axis, and swap the channels of twins where channels are keypoints",
    )


def batch_independent(subject: Subject) -> str:
    """The map of a condition does not depend on the others of its batch."""
    size = subject.options.size
    keypoints = conditions(size, images=3)
    together = subject.built(keypoints, size)
    for i in range(3):
        apart, _ = difference(together[i : i + 1], subject.built(keypoints[i : i + 1], size))
        if apart > _ROUNDING:
            fail(
                f"draws another map for a condition alone than in a batch of 3 (by {apart:.2g})",
                "the same",
                "Take no maximum over axis 0",
            )
    return "three conditions, the same alone"


def follows_device(subject: Subject) -> str:
    """It draws on the device of the condition."""
    size = subject.options.size
    encoder = subject.build().to("meta")
    keypoints = to_meta(conditions(size))
    stays_there("forward", lambda: encoder(keypoints, size))
    return "on whatever device the condition lies"


def any_precision(subject: Subject) -> str:
    """Keypoints of half and of double precision are drawn where they are, too."""
    size = subject.options.size
    keypoints = conditions(size).round()
    expected = subject.built(keypoints, size)
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        drawn = subject.built(keypoints.to(dtype), size)
        apart, _ = difference(expected, drawn.float())
        if apart > 1e-3:
            fail(
                f"draws another map of keypoints of {dtype} (by {apart:.2g})",
                "the same, for pixels that this precision can tell",
                "Compute in float32 at least: condition.float()",
            )
    return "float64, float16 and bfloat16"


def exports(subject: Subject) -> str:
    """torch.export takes it, and the exported one draws the same."""
    size = subject.options.size
    keypoints = conditions(size)
    part = _Fixed(subject.built, size)
    exported = torch.export.export(part, (keypoints,), strict=False).module()
    apart, _ = difference(part(keypoints), exported(keypoints))
    if apart > _ROUNDING:
        fail(f"draws another map once exported (by {apart:.2g})", "the same", "See draw")
    return "exported, with the same map"


class _Fixed(torch.nn.Module):
    """An encoder for images of one size."""

    def __init__(self, encoder: ConditionEncoder, size: Size) -> None:
        super().__init__()
        self.encoder = encoder
        self.size = size

    def forward(self, condition: Tensor) -> Tensor:
        """Return the map."""
        return self.encoder(condition, self.size)  # type: ignore[no-any-return]


def _alone(subject: Subject, place: tuple[float, float], score: float) -> Tensor:
    """Return the map ``(1, C, H, W)`` of a condition with one keypoint."""
    condition = torch.zeros(1, INFO.num_keypoints, 3)
    condition[0, 1] = torch.tensor([*place, score])
    return subject.built(condition, subject.options.size)  # type: ignore[no-any-return]


CHECKS = (
    shape_and_values,
    leaves_out_what_is_not_there,
    draws_where_it_is,
    takes_drawn_maps,
    mirrors,
    batch_independent,
    follows_device,
    any_precision,
    exports,
)
