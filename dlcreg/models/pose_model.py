"""The model of poses: normalises images, runs backbone and neck, and one head or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcreg.conditioning import needs_condition, takes_condition
from dlcreg.contracts import Backbone, Head, MirrorsCondition, Neck, Size
from dlcreg.flipping import flip_index
from dlcreg.models.codecs.mirroring import mirror_images
from dlcreg.models.layers.normalise import Normalise
from dlcreg.registry import MODELS
from dlcreg.structures import Instances, Poses

Outputs = dict[str, Any]
"""Tensors by name; with several heads, such a dict by the head's name."""


@MODELS.register_module()
class PoseModel(nn.Module):
    """Backbone, neck and heads. A plain module that a config or Python code can put together.

    Integer images are normalised on their device: the channels are brought into `channel_order`,
    scaled to 0 to 1, and `mean` and `std` applied. Floating-point images are taken as normalised.
    Images whose size the backbone cannot divide are then padded at the right and the bottom, which
    moves no keypoint; their last pixels are repeated, for an edge that no crop of the training has
    looks like a keypoint to some models.

    Args:
        backbone: images to feature maps.
        neck: feature maps to feature maps; None for none.
        head: one head, or several by name: such as one that finds poses, and others that complete
            them by who is who and by unique body parts (see `dlcreg.contracts.Head`).
        mean: mean of each channel, for values of 0 to 1, in `channel_order`; None: what the
            backbone is made for.
        std: standard deviation of each channel, likewise.
        channel_order: order of channels that the backbone was made for.
        flip_pairs: pairs of indices of left and right keypoints, for the flip test.
        num_keypoints: number of keypoints K, for the flip test.
        size_divisor: height and width of an image are padded to multiples of this; None: what the
            backbone can divide. 1 leaves images as they are, as DeepLabCut does: its networks
            round the sizes of their maps up.

    Raises:
        ValueError: values that make no sense, such as flip pairs of keypoints that do not exist, or
            heads that all complete poses, so that none finds them.
    """

    def __init__(
        self,
        backbone: Backbone,
        neck: Neck | None = None,
        *,
        head: Head | dict[str, Head],
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        channel_order: Literal["RGB", "BGR"] = "RGB",
        flip_pairs: Sequence[tuple[int, int]] = (),
        num_keypoints: int | None = None,
        size_divisor: int | None = None,
    ) -> None:
        super().__init__()
        if size_divisor is not None and size_divisor < 1:
            raise ValueError(f"size_divisor must be at least 1 pixel, not {size_divisor}")
        self._size_divisor = size_divisor
        mean, std = mean or backbone.image_mean, std or backbone.image_std
        self.normalise = Normalise(mean, std, channel_order)
        self.backbone = backbone
        self.neck = neck
        self.head: nn.Module = nn.ModuleDict(head) if isinstance(head, Mapping) else head
        self.flip_pairs = tuple((int(a), int(b)) for a, b in flip_pairs)
        self.num_keypoints = num_keypoints
        self.takes_condition = takes_condition(backbone)
        self.needs_condition = needs_condition(backbone)
        self._check_heads()
        self._check_flip_pairs()

    @property
    def heads(self) -> dict[str, Head]:
        """The heads by name; a single head has the name ``""``."""
        if isinstance(self.head, nn.ModuleDict):
            return dict(self.head.items())  # type: ignore[arg-type]
        return {"": self.head}  # type: ignore[dict-item]

    @property
    def size_divisor(self) -> int:
        """Height and width of an image are padded to multiples of this."""
        if self._size_divisor is not None:
            return self._size_divisor
        strides = getattr(self.backbone, "out_strides", (1,))
        return int(self.backbone.size_divisor or max(strides))

    def forward(
        self,
        images: Tensor,
        mode: Literal["tensor", "loss", "predict"] = "tensor",
        instances: Instances | None = None,
        condition: Tensor | None = None,
        flip_test: bool = False,
        scales: Sequence[float] = (1,),
    ) -> Any:
        """Run the model.

        Args:
            images: uint8 RGB ``(B, 3, H, W)``, or floats that are normalised already.
            mode: ``tensor`` for the outputs, ``loss`` for the losses, ``predict`` for poses.
            instances: labels, tensors ``(B, N, ...)`` in pixels of `images`; for ``loss``.
            condition: keypoints ``(B, K, 3)`` as x, y, score in pixels of `images`, or a map
                ``(B, C, H, W)`` that is drawn already, for conditioned backbones. Others leave it
                alone: boxes that a bottom-up model has found come with keypoints.
            flip_test: average the outputs with those of the mirrored images, in one pass of 2B.
            scales: for ``predict``: see the images at these scales, one of them 1, and let the
                codec put together what is found. Each is a pass of its own, for its images differ
                in size from the others'. What completes poses sees scale 1.

        Returns:
            ``tensor``: a dict of tensors; ``loss``: a dict of weighted losses whose sum is to be
            minimised; ``predict``: `Poses` in pixels of `images`. With several heads: a dict of
            tensors by the head's name, the losses as ``name.output``, and the poses of the head
            that finds them, completed by the others; where several heads find poses, a dict of
            those by the head's name.

        Raises:
            ValueError: an unknown mode, no labels for ``loss``, no condition for a backbone that
                needs one, or several scales where they make no sense.
        """
        if tuple(scales) != (1,):
            if mode != "predict":
                raise ValueError(f"several scales are for mode='predict', not {mode!r}")
            return self._predicted_at(scales, images, condition, flip_test)
        condition = self._fitting(condition, images)
        images = self.pad(self.normalise(images))
        if mode == "loss":
            if instances is None:
                raise ValueError("mode='loss' needs instances=, the labels of the images")
            return self._losses(images, instances, condition)
        if mode not in ("tensor", "predict"):
            raise ValueError(f"mode must be 'tensor', 'loss' or 'predict', not {mode!r}")
        height, width = images.shape[-2:]
        size = (height, width)
        if mode == "predict" and not flip_test:
            return self._predicted(self.features(images, condition), size)
        outputs = self._single(self._outputs(images, condition, flip_test))
        return outputs if mode == "tensor" else self.decode(outputs, size)

    def decode(self, outputs: Outputs, size: Size) -> Any:
        """Return the poses that outputs mean, as ``mode='predict'`` gives them.

        Args:
            outputs: what ``mode='tensor'`` gives.
            size: height and width of the images once they are padded (`pad`).
        """
        by_head = outputs if isinstance(self.head, nn.ModuleDict) else {"": outputs}
        found = {
            name: head.codec.decode(by_head[name], size)
            for name, head in self.heads.items()
            if not head.completes
        }
        return self._completed(found, by_head, size)

    def pad(self, images: Tensor) -> Tensor:
        """Return images whose sides `size_divisor` divides, padded at the right and the bottom."""
        pad = self._padding(images)
        return F.pad(images, pad, mode="replicate") if any(pad) else images

    def _padding(self, images: Tensor) -> tuple[int, int, int, int]:
        height, width = images.shape[-2:]
        return 0, -width % self.size_divisor, 0, -height % self.size_divisor

    def _fitting(self, condition: Tensor | None, images: Tensor) -> Tensor | None:
        """Return the condition as the backbone takes it: a drawn map is padded as the images are.

        Raises:
            ValueError: there is none, and the backbone needs one.
        """
        if not self.takes_condition:
            return None
        if condition is None:
            if self.needs_condition:
                raise ValueError(
                    f"{type(self.backbone).__name__} looks at a condition, and there is none: give "
                    "condition=, keypoints (B, K, 3) as x, y, score or a drawn map (B, C, H, W). "
                    "Samples of a data set have one by proposals with keypoints or by a transform "
                    "such as GenerativeCondition"
                )
            return None
        is_map = condition.dim() == 4 and condition.shape[-2:] == images.shape[-2:]
        return F.pad(condition, self._padding(images)) if is_map else condition

    def features(self, images: Tensor, condition: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return what the heads get, of normalised images of a fitting size.

        Args:
            images: floats ``(B, 3, H, W)``.
            condition: for a conditioned backbone; a drawn map has the size of the images.
        """
        if condition is None:
            features = self.backbone(images)
        else:
            features = self.backbone(images, condition)
        return features if self.neck is None else self.neck(features)  # type: ignore[no-any-return]

    def _losses(
        self, images: Tensor, instances: Instances, condition: Tensor | None
    ) -> dict[str, Tensor]:
        features = self.features(images, condition)
        height, width = images.shape[-2:]
        losses = {}
        for name, head in self.heads.items():
            for output, value in head.loss(features, instances, (height, width)).items():
                losses[f"{name}.{output}" if name else output] = value
        return losses

    def _predicted(self, features: tuple[Tensor, ...], size: Size) -> Any:
        found, outputs = {}, {}
        for name, head in self.heads.items():
            if head.completes:
                outputs[name] = {key: value.float() for key, value in head(features).items()}
            else:
                found[name] = head.predict(features, size)
        return self._completed(found, outputs, size)

    def _outputs(
        self, images: Tensor, condition: Tensor | None, flip_test: bool
    ) -> dict[str, dict[str, Tensor]]:
        if flip_test:
            return self._averaged_outputs(images, condition)
        features = self.features(images, condition)
        return {name: head(features) for name, head in self.heads.items()}

    def _predicted_at(
        self, scales: Sequence[float], images: Tensor, condition: Tensor | None, flip_test: bool
    ) -> Any:
        if 1 not in scales or min(scales) <= 0:
            raise ValueError(f"scales must be above 0, and one of them 1: {tuple(scales)}")
        if self.takes_condition and condition is not None:
            raise ValueError("a multi-scale test needs a model without a condition")
        images = self.normalise(images)
        height, width = self.pad(images).shape[-2:]
        size, outputs = (height, width), []
        for scale in scales:
            of_scale = self._outputs(self.pad(_resized(images, scale)), None, flip_test)
            outputs.append({n: {k: v.float() for k, v in o.items()} for n, o in of_scale.items()})
        found = {
            name: head.codec.decode_scales([one[name] for one in outputs], scales, size)
            for name, head in self.heads.items()
            if not head.completes
        }
        return self._completed(found, outputs[list(scales).index(1)], size)

    def _completed(
        self, found: dict[str, Poses], outputs: Mapping[str, dict[str, Tensor]], size: Size
    ) -> Any:
        """Return the poses of each head, or of the only one, with what the other heads add."""
        for name, head in self.heads.items():
            if head.completes:
                found = {k: head.complete(poses, outputs[name], size) for k, poses in found.items()}
        return found if len(found) > 1 else next(iter(found.values()))

    def _averaged_outputs(
        self, images: Tensor, condition: Tensor | None
    ) -> dict[str, dict[str, Tensor]]:
        """Return outputs by head and name: the mean of the images' and the mirrored images'."""
        shifts = sorted({head.codec.mirrored_shift for head in self.heads.values()})
        if condition is not None:
            others = [self._mirrored_condition(condition, images, shift) for shift in shifts]
            condition = torch.cat([condition, *others])
        batch = torch.cat([images, *(mirror_images(images, shift) for shift in shifts)])
        features = self.features(batch, condition)
        count = images.shape[0]  # not len(), which a traced graph would keep as a number
        outputs = {}
        for name, head in self.heads.items():
            every = {key: value.float() for key, value in head(features).items()}
            plain = {key: value[:count] for key, value in every.items()}
            start = (1 + shifts.index(head.codec.mirrored_shift)) * count
            mirrored = {key: value[start : start + count] for key, value in every.items()}
            mirrored = head.codec.flip(mirrored, self._flip_index(head, images.device))
            outputs[name] = {key: (plain[key] + mirrored[key]) / 2 for key in plain}
        return outputs

    def _mirrored_condition(self, condition: Tensor, images: Tensor, shift: int) -> Tensor:
        if condition.dim() == 4:
            if not isinstance(self.backbone, MirrorsCondition):
                return mirror_images(condition, shift)
            count = self.num_keypoints or condition.shape[1]
            twins = self._twins(count, images.device)
            back = self.backbone.mirror_condition(condition, twins)
            return mirror_images(back.flip(-1), shift)
        index = self._twins(condition.shape[1], condition.device)
        mirrored = condition.index_select(1, index).clone()
        mirrored[..., 0] = images.shape[-1] - 1 - shift - mirrored[..., 0]
        return mirrored

    def _check_heads(self) -> None:
        heads = self.heads
        if heads and all(head.completes for head in heads.values()):
            name, head = next(iter(heads.items()))
            raise ValueError(
                f"head: {name or type(head).__name__} completes poses that another head finds, and "
                "there is no other. Give head=dict(pose=dict(...), "
                f"{name or 'more'}=dict(...)) with a head that finds poses"
            )

    def _check_flip_pairs(self) -> None:
        heads = [head for head in self.heads.values() if head.flip_pairs is None]
        counts = [self.num_keypoints, *(head.num_keypoints for head in heads)]
        known = next((count for count in counts if count is not None), None)
        largest = max((max(pair) for pair in self.flip_pairs), default=0)
        flip_index(self.flip_pairs, largest + 1 if known is None else known)

    def _flip_index(self, head: Head, device: torch.device) -> Tensor:
        count = head.num_keypoints or self.num_keypoints
        if count is None:
            raise ValueError("a flip test needs num_keypoints, of the head or of PoseModel")
        return self._twins(count, device, head.flip_pairs)

    def _twins(
        self, count: int, device: torch.device, pairs: Sequence[tuple[int, int]] | None = None
    ) -> Tensor:
        pairs = self.flip_pairs if pairs is None else pairs
        return torch.from_numpy(flip_index(pairs, count)).to(device)

    def _single(self, by_head: dict[str, Any]) -> Any:
        return by_head if isinstance(self.head, nn.ModuleDict) else by_head[""]


def _resized(images: Tensor, scale: float) -> Tensor:
    if scale == 1:
        return images
    height, width = (max(1, round(length * scale)) for length in images.shape[-2:])
    return F.interpolate(images, (height, width), mode="bilinear", antialias=scale < 1)
