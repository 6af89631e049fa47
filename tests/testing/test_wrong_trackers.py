"""Wrong trackers: each is caught by the check that is meant for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from dlcreg import Tracker
from dlcreg.testing import check_component


class Nearest(Tracker):
    """What is nearest to where an animal was last seen."""

    def reset(self, info):
        self.places, self.frame = np.zeros((0, 2)), -1

    def update(self, poses, frame):
        if frame <= self.frame:
            raise ValueError("give frames in order")
        self.frame = frame
        centres = np.nanmean(poses.keypoints[0].numpy()[self.rows(poses)], axis=1)
        numbers = np.full(poses.valid.shape[1], -1)
        numbers[self.rows(poses)] = self.assigned(centres)
        return self.result(poses, torch.from_numpy(numbers)[None])

    def rows(self, poses):
        return np.flatnonzero(poses.valid[0])

    def assigned(self, centres):
        ways = np.linalg.norm(self.places[:, None] - centres[None], axis=-1)
        numbers = np.full(len(centres), -1)
        numbers[linear_sum_assignment(ways)[1]] = linear_sum_assignment(ways)[0]
        for row in np.flatnonzero(numbers < 0):
            numbers[row] = len(self.places)
            self.places = np.concatenate([self.places, centres[row : row + 1]])
        self.places[numbers] = centres
        return numbers

    def result(self, poses, numbers):
        return replace(poses, identities=numbers)


class ByRow(Nearest):
    """The row is the animal."""

    def assigned(self, centres):
        return np.arange(len(centres))


class AllOne(Nearest):
    """Animals in one place have one number."""

    def assigned(self, centres):
        return (centres[:, 1] > 200).astype(int)


class CountsPadding(Nearest):
    """Does not look at `valid` where there are keypoints."""

    def rows(self, poses):
        return np.flatnonzero(poses.keypoints[0].isfinite().all(-1).any(-1))


class NeedsAnimals(Nearest):
    """Takes it that there are some."""

    def assigned(self, centres):
        centres[0]
        return super().assigned(centres)


class NeedsEveryFrame(Nearest):
    """Allows no gaps."""

    def update(self, poses, frame):
        if frame > 0 and frame != self.frame + 1 and self.frame >= 0:
            raise IndexError(frame)
        return super().update(poses, frame)


class AnyOrder(Nearest):
    """Does not look at the number of the frame."""

    def update(self, poses, frame):
        self.frame = -1
        return super().update(poses, frame)


class NeverForgets(Nearest):
    """Goes on counting."""

    count = 0

    def assigned(self, centres):
        numbers = super().assigned(centres)
        NeverForgets.count += 1
        return numbers + NeverForgets.count // 12


class Changes(Nearest):
    """Writes into what it is given."""

    def result(self, poses, numbers):
        poses.identities = numbers
        return poses


class NoNumbers(Nearest):
    """Returns poses as they are."""

    def result(self, poses, numbers):
        return poses


def _failed(cls):
    return {one.check for one in check_component("trackers", cls) if one.status == "failed"}


def test_a_tracker_that_keeps_its_contract_passes():
    assert not _failed(Nearest)


@pytest.mark.parametrize(
    ("wrong", "check"),
    [
        (ByRow, "follows_animals"),
        (AllOne, "numbers_are_once_in_a_frame"),
        (CountsPadding, "padding_has_no_number"),
        (NeedsAnimals, "nothing_found"),
        (NeedsEveryFrame, "frames_may_be_left_out"),
        (AnyOrder, "order_is_checked"),
        (NeverForgets, "reset_forgets"),
        (Changes, "input_unchanged"),
        (NoNumbers, "follows_animals"),
    ],
)
def test_a_wrong_tracker_is_caught_by_the_check_that_is_meant_for_it(wrong, check):
    assert check in _failed(wrong)
