"""The errors of pose estimators, as PoseFix and BUCTD make them up: how often, and where to.

An erroneous point is drawn about one of four kinds of sources: the keypoint itself, its twin on the
same animal, the same keypoint of another animal, and the twin of that. Sources are numbered in this
order along an axis S: 0 the keypoint, 1 its twin, then those of the other animals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

KINDS = ("jitter", "miss", "inversion", "swap", "good")
"""Kinds of error; the last one is none to speak of."""

JITTER, MISS, INVERSION, SWAP, GOOD = range(len(KINDS))

Rates = Literal["animals", "humans", "deeplabcut"]
"""How often each kind happens: see `rates_of`."""

_SIMILARITY = {"near": 0.85, "half": 0.5, "far": 0.1}
_FEW, _MANY = 8, 512
"""Points tried for a keypoint at first, and for those of which the first were all refused."""

_FIXED = {"jitter": 0.16, "miss": 0.10, "inversion": 0.03, "swap": 0.08}

_HUMANS = {  # jitter; miss with over 10, over 5, and fewer labels; inversion; swap
    **dict.fromkeys(("nose", "head", "neck"), (0.10, (0.02, 0.10, 0.15), 0.01, 0.01)),
    **dict.fromkeys(("eye", "ear"), (0.15, (0.02, 0.10, 0.15), 0.01, 0.01)),
    "shoulder": (0.15, (0.05, 0.13, 0.20), 0.03, 0.06),
    **dict.fromkeys(("elbow", "wrist"), (0.15, (0.10, 0.15, 0.25), 0.03, 0.06)),
    "hip": (0.20, (0.10, 0.15, 0.25), 0.06, 0.03),
    "knee": (0.10, (0.10, 0.15, 0.25), 0.06, 0.03),
    "ankle": (0.10, (0.05, 0.13, 0.20), 0.06, 0.03),
}


class ErrorRates:
    """How often each kind of error happens to each keypoint.

    Args:
        rates: ``animals``: those of BUCTD (Zhou et al., 2023) for all that are not persons, more
            where few keypoints are labelled; ``humans``: those for COCO's and CrowdPose's persons
            (Moon et al., 2019), which differ by body part; ``deeplabcut``: fixed ones, as in
            DeepLabCut 3; or a mapping of kinds (`KINDS` but ``good``, which has the rest).
        keypoint_names: for ``humans``, whose body parts are found by name.

    Raises:
        ValueError: unknown kinds, rates that are none or add up to more than 1, or names that are
            no body part of a person.
    """

    def __init__(
        self, rates: Rates | Mapping[str, float], keypoint_names: Sequence[str] | None = None
    ) -> None:
        self.rates = dict(rates) if isinstance(rates, Mapping) else rates
        self._parts: np.ndarray | None = None
        if isinstance(rates, Mapping):
            unknown = sorted(set(rates) - set(KINDS[:-1]))
            if unknown:
                raise ValueError(f"rates: no error is called {unknown[0]!r}; {_kinds()}")
            if not all(0 <= rate <= 1 for rate in rates.values()) or sum(rates.values()) > 1 + 1e-9:
                raise ValueError(f"rates must lie between 0 and 1 and add up to 1 at most: {rates}")
        elif rates == "humans":
            self._parts = _human_parts(keypoint_names or ())
        elif rates not in ("animals", "deeplabcut"):
            raise ValueError(
                f"rates must be 'animals', 'humans', 'deeplabcut' or a mapping, not {rates!r}"
            )

    def of(self, labelled: int, num_keypoints: int) -> np.ndarray:
        """Return float64 ``(K, 5)``, the probability of each of `KINDS`.

        Args:
            labelled: number of labelled keypoints of the animal.
            num_keypoints: number of keypoints K.
        """
        rates = np.zeros((num_keypoints, len(KINDS)))
        if self._parts is not None:
            scarce = 0 if labelled > 10 else 1 if labelled > 5 else 2
            rates[:, JITTER] = self._parts[:, 0] + (0.05 if scarce else 0)
            rates[:, MISS] = self._parts[:, 1 + scarce]
            rates[:, INVERSION], rates[:, SWAP] = self._parts[:, 4], self._parts[:, 5]
        else:
            rates[:, :GOOD] = [self._same_for_all(labelled).get(kind, 0.0) for kind in KINDS[:GOOD]]
        rates[:, GOOD] = np.maximum(1 - rates[:, :GOOD].sum(axis=1), 0)
        return rates

    def _same_for_all(self, labelled: int) -> Mapping[str, float]:
        if isinstance(self.rates, dict):
            return self.rates
        if self.rates == "deeplabcut":
            return _FIXED
        miss = 0.05 if labelled > 4 else 0.13 if labelled > 2 else 0.20
        jitter = 0.15 if labelled > 4 else 0.20
        return {"jitter": jitter, "miss": miss, "inversion": 0.03, "swap": 0.04}


def similarity_radii(area: float, sigmas: np.ndarray) -> dict[str, np.ndarray]:
    """Return distances ``(K,)`` in pixels at which OKS's similarity is 0.85, 0.5 and 0.1.

    Args:
        area: of the animal, square pixels.
        sigmas: float ``(K,)``, COCO's convention: the constant in the formula is twice sigma.

    Returns:
        by the names ``near``, ``half`` and ``far``.
    """
    variance = area * np.square(2 * sigmas)
    return {name: np.sqrt(-2 * variance * np.log(ks)) for name, ks in _SIMILARITY.items()}


def draw_errors(
    sources: np.ndarray,
    there: np.ndarray,
    rates: np.ndarray,
    radii: Mapping[str, np.ndarray],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return an erroneous point for each keypoint, float64 ``(K, 2)``, and its kind ``(K,)``.

    ``good`` lies within the radius ``near`` of the keypoint, ``jitter`` between ``near`` and
    ``half``, ``miss`` between ``half`` and ``far`` of any source (of each other one a quarter as
    often as of the keypoint), ``inversion`` within ``half`` of the twin, ``swap`` within ``half``
    of another animal's; angle and radius are drawn evenly. A point is refused that lies as near to
    another source, of a swap only to one of the own animal; a ``miss`` that lies within ``half`` of
    one. A kind of which there is no point is left out, and the others happen the more often
    (Moon et al., 2019, who draw 500 points of every kind; here only those are drawn that are used).

    Args:
        sources: float ``(K, S, 2)``; see the module.
        there: bool ``(K, S)``, which of them exist; for a keypoint without the first, none is
            drawn.
        rates: float ``(K, 5)``, how often each of `KINDS` happens.
        radii: see `similarity_radii`.
        rng: the only source of randomness.

    Returns:
        the points, and the index of their kind, -1 for a keypoint that has no point.
    """
    points, kinds = np.zeros((len(sources), 2)), np.full(len(sources), -1)
    rates = rates * there[:, :1]
    rates[:, INVERSION] *= there[:, 1]
    rates[:, SWAP] *= there[:, 2:].any(axis=1)
    open_ = np.flatnonzero(rates.sum(axis=1) > 0)
    while len(open_):  # once for all keypoints, and again for those of a kind without a point
        share = np.cumsum(rates[open_], axis=1)
        kind = (rng.random((len(open_), 1)) * share[:, -1:] >= share).sum(axis=1)
        kind = np.minimum(kind, GOOD)
        found = np.zeros(len(open_), bool)
        for tries in (_FEW, _MANY):
            rows = np.flatnonzero(~found)
            if not len(rows):
                break
            at = open_[rows]
            drawn, ok = _tried(
                sources[at], there[at], kind[rows], {k: r[at] for k, r in radii.items()}, tries, rng
            )
            first = ok.argmax(axis=1)
            hit = ok[np.arange(len(rows)), first]
            points[at[hit]] = drawn[hit, first[hit]]
            kinds[at[hit]] = kind[rows[hit]]
            found[rows[hit]] = True
        rates[open_[~found], kind[~found]] = 0
        open_ = open_[~found]
        open_ = open_[rates[open_].sum(axis=1) > 0]
    return points, kinds


def _tried(
    sources: np.ndarray,
    there: np.ndarray,
    kind: np.ndarray,
    radii: Mapping[str, np.ndarray],
    tries: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return `tries` points of a kind for each keypoint, ``(R, T, 2)``, and which are accepted."""
    count = sources.shape[1]
    none = np.zeros_like(radii["near"])
    low = np.select([kind == JITTER, kind == MISS], [radii["near"], radii["half"]], none)
    high = np.select([kind == GOOD, kind == MISS], [radii["near"], radii["far"]], radii["half"])
    own = np.zeros((len(kind), count))
    own[:, 0] = (kind == JITTER) | (kind == GOOD) | (kind == MISS)
    own[:, 1] = (kind == INVERSION) + 0.25 * (kind == MISS)
    own[:, 2:] = ((kind == SWAP) + 0.25 * (kind == MISS))[:, None]
    share = np.cumsum(own * there, axis=1)
    pick = rng.random((len(kind), tries, 1)) * share[:, None, -1:] >= share[:, None]
    about = np.minimum(pick.sum(axis=2), count - 1)  # (R, T)
    radius = low[:, None] + rng.random((len(kind), tries)) * (high - low)[:, None]
    angle = rng.random((len(kind), tries)) * (2 * np.pi)
    start = np.take_along_axis(sources, about[..., None], axis=1)
    points = start + radius[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    squared = np.square(points[:, :, None] - sources[:, None]).sum(axis=-1)  # (R, T, S)
    least = np.where(kind[:, None] == MISS, radii["half"][:, None], radius)
    minds = there[:, None] & (np.arange(count) != about[..., None])
    minds &= (kind != SWAP)[:, None, None] | (np.arange(count) < 2)
    refused = minds & (squared <= np.square(least)[..., None] * (1 + 1e-9))
    return points, ~refused.any(axis=2)


def _human_parts(names: Sequence[str]) -> np.ndarray:
    """Return float64 ``(K, 6)``: the rates of each keypoint's body part."""
    rows = []
    for name in names:
        part = next((part for part in _HUMANS if part in name.lower()), None)
        if part is None:
            raise ValueError(
                f"rates='humans': {name!r} is no body part of a person ({', '.join(_HUMANS)}); "
                "take 'animals'"
            )
        jitter, misses, inversion, swap = _HUMANS[part]
        rows.append((jitter, *misses, inversion, swap))
    if not rows:
        raise ValueError("rates='humans' needs keypoint_names, which tell the body parts")
    return np.array(rows)


def _kinds() -> str:
    return f"there are {', '.join(KINDS[:-1])}"
