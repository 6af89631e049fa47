"""Codecs that choose how they decode, at the end of a training."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from toy_world import Net

from dlcreg.contracts import Codec
from dlcreg.solvers.checkpoint import load
from dlcreg.solvers.hooks.calibration import CalibrationHook


class Counting(Codec, nn.Module):
    """Keeps how many images it was shown."""

    calibrates = True

    def __init__(self):
        nn.Module.__init__(self)
        Codec.__init__(self)
        self.register_buffer("images", torch.zeros((), dtype=torch.int64))

    def output_channels(self, num_keypoints):
        return {"points": num_keypoints}

    def encode(self, instances, size):
        raise NotImplementedError

    def decode(self, outputs, size):
        raise NotImplementedError

    def calibrate(self, outcomes):
        for outputs, instances in outcomes:
            assert outputs["points"].shape[0] == len(instances.valid)
            self.images += len(instances.valid)
        return {"images seen": int(self.images)}


class Headed(Net):
    def __init__(self):
        super().__init__()
        self.codec = Counting()

    @property
    def heads(self):
        return {"": SimpleNamespace(codec=self.codec)}


@pytest.mark.parametrize("options", [{}, {"val": False}, {"ema": 0.1}])
def test_the_choice_is_in_the_checkpoint_that_is_the_result(make_solver, options):
    state = load(make_solver(net=Headed, **options).fit())
    assert state["model"]["codec.images"] == 10
    if "evaluated" in state:
        assert state["evaluated"]["codec.images"] == 10


def test_the_weights_stay_as_they_were(make_solver):
    plain = load(make_solver("plain", net=Net).fit())["model"]
    state = load(make_solver(net=Headed).fit())["model"]
    assert all(torch.equal(value, state[name]) for name, value in plain.items())


def test_no_more_images_are_looked_at_than_asked_for(make_solver):
    result = make_solver(net=Headed, hooks=[CalibrationHook(max_images=5)]).fit()
    assert load(result)["model"]["codec.images"] == 8  # two whole batches


def test_no_image_is_refused():
    with pytest.raises(ValueError, match="max_images=0: give 1 or more"):
        CalibrationHook(max_images=0)
