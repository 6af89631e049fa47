"""Weights for a network of timm: timm's own, or a file in its names."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dlcreg.errors import CheckpointError
from dlcreg.models.weights import load_state, look_for, read_state
from dlcreg_timm.network import Recipe, Size
from dlcreg_timm.network import build as build_network

_OWN = "network."


def build(recipe: Recipe, weights: str | None, size: Size | None) -> tuple[Any, Size | None]:
    """Return a network with its weights, and the height and width that it is made for, or None.

    Args:
        recipe: which network.
        weights: see `TimmBackbone`. Where torch makes tensors on its meta device, as in the check
            of a config, only whether they exist is looked at.
        size: height and width of the images, where they are known.

    Raises:
        ValueError: timm cannot build it so, or has no weights for it.
        CheckpointError: the weights cannot be found or do not fit.
    """
    on_meta = torch.empty(0).is_meta
    if weights is None:
        return build_network(recipe, size)
    if weights == "imagenet":
        return _timms_own(recipe, size, on_meta)
    if on_meta:
        look_for(weights)
        return build_network(recipe, size)
    state = read_state(weights)
    if all(key.startswith(_OWN) for key in state):  # saved from a TimmBackbone
        network, made_for = build_network(recipe, size)
        own = {key.removeprefix(_OWN): value for key, value in state.items()}
        load_state(network, own, name=weights)
        return network, made_for
    classes = _fits(recipe, state, weights)
    overlay = {"state_dict": dict(state), "num_classes": classes}
    return build_network(recipe, size, pretrained=True, pretrained_cfg_overlay=overlay)


def _timms_own(recipe: Recipe, size: Size | None, on_meta: bool) -> tuple[Any, Size | None]:
    import timm

    if not timm.models.is_model_pretrained(recipe.name):
        raise ValueError(f"weights='imagenet': timm has no weights for {recipe.name}")
    if on_meta:
        return build_network(recipe, size)
    try:
        return build_network(recipe, size, pretrained=True)
    except ValueError:
        raise
    except Exception as error:  # of the hub's client, of the network, of the disk
        lines = str(error).strip().splitlines()
        raise CheckpointError(
            f"the weights of {recipe.name} cannot be downloaded ({type(error).__name__}: "
            f"{lines[0] if lines else ''}). Without a network: download the file elsewhere and "
            "set weights to its path, or to None to start from random weights."
        ) from error


def _fits(recipe: Recipe, state: dict[str, Tensor], source: str) -> int:
    """Return the number of classes of a classifier's weights, which must fit its network wholly.

    Raises:
        CheckpointError: something is missing, unexpected or of another shape.
    """
    import timm

    cfg = timm.models.get_pretrained_cfg(recipe.name) or timm.models.PretrainedCfg()
    names = [cfg.classifier] if isinstance(cfg.classifier, str) else list(cfg.classifier or ())
    found = [len(state[f"{n}.weight"]) for n in names if f"{n}.weight" in state]
    options = {key: value for key, value in recipe.options.items() if key != "feature_cls"}
    problem: Any = None
    for classes in dict.fromkeys([*found[:1], 0, cfg.num_classes]):
        overlay = {"state_dict": dict(state), "num_classes": classes}
        try:
            timm.create_model(
                recipe.name,
                pretrained=True,
                pretrained_cfg_overlay=overlay,
                num_classes=classes,
                **options,
            )
        except (RuntimeError, KeyError) as error:
            problem = problem or error
        else:
            return classes
    raise CheckpointError(f"{source} does not fit timm's {recipe.name}: {problem}")
