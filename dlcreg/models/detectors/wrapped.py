"""What the detectors of torchvision share: boxes in and out of them, precision, and weights.

In torchvision a box is measured from the outer edge of the first pixel, here from its centre: the
two lie half a pixel apart. Measured from the edge, boxes follow any resize of the image by the
ratio of its sides, which is how torchvision brings them back from the size that it resizes to.
DeepLabCut gives torchvision boxes that are measured from the centre, and takes them so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from dlcreg.contracts import Detector
from dlcreg.models import weights as weight_files
from dlcreg.models.layers.freezing import fix_statistics, freeze_norms
from dlcreg.structures import Boxes, Instances

NO_MEAN, NO_STD = [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]
"""What torchvision is to normalise by: images come to a detector normalised."""

Self = TypeVar("Self", bound="TorchvisionDetector")

CLASSES = 2
"""Background and animal."""

Origin = Literal["edge", "centre"]
"""What of the first pixel the network measures boxes from."""

_WIDTHS = (0.25, 0.5, 0.75, 1.0)
_GROUPS = 8  # divides the channels of every layer of these widths


class TorchvisionDetector(Detector):
    """A detector whose `network` is one of torchvision's."""

    network: Any
    norm_eval: bool
    """Whether training keeps the statistics of batch normalisation as they are."""

    frozen_norms = False
    """Whether it keeps its weights, too."""

    origin: Origin = "edge"
    """What of the first pixel the network measures boxes from."""

    def train(self: Self, mode: bool = True) -> Self:
        """Choose training or evaluation mode."""
        super().train(mode)
        if self.norm_eval:
            fix_statistics(self)
        if self.frozen_norms:
            freeze_norms(self)
        return self

    def predict(self, images: Tensor) -> Boxes:
        """Return boxes in pixels of normalised images ``(B, 3, H, W)``."""
        return predicted(self.network, images, shift_of(self.origin))

    def loss(self, images: Tensor, instances: Instances) -> dict[str, Tensor]:
        """Return the network's losses by name."""
        height, width = images.shape[-2:]
        targets = self.targets(instances, (height, width))
        return losses(self.network, images, targets, shift_of(self.origin))


def shift_of(origin: Origin) -> float:
    """Return the pixels from where a network measures boxes to the centre of the first pixel.

    Raises:
        ValueError: it is neither of the two.
    """
    if origin not in ("edge", "centre"):
        raise ValueError(f"origin must be 'edge' or 'centre', not {origin!r}")
    return 0.5 if origin == "edge" else 0.0


def norm_layer(
    norm: str, fixed: bool, batch: Callable[[int], nn.Module]
) -> Callable[[int], nn.Module]:
    """Return what builds the normalisation of a number of channels.

    Args:
        norm: ``batch`` or ``group``.
        fixed: whether statistics of batch normalisation are to stay as they are.
        batch: builds that.

    Raises:
        ValueError: there is no such normalisation, or it has no statistics to keep.
    """
    if norm not in ("batch", "group"):
        raise ValueError(f"norm must be 'batch' or 'group', not {norm!r}")
    if norm == "group" and fixed:
        raise ValueError("norm_eval=True: group normalisation has no statistics to keep")
    return batch if norm == "batch" else partial(nn.GroupNorm, _GROUPS)


def check_width(width: float) -> None:
    """Refuse a factor of channels that the groups of normalisation do not go into.

    Raises:
        ValueError: it is so.
    """
    if width not in _WIDTHS:
        raise ValueError(f"width must be one of {_WIDTHS}, not {width:g}")


def predicted(network: nn.Module, images: Tensor, shift: float = 0.5) -> Boxes:
    """Return what a detector of torchvision finds in images ``(B, 3, H, W)``.

    Args:
        network: the detector.
        images: normalised.
        shift: see `shift_of`.

    Raises:
        ValueError: the network is in training mode, in which torchvision's find nothing.
    """
    if network.training:
        raise ValueError("boxes are found in evaluation mode: call eval() first")
    found = network(list(images))
    corners = pad_sequence([one["boxes"] for one in found], batch_first=True)
    scores = pad_sequence([one["scores"] for one in found], batch_first=True)
    known = [torch.ones_like(one["scores"], dtype=torch.bool) for one in found]
    low, high = corners[..., :2], corners[..., 2:]
    return Boxes(
        boxes=torch.cat([low - shift, high - low], dim=-1).float(),
        scores=scores.float(),
        valid=pad_sequence(known, batch_first=True),
    )


def losses(
    network: nn.Module, images: Tensor, targets: Boxes, shift: float = 0.5
) -> dict[str, Tensor]:
    """Return the losses of a detector of torchvision, by its names for them.

    Args:
        network: the detector.
        images: normalised.
        targets: the animals.
        shift: see `shift_of`.

    Raises:
        ValueError: the network is in evaluation mode, in which torchvision's have no loss.
    """
    if not network.training:
        raise ValueError("losses are computed in training mode: call train() first")
    low = targets.boxes[..., :2] + shift
    corners = torch.cat([low, low + targets.boxes[..., 2:]], dim=-1).to(images.dtype)
    given = [
        {"boxes": boxes[valid], "labels": valid[valid].long()}
        for boxes, valid in zip(corners, targets.valid)
    ]
    return dict(network(list(images), given))


def in_float32(*parts: Any) -> None:
    """Let parts of a network return float32 whatever they compute in.

    Anchors and boxes are computed in the precision of what they are computed from: pixels do not
    fit into bfloat16.
    """
    for part in parts:
        part.register_forward_hook(_in_float32)


def _in_float32(part: nn.Module, inputs: Any, outputs: Any) -> Any:
    return _floats(outputs)


def _floats(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.float()
    if isinstance(value, Mapping):
        return {name: _floats(item) for name, item in value.items()}
    return type(value)(_floats(item) for item in value)


def load(
    network: nn.Module,
    weights: str,
    addresses: Mapping[str, str],
    backbone: nn.Module,
    renamed: Mapping[str, str],
    classes: Iterable[str],
) -> None:
    """Put weights into a detector, in place.

    Args:
        network: the detector.
        weights: ``'coco'``, of the detector; ``'imagenet'``, of its backbone; or the path or the
            address of weights of the detector.
        addresses: where ``'coco'`` and ``'imagenet'`` are.
        backbone: what ``'imagenet'`` is for.
        renamed: prefixes of names in ``'imagenet'`` and of the same in `backbone`.
        classes: prefixes of what tells classes apart, which starts afresh where the weights are of
            other classes.

    Raises:
        CheckpointError: the weights cannot be found or do not fit.
    """
    address = addresses.get(weights, weights)
    if weight_files.on_meta(network):  # a config is checked: there is nowhere to put them
        return weight_files.look_for(address)
    state = weight_files.read_state(address)
    if weights == "imagenet":
        state = weight_files.rename(state, renamed)
        return weight_files.load_state(backbone, state, name=address, ignore=["fc.", "classifier."])
    own, classes = network.state_dict(), tuple(classes)
    others = [
        name for name in own if name in state and own[name].shape != state[name].shape
        and name.startswith(classes)
    ]  # fmt: skip
    return weight_files.load_state(network, state, name=address, new=others)
