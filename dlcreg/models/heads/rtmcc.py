"""RTMPose's head: where a keypoint lies along x and along y, as two classifications."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from dlcreg.contracts import Codec, Head, Loss, Size
from dlcreg.models.layers.gated_attention import GatedAttentionUnit, ScaleNorm
from dlcreg.models.layers.wide_conv import WideConv2d
from dlcreg.registry import HEADS


@HEADS.register_module()
class RTMCCHead(Head):
    """A row of bins along each axis for each keypoint (Jiang et al., 2023).

    A large convolution makes one map for each keypoint, which becomes a token; the tokens attend
    to one another, and two linear layers classify each of them. Parameters have mmpose's names.

    The layers have lengths that follow from the size of the images, so that a head is built for
    one size, and images of another one are refused: a network that has learnt to name bins of one
    image knows nothing of those of another.

    Args:
        in_channels: channels of the feature map.
        in_strides: pixels for each cell of the feature map.
        num_keypoints: number of keypoints K.
        input_size: height and width of the images, pixels.
        codec: makes targets and poses, with outputs ``x`` and ``y``, such as `SimCC`.
        losses: for ``x`` and ``y``, such as `KLDiscreteLoss`.
        final_kernel: size of the convolution's kernel, odd.
        hidden: length of a token.
        expansion: width of gate and values as a multiple of `hidden`.
        key_width: width of queries and keys.
        summing: how the convolution sums its many products: ``exact``, or ``plain``, as torch's
            own convolution, whose rounding the originals' likelihoods come with: a softmax of
            hundreds of times the logits makes 5e-4 of it.

    Raises:
        ValueError: values that do not fit one another.
    """

    def __init__(
        self,
        in_channels: int,
        in_strides: int,
        num_keypoints: int,
        input_size: Size,
        codec: Codec,
        losses: dict[str, Loss],
        final_kernel: int = 7,
        hidden: int = 256,
        expansion: int = 2,
        key_width: int = 128,
        summing: Literal["exact", "plain"] = "exact",
    ) -> None:
        if final_kernel < 1 or final_kernel % 2 == 0:
            raise ValueError(f"final_kernel must be odd and at least 1, not {final_kernel}")
        if summing not in ("exact", "plain"):
            raise ValueError(f"summing must be 'exact' or 'plain', not {summing!r}")
        for name, value in (
            ("num_keypoints", num_keypoints),
            ("hidden", hidden),
            ("expansion", expansion),
            ("key_width", key_width),
        ):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be an int of at least 1, not {value!r}")
        if len(input_size) != 2 or min(input_size) < 1:
            raise ValueError(f"input_size must be height and width in pixels, not {input_size}")
        if set(codec.output_channels(1)) != {"x", "y"}:
            outputs = ", ".join(codec.output_channels(1))
            raise ValueError(
                f"codec makes {outputs} with {type(codec).__name__}, but RTMCCHead has the outputs "
                "x and y: take a codec such as SimCC"
            )
        super().__init__(codec, losses)
        self.num_keypoints = num_keypoints
        self.stride = in_strides
        height, width = (-(-length // in_strides) for length in input_size)
        self.cells = (height, width)
        bins_y, bins_x = codec.map_size((height * in_strides, width * in_strides))
        if summing == "exact":
            self.final_layer: nn.Conv2d = WideConv2d(in_channels, num_keypoints, final_kernel)
        else:
            self.final_layer = nn.Conv2d(
                in_channels, num_keypoints, final_kernel, padding=final_kernel // 2
            )
        self.mlp = nn.Sequential(
            ScaleNorm(height * width), nn.Linear(height * width, hidden, bias=False)
        )
        self.gau = GatedAttentionUnit(hidden, expansion, key_width)
        self.cls_x = nn.Linear(hidden, bins_x, bias=False)
        self.cls_y = nn.Linear(hidden, bins_y, bias=False)
        self._initialise()

    def forward(self, features: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Return ``x`` ``(B, K, bins)`` and ``y``, from the one feature map of `features`.

        Raises:
            ValueError: the feature map is not that of an image of `input_size`.
        """
        (x,) = features
        if tuple(x.shape[-2:]) != self.cells:
            made, real = (
                " x ".join(str(cells * self.stride) for cells in size)
                for size in (self.cells, x.shape[-2:])
            )
            raise ValueError(
                f"RTMCCHead is built for images of {made} (input_size), and gets one of {real}: "
                "its layers have as many bins as the image has pixels. Crop or resize all images "
                f"to {made}, as CropInstance(size=...) does, or build it for {real}"
            )
        tokens = self.final_layer(x).flatten(2)  # (B, K, h * w)
        tokens = self.gau(self.mlp(tokens))  # (B, K, hidden)
        return {"x": self.cls_x(tokens), "y": self.cls_y(tokens)}

    def _initialise(self) -> None:
        """As mmpose: small weights, so that all bins start equally likely."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.001)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
            elif isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.01)
