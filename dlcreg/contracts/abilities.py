"""What a part of any kind may be able to do besides; kept by having the methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class BringsHooks(Protocol):
    """An optimizer, or a part of a model, that works only together with hooks of the run.

    The solver adds them to those of the config, where a hook of the same class takes their place.
    """

    def run_hooks(self) -> Sequence[Any]:
        """Return hooks of mmengine's interface, made for one run."""


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
