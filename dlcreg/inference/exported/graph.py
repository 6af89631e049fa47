"""A trained model as one graph: frames in, poses out."""

from __future__ import annotations

import copy
import dataclasses
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from dlcreg.contracts import Codec, Size
from dlcreg.data.samples import prepared, unlabelled
from dlcreg.data.transforms.pipeline import Pipeline
from dlcreg.data.transforms.warp import invert
from dlcreg.errors import DataError
from dlcreg.inference.checkpoint import Trained
from dlcreg.inference.exported.about import FORMAT
from dlcreg.inference.exported.resample import Resample
from dlcreg.inference.exported.tensors import flat_outputs, flat_poses, outputs_of
from dlcreg.solvers.checkpoint import first_line
from dlcreg.structures import Meta

Gives = Literal["poses", "outputs"]
"""What a graph gives: poses, or the outputs of the heads, which dlcreg decodes."""


@dataclass(frozen=True)
class Graph:
    """A traced model, before it is written.

    Args:
        program: takes ``frames``, uint8 RGB ``(B, H, W, 3)``, and for models with a condition
            ``condition``, float32 ``(B, K, 3)``; B is free.
        inputs: names of what it takes.
        outputs: names of what it gives.
        about: what a file says of itself, plain containers of JSON.
        crops: whether it sees animals that were cut out of frames.
        notes: what is not in the graph, and why, for the user.
    """

    program: torch.export.ExportedProgram
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    about: Mapping[str, Any]
    crops: bool = False
    notes: tuple[str, ...] = ()


class _Seeing(nn.Module):
    """Frames through a model.

    Args:
        model: a trained model.
        resample: frames to what the model sees; None: they are the same.
        matrix: what the model sees to the frames.
        flip_test: see the mirrored frames, too.
    """

    matrix: Tensor

    def __init__(
        self, model: nn.Module, resample: Resample | None, matrix: np.ndarray, flip_test: bool
    ) -> None:
        super().__init__()
        self.parts = (model, resample, matrix, flip_test)
        self.model, self.resample, self.flip_test = model, resample, flip_test
        matrix = matrix.astype(np.float32)
        self.register_buffer("matrix", torch.from_numpy(matrix)[None], persistent=False)

    def seen(self, frames: Tensor) -> Tensor:
        """Return uint8 ``(B, 3, h, w)``, what the model sees of frames ``(B, H, W, 3)``."""
        images = frames.permute(0, 3, 1, 2)
        return images if self.resample is None else self.resample(images)

    def given(self, frames: Tensor, condition: Tensor | None, mode: str) -> Any:
        """Return what the model gives."""
        options: dict[str, Any] = {} if condition is None else {"condition": condition}
        if self.flip_test:
            options["flip_test"] = True
        return self.model(self.seen(frames), mode=mode, **options)


class _ToPoses(_Seeing):
    def forward(self, frames: Tensor, condition: Tensor | None = None) -> dict[str, Tensor]:
        poses = self.given(frames, condition, "predict")
        if isinstance(poses, Mapping):
            poses = next(iter(poses.values()))
        return flat_poses(poses.to_image(self.matrix.expand(frames.shape[0], -1, -1)))


class _ToOutputs(_Seeing):
    def forward(self, frames: Tensor, condition: Tensor | None = None) -> dict[str, Tensor]:
        outputs = flat_outputs(self.given(frames, condition, "tensor"))
        return {name: value.float() for name, value in outputs.items()}


class _Decoding(nn.Module):
    def __init__(self, model: nn.Module, size: Size) -> None:
        super().__init__()
        self.model, self.size = model, size

    def forward(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return flat_poses(self.model.decode(outputs_of(outputs), self.size))  # type: ignore[operator]


def graph_of(
    trained: Trained, size: Size, *, half: bool = False, outside: str | None = None
) -> Graph:
    """Trace a trained model.

    Preprocessing is inside where it moves the image and nothing else; so are the flip test, where
    evaluation has one, and the decoding. The assembly of animals by part affinity fields runs on
    the processor and is left to dlcreg: such a file gives the outputs of the heads.

    Args:
        trained: the model.
        size: height and width of frames; of crops for a model that sees one animal at a time,
            which are cut by dlcreg.
        half: half precision inside.
        outside: why the decoding is left to dlcreg; None: it is inside where it can be traced.

    Raises:
        DataError: the model cannot be traced, or sees images at several scales.
    """
    evaluation = trained.evaluation
    if tuple(evaluation.scales) != (1,):
        raise DataError(
            f"{trained.source} sees images at scales {tuple(evaluation.scales)}: a graph has one. "
            "Export it with --cfg-options evaluation.scales=1"
        )
    view = _view_of(trained, size)
    model = trained.model.eval()
    if half:
        model = copy.deepcopy(model).half()
    frames = torch.zeros(2, *view.size, 3, dtype=torch.uint8)
    inputs: dict[str, Tensor] = {"frames": frames}
    if trained.needs_condition:
        inputs["condition"] = torch.ones(2, trained.info.num_keypoints, 3)
    parts = (model, view.resample, view.matrix, evaluation.flip_test)
    whole: _Seeing = _ToPoses(*parts)
    gives: Gives = "poses"
    notes = [] if view.outside is None else [f"the preprocessing ({view.outside})"]
    reason = outside or _why_not_decoded(whole, inputs)
    if reason is not None:
        whole, gives = _ToOutputs(*parts), "outputs"
        notes.append(f"the decoding, which dlcreg does ({reason})")
    try:
        program = _exported(whole, inputs)
    except Exception as error:  # whatever torch's tracer meets in a model
        raise DataError(
            f"{trained.source} cannot be traced: {type(error).__name__}: {first_line(error)}"
        ) from error
    with torch.no_grad():
        names = tuple(whole(**inputs))
    about = {
        "format": FORMAT,
        "gives": gives,
        "size": list(view.size),
        "seen": list(view.seen),
        "matrix": view.matrix.tolist(),
        "flip_test": evaluation.flip_test,
        "half": half,
        "preprocessing": "inside" if view.outside is None else "outside",
        "codec": _codec_state(model) if gives == "outputs" else {},
        **trained.made,
        "scorer": trained.scorer,
        "config": trained.config.data,
        "info": dataclasses.asdict(trained.info),
    }
    return Graph(
        program,
        tuple(inputs),
        names,
        json.loads(json.dumps(about)),
        trained.takes_instances,
        tuple(notes),
    )


@dataclass(frozen=True)
class _View:
    """What of the preprocessing is in a graph.

    Args:
        size: height and width of the frames that the graph takes.
        seen: of what the model sees.
        resample: frames to what the model sees; None: they are the same.
        matrix: float64 ``(2, 3)``, what the model sees to the frames.
        outside: why dlcreg prepares the frames before the graph sees them; None: it does not.
    """

    size: Size
    seen: Size
    resample: Resample | None
    matrix: np.ndarray
    outside: str | None = None


def _view_of(trained: Trained, size: Size) -> _View:
    pipeline, info = trained.pipeline(), trained.info
    box = np.array([0, 0, size[1], size[0]]) if trained.takes_instances else None
    condition = np.ones((info.num_keypoints, 3), np.float32) if trained.needs_condition else None
    frame = np.zeros((*size, 3), np.uint8)
    sample = unlabelled(frame, Meta(0, "", size), info.num_keypoints, box, condition)
    outside = "animals are cut out of frames by their boxes" if trained.takes_instances else None
    warp = None
    if outside is None and isinstance(pipeline, Pipeline):
        try:
            warp = pipeline.single_warp(sample)
        except ValueError as error:
            outside = str(error)
    elif outside is None:
        outside = f"{type(pipeline).__name__} is no Pipeline of geometric transforms"
    if outside is not None:
        image = prepared(sample, pipeline, np.random.default_rng(0)).image
        height, width = image.shape[:2]
        return _View((height, width), (height, width), None, np.eye(2, 3), outside)
    if warp is None:
        return _View(size, size, None, np.eye(2, 3))
    return _View(size, warp.size, Resample(warp, size), invert(warp.matrix))


def _why_not_decoded(whole: _Seeing, inputs: Mapping[str, Tensor]) -> str | None:
    """Return why the decoding of a model cannot be a part of a graph; None: it can."""
    if not hasattr(whole.model, "decode"):
        return None
    with torch.no_grad():
        outputs = _ToOutputs(*whole.parts)(**inputs)
        images = whole.seen(inputs["frames"])
        height, width = whole.model.pad(images.float()).shape[-2:]  # type: ignore[operator]
    try:
        _exported(_Decoding(whole.model, (height, width)), {"outputs": outputs})
    except Exception as error:  # whatever torch's tracer meets in a codec
        return f"{type(error).__name__}: {first_line(error)}"
    return None


def _exported(module: nn.Module, inputs: Mapping[str, Any]) -> torch.export.ExportedProgram:
    batch = torch.export.Dim("batch", min=1, max=4096)
    shapes = tree_map(lambda _: {0: batch}, dict(inputs))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        return torch.export.export(module, (), dict(inputs), dynamic_shapes=shapes, strict=False)


def _codec_state(model: nn.Module) -> dict[str, Any]:
    """Return what codecs have chosen by themselves, such as the edges of a graph, by its name."""
    names = {
        f"{name}.{key}"
        for name, module in model.named_modules()
        if isinstance(module, Codec) and isinstance(module, nn.Module)
        for key in module.state_dict()
    }
    state = model.state_dict()
    return {name: state[name].tolist() for name in sorted(names)}
