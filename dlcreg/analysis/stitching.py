"""Tracklets to tracks of a known number of animals, by minimum-cost flow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlcreg.analysis.flow import Network
from dlcreg.analysis.tracklets import Tracklets

_BELIEVED = 5  # frames for which a velocity is believed
_CANDIDATES = 20  # successors of a tracklet that are looked at, for each animal


@dataclass(frozen=True)
class Costs:
    """What stitching weighs against each other; a frame of a tracklet that is left out costs 1.

    Args:
        distance: of a gap across which an animal moves by its own size.
        gap: of each frame of a gap.
        absence: of an animal that appears or is lost, less near the ends of the video; and so
            twice for one that is lost and comes back anywhere.
        identity: of each frame in which an animal is one that nobody votes for.
        max_gap: frames across which an animal is looked for near where it was last seen.

    Raises:
        ValueError: a number below 0.
    """

    distance: float = 1.0
    gap: float = 0.02
    absence: float = 3.0
    identity: float = 0.8
    max_gap: int = 250

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 0:
                raise ValueError(f"{name}={value:g}: give 0 or more")


def stitch(tracklets: Tracklets, num_animals: int, costs: Costs | None = None) -> np.ndarray:
    """Return the animal of each tracklet, int64 ``(V,)``; -1 for those that are left out.

    Each animal is a path through tracklets that follow each other. All paths together, with what
    they leave out, cost the least there is: a flow of minimum cost, one unit for each animal
    (Zhang, Li, Nevatia: Global data association for multi-object tracking using network flows,
    CVPR 2008). Where tracklets vote for who they are, each individual is a commodity of its own,
    so that who an animal is and where it goes are decided together.

    Args:
        tracklets: without votes, animals are numbered in the order in which they appear; with
            votes by individual, and those that are none of these come after them.
        num_animals: how many there are at most.
        costs: None for those by default.

    Raises:
        ValueError: no animals.
    """
    if num_animals < 1:
        raise ValueError(f"num_animals={num_animals}: give 1 or more")
    costs = costs or Costs()
    if not len(tracklets):
        return np.zeros(0, np.int64)
    network = network_of(tracklets, num_animals, costs)
    votes = tracklets.votes
    if votes is None:
        (chain,) = network.solved(np.zeros((1, len(tracklets))), [num_animals], num_animals)
        return _rows(tracklets, chain, num_animals, costs)
    known = votes.shape[1]
    wrong = costs.identity * tracklets.length * (1 - votes.T)
    supplies, others = [1] * known, num_animals - known
    if others > 0:
        supplies.append(others)
        wrong = np.concatenate([wrong, wrong.mean(axis=0, keepdims=True)])
    chains = network.solved(wrong, supplies, num_animals)
    animals = np.full(len(tracklets), -1)
    for individual, chain in enumerate(chains[:known]):
        animals[chain >= 0] = individual
    if others > 0:
        rows = _rows(tracklets, chains[known], others, costs)
        animals = np.where(rows >= 0, rows + known, animals)
    return animals


def network_of(tracklets: Tracklets, num_animals: int, costs: Costs) -> Network:
    """Return what may follow what among tracklets, one at least, and what that costs.

    Of the tracklets that begin after the end of another, the first ones are looked at, more of
    them the more animals there are.
    """
    start, end = tracklets.start, tracklets.end
    low = np.searchsorted(start, end, side="right")
    high = np.searchsorted(start, end + costs.max_gap, side="right")
    count = np.minimum(high - low, _CANDIDATES * num_animals)
    first = np.repeat(np.arange(len(tracklets)), count)
    second = (
        np.repeat(low, count) + np.arange(count.sum()) - np.repeat(count.cumsum() - count, count)
    )
    value = _link_costs(tracklets, first, second, costs)
    enter = np.minimum(costs.absence, costs.gap * (start - start.min()))
    leave = np.minimum(costs.absence, costs.gap * (end.max() - end))
    cheap = value < leave[first] + enter[second]
    return Network(
        reward=tracklets.length.astype(float),
        links=np.stack([first[cheap], second[cheap]]),
        link_costs=value[cheap],
        after=low,
        enter=enter,
        leave=leave,
    )


def _link_costs(
    tracklets: Tracklets, first: np.ndarray, second: np.ndarray, costs: Costs
) -> np.ndarray:
    """Return what it costs that tracklets ``(E,)`` are followed by others ``(E,)``."""
    gap = (tracklets.start[second] - tracklets.end[first]).astype(float)
    velocity = (tracklets.last_velocity[first] + tracklets.first_velocity[second]) / 2
    moved = velocity * np.minimum(gap, _BELIEVED)[:, None]
    way = (tracklets.first[second] - tracklets.last[first]).astype(float)
    common = np.isfinite(way).all(axis=-1)
    centres = _centres(tracklets.first)[second] - _centres(tracklets.last)[first]
    way = np.where(common[..., None], way, 0)
    none = ~common.any(axis=1)
    way[none, 0], common[none, 0] = centres[none], True
    nearest = np.minimum(_mean_norm(way, common), _mean_norm(way - moved[:, None], common))
    size = (tracklets.size[first] + tracklets.size[second]) / 2
    return np.asarray(costs.distance * nearest / size + costs.gap * (gap - 1))


def _mean_norm(way: np.ndarray, common: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(way, axis=-1)
    return np.asarray(np.where(common, length, 0).sum(axis=1) / common.sum(axis=1))


def _centres(poses: np.ndarray) -> np.ndarray:
    """Return the mean ``(V, 2)`` of the keypoints that were found of poses ``(V, K, 2)``."""
    found = np.isfinite(poses)
    return np.asarray(np.where(found, poses, 0).sum(axis=1) / found.sum(axis=1))


def _rows(tracklets: Tracklets, chain: np.ndarray, num_animals: int, costs: Costs) -> np.ndarray:
    """Return animals ``(V,)`` of which each has one or more chains; -1 for tracklets of none.

    A chain goes to the animal that is missing then and was last seen nearest, or to one that was
    never seen, if that is as far as animals come back from.
    """
    animals = np.full(len(tracklets), -1)
    begins, ends = _centres(tracklets.first), _centres(tracklets.last)
    free, places = np.full(num_animals, -1), np.full((num_animals, 2), np.nan)
    far = 2 * costs.absence / max(costs.distance, np.spacing(1.0))
    for number in dict.fromkeys(chain[chain >= 0].tolist()):
        members = np.flatnonzero(chain == number)
        head, tail = members[0], members[-1]
        distance = np.linalg.norm(places - begins[head], axis=1) / tracklets.size[head]
        distance = np.where(np.isnan(distance), far, distance)
        row = int(np.where(free < tracklets.start[head], distance, np.inf).argmin())
        animals[members] = row
        free[row], places[row] = tracklets.end[tail], ends[tail]
    return animals
