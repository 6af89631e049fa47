"""Published models by name, and their weights as they are.

```python
model = dlcreg.load_published("hrnet_w32_256x192", "pose_hrnet_w32_256x192.pth", num_keypoints=12)
```
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from torch import Tensor

from dlcreg.contracts import Codec, Loss
from dlcreg.errors import CheckpointError, ConfigError
from dlcreg.models.pose_model import PoseModel
from dlcreg.models.weights import load_state, read_state, rename
from dlcreg.registry import MODELS
from dlcreg.wiring import construct

_COCO_KEYPOINTS = 17
_COCO_PAIRS = ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16))


@dataclass(frozen=True)
class Published:
    """A model that somebody published.

    Args:
        input_size: height and width in pixels of the crops that it was trained on.
        model: its config, without what depends on the keypoints.
        prefixes: original prefix of parameter names to ours; the longest that fits counts.
    """

    input_size: tuple[int, int]
    model: Mapping[str, Any]
    prefixes: Mapping[str, str]


def _top_down(backbone: Mapping[str, Any], size: tuple[int, int], **head: Any) -> dict[str, Any]:
    """Return the config of a model with the heatmaps that HRNet and SimpleBaseline share."""
    return {
        "type": "PoseModel",
        "backbone": dict(backbone),
        "neck": {"type": "IdentityNeck"},
        "head": {
            "type": "HeatmapHead",
            "codec": {"type": "MSRAHeatmap", "sigma": 3.0 if size[0] == 384 else 2.0},
            "losses": {"heatmap": {"type": "MSELoss", "weight": 0.5, "reduction": "mean"}},
            **head,
        },
    }


def _catalogue() -> dict[str, Published]:
    models: dict[str, Published] = {}
    final = {"": "backbone.", "final_layer.": "head.final_layer."}
    for width in (18, 32, 48):
        for size in ((256, 192), (256, 256), (384, 288)):
            model = _top_down({"type": "HRNet", "width": width}, size)
            models[f"hrnet_w{width}_{size[0]}x{size[1]}"] = Published(size, model, final)
    deconvolutions = {"deconv_layers.": "head.deconv_layers."}
    for depth in (50, 101, 152):
        for size in ((256, 192), (384, 288)):
            resnet = {"type": "ResNet", "depth": depth}
            model = _top_down(resnet, size, deconv_channels=(256, 256, 256))
            model["channel_order"] = "BGR"
            name = f"simplebaseline_r{depth}_{size[0]}x{size[1]}"
            models[name] = Published(size, model, {**final, **deconvolutions})
    return models


PUBLISHED = _catalogue()
"""All published models by name."""


def list_published(pattern: str = "*") -> list[str]:
    """Return the names that `load_published` takes, such as ``hrnet_w32_256x192``.

    Args:
        pattern: wildcards as in file names, such as ``"hrnet*"``.
    """
    return [name for name in PUBLISHED if fnmatchcase(name, pattern)]


def published_config(name: str) -> dict[str, Any]:
    """Return a published model as the ``model`` section of a config.

    Raises:
        ConfigError: there is no such model.
    """
    return copy.deepcopy(dict(_entry(name).model))


def load_published(
    name: str,
    checkpoint: str | Path | Mapping[str, Any] | None,
    *,
    num_keypoints: int | None = None,
    flip_pairs: Sequence[tuple[int, int]] | None = None,
    codec: Codec | Mapping[str, Any] | None = None,
    losses: Mapping[str, Loss | Mapping[str, Any]] | None = None,
) -> PoseModel:
    """Return a published model with its weights, ready to predict or to train further.

    Args:
        name: see `list_published`; the size in it is the input size, height first.
        checkpoint: original file of weights, path or address, or a dict of its tensors or arrays;
            None for random weights.
        num_keypoints: number of keypoints. None: as many as the checkpoint has, or COCO's 17. With
            another number than the checkpoint's the last layer is new and all else is loaded.
        flip_pairs: pairs of left and right keypoints. None: COCO's for the checkpoint's own 17
            keypoints, else none.
        codec: makes targets and poses, as an object or a config; None: the original's.
        losses: by output, likewise; None: the original's.

    Raises:
        ConfigError: there is no such model, no keypoint, or the parts do not fit one another.
        CheckpointError: the checkpoint cannot be read or does not fit; what is wrong is listed.
    """
    if num_keypoints is not None and num_keypoints < 1:
        raise ConfigError(f"num_keypoints={num_keypoints}: give 1 or more, or None.")
    entry = _entry(name)
    cfg = published_config(name)
    if codec is not None:
        cfg["head"]["codec"] = codec
    if losses is not None:
        cfg["head"]["losses"] = losses
    state: dict[str, Tensor] = {}
    trained = None
    if checkpoint is not None:
        state = rename(read_state(checkpoint), entry.prefixes)
        trained = _keypoints_of(state, name)
    count = num_keypoints or trained or _COCO_KEYPOINTS
    if flip_pairs is None:
        coco = count == _COCO_KEYPOINTS and trained in (None, _COCO_KEYPOINTS)
        flip_pairs = _COCO_PAIRS if coco else ()
    wired = {"num_keypoints": count, "flip_pairs": tuple(flip_pairs)}
    model: PoseModel = construct(MODELS, cfg, wired, path="model")
    if checkpoint is not None:
        new = ["head.further_layers."]
        new += ["head.final_layer."] if trained != count else []
        load_state(model, state, name=f"the checkpoint of {name}", new=new)
    return model


def _entry(name: str) -> Published:
    if name not in PUBLISHED:
        close = list_published(f"{name}*") or difflib.get_close_matches(name, PUBLISHED, n=1)
        hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise ConfigError(f"no published model {name!r}.{hint} Known: {', '.join(PUBLISHED)}.")
    return PUBLISHED[name]


def _keypoints_of(state: Mapping[str, Tensor], name: str) -> int:
    """Return the number of keypoints that a checkpoint was trained for."""
    weight = state.get("head.final_layer.weight")
    if weight is None:
        some = ", ".join(list(state)[:5])
        raise CheckpointError(
            f"the checkpoint has no final_layer.weight, as {name} has. It has: {some}, ..."
        )
    return int(weight.shape[0])
