"""The contract of condition encoders: a pose that is known already as a map."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from dlcreg.contracts.types import Size


class ConditionEncoder(nn.Module, ABC):
    """Keypoints of a condition to a map that a conditioned backbone looks at.

    Sets `out_channels` in ``__init__``. What it draws is batched torch on the device of the
    condition, without a Python loop over keypoints.
    """

    out_channels: int
    """Channels of the map."""

    num_keypoints: int | None = None
    """How many keypoints K it draws; None for any number."""

    @abstractmethod
    def draw(self, condition: Tensor, size: Size) -> Tensor:
        """Return a map ``(B, out_channels, H, W)``, float32 or float64.

        Args:
            condition: ``(B, K, 3)`` x, y, score, in pixels of the map. A keypoint whose score is 0
                or less, or NaN, leaves nothing, and neither does one that lies outside.
            size: H and W.
        """

    def mirror(self, maps: Tensor, flip_index: Tensor) -> Tensor:
        """Return the drawn maps ``(B, out_channels, H, W)`` of the mirrored animals.

        By default the mirrored maps; an encoder whose channels are those of keypoints swaps them.

        Args:
            maps: what `draw` gives, or who drew it elsewhere.
            flip_index: int64 ``(K,)``, for each keypoint the index of its twin.
        """
        return maps.flip(-1)

    def forward(self, condition: Tensor, size: Size) -> Tensor:
        """Return the map ``(B, out_channels, H, W)`` of a condition.

        Args:
            condition: keypoints ``(B, K, 3)``; or a map that is drawn already, which is returned
                as it is.
            size: H and W of the images.

        Raises:
            ValueError: it is neither, or of another number of keypoints, channels or pixels.
        """
        name, shape = type(self).__name__, tuple(condition.shape)
        if len(shape) == 4:
            if shape[1] != self.out_channels or shape[2:] != tuple(size):
                raise ValueError(
                    f"condition is a drawn map of shape {shape}; as {name} draws it for images of "
                    f"{size[0]} x {size[1]} it has {self.out_channels} channels and their size"
                )
            return condition
        if len(shape) != 3 or shape[2] != 3:
            raise ValueError(
                "condition must be keypoints (B, K, 3) as x, y, score, or a drawn map "
                f"(B, C, H, W), not of shape {shape}"
            )
        if self.num_keypoints is not None and shape[1] != self.num_keypoints:
            raise ValueError(
                f"condition has {shape[1]} keypoints, but {name} draws {self.num_keypoints}"
            )
        return self.draw(condition, size)
