"""The contract of heads: feature maps to outputs, losses and poses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from dlcreg.contracts.codec import Codec, CompletingCodec
from dlcreg.contracts.loss import Loss
from dlcreg.contracts.types import Size, Targets
from dlcreg.structures import Instances, Poses


class Head(nn.Module, ABC):
    """Feature maps to named outputs. Owns a codec, and a loss for each output by its name.

    A model has one head or several by name. Those that find poses do so each for itself; those that
    complete poses (`completes`) then add what they know to them, in the order of the config.

    Args:
        codec: makes targets of labels and poses of outputs.
        losses: by output name, one for each output of the codec; none at all make a head that only
            predicts.
        stride: pixels of the model input for each cell of the output maps; told to the codec. None
            for outputs that are no maps, such as rows of bins or coordinates.
        extra_cells: columns and rows of the maps beyond those; told to the codec.

    Raises:
        ValueError: the codec was configured for another stride or another activation, or the
            losses are not those of the codec's outputs.
    """

    num_keypoints: int | None = None
    """How many keypoints K its outputs speak of; a head that is wired it sets it, for the flip test
    and the check of a config. None: as many as the data has."""

    flip_pairs: Sequence[tuple[int, int]] | None = None
    """Pairs of left and right twins among its keypoints, for the flip test. None: the model's."""

    def __init__(
        self,
        codec: Codec,
        losses: Mapping[str, Loss],
        stride: float | None = None,
        extra_cells: int = 0,
    ) -> None:
        super().__init__()
        _check_losses(codec, losses)
        _settle_activation(codec, losses)
        if stride is not None:
            if codec.stride is not None and float(codec.stride) != float(stride):
                raise ValueError(
                    f"{type(codec).__name__} has stride={codec.stride:g}, but the maps of "
                    f"{type(self).__name__} have stride {stride:g}: leave the codec's stride out"
                )
            codec.stride = float(stride)
        codec.extra_cells = extra_cells
        self.codec = codec
        self.losses = nn.ModuleDict(dict(losses))

    @property
    def completes(self) -> bool:
        """Whether it completes poses of other heads, by `complete`, and finds none itself."""
        return isinstance(self.codec, CompletingCodec)

    @property
    def max_individuals(self) -> int | None:
        """How many animals of an image it can find; None for any number."""
        return self.codec.max_individuals

    @abstractmethod
    def forward(self, features: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Return the outputs by name."""

    def targets(self, instances: Instances, size: Size) -> Targets:
        """Return target and weight for each output that has a loss.

        Args:
            instances: labels, tensors ``(B, N, ...)`` in pixels of the model input.
            size: height and width of the model input.
        """
        return self.codec.encode(instances, size)

    def loss(
        self, features: tuple[Tensor, ...], instances: Instances, size: Size
    ) -> dict[str, Tensor]:
        """Return the weighted loss of each output.

        Args:
            features: feature maps of the neck.
            instances: labels, tensors ``(B, N, ...)`` in pixels of the model input.
            size: height and width of the model input.
        """
        outputs = self(features)
        targets = self.targets(instances, size)
        return {
            name: loss.weight * loss(outputs[name].float(), *targets[name])  # type: ignore[operator]
            for name, loss in self.losses.items()
        }

    def predict(self, features: tuple[Tensor, ...], size: Size) -> Poses:
        """Return poses in pixels of the model input.

        Args:
            features: feature maps of the neck.
            size: height and width of the model input.
        """
        outputs = {name: value.float() for name, value in self(features).items()}
        return self.codec.decode(outputs, size)

    def complete(self, poses: Poses, outputs: Mapping[str, Tensor], size: Size) -> Poses:
        """Return the poses of another head with what this one knows of them.

        Args:
            poses: see `CompletingCodec.complete`.
            outputs: what `forward` gives.
            size: height and width of the model input.

        Raises:
            TypeError: it does not complete poses.
        """
        if not isinstance(self.codec, CompletingCodec):
            raise TypeError(f"{type(self).__name__} finds poses and completes none")
        return self.codec.complete(poses, outputs, size)


def _check_losses(codec: Codec, losses: Mapping[str, Loss]) -> None:
    """Check that there is a loss for each output of the codec and for nothing else."""
    name, outputs = type(codec).__name__, codec.output_channels(1)
    listed = ", ".join(outputs)
    for key in losses:
        if key not in outputs:
            raise ValueError(
                f"losses has {key!r}, which {name} does not make as it is configured here. "
                f"It makes: {listed}"
            )
    for key in outputs:
        if losses and key not in losses:
            raise ValueError(
                f"losses has nothing for {key!r}, so that it would not be trained, but {name} "
                f"decodes it. Add a loss for each of: {listed}"
            )


def _settle_activation(codec: Codec, losses: Mapping[str, Loss]) -> None:
    """Tell the codec which activation the loss of its first output implies."""
    if not losses:
        return
    loss = losses[next(iter(codec.output_channels(1)))]
    if codec.activation is None:
        codec.activation = loss.activation
    elif codec.activation != loss.activation:
        open_to_any = type(codec).activation is None
        other = "choose another loss or another codec"
        mend = "leave the codec's activation out" if open_to_any else other
        raise ValueError(
            f"{type(loss).__name__} trains outputs for activation={loss.activation!r}, but "
            f"{type(codec).__name__} decodes with activation={codec.activation!r}: {mend}"
        )
