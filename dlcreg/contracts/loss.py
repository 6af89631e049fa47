"""The contract of losses."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn


class Loss(nn.Module, ABC):
    """A scalar from an output and its target. Elements of weight zero give no gradient.

    Args:
        weight: factor of this loss in the sum of the head's losses, 0 or more.

    Raises:
        ValueError: another weight.
    """

    activation: ClassVar[str] = "none"
    """What turns the output that this loss trains into a likelihood, see `Codec.activation`."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        if not 0 <= weight < math.inf:
            raise ValueError(f"weight must be a number from 0 on, not {weight:g}")
        self.weight = float(weight)

    def target_shape(self, output: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the target that it takes for an output ``(B, C, ...)``: the same.

        A loss whose outputs say more than its targets, such as an uncertainty beside a coordinate
        or a score for each class, overrides this. B and C stay as they are.

        Args:
            output: shape of the output.
        """
        return output

    @abstractmethod
    def forward(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the loss, unweighted by ``self.weight``.

        Args:
            output: ``(B, C, ...)``.
            target: of the shape that `target_shape` says, by default that of the output.
            weight: broadcasts to the target; 0 where nothing is known.
        """
