"""DLCRNet's head: maps that are refined in stages."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlcreg.contracts import Codec, Head, Loss
from dlcreg.models.layers.deconvolution import Deconvolution, Drop, deconvolutions, extra_cells
from dlcreg.models.layers.multi_fusion import Engine
from dlcreg.registry import HEADS

_UNREFINED = "locref"


@HEADS.register_module()
class DLCRNetHead(Head):
    """Heatmaps, part affinity fields and location refinement in stages (Lauer et al., 2022).

    A transposed convolution makes a first guess of each output and `feature_channels` features of
    the same size. Each stage then makes the next guess of the guesses before it and the features,
    and adds to the codec's first output, the heatmaps, the guess before. Location refinement takes
    no part in it. At the end stands one more convolution of each output, or transposed ones, which
    double the maps. Only what these give is trained: there is no loss between the stages.

    It takes any codec; without part affinity fields it refines the heatmaps alone, for one animal.

    DeepLabCut's engines differ. ``tensorflow``, that of the paper, has ReLU behind the features,
    and its transposed convolutions leave out the last row and column of the 2n + 1 that they make;
    ``pytorch`` has no ReLU there, leaves out the first ones in the beginning and none at the end.

    Args:
        in_channels: channels of the feature map.
        in_strides: pixels for each cell of the feature map.
        num_keypoints: number of keypoints K.
        codec: makes targets and poses, see `dlcreg.contracts.Codec`.
        losses: by output, such as ``heatmap``, ``locref`` and ``paf``.
        engine: see above.
        num_stages: stages between the first guess and the end; 3 in the paper's ``ms5``, 5 in the
            PyTorch engine's.
        feature_channels: channels of the features that every stage is given.
        doubled: whether the first guess is twice as fine as the feature map, or as fine, by a
            plain convolution, for backbones of a fine map such as HRNet.
        num_deconvs: transposed convolutions at the end; none in the paper, one or two in the
            PyTorch engine. Between two there are half of `in_channels`, with ReLU.

    Raises:
        ValueError: values that do not fit one another.
    """

    def __init__(
        self,
        in_channels: int,
        in_strides: int,
        num_keypoints: int,
        codec: Codec,
        losses: dict[str, Loss],
        engine: Engine = "tensorflow",
        num_stages: int = 3,
        feature_channels: int = 128,
        doubled: bool = True,
        num_deconvs: int = 0,
    ) -> None:
        if engine not in ("pytorch", "tensorflow"):
            raise ValueError(f"engine must be 'pytorch' or 'tensorflow', not {engine!r}")
        if num_stages < 0 or num_deconvs < 0:
            raise ValueError(
                f"num_stages and num_deconvs must be at least 0: {num_stages}, {num_deconvs}"
            )
        if feature_channels < 1:
            raise ValueError(f"feature_channels must be at least 1, not {feature_channels}")
        early: Drop = "first" if engine == "pytorch" else "last"
        late: Drop = "none" if engine == "pytorch" else "last"
        stride = in_strides / 2 ** (doubled + num_deconvs)
        super().__init__(codec, losses, stride, extra_cells(num_deconvs, late))
        self.num_keypoints = num_keypoints
        outputs = codec.output_channels(num_keypoints)
        refined = {name: n for name, n in outputs.items() if name != _UNREFINED}
        if not refined:
            raise ValueError(f"{type(codec).__name__} has no output but {_UNREFINED!r} to refine")
        self.names = tuple(outputs)
        self.refined = tuple(refined)

        def guess(channels: int) -> nn.Module:
            if doubled:
                return Deconvolution(in_channels, channels, early)
            return nn.Conv2d(in_channels, channels, 3, padding=1)

        seen = sum(refined.values()) + feature_channels

        def last(name: str, channels: int) -> nn.Module:
            source = seen if name in refined else channels
            if num_deconvs:
                return deconvolutions(source, channels, num_deconvs, in_channels // 2, late)
            # Location refinement is its first guess, where nothing more comes of it.
            return _convolution(source, channels) if name in refined else nn.Identity()

        self.first = nn.ModuleDict({name: guess(n) for name, n in outputs.items()})
        self.features = guess(feature_channels)
        self.features_relu = nn.ReLU() if engine == "tensorflow" else nn.Identity()
        self.stages = nn.ModuleList(
            nn.ModuleDict({name: _convolution(seen, n) for name, n in refined.items()})
            for _ in range(num_stages)
        )
        self.final = nn.ModuleDict({name: last(name, n) for name, n in outputs.items()})
        self._initialise()

    def forward(self, features: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Return maps ``(B, C, h, w)`` by name, from the one feature map of `features`."""
        (x,) = features
        shared = self.features_relu(self.features(x))
        maps = {name: layer(x) for name, layer in self.first.items()}
        for number, stage in enumerate(self.stages):
            seen = torch.cat([*(maps[name] for name in self.refined), shared], dim=1)
            better = {name: layer(seen) for name, layer in stage.items()}  # type: ignore[operator]
            if number > 0:
                better[self.refined[0]] = better[self.refined[0]] + maps[self.refined[0]]
            maps.update(better)
        seen = torch.cat([*(maps[name] for name in self.refined), shared], dim=1)
        return {
            name: self.final[name](seen if name in self.refined else maps[name])
            for name in self.names
        }

    def _initialise(self) -> None:
        """As TensorFlow's slim: Glorot's uniform weights, and no bias."""
        for layer in self.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


def _convolution(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1)
