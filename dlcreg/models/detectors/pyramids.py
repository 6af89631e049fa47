"""The networks of Faster R-CNN, torchvision's but for their normalisation and their width."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn
from torchvision.models import mobilenet_v3_large, resnet50
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead, TwoMLPHead
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops.misc import Conv2dNormActivation

BLOCKS = {4: (3, 6, 12, 16), 8: (6, 12, 16), 16: (12, 16), 32: (13, 16)}
"""Which blocks of MobileNetV3-Large give the levels, by the stride of the finest; torchvision's are
those of 32, both of them."""

Norm = Callable[[int], nn.Module]

_CHANNELS = 256  # of each level
_HIDDEN = 1024  # of a layer that is fully connected
_CELLS = 7  # rows, and columns, of an animal's features
_RATIOS = (0.5, 1.0, 2.0)


def hidden(width: float) -> int:
    """Return what the second stage makes of each region, a number of channels."""
    return int(_HIDDEN * width)


def of_resnet50(
    norm: Norm, grouped: bool, anchors: Sequence[float], newer: bool
) -> dict[str, nn.Module]:
    """Return backbone, anchors and heads on ResNet-50.

    Args:
        norm: builds the normalisation of a number of channels.
        grouped: normalise in the pyramid and behind fully connected layers, too.
        anchors: sides of the anchors, one for each of the five levels.
        newer: with the pyramid and the heads of Li et al. (2021), not of the paper.
    """
    body = resnet50(norm_layer=norm)
    names = {f"layer{stage}": str(stage - 1) for stage in (1, 2, 3, 4)}
    channels = [256, 512, 1024, 2048]
    convs, layers = ([_CHANNELS] * 4, 1) if newer else ([], 2)
    generator = AnchorGenerator(tuple((side,) for side in anchors), (_RATIOS,) * len(anchors))
    head: nn.Module
    if grouped:
        head = _box_head(_CHANNELS, convs, [_HIDDEN] * layers, norm)
    elif newer:
        head = FastRCNNConvFCHead((_CHANNELS, _CELLS, _CELLS), convs, [_HIDDEN], norm)
    else:
        head = TwoMLPHead(_CHANNELS * _CELLS**2, _HIDDEN)
    pyramid = norm if newer or grouped else None
    return dict(
        backbone=BackboneWithFPN(body, names, channels, _CHANNELS, norm_layer=pyramid),
        rpn_anchor_generator=generator,
        rpn_head=RPNHead(_CHANNELS, len(_RATIOS), conv_depth=2 if newer else 1),
        box_head=head,
    )


def of_mobilenet(
    norm: Norm, grouped: bool, anchors: Sequence[float], stride: int, width: float
) -> dict[str, nn.Module]:
    """Return backbone, anchors and heads on MobileNetV3-Large.

    Args:
        norm: builds the normalisation of a number of channels.
        grouped: normalise in the pyramid and behind fully connected layers, too.
        anchors: sides of the anchors of every level.
        stride: of the finest level.
        width: factor of the channels of every layer.
    """
    body = mobilenet_v3_large(norm_layer=norm, width_mult=width).features
    blocks = BLOCKS[stride]
    names = {str(block): str(level) for level, block in enumerate(blocks)}
    widths = [body[block].out_channels for block in blocks]
    levels = len(blocks) + 1  # one more is pooled of the last
    channels = int(_CHANNELS * width)
    generator = AnchorGenerator((tuple(anchors),) * levels, (_RATIOS,) * levels)
    head: nn.Module = TwoMLPHead(channels * _CELLS**2, hidden(width))
    if grouped:
        head = _box_head(channels, [], [hidden(width)] * 2, norm)
    return dict(
        backbone=BackboneWithFPN(
            body, names, widths, channels, norm_layer=norm if grouped else None
        ),
        rpn_anchor_generator=generator,
        rpn_head=RPNHead(channels, len(anchors) * len(_RATIOS)),
        box_head=head,
    )


def _box_head(
    channels: int, convs: Sequence[int], widths: Sequence[int], norm: Norm
) -> nn.Sequential:
    """Return the second stage with every layer normalised: ``(R, C, 7, 7)`` to ``(R, W)``.

    A step of Adam moves the output of a layer of 12,544 inputs far; nothing would bring it back.
    """
    layers: list[nn.Module] = []
    for width in convs:
        layers.append(Conv2dNormActivation(channels, width, norm_layer=norm))
        channels = width
    layers.append(nn.Flatten())
    inputs = channels * _CELLS**2
    for width in widths:
        layers += [nn.Linear(inputs, width, bias=False), norm(width), nn.ReLU(inplace=True)]
        inputs = width
    return nn.Sequential(*layers)
