"""Average precision and recall of boxes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dlcreg.contracts import Metric
from dlcreg.registry import METRICS
from dlcreg.solvers.metrics.box_matching import boxes_of
from dlcreg.solvers.metrics.coco import average_precision
from dlcreg.structures import DatasetInfo, Instances, Meta, Poses


@METRICS.register_module()
class BoxAP(Metric):
    """Average precision and recall of COCO's detection challenge (Lin et al., 2014), 0 to 1.

    Computed by pycocotools over thresholds of the intersection over union of 0.5 to 0.95, areas of
    all sizes together. Predictions are ranked by their instance scores. Where poses come without
    boxes, as those of a bottom-up model, their boxes are the extent of the keypoints. What lies in
    a crowd is no mistake.

    Args:
        margin: pixels between the outermost keypoints and such a box, as a data set's
            ``box_margin`` is for labels.
        max_detections: boxes of an image that count, the best ones.

    Raises:
        ValueError: a margin or a number of detections that makes no sense.
    """

    higher_is_better = True

    def __init__(self, margin: float = 10.0, max_detections: int = 100) -> None:
        if not 0 <= margin < math.inf:
            raise ValueError(f"margin={margin:g}: give a number of pixels from 0 on")
        if max_detections < 1:
            raise ValueError(f"max_detections={max_detections}: give 1 or more")
        self.margin = margin
        self.max_detections = max_detections

    @property
    def keys(self) -> tuple[str, ...]:
        """Average precision, at 0.5, at 0.75, and average recall."""
        return ("box_ap", "box_ap50", "box_ap75", "box_ar")

    def reset(self, info: DatasetInfo) -> None:
        """Forget all images."""
        self._images: list[dict[str, Any]] = []
        self._labels: list[dict[str, Any]] = []
        self._predictions: list[dict[str, Any]] = []

    def update(self, poses: Poses, instances: Instances, meta: Meta) -> None:
        """Add one image; labelled boxes without an area are neither asked for nor counted."""
        image_id = len(self._images) + 1
        height, width = meta.size
        self._images.append({"id": image_id, "height": height, "width": width})
        boxes = np.asarray(instances.boxes, np.float64)
        asked = np.asarray(instances.valid, bool) & (boxes[:, 2:] > 0).all(axis=-1)
        for box in boxes[asked]:
            self._labels.append(_annotation(len(self._labels) + 1, image_id, box))
        crowds = () if instances.crowds is None else np.asarray(instances.crowds, np.float64)
        for box in crowds:
            crowd = _annotation(len(self._labels) + 1, image_id, box)
            self._labels.append({**crowd, "iscrowd": 1})
        found, known = boxes_of(poses, self.margin)
        scores = poses.instance_scores[0].numpy()
        for box, score in zip(found[known], scores[known], strict=True):
            one = _annotation(len(self._predictions) + 1, image_id, box)
            self._predictions.append({**one, "score": float(score)})

    def compute(self) -> dict[str, Any]:
        """Return the four values; NaN where there is no label to find."""
        if all(label["iscrowd"] for label in self._labels):
            return dict.fromkeys(self.keys, math.nan)
        if not self._predictions:
            return dict.fromkeys(self.keys, 0.0)
        values = average_precision(
            "bbox", self._images, self._labels, self._predictions, self.max_detections
        )
        return dict(zip(self.keys, values, strict=True))


def _annotation(number: int, image_id: int, box: np.ndarray) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image_id,
        "category_id": 1,
        "bbox": box.tolist(),
        "area": float(box[2] * box[3]),
        "iscrowd": 0,
    }
