"""Labels and small models for the tests of the models."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from dlcreg.models.backbones.resnet import ResNet
from dlcreg.models.codecs.gaussian import GaussianHeatmap
from dlcreg.models.heads.heatmap import HeatmapHead
from dlcreg.models.necks.identity import IdentityNeck
from dlcreg.models.pose_model import PoseModel
from dlcreg.solvers.losses.huber import HuberLoss
from dlcreg.solvers.losses.mse import MSELoss
from dlcreg.structures import Instances


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Small layers: threads that wait for one another cost more than they bring."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def original(golden) -> Callable:
    """The loader of golden files, which leaves the files that it reads open."""

    def load(name: str):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            return golden(name)

    return load


@pytest.fixture(scope="session")
def label() -> Callable[..., Instances]:
    """Labels ``(B, N, K)`` of keypoints; all visible where nothing is said."""

    def make(keypoints, visibility=None, valid=None) -> Instances:
        keypoints = torch.as_tensor(keypoints, dtype=torch.float32)
        b, n, k, _ = keypoints.shape
        if visibility is None:
            visibility = torch.full((b, n, k), 2)
        if valid is None:
            valid = torch.ones(b, n, dtype=torch.bool)
        return Instances(
            keypoints,
            torch.as_tensor(visibility).to(torch.uint8),
            boxes=torch.zeros(b, n, 4),
            areas=torch.zeros(b, n),
            valid=valid,
            ids=torch.full((b, n), -1),
        )

    return make


@pytest.fixture
def small_model() -> Callable[..., PoseModel]:
    """A ResNet-18 with heatmaps of stride 4 and location refinement."""

    def make(num_keypoints: int = 4, locref_std: float | None = 8.0, **options) -> PoseModel:
        torch.manual_seed(0)
        backbone = ResNet(depth=18)
        neck = IdentityNeck(backbone.out_channels, backbone.out_strides)
        losses = {"heatmap": MSELoss()}
        if locref_std is not None:
            losses["locref"] = HuberLoss(weight=0.05)
        head = HeatmapHead(
            512, 32, num_keypoints, GaussianHeatmap(locref_std=locref_std), losses, (16, 16, 16)
        )
        return PoseModel(backbone, neck, head=head, **options)

    return make


@pytest.fixture(scope="session")
def targets_as_outputs() -> Callable[..., dict[str, Tensor]]:
    """What a perfect head would give for labels."""

    def make(codec, instances: Instances, size: tuple[int, int]) -> dict[str, Tensor]:
        return {name: target for name, (target, _) in codec.encode(instances, size).items()}

    return make
