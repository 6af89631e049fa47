"""Building a network of timm that gives feature maps.

timm takes seconds to import: whoever needs it does so at the first network.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Size = tuple[int, int]

_USUAL_DIVISOR = 32


@dataclass(frozen=True)
class Recipe:
    """Which network is wanted; arguments as those of `TimmBackbone`.

    Raises:
        ValueError: there is no such network, or one is asked for what does not exist.
    """

    name: str
    out_indices: Sequence[int] | None
    output_stride: int | None
    drop_path_rate: float | None
    feature_location: str
    options: Mapping[str, Any]

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.out_indices is not None and not self.out_indices:
            raise ValueError("out_indices must name at least one map")
        if self.drop_path_rate is not None and not 0 <= self.drop_path_rate < 1:
            raise ValueError(f"drop_path_rate must lie in [0, 1), not {self.drop_path_rate}")
        if self.feature_location and not self.is_hrnet:
            raise ValueError(
                f"feature_location={self.feature_location!r} is for HRNet alone, not {self.name}"
            )
        taken = {"features_only", "pretrained", "out_indices", "in_chans"} & set(self.options)
        if taken:
            raise ValueError(f"options has {sorted(taken)[0]!r}, which is decided here")

    @property
    def is_hrnet(self) -> bool:
        """Whether it is an HRNet, whose branches are at its end."""
        import timm

        return bool(timm.models.is_model_in_modules(self.name.partition(".")[0], ["hrnet"]))

    @property
    def one_size(self) -> Size | None:
        """Height and width that the network is made for by itself; None: any size suits."""
        import timm

        cfg = timm.models.get_pretrained_cfg(self.name)
        if cfg is None or not cfg.fixed_input_size:
            return None
        return cfg.input_size[1], cfg.input_size[2]

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `timm.create_model`."""
        arguments = dict(self.options)
        if self.is_hrnet:
            arguments["feature_location"] = self.feature_location
        last = (1,) if self.is_hrnet else (-1,)
        arguments["out_indices"] = tuple(self.out_indices or last)
        for key in ("output_stride", "drop_path_rate"):
            if getattr(self, key) is not None:
                arguments[key] = getattr(self, key)
        return arguments


def build(recipe: Recipe, size: Size | None, **pretrained: Any) -> tuple[Any, Size | None]:
    """Return the network, and the height and width that it is made for, or None for any.

    Args:
        recipe: which one.
        size: height and width of the images, where they are known.
        **pretrained: what `timm.create_model` is told of weights.

    Raises:
        ValueError: timm cannot build it so.
    """
    own = recipe.one_size
    if own is None or "img_size" in recipe.options:
        return _create(recipe, **pretrained), own
    try:
        return _create(recipe, dynamic_img_size=True, **pretrained), None
    except _Unknown:
        pass
    wanted = size or own
    fitting = _rounded(wanted, _USUAL_DIVISOR) if size else own
    try:
        network = _create(recipe, img_size=fitting, **pretrained)
        divisor = max(level["reduction"] for level in network.feature_info.info)
        if size and _rounded(wanted, divisor) != fitting:  # images are padded to this
            fitting = _rounded(wanted, divisor)
            network = _create(recipe, img_size=fitting, **pretrained)
        _maps(network, fitting)
    except (_Unknown, AssertionError, RuntimeError):  # no such argument, squares alone, or no use
        return _create(recipe, **pretrained), own
    return network, fitting


def freeze_unused(network: nn.Module, size: Size) -> None:
    """Let parameters not learn that have no part in the maps, such as stages behind the last one.

    Several processes would wait for their gradients.

    Args:
        network: its maps are tried without weights, on torch's meta device.
        size: height and width of an image that it takes.
    """
    with torch.enable_grad():
        twin, maps = _maps(network, size)
        total = torch.stack([m.sum() for m in maps]).sum()
    wanted = [p for p in twin.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(total, wanted, allow_unused=True)
    used = {id(p) for p, gradient in zip(wanted, gradients, strict=True) if gradient is not None}
    for parameter, other in zip(network.parameters(), twin.parameters(), strict=True):
        parameter.requires_grad_(parameter.requires_grad and id(other) in used)


def _maps(network: nn.Module, size: Size) -> tuple[Any, list[Tensor]]:
    """Return a twin of the network on torch's meta device, and the maps that it makes."""
    twin = copy.deepcopy(network).to("meta").train()
    return twin, twin(torch.zeros(2, 3, *size, device="meta"))


class _Unknown(Exception):
    """Timm does not know an argument that was only tried."""


def _create(recipe: Recipe, **further: Any) -> Any:
    """Call `timm.create_model`, and say what is wrong in the words of the config."""
    import timm

    arguments = {**recipe.arguments(), **further}
    name = recipe.name
    try:
        return timm.create_model(name, features_only=True, **arguments)
    except TypeError as error:
        text = str(error)
        if "unexpected keyword" not in text:
            raise
        if any(f"'{key}'" in text for key in further):
            raise _Unknown(text) from error
        for key in ("output_stride", "drop_path_rate"):
            if f"'{key}'" in text:
                raise ValueError(f"{key} is nothing that {name} has: leave it out") from error
        raise ValueError(f"options: {name} takes no {_quoted(text)}") from error
    except (AssertionError, AttributeError, IndexError, NotImplementedError) as error:
        if "img_size" in further and isinstance(error, AssertionError):
            raise
        raise ValueError(_refused(recipe, error)) from error


def _quoted(text: str) -> str:
    """Return the argument that Python's message speaks of, in quotes."""
    return repr(text.split("'")[1])


def _refused(recipe: Recipe, error: Exception) -> str:
    """Return why timm refused its maps or its stride, which it often does without a word."""
    import timm

    levels = None
    if recipe.out_indices is not None:
        with torch.device("meta"):
            plain: Any = timm.create_model(recipe.name, features_only=True)
        info = plain.feature_info.info
        levels = [f"{i}: {x['num_chs']} at stride {x['reduction']}" for i, x in enumerate(info)]
        if not all(-len(levels) <= i < len(levels) for i in recipe.out_indices):
            return (
                f"out_indices={list(recipe.out_indices)} is more than {recipe.name} has. Its maps, "
                f"with their channels: {'; '.join(levels)}"
            )
    if recipe.output_stride is not None:
        return f"output_stride={recipe.output_stride} is nothing that {recipe.name} can do"
    return f"name={recipe.name!r}: timm cannot build it with feature maps ({error})"


def _check_name(name: str) -> None:
    import timm

    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        close = difflib.get_close_matches(architecture, timm.list_models(), n=3)
        hint = f" Did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
        raise ValueError(
            f"name={name!r} is no network of timm {timm.__version__}.{hint} All of them: "
            "python -c 'import timm; print(*timm.list_models())'"
        )
    if not tag:
        return
    tags = [full.partition(".")[2] for full in timm.list_pretrained(f"{architecture}.*")]
    if tag not in tags:
        listed = f"It has: {', '.join(tags)}" if tags else "It has none"
        raise ValueError(f"name={name!r}: {architecture} has no weights {tag!r}. {listed}")


def _rounded(size: Size, divisor: int) -> Size:
    height, width = (-(-length // divisor) * divisor for length in size)
    return height, width
