"""TokenPose: a token for each keypoint, beside those of image patches, in a transformer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcreg.contracts import Codec, Head, Loss, Size
from dlcreg.models.layers.patches import cut_into_patches, patch_grid
from dlcreg.models.layers.pre_norm import PreNormLayer
from dlcreg.models.layers.sine_position import SinePositions
from dlcreg.registry import HEADS


@HEADS.register_module()
class TokenPoseHead(Head):
    """Maps of keypoints that are tokens themselves (TokenPose, Li et al., 2021).

    The feature map is cut into patches, each of which becomes a token; to these comes a learnt
    token for each keypoint. After the transformers a perceptron that all keypoints share turns the
    token of each into its map. It takes the features of any backbone; `IdentityBackbone` gives it
    the pixels.

    That map shows the whole image and has a fixed number of cells, those of an image of
    `input_size`. Images of other sizes work, too: positions are told relative to the image, and the
    map is resized. It is made for `input_size`, though, so train on images of one size.

    Args:
        in_channels: channels of the feature map.
        in_strides: pixels for each of its cells.
        input_size: height and width in pixels of the images that the map is made for.
        num_keypoints: number of keypoints K.
        codec: makes targets and poses; each of its outputs has K channels or a multiple of K.
        losses: by output, such as ``heatmap``.
        patch_size: height and width of a patch, in cells of the feature map. A map that it does not
            divide is continued by its last cells.
        dim: channels of a token, a multiple of 4.
        depth: layers of each transformer. With several, one after the other, the keypoint's tokens
            of all of them are concatenated, as in TokenPose-L/D24.
        num_heads: attention heads of a layer.
        mlp_ratio: how many times `dim` the perceptron in each layer is wide.
        mlp_width: its width in channels, instead of `mlp_ratio`; 3 in snapshots of DeepLabCut,
            which takes the ratio for the width.
        attention_scale: attention is scaled by the channels of a ``head``, or by those of the
            whole ``token``, as in TokenPose-S.
        repeat_positions: whether the positions of the patches are added again before every layer
            but the first of a transformer; one for all transformers, or one for each. DeepLabCut
            does not do so in the first.
        map_width: channels of the hidden layer of the perceptron that makes the maps; None for a
            single layer, as for concatenated tokens.
        map_stride: pixels for each cell of the maps.

    Raises:
        ValueError: values that do not fit one another.
    """

    def __init__(
        self,
        in_channels: int,
        in_strides: int,
        input_size: tuple[int, int],
        num_keypoints: int,
        codec: Codec,
        losses: dict[str, Loss],
        patch_size: tuple[int, int] = (4, 3),
        dim: int = 192,
        depth: Sequence[int] = (12,),
        num_heads: int = 8,
        mlp_ratio: float = 3.0,
        mlp_width: int | None = None,
        attention_scale: Literal["head", "token"] = "head",
        repeat_positions: bool | Sequence[bool] = True,
        map_width: int | None = 384,
        map_stride: int = 4,
    ) -> None:
        width = round(mlp_ratio * dim) if mlp_width is None else mlp_width
        _check(input_size, num_keypoints, patch_size, dim, depth, width, map_width, map_stride)
        if isinstance(repeat_positions, bool):
            repeat_positions = [repeat_positions] * len(depth)
        if len(repeat_positions) != len(depth):
            raise ValueError(
                f"repeat_positions={list(repeat_positions)} says it for {len(repeat_positions)} "
                f"transformers, but depth={list(depth)} has {len(depth)}"
            )
        outputs = codec.output_channels(num_keypoints)
        for name, channels in outputs.items():
            if channels % num_keypoints:
                raise ValueError(
                    f"{type(codec).__name__} asks for {channels} channels of {name!r}, but a token "
                    f"of each of {num_keypoints} keypoints makes the same number: take a codec "
                    "whose outputs belong to keypoints"
                )
        super().__init__(codec, losses, stride=map_stride)
        self.num_keypoints: int = num_keypoints
        self.patch_size = (patch_size[0], patch_size[1])
        self.zoom = in_strides / map_stride  # cells of a map for each cell of the feature map
        features = (-(-input_size[0] // in_strides), -(-input_size[1] // in_strides))
        self.map_size: Size = (-(-input_size[0] // map_stride), -(-input_size[1] // map_stride))

        self.keypoint_token = nn.Parameter(torch.zeros(num_keypoints, dim))
        self.positions = SinePositions(*patch_grid(features, self.patch_size), dim)
        self.patch_to_embedding = nn.Linear(math.prod(patch_size) * in_channels, dim)
        self.transformers = nn.ModuleList(
            nn.ModuleList(
                PreNormLayer(dim, num_heads, width, bias=False, scale=attention_scale)
                for _ in range(layers)
            )
            for layers in depth
        )
        self.repeat_positions = tuple(repeat_positions)
        cells = math.prod(self.map_size)

        def perceptron(maps: int) -> nn.Sequential:
            return _map_perceptron(dim * len(depth), map_width, maps * cells)

        self.first, *further = outputs
        self.mlp_head = perceptron(outputs[self.first] // num_keypoints)
        self.further_layers = nn.ModuleDict(
            {name: perceptron(outputs[name] // num_keypoints) for name in further}
        )
        self._initialise()

    def forward(self, features: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Return maps ``(B, C, h, w)`` by name, from the one feature map of `features`."""
        (x,) = features
        height, width = x.shape[-2:]
        size = (math.ceil(height * self.zoom), math.ceil(width * self.zoom))
        tokens = self.keypoint_tokens(x)
        outputs = {self.first: self._maps(self.mlp_head(tokens), size)}
        for name, layer in self.further_layers.items():
            outputs[name] = self._maps(layer(tokens), size)
        return outputs

    def keypoint_tokens(self, features: Tensor) -> Tensor:
        """Return the tokens ``(B, K, D)`` of the keypoints in a feature map ``(B, C, h, w)``.

        D is `dim` times the number of transformers.
        """
        x, positions = self._tokens(features)
        found = []
        for layer, repeat, last in self._layers():
            x = layer(x + positions if repeat else x)
            if last:
                found.append(x[:, : self.num_keypoints])
        return torch.cat(found, dim=-1)

    def attention_maps(self, inputs: Any, points: Tensor) -> Tensor:
        """Return what patches the keypoints' tokens attend to, see `ShowsAttention`.

        What a keypoint's attention lacks to 1 goes to the tokens of keypoints.

        Args:
            inputs: the feature maps that `forward` takes.
            points: float ``(B, K, 2)``; tokens know no places, so that these play no part.
        """
        (features,) = inputs
        x, positions = self._tokens(features)
        grid = patch_grid((features.shape[-2], features.shape[-1]), self.patch_size)
        index = torch.arange(self.num_keypoints, device=x.device).expand(x.shape[0], -1)
        maps = []
        for layer, repeat, _ in self._layers():
            x = x + positions if repeat else x
            attention = layer.attention_weights(x, index)  # (B, heads, K, K + N)
            maps.append(attention[..., self.num_keypoints :].transpose(1, 2))
            x = layer(x)
        return torch.stack(maps).unflatten(-1, grid)  # (layers, B, K, heads, h, w)

    def _layers(self) -> Iterator[tuple[PreNormLayer, bool, bool]]:
        """Yield each layer, whether positions come before it, and whether it ends a transformer."""
        for transformer, repeat in zip(self.transformers, self.repeat_positions, strict=True):
            layers = cast(nn.ModuleList, transformer)
            for i, layer in enumerate(layers):
                yield cast(PreNormLayer, layer), repeat and i > 0, i + 1 == len(layers)

    def _tokens(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return tokens ``(B, K + N, dim)`` of keypoints and patches, and their positions.

        Keypoints have none: the positions ``(K + N, dim)`` of the first K are 0.
        """
        visual = self.patch_to_embedding(cut_into_patches(features, self.patch_size))
        grid = patch_grid((features.shape[-2], features.shape[-1]), self.patch_size)
        positions = F.pad(self.positions(*grid), (0, 0, self.num_keypoints, 0))
        keypoints = self.keypoint_token.expand(len(visual), -1, -1)
        return torch.cat([keypoints, visual], dim=1) + positions, positions

    def _maps(self, values: Tensor, size: Size) -> Tensor:
        """Return maps ``(B, C, *size)`` of the values ``(B, K, C / K * cells)`` of the tokens."""
        maps = values.unflatten(-1, (-1, *self.map_size)).flatten(1, 2)
        if size == self.map_size:
            return maps
        return F.interpolate(maps, size, mode="bilinear", align_corners=False)

    def _initialise(self) -> None:
        nn.init.trunc_normal_(self.keypoint_token, std=0.02)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)


def _map_perceptron(dim: int, width: int | None, cells: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.LayerNorm(dim)]
    if width is not None:
        layers += [nn.Linear(dim, width), nn.LayerNorm(width)]
    return nn.Sequential(*layers, nn.Linear(width or dim, cells))


def _check(
    input_size: Sequence[int],
    num_keypoints: int,
    patch_size: Sequence[int],
    dim: int,
    depth: Sequence[int],
    width: int,
    map_width: int | None,
    map_stride: int,
) -> None:
    if not isinstance(num_keypoints, int) or num_keypoints < 1:
        raise ValueError(f"num_keypoints must be an int of at least 1, not {num_keypoints!r}")
    for name, values in (("input_size", input_size), ("patch_size", patch_size), ("depth", depth)):
        if not len(values) or min(values) < 1:
            raise ValueError(f"{name} must be at least 1 each, not {list(values)}")
    if dim < 4 or dim % 4:
        raise ValueError(f"dim must be a multiple of 4, not {dim}: sines and cosines of x and y")
    if width < 1:
        raise ValueError(f"mlp_ratio or mlp_width must make at least 1 channel, not {width}")
    if map_width is not None and map_width < 1:
        raise ValueError(f"map_width must be at least 1 channel, or None, not {map_width}")
    if map_stride < 1:
        raise ValueError(f"map_stride must be at least 1 px, not {map_stride}")
