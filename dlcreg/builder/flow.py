"""What flows through a model: the tensors between its parts, and what each part computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from dlcreg.builder.costs import operation_counter
from dlcreg.contracts import Size
from dlcreg.trace import Traced

IMAGES = "images"
"""Where what comes from no part comes from."""


@dataclass
class Visit:
    """A part that the image meets on its way.

    Args:
        path: config path of the part.
        inputs: tensors that it is given, or containers of them.
        outputs: what it returns.
        sources: paths of the parts that made the inputs; `IMAGES` where none did.
    """

    path: str
    inputs: Any
    outputs: Any = None
    sources: list[str] = field(default_factory=list)


@dataclass
class Flow:
    """What a forward pass of one image shows.

    Args:
        visits: by path, in the order in which the image meets the parts.
        macs: multiply-accumulates of each part that computes something.
    """

    visits: dict[str, Visit] = field(default_factory=dict)
    macs: dict[str, float] = field(default_factory=dict)


def flow_of(traced: Traced, size: Size) -> Flow:
    """Return what flows through a model that was traced without a problem.

    Args:
        traced: see `dlcreg.trace.trace`.
        size: height and width of the image.
    """
    assert traced.model is not None
    flow = Flow()
    producers: dict[int, str] = {}
    kept: list[Any] = []  # a tensor that is gone leaves its id to another one
    handles = []
    for path, part in traced.built.items():
        if isinstance(part, nn.Module) and part is not traced.model:
            before, after = _hooks(path, flow, producers, kept)
            handles.append(part.register_forward_pre_hook(before, with_kwargs=True))
            handles.append(part.register_forward_hook(after))
    known = traced.condition
    options = {} if known is None else {"condition": known.to(traced.device)}
    counter = operation_counter()
    traced.model.eval()
    try:
        with torch.no_grad(), torch.device(traced.device), counter:
            images = torch.zeros(1, 3, *size, dtype=torch.uint8)
            traced.model(images, mode="tensor", **options)
    finally:
        for handle in handles:
            handle.remove()
    flow.macs = _macs(counter, traced.model, traced.built)
    return flow


def tensors_in(value: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield all tensors in a value with their names; empty where they have none."""
    if isinstance(value, Tensor):
        yield "", value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            for inner, tensor in tensors_in(item):
                yield f"{key}.{inner}" if inner else str(key), tensor
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item)


def shape_text(tensor: Tensor) -> str:
    """Return a tensor's shape in words, the batch as B."""
    return f"({', '.join(['B', *map(str, tensor.shape[1:])])})"


def _hooks(
    path: str, flow: Flow, producers: dict[int, str], kept: list[Any]
) -> tuple[Callable, Callable]:
    def before(part: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = [*args, *kwargs.values()]
        kept.append(given)
        last = next(reversed(flow.visits), IMAGES)
        made = [producers.get(id(tensor)) for _, tensor in tensors_in(given)]
        # what was computed from a part's output between two parts comes from the last part
        sources = [source if source is not None else last for source in made]
        visit = Visit(path, given, None, list(dict.fromkeys(sources)))
        flow.visits.setdefault(path, visit)

    def after(part: nn.Module, args: Any, outputs: Any) -> None:
        kept.append(outputs)
        flow.visits[path].outputs = outputs
        producers.update({id(tensor): path for _, tensor in tensors_in(outputs)})

    return before, after


def _macs(counter: FlopCounterMode, model: nn.Module, built: Mapping[str, Any]) -> dict[str, float]:
    """Return multiply-accumulates by config path; a floating-point operation is half of one."""
    names = {id(module): name for name, module in model.named_modules()}
    root, counted = type(model).__name__, counter.get_flop_counts()
    found = {}
    for path, part in built.items():
        name = names.get(id(part))
        if name is None:
            continue
        by_operation = counted.get(f"{root}.{name}" if name else root, {})
        if by_operation:
            found[path] = sum(by_operation.values()) / 2
    return found
