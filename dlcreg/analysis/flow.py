"""Paths of least cost through tracklets, as a flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, milp
from scipy.sparse import block_diag, csr_array, hstack, vstack

from dlcreg.errors import DlcregError


@dataclass(frozen=True)
class Network:
    """V tracklets in the order of time, and what may follow what.

    Beside the links there is a waiting room for animals that are out of sight: a path may enter it
    after any tracklet and leave it before any later one.

    Args:
        reward: float ``(V,)``, for each tracklet that a path goes through.
        links: int ``(2, E)``, from a tracklet to a later one.
        link_costs: float ``(E,)``.
        after: int ``(V,)``, the first tracklet that begins after the end of each; V for none.
        enter: float ``(V,)``, cost of coming to each tracklet from the waiting room.
        leave: float ``(V,)``, cost of going there.
    """

    reward: np.ndarray
    links: np.ndarray
    link_costs: np.ndarray
    after: np.ndarray
    enter: np.ndarray
    leave: np.ndarray

    def solved(self, costs: np.ndarray, supplies: Sequence[int], most: int) -> list[np.ndarray]:
        """Return the paths of least cost, disjoint ones.

        Args:
            costs: float ``(C, V)``, of a tracklet as part of a path of each kind.
            supplies: number of paths of each kind.
            most: paths of all kinds.

        Returns:
            for each kind, int64 ``(V,)``: tracklets of one number follow each other by links; -1
            for those that are on no path of that kind.
        """
        count, links = len(self.reward), self.links.shape[1]
        # edges: through each tracklet, links, out of the waiting room, into it, along it, and past
        # everything for paths that are not needed
        fixed = np.concatenate(
            [-self.reward, self.link_costs, self.enter, self.leave, np.zeros(count + 1)]
        )
        objective = np.tile(fixed, (len(supplies), 1))
        objective[:, :count] += costs
        conserved = self._incidence()
        supply = np.zeros((len(supplies), conserved.shape[0]))
        supply[:, 2 * count] = supplies
        supply[:, 3 * count] = np.negative(supplies)
        limit = np.ones(objective.shape)
        limit[:, count + links + 2 * count :] = np.array(supplies)[:, None]
        once = hstack([_selected(np.arange(count), len(fixed))] * len(supplies))
        past = hstack([_selected(np.array([len(fixed) - 1]), len(fixed))] * len(supplies))
        balance, least = supply.ravel(), max(sum(supplies) - most, 0)
        constraints = [
            LinearConstraint(block_diag([conserved] * len(supplies), "csr"), balance, balance),
            LinearConstraint(vstack([once]), -np.inf, 1),
            LinearConstraint(vstack([past]), least, np.inf),
        ]
        flow = _minimized(objective.ravel(), Bounds(0, limit.ravel()), constraints)
        used = flow.reshape(objective.shape).round().astype(bool)
        return [self._chains(one) for one in used]

    def _incidence(self) -> csr_array:
        """Return what flows out of a node less what flows into it, for each edge.

        Nodes: begin and end of each tracklet, and the waiting room before each and after all.
        """
        count = len(self.reward)
        begin, end = np.arange(count), count + np.arange(count)
        room = 2 * count + np.arange(count + 1)
        tail = [begin, end[self.links[0]], room[:-1], end, room[:-1], room[:1]]
        head = [end, begin[self.links[1]], begin, room[self.after], room[1:], room[-1:]]
        tails, heads = np.concatenate(tail), np.concatenate(head)
        edges = np.arange(len(tails))
        values = np.concatenate([np.ones(len(tails)), -np.ones(len(heads))])
        places = (np.concatenate([tails, heads]), np.concatenate([edges, edges]))
        return csr_array((values, places), shape=(3 * count + 1, len(tails)))

    def _chains(self, used: np.ndarray) -> np.ndarray:
        """Return the number of the chain of each tracklet."""
        count, links = len(self.reward), self.links.shape[1]
        before = np.full(count, -1)
        linked = self.links[:, used[count : count + links]]
        before[linked[1]] = linked[0]
        chain = np.full(count, -1)
        for one in np.flatnonzero(used[:count]):
            chain[one] = one if before[one] < 0 else chain[before[one]]
        return chain


def _selected(columns: np.ndarray, width: int) -> csr_array:
    rows = np.arange(len(columns))
    return csr_array((np.ones(len(columns)), (rows, columns)), shape=(len(columns), width))


def _minimized(
    objective: np.ndarray, bounds: Bounds, constraints: Sequence[LinearConstraint]
) -> np.ndarray:
    """Return the whole numbers of least cost.

    Without whole numbers asked for the solution has them nevertheless where there is one kind of
    path, and mostly where there are several.
    """
    for integrality in (0, 1):
        result: OptimizeResult = milp(
            objective, integrality=integrality, bounds=bounds, constraints=constraints
        )
        if result.x is None:
            raise DlcregError(f"tracklets could not be stitched: {result.message}")
        if np.abs(result.x - result.x.round()).max() < 1e-6:
            break
    return np.asarray(result.x)
