"""Faster R-CNN (Ren et al., 2015) with a feature pyramid, torchvision's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor, nn
from torchvision.models import detection
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from dlcreg.models.detectors import pyramids, wrapped
from dlcreg.registry import DETECTORS

_MODELS = "https://download.pytorch.org/models"
_MOBILENET = f"{_MODELS}/mobilenet_v3_large-8738ca79.pth"
_ADDRESSES = {
    "resnet50_fpn": {
        "coco": f"{_MODELS}/fasterrcnn_resnet50_fpn_coco-258fb6c6.pth",
        "imagenet": f"{_MODELS}/resnet50-0676ba61.pth",
    },
    "resnet50_fpn_v2": {
        "coco": f"{_MODELS}/fasterrcnn_resnet50_fpn_v2_coco-dd69338a.pth",
        "imagenet": f"{_MODELS}/resnet50-0676ba61.pth",
    },
    "mobilenet_v3_large_fpn": {
        "coco": f"{_MODELS}/fasterrcnn_mobilenet_v3_large_fpn-fb6a3cc7.pth",
        "imagenet": _MOBILENET,
    },
    "mobilenet_v3_large_320_fpn": {
        "coco": f"{_MODELS}/fasterrcnn_mobilenet_v3_large_320_fpn-907ea3f9.pth",
        "imagenet": _MOBILENET,
    },
}
_SIZES = {
    "resnet50_fpn": (800, 1333),
    "resnet50_fpn_v2": (800, 1333),
    "mobilenet_v3_large_fpn": (800, 1333),
    "mobilenet_v3_large_320_fpn": (320, 640),
}
_PROPOSALS: dict[str, dict[str, Any]] = {
    "resnet50_fpn": {},
    "resnet50_fpn_v2": {},
    "mobilenet_v3_large_fpn": dict(rpn_score_thresh=0.05),
    "mobilenet_v3_large_320_fpn": dict(
        rpn_score_thresh=0.05, rpn_pre_nms_top_n_test=150, rpn_post_nms_top_n_test=150
    ),
}
_RESNET, _LEVELS = "resnet50", 5  # of its pyramid


@DETECTORS.register_module()
class FasterRCNN(wrapped.TorchvisionDetector):
    """Faster R-CNN (Ren et al., 2015) of two stages, torchvision's and with its names.

    By default all is as in torchvision, for its weights. From random weights, with few images, it
    learns with ``norm="group"``: the statistics of some fifty layers of batch normalisation lag
    behind weights that change fast, so that nothing is found in evaluation mode.

    Args:
        backbone: ResNet-50, with the heads of the paper or (``v2``) those of Li et al. (2021), or
            MobileNetV3-Large, each with a feature pyramid; the one for images of 320 pixels has
            fewer proposals, too.
        size: images are resized so that their shorter side has the first of these lengths, unless
            the longer side would exceed the second; ``given``: they are not, for transforms of the
            data did so; None: the backbone's, 800 and 1333 or 320 and 640.
        anchors: sides of the anchors in pixels of the resized images: of ResNet-50 one for each of
            the five levels, of MobileNetV3 all on every level.
        stride: of the finest level of MobileNetV3, 4, 8, 16 or 32, of which the published weights
            are: too coarse for animals of less than some 64 pixels. None: 32, or 4 of ResNet-50.
        width: factor of the channels of every layer of MobileNetV3, its pyramid and its heads,
            0.25, 0.5, 0.75 or 1, of which the published weights are.
        regions: regions of an image that the second stage learns from, a quarter of them animals at
            most. That is most of the work of a training on a CPU: 64 are enough for a few animals.
        norm: ``batch`` normalisation, or ``group`` normalisation with 8 groups (Wu and He, 2018),
            in the pyramid and in the second stage, too (He et al., 2019): it knows no statistics.
        norm_eval: keep the statistics of batch normalisation as they are: for a batch of few
            images, and weights that know them.
        frozen_norms: its weights do not learn either.
        weights: ``'coco'`` (torchvision's, downloaded once; the classes start afresh),
            ``'imagenet'`` (of the backbone alone), a path, an address, or None for random weights.
        nms: overlap (intersection over union) above which the worse of two boxes is left out.
        min_score: boxes below this likelihood are left out.
        origin: what of the first pixel the network measures boxes from: its ``edge``, as
            torchvision's weights do, or its ``centre``, as networks of DeepLabCut do.

    Raises:
        CheckpointError: the weights cannot be found or do not fit.
        ValueError: numbers that make no sense, or that the backbone cannot have.
    """

    def __init__(
        self,
        backbone: Literal[
            "resnet50_fpn",
            "resnet50_fpn_v2",
            "mobilenet_v3_large_fpn",
            "mobilenet_v3_large_320_fpn",
        ] = "resnet50_fpn_v2",
        size: tuple[int, int] | Literal["given"] | None = None,
        anchors: Sequence[float] = (32, 64, 128, 256, 512),
        stride: Literal[4, 8, 16, 32] | None = None,
        width: float = 1.0,
        regions: int = 512,
        norm: Literal["batch", "group"] = "batch",
        norm_eval: bool = False,
        frozen_norms: bool = False,
        weights: str | None = None,
        nms: float = 0.5,
        min_score: float = 0.01,
        origin: wrapped.Origin = "edge",
    ) -> None:
        super().__init__()
        wrapped.shift_of(origin)
        _check(backbone, size, anchors, stride, width, regions)
        layer = wrapped.norm_layer(norm, norm_eval or frozen_norms, nn.BatchNorm2d)
        grouped = norm == "group"
        if backbone.startswith(_RESNET):
            parts = pyramids.of_resnet50(layer, grouped, anchors, backbone.endswith("v2"))
        else:
            parts = pyramids.of_mobilenet(layer, grouped, anchors, stride or 32, width)
        resized = _SIZES[backbone] if size is None or isinstance(size, str) else size
        looks: dict[str, Any] = dict(image_mean=wrapped.NO_MEAN, image_std=wrapped.NO_STD)
        looks |= dict(zip(("min_size", "max_size"), resized))
        self.network = detection.FasterRCNN(
            **parts,
            **looks,
            box_predictor=FastRCNNPredictor(pyramids.hidden(width), wrapped.CLASSES),
            box_batch_size_per_image=regions,
            box_nms_thresh=nms,
            box_score_thresh=min_score,
            **_PROPOSALS[backbone],
        )
        if size == "given":
            self.network.transform = _Padded(**looks)
        computing = self.network.backbone, self.network.rpn.head
        wrapped.in_float32(*computing, self.network.roi_heads.box_predictor)
        self.norm_eval, self.frozen_norms, self.origin = norm_eval, frozen_norms, origin
        if weights is not None:
            body, classes = self.network.backbone.body, ["roi_heads.box_predictor."]
            renamed = {"features.": ""}
            wrapped.load(self.network, weights, _ADDRESSES[backbone], body, renamed, classes)
        self.train()

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return what the first stage says of the anchors, by level: it alone has fixed shapes.

        Returns:
            ``objectness_0`` ``(B, A, h, w)`` and ``offsets_0`` ``(B, 4A, h, w)``, and so on.
        """
        resized, _ = self.network.transform(list(images))
        levels = list(self.network.backbone(resized.tensors).values())
        objectness, offsets = self.network.rpn.head(levels)
        outputs: dict[str, Tensor] = {}
        for level, (scores, moves) in enumerate(zip(objectness, offsets)):
            outputs |= {f"objectness_{level}": scores, f"offsets_{level}": moves}
        return outputs


class _Padded(GeneralizedRCNNTransform):
    """Pads images to whole cells of the coarsest map, and leaves their pixels as they are."""

    def resize(
        self, image: Tensor, target: dict[str, Tensor] | None = None
    ) -> tuple[Tensor, dict[str, Tensor] | None]:
        return image, target


def _check(
    backbone: str,
    size: tuple[int, int] | str | None,
    anchors: Sequence[float],
    stride: int | None,
    width: float,
    regions: int,
) -> None:
    if backbone not in _SIZES:
        raise ValueError(f"backbone must be one of {', '.join(_SIZES)}, not {backbone!r}")
    sides = (32, 32) if size in (None, "given") else size
    if isinstance(sides, str) or len(sides) != 2 or not 32 <= sides[0] <= sides[1]:
        raise ValueError(
            "size must be the shorter and the longer side of an image, 32 pixels or more, "
            f"'given' or None, not {size!r}"
        )
    if not anchors or min(anchors) <= 0:
        raise ValueError(f"anchors must be sides in pixels, not {anchors}")
    if stride not in (None, *pyramids.BLOCKS):
        raise ValueError(f"stride must be one of {sorted(pyramids.BLOCKS)}, not {stride}")
    wrapped.check_width(width)
    if regions < 1:
        raise ValueError(f"regions={regions}: give 1 or more")
    if backbone.startswith(_RESNET) and (width != 1 or stride not in (None, 4)):
        raise ValueError("width and stride can be chosen for MobileNetV3 alone: leave them out")
    if backbone.startswith(_RESNET) and len(anchors) != _LEVELS:
        raise ValueError(f"anchors of ResNet-50 are one for each of {_LEVELS} levels: {anchors}")
