"""DLCRNet as published (Lauer et al., 2022), of DeepLabCut's TensorFlow engine."""

from __future__ import annotations

import re

from torch import Tensor

from dlcreg.models.published.deeplabcut import published
from dlcreg.models.published.deeplabcut_paf import (
    CODEC,
    COUNTED_BY,
    FUSION,
    LOSSES,
    OF_KEYPOINTS,
    untold_graph,
)
from dlcreg.models.published.entry import Published, State

_PIXEL_MEAN = (123.68, 116.779, 103.939)
_VALUES = {
    "weights": "weight",
    "biases": "bias",
    "BatchNorm/gamma": "weight",
    "BatchNorm/beta": "bias",
    "BatchNorm/moving_mean": "running_mean",
    "BatchNorm/moving_variance": "running_var",
}
_OUTPUTS = {"part": "heatmap", "locref": "locref", "pairwise": "paf"}
_LAYER = re.compile(rf"(?P<layer>.+?)/(?P<value>{'|'.join(_VALUES)})")
_UNIT = re.compile(r"resnet_v1_\d+/block(\d)/unit_(\d+)/bottleneck_v1/(?:conv(\d)|shortcut)")
_GUESS = re.compile(r"pose/(part|locref|pairwise)_pred(?:_s(\d+))?/Conv(?:2d_transpose)?")


def _named(name: str) -> str:
    """Return our name of one of the original's variables; names that are no model's stay."""
    found = _LAYER.fullmatch(name)
    if found is None:
        return name
    layer, value = found["layer"], _VALUES[found["value"]]
    normalised = found["value"].startswith("BatchNorm")
    if re.fullmatch(r"resnet_v1_\d+/conv1", layer):
        return f"backbone.resnet.{'bn1' if normalised else 'conv1'}.{value}"
    if unit := _UNIT.fullmatch(layer):
        block, number, convolution = unit.groups()
        part = f"{'bn' if normalised else 'conv'}{convolution}"
        if convolution is None:
            part = f"downsample.{int(normalised)}"
        return f"backbone.resnet.layer{block}.{int(number) - 1}.{part}.{value}"
    if layer.startswith("decoder_filters/decoder_parallel_"):
        branch = FUSION[int(layer[-1]) - 1]
        return f"backbone.{branch}.{'norm' if normalised else 'conv'}.{value}"
    if layer == "upsampled_features/block3":
        return f"backbone.upsample.0.{value}"
    if layer == "pose/Conv2d_transpose":
        return f"head.features.{value}"
    if guess := _GUESS.fullmatch(layer):
        output, stage = _OUTPUTS[guess[1]], guess[2]
        if stage is None:
            return f"head.{'first' if output == 'locref' else 'final'}.{output}.{value}"
        if stage == "1":
            return f"head.first.{output}.{value}"
        return f"head.stages.{int(stage) - 2}.{output}.{value}"
    return name


def _converted(state: State) -> State:
    """Return the variables by our names; kernels from (h, w, in, out) to torch's axes.

    Kernels that have torch's axes already, such as 64 x 3 x 7 x 7 at the beginning, stay.
    """
    beginning = [v for k, v in state.items() if re.fullmatch(r"resnet_v1_\d+/conv1/weights", k)]
    turned = any(kernel.shape[-1] == 64 for kernel in beginning)

    def kernel(value: Tensor) -> Tensor:
        return value.permute(3, 2, 0, 1).contiguous() if turned and value.dim() == 4 else value

    return {_named(name): kernel(value) for name, value in state.items()}


def _dlcrnet(upsampled_channels: int | None) -> Published:
    backbone = {
        "type": "DLCRNet",
        "depth": 50,
        "engine": "tensorflow",
        "strided_block": "last",
        "upsampled_channels": upsampled_channels,
        "norm_eval": True,
        "batch_statistics": True,
        "pixel_mean": _PIXEL_MEAN,
    }
    head = {
        "type": "DLCRNetHead",
        "engine": "tensorflow",
        "num_stages": 3,
        "codec": {**CODEC, "score": "peak"},
        "losses": {**LOSSES, "paf": {"type": "MSELoss", "weight": 0.1}},
    }
    return published(
        backbone,
        head,
        400,
        prefixes={},
        convert=_converted,
        counted_by=COUNTED_BY,
        of_keypoints=OF_KEYPOINTS,
        wired={"num_individuals": 3},
        untold=untold_graph,
    )


MODELS = {
    "dlcrnet_ms5_tensorflow_stride8": _dlcrnet(None),
    "dlcrnet_ms5_tensorflow_stride4": _dlcrnet(128),
}
"""By name."""
