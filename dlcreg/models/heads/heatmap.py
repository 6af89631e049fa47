"""A head of maps: transposed convolutions, then one convolution for each output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from dlcreg.contracts import Codec, Head, Loss
from dlcreg.registry import HEADS

_PADDING = {4: (1, 0), 3: (1, 1), 2: (0, 0)}
"""Padding and output padding with which a transposed convolution of stride 2 doubles a map."""


@HEADS.register_module()
class HeatmapHead(Head):
    """Heatmaps, and whatever further maps the codec asks for, from one feature map.

    Without deconvolutions it is HRNet's head (Sun et al., 2019), with three of 256 channels
    SimpleBaseline's (Xiao et al., 2018). The parameters have their names: ``deconv_layers.*``, and
    ``final_layer.*`` for the codec's first output; each further output is made by
    ``further_layers.<output>.*``. With `upsample` it is ViTPose's simple head (Xu et al., 2022).

    Args:
        in_channels: channels of the feature map.
        in_strides: pixels for each cell of the feature map.
        num_keypoints: number of keypoints K.
        codec: makes targets and poses, see `dlcreg.contracts.Codec`.
        losses: by output, such as ``heatmap`` and ``locref``.
        deconv_channels: channels of each transposed convolution; each doubles the map.
        deconv_kernel: size of their kernels.
        final_kernel: size of the last convolution's kernel, odd.
        upsample: how many times the map, behind a ReLU, is enlarged bilinearly before all else;
            1: it is taken as it is.

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
        deconv_channels: Sequence[int] = (),
        deconv_kernel: Literal[2, 3, 4] = 4,
        final_kernel: int = 1,
        upsample: int = 1,
    ) -> None:
        if deconv_kernel not in _PADDING:
            raise ValueError(f"deconv_kernel must be 2, 3 or 4, not {deconv_kernel}")
        if final_kernel % 2 == 0:
            raise ValueError(f"final_kernel must be odd, not {final_kernel}")
        if not isinstance(num_keypoints, int) or num_keypoints < 1:
            raise ValueError(f"num_keypoints must be an int of at least 1, not {num_keypoints!r}")
        if len(deconv_channels) and min(deconv_channels) < 1:
            raise ValueError(f"deconv_channels must be at least 1 each, not {deconv_channels}")
        if upsample < 1:
            raise ValueError(f"upsample must be at least 1, not {upsample}")
        outputs = codec.output_channels(num_keypoints)
        super().__init__(codec, losses, stride=in_strides / upsample / 2 ** len(deconv_channels))
        self.num_keypoints = num_keypoints
        self.upsample = upsample
        self.deconv_layers = _deconvolutions(in_channels, deconv_channels, deconv_kernel)
        width = deconv_channels[-1] if len(deconv_channels) else in_channels
        first, *further = outputs
        self.first = first

        def convolution(channels: int) -> nn.Conv2d:
            return nn.Conv2d(width, channels, final_kernel, padding=final_kernel // 2)

        self.final_layer = convolution(outputs[first])
        self.further_layers = nn.ModuleDict({name: convolution(outputs[name]) for name in further})
        self._initialise()

    def forward(self, features: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Return maps ``(B, C, h, w)`` by name, from the one feature map of `features`."""
        (x,) = features
        if self.upsample > 1:
            x = F.interpolate(x.relu(), scale_factor=self.upsample, mode="bilinear")
        x = self.deconv_layers(x)
        outputs = {self.first: self.final_layer(x)}
        outputs.update({name: layer(x) for name, layer in self.further_layers.items()})
        return outputs

    def _initialise(self) -> None:
        """As SimpleBaseline: small weights, so that all maps start near 0."""
        for layer in self.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.normal_(layer.weight, std=0.001)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)


def _deconvolutions(in_channels: int, channels: Sequence[int], kernel: int) -> nn.Sequential:
    padding, output_padding = _PADDING[kernel]
    layers: list[nn.Module] = []
    for width in channels:
        layers += [
            nn.ConvTranspose2d(
                in_channels,
                width,
                kernel,
                stride=2,
                padding=padding,
                output_padding=output_padding,
                bias=False,
            ),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
        in_channels = width
    return nn.Sequential(*layers)
