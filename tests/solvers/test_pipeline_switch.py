"""Other transforms from an epoch on, whatever loads the samples and whoever resumes."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from toy_world import Dots

from dlcreg.contracts import Transform
from dlcreg.data.loader import EpochLoader
from dlcreg.data.transforms import Pipeline
from dlcreg.errors import ConfigError
from dlcreg.solvers.hooks.pipeline_switch import PipelineSwitchHook


class Tint(Transform):
    """Colours every pixel, so that one sees which transforms an image went through."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __call__(self, sample, rng):
        sample.image[:] = self.value
        return sample


class Piped(Dots):
    """Dots, through transforms."""

    def __init__(self, count: int = 6) -> None:
        super().__init__(count)
        self.pipeline = Pipeline([Tint(1)])

    def __getitem__(self, index):
        return self.pipeline(super().__getitem__(index), np.random.default_rng(0))


def colours(loader: EpochLoader, epochs: int) -> list[list[int]]:
    return [
        sorted({int(v) for batch in loader.epoch(epoch) for v in batch.images.unique()})
        for epoch in range(epochs)
    ]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_switches_at_its_epoch_and_leaves_the_data_set_as_it_is(workers):
    loader = EpochLoader(Piped(), 2, workers, seed=3, shuffle=True)
    assert colours(loader, 1) == [[1]]  # workers that have started, too
    loader.switch_pipeline(2, [Tint(2)])
    assert colours(loader, 4) == [[1], [1], [2], [2]]
    assert colours(loader, 1) == [[1]]
    assert colours(EpochLoader(loader.dataset, 2), 3) == [[1], [1], [1]]


@pytest.mark.parametrize(
    ("switch_epoch", "seen"), [(2, [1, 1, 2]), (-1, [1, 1, 2]), (-9, [2, 2, 2]), (0, [2, 2, 2])]
)
def test_a_training_sees_the_other_transforms_from_then_on(make_solver, switch_epoch, seen):
    solver = make_solver(max_epochs=3, count=4, hooks=[])
    solver.train_loader.dataset.__class__ = Piped
    solver.train_loader.dataset.pipeline = Pipeline([Tint(1)])
    PipelineSwitchHook(switch_epoch, [Tint(2)]).check_run(solver)
    assert colours(solver.train_loader, 3) == [[value] for value in seen]


def test_what_cannot_be_is_told_before_the_first_batch(make_solver):
    cases = [
        (PipelineSwitchHook(3, []), "switches at epoch 3, but the training has 3, counted from 0"),
        (PipelineSwitchHook(1, 5), "cannot take its transform: transform must be a transform"),
        (
            PipelineSwitchHook(1, [{"type": "Flip", "p": 3}]),
            "cannot build its transform.0.p: Flip: p must lie between 0 and 1, not 3",
        ),
    ]
    for hook, text in cases:
        with pytest.raises(ConfigError, match=re.escape(f"PipelineSwitchHook {text}")):
            make_solver(hooks=[hook])


def test_a_loader_that_cannot_switch_is_told():
    class Run:
        max_epochs = 3
        train_loader = torch.utils.data.DataLoader([1])

    with pytest.raises(ConfigError, match=r"such as EpochLoader; DataLoader has none"):
        PipelineSwitchHook(1, []).check_run(Run())


def test_a_negative_begin_of_a_schedule_counts_from_the_end(make_solver):
    cosine = {"type": "CosineAnnealingLR", "eta_min_ratio": 0.0, "convert_to_iter_based": True}
    long = make_solver("long", max_epochs=4, count=4, schedule={**cosine, "begin": -2})
    assert long.schedules.schedulers[0].begin == 2
    assert long.schedules.schedulers[0].end == 4
    short = make_solver("short", max_epochs=1, count=8, schedule={**cosine, "begin": -2})
    assert short.schedules.schedulers[0].begin == 0
