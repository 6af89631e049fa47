"""SSDLite (Howard et al., 2019): the single-shot detector on MobileNetV3, torchvision's."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torchvision.models import mobilenet_v3_large
from torchvision.models.detection._utils import retrieve_out_channels
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD
from torchvision.models.detection.ssdlite import SSDLiteFeatureExtractorMobileNet, SSDLiteHead

from dlcreg.contracts import Size
from dlcreg.models.detectors import wrapped
from dlcreg.registry import DETECTORS

_ADDRESSES = {
    "coco": "https://download.pytorch.org/models/ssdlite320_mobilenet_v3_large_coco-a79551df.pth",
    "imagenet": "https://download.pytorch.org/models/mobilenet_v3_large-8738ca79.pth",
}
_C4 = 13  # the last block of MobileNetV3-Large that strides
_MAPS = 6
_BATCH_NORM = partial(nn.BatchNorm2d, eps=0.001, momentum=0.03)


@DETECTORS.register_module()
class SSDLite(wrapped.TorchvisionDetector):
    """SSDLite320 on MobileNetV3-Large (Howard et al., 2019), torchvision's and with its names.

    Every image is brought to one size, whatever its sides are. The finest map has a stride of 16 of
    these pixels, so that animals should be about as large at least.

    Args:
        size: height and width that images are brought to.
        box_sizes: sides of the smallest and of the largest default boxes, as shares of the image;
            torchvision's are made for COCO, whose objects are large.
        width: factor of the channels of every layer, 0.25, 0.5, 0.75 or 1, of which the published
            weights are.
        norm: ``batch`` normalisation, or ``group`` normalisation with 8 groups (Wu and He, 2018),
            which knows no statistics: for small batches, and for few images from random weights.
        norm_eval: keep the statistics of batch normalisation as they are, for small batches.
        reduced_tail: leave out half of the channels behind the last stride, as in the paper;
            ``'imagenet'`` weights have them.
        weights: ``'coco'`` (torchvision's, downloaded once; the classes start afresh),
            ``'imagenet'`` (of the backbone alone), a path, an address, or None for random weights.
        nms: overlap (intersection over union) above which the worse of two boxes is left out.
        min_score: boxes below this likelihood are left out.
        origin: what of the first pixel the network measures boxes from: its ``edge``, as
            torchvision's weights do, or its ``centre``, as networks of DeepLabCut do.

    Raises:
        CheckpointError: the weights cannot be found or do not fit.
        ValueError: numbers that make no sense, or weights that do not fit the other options.
    """

    image_mean = (0.5, 0.5, 0.5)
    image_std = (0.5, 0.5, 0.5)

    def __init__(
        self,
        size: tuple[int, int] = (320, 320),
        box_sizes: tuple[float, float] = (0.2, 0.95),
        width: float = 1.0,
        norm: Literal["batch", "group"] = "batch",
        norm_eval: bool = False,
        reduced_tail: bool = True,
        weights: str | None = None,
        nms: float = 0.55,
        min_score: float = 0.001,
        origin: wrapped.Origin = "edge",
    ) -> None:
        super().__init__()
        wrapped.shift_of(origin)
        _check(size, box_sizes, width)
        if weights == "imagenet" and reduced_tail:
            raise ValueError("weights='imagenet' has the whole tail: set reduced_tail=False")
        norm_layer = wrapped.norm_layer(norm, norm_eval, _BATCH_NORM)
        layers = mobilenet_v3_large(
            norm_layer=norm_layer, reduced_tail=reduced_tail, width_mult=width
        ).features
        body = SSDLiteFeatureExtractorMobileNet(layers, _C4, norm_layer, width)
        anchors = DefaultBoxGenerator([[2, 3]] * _MAPS, *map(float, box_sizes))
        with torch.random.fork_rng(devices=[]):
            channels = retrieve_out_channels(body, (size[1], size[0]))
        heads = SSDLiteHead(
            channels, anchors.num_anchors_per_location(), wrapped.CLASSES, norm_layer
        )
        self.network = SSD(
            body,
            anchors,
            (size[1], size[0]),
            wrapped.CLASSES,
            wrapped.NO_MEAN,
            wrapped.NO_STD,
            heads,
            score_thresh=min_score,
            nms_thresh=nms,
            detections_per_img=300,
            topk_candidates=300,
        )
        wrapped.in_float32(self.network.backbone, self.network.head)
        self.norm_eval, self.origin = norm_eval, origin
        if weights is not None:
            classes = ["head.classification_head."]
            wrapped.load(self.network, weights, _ADDRESSES, layers, {"features.": ""}, classes)
        self.train()

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return for each default box its offsets ``(B, A, 4)`` and the logits of its classes."""
        resized, _ = self.network.transform(list(images))
        return self.network.head(list(self.network.backbone(resized.tensors).values()))  # type: ignore[no-any-return]


def _check(size: Size, box_sizes: tuple[float, float], width: float) -> None:
    if len(size) != 2 or min(size) < 32:
        raise ValueError(f"size must be a height and a width of 32 pixels or more, not {size}")
    smallest, largest = box_sizes
    if not 0 < smallest < largest <= 1:
        raise ValueError(f"box_sizes must be two rising shares of the image, not {box_sizes}")
    wrapped.check_width(width)
