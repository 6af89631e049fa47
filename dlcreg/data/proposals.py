"""What another model found in images: the boxes that crops are cut out by, and conditions."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlcreg.data.keypoints import tight_boxes
from dlcreg.data.labels import forward_slashes
from dlcreg.data.proposal_file import check_row, rows_of
from dlcreg.errors import DataError
from dlcreg.files import write_text
from dlcreg.structures import Meta, Poses

ImageId = int | str


@dataclass(frozen=True)
class ImageProposals:
    """The animals that were found in one image, in its pixels.

    Args:
        boxes: float32 ``(N, 4)``, x, y, width, height.
        scores: float32 ``(N,)``.
        keypoints: float32 ``(N, K, 3)``, x, y and score, all 0 for one that was not found; None
            where only boxes are known.
        derived: bool ``(N,)``: the box is the extent of the keypoints that were found, for want of
            one that says how far the animal reaches.
        identities: int64 ``(N,)``, as `Poses.identities`; None where nobody said who is who.
    """

    boxes: np.ndarray
    scores: np.ndarray
    keypoints: np.ndarray | None
    derived: np.ndarray
    identities: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def as_poses(self, num_keypoints: int) -> Poses:
        """Return them as the poses of a model: CPU tensors with B = 1.

        Args:
            num_keypoints: K, for proposals without keypoints.
        """
        points = self.keypoints
        if points is None:
            points = np.zeros((len(self), num_keypoints, 3), np.float32)
        places = np.where(points[..., 2:] > 0, points[..., :2], np.nan)
        who = self.identities
        return Poses(
            keypoints=torch.from_numpy(places)[None],
            scores=torch.from_numpy(points[..., 2].copy())[None],
            instance_scores=torch.from_numpy(self.scores.copy())[None],
            valid=torch.ones(1, len(self), dtype=torch.bool),
            boxes=torch.from_numpy(self.boxes.copy())[None],
            identities=None if who is None else torch.from_numpy(who.copy())[None],
        )

    def rows(self, rows: np.ndarray) -> ImageProposals:
        """Return some of them, by index or by a mask."""
        keypoints, who = self.keypoints, self.identities
        return ImageProposals(
            self.boxes[rows],
            self.scores[rows],
            None if keypoints is None else keypoints[rows],
            self.derived[rows],
            None if who is None else who[rows],
        )


NO_PROPOSALS = ImageProposals(
    np.zeros((0, 4), np.float32), np.zeros(0, np.float32), None, np.zeros(0, bool)
)
"""Of an image in which nothing was found."""


class Proposals:
    """What another model found, by image: a detector, a bottom-up model, a file.

    Args:
        images: for each image its id, its name relative to the root of its data set (None: not
            known) and what was found. An image with a name is found by that, and by nothing else:
            ids of two files may mean different images.
        source: where this is from, for messages.

    Raises:
        DataError: poses of different numbers of keypoints.
    """

    def __init__(
        self, images: Iterable[tuple[ImageId, str | None, ImageProposals]], source: str = ""
    ) -> None:
        self.source = source
        self._images = [(i, name and forward_slashes(name), found) for i, name, found in images]
        self._by_id = {i: found for i, name, found in self._images if not name}
        self._by_name: dict[str, list[tuple[str, ImageProposals]]] = defaultdict(list)
        for _, name, found in self._images:
            if name:
                self._by_name[name.rpartition("/")[2]].append((name, found))
        poses = (found.keypoints for *_, found in self._images if found.keypoints is not None)
        counts = {keypoints.shape[1] for keypoints in poses}
        if len(counts) > 1:
            raise DataError(
                f"{source or 'proposals'}: poses of {' and of '.join(map(str, sorted(counts)))} "
                "keypoints; all must have the same"
            )
        self.num_keypoints: int | None = next(iter(counts), None)

    def __len__(self) -> int:
        return sum(len(found) for *_, found in self._images)

    def __iter__(self) -> Iterator[tuple[ImageId, str | None, ImageProposals]]:
        return iter(self._images)

    def of(self, image_id: ImageId, name: str | None = None) -> ImageProposals:
        """Return what was found in an image; none where nothing was, or the image is not known.

        Args:
            image_id: in the data set.
            name: relative to some folder. Of names relative to different folders the longer ends
                with the shorter.
        """
        if name is not None:
            name = forward_slashes(name)
            alike = self._by_name.get(name.rpartition("/")[2], ())
            exact = [found for known, found in alike if known == name]
            near = [f for known, f in alike if f"/{known}".endswith(f"/{name}")]
            near += [f for known, f in alike if f"/{name}".endswith(f"/{known}")]
            if exact or len(near) == 1:
                return (exact or near)[0]
        return self._by_id.get(image_id, NO_PROPOSALS)

    @classmethod
    def from_poses(cls, poses: Iterable[tuple[Meta, Poses]], source: str = "") -> Proposals:
        """Return the predictions of a model as proposals.

        A box is that of `Poses.boxes`, else the extent of the keypoints that were found; a pose
        without either is none.

        Args:
            poses: for each image where it is from, and CPU tensors with B = 1 in its pixels.
            source: for messages.
        """
        return cls([(meta.image_id, meta.path, _of_poses(one)) for meta, one in poses], source)

    @classmethod
    def read(cls, path: str | Path, categories: Collection[int] = ()) -> Proposals:
        """Return what a JSON file in COCO's format of results holds, or one of annotations.

        A result needs ``image_id`` (a ``file_name`` counts for more), ``score``, and a ``bbox`` or
        ``keypoints`` (x, y and score of each). ``track_id`` counts individuals from 1, as in
        annotations; a number that is 0 or missing stands for none of them.

        Args:
            path: the file.
            categories: ids to read, of a file that has some of these and others.

        Raises:
            DataError: the file is missing, damaged or not of this format; the text names the row.
        """
        if not isinstance(path, (str, PathLike)):
            raise DataError(f"proposals must be Proposals or the path of a file, not {path!r}")
        path = Path(path)
        rows = rows_of(path)
        if any(row.get("category_id") in categories for row in rows):
            rows = [row for row in rows if row.get("category_id", -1) in categories]
        images: dict[tuple[ImageId, str | None], list[dict]] = defaultdict(list)
        for number, row in enumerate(rows):
            check_row(f"{path}: result {number}", row)
            images[row["image_id"], row.get("file_name")].append(row)
        return cls(
            [(*key, _of_rows(path, key[0], group)) for key, group in images.items()], str(path)
        )

    def write(self, path: str | Path, category_id: int = 1) -> None:
        """Write COCO results, whole or not at all, with the ``file_name`` of each image.

        Boxes that are but the extent of the keypoints are left out. Where it is known who is who,
        rows have a ``track_id``, which readers of results do not ask for.

        Args:
            path: the JSON file.
            category_id: of all rows.
        """
        rows = [
            json.dumps(row)
            for image_id, name, found in self._images
            for row in _results(image_id, name, found, category_id)
        ]
        write_text(path, "[" + ",\n".join(rows) + "]\n")


def _of_poses(poses: Poses) -> ImageProposals:
    valid = poses.valid[0].numpy()
    points = poses.keypoints[0].float().numpy()[valid]
    scores = np.nan_to_num(poses.scores[0].float().numpy()[valid])
    found = np.isfinite(points).all(axis=-1) & (scores > 0)
    points = np.where(found[..., None], np.nan_to_num(points), 0)
    keypoints = np.concatenate([points, (scores * found)[..., None]], axis=-1).astype(np.float32)
    boxes = np.zeros((len(points), 4), np.float32)
    if poses.boxes is not None:
        boxes = poses.boxes[0].float().numpy()[valid]
    instance_scores = poses.instance_scores[0].float().numpy()[valid]
    who = None if poses.identities is None else poses.identities[0].numpy()[valid]
    return _with_boxes(boxes, instance_scores, keypoints if found.any() else None, who)


def _with_boxes(
    boxes: np.ndarray,
    scores: np.ndarray,
    keypoints: np.ndarray | None,
    identities: np.ndarray | None,
) -> ImageProposals:
    """Return proposals; a box without a size gives way to the extent of the keypoints."""
    boxes = boxes.astype(np.float32)
    given = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
    usable = given
    if keypoints is not None:
        found = keypoints[..., 2] > 0
        boxes = np.where(given[:, None], boxes, tight_boxes(keypoints[..., :2], found))
        usable = given | found.any(axis=1)
    scores = scores.astype(np.float32)
    return ImageProposals(boxes, scores, keypoints, ~given, identities).rows(usable)


def _of_rows(path: Path, image_id: ImageId, rows: list[dict[str, Any]]) -> ImageProposals:
    lengths = {len(row.get("keypoints") or ()) for row in rows} - {0}
    if len(lengths) > 1:
        raise DataError(f"{path}: image {image_id} has poses of different numbers of keypoints")
    keypoints = None
    if lengths:
        blank = [0.0] * lengths.pop()
        flat = [row.get("keypoints") or blank for row in rows]
        keypoints = np.array(flat, np.float64).reshape(len(rows), -1, 3)
        found = np.isfinite(keypoints).all(axis=-1) & (keypoints[..., 2] > 0)
        keypoints = np.where(found[..., None], keypoints, 0).astype(np.float32)
    boxes = np.array([row.get("bbox") or [0.0] * 4 for row in rows], np.float64)
    scores = np.array([row["score"] for row in rows], np.float64)
    return _with_boxes(boxes, scores, keypoints, _identities(rows))


def _identities(rows: list[dict[str, Any]]) -> np.ndarray | None:
    """Return who the animals of an image are; a ``track_id`` of another kind tells nothing."""
    tracks = [row.get("track_id") for row in rows]
    known = [track if isinstance(track, int) and 0 < track < 2**31 else 0 for track in tracks]
    told = any(isinstance(track, int) for track in tracks)
    return np.array(known, np.int64) - 1 if told else None


def _results(
    image_id: ImageId, name: str | None, found: ImageProposals, category_id: int
) -> Iterator[dict[str, Any]]:
    for index, score in enumerate(found.scores.tolist()):
        row: dict[str, Any] = {"image_id": image_id, "category_id": category_id}
        if name:
            row["file_name"] = name
        if not found.derived[index]:
            row["bbox"] = [round(value, 3) for value in found.boxes[index].tolist()]
        if found.keypoints is not None:
            points = found.keypoints[index].astype(np.float64)
            points = np.column_stack([points[:, :2].round(3), points[:, 2].round(6)])
            row["keypoints"] = points.ravel().tolist()
        if found.identities is not None:
            row["track_id"] = int(found.identities[index]) + 1
        yield row | {"score": round(score, 6)}
