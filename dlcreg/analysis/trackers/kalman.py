"""Where animals will be in the next frame: Kalman filters of constant velocity, all at once."""

from __future__ import annotations

import numpy as np

_MEASURED = 1 / 20  # standard deviations as shares of an animal's size (Wojke et al., 2017)
_MOVED = 1 / 20
_ACCELERATED = 1 / 160
_FIRST_MOVED = 2 * _MOVED
_FIRST_ACCELERATED = 10 * _ACCELERATED


class ConstantVelocity:
    """Kalman filters for D coordinates of each of T animals.

    Noise is independent for each coordinate, and so are the filters: each has a position, a
    velocity and three numbers of their covariance, which makes a step a few sums of arrays. The
    noise is that of DeepSORT, in shares of an animal's size, so that neither the resolution of the
    video nor the size of the animals matters.

    Wojke, Bewley, Paulus: Simple online and realtime tracking with a deep association metric
    (ICIP 2017); Kalman: A new approach to linear filtering and prediction problems (1960).

    Args:
        dimensions: number of coordinates D.

    Attributes:
        position: float64 ``(T, D)``, pixels; NaN for a coordinate that was never measured.
        velocity: float64 ``(T, D)``, pixels for each frame.
        size: float64 ``(T,)``, size of the animals, pixels.
    """

    def __init__(self, dimensions: int) -> None:
        self.position = np.zeros((0, dimensions))
        self.velocity = np.zeros((0, dimensions))
        self.size = np.zeros(0)
        self._covariance = np.zeros((3, 0, dimensions))  # position, both, velocity

    def __len__(self) -> int:
        return len(self.position)

    def predict(self, steps: int = 1) -> None:
        """Move all animals on by so many frames."""
        self.position = self.position + steps * self.velocity
        spread, both, speed = self._covariance
        size = self.size[:, None]
        for _ in range(min(steps, 100)):  # nothing is known of them after that
            spread = spread + 2 * both + speed + (_MOVED * size) ** 2
            both = both + speed
            speed = speed + (_ACCELERATED * size) ** 2
        self._covariance = np.stack([spread, both, speed])

    def update(self, rows: np.ndarray, measured: np.ndarray, size: np.ndarray) -> None:
        """Take in where some of the animals were found.

        Args:
            rows: int ``(M,)``, which animals.
            measured: float ``(M, D)``; NaN only for coordinates that were never measured.
            size: float ``(M,)``, pixels.
        """
        spread, both, speed = self._covariance[:, rows]
        total = spread + (_MEASURED * size[:, None]) ** 2
        gain, gain_speed = spread / total, both / total
        position = self.position[rows]
        first = np.isnan(position)
        off = np.where(first, 0, measured - position)
        self.position[rows] = np.where(first, measured, position + gain * off)
        self.velocity[rows] += gain_speed * off
        self.size[rows] = size
        self._covariance[:, rows] = np.stack(
            [(1 - gain) * spread, (1 - gain) * both, speed - gain_speed * both]
        )

    def add(self, measured: np.ndarray, size: np.ndarray) -> None:
        """Begin with new animals, at rest; arguments as in `update`."""
        spread = np.broadcast_to((_FIRST_MOVED * size[:, None]) ** 2, measured.shape)
        speed = np.broadcast_to((_FIRST_ACCELERATED * size[:, None]) ** 2, measured.shape)
        new = np.stack([spread, np.zeros(measured.shape), speed])
        self.position = np.concatenate([self.position, measured])
        self.velocity = np.concatenate([self.velocity, np.zeros(measured.shape)])
        self.size = np.concatenate([self.size, size])
        self._covariance = np.concatenate([self._covariance, new], axis=1)

    def keep(self, rows: np.ndarray) -> None:
        """Forget all animals but those of `rows`, bool ``(T,)`` or indices."""
        self.position, self.velocity = self.position[rows], self.velocity[rows]
        self.size, self._covariance = self.size[rows], self._covariance[:, rows]
