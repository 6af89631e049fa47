"""How well animals were followed: CLEAR MOT and identity measures against reference tracks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from dlcreg.errors import DataError
from dlcreg.recording import Recording
from dlcreg.similarity import object_similarity, sigmas_of, thick_sides


@dataclass(frozen=True)
class TrackScores:
    """Measures of tracks; all are numbers of animals in frames, or made of such.

    Bernardin, Stiefelhagen: Evaluating multiple object tracking performance: the CLEAR MOT metrics
    (2008); Ristani, Solera, Zou, Cucchiara, Tomasi: Performance measures and a data set for
    multi-target, multi-camera tracking (ECCV 2016).

    Args:
        objects: animals in the reference.
        predictions: animals in the tracks.
        matches: of which tracks found the place, whoever they took them for.
        misses: of which they did not.
        false_positives: animals of tracks where the reference has none.
        switches: matches of an animal by another track than the last time.
        fragments: how often an animal that was followed was missed, to be followed again.
        identity_matches: matches by the one track that an animal is given in the whole video, such
            that there are the most of these.
        distance: sum of the distances of all matches.
    """

    objects: int
    predictions: int
    matches: int
    misses: int
    false_positives: int
    switches: int
    fragments: int
    identity_matches: int
    distance: float

    @property
    def mota(self) -> float:
        """Multiple object tracking accuracy, at most 1; NaN without a reference."""
        wrong = self.misses + self.false_positives + self.switches
        return 1 - wrong / self.objects if self.objects else math.nan

    @property
    def motp(self) -> float:
        """Multiple object tracking precision: mean distance of the matches."""
        return self.distance / self.matches if self.matches else math.nan

    @property
    def idf1(self) -> float:
        """Share of animals, found and to be found, that have the right identity."""
        both = self.objects + self.predictions
        return 2 * self.identity_matches / both if both else math.nan

    @property
    def id_precision(self) -> float:
        """Share of what was found that has the right identity."""
        return self.identity_matches / self.predictions if self.predictions else math.nan

    @property
    def id_recall(self) -> float:
        """Share of the reference that was found with the right identity."""
        return self.identity_matches / self.objects if self.objects else math.nan

    def as_dict(self) -> dict[str, float]:
        """Return all measures by name."""
        names = ("mota", "motp", "idf1", "id_precision", "id_recall")
        return {**{name: getattr(self, name) for name in names}, **vars(self)}


def score_tracks(
    tracks: Recording,
    reference: Recording,
    *,
    similarity: float = 0.5,
    distance: float | None = None,
) -> TrackScores:
    """Compare a tracked video with reference tracks.

    Args:
        tracks: rows are animals.
        reference: likewise; keypoints that are NaN are not labelled.
        similarity: an animal of a track may be one of the reference if their object keypoint
            similarity (OKS) is no less; the distance of two is 1 - OKS.
        distance: mean distance, in pixels, of the keypoints that both have, which then decides
            instead of the OKS.

    Raises:
        DataError: other keypoints or frames than the reference has.
        ValueError: a limit out of range.
    """
    _check(tracks, reference, similarity, distance)
    if distance is None:
        distances, limit = 1 - _similarities(tracks, reference), 1 - similarity
    else:
        distances, limit = _keypoint_distances(tracks, reference), distance
    distances[~(distances <= limit + 1e-9)] = np.nan
    return score_matches(distances, reference.valid, tracks.valid)


def score_matches(
    distances: np.ndarray, objects: np.ndarray, predictions: np.ndarray
) -> TrackScores:
    """Return the measures of tracks of anything.

    Args:
        distances: float ``(F, R, P)`` of each of R reference tracks and P tracks in F frames; NaN
            for two that are too far from each other, or not there.
        objects: bool ``(F, R)``, where reference tracks are.
        predictions: bool ``(F, P)``, where tracks are.
    """
    distances = np.where(objects[:, :, None] & predictions[:, None], distances, np.nan)
    possible = np.isfinite(distances)
    shared = possible.sum(axis=0)
    matched, switches, total = _followed(distances, possible)
    matches = int(matched.sum())
    return TrackScores(
        objects=int(objects.sum()),
        predictions=int(predictions.sum()),
        matches=matches,
        misses=int(objects.sum()) - matches,
        false_positives=int(predictions.sum()) - matches,
        switches=switches,
        fragments=_fragments(matched, objects),
        identity_matches=int(shared[linear_sum_assignment(shared, maximize=True)].sum()),
        distance=total,
    )


def _followed(distances: np.ndarray, possible: np.ndarray) -> tuple[np.ndarray, int, float]:
    """Return which objects are matched in which frame ``(F, R)``, switches, sum of distances.

    An object stays with the track that it had last as long as that is possible; the others are
    matched so that there are the most matches, and of these the nearest.
    """
    frames, count = possible.shape[:2]
    matched = np.zeros((frames, count), bool)
    last = np.full(count, -1)
    switches, total = 0, 0.0
    if not possible.any():
        return matched, switches, total
    apart = (min(possible.shape[1:]) + 1) * (float(distances[possible].max()) + 1)
    for frame in range(frames):
        allowed = possible[frame]
        rows = np.flatnonzero((last >= 0) & allowed[np.arange(count), last])
        free = np.ones(len(last), bool)
        free[rows] = False
        rows_taken = last[rows]
        if len(np.unique(rows_taken)) < len(rows_taken):  # a track that left one for another
            _, kept = np.unique(rows_taken, return_index=True)
            free[np.delete(rows, kept)] = True
            rows, rows_taken = rows[kept], rows_taken[kept]
        matched[frame, rows] = True
        total += float(distances[frame, rows, rows_taken].sum())
        rest = allowed & free[:, None]
        rest[:, rows_taken] = False
        if not rest.any():
            continue
        costs = np.where(rest, distances[frame], apart)
        for row, column in zip(*linear_sum_assignment(costs), strict=True):
            if rest[row, column]:
                switches += int(last[row] not in (-1, column))
                last[row] = column
                matched[frame, row] = True
                total += float(distances[frame, row, column])
    return matched, switches, total


def _fragments(matched: np.ndarray, objects: np.ndarray) -> int:
    """Return how often an object that is matched before and after was missed."""
    count = 0
    for was, there in zip(matched.T, objects.T, strict=True):
        hits = was[there]
        if hits.any():
            hits = hits[: np.flatnonzero(hits)[-1] + 1]
            count += int((hits[:-1] & ~hits[1:]).sum())
    return count


def _similarities(tracks: Recording, reference: Recording) -> np.ndarray:
    """Return the OKS ``(F, R, P)``."""
    labelled = np.isfinite(reference.keypoints).all(axis=-1)
    low = np.where(labelled[..., None], reference.keypoints, np.inf).min(axis=2)
    high = np.where(labelled[..., None], reference.keypoints, -np.inf).max(axis=2)
    areas = thick_sides(high - low, 1).prod(axis=-1)
    sigmas = sigmas_of(reference.info)
    values = [
        object_similarity(*one, sigmas).T
        for one in zip(tracks.keypoints, reference.keypoints, labelled, areas, strict=True)
    ]
    return np.stack(values)


def _keypoint_distances(tracks: Recording, reference: Recording) -> np.ndarray:
    """Return the mean distances of common keypoints ``(F, R, P)``; NaN where there are none."""
    distances = np.stack(
        [
            np.linalg.norm(one[:, None] - other[None], axis=-1)
            for one, other in zip(reference.keypoints, tracks.keypoints, strict=True)
        ]
    )
    common = np.isfinite(distances)
    total = np.where(common, distances, 0).sum(axis=-1)
    return np.where(common.any(axis=-1), total / np.maximum(common.sum(axis=-1), 1), np.nan)


def _check(
    tracks: Recording, reference: Recording, similarity: float, distance: float | None
) -> None:
    if not 0 < similarity <= 1:
        raise ValueError(f"similarity={similarity:g}: give a number above 0, and 1 at most")
    if distance is not None and distance <= 0:
        raise ValueError(f"distance={distance:g}: give more than 0 pixels")
    ours, theirs = tracks.info.keypoint_names, reference.info.keypoint_names
    if ours != theirs:
        raise DataError(f"the tracks have keypoints {ours}, the reference {theirs}")
    if len(tracks) != len(reference):
        raise DataError(f"the tracks have {len(tracks)} frames, the reference {len(reference)}")
