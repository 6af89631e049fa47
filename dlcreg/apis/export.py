"""From a checkpoint to a file that other programs run, held against the model itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from dlcreg.data.batching import collate
from dlcreg.errors import DataError, DlcregError
from dlcreg.inference import Predictor
from dlcreg.inference.checkpoint import load_trained
from dlcreg.inference.exported.compare import Deviation, deviation
from dlcreg.inference.exported.graph import Graph, graph_of
from dlcreg.inference.exported.loaded import SUFFIXES, is_exported
from dlcreg.inference.exported.write import InexpressibleError, write_onnx, write_program
from dlcreg.inference.sources import Frame, frames_of, with_files
from dlcreg.structures import Poses

Precision = Literal["fp32", "fp16", "int8"]
"""Of the numbers inside: 32 bits, 16 bits, or whole numbers of 8 bits where layers allow it."""


@dataclass(frozen=True)
class Exported:
    """What `export` wrote.

    Args:
        out: the file.
        graph: what is in it.
        deviation: from the model itself, where images to compare by were given.
    """

    out: Path
    graph: Graph
    deviation: Deviation | None


def export(
    checkpoint: str | Path,
    out: str | Path | None = None,
    *,
    size: tuple[int, int] | None = None,
    images: Sequence[str | Path] = (),
    precision: Precision = "fp32",
    proposals: Any = None,
    options: Sequence[str] | Mapping[str, Any] = (),
) -> Exported:
    """Write a trained model as an ONNX file, or as a program of torch.export.

    The file takes uint8 RGB frames ``(B, H, W, 3)`` and gives poses in pixels of these, and serves
    `Predictor` and the commands as a checkpoint does.

    Args:
        checkpoint: a ``.pth`` file of a training.
        out: the file to write, ``.onnx`` or ``.pt2``; None: ``.onnx`` beside the checkpoint.
        size: height and width of the frames; None: those of the first image.
        images: image files, folders, COCO files, to compare by.
        precision: of the numbers inside; ``int8`` needs images, 32 or so, for the ranges of numbers
            inside.
        proposals: for models that see one animal at a time, see `Predictor`: to compare by.
        options: values that replace those of the config, ``key.path=value`` or a mapping.

    Raises:
        CheckpointError, ConfigError, PluginError: see `Predictor`.
        DataError: images that cannot be read, or a model that cannot be traced.
        DlcregError: a library is missing, or the file cannot be written.
        ValueError: a precision that the kind of file does not have.
    """
    if is_exported(checkpoint):
        raise DataError(f"{checkpoint} is exported already: give the checkpoint it was made of")
    path = Path(out) if out is not None else Path(checkpoint).with_suffix(".onnx")
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise DlcregError(f"{path}: an exported file ends with {' or '.join(SUFFIXES)}")
    if precision not in get_args(Precision):
        raise ValueError(f"precision must be one of {get_args(Precision)}, not {precision!r}")
    if precision == "int8" and kind != ".onnx":
        raise DlcregError("8 bits are for ONNX: give --out FILE.onnx")
    files = with_files(list(images)) if images else []
    if precision == "int8" and not files:
        raise DataError("8 bits need images, for the ranges of the numbers inside: give --images")
    trained = load_trained(checkpoint, options)
    if size is None:
        size = _size_of(files) if files else (256, 256) if trained.takes_instances else None
    if size is None:
        raise DataError("give the size of the frames, --size HEIGHT WIDTH, or --images")
    half = precision == "fp16"
    graph = graph_of(trained, size, half=half)
    reference = Predictor(trained, proposals, device="cpu", precision="fp32") if files else None
    if kind == ".onnx":
        fed = list(_inputs(reference, files, graph)) if reference and precision == "int8" else []
        try:
            write_onnx(graph, path, fed)
        except InexpressibleError as error:  # often the decoding alone
            if graph.about["gives"] != "poses" or not hasattr(trained.model, "decode"):
                raise
            graph = graph_of(trained, size, half=half, outside=str(error))
            write_onnx(graph, path, fed)
    else:
        write_program(graph, path)
    if reference is None:
        return Exported(path, graph, None)
    other = Predictor(path, proposals, device="cpu", options=options)
    return Exported(path, graph, deviation(_both(reference, other, files)))


def _size_of(files: Sequence[tuple[Any, Path]]) -> tuple[int, int]:
    frame = next(frames_of([files[0]])).read()
    if frame.error is not None:
        raise frame.error
    return frame.meta.size


def _both(
    reference: Predictor, other: Predictor, files: Sequence[Any]
) -> Iterator[tuple[Poses, Poses]]:
    pairs = zip(reference.stream(files), other.stream(files), strict=True)
    for (_, one), (_, two) in pairs:
        yield one, two


def _inputs(
    predictor: Predictor, files: Sequence[Any], graph: Graph
) -> Iterator[dict[str, np.ndarray]]:
    """Yield what the graph is given of some images, one sample at a time."""
    outside = graph.about["preprocessing"] == "outside"
    for frame in map(Frame.read, frames_of(files)):
        if frame.error is not None:
            raise frame.error
        if not outside:
            assert frame.image is not None
            yield {"frames": frame.image[None]}
            continue
        for sample in predictor.samples_of(frame):
            batch = collate([sample])
            given = {"frames": batch.images.permute(0, 2, 3, 1).contiguous().numpy()}
            if batch.condition is not None:
                given["condition"] = batch.condition.numpy()
            yield given
