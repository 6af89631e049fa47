"""The part under test: how it is found, what it is given, and how it is built."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from dlcreg.contracts import Size
from dlcreg.errors import ConfigError
from dlcreg.registry import CODECS, REGISTRIES, Registry
from dlcreg.schema import Parameter, shape_of, signature_of
from dlcreg.structures import DatasetInfo
from dlcreg.testing.clips import clip
from dlcreg.testing.results import NotBuilt
from dlcreg.wiring import construct

INFO = DatasetInfo(
    keypoint_names=("nose", "left_ear", "right_ear", "tail"),
    skeleton=((0, 1), (0, 2), (0, 3)),
    flip_pairs=((1, 2),),
    num_individuals=1,
    sigmas=(0.1,) * 4,
    individuals=("first", "second"),
    identified=True,
    unique=DatasetInfo(("left_corner", "right_corner", "lamp"), flip_pairs=((0, 1),)),
)
"""The data that parts are wired to: four keypoints, of which two are twins, two animals that are
known apart, and three unique body parts."""


@dataclass(frozen=True)
class Options:
    """What an author says about a part beyond its name.

    Args:
        arguments: values of its constructor, as a config writes them.
        context: values that are wired, by parameter name; they replace those of the kit, such as
            ``dict(in_channels=(64,), in_strides=(8,))``.
        size: height and width of the images to try, pixels.
        tolerance: pixels by which a keypoint may be off after encode and decode.
        outputs: for codecs whose outputs are not shaped as their targets: takes
            ``{name: target}`` of `Codec.encode` and returns the outputs of a perfect model.
        inputs: for losses: takes a seed and returns output, target and weight to try.
        steps: optimizer steps in which a head is to learn two images.
    """

    arguments: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)
    size: Size = (64, 96)
    tolerance: float = 0.1
    outputs: Callable[[dict[str, Tensor]], Mapping[str, Tensor]] | None = None
    inputs: Callable[[int], tuple[Tensor, Tensor, Tensor]] | None = None
    steps: int = 300


class Subject:
    """A part under test.

    Args:
        kind: plural name of its registry, such as ``heads``.
        part: what a config writes as ``type``, or the class.
        options: see `Options`.

    Raises:
        ValueError: no such kind.
    """

    def __init__(self, kind: str, part: str | type, options: Options) -> None:
        if kind not in REGISTRIES:
            raise ValueError(f"there is no kind {kind!r}. Kinds: {', '.join(REGISTRIES)}")
        self.kind = kind
        self.part = part
        self.options = options
        self.kept: dict[str, Any] = {}  # what one check computed and another one needs, too

    @property
    def registry(self) -> Registry:
        """The registry of the kind."""
        return REGISTRIES[self.kind]

    @functools.cached_property
    def cls(self) -> type:
        """The class.

        Raises:
            PluginError: it cannot be found.
        """
        return self.registry.get(self.part)

    @property
    def name(self) -> str:
        """The name for messages."""
        return self.part if isinstance(self.part, str) else self.part.__name__

    @property
    def parameters(self) -> dict[str, Parameter]:
        """What the class can be given."""
        return signature_of(self.cls).parameters

    @functools.cached_property
    def features(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Channels and strides of the feature maps that a neck or a head is given."""
        context = self.options.context
        if "in_channels" in context and "in_strides" in context:
            return tuple(context["in_channels"]), tuple(context["in_strides"])
        wanted = self.parameters.get("in_channels")
        if wanted is not None and shape_of(wanted.annotation).fits((8, 16)):
            return (8, 16, 32), (4, 8, 16)
        return (16,), (4,)

    @property
    def context(self) -> dict[str, Any]:
        """The values that are wired, as a config would have them."""
        if self.kind == "datasets":  # they are the ones that tell the others
            return dict(self.options.context)
        channels, strides = self.features
        provided: dict[str, Any] = {}
        if self.kind in ("optimizers", "schedulers"):
            provided["params"] = [torch.nn.Parameter(torch.ones(3))]
        if self.kind == "schedulers":
            provided["optimizer"] = torch.optim.SGD(provided.pop("params"), lr=0.1)
        return {
            **provided,
            **INFO.wiring(),
            "input_size": self.options.size,
            "in_channels": channels,
            "in_strides": strides,
            **self.options.context,
        }

    @property
    def config(self) -> dict[str, Any]:
        """The part as a config writes it, with what the kit chooses for required parameters."""
        written = {**self.options.arguments, "type": self.part}
        if self.kind == "heads" and "codec" in self.parameters:
            written.setdefault("codec", {"type": "GaussianHeatmap"})
            if "losses" in self.parameters and "losses" not in written:
                codec = construct(CODECS, written["codec"], self.context)
                outputs = codec.output_channels(INFO.num_keypoints)
                written["losses"] = {name: {"type": "MSELoss"} for name in outputs}
        if self.kind == "codecs" and "stride" in self.parameters:
            written.setdefault("stride", 4.0)
        if self.kind == "readers" and "path" in self.parameters:
            written.setdefault("path", clip())
        return written

    def build(self, seed: int = 0, **context: Any) -> Any:
        """Return a new object, built as from a config.

        Args:
            seed: of torch's generator, for its weights.
            context: further values by parameter name.

        Raises:
            NotBuilt: it cannot be built.
        """
        torch.manual_seed(seed)
        try:
            return construct(self.registry, self.config, {**self.context, **context}, "part")
        except ConfigError as error:
            raise NotBuilt(
                f"cannot be built from {shown(self.config)} and wired values "
                f"({', '.join(self.context)}): {str(error).rstrip('.')}. Give arguments=dict(...) "
                "for parameters that have no default and are not wired."
            ) from error

    @functools.cached_property
    def built(self) -> Any:
        """One object that checks share which do not change it; modules in evaluation mode."""
        part = self.build()
        return part.eval() if isinstance(part, torch.nn.Module) else part


def shown(config: Mapping[str, Any]) -> str:
    """Return a config in one line."""
    inside = ", ".join(f"{key}={value!r}" for key, value in config.items())
    return f"dict({inside})"
