"""Average precision and recall by object keypoint similarity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from dlcreg.contracts import Metric
from dlcreg.registry import METRICS
from dlcreg.similarity import DEFAULT_SIGMA
from dlcreg.solvers.metrics.coco import average_precision
from dlcreg.solvers.metrics.matching import tight_areas
from dlcreg.structures import DatasetInfo, Instances, Meta, Poses

FAR_AWAY = 1e9  # pixels; where a keypoint that was not found is put


@METRICS.register_module()
class CocoOKS(Metric):
    """Average precision and recall of COCO's keypoint challenge (Lin et al., 2014), 0 to 1.

    Computed by pycocotools over OKS thresholds 0.5 to 0.95. Predictions are ranked by their
    instance scores.

    Args:
        sigmas: OKS constant of each keypoint, or one for all (COCO's convention, the constant in
            the formula is twice sigma). None: those of the data set, or 0.1, DeepLabCut's value.
        area: ``'annotation'`` the labelled area, ``'keypoints'`` the box around the labelled
            keypoints, as DeepLabCut has it.
        min_keypoints: animals with fewer labelled keypoints are neither asked for nor counted
            against (DeepLabCut: 2).
        max_detections: animals of an image that count, the best ones; COCO's is 20.

    Raises:
        ValueError: a sigma, a number of keypoints or of detections that makes no sense.
    """

    higher_is_better = True

    def __init__(
        self,
        sigmas: float | Sequence[float] | None = None,
        area: Literal["annotation", "keypoints"] = "annotation",
        min_keypoints: int = 1,
        max_detections: int = 20,
    ) -> None:
        if sigmas is not None and np.min(sigmas) <= 0:
            raise ValueError(f"sigmas={sigmas!r}: give positive numbers")
        if min_keypoints < 1:
            raise ValueError(f"min_keypoints={min_keypoints}: give 1 or more")
        if max_detections < 1:
            raise ValueError(f"max_detections={max_detections}: give 1 or more")
        self.sigmas = sigmas
        self.area = area
        self.min_keypoints = min_keypoints
        self.max_detections = max_detections

    @property
    def keys(self) -> tuple[str, ...]:
        """Average precision, at 0.5, at 0.75, and average recall."""
        return ("oks_ap", "oks_ap50", "oks_ap75", "oks_ar")

    def reset(self, info: DatasetInfo) -> None:
        """Forget all images.

        Raises:
            ValueError: another number of sigmas than of keypoints.
        """
        count = info.num_keypoints
        sigmas = self.sigmas if self.sigmas is not None else (info.sigmas or DEFAULT_SIGMA)
        if np.ndim(sigmas) and len(sigmas) != count:  # type: ignore[arg-type]
            raise ValueError(
                f"sigmas has {len(sigmas)} entries, "  # type: ignore[arg-type]
                f"the data set {count} keypoints"
            )
        self._sigmas = np.broadcast_to(np.asarray(sigmas, np.float64), (count,)).copy()
        self._images: list[dict[str, Any]] = []
        self._labels: list[dict[str, Any]] = []
        self._predictions: list[dict[str, Any]] = []

    def update(self, poses: Poses, instances: Instances, meta: Meta) -> None:
        """Add one image."""
        image_id = len(self._images) + 1
        self._images.append({"id": image_id})
        labelled = np.asarray(instances.visibility) > 0
        animals = np.flatnonzero(np.asarray(instances.valid, bool) & labelled.any(-1))
        for animal in map(int, animals):
            self._labels.append(self._label(instances, animal, labelled[animal], image_id))
        for box in () if instances.crowds is None else np.asarray(instances.crowds, np.float64):
            self._labels.append(self._crowd(box, image_id))
        for row in np.flatnonzero(poses.valid[0].numpy()):
            points = poses.keypoints[0, row].numpy().astype(np.float64)
            points = np.where(np.isfinite(points).all(-1, keepdims=True), points, FAR_AWAY)
            self._predictions.append(
                {
                    "id": len(self._predictions) + 1,
                    "image_id": image_id,
                    "category_id": 1,
                    "keypoints": _triples(points, np.full(len(points), 1)),
                    "score": float(poses.instance_scores[0, row]),
                    "area": 1.0,
                    "bbox": [0.0, 0.0, 1.0, 1.0],
                    "iscrowd": 0,
                }
            )

    def _label(
        self, instances: Instances, animal: int, labelled: np.ndarray, image_id: int
    ) -> dict[str, Any]:
        points = np.asarray(instances.keypoints[animal], np.float64)
        tight = float(tight_areas(points[None], labelled[None])[0])
        area = float(instances.areas[animal]) if self.area == "annotation" else tight
        enough = int(labelled.sum()) >= self.min_keypoints
        return {
            "id": len(self._labels) + 1,
            "image_id": image_id,
            "category_id": 1,
            "keypoints": _triples(points, np.asarray(instances.visibility[animal])),
            # pycocotools leaves out animals without a labelled keypoint
            "num_keypoints": int(labelled.sum()) if enough else 0,
            "area": area if area > 0 else tight,
            "bbox": [float(value) for value in instances.boxes[animal]],
            "iscrowd": 0,
        }

    def _crowd(self, box: np.ndarray, image_id: int) -> dict[str, Any]:
        """Return the label of a crowd: pycocotools counts nothing that was found near its box."""
        return {
            "id": len(self._labels) + 1,
            "image_id": image_id,
            "category_id": 1,
            "keypoints": [0.0] * 3 * len(self._sigmas),
            "num_keypoints": 0,
            "area": float(box[2] * box[3]),
            "bbox": box.tolist(),
            "iscrowd": 1,
        }

    def compute(self) -> dict[str, Any]:
        """Return the four values; NaN where there is no label to find."""
        if not any(label["num_keypoints"] for label in self._labels):
            return dict.fromkeys(self.keys, math.nan)
        if not self._predictions:
            return dict.fromkeys(self.keys, 0.0)
        values = average_precision(
            "keypoints",
            self._images,
            self._labels,
            self._predictions,
            self.max_detections,
            self._sigmas,
        )
        return dict(zip(self.keys, values, strict=True))


def _triples(points: np.ndarray, visibility: np.ndarray) -> list[float]:
    return np.column_stack([points, visibility]).reshape(-1).tolist()
