"""Poses onto the frames of a video."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import cv2
import numpy as np

from dlcreg.analysis.colours import animal_colours, keypoint_colours
from dlcreg.recording import Recording

ColorBy = Literal["keypoint", "individual"]
Colour = tuple[int, int, int]
Strokes = list[tuple[np.ndarray, Colour, int]]
"""Line segments ``(M, 2, 2)``, their colour and width."""

_SHIFT = 3  # binary digits of a pixel's fractions in the coordinates that OpenCV is given
_SOFT = 0.65  # how much of a line or of a trail covers what is behind it
_FAINTEST = 0.25  # the same for the ring of a point whose likelihood is 0
_WIDTHS = (0.8, 0.5, 0.3)  # of a trail, from its young end to its old one
_DARK: Colour = (20, 20, 20)


class Painter:
    """Draws the poses of a recording onto its frames.

    A keypoint is a dot with a dark rim; one below the cut-off is a ring, the fainter the less
    likely it is. Unique body parts are squares. The skeleton and the trails join likely points
    alone. A trail is a line where a row is the same animal in all frames, and dots otherwise.

    Args:
        recording: the poses.
        size: height and width of the frames.
        pcutoff: likelihood below which a point is drawn as a ring.
        trail: how many frames back a trail goes; 0: none.
        skeleton: draw the skeleton.
        color_by: what has a colour of its own: each keypoint, or each individual.
        boxes: draw the boxes of the animals; where the recording has none, those of their likely
            keypoints. A box without keypoints, as a detector finds it, tells its score.
        names: write the names of tracked animals above them, where there are several.
        dot: radius in pixels; None: by the size of the animals.
    """

    def __init__(
        self,
        recording: Recording,
        size: tuple[int, int],
        *,
        pcutoff: float = 0.6,
        trail: int = 0,
        skeleton: bool = False,
        color_by: ColorBy = "keypoint",
        boxes: bool = False,
        names: bool = True,
        dot: float | None = None,
    ) -> None:
        self.recording = recording
        self.pcutoff, self.trail, self.boxes = pcutoff, trail, boxes
        rows, keypoints = recording.scores.shape[1:]
        unique = 0 if recording.unique is None else recording.unique.shape[1]
        self.radius = dot if dot is not None else _radius(recording, size)
        self.bones = list(recording.info.skeleton) if skeleton else []
        several = max(rows, len(recording.individuals)) > 1
        self.names = recording.individuals if names and several else ()
        own = animal_colours(max(rows, len(recording.individuals)))
        points = keypoint_colours(keypoints + unique)
        self._animals = _colours(own if several else np.full_like(own, 1.0))
        self._points = None if color_by == "individual" else _colours(points[:keypoints])
        self._unique = _colours(points[keypoints:])
        self._same = recording.tracked or rows == 1  # a row is one animal in all frames
        self._line = max(1, round(self.radius / 3))

    def paint(self, image: np.ndarray, frame: int) -> None:
        """Draw the poses of a frame onto its image, uint8 ``(H, W, 3)`` RGB, in place."""
        one = self.recording
        if not 0 <= frame < len(one):
            return
        points, scores = one.keypoints[frame], one.scores[frame]
        found = np.isfinite(points).all(axis=-1)
        likely = found & (scores >= self.pcutoff)
        strokes = self._trails(frame)
        alone = self._alone(frame, found)
        for row in np.flatnonzero(found.any(axis=1) | alone).tolist():
            strokes += self._skeleton(points[row], likely[row], self._animal(frame, row))
            if self.boxes:
                strokes += self._box(frame, row, likely[row])
        _blend(image, strokes)
        for row in np.flatnonzero(found.any(axis=1)).tolist():
            own = self._animal(frame, row)
            for k in np.flatnonzero(found[row]).tolist():
                colour = own if self._points is None else self._points[k]
                self._dot(image, points[row, k], float(scores[row, k]), colour)
            self._name(image, frame, row, points[row, found[row]], own)
        for row in np.flatnonzero(alone).tolist():
            self._score(image, frame, row)
        if one.unique is not None:
            for (x, y, score), colour in zip(one.unique[frame], self._unique):
                if np.isfinite(x) and np.isfinite(y):
                    self._dot(image, np.array([x, y]), float(score), colour, square=True)

    def _animal(self, frame: int, row: int) -> Colour:
        index = self._individual(frame, row)
        return self._animals[index if index >= 0 else row]

    def _individual(self, frame: int, row: int) -> int:
        """Return who the animal of a row is, -1 for nobody that is known."""
        if self.recording.tracked:
            return row
        who = self.recording.identities
        return -1 if who is None else int(who[frame, row])

    def _dot(
        self,
        image: np.ndarray,
        point: np.ndarray,
        score: float,
        colour: Colour,
        square: bool = False,
    ) -> None:
        if score >= self.pcutoff:
            _mark(image, point, self.radius + 1, _DARK, -1, square)
            _mark(image, point, self.radius, colour, -1, square)
            return
        reach = int(self.radius + self._line + 2)
        x, y = np.rint(np.clip(point, -1e6, 1e6)).astype(int).tolist()
        left, top = max(x - reach, 0), max(y - reach, 0)
        part = image[top : max(y + reach + 1, 0), left : max(x + reach + 1, 0)]
        if part.size:
            layer = part.copy()
            centre = point - (left, top)
            _mark(layer, centre, self.radius, _DARK, self._line + 2, square)
            _mark(layer, centre, self.radius, colour, self._line, square)
            weight = _FAINTEST + (1 - _FAINTEST) * score / max(self.pcutoff, 1e-6)
            part[:] = cv2.addWeighted(layer, weight, part, 1 - weight, 0)

    def _skeleton(self, points: np.ndarray, likely: np.ndarray, colour: Colour) -> Strokes:
        segments = [points[list(bone)] for bone in self.bones if likely[list(bone)].all()]
        return [(np.array(segments), colour, self._line + 1)] if segments else []

    def _alone(self, frame: int, found: np.ndarray) -> np.ndarray:
        """Return which rows are boxes without keypoints to draw: bool ``(N,)``."""
        boxes = self.recording.boxes
        if boxes is None or not self.boxes:
            return np.zeros(len(found), bool)
        return np.asarray(np.isfinite(boxes[frame]).all(axis=-1) & ~found.any(axis=1))

    def _score(self, image: np.ndarray, frame: int, row: int) -> None:
        """Write the score of a box into its lower right corner."""
        assert self.recording.boxes is not None
        text = f"{self.recording.instance_scores[frame, row]:.2f}"
        x, y, width, height = np.clip(self.recording.boxes[frame, row], -1e6, 1e6).tolist()
        length = cv2.getTextSize(text, _FONT, _SMALL, 1)[0][0]
        at = (round(min(x + width, image.shape[1]) - length - 3), round(y + height - 4))
        _write(image, text, at, _SMALL, self._animal(frame, row))

    def _box(self, frame: int, row: int, likely: np.ndarray) -> Strokes:
        recorded = self.recording.boxes
        if recorded is not None:
            low = recorded[frame, row, :2]
            high = low + recorded[frame, row, 2:]
        elif likely.any():
            points = self.recording.keypoints[frame, row, likely]
            low, high = points.min(axis=0) - 3 * self.radius, points.max(axis=0) + 3 * self.radius
        else:
            return []
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            return []
        corners = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
        sides = np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)
        return [(sides, self._animal(frame, row), self._line)]

    def _trails(self, frame: int) -> Strokes:
        """Return the ways of likely points over the last frames; old ones are thin."""
        begin = max(0, frame - self.trail)
        if begin == frame:
            return []
        one = self.recording
        points, scores = one.keypoints[begin : frame + 1], one.scores[begin : frame + 1]
        likely = np.isfinite(points).all(axis=-1) & (scores >= self.pcutoff)
        if self._same:
            segments = np.stack([points[:-1], points[1:]], axis=-2)  # (T, N, K, 2, 2)
            drawn = likely[:-1] & likely[1:]
        else:
            segments = np.stack([points[:-1]] * 2, axis=-2)
            drawn = likely[:-1]
        ages = frame - 1 - begin - np.arange(len(segments))
        strokes: Strokes = []
        for third, width in reversed(list(enumerate(_WIDTHS))):
            some = ages * len(_WIDTHS) // self.trail == third
            broad = max(1, round(self.radius * width))
            for row, k in np.argwhere(drawn[some].any(axis=0)).tolist():
                colour = self._animals[row] if self._points is None else self._points[k]
                strokes.append((segments[some, row, k][drawn[some, row, k]], colour, broad))
        return strokes

    def _name(
        self, image: np.ndarray, frame: int, row: int, points: np.ndarray, colour: Colour
    ) -> None:
        who = self._individual(frame, row)
        if not 0 <= who < len(self.names):
            return
        scale = max(self.radius / 9, 0.4)
        (width, height), _ = cv2.getTextSize(self.names[who], _FONT, scale, 1)
        x = float(np.clip(points[:, 0].mean() - width / 2, 0, max(image.shape[1] - width, 0)))
        top = float(points[:, 1].min()) - 3 * self.radius
        if self.boxes:
            recorded = self.recording.boxes
            top = (top if recorded is None else min(top, float(recorded[frame, row, 1]))) - 4
        y = max(top, height + 2)
        _write(image, self.names[who], (round(x), round(min(y, 1e6))), scale, colour)


_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SMALL = 0.4  # its size, for scores


def _write(image: np.ndarray, text: str, at: tuple[int, int], scale: float, colour: Colour) -> None:
    for shade, broad in ((_DARK, 4), (colour, 1)):
        cv2.putText(image, text, at, _FONT, scale, shade, broad, cv2.LINE_AA)


def _radius(recording: Recording, size: tuple[int, int]) -> float:
    """Return a radius of dots that leaves the animals to be seen."""
    largest = max(2.0, min(size) / 90)
    some = recording.keypoints[:: max(1, len(recording) // 500)]
    some = some[np.isfinite(some).all(axis=-1).sum(axis=-1) > 1]  # (M, K, 2)
    if not len(some):
        return min(largest, max(1.5, min(size) / 160))
    extents = (np.nanmax(some, axis=1) - np.nanmin(some, axis=1)).max(axis=-1)
    return float(np.clip(np.median(extents) / 35, 1.5, largest))


def _colours(rgba: np.ndarray) -> list[Colour]:
    rows = np.rint(rgba[:, :3] * 255).astype(int).tolist()
    return [(red, green, blue) for red, green, blue in rows]


def _fixed(points: np.ndarray) -> np.ndarray:
    """Return coordinates as OpenCV takes them, with fractions of pixels."""
    return np.rint(np.clip(points, -1e5, 1e5) * 2**_SHIFT).astype(np.int32)


def _mark(
    image: np.ndarray, point: np.ndarray, radius: float, colour: Colour, width: int, square: bool
) -> None:
    aspect: dict[str, Any] = {"lineType": cv2.LINE_AA, "shift": _SHIFT}
    if square:
        low, high = _fixed(point - 0.9 * radius), _fixed(point + 0.9 * radius)
        cv2.rectangle(image, low.tolist(), high.tolist(), colour, width, **aspect)
    else:
        centre, reach = _fixed(point).tolist(), round(radius * 2**_SHIFT)
        cv2.circle(image, centre, reach, colour, width, **aspect)


def _blend(image: np.ndarray, strokes: Sequence[tuple[np.ndarray, Colour, int]]) -> None:
    """Draw strokes so that what is behind them is still seen, in place."""
    if not strokes:
        return
    ends = np.concatenate([segments.reshape(-1, 2) for segments, _, _ in strokes])
    margin = max(width for _, _, width in strokes) + 2
    size = np.array(image.shape[1::-1])
    left, top = np.clip(np.floor(ends.min(axis=0)) - margin, 0, size).astype(int).tolist()
    right, bottom = np.clip(np.ceil(ends.max(axis=0)) + margin, 0, size).astype(int).tolist()
    part = image[top:bottom, left:right]
    if not part.size:
        return
    layer = part.copy()
    for segments, colour, width in strokes:
        lines = list(_fixed(segments - (left, top)))
        cv2.polylines(layer, lines, False, colour, width, cv2.LINE_AA, _SHIFT)
    part[:] = cv2.addWeighted(layer, _SOFT, part, 1 - _SOFT, 0)
