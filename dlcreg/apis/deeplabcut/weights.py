"""The tensors of a snapshot by dlcreg's names, by the rules of the published models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcreg.apis.deeplabcut.backbones import Body
from dlcreg.apis.deeplabcut.heads import FLAT, NAMES, Top
from dlcreg.errors import CheckpointError
from dlcreg.models.published import PUBLISHED
from dlcreg.models.weights import read_state

_HEADS = "heads."
_PUBLISHED_HEAD = "heads.bodypart."
_NECK = "neck."
_DECONV, _CONV = ".deconv_layers.0.", ".final_conv."


def read_snapshot(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and metadata of a snapshot.

    Raises:
        CheckpointError: it cannot be read, or holds no tensors.
    """
    state = read_state(path)
    content = torch.load(path, map_location="cpu", weights_only=True)
    metadata = content.get("metadata") if isinstance(content, Mapping) else None
    return state, dict(metadata) if isinstance(metadata, Mapping) else {}


def pose_state(
    state: Mapping[str, Tensor], body: Body, tops: Mapping[str, Top], source: str
) -> dict[str, Tensor]:
    """Return the tensors of a pose model by our names.

    Args:
        state: by DeepLabCut's names.
        body: the backbone that it is for.
        tops: the heads that it is for.
        source: the snapshot, for messages.

    Raises:
        CheckpointError: it has heads that the config does not name, or lacks some.
    """
    there = {name.split(".")[1] for name in state if name.startswith(_HEADS)}
    if there != set(tops):
        raise CheckpointError(
            f"{source} has the heads {', '.join(sorted(there)) or 'none'}, and its config "
            f"{', '.join(sorted(tops))}: the two do not belong together"
        )
    rest = {k: v for k, v in state.items() if not k.startswith((_HEADS, _NECK))}
    found = PUBLISHED[body.weights].renamed(rest)
    for name, top in tops.items():
        before = f"{_HEADS}{name}."
        of_head = {
            _PUBLISHED_HEAD + key.removeprefix(before): value
            for key, value in state.items()
            if key.startswith(before)
        }
        if top.weights == FLAT:
            of_head = dict(_as_convolution(*pair) for pair in of_head.items())
        if top.neck:
            of_head |= {key: value for key, value in state.items() if key.startswith(_NECK)}
        place = "head." if len(tops) == 1 else f"head.{NAMES[name]}."
        if name == "unique_bodypart":
            place += "head."
        for key, value in PUBLISHED[top.weights].renamed(of_head).items():
            ours = key.removeprefix("head.")
            for old, new in top.outputs.items():
                ours = ours.replace(f".{old}.", f".{new}.")
            found[place + ours] = value
        if top.edges is not None:
            found[f"{place}codec.kept_edges"] = torch.tensor(top.edges)
    return found


def _as_convolution(name: str, value: Tensor) -> tuple[str, Tensor]:
    """Return a transposed convolution with a kernel of 1 as the convolution that it is."""
    if _DECONV not in name:
        return name, value
    return name.replace(_DECONV, _CONV), value.transpose(0, 1) if value.dim() > 1 else value


def detector_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a detector by our names."""
    return {f"detector.network.{k.removeprefix('model.')}": v for k, v in state.items()}
