"""Pictures of what a model does, from a checkpoint or a config and an image."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from dlcreg.apis.attention import attention_of
from dlcreg.apis.attention_picture import draw_attention_maps
from dlcreg.apis.settings import ConfigSource, read_config
from dlcreg.builder import build_data, build_model
from dlcreg.builder.plan import PARTS
from dlcreg.config import ConfigTree
from dlcreg.data.batching import collate
from dlcreg.data.images import read_image
from dlcreg.data.keypoints import resolve_name
from dlcreg.data.samples import prepared, unlabelled
from dlcreg.data.transforms.adapt import as_pipeline
from dlcreg.errors import DataError
from dlcreg.inference import load_trained
from dlcreg.solvers import checkpoint as checkpoints
from dlcreg.solvers.devices import choose_device
from dlcreg.structures import DatasetInfo, Meta, Sample

logger = logging.getLogger("dlcreg")

_SHOWN = 6  # keypoints where nobody says which


def draw_attention(
    source: ConfigSource,
    image: str | Path,
    out: str | Path | None = None,
    *,
    keypoints: Sequence[str] = (),
    box: Sequence[float] | None = None,
    options: Sequence[str] | Mapping[str, Any] = (),
    project: str | Path | None = None,
    device: str | None = None,
) -> Path:
    """Draw for each keypoint which parts of an image every layer of a model attends to.

    A last column shows what all layers together make of it: how much the likelihood of the
    keypoint hangs on each place, see `Attention`.

    Args:
        source: a checkpoint, or a config, whose model starts with the weights that it names. Its
            data is opened only where a config is given, for the names of the keypoints.
        image: the image file; it goes through the transforms of the test data.
        out: the PNG to write; None: ``<name of the image>_attention.png`` in the present folder.
        keypoints: their names; none: the six that the model is surest of, or all.
        box: x, y, width, height of the animal in pixels of the image, for models of instance
            crops; None: the whole image.
        options: values that replace those of the config, ``key.path=value`` or a mapping.
        project: root of a DeepLabCut project, for every data set.
        device: torch device; chosen by default.

    Raises:
        ConfigError: mistakes in the config.
        CheckpointError: the checkpoint cannot be read or does not fit the model.
        DataError: the image cannot be read, or there is no such keypoint.
        DlcregError: the model has no part that tells its attention.
    """
    pixels = read_image(image)
    tree, info, model = _model(source, options, project)
    asked = [resolve_name(name, info.keypoint_names, "keypoint") for name in keypoints]
    batch = collate([_sample(pixels, tree, info, box, str(image))])
    device_ = choose_device(device or tree.get("solver.device"))
    found = attention_of(model.to(device_).eval(), batch.images.to(device_), asked)
    if not asked:
        surest = np.argsort(-found.scores, kind="stable")[:_SHOWN]
        asked = sorted(surest.tolist())
    out = Path(out or f"{Path(image).stem}_attention.png")
    seen = batch.images[0].numpy().transpose(1, 2, 0)
    return draw_attention_maps(out, seen, found, info.keypoint_names, asked, Path(image).name)


def _model(
    source: ConfigSource, options: Any, project: str | Path | None
) -> tuple[ConfigTree, DatasetInfo, nn.Module]:
    """Return config, keypoints and model of a checkpoint, or of a config."""
    if not checkpoints.is_checkpoint(source):
        tree = read_config(source, options, project=project)
        info: DatasetInfo = build_data(tree).info
        return tree, info, build_model(tree, **info.wiring())
    trained = load_trained(Path(str(source)), options)
    return trained.config, trained.info, trained.model


def _sample(
    pixels: np.ndarray, tree: ConfigTree, info: DatasetInfo, box: Sequence[float] | None, name: str
) -> Sample:
    """Return an image as the model is shown it in a test."""
    height, width = pixels.shape[:2]
    part = next((p for p in reversed(PARTS) if tree.get(f"data.{p}") is not None), "train")
    if box is None and tree.get(f"data.{part}.view") == "instance":
        logger.warning(
            "this model sees one animal at a time, cut out by its box: it is shown the whole image "
            "as if that were one. Give --box X Y WIDTH HEIGHT"
        )
    if box is not None and not (len(box) == 4 and box[2] > 0 and box[3] > 0):
        raise DataError(f"a box is x, y, width, height with sides above 0, not {tuple(box)}")
    where = Meta(0, name, (height, width))
    sample = unlabelled(pixels, where, info.num_keypoints, box or (0, 0, width, height))
    pipeline = as_pipeline(tree.get(f"data.{part}.transform"), info)
    return prepared(sample, pipeline, np.random.default_rng(0), name)
