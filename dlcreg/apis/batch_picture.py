"""A batch of the training data as a picture: images with labels, and the targets drawn on them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from torch import Tensor, nn

from dlcreg.analysis.colours import ANIMALS
from dlcreg.builder.plan import Plan
from dlcreg.contracts import Detector, Head
from dlcreg.files import written_whole
from dlcreg.structures import Batch, Boxes, DatasetInfo, Instances

_CELL = 3.1  # inches for an image
_MOST = 4  # images
_SHADOW = withStroke(linewidth=2.4, foreground="#000000b0")  # seen on any ground


@dataclass(frozen=True)
class Target:
    """What a codec draws for an output.

    Args:
        name: of the output, with that of the head before it where there are several.
        maps: float ``(B, h, w)``, the strength of all channels together in each cell, 0 to 1; None
            for a target that is no map.
        words: shape of the target.
        channels: number of its channels.
        strongest: int ``(B, h, w)``, the channel that is strongest in each cell; None for a target
            with a direction, such as an offset.
    """

    name: str
    maps: np.ndarray | None
    words: str
    channels: int = 0
    strongest: np.ndarray | None = None


def draw_batch(plan: Plan, path: str | Path) -> Path:
    """Draw the first batch of the training data with what the codecs make of its labels.

    One row an image: the image as the model gets it, with its labels; then, for each output of
    each head, the target. Of a target of several channels the strongest is shown in each cell, in
    the colour of its keypoint, or of its individual where the data knows who is who; one that is no
    map has its keypoints alone. Boxes that a detector is to learn are drawn on the labels.

    Args:
        plan: a config in which no problem was found, with its data open.
        path: the PNG to write.
    """
    info: DatasetInfo = plan.data.info
    batch = next(iter(plan.data.train_loader(plan.seed).epoch(0)))
    model = plan.build_model(pretrained=False)
    targets = list(targets_of(model, batch))
    boxes = list(boxes_of(model, batch))
    shown = min(len(batch), _MOST)
    columns = 1 + len(targets)
    height, width = batch.images.shape[-2:]
    tall = _CELL * height / width
    figure = Figure(figsize=(_CELL * columns, (tall + 0.3) * shown + 0.8), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(shown, columns, squeeze=False)
    names = [*info.keypoint_names, *(info.unique.keypoint_names if info.unique else ())]
    colours = colormaps["gist_rainbow"](np.linspace(0, 1, len(names)))
    for row in range(shown):
        _labelled(grid[row, 0], batch, row, info, colours)
        for found in boxes:
            _boxed(grid[row, 0], found, row)
        for axes, target in zip(grid[row, 1:], targets):
            _targeted(axes, batch, row, target, colours, _palette(target, info, colours))
    marks = [Line2D([], [], color=c, marker="o", ls="", ms=5) for c in colours]
    figure.legend(
        marks, names, loc="outside lower center", ncols=max(1, int(columns * 3)), fontsize=7,
        frameon=False,
    )  # fmt: skip
    title = f"{shown} of {len(batch)} images of a batch, {height} x {width}"
    figure.suptitle(title, fontsize=10)
    path = Path(path)
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    return path


def targets_of(model: nn.Module, batch: Batch) -> Iterator[Target]:
    """Yield the targets of all heads for a batch."""
    divisor = int(getattr(model, "size_divisor", 1))
    height, width = (-(-length // divisor) * divisor for length in batch.images.shape[-2:])
    heads = {name: module for name, module in model.named_modules() if isinstance(module, Head)}
    outer = tuple(f"{name}." for name in heads)
    heads = {name: head for name, head in heads.items() if not name.startswith(outer)}
    for name, head in heads.items():
        with torch.no_grad():
            made = head.targets(batch.instances, (height, width))
        for output, value in made.items():
            label = output if len(heads) == 1 else f"{name.rpartition('.')[2]}.{output}"
            yield _target(label, value, (height, width), batch)


def boxes_of(model: nn.Module, batch: Batch) -> Iterator[Boxes]:
    """Yield the boxes that each detector of a model is to learn of a batch."""
    height, width = batch.images.shape[-2:]
    for module in model.modules():
        if isinstance(module, Detector):
            yield module.targets(batch.instances, (height, width))


def _target(name: str, value: Any, size: tuple[int, int], batch: Batch) -> Target:
    tensors = value if isinstance(value, (tuple, list)) else [value]
    found = [tensor for tensor in tensors if isinstance(tensor, Tensor)]
    if not found:
        return Target(name, None, type(value).__name__)
    target, words = found[0], f"({', '.join(map(str, found[0].shape))})"
    height, width = size
    is_map = target.dim() == 4 and abs(target.shape[2] * width - target.shape[3] * height) <= max(
        size
    )
    if not is_map:
        return Target(name, None, words)
    signed = bool((target < 0).any())
    strength = target.float().abs()
    if len(found) > 1:
        strength = strength * (found[1] > 0)
    maps, strongest = strength.max(dim=1)
    maps = maps / maps.amax().clamp(min=1e-12)
    channel = None if signed else _on_image(strongest.float(), size, batch).astype(int)
    return Target(name, _on_image(maps, size, batch), words, target.shape[1], channel)


def _palette(target: Target, info: DatasetInfo, colours: np.ndarray) -> np.ndarray | None:
    """Return a colour (R, G, B) for each channel; None where it is not plain what they are of."""
    count, channels = info.num_keypoints, target.channels
    groups = [colours[:count, :3], colours[count:, :3]]
    groups.append(np.concatenate([colours[:count, :3], np.ones((1, 3))]))  # and the centres
    if info.identified:
        groups.append(np.array([_individual(i) for i in range(len(info.individuals))]))
    found = [group for group in groups if len(group) == channels > 1]
    return found[0] if len(found) == 1 and target.strongest is not None else None


def _individual(number: int) -> tuple[float, float, float]:
    return to_rgb(ANIMALS[number % len(ANIMALS)])


def _on_image(maps: Tensor, size: tuple[int, int], batch: Batch) -> np.ndarray:
    """Return maps of the padded image at the resolution of the image, cell by cell."""
    grown = nn.functional.interpolate(maps[:, None], size=size, mode="nearest")[:, 0]
    height, width = batch.images.shape[-2:]
    return grown[:, :height, :width].numpy()


def _labelled(axes: Axes, batch: Batch, row: int, info: DatasetInfo, colours: np.ndarray) -> None:
    axes.imshow(_image(batch, row))
    name = Path(batch.meta[row].path)
    axes.set_title(f"{Path(name.parent.name) / name.name}", fontsize=7)
    who = batch.instances.ids[row][batch.instances.valid[row]].tolist()
    for number, (points, seen) in zip(who, _animals(batch.instances, row)):
        known = info.identified and 0 <= number < len(info.individuals)
        colour = _individual(number) if known else "white"
        bones = [points[list(bone)] for bone in info.skeleton if seen[list(bone)].all()]
        axes.add_collection(LineCollection(bones, colors=[colour], lw=0.8, alpha=0.8))
        if known and seen.any():
            axes.annotate(
                info.individuals[number], points[seen].mean(axis=0), color=colour, fontsize=7,
                ha="center", va="center", path_effects=[_SHADOW], annotation_clip=True,
            )  # fmt: skip
    _points(axes, batch, row, colours, size=26)
    _frame(axes, batch)


def _boxed(axes: Axes, found: Boxes, row: int) -> None:
    for x, y, width, height in found.boxes[row][found.valid[row]].tolist():
        box = Rectangle((x, y), width, height, fill=False, ec="white", lw=1.0)
        axes.add_patch(box).set_path_effects([_SHADOW])


def _targeted(
    axes: Axes,
    batch: Batch,
    row: int,
    target: Target,
    colours: np.ndarray,
    palette: np.ndarray | None,
) -> None:
    image = _image(batch, row)
    if target.maps is None:
        axes.imshow(image)
        _points(axes, batch, row, colours, size=26)
    else:
        grey = np.repeat(image.mean(axis=-1, keepdims=True), 3, axis=-1) / 255 * 0.55
        heat = target.maps[row][..., None]
        colour = colormaps["inferno"](heat[..., 0])[..., :3]
        if palette is not None and target.strongest is not None:
            colour = palette[target.strongest[row]]
        axes.imshow(np.clip(grey * (1 - heat) + colour * heat, 0, 1))
        _points(axes, batch, row, colours, size=6)
    axes.set_title(f"{target.name} {target.words}", fontsize=7)
    _frame(axes, batch)


def _points(axes: Axes, batch: Batch, row: int, colours: np.ndarray, size: float) -> None:
    count = batch.instances.keypoints.shape[2]
    groups = [(batch.instances, colours[:count])]
    if batch.instances.unique is not None:
        groups.append((batch.instances.unique, colours[count:]))
    for instances, own in groups:
        for points, seen in _animals(instances, row):
            marks = axes.scatter(
                points[seen, 0], points[seen, 1], c=own[seen], s=size, marker="+", linewidths=1.1
            )
            marks.set_path_effects([_SHADOW])


def _animals(instances: Instances, row: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield keypoints (K, 2) and whether each is labelled, of each animal of an image."""
    for animal in range(instances.valid.shape[1]):
        if bool(instances.valid[row, animal]):
            seen = instances.visibility[row, animal].numpy() > 0
            yield instances.keypoints[row, animal].numpy(), seen


def _image(batch: Batch, row: int) -> np.ndarray:
    """Return an image as uint8 (H, W, 3); a normalised one with its range stretched."""
    image = batch.images[row].numpy().transpose(1, 2, 0)
    if image.dtype == np.uint8:
        return image
    low, high = float(image.min()), float(image.max())
    return np.uint8(255 * (image - low) / max(high - low, math.ulp(1.0)))


def _frame(axes: Axes, batch: Batch) -> None:
    height, width = batch.images.shape[-2:]
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xticks=[], yticks=[])
