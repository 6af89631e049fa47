"""What the generated project shows: animals from above, and the ground that they walk on."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

BODYPARTS = ("snout", "leftear", "rightear", "spine", "tailbase", "tailtip")
CORNERS = ("topleft", "topright", "bottomleft", "bottomright")
_FINE = 2  # drawn this much larger and averaged: positions between pixels are real
_STONE = -1  # owner of a pixel that a stone covers
_GROUND = 0


@dataclass
class Animal:
    """A body on a walk: position of its middle, heading, and how its spine and tail are bent."""

    x: float
    y: float
    heading: float
    length: float
    colour: tuple[int, int, int]
    bend: float = 0.0
    tail: float = 0.0
    turn: float = 0.0
    phase: float = 0.0

    def walk(self, size: tuple[int, int], speed: float, rng: np.random.Generator) -> None:
        """Move one step; near a wall, turn to the middle."""
        height, width = size
        to_middle = np.arctan2(height / 2 - self.y, width / 2 - self.x)
        off = np.arctan2(np.sin(to_middle - self.heading), np.cos(to_middle - self.heading))
        outside = max(abs(self.x / width - 0.5), abs(self.y / height - 0.5)) > 0.28
        self.turn = 0.8 * self.turn + rng.normal(0, 0.07) + (0.06 * np.sign(off) if outside else 0)
        self.turn = float(np.clip(self.turn, -0.35, 0.35))
        self.heading += self.turn
        step = self.length * 0.05 * speed
        room = 0.35 * self.length
        self.x = float(np.clip(self.x + step * np.cos(self.heading), room, width - room))
        self.y = float(np.clip(self.y + step * np.sin(self.heading), room, height - room))
        self.bend = 0.8 * self.bend + 0.2 * (2.2 * self.turn + rng.normal(0, 0.25))
        self.phase += 0.35
        self.tail = 0.85 * self.tail + 0.15 * (0.7 * np.sin(self.phase) - 1.5 * self.turn)

    def keypoints(self) -> np.ndarray:
        """Return float64 ``(K, 2)`` in the order of BODYPARTS."""
        return np.concatenate([self._head(), self._spine()[[2, 4]], self._tail()[-1:]])

    def _spine(self) -> np.ndarray:
        """Five points from the neck to the base of the tail, on an arc."""
        along = np.linspace(0.22, -0.5, 5)
        angle = self.heading + self.bend * along
        x = self.x + self.length * along * np.cos(angle)
        y = self.y + self.length * along * np.sin(angle)
        return np.column_stack([x, y])

    def _head(self) -> np.ndarray:
        """Snout, left ear, right ear; y points down, so left is at a smaller angle."""
        angle = self.heading + 0.9 * self.bend
        neck = self._spine()[0]
        reach = self.length * np.array([0.34, 0.15, 0.15])
        aside = angle + np.array([0.0, -1.05, 1.05])
        return neck + reach[:, None] * np.column_stack([np.cos(aside), np.sin(aside)])

    def _tail(self) -> np.ndarray:
        base, before = self._spine()[4], self._spine()[3]
        angle = np.arctan2(*(base - before)[::-1])
        bends = angle + self.tail * np.linspace(0.1, 1.2, 7)
        steps = self.length * 0.075 * np.column_stack([np.cos(bends), np.sin(bends)])
        return np.concatenate([base[None], base + np.cumsum(steps, axis=0)])

    def draw(self, image: np.ndarray, owner: np.ndarray, who: int) -> None:
        """Draw into a finely sampled image, and write `who` where the body lies."""
        skin: Any = (205, 150, 140)
        dark: Any = tuple(int(0.6 * c) for c in self.colour)
        spine, (snout, *ears) = self._spine(), self._head()
        tail, unit = self._tail(), self.length * _FINE
        for i, (a, b) in enumerate(itertools.pairwise(tail)):
            width = max(2, round(unit * (0.05 - 0.005 * i)))
            for target, value in ((image, skin), (owner, who)):
                cv2.line(target, _fine(a), _fine(b), value, width)
        radii = np.array([0.125, 0.15, 0.175, 0.17, 0.12]) * unit
        for target, body, edge in ((image, self.colour, dark), (owner, who, who)):
            for grow, value in ((0.02 * unit, edge), (0.0, body)):
                for ear in ears:
                    cv2.circle(target, _fine(ear), round(0.075 * unit + grow), value, -1)
                _hull(target, spine, radii + grow, value)
                _hull(
                    target,
                    np.stack([spine[0], snout]),
                    np.array([0.125, 0.03]) * unit + grow,
                    value,
                )
        for ear in ears:
            cv2.circle(image, _fine(ear), round(0.045 * unit), skin, -1)
        cv2.circle(image, _fine(snout), max(1, round(0.028 * unit)), (60, 30, 30), -1)


def _fine(point: np.ndarray) -> tuple[int, int]:
    x, y = np.rint((point + 0.5) * _FINE - 0.5).astype(int)
    return int(x), int(y)


def _hull(target: np.ndarray, centres: np.ndarray, radii: np.ndarray, value: Any) -> None:
    """Fill the outline of discs in a row."""
    discs = zip(centres, radii, strict=True)
    for (a, ra), (b, rb) in itertools.pairwise(discs):
        for t in np.linspace(0, 1, 6):
            cv2.circle(target, _fine(a + t * (b - a)), round(ra + t * (rb - ra)), value, -1)


@dataclass
class Arena:
    """The ground with its texture, and stones that cover what passes under them.

    `ground` is uint8 ``(H, W, 3)`` at `_FINE` times the size; `stones` bool, likewise. `corners`
    are where the walls meet, float64 ``(4, 2)`` in the order of CORNERS; None without walls.
    """

    size: tuple[int, int]
    ground: np.ndarray
    stones: np.ndarray
    stone_colour: np.ndarray
    corners: np.ndarray | None = None

    @classmethod
    def made(cls, size: tuple[int, int], rng: np.random.Generator, walls: bool = False) -> Arena:
        """Return an arena with its own texture and three stones, and walls if `walls`."""
        height, width = size[0] * _FINE, size[1] * _FINE
        texture = sum(
            weight * cv2.resize(rng.normal(0, 1, (height // s, width // s)), (width, height))
            for s, weight in ((64, 13), (16, 8), (4, 5))
        )
        base = np.array([176, 164, 140]) + rng.uniform(-18, 18, 3)
        ground = base + np.asarray(texture)[:, :, None] * [1.0, 0.97, 0.9]
        stones = np.zeros((height, width), np.uint8)
        for _ in range(3):
            centre = rng.uniform([0.15, 0.15], [0.85, 0.85]) * [width, height]
            axes = rng.uniform(0.022, 0.04, 2) * width
            cv2.ellipse(
                stones,
                (round(centre[0]), round(centre[1])),
                (round(axes[0]), round(axes[1])),
                rng.uniform(0, 180),
                0,
                360,
                1,
                -1,
            )
        colour = np.clip(110 + np.asarray(texture)[:, :, None] * [1.2, 1.3, 1.2], 0, 255)
        arena = cls(size, _bytes(ground), stones.astype(bool), _bytes(colour))
        if walls:
            arena._fence(rng)
        return arena

    def _fence(self, rng: np.random.Generator) -> None:
        """Draw walls along four lines a little within the image, and note where they meet."""
        share = np.array([[0.06, 0.07], [0.94, 0.07], [0.06, 0.93], [0.94, 0.93]])
        corners = (share + rng.uniform(-0.03, 0.03, (4, 2))) * self.size[::-1]
        outline = np.array([_fine(corners[i]) for i in (0, 1, 3, 2)])
        width = max(2, round(0.018 * self.size[0] * _FINE))
        wall = np.zeros(self.stones.shape, np.uint8)
        cv2.polylines(wall, [outline], True, 1, width)
        self.ground[wall > 0] = (52, 58, 74)
        self.stones[wall > 0] = False
        self.corners = corners

    def picture(
        self, herd: list[Animal], rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return a frame, its keypoints and its corners.

        Returns:
            uint8 ``(H, W, 3)`` RGB; ``(A, K, 2)`` and ``(4, 2)``, or ``(0, 2)`` without walls; NaN
            for what is hidden.
        """
        image = self.ground.copy()
        owner = np.full(image.shape[:2], _GROUND, np.int16)
        for who, animal in enumerate(herd, start=1):
            animal.draw(image, owner, who)
        image[self.stones] = self.stone_colour[self.stones]
        owner[self.stones] = _STONE
        height, width = self.size
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        image = _bytes(image + rng.normal(0, 3.0, (height, width, 1)))
        keypoints = np.stack([animal.keypoints() for animal in herd])
        seen = self._seen(keypoints, owner, np.arange(1, len(keypoints) + 1)[:, None])
        corners = np.empty((0, 2)) if self.corners is None else self.corners
        bare = self._seen(corners, owner, _GROUND)
        return (
            image,
            np.where(seen[..., None], keypoints, np.nan),
            np.where(bare[..., None], corners, np.nan),
        )

    def _seen(self, keypoints: np.ndarray, owner: np.ndarray, mine: Any) -> np.ndarray:
        """Return which keypoints ``(..., 2)`` lie on the ground, or on what belongs to `mine`."""
        height, width = self.size
        pixel = np.rint((keypoints + 0.5) * _FINE - 0.5).astype(int)
        inside = ((keypoints > 1) & (keypoints < [width - 2, height - 2])).all(axis=-1)
        limit = [owner.shape[1] - 1, owner.shape[0] - 1]
        x, y = np.moveaxis(np.clip(pixel, 0, limit), -1, 0)
        on_top = owner[y, x]
        return inside & ((on_top == mine) | (on_top == _GROUND))


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def herd_of(animals: int, size: tuple[int, int], rng: np.random.Generator) -> list[Animal]:
    """Return animals of different colours, anywhere in the middle of an arena."""
    height, width = size
    colours = [(88, 72, 60), (48, 46, 50), (128, 112, 96), (70, 40, 30)]
    return [
        Animal(
            x=float(rng.uniform(0.25, 0.75) * width),
            y=float(rng.uniform(0.25, 0.75) * height),
            heading=float(rng.uniform(-np.pi, np.pi)),
            length=0.33 * height * float(rng.uniform(0.95, 1.1)),
            colour=colours[i % len(colours)],
        )
        for i in range(animals)
    ]
