"""What codecs give back of what they encoded: inside, at borders, with gaps, mirrored."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dlcreg.contracts import Codec, CompletingCodec
from dlcreg.structures import Instances, Poses
from dlcreg.testing.results import fail, skip
from dlcreg.testing.samples import ideal_outputs, labels, poses
from dlcreg.testing.subject import INFO, Subject

_BIG = (160, 224)
"""Height and width of images with an inside: further from the border than a codec looks."""
_INSIDE = 48.0


def _animals(codec: Codec) -> int:
    return 1 if codec.max_individuals is not None and codec.max_individuals < 2 else 2


def finding(subject: Subject) -> Codec:
    """Return the codec, if it finds poses."""
    codec: Codec = subject.build()
    if isinstance(codec, CompletingCodec):
        skip("it completes poses, and finds none")
    return codec


def _decoded(subject: Subject, codec: Codec, instances: Instances, size: Any) -> Poses:
    return codec.decode(ideal_outputs(subject, codec.encode(instances, size)), size)


def _errors(found: Poses, keypoints: Tensor, known: Tensor | None = None) -> Tensor:
    """Return predicted minus labelled keypoints ``(B, N, K, 2)``, of the nearest predictions.

    Args:
        found: predictions of P animals.
        keypoints: float ``(B, N, K, 2)``.
        known: bool ``(B, N, K)``, which of them say which prediction is nearest; all by default.
    """
    offsets = found.keypoints[:, None] - keypoints[:, :, None]  # (B, N, P, K, 2)
    distance = offsets.norm(dim=-1)
    if known is not None:
        distance = distance.masked_fill(~known[:, :, None], 0.0)
    distance = distance.mean(dim=-1).nan_to_num(torch.inf, torch.inf)  # NaN: not found
    distance = distance.masked_fill(~found.valid[:, None], torch.inf)
    nearest = distance.argmin(dim=-1)[:, :, None, None, None]
    return offsets.gather(2, nearest.expand(-1, -1, 1, *offsets.shape[3:]))[:, :, 0]


def _inside(subject: Subject, codec: Codec) -> Tensor:
    keypoints = poses(_BIG, images=16, animals=_animals(codec), margin=_INSIDE)
    return _errors(_decoded(subject, codec, labels(keypoints), _BIG), keypoints)


def no_offset(subject: Subject) -> str:
    """Decoded keypoints are not off by the same way everywhere, such as half a pixel."""
    errors = _inside(subject, finding(subject)).flatten(0, 2)
    offset = errors.mean(dim=0)
    spread = (errors - offset).norm(dim=-1).max()
    x, y = offset.tolist()
    if offset.norm() > subject.options.tolerance and offset.norm() > spread / 2:
        fail(
            f"decodes what it encodes {x:+.3f}, {y:+.3f} px away on average",
            f"less than {subject.options.tolerance:g} px: the top left pixel's centre is (0, 0)",
            "Let encode and decode agree where the centre of cell 0 lies; for cells of `stride` "
            "pixels that are to be mirrored exactly it is (stride - 1) / 2",
        )
    return f"{x:+.4f}, {y:+.4f} px on average"


def round_trip(subject: Subject) -> str:
    """decode(encode(k)) gives k back inside the image, but for an offset (see no_offset)."""
    errors = _inside(subject, finding(subject))
    spread = errors - errors.mean(dim=(0, 1, 2))
    worst = float(spread.norm(dim=-1).max())
    if not worst <= subject.options.tolerance:
        fail(
            f"decodes what it encodes up to {worst:.3g} px away",
            f"at most {subject.options.tolerance:g} px",
            "See the order of x and y, the stride, and the interpolation between cells; "
            "tolerance=... if the method can do no better",
        )
    return f"at most {worst:.2g} px off"


def round_trip_at_borders(subject: Subject) -> str:
    """decode(encode(k)) gives k back up to the outermost pixels."""
    codec = finding(subject)
    height, width = subject.options.size
    x = torch.tensor([0.0, 0.4, width / 2, width - 1.3, width - 1.0])
    y = torch.tensor([0.0, 0.7, height / 3, height - 1.6, height - 1.0])
    grid = torch.stack(torch.meshgrid(x, y, indexing="ij"), dim=-1).reshape(-1, 1, 2)
    # each keypoint visits each place, while those of an animal lie apart
    keypoints = torch.stack([grid.roll(7 * k, 0) for k in range(INFO.num_keypoints)], dim=2)
    found = _decoded(subject, codec, labels(keypoints), (height, width))
    errors = _errors(found, keypoints) - _inside(subject, codec).mean(dim=(0, 1, 2))
    distance = errors.norm(dim=-1)
    worst = float(distance.max())
    if not worst <= subject.options.tolerance:
        at = keypoints.flatten(0, 2)[int(distance.argmax())].tolist()
        fail(
            f"decodes a keypoint at x={at[0]:g}, y={at[1]:g} of an image of {height} x {width} "
            f"{worst:.3g} px away",
            f"at most {subject.options.tolerance:g} px",
            "At a border the peak has neighbours on one side only: do not clamp it",
        )
    return f"at most {worst:.2g} px off"


def missing_keypoints(subject: Subject) -> str:
    """An animal's labelled keypoints come back where others of it have no label."""
    codec = finding(subject)
    keypoints = poses(_BIG, margin=_INSIDE)
    visibility = torch.full(keypoints.shape[:3], 2, dtype=torch.uint8)
    visibility[0, :, 0] = 0
    visibility[1, :, 2:] = 0
    known = visibility > 0
    given = keypoints.masked_fill(~known[..., None], 0.0)
    found = _decoded(subject, codec, labels(given, visibility), _BIG)
    whole = _decoded(subject, codec, labels(keypoints), _BIG)
    moves = _errors(found, keypoints, known) - _errors(whole, keypoints)
    apart = moves.norm(dim=-1)[known]
    if not float(apart.max()) <= subject.options.tolerance:
        fail(
            f"moves labelled keypoints by {float(apart.max()):.3g} px where another has no label",
            f"at most {subject.options.tolerance:g} px",
            "Treat each keypoint by its own visibility",
        )
    return f"moved by at most {float(apart.max()):.2g} px"


def flips(subject: Subject) -> str:
    """Outputs of mirrored images, given to `flip`, decode to the keypoints of the images."""
    codec = finding(subject)
    twins = torch.tensor([0, 2, 1, 3])
    keypoints = poses(_BIG, margin=_INSIDE)
    mirrored = keypoints[:, :, twins].clone()
    mirrored[..., 0] = _BIG[1] - 1 - mirrored[..., 0]
    outputs = ideal_outputs(subject, codec.encode(labels(mirrored), _BIG))
    try:
        back = codec.flip(outputs, twins)
    except NotImplementedError:
        skip("it offers no flip test")
    found = codec.decode(back, _BIG)
    errors = _errors(found, keypoints) - _inside(subject, codec).mean(dim=(0, 1, 2))
    worst = float(errors.norm(dim=-1).max())
    if not worst <= subject.options.tolerance:
        fail(
            f"decodes flipped outputs {worst:.3g} px beside the keypoints of the image",
            f"at most {subject.options.tolerance:g} px",
            "Mirror the maps, exchange twins by flip_index, turn the sign of x offsets, and see "
            "whether the cells mirror onto themselves",
        )
    return f"at most {worst:.2g} px off"


ROUND_TRIPS = (no_offset, round_trip, round_trip_at_borders, missing_keypoints, flips)
