"""Conditioned tracking: the pose of an animal is the condition by which it is found again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from dlcreg.data.keypoints import tight_boxes
from dlcreg.data.proposals import ImageProposals
from dlcreg.similarity import object_similarity, sigmas_of, thick_sides
from dlcreg.structures import DatasetInfo, Poses

_FAR = 1e6  # pixels to an animal that was never seen


class Tracks:
    """The animals that are followed: each has a row of its own, whatever happens.

    An animal that is lost leaves its row free. A new one gets the free row whose animal was last
    seen nearest to it.

    Args:
        count: how many animals there are at most.
        info: keypoints and their OKS constants.
        new: a pose that another model found is a new animal if it is less like all that are
            followed than this (object keypoint similarity).
        lost: mean score of the keypoints below which an animal is lost.
        same: of two animals more alike than this the one that was followed longer stays.

    Raises:
        ValueError: no animals, or a number out of range.
    """

    def __init__(
        self,
        count: int,
        info: DatasetInfo,
        new: float = 0.25,
        lost: float = 0.01,
        same: float = 0.9,
    ) -> None:
        if count < 1:
            raise ValueError(f"max_animals={count}: give 1 or more")
        for name, value in (("new", new), ("lost", lost), ("same", same)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name}={value:g}: give a number from 0 to 1")
        self.new, self.lost, self.same = new, lost, same
        self.sigmas = sigmas_of(info)
        self.poses = np.zeros((count, info.num_keypoints, 3), np.float32)  # the last known ones
        self.age = np.full(count, -1)  # frames since it was found; -1: it is lost
        self.seen = np.zeros(count, bool)

    @property
    def rows(self) -> np.ndarray:
        """Indices of the animals that are followed now."""
        return np.flatnonzero(self.age >= 0)

    @property
    def has_free_row(self) -> bool:
        """Whether an animal is lost, or has not come yet."""
        return bool((self.age < 0).any())

    def newcomers(self, found: ImageProposals, followed: np.ndarray) -> np.ndarray:
        """Return the poses ``(M, K, 3)`` among what was found that are of no followed animal.

        Args:
            found: what another model found in a frame.
            followed: ``(N, K, 3)``, the followed animals in that frame.
        """
        if found.keypoints is None:
            return self.poses[:0]
        poses = found.keypoints[np.argsort(-found.scores, kind="stable")]
        poses = poses[(poses[..., 2] > 0).any(axis=1)]
        if len(followed):
            poses = poses[self._similarity(poses, followed).max(axis=1) < self.new]
        return np.asarray(poses)

    def update(self, rows: Sequence[int], poses: np.ndarray) -> None:
        """Take over what was found of a frame.

        Args:
            rows: of each pose the row of its animal; -1 for a newcomer.
            poses: float ``(M, K, 3)``, x, y, score; all 0 for a keypoint that was not found.
        """
        before = self.age.copy()
        self.age[:] = -1
        sure = [i for i, pose in enumerate(poses) if _score(pose) >= self.lost and pose[:, 2].any()]
        known = sorted((i for i in sure if rows[i] >= 0), key=lambda i: -before[rows[i]])
        new = sorted((i for i in sure if rows[i] < 0), key=lambda i: -_score(poses[i]))
        kept: list[int] = []
        for i in [*known, *new]:
            if not kept or self._similarity(poses[i : i + 1], poses[kept]).max() <= self.same:
                kept.append(i)
        for i in kept:
            if rows[i] >= 0:
                self.poses[rows[i]], self.age[rows[i]] = poses[i], before[rows[i]] + 1
        self._place(poses[[i for i in kept if rows[i] < 0]])

    def current(self) -> Poses:
        """Return the poses of this frame, B = 1, a row for each animal, lost ones not valid.

        `Poses.identities` are the numbers of the rows; -1 for an animal that is lost.
        """
        followed = torch.from_numpy(self.age >= 0)
        poses = torch.from_numpy(self.poses).clone()
        found = followed[:, None] & (poses[..., 2] > 0)
        scores = poses[..., 2].where(found, torch.zeros(()))
        return Poses(
            keypoints=poses[None, ..., :2].where(found[None, ..., None], torch.tensor(torch.nan)),
            scores=scores[None],
            instance_scores=scores.mean(dim=-1)[None],
            valid=followed[None],
            identities=torch.arange(len(poses)).where(followed, torch.tensor(-1))[None],
        )

    def _place(self, poses: np.ndarray) -> None:
        """Give newcomers, best first, free rows."""
        free = np.flatnonzero(self.age < 0)
        poses = poses[: len(free)]
        if not len(poses):
            return
        ways = np.linalg.norm(_centres(poses)[:, None] - _centres(self.poses[free])[None], axis=-1)
        ways = np.where(self.seen[free][None], ways, _FAR + np.arange(len(free)))
        for pose, row in zip(*linear_sum_assignment(ways), strict=True):
            self.poses[free[row]], self.age[free[row]], self.seen[free[row]] = poses[pose], 0, True

    def _similarity(self, poses: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return how alike poses ``(P, K, 3)`` and others ``(N, K, 3)`` are, ``(P, N)``."""
        points = np.where(poses[..., 2:] > 0, poses[..., :2], np.nan)
        found = others[..., 2] > 0
        sides = tight_boxes(others[..., :2], found)[:, 2:]
        areas = thick_sides(sides, 1).prod(axis=1)
        return object_similarity(points, others[..., :2], found, areas, self.sigmas)


def as_proposals(poses: np.ndarray) -> ImageProposals:
    """Return poses ``(M, K, 3)`` as proposals, whose boxes are the extent of the keypoints."""
    boxes = tight_boxes(poses[..., :2], poses[..., 2] > 0).astype(np.float32)
    return ImageProposals(boxes, np.ones(len(poses), np.float32), poses, np.ones(len(poses), bool))


def best_pose(part: Poses, num_keypoints: int) -> np.ndarray:
    """Return the best animal of a crop, B = 1, as ``(K, 3)``; zeros where there is none."""
    if not part.valid.any():
        return np.zeros((num_keypoints, 3), np.float32)
    best = int(part.instance_scores[0].argmax())
    points, scores = part.keypoints[0, best].float(), part.scores[0, best].float()
    found = points.isfinite().all(dim=-1) & (scores > 0)
    pose = torch.cat([points, scores[:, None]], dim=1).masked_fill(~found[:, None], 0.0)
    return pose.numpy()


def _score(pose: np.ndarray) -> float:
    return float(pose[:, 2].mean())


def _centres(poses: np.ndarray) -> np.ndarray:
    """Return the middle ``(M, 2)`` of the keypoints that were found of poses ``(M, K, 3)``."""
    found = poses[..., 2:] > 0
    total = np.where(found, poses[..., :2], 0).sum(axis=1)
    return np.asarray(total / np.maximum(found.sum(axis=1), 1))
