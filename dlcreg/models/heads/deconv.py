"""A head of transposed convolutions, a row of them for each output."""

from __future__ import annotations

from torch import Tensor, nn

from dlcreg.contracts import Codec, Head, Loss
from dlcreg.models.layers.deconvolution import Deconvolution, Drop, deconvolutions, extra_cells
from dlcreg.registry import HEADS


@HEADS.register_module()
class DeconvHead(Head):
    """Each output by transposed convolutions of its own straight from the feature map.

    One of them each is DeepLabCut's head (Insafutdinov et al., 2016; Mathis et al., 2018): without
    normalisation, and without ReLU but between two. See `HeatmapHead` for outputs that share
    deconvolutions.

    Args:
        in_channels: channels of the feature map.
        in_strides: pixels for each cell of the feature map.
        num_keypoints: number of keypoints K.
        codec: makes targets and poses, see `dlcreg.contracts.Codec`.
        losses: by output, such as ``heatmap`` and ``locref``.
        num_deconvs: transposed convolutions in a row, 1 or more; each doubles the map.
        deconv_channels: channels of those before the last; None: half of `in_channels`.
        keep_edges: keep the row and column at the right and the bottom that each makes beyond the
            double: maps of 2n + 1 cells, as in DeepLabCut's PyTorch engine.

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
        num_deconvs: int = 1,
        deconv_channels: int | None = None,
        keep_edges: bool = False,
    ) -> None:
        if num_deconvs < 1:
            raise ValueError(
                f"num_deconvs must be at least 1, not {num_deconvs}; HeatmapHead needs none"
            )
        if deconv_channels is not None and deconv_channels < 1:
            raise ValueError(f"deconv_channels must be at least 1 or None, not {deconv_channels}")
        drop: Drop = "none" if keep_edges else "last"
        stride = in_strides / 2**num_deconvs
        super().__init__(codec, losses, stride, extra_cells(num_deconvs, drop))
        self.num_keypoints = num_keypoints
        between = deconv_channels or max(in_channels // 2, 1)
        self.deconv_layers = nn.ModuleDict(
            {
                name: deconvolutions(in_channels, channels, num_deconvs, between, drop)
                for name, channels in codec.output_channels(num_keypoints).items()
            }
        )
        self._initialise()

    def forward(self, features: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Return maps ``(B, C, h, w)`` by name, from the one feature map of `features`."""
        (x,) = features
        return {name: layers(x) for name, layers in self.deconv_layers.items()}

    def _initialise(self) -> None:
        """As SimpleBaseline and DeepLabCut: small weights, so that all maps start near 0."""
        for layer in self.modules():
            if isinstance(layer, Deconvolution):
                nn.init.normal_(layer.weight, std=0.001)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
