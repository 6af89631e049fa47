"""What codecs choose on the training data, once the weights are final."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.hooks import Hook
from torch import Tensor

from dlcreg.contracts import Codec
from dlcreg.registry import HOOKS
from dlcreg.solvers.checkpoint import load, load_weights, save, weights_of
from dlcreg.solvers.devices import autocast
from dlcreg.structures import Instances


@HOOKS.register_module()
class CalibrationHook(Hook):
    """Lets the codecs that ask for it choose how they decode, see `dlcreg.contracts.Codec`.

    After the training, the weights that are its result see images of the training part, augmented
    as in the first epoch, and no others: those of validation and test measure what came out. What
    is chosen is written into the checkpoint.

    Args:
        max_images: images to look at.

    Raises:
        ValueError: no image.
    """

    priority = "LOWEST"

    def __init__(self, max_images: int = 500) -> None:
        if max_images < 1:
            raise ValueError(f"max_images={max_images}: give 1 or more")
        self.max_images = max_images

    def after_train(self, runner: Any) -> None:
        """Calibrate, and write the result of the run anew."""
        names = [name for name, codec in _codecs(runner.model).items() if codec.calibrates]
        if not names or not runner.is_main:
            return
        path = runner.result()
        state = load(path)
        model = copy.deepcopy(runner.evaluated_model)
        load_weights(model, weights_of(state), str(path))
        model.eval()
        for name in names:
            report = _codecs(model)[name].calibrate(self._outcomes(runner, model, name))
            for key, value in report.items():
                runner.say(f"{key}: {value}")
        chosen = model.state_dict()
        for part in ("model", "evaluated"):
            if part in state:
                state[part] = {**state[part], **_buffers_of(model, names, chosen)}
        save(path, state)

    def _outcomes(
        self, runner: Any, model: Any, name: str
    ) -> Iterator[tuple[Mapping[str, Tensor], Instances]]:
        """Yield outputs of a head and labels, batch by batch."""
        seen = 0
        for batch in runner.train_loader.epoch(0):
            moved = batch.to(runner.device)
            options = {} if moved.condition is None else {"condition": moved.condition}
            with torch.no_grad(), autocast(runner.device, runner.precision):
                outputs = model(moved.images, mode="tensor", **options)
            outputs = outputs[name] if name else outputs
            yield {key: value.float() for key, value in outputs.items()}, moved.instances
            seen += len(batch)
            if seen >= self.max_images:
                return


def _codecs(model: Any) -> dict[str, Codec]:
    """Return the codecs of a model by the names of their heads."""
    heads = getattr(model, "heads", {})
    return {name: head.codec for name, head in heads.items()}


def _buffers_of(model: Any, names: list[str], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return what of a state dict belongs to the codecs of some heads."""
    codecs = [_codecs(model)[name] for name in names]
    prefixes = tuple(f"{at}." for at, part in model.named_modules() if part in codecs)
    return {key: value for key, value in state.items() if key.startswith(prefixes)}
