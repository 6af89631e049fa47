"""A plain vision transformer (Dosovitskiy et al., 2021), as ViTPose builds on it."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcreg.contracts import Backbone, Size
from dlcreg.models import weights as weight_files
from dlcreg.models.layers.pre_norm import PreNormLayer
from dlcreg.registry import BACKBONES


class _Arch(NamedTuple):
    dim: int
    depth: int
    heads: int


_ARCHS = {
    "small": _Arch(384, 12, 12),
    "base": _Arch(768, 12, 12),
    "large": _Arch(1024, 24, 16),
    "huge": _Arch(1280, 32, 16),
}
_MAE_URL = "https://dl.fbaipublicfiles.com/mae/pretrain/mae_pretrain_vit_{}.pth"
_MAE = ("base", "large", "huge")
_PATCH = 16


@BACKBONES.register_module()
class ViT(Backbone):
    """Vision transformer of one map of stride 16, as in ViTPose (Xu et al., 2022).

    Parameters have the names of ViTPose and, but for the layers, of MAE; `weights` reads both.
    Positions are learnt for the patches of an image of `input_size`, and resized for others.

    Args:
        input_size: height and width in pixels of the images that positions are learnt for.
        arch: ``small``, ``base``, ``large`` or ``huge``.
        drop_path: share of the images for which the last layer is left out in training; that of
            the first is 0, of those in between on a line (Huang et al., 2016).
        dim: channels of a token, instead of those of `arch`.
        depth: layers, likewise.
        num_heads: attention heads of a layer, likewise.
        mlp_ratio: how many times `dim` the perceptron in each layer is wide.
        weights: ``'mae'`` (He et al., 2022; downloaded once; not for ``small``), a path, an
            address, or None for random weights.

    Raises:
        ValueError: values that do not fit one another.
        CheckpointError: the weights cannot be found or do not fit.
    """

    def __init__(
        self,
        input_size: tuple[int, int],
        arch: Literal["small", "base", "large", "huge"] = "base",
        drop_path: float = 0.0,
        dim: int | None = None,
        depth: int | None = None,
        num_heads: int | None = None,
        mlp_ratio: float = 4.0,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        if arch not in _ARCHS:
            raise ValueError(f"arch must be one of {', '.join(_ARCHS)}, not {arch!r}")
        known = _ARCHS[arch]
        dim = known.dim if dim is None else dim
        depth = known.depth if depth is None else depth
        num_heads = known.heads if num_heads is None else num_heads
        for name, count in (("input_size", min(input_size)), ("dim", dim), ("depth", depth)):
            if count < 1:
                raise ValueError(f"{name} must be at least 1, not {count}")
        width = round(mlp_ratio * dim)
        if width < 1:
            raise ValueError(f"mlp_ratio must make at least 1 channel, not {width}")
        if not 0 <= drop_path < 1:
            raise ValueError(f"drop_path must be a share from 0 to below 1, not {drop_path:g}")
        self.grid = _grid(input_size)
        self.patch_embed = nn.Conv2d(3, dim, _PATCH, stride=_PATCH, padding=2)
        # The first is that of a class token, which ViTPose does not have: it is added to all.
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + self.grid[0] * self.grid[1], dim))
        self.blocks = nn.ModuleList(
            PreNormLayer(
                dim, num_heads, width, eps=1e-6, drop_path=drop_path * i / max(depth - 1, 1)
            )
            for i in range(depth)
        )
        self.last_norm = nn.LayerNorm(dim, eps=1e-6)
        self.out_channels = (dim,)
        self.out_strides = (_PATCH,)
        self.num_layers = depth + 2
        self._initialise()
        if weights is not None:
            self._load(arch, weights)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return one map ``(B, dim, H / 16, W / 16)``."""
        x, grid = self._tokens(images)
        for layer in self.blocks:
            x = layer(x)
        x = self.last_norm(x)
        return (x.transpose(1, 2).unflatten(2, grid),)

    def attention_maps(self, inputs: Any, points: Tensor) -> Tensor:
        """Return what the patches of points attend to, see `dlcreg.contracts.ShowsAttention`.

        Args:
            inputs: images ``(B, 3, H, W)``.
            points: float ``(B, K, 2)``, pixels of the images.
        """
        x, (height, width) = self._tokens(inputs)
        cells = ((points - (_PATCH - 1) / 2) / _PATCH).round().to(torch.int64)
        column, row = cells[..., 0].clamp(0, width - 1), cells[..., 1].clamp(0, height - 1)
        maps = []
        for layer in self.blocks:
            attention = layer.attention_weights(x, row * width + column)  # type: ignore[operator]
            maps.append(attention.transpose(1, 2).unflatten(3, (height, width)))
            x = layer(x)
        return torch.stack(maps)  # (layers, B, K, heads, h, w)

    def layer_of(self, parameter: str) -> int:
        """Return how deep a parameter lies, see `dlcreg.contracts.HasLayers`.

        Args:
            parameter: its name.
        """
        part, _, rest = parameter.partition(".")
        if part == "blocks":
            return 1 + int(rest.partition(".")[0])
        return 0 if part in ("pos_embed", "patch_embed") else self.num_layers - 1

    def _tokens(self, images: Tensor) -> tuple[Tensor, Size]:
        """Return the tokens ``(B, h * w, dim)`` of the patches, row by row, and h and w."""
        x = self.patch_embed(images)
        grid = (x.shape[2], x.shape[3])
        shared, own = self.pos_embed[:, :1], _resized(self.pos_embed[:, 1:], self.grid, grid)
        return x.flatten(2).transpose(1, 2) + own + shared, grid

    def _initialise(self) -> None:
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)

    def _load(self, arch: str, weights: str) -> None:
        if weights == "mae":
            if arch not in _MAE:
                raise ValueError(f"weights='mae' exists for {', '.join(_MAE)}, not for {arch!r}")
            weights = _MAE_URL.format(arch)
        if weight_files.on_meta(self):  # a config is checked: there is nowhere to put them
            return weight_files.look_for(weights)
        state = vit_names(weight_files.read_state(weights))
        state = {name.removeprefix("backbone."): tensor for name, tensor in state.items()}
        table = state.get("pos_embed")
        if table is not None and table.dim() == 3 and table.shape[1] != self.pos_embed.shape[1]:
            side = int((table.shape[1] - 1) ** 0.5)  # of the square images of a pre-training
            if side * side == table.shape[1] - 1:
                own = _resized(table[:, 1:], (side, side), self.grid)
                state["pos_embed"] = torch.cat([table[:, :1], own], dim=1)
        ignore = ("cls_token", "norm.", "head.", "fc_norm.", "keypoint_head.")
        weight_files.load_state(self, state, name=weights, ignore=ignore, new=_new(state))


def vit_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a vision transformer of MAE or ViTPose by the names of `ViT`."""
    inner = {
        ".attn.qkv.": ".attention.qkv.",
        ".attn.proj.": ".attention.out.",
        ".mlp.fc1.": ".mlp.0.",
        ".mlp.fc2.": ".mlp.2.",
        "patch_embed.proj.": "patch_embed.",
    }
    found = {}
    for name, tensor in state.items():
        for theirs, ours in inner.items():
            name = name.replace(theirs, ours)
        found[name] = tensor
    return found


def _new(state: dict[str, Tensor]) -> tuple[str, ...]:
    """Return what a pre-training has no weights for: the last normalisation of MAE is another."""
    return () if any(name.startswith("last_norm.") for name in state) else ("last_norm.",)


def _grid(size: Size) -> Size:
    return -(-size[0] // _PATCH), -(-size[1] // _PATCH)


def _resized(table: Tensor, grid: Size, to: Size) -> Tensor:
    """Return positions ``(1, h * w, dim)`` of a grid of patches for another grid."""
    if grid == to:
        return table
    maps = table.transpose(1, 2).unflatten(2, grid).float()
    maps = F.interpolate(maps, to, mode="bicubic", align_corners=False)
    return maps.flatten(2).transpose(1, 2).to(table.dtype)
