"""Faster R-CNN (Ren et al., 2015) with a feature pyramid, torchvision's."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torchvision.models import detection

from dlcreg.models.detectors import wrapped
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


@DETECTORS.register_module()
class FasterRCNN(wrapped.TorchvisionDetector):
    """Faster R-CNN (Ren et al., 2015) of two stages, torchvision's and with its names.

    Args:
        backbone: ResNet-50, with the heads of the paper or (``v2``) those of Li et al. (2021), or
            MobileNetV3-Large, each with a feature pyramid; the one for images of 320 pixels has
            fewer proposals, too.
        size: images are resized so that their shorter side has the first of these lengths, unless
            the longer side would exceed the second; None: the backbone's, 800 and 1333 or 320 and
            640.
        norm_eval: keep the statistics of batch normalisation as they are: for a batch of few
            images, and weights that know them.
        weights: ``'coco'`` (torchvision's, downloaded once; the classes start afresh),
            ``'imagenet'`` (of the backbone alone), a path, an address, or None for random weights.
        nms: overlap (intersection over union) above which the worse of two boxes is left out.
        min_score: boxes below this likelihood are left out.
        origin: what of the first pixel the network measures boxes from: its ``edge``, as
            torchvision's weights do, or its ``centre``, as networks of DeepLabCut do.

    Raises:
        CheckpointError: the weights cannot be found or do not fit.
        ValueError: numbers that make no sense.
    """

    def __init__(
        self,
        backbone: Literal[
            "resnet50_fpn",
            "resnet50_fpn_v2",
            "mobilenet_v3_large_fpn",
            "mobilenet_v3_large_320_fpn",
        ] = "resnet50_fpn_v2",
        size: tuple[int, int] | None = None,
        norm_eval: bool = False,
        weights: str | None = None,
        nms: float = 0.5,
        min_score: float = 0.01,
        origin: wrapped.Origin = "edge",
    ) -> None:
        super().__init__()
        wrapped.shift_of(origin)
        if backbone not in _SIZES:
            raise ValueError(f"backbone must be one of {', '.join(_SIZES)}, not {backbone!r}")
        shorter, longer = size or _SIZES[backbone]
        if not 32 <= shorter <= longer:
            raise ValueError(
                "size must be the shorter and the longer side of an image, 32 pixels or more, "
                f"not {size}"
            )
        self.network = getattr(detection, f"fasterrcnn_{backbone}")(
            weights=None,
            weights_backbone=None,
            num_classes=wrapped.CLASSES,
            min_size=shorter,
            max_size=longer,
            image_mean=wrapped.NO_MEAN,
            image_std=wrapped.NO_STD,
            box_nms_thresh=nms,
            box_score_thresh=min_score,
        )
        parts = self.network.backbone, self.network.rpn.head, self.network.roi_heads.box_predictor
        wrapped.in_float32(*parts)
        self.norm_eval, self.origin = norm_eval, origin
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
