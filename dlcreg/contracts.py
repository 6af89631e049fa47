"""The contracts: one small base class for each kind of part. Built-ins and plug-ins use the same.

A part is a class that derives from one of these, is registered under its class name and is named
in a config. Its signature is its schema; the parameters ``in_channels``, ``in_strides``,
``input_size``, ``num_keypoints``, ``num_individuals``, ``skeleton``, ``flip_pairs``,
``keypoint_names``, ``individuals`` (names of animals that are the same in all images; empty where
nobody knows who is who), ``num_unique_keypoints``, ``unique_keypoint_names`` and
``unique_flip_pairs`` are wired, that is filled in from the part before it or from the data set when
the config says nothing.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import data as torch_data

from dlcreg.structures import Boxes, DatasetInfo, Instances, Meta, Poses, Sample

Size = tuple[int, int]
"""Height and width, in pixels or in cells of a map."""

Targets = dict[str, tuple[Tensor, Tensor]]
"""Target and weight by output name; each weight broadcasts to its target."""

Outcomes = Iterable[tuple[Mapping[str, Tensor], Instances]]
"""For each batch, the outputs of a head and the labels, both as its codec takes them."""


class Backbone(nn.Module, ABC):
    """Images to feature maps.

    Sets `out_channels` and `out_strides`, one entry for each map, finest first; where it does not,
    they are found by a trial. A conditioned backbone takes ``condition`` after the images.
    """

    out_channels: tuple[int, ...]
    out_strides: tuple[int, ...]

    size_divisor: int | None = None
    """Images come padded to multiples of this, in pixels; None: of the coarsest stride."""

    image_mean: tuple[float, float, float] | None = None
    """Mean of each channel, for values of 0 to 1, of the images that its weights are made for;
    None: that of ImageNet. `PoseModel` goes by it where its config says nothing of ``mean``."""

    image_std: tuple[float, float, float] | None = None
    """Standard deviation of each channel, likewise."""

    @abstractmethod
    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return feature maps ``(B, C, h, w)``, finest first, of images ``(B, 3, H, W)``."""


class Neck(nn.Module, ABC):
    """Feature maps to feature maps. Sets `out_channels` and `out_strides` as a backbone does."""

    out_channels: tuple[int, ...]
    out_strides: tuple[int, ...]

    @abstractmethod
    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return feature maps ``(B, C, h, w)``, finest first."""


class Codec(ABC):
    """Targets and decoding, the pair that belongs together: ``decode(encode(k))`` gives k back.

    Both are batched torch on the device of their inputs, without a Python loop over keypoints,
    instances or pixels.

    Args:
        stride: pixels of the model input for each cell of the output. None: the head that owns
            the codec says it.

    Attributes:
        extra_cells: columns at the right and rows at the bottom that a map has beyond those that
            cover the input, as a transposed convolution without padding makes them; the head that
            owns the codec says it.
    """

    max_individuals: ClassVar[int | None] = 1
    """How many animals `decode` can find in one image; None for any number."""

    activation: str | None = "none"
    """What `decode` applies to its first output: ``none``, ``sigmoid`` or ``softmax`` over the map.
    None: the head sets it to what the loss of that output implies."""

    calibrates: bool = False
    """Whether `calibrate` is to be called at the end of a training."""

    def __init__(self, stride: float | None = None) -> None:
        self.stride = stride
        self.extra_cells = 0

    def map_size(self, size: Size) -> Size:
        """Return height and width of the output maps for a model input of `size`."""
        stride = self._known_stride()
        height, width = (-int(-length // stride) + self.extra_cells for length in size)
        return height, width

    def _known_stride(self) -> float:
        if self.stride is None:
            raise ValueError(f"{type(self).__name__} needs a stride: give stride=... or a head")
        return self.stride

    @abstractmethod
    def output_channels(self, num_keypoints: int) -> dict[str, int]:
        """Return the number of channels of each output that `encode` and `decode` speak of."""

    @abstractmethod
    def encode(self, instances: Instances, size: Size) -> Targets:
        """Return target and weight for each output.

        Args:
            instances: tensors ``(B, N, ...)`` in pixels of the model input.
            size: height and width of the model input.
        """

    @abstractmethod
    def decode(self, outputs: Mapping[str, Tensor], size: Size) -> Poses:
        """Return poses in pixels of the model input.

        Args:
            outputs: what the head's forward gives, without the activation that a loss such as
                `BCELoss` may imply: a codec applies its own.
            size: height and width of the model input. Maps tell their pixels by the stride alone;
                coordinates relative to the input need it.
        """

    def flip(self, outputs: Mapping[str, Tensor], flip_index: Tensor) -> dict[str, Tensor]:
        """Return the outputs of a mirrored input as if the input had not been mirrored.

        Args:
            outputs: outputs of the head on images mirrored left to right.
            flip_index: int64 ``(K,)``, for each keypoint the index of its twin.
        """
        raise NotImplementedError(f"{type(self).__name__} has no flip test")

    def resize(self, outputs: Mapping[str, Tensor], scale: float, size: Size) -> dict[str, Tensor]:
        """Return the outputs of a resized input as if the input had not been resized.

        Args:
            outputs: outputs of the head on images resized by `scale`, so that their outer edges
                lie on one another; the last cells may belong to padding.
            scale: above 1 for images that were made larger.
            size: height and width of the input that was not resized.
        """
        raise NotImplementedError(f"{type(self).__name__} has no multi-scale test")

    def decode_scales(
        self, outputs: Sequence[Mapping[str, Tensor]], scales: Sequence[float], size: Size
    ) -> Poses:
        """Return poses of an input that was seen at several scales, in pixels of the input itself.

        By default those of the mean outputs.

        Args:
            outputs: for each scale, as `resize` takes them.
            scales: one of them is 1.
            size: height and width of the input that was not resized.
        """
        alike = [self.resize(one, scale, size) for one, scale in zip(outputs, scales, strict=True)]
        mean = {name: torch.stack([one[name] for one in alike]).mean(dim=0) for name in alike[0]}
        return self.decode(mean, size)

    def calibrate(self, outcomes: Outcomes) -> dict[str, Any]:
        """Choose how to decode, by what the trained model gives on the training part.

        For codecs whose `calibrates` is True. Such a codec is an ``nn.Module``, too, and keeps what
        it chooses in a buffer: checkpoints hold it, and a model that loads them decodes by it.

        Args:
            outcomes: for each batch, the outputs of the head as `decode` takes them and the labels
                as `encode` takes them.

        Returns:
            What was chosen, to be said on the console: texts or numbers by what they are.
        """
        raise NotImplementedError(f"{type(self).__name__} has nothing to calibrate")


class CompletingCodec(Codec):
    """Targets and reading of what completes the poses of another head, such as who is who.

    It says what the outputs of its head tell of poses that another head of the model has found: in
    place of `decode` it has `complete`. A head that owns it is a completing head, whatever its
    class.
    """

    max_individuals: ClassVar[int | None] = None

    @abstractmethod
    def complete(self, poses: Poses, outputs: Mapping[str, Tensor], size: Size) -> Poses:
        """Return the poses with more known of them; those that were given are left as they are.

        Args:
            poses: what another head has found, in pixels of the model input; there may be none
                (N = 0), rows that only pad, and keypoints that were not found (NaN).
            outputs: what this head's forward gives.
            size: height and width of the model input.
        """

    def decode(self, outputs: Mapping[str, Tensor], size: Size) -> Poses:
        """There are no poses of its own.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(f"{type(self).__name__} completes poses, and has none of its own")


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


class Transform(ABC):
    """A step of the data pipeline on one `Sample`; numpy, no randomness but `rng`.

    A transform that moves the image must move keypoints, boxes and `Sample.matrix` with it:
    derive from `dlcreg.data.transforms.GeometricTransform`, which does so.
    """

    @abstractmethod
    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the transformed sample; the input is not changed."""


class Dataset(torch_data.Dataset[Sample], ABC):
    """A torch data set of samples that knows its keypoints.

    Sets `info` and `pipeline` in ``__init__``. `set_epoch` is called before the samples of an
    epoch are drawn: the augmentation of a sample depends on (seed, epoch, index) alone.
    """

    info: DatasetInfo
    pipeline: Transform

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Sample: ...

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose augmentation is drawn."""

    def image_files(self) -> Sequence[Path]:
        """Return the files of the images, by which parts of the data are told apart; or none."""
        return ()

    def with_pipeline_of(self, other: Dataset) -> Dataset:
        """Return the same samples through the transforms of `other`, to evaluate on them."""
        view = copy.copy(self)
        view.pipeline = other.pipeline
        return view

    @abstractmethod
    def annotations(self, image_id: int) -> Instances:
        """Return all animals of an image: numpy ``(N, ...)`` in pixels of the original image."""

    @abstractmethod
    def image(self, image_id: int) -> np.ndarray:
        """Return the original image: uint8 ``(H, W, 3)`` RGB."""


class Metric(ABC):
    """A measure of predicted poses against labels, in pixels of the original images.

    `reset`, then `update` for every image, then `compute`.
    """

    higher_is_better: ClassVar[bool] = False

    @property
    @abstractmethod
    def keys(self) -> tuple[str, ...]:
        """The keys of `compute`'s scalars; a `save_best` must name one of them."""

    @abstractmethod
    def reset(self, info: DatasetInfo) -> None:
        """Forget all images; `info` describes the data set to come."""

    @abstractmethod
    def update(self, poses: Poses, instances: Instances, meta: Meta) -> None:
        """Add one image.

        Args:
            poses: CPU tensors with B = 1, in pixels of the original image.
            instances: numpy ``(N, ...)``, all animals of that image, likewise.
            meta: which image it is.
        """

    @abstractmethod
    def compute(self) -> dict[str, Any]:
        """Return the values: scalars by key, and nested dicts for tables such as per keypoint."""


class Detector(nn.Module, ABC):
    """Images to boxes around the animals, for models that see one animal at a time."""

    @abstractmethod
    def predict(self, images: Tensor) -> Boxes:
        """Return boxes in pixels of images ``(B, 3, H, W)``, uint8 or normalised floats."""

    def loss(self, images: Tensor, instances: Instances) -> dict[str, Tensor]:
        """Return weighted losses by name; a detector that learns nothing has none.

        Args:
            images: ``(B, 3, H, W)``, uint8 or normalised floats.
            instances: tensors ``(B, N, ...)``, boxes in pixels of `images`.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be trained")


class Tracker(ABC):
    """Poses of single frames to animals followed through a video. Frames come in order."""

    @abstractmethod
    def reset(self, info: DatasetInfo) -> None:
        """Forget all animals; `info` names the keypoints of the video to come."""

    @abstractmethod
    def update(self, poses: Poses, frame: int) -> Poses:
        """Return the poses of a frame with `Poses.identities`; -1 for those of no animal.

        Args:
            poses: CPU tensors with B = 1, in pixels of the frame.
            frame: number of the frame, from 0; numbers may be left out.
        """


class Writer(ABC):
    """Predictions to a file, as they come: `open`, `write` for each frame in order, `close`."""

    suffix: ClassVar[str]
    """Ending of the file's name, such as ``.h5``."""

    @abstractmethod
    def open(self, path: Path, info: DatasetInfo, provenance: Mapping[str, Any]) -> None:
        """Begin a file.

        Args:
            path: the file.
            info: names of keypoints and animals.
            provenance: what made the predictions, in plain containers.
        """

    @abstractmethod
    def write(self, poses: Poses, frame: int) -> None:
        """Add a frame.

        Args:
            poses: CPU tensors with B = 1, in pixels of the frame; no row for a frame that could
                not be read.
            frame: number of the frame, from 0.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish the file, so that it is whole."""


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
