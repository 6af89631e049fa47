"""Any head, for the keypoints that exist once in an image, whatever the number of animals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from dlcreg.contracts import Codec, Head, Size, Targets
from dlcreg.registry import HEADS
from dlcreg.structures import Instances, Poses

_WIRED = {
    "num_keypoints": "num_unique_keypoints",
    "keypoint_names": "unique_keypoint_names",
    "flip_pairs": "unique_flip_pairs",
}
"""What the head inside is wired, by the name of what there is."""


@HEADS.register_module()
class UniqueKeypointsHead(Head):
    """Lets a head find unique body parts, such as the corners of an arena, beside the animals.

    The head inside is wired and trained as if the unique body parts were the keypoints of the only
    animal there is. `complete` adds its poses to those of another head as `Poses.unique`.

    >>> unique = dict(
    ...     type="UniqueKeypointsHead",
    ...     head=dict(
    ...         type="HeatmapHead",
    ...         codec=dict(type="GaussianHeatmap"),
    ...         losses=dict(heatmap=dict(type="MSELoss")),
    ...     ),
    ... )

    Args:
        head: a head that finds the poses of one animal.
        num_unique_keypoints: number of unique body parts U; wired from the data.
        unique_flip_pairs: pairs of indices of left and right twins among them; wired likewise.

    Raises:
        ValueError: the data has no unique body parts, or the head finds no poses.
    """

    def __init__(
        self,
        head: Head,
        num_unique_keypoints: int,
        unique_flip_pairs: Sequence[tuple[int, int]] = (),
    ) -> None:
        _check_some(num_unique_keypoints)
        if head.completes:
            raise ValueError(
                f"head: {type(head).__name__} completes poses; give one that finds them"
            )
        nn.Module.__init__(self)  # codec and losses are those of the head inside
        self.head = head
        self.num_keypoints = num_unique_keypoints
        self.flip_pairs = tuple(unique_flip_pairs)

    @classmethod
    def wiring_inside(cls, context: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the head inside is wired: unique body parts as keypoints of one animal.

        Raises:
            ValueError: the data has none.
        """
        _check_some(context.get("num_unique_keypoints"))
        alone = {"num_individuals": 1, "skeleton": ()}
        renamed = {name: context[there] for name, there in _WIRED.items() if there in context}
        return {**context, **alone, **renamed}

    @property
    def codec(self) -> Codec:  # type: ignore[override]
        """The codec of the head inside."""
        return self.head.codec

    @property
    def losses(self) -> nn.ModuleDict:  # type: ignore[override]
        """The losses of the head inside."""
        return self.head.losses

    @property
    def completes(self) -> bool:
        """It adds to the poses of another head."""
        return True

    @property
    def max_individuals(self) -> int | None:
        """It has nothing to do with the number of animals."""
        return None

    def forward(self, features: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Return the outputs of the head inside."""
        return self.head(features)  # type: ignore[no-any-return]

    def targets(self, instances: Instances, size: Size) -> Targets:
        """Return the targets of the unique body parts."""
        return self.head.targets(_unique(instances), size)

    def loss(
        self, features: tuple[Tensor, ...], instances: Instances, size: Size
    ) -> dict[str, Tensor]:
        """Return the weighted losses of the unique body parts."""
        return self.head.loss(features, _unique(instances), size)

    def predict(self, features: tuple[Tensor, ...], size: Size) -> Poses:
        """Return the unique body parts alone, as poses of one animal."""
        return self.head.predict(features, size)

    def complete(self, poses: Poses, outputs: Mapping[str, Tensor], size: Size) -> Poses:
        """Return the poses with `Poses.unique`."""
        return replace(poses, unique=self.codec.decode(outputs, size))


def _check_some(num_unique_keypoints: Any) -> None:
    if num_unique_keypoints == 0:
        raise ValueError(
            "num_unique_keypoints is 0: the data has no unique body parts. Those of a project "
            "are named by uniquebodyparts in its config.yaml, and belong to whole images "
            "(view='image'). Else leave this head out"
        )


def _unique(instances: Instances) -> Instances:
    if instances.unique is None:
        raise ValueError("the labels have no unique body parts (Instances.unique is None)")
    return instances.unique
