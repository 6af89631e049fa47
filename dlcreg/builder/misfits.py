"""What does not fit between the parts of a config, each of which is right by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcreg.conditioning import takes_condition
from dlcreg.config import ConfigTree
from dlcreg.contracts import Backbone, Head
from dlcreg.errors import Problem
from dlcreg.trace import Traced, conditioned


def nothing_to_learn(traced: Traced | None) -> list[Problem]:
    """Return that no head has a loss, which a training would find out at its first batch."""
    built = {} if traced is None else traced.built
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
