"""What does not fit between the parts of a config, each of which is right by itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from dlcreg.builder.written import written_parts
from dlcreg.conditioning import takes_condition
from dlcreg.config import ConfigTree
from dlcreg.contracts import Backbone, Codec, Detector, Head, Size
from dlcreg.errors import Problem
from dlcreg.schema.signature import signature_of
from dlcreg.solvers.evaluation import Evaluation
from dlcreg.structures import DatasetInfo
from dlcreg.trace import Traced, conditioned


def nothing_to_learn(traced: Traced | None) -> list[Problem]:
    """Return that no head or detector has a loss, which a training would find out at its start."""
    built = {} if traced is None else traced.built
    detectors = {path: part for path, part in built.items() if isinstance(part, Detector)}
    if any(detector.learns for detector in detectors.values()):
        return []
    heads = {path: head for path, head in built.items() if isinstance(head, Head)}
    if any(len(head.losses) or type(head).loss is not Head.loss for head in heads.values()):
        return []
    return [
        Problem(
            f"{path}.losses",
            f"{type(head).__name__} has no losses, so that the solver has nothing to minimise. Add "
            f"losses=dict({output}=dict(type='...')), see `dlcreg list losses`.",
        )
        for path, head in heads.items()
        for output in list(head.codec.output_channels(head.num_keypoints or 1))[:1]
    ] + [
        Problem(
            path,
            f"{type(detector).__name__} has no loss, so that the solver has nothing to minimise. "
            "Take a detector that learns, see `dlcreg list detectors`.",
        )
        for path, detector in detectors.items()
    ]


def keypoints_missing(tree: ConfigTree, info: DatasetInfo | None) -> list[Problem]:
    """Return the first part of a model that finds keypoints, where the data has none.

    Args:
        tree: the config.
        info: of the data, where it is known.
    """
    if info is None or info.num_keypoints:
        return []
    written = (part for part in written_parts(tree) if part.path == "model")
    for part in (part for whole in written for part in whole.walk()):
        asked = signature_of(part.cls).parameters.get("num_keypoints")
        if asked is not None and asked.required:
            return [
                Problem(
                    part.path,
                    f"{part.cls.__name__} learns keypoints, and the data has none: its animals are "
                    "boxes alone, for a DetectionModel to learn, see configs/detectors.",
                )
            ]
    return []


def tests_missing(evaluation: Evaluation, built: Mapping[str, Any]) -> list[Problem]:
    """Return what an evaluation asks of a model that it cannot do, found else at the first batch.

    Args:
        evaluation: how the model is to be measured.
        built: its parts by path.
    """
    heads = {path: part for path, part in built.items() if isinstance(part, Head)}
    completing = [path for path, head in heads.items() if head.completes]
    finding = [
        head
        for path, head in heads.items()
        if not any(path == other or path.startswith(f"{other}.") for other in completing)
    ]
    problems = []
    if evaluation.scales != (1,):
        needing = conditioned(built)
        if needing:
            problems.append(
                Problem(
                    "evaluation.scales",
                    f"{type(built[needing[0]]).__name__} looks at a condition, which is of one "
                    "scale. Leave scales out.",
                )
            )
        problems += [
            Problem(
                "evaluation.scales",
                f"{name} has no multi-scale test: it does not say what outputs of a resized image "
                "tell of the image itself (Codec.resize). Leave scales out, or take another "
                "codec, such as GaussianHeatmap or DEKROffsets.",
            )
            for name in _lacking(finding, "resize", "decode_scales")
        ]
    if evaluation.flip_test:
        problems += [
            Problem(
                "evaluation.flip_test",
                f"{name} has no flip test: it does not say what outputs of a mirrored image tell "
                "of the image itself (Codec.flip). Leave flip_test out, or take another codec.",
            )
            for name in _lacking(heads.values(), "flip")
        ]
    return problems


def sizes_refused(traced: Traced, size: Size, sizes: Mapping[str, Size]) -> list[Problem]:
    """Return the data sets whose images a part that is made for one size does not take.

    Args:
        traced: the model, as it was tried on images of `size`.
        size: height and width that its parts were told of.
        sizes: those of the images of each data set.
    """
    made_for_one = [
        (path, part)
        for path, part in traced.built.items()
        if isinstance(part, nn.Module) and "input_size" in inspect.signature(type(part)).parameters
    ]
    if traced.model is None or not made_for_one:
        return []
    path, part = made_for_one[0]
    problems = []
    for name, other in sizes.items():
        if other == size:
            continue
        images = torch.zeros(1, 3, *other, dtype=torch.uint8, device=traced.device)
        try:
            with torch.no_grad(), torch.device(traced.device):
                traced.model(images, mode="tensor")
        except (RuntimeError, ValueError) as error:
            problems.append(
                Problem(
                    f"data.{name}.transform",
                    f"gives images of {other[0]} x {other[1]} pixels (height x width), and "
                    f"{type(part).__name__} ({path}) is made for {size[0]} x {size[1]}, those of "
                    f"data.train: {str(error).splitlines()[0]}. Give both the same size.",
                )
            )
    return problems


def _lacking(heads: Iterable[Head], *methods: str) -> list[str]:
    """Return the names of the codecs that have none of some methods of the contract."""
    codecs = dict.fromkeys(type(head.codec) for head in heads)
    return [
        codec.__name__
        for codec in codecs
        if all(getattr(codec, name) is getattr(Codec, name) for name in methods)
    ]


def conditions_missing(
    tree: ConfigTree, given: Mapping[str, bool], built: Mapping[str, Any]
) -> list[Problem]:
    """Return where a model needs a condition that the data does not give, or the other way round.

    Proposals bring conditions along for whoever takes them; a transform makes them on purpose.

    Args:
        tree: the config.
        given: by data set that was opened, whether its samples have a condition.
        built: the parts of the model by config path.
    """
    backbones = {path: part for path, part in built.items() if isinstance(part, Backbone)}
    needing = conditioned(built)
    if needing:
        name = type(built[needing[0]]).__name__
        return [
            Problem(
                f"data.{part}",
                f"gives no condition, and {name} ({needing[0]}) needs one. Add a transform that "
                "makes one, such as GenerativeCondition before CropInstance, or proposals that "
                "have keypoints.",
            )
            for part, has in given.items()
            if not has
        ]
    if not backbones or any(map(takes_condition, backbones.values())):
        return []
    path, backbone = next(iter(backbones.items()))
    return [
        Problem(
            f"data.{part}.transform",
            f"makes a condition, which {type(backbone).__name__} ({path}) does not take. Leave it "
            "out, or take a conditioned backbone such as PreNet or CoAM.",
        )
        for part, has in given.items()
        if has and tree.get(f"data.{part}.proposals") is None
    ]
