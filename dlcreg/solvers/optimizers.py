"""The optimizer and its parameter groups."""

from __future__ import annotations

import fnmatch
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import nn
from torch.optim import Optimizer

from dlcreg.contracts import HasLayers
from dlcreg.errors import ConfigError, Problem
from dlcreg.registry import OPTIMIZERS
from dlcreg.wiring import construct

_NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.LocalResponseNorm)


def build_optimizer(
    cfg: Mapping[str, Any] | Optimizer,
    model: nn.Module,
    options: Mapping[str, Mapping[str, float]] | None = None,
    no_weight_decay: Sequence[Literal["norm", "bias"]] = (),
    layer_decay: float | None = None,
) -> Optimizer:
    """Return the optimizer of a model.

    Args:
        cfg: such as ``dict(type='AdamW', lr=5e-4)``; an optimizer is returned as it is.
        model: whose parameters are trained.
        options: see `parameter_groups`.
        no_weight_decay: see `parameter_groups`.
        layer_decay: see `parameter_groups`.

    Raises:
        ConfigError: a pattern of `options` fits no parameter, no part has layers, or nothing is
            left to train.
    """
    if isinstance(cfg, Optimizer):
        return cfg
    groups = parameter_groups(model, cfg, options or {}, no_weight_decay, layer_decay)
    context = {"params": groups}
    built: Optimizer = construct(OPTIMIZERS, dict(cfg), context, "solver.optimizer")
    closure = inspect.signature(type(built).step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise ConfigError(
            Problem(
                "solver.optimizer.type",
                f"{type(built).__name__} computes the loss several times for one update, which "
                "this solver does not do. AdamW and SGD are usual.",
            )
        )
    return built


def parameter_groups(
    model: nn.Module,
    cfg: Mapping[str, Any],
    options: Mapping[str, Mapping[str, float]],
    no_weight_decay: Sequence[str] = (),
    layer_decay: float | None = None,
) -> list[dict[str, Any]]:
    """Return the trainable parameters in groups of equal options, in the model's order.

    Args:
        model: whose parameters are trained; those without ``requires_grad`` are left out.
        cfg: the optimizer's config, for the values that multipliers refer to.
        options: by a pattern of parameter names (``backbone`` for all below it, or with ``*`` as
            in ``*.deconv_layers.*``) what differs there: ``lr_mult`` and ``decay_mult`` are
            factors of the optimizer's ``lr`` and ``weight_decay``; any other key is an option of
            the optimizer itself. Of several patterns that fit, the longest one counts.
        no_weight_decay: ``'norm'`` and ``'bias'`` take the weights of normalisation layers and
            all biases out of the weight decay.
        layer_decay: factor of the learning rate from each layer to the one before it (Clark et
            al., 2020), in the parts that keep `dlcreg.contracts.HasLayers`.

    Raises:
        ConfigError: a pattern fits no parameter, no part has layers, or nothing is left to train.
    """
    norms = {
        f"{prefix}.{name}" if prefix else name
        for prefix, module in model.named_modules()
        if isinstance(module, _NORMS)
        for name, _ in module.named_parameters(recurse=False)
    }
    rates = {} if layer_decay is None else _layer_rates(model, layer_decay)
    unused = set(options)
    groups: dict[tuple[tuple[str, float], ...], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        fitting = [pattern for pattern in options if _fits(name, pattern)]
        unused.difference_update(fitting)
        if not parameter.requires_grad:
            continue
        chosen = dict(options[max(fitting, key=len)]) if fitting else {}
        is_bias = name.rpartition(".")[2] == "bias"
        if ("norm" in no_weight_decay and name in norms) or ("bias" in no_weight_decay and is_bias):
            chosen["decay_mult"] = 0.0
        if name in rates:
            key = "lr" if "lr" in chosen else "lr_mult"
            chosen[key] = chosen.get(key, 1.0) * rates[name]
        group = groups.setdefault(tuple(sorted(chosen.items())), _group(chosen, cfg))
        group["params"].append(parameter)
    if unused:
        parts = [name for name, part in model.named_children() if list(part.parameters())]
        raise ConfigError(
            [
                Problem(
                    f"solver.param_groups.{pattern}",
                    f"no parameter of the model has a name that fits {pattern!r}. "
                    f"Its parts are: {', '.join(parts)}.",
                )
                for pattern in sorted(unused)
            ]
        )
    if not groups:
        raise ConfigError(
            Problem("solver.optimizer", "the model has no parameter to train: all are frozen.")
        )
    return list(groups.values())


def _layer_rates(model: nn.Module, decay: float) -> dict[str, float]:
    """Return the factor of the learning rate by the name of each parameter that has a layer."""
    rates = {}
    for prefix, part in model.named_modules():
        if isinstance(part, HasLayers):
            for name, _ in part.named_parameters():  # type: ignore[attr-defined]
                behind = part.num_layers - 1 - part.layer_of(name)
                rates[f"{prefix}.{name}" if prefix else name] = decay**behind
    if not rates:
        parts = ", ".join(type(child).__name__ for child in model.children())
        raise ConfigError(
            Problem(
                "solver.layer_decay",
                f"no part of this model has layers that it knows of ({parts}). Leave layer_decay "
                "out, or take a part that has a method layer_of(parameter), such as ViT.",
            )
        )
    return rates


def _fits(name: str, pattern: str) -> bool:
    return (
        name == pattern
        or name.startswith(f"{pattern}.")
        or ("*" in pattern and fnmatch.fnmatchcase(name, pattern))
    )


def _group(chosen: Mapping[str, float], cfg: Mapping[str, Any]) -> dict[str, Any]:
    group: dict[str, Any] = {"params": []}
    for key, value in chosen.items():
        base = {"lr_mult": "lr", "decay_mult": "weight_decay"}.get(key)
        if base is None:
            group[key] = value
        elif value == 0:
            group[base] = 0.0
        elif isinstance(default := _option(cfg, base), (int, float)):
            group[base] = value * default
        else:
            raise ConfigError(
                Problem(
                    "solver.param_groups",
                    f"{key}={value:g} is a factor of the optimizer's {base!r}, which the config "
                    f"does not say: add {base}=... to solver.optimizer.",
                )
            )
    return group


def _option(cfg: Mapping[str, Any], name: str) -> Any:
    """Return an option of the optimizer: the config's, else the class's own default."""
    if name in cfg:
        return cfg[name]
    parameter = inspect.signature(OPTIMIZERS.get(cfg["type"])).parameters.get(name)
    return parameter.default if parameter is not None else None
