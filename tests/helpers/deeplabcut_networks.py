"""Networks of DeepLabCut without its downloads: random weights, or some that learnt two images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import timm
import torch
import torchvision
from torch import nn

_create = timm.create_model
timm.create_model = lambda *args, **kwargs: _create(*args, **{**kwargs, "pretrained": False})
torch.hub.load_state_dict_from_url = lambda *args, **kwargs: {}


_BUILDERS = {
    "MobileNet_V3_Large_Weights": torchvision.models.mobilenet_v3_large,
    "ResNet50_Weights": torchvision.models.resnet50,
}
# random weights in place of a download: with none at all, torchvision takes other normalisation
torchvision.models.WeightsEnum.get_state_dict = lambda weights, *args, **kwargs: _BUILDERS[
    type(weights).__name__
](weights=None).state_dict()

from deeplabcut.pose_estimation_pytorch.models import DETECTORS, PoseModel  # noqa: E402

_NORMS = (nn.BatchNorm2d, torchvision.ops.FrozenBatchNorm2d)
_SPREAD = 0.1  # of the animals' keypoints around their middles, as a share of the image


def pose_network(config, images: list[np.ndarray], steps: int) -> PoseModel:
    """Return a network whose outputs are of about 1, or that learnt where animals are.

    Args:
        config: of the whole model.
        images: two or more.
        steps: of learning them; 0 for random weights.
    """
    torch.manual_seed(1)
    network = PoseModel.build(config["model"])
    parts = len(config["metadata"]["bodyparts"])
    _scatter(network)
    _level(network, images[0], parts)
    if steps:
        _learn(network, config, images, steps)
    return network.eval()


def detector_network(config, images: list[np.ndarray]) -> nn.Module:
    """Return a detector with random weights whose boxes differ in their scores."""
    torch.manual_seed(1)
    network = DETECTORS.build(dict(config["detector"]["model"]))
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point() and tensor.dim() > 1 and "backbone" not in name:
                tensor.normal_(0, 1 / tensor[0].numel() ** 0.5)
    network.eval()
    with torch.no_grad(), _settled(network):
        network(_normalised(images[:1]))
    return network


def _spread(
    head: nn.Module, features: torch.Tensor, low: tuple[float, float], high: tuple[float, float]
) -> None:
    """Let a share of each heatmap's cells be below a value, and another share below another."""
    cells = head(features)["heatmap"].transpose(0, 1).flatten(1)
    last = [m for m in head.heatmap_head.modules() if getattr(m, "bias", None) is not None][-1]
    bottom, top = (cells.quantile(share, dim=1) for share, _ in (low, high))
    factor = (high[1] - low[1]) / (top - bottom)
    across = (1, -1) if isinstance(last, nn.ConvTranspose2d) else (-1, 1)
    last.weight.mul_(factor.view(*across, 1, 1))
    last.bias.sub_(bottom).mul_(factor).add_(low[1])


@contextmanager
def _settled(network: nn.Module) -> Iterator[None]:
    """Let the statistics of normalisations become those of what they get meanwhile."""
    hooks = [
        layer.register_forward_pre_hook(_settle)
        for layer in network.modules()
        if isinstance(layer, _NORMS)
    ]
    yield
    for hook in hooks:
        hook.remove()


def _settle(layer: nn.Module, inputs: tuple[torch.Tensor]) -> None:
    layer.running_mean.copy_(inputs[0].mean((0, 2, 3)))
    layer.running_var.copy_(inputs[0].var((0, 2, 3), correction=0) + 0.01)


def _normalised(images: list[np.ndarray]) -> torch.Tensor:
    mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    pixels = (np.stack(images).astype(np.float32) / 255 - mean) / std
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def _scatter(network: nn.Module) -> None:
    """Give weights that tell images apart: nothing is 0, no map is level, and none is full."""
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith("running_mean"):
                tensor.normal_(0, 0.1)
            elif name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif name.endswith("bias"):
                tensor.normal_(0, 0.05)
        for name, tensor in network.named_parameters():
            if name.startswith("heads.") and tensor.dim() > 1:
                tensor.normal_(0, 0.5 / tensor[0].numel() ** 0.5)


def _level(network: PoseModel, image: np.ndarray, parts: int) -> None:
    """Scale the first layers of the heads, so that what backbones give them is about 1."""
    pixels = _normalised([image])
    high, wide = (32 * (side // 32) for side in pixels.shape[-2:])
    conditioned = hasattr(network.backbone, "cond_enc")
    size = network.backbone.cond_enc.img_size if conditioned else (high, wide)
    pixels = torch.nn.functional.interpolate(pixels, tuple(size))
    more = {"cond_kpts": np.full((1, 1, parts, 3), 50.0)} if conditioned else {}
    with torch.no_grad():
        features = network.eval().backbone(pixels, **more)
        factor = float(features.std())
        for layer in [*network.heads.modules(), *(network.neck.modules() if network.neck else ())]:
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                if layer.in_channels == features.shape[1]:
                    layer.weight.div_(factor)
            elif layer is getattr(network.neck, "patch_to_embedding", None):
                layer.weight.div_(factor)
        for head in network.heads.values():
            if any(isinstance(layer, _NORMS) for layer in head.modules()):
                with _settled(head):
                    head(features)
            if hasattr(head, "paf_head"):  # few peaks, for DeepLabCut holds all pairs of them
                _spread(head, features, (0.997, -4.6), (0.9995, 0.0))
            elif hasattr(head, "offset_head"):
                _spread(head, features, (0.5, 0.0), (0.9, 0.5))


def _learn(network: PoseModel, config, images: list[np.ndarray], steps: int) -> None:
    """Learn animals at places that are drawn, in the upper left of each image."""
    high, wide = (32 * (min(image.shape[side] for image in images) // 32) for side in (0, 1))
    pixels = _normalised([image[:high, :wide] for image in images])
    metadata = config["metadata"]
    labels = _labels(metadata, len(images), (high, wide), config["with_center_keypoints"])
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-4)
    network.train()
    for _ in range(steps):
        outputs = network(pixels)
        targets = network.get_target(outputs, labels)
        optimizer.zero_grad()
        network.get_loss(outputs, targets)["total_loss"].backward()
        optimizer.step()


def _labels(metadata, count: int, size: tuple[int, int], with_centres: bool) -> dict:
    draw = np.random.default_rng(3)
    animals, parts = len(metadata["individuals"]), len(metadata["bodyparts"])
    extent = np.array([size[1], size[0]])
    middles = draw.uniform(0.25, 0.75, (count, animals, 1, 2))
    points = (middles + draw.uniform(-_SPREAD, _SPREAD, (count, animals, parts, 2))) * extent
    boxes = np.concatenate([points.min(2), np.ptp(points, axis=2)], axis=-1)
    if with_centres:
        points = np.concatenate([points, points.mean(2, keepdims=True)], axis=2)
    seen = np.full((*points.shape[:-1], 1), 2.0)
    labels = {
        "keypoints": np.concatenate([points, seen], axis=-1),
        "boxes": boxes,
        "area": boxes[..., 2] * boxes[..., 3],
        "individual_ids": np.tile(np.arange(animals), (count, 1)),
    }
    unique = len(metadata["unique_bodyparts"])
    if unique:
        lone = draw.uniform(0.1, 0.9, (count, 1, unique, 2)) * extent
        seen = np.full((count, 1, unique, 1), 2.0)
        labels["keypoints_unique"] = np.concatenate([lone, seen], axis=-1)
    tensors = {name: torch.tensor(value) for name, value in labels.items()}
    return {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
