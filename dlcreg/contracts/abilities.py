"""What a part of any kind may be able to do besides; kept by having the methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from dlcreg.structures import Meta, Poses


@runtime_checkable
class BringsHooks(Protocol):
    """An optimizer, or a part of a model, that works only together with hooks of the run.

    The solver adds them to those of the config, where a hook of the same class takes their place.
    """

    def run_hooks(self) -> Sequence[Any]:
        """Return hooks of mmengine's interface, made for one run."""


Between = Callable[[int, list[Tensor]], list[Tensor]]
"""Takes a position and the maps of the branches there, and returns the maps to go on with."""


@runtime_checkable
class HasBranches(Protocol):
    """A backbone of parallel branches, such as HRNet, whose maps others may change on their way.

    Its forward takes `Between` as ``between=``, and calls it at each position, in rising order.
    """

    branch_channels: Sequence[Sequence[int]]
    """For each position the channels of the branches there, finest first."""

    branch_strides: Sequence[int]
    """Pixels for each cell of the branches, finest first."""


@runtime_checkable
class HasLayers(Protocol):
    """A part of a model that knows how deep its parameters lie, as transformers do.

    With ``solver.layer_decay`` each layer learns slower than the one behind it.
    """

    num_layers: int
    """How many layers there are, with what comes before the first and behind the last of them."""

    def layer_of(self, parameter: str) -> int:
        """Return the layer of a parameter, from 0 to ``num_layers - 1``, which learns at full rate.

        Args:
            parameter: its name in the part.
        """


@runtime_checkable
class HasProposedPoses(Protocol):
    """A data set whose samples may be poses that another model found, to be looked at again.

    An evaluation measures these, too, so that one sees what the second look gains.
    """

    def proposed_poses(self) -> Sequence[tuple[Meta, Poses]] | None:
        """Return for each image its `Meta` and the poses that were found, with B = 1.

        In pixels of the image; a keypoint that was not found is NaN. None: samples are no such
        poses.
        """


@runtime_checkable
class MirrorsCondition(Protocol):
    """A conditioned backbone that knows what a drawn condition looks like for a mirrored image.

    A flip test asks it; without it the map is mirrored, and its channels stay in their places.
    Keypoints are mirrored by the model, as their left and right twins are.
    """

    def mirror_condition(self, condition: Tensor, flip_index: Tensor) -> Tensor:
        """Return the map of the mirrored images.

        Args:
            condition: a drawn map ``(B, C, H, W)``.
            flip_index: int64 ``(K,)``, for each keypoint the index of its twin.
        """


@runtime_checkable
class ShowsAttention(Protocol):
    """A backbone, neck or head that can tell what each keypoint is found by.

    ``dlcreg draw attention`` asks it. An ordinary forward pass need not keep any of this.
    """

    def attention_maps(self, inputs: Any, points: Tensor) -> Tensor:
        """Return the attention of each layer, from 0 on, ``(layers, B, K, heads, h, w)``.

        Args:
            inputs: what its forward is given: images for a backbone, feature maps for others.
            points: float ``(B, K, 2)``, where the keypoints were found, in pixels of the model
                input. The maps cover that input.
        """


@runtime_checkable
class WiresInside(Protocol):
    """A part that says what the parts inside it are wired, where that is not what it is wired."""

    @classmethod
    def wiring_inside(cls, context: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return values by parameter name for the parts inside.

        Args:
            context: values by parameter name that it is given itself; they may be placeholders,
                to be handed on under the same or another name, not to be computed with.

        Raises:
            ValueError: what is there does not do for them.
        """
