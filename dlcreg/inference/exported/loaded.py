"""An exported file as a model that `Predictor` takes as any other."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from dlcreg.config import load_config
from dlcreg.errors import CheckpointError, DataError
from dlcreg.inference.exported.about import FORMAT, KEY, needed
from dlcreg.inference.exported.tensors import outputs_of, poses_of
from dlcreg.registry.recorded import check_recorded
from dlcreg.solvers.checkpoint import first_line
from dlcreg.structures import DatasetInfo, Poses

_Run = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]

SUFFIXES = (".onnx", ".pt2")


def is_exported(path: Any) -> bool:
    """Return whether something is a path that ends as those of exported files do."""
    return isinstance(path, (str, Path)) and Path(path).suffix.lower() in SUFFIXES


class ExportedModel(nn.Module):
    """A graph in a file, called as the model that it was made of.

    Args:
        run: tensors by name to tensors by name.
        about: what the file says of itself.
        decoder: the model, for a graph that gives the outputs of its heads.
        source: the file, for messages.
    """

    def __init__(
        self, run: _Run, about: Mapping[str, Any], decoder: nn.Module | None, source: str
    ) -> None:
        super().__init__()
        self.run, self.about, self.source = run, about, source
        self.needs_condition = self.takes_condition = "condition" in about["inputs"]
        self.decoder = [decoder]  # not a module of its own: it has no weights to move

    def forward(
        self,
        images: Tensor,
        mode: Literal["predict"] = "predict",
        condition: Tensor | None = None,
        flip_test: bool = False,
        scales: Sequence[float] = (1,),
    ) -> Poses:
        """Return the poses of frames, uint8 RGB ``(B, 3, H, W)``, in their pixels.

        Raises:
            DataError: frames of another size than the file is made for, or what it was not
                exported with.
        """
        size, about = tuple(images.shape[-2:]), self.about
        if size != tuple(about["size"]):
            height, width = about["size"]
            raise DataError(
                f"{self.source} was exported for images of {width} x {height} pixels, and these "
                f"have {size[1]} x {size[0]}: export it again with --size {size[0]} {size[1]}"
            )
        if mode != "predict" or tuple(scales) != (1,):
            raise DataError(f"{self.source} is an exported file, which predicts and nothing else")
        if flip_test != about["flip_test"]:
            has = "with" if about["flip_test"] else "without"
            raise DataError(f"{self.source} was exported {has} the flip test: leave it as it is")
        inputs = {"frames": images.permute(0, 2, 3, 1).contiguous()}
        if self.needs_condition:
            assert condition is not None
            inputs["condition"] = condition
        given = self.run(inputs)
        decoder = self.decoder[0]
        if decoder is None:
            return poses_of(given)
        padded = decoder.pad(torch.empty(1, 3, *about["seen"])).shape[-2:]  # type: ignore[operator]
        poses = decoder.decode(outputs_of(given), tuple(padded))  # type: ignore[operator]
        if isinstance(poses, Mapping):
            poses = next(iter(poses.values()))
        matrix = torch.tensor(about["matrix"], dtype=torch.float32)
        return poses.to_image(matrix.expand(len(images), -1, -1))  # type: ignore[no-any-return]


def load_exported(
    path: str | Path, options: Sequence[str] | Mapping[str, Any], build: Callable[..., nn.Module]
) -> tuple[ExportedModel, Any, DatasetInfo]:
    """Return the model of an exported file, its config and the names of its data.

    Args:
        path: an ``.onnx`` or ``.pt2`` file that dlcreg wrote.
        options: values that replace those of the config, ``key.path=value`` or a mapping.
        build: builds the model of a config and a `DatasetInfo`, for files without the decoding.

    Raises:
        CheckpointError: it cannot be read, or another program wrote it.
        ConfigError: mistakes in the options.
        PluginError: packages that it was made with are not installed.
        DlcregError: a library that reads it is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}.")
    run, about = _onnx(path) if path.suffix.lower() == ".onnx" else _program(path)
    config = copy.deepcopy(about["config"])
    tree = load_config(config, options)
    check_recorded(about, tree.data, str(path))
    info = DatasetInfo.from_dict(about["info"])
    decoder = None
    if about["gives"] == "outputs":
        decoder = build(about, tree, info)
        chosen = {name: torch.tensor(value) for name, value in about["codec"].items()}
        decoder.load_state_dict(chosen, strict=False)
        decoder.eval()
    if about["preprocessing"] == "inside":
        for part in ("train", "val", "test"):
            if tree.get(f"data.{part}") is not None:
                tree.data["data"][part]["transform"] = []
    return ExportedModel(run, about, decoder, str(path)), tree, info


def _checked(about: str | bytes | None, path: Path) -> dict[str, Any]:
    try:
        content = json.loads(about or "null")
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    if not isinstance(content, dict) or "format" not in content:
        raise CheckpointError(f"{path} was not written by dlcreg: export it with `dlcreg export`.")
    if content["format"] > FORMAT:
        raise CheckpointError(
            f"{path} was written by dlcreg {content.get('dlcreg')}, newer than this one. "
            "Upgrade dlcreg."
        )
    return content


def _onnx(path: Path) -> tuple[_Run, dict[str, Any]]:
    runtime = needed("onnxruntime")
    settings = runtime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    settings.log_severity_level = 3
    try:
        session = runtime.InferenceSession(
            os.fspath(path), settings, providers=runtime.get_available_providers()
        )
    except Exception as error:  # the runtime's own errors share no base but this one
        raise CheckpointError(f"{path} cannot be read: {first_line(error)}") from error
    about = _checked(session.get_modelmeta().custom_metadata_map.get(KEY), path)
    names = [one.name for one in session.get_outputs()]

    def run(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        given = {name: np.ascontiguousarray(value.cpu()) for name, value in inputs.items()}
        found = session.run(names, given)
        return {name: torch.from_numpy(v) for name, v in zip(names, found, strict=True)}

    return run, about


def _program(path: Path) -> tuple[_Run, dict[str, Any]]:
    extra = {KEY: ""}
    try:
        program = torch.export.load(path, extra_files=extra)
    except Exception as error:  # zip, JSON and schema errors of torch
        raise CheckpointError(f"{path} cannot be read: {first_line(error)}") from error
    module = program.module()
    about = _checked(extra[KEY], path)

    def run(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return dict(module(**inputs))

    return run, about
