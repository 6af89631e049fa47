"""A traced model to a file, whole or not at all."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlcreg.errors import DlcregError
from dlcreg.files import written_whole
from dlcreg.inference.exported.about import KEY, needed
from dlcreg.inference.exported.graph import Graph
from dlcreg.solvers.checkpoint import first_line

OPSET = 20
_QUANTISED = ["Conv", "Gemm", "MatMul"]
"""Layers that can compute in whole numbers."""


class InexpressibleError(DlcregError):
    """ONNX has no operators for what a graph does."""


def write_program(graph: Graph, path: Path) -> None:
    """Write a program of torch.export (``.pt2``), which `torch.export.load` reads.

    Raises:
        DlcregError: the file cannot be written.
    """
    about = json.dumps({**graph.about, "inputs": graph.inputs, "outputs": graph.outputs})
    with written_whole(path) as temporary:
        torch.export.save(graph.program, temporary, extra_files={KEY: about})


def write_onnx(graph: Graph, path: Path, calibration: Iterable[dict[str, np.ndarray]] = ()) -> None:
    """Write an ONNX file.

    Args:
        graph: a traced model.
        path: the file.
        calibration: what the graph may be given, for whole numbers of 8 bits inside; nothing:
            the numbers of the graph.

    Raises:
        InexpressibleError: ONNX cannot say what the graph does.
        DlcregError: libraries are missing, or the file cannot be written.
    """
    onnx = needed("onnx")
    needed("onnxscript")
    with _quiet(), torch.no_grad(), _told():
        exported = torch.onnx.export(
            graph.program,
            (),
            kwargs=graph.program.example_inputs[1] if graph.program.example_inputs else None,
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert exported is not None
    model = exported.model_proto
    calibration = list(calibration)
    if calibration:
        model = _quantised(model, calibration)
    about = {**graph.about, "inputs": graph.inputs, "outputs": graph.outputs}
    about["int8"] = bool(calibration)
    onnx.helper.set_model_props(model, {KEY: json.dumps(about)})
    with written_whole(path) as temporary:
        onnx.save(model, temporary)


def _quantised(model: Any, calibration: list[dict[str, np.ndarray]]) -> Any:
    """Return a graph whose layers compute in 8 bits, with the ranges that some inputs lead to."""
    onnx, quantization = needed("onnx"), needed("onnxruntime.quantization")

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.left = iter(calibration)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.left, None)

    with tempfile.TemporaryDirectory() as folder, _quiet():
        source, target = os.path.join(folder, "fp32.onnx"), os.path.join(folder, "int8.onnx")
        onnx.save(model, source)
        quantization.quantize_static(
            source,
            target,
            Reader(),
            op_types_to_quantize=_QUANTISED,
            nodes_to_exclude=_at_the_ends(model),
            per_channel=True,
            calibrate_method=quantization.CalibrationMethod.MinMax,
        )
        return onnx.load(target)


def _at_the_ends(model: Any) -> list[str]:
    """Return the names of what loses most by whole numbers.

    The first layer sees the pixels, the last ones make the maps or coordinates that are read, and
    what is behind these, the decoding, computes with pixels.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output}
    able = [node for node in model.graph.node if node.op_type in _QUANTISED]
    layers = [node.name for node in able if node.input[1] in weights]
    ends, seen, waiting = layers[:1], set[str](), [value.name for value in model.graph.output]
    while waiting:
        node = makers.get(waiting.pop())
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        if node.op_type in _QUANTISED:
            ends.append(node.name)
        if node.name not in layers:
            waiting += node.input
    return ends if len(layers) > 3 else []


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Say in one line what ONNX has no words for."""
    try:
        yield
    except RuntimeError as error:  # the exporter's errors are all of this kind
        cause = error.__cause__ or error
        raise InexpressibleError(f"ONNX cannot express the model: {first_line(cause)}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the exporter has to say of its own steps from the user."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
