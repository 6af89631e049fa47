"""Any network of timm that gives feature maps, as a backbone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import Tensor

from dlcreg import BACKBONES, Backbone
from dlcreg.models.layers.freezing import fix_statistics, freeze
from dlcreg.models.weights import on_meta
from dlcreg_timm.network import Recipe, freeze_unused
from dlcreg_timm.weights import build


@BACKBONES.register_module()
class TimmBackbone(Backbone):
    """A network of timm (Wightman, 2019). Channels and strides are those of its `feature_info`.

    Maps come as (B, C, h, w) whatever the network's own order is. Networks that are made for one
    size of image, such as vision transformers, take any size where timm can interpolate their
    position embeddings, and are made for `input_size` where it cannot.

    Args:
        name: timm's name, such as ``convnext_tiny`` or, for one of several published weights,
            ``convnext_tiny.fb_in22k``; `timm.list_models` gives all.
        weights: ``'imagenet'`` for timm's own weights of that name (downloaded once), a path, an
            address, or None for random weights.
        out_indices: numbers of the maps, in rising order, as in timm: 0 is the finest, -1 the
            coarsest; of a plain vision transformer the numbers of its blocks. None: the coarsest
            one, and of an HRNet the finest branch.
        output_stride: pixels for each cell of the coarsest map (8 or 16), where the network can
            dilate.
        drop_path_rate: share of residual branches that are left out in training, in [0, 1).
        feature_location: for HRNet: ``''`` are the branches themselves, as pose models use them
            (32 to 256 channels in ``hrnet_w32``), ``'incre'`` those widened for classification.
        input_size: height and width of the images, pixels; wired, and used by networks that are
            made for one size alone.
        frozen: nothing in it learns.
        norm_eval: keep the statistics of batch normalisation as they are, for small batches.
        options: further arguments of `timm.create_model`.

    Raises:
        ValueError: no such network, or it cannot do what is asked.
        CheckpointError: the weights cannot be found or do not fit.
    """

    network: Any

    def __init__(
        self,
        name: str,
        weights: str | None = None,
        out_indices: Sequence[int] | None = None,
        output_stride: Literal[8, 16, 32] | None = None,
        drop_path_rate: float | None = None,
        feature_location: Literal["", "incre"] = "",
        input_size: tuple[int, int] | None = None,
        frozen: bool = False,
        norm_eval: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        recipe = Recipe(
            name, out_indices, output_stride, drop_path_rate, feature_location, dict(options or {})
        )
        self.network, self.made_for = build(recipe, weights, input_size)
        self.name, self.frozen, self.norm_eval = name, frozen, norm_eval
        info = self.network.feature_info
        self.out_channels = tuple(info.channels())
        self.out_strides = tuple(info.reduction())
        coarsest = max(level["reduction"] for level in info.info)
        self.size_divisor = math.gcd(coarsest, *(self.made_for or ()))
        cfg = self.network.pretrained_cfg
        self.image_mean, self.image_std = tuple(cfg["mean"]), tuple(cfg["std"])
        self._channels_last = getattr(self.network, "output_fmt", None) == "NHWC"
        chosen_last = info.out_indices[-1] == len(info.info) - 1
        if not chosen_last and not on_meta(self):
            freeze_unused(self.network, self.made_for or (2 * self.size_divisor,) * 2)
        self.train()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the maps ``(B, C, h, w)`` that were asked for, finest first.

        Raises:
            ValueError: the network is made for images of another size.
        """
        size = (int(images.shape[-2]), int(images.shape[-1]))
        if self.made_for in (None, size):
            maps = self.network(images)
        else:
            maps = self._of_another_size(images, size)
        return tuple(m.permute(0, 3, 1, 2) for m in maps) if self._channels_last else tuple(maps)

    def train(self, mode: bool = True) -> TimmBackbone:
        """Choose training or evaluation mode; what is frozen stays in evaluation mode."""
        super().train(mode)
        if self.frozen:
            freeze([self.network])
        elif self.norm_eval:
            fix_statistics(self)
        return self

    def _of_another_size(self, images: Tensor, size: tuple[int, int]) -> list[Tensor]:
        assert self.made_for is not None
        try:
            return self.network(images)  # type: ignore[no-any-return]
        except (AssertionError, RuntimeError) as error:  # some can, and only trying tells
            height, width = self.made_for
            lines = str(error).strip().splitlines()
            raise ValueError(
                f"{self.name} is made for images of {height} x {width}, not {size[0]} x {size[1]} "
                f"({lines[0] if lines else type(error).__name__}). Bring all images to that size, "
                "in training and in testing, or take a network that any size suits"
            ) from error
