"""The checks of trackers: that a number is one animal, whatever is found of it."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch

from dlcreg.contracts import Tracker
from dlcreg.structures import Poses
from dlcreg.testing.results import fail
from dlcreg.testing.subject import INFO, Subject

_FRAMES = 12
_SHAPE = np.array([[0, -20], [-15, 10], [15, 10], [0, 30]], np.float32)  # pixels


def _video(seed: int = 0) -> list[Poses]:
    """Return two animals that walk side by side, 300 pixels apart, in the same two rows."""
    rng = np.random.default_rng(seed)
    frames = []
    for frame in range(_FRAMES):
        centres = np.array([[60 + 2 * frame, 80], [60 + 2 * frame, 380]], np.float32)
        keypoints = centres[:, None] + _SHAPE + rng.normal(0, 0.5, (2, 4, 2)).astype(np.float32)
        frames.append(_poses(keypoints))
    return frames


def _poses(keypoints: np.ndarray) -> Poses:
    """Return poses of a frame, with boxes, from ``(N, 4, 2)``; NaN for what was not found."""
    found = np.isfinite(keypoints).all(axis=-1)
    low = np.where(found[..., None], keypoints, np.inf).min(axis=1)
    high = np.where(found[..., None], keypoints, -np.inf).max(axis=1)
    valid = found.any(axis=1)
    boxes = np.where(valid[:, None], np.concatenate([low, high - low], axis=1), np.nan)
    scores = torch.from_numpy(found.astype(np.float32) * 0.9)
    return Poses(
        keypoints=torch.from_numpy(keypoints)[None],
        scores=scores[None],
        instance_scores=scores.mean(dim=-1)[None],
        valid=torch.from_numpy(valid)[None],
        boxes=torch.from_numpy(boxes.astype(np.float32))[None],
    )


def _numbers(tracker: Tracker, video: Sequence[Poses | None]) -> list[list[int]]:
    """Return the numbers of each frame after a reset; frames that are None are left out."""
    tracker.reset(INFO)
    numbers = []
    for frame, poses in enumerate(video):
        if poses is None:
            continue
        identities = tracker.update(copy.deepcopy(poses), frame).identities
        if identities is None or tuple(identities.shape) != tuple(poses.valid.shape):
            shape = None if identities is None else tuple(identities.shape)
            fail(
                f"gives identities of shape {shape} for poses of {tuple(poses.valid.shape)}",
                "a number for each row",
                "Return replace(poses, identities=...), int64 (1, N)",
            )
        numbers.append(identities[0].tolist())
    return numbers


def follows_animals(subject: Subject) -> str:
    """Two animals far from each other keep their numbers, whatever row they are in."""
    tracker, video = subject.build(), _video()
    for exchanged in (False, True):
        frames = [
            _poses(poses.keypoints[0].numpy()[::-1].copy()) if exchanged and t % 2 else poses
            for t, poses in enumerate(video)
        ]
        numbers = _numbers(tracker, frames)
        tracks = [one[::-1] if exchanged and t % 2 else one for t, one in enumerate(numbers)]
        last = tracks[-1]
        late = [one for one in tracks[_FRAMES // 2 :] if one != last]
        if late or min(last) < 0 or last[0] == last[1]:
            rows = "exchanged in every second frame" if exchanged else "the same in all frames"
            fail(
                f"numbers two animals {tracks[_FRAMES // 2 :]}, their rows being {rows}",
                "two numbers that stay",
                "Assign what was found to the animals that are nearest, and keep their numbers",
            )
    return f"numbers {last}"


def numbers_are_once_in_a_frame(subject: Subject) -> str:
    """Numbers are -1 or count from 0, and no two poses of a frame have the same."""
    tracker, video = subject.build(), _video()
    crowded = [
        _poses(np.repeat(poses.keypoints[0].numpy(), 3, axis=0)) for poses in video
    ]  # each animal found three times in one place
    for frame in _numbers(tracker, crowded):
        known = [number for number in frame if number != -1]
        if len(set(known)) < len(known) or min(known, default=0) < 0:
            fail(
                f"numbers the poses of one frame {frame}",
                "-1, or numbers from 0 of which each is there once: a pose is one animal",
                "Assign one to one, as scipy.optimize.linear_sum_assignment does",
            )
    return "unique"


def padding_has_no_number(subject: Subject) -> str:
    """Rows that only pad are of no animal, and make no difference to the others."""
    tracker, video = subject.build(), _video()
    padded = []
    for poses in video:
        keypoints = poses.keypoints[0].numpy()
        more = _poses(np.concatenate([keypoints, keypoints + 3]))
        more.valid[0, 2:] = False
        padded.append(more)
    plain, numbers = _numbers(tracker, video), _numbers(tracker, padded)
    for alone, one in zip(plain, numbers, strict=True):
        if one[:2] != alone or one[2:] != [-1, -1]:
            fail(
                f"numbers {one} where the last two rows only pad, and {alone} without them",
                f"{[*alone, -1, -1]}",
                "Leave out rows whose `valid` is False, and give them -1",
            )
    return "-1"


def nothing_found(subject: Subject) -> str:
    """Frames without rows, without animals, and with few keypoints are no errors."""
    tracker, video = subject.build(), _video()
    few = video[4].keypoints[0].numpy().copy()
    few[:, 1:] = np.nan
    nobody = _poses(np.full((2, 4, 2), np.nan, np.float32))
    _numbers(tracker, [_poses(np.zeros((0, 4, 2), np.float32)), nobody])
    frames = [*video[:3], _poses(few[:0]), nobody, _poses(few), *video[6:]]
    numbers = _numbers(tracker, frames)
    if numbers[3] or numbers[4] != [-1, -1]:
        fail(
            f"numbers animals {numbers[4]} in a frame without any",
            "-1 for each row",
            "Give -1 to rows that are not valid",
        )
    return "no error"


def frames_may_be_left_out(subject: Subject) -> str:
    """Frames that could not be read are left out; numbers of frames only grow."""
    tracker = subject.build()
    video: list[Poses | None] = [*_video()]
    for frame in (3, 4, 8):
        video[frame] = None
    count = len(_numbers(tracker, video))
    return f"{count} of {_FRAMES} frames"


def order_is_checked(subject: Subject) -> str:
    """A frame that comes too late is told, not taken for a later one."""
    tracker, video = subject.build(), _video()
    tracker.reset(INFO)
    tracker.update(video[0], 7)
    for frame in (7, 3):
        try:
            tracker.update(video[1], frame)
        except ValueError:
            continue
        fail(
            f"takes frame {frame} after frame 7",
            "a ValueError: animals would be followed backwards in time",
            "Keep the last frame's number, and compare",
        )
    return "ValueError"


def reset_forgets(subject: Subject) -> str:
    """After `reset` nothing of the video before is left, and numbers count from 0 again."""
    tracker, video = subject.build(), _video()
    first = _numbers(tracker, video)
    _numbers(tracker, _video(seed=1)[::2])
    second = _numbers(tracker, video)
    if first != second or first != _numbers(subject.build(), video):
        fail(
            f"numbers the same video {first[-1]}, and then {second[-1]}",
            "the same numbers after a reset, and from 0",
            "Make every animal and every counter anew in reset",
        )
    return "the same after another video and a reset"


def input_unchanged(subject: Subject) -> str:
    """Poses that it is given are not changed, and what it returns differs in identities alone."""
    tracker, video = subject.build(), _video()
    tracker.reset(INFO)
    for frame, poses in enumerate(video):
        kept = copy.deepcopy(poses)
        result = tracker.update(poses, frame)
        for name, value in vars(kept).items():
            for what, other in (("changes", poses), ("returns other", result)):
                if what == "returns other" and name == "identities":
                    continue
                now = getattr(other, name)
                same = now is None if value is None else torch.equal(value, now)
                if not same:
                    fail(
                        f"{what} {name}" + (" in place" if what == "changes" else ""),
                        "that poses stay as they are",
                        "Return dataclasses.replace(poses, identities=...)",
                    )
    return "left as they are"


CHECKS = (
    follows_animals,
    numbers_are_once_in_a_frame,
    padding_has_no_number,
    nothing_found,
    frames_may_be_left_out,
    order_is_checked,
    reset_forgets,
    input_unchanged,
)
