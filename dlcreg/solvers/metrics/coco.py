"""Average precision and recall as COCO's evaluation computes them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np


def average_precision(
    kind: Literal["keypoints", "bbox"],
    images: Sequence[dict[str, Any]],
    labels: list[dict[str, Any]],
    predictions: list[dict[str, Any]],
    max_detections: int,
    sigmas: np.ndarray | None = None,
) -> tuple[float, float, float, float]:
    """Return AP over the thresholds 0.5 to 0.95, AP at 0.5, AP at 0.75, and AR over all of them.

    Args:
        kind: what is compared.
        images: COCO's images.
        labels: COCO's annotations, at least one.
        predictions: likewise, with ``score``, at least one.
        max_detections: predictions of an image that count, the best ones.
        sigmas: OKS constant of each keypoint, for keypoints.
    """
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):  # it prints whatever it does
        evaluation = COCOeval(_coco(images, labels), _coco(images, predictions), kind)
        if sigmas is not None:
            evaluation.params.kpt_oks_sigmas = sigmas
        evaluation.params.maxDets = [max_detections]
        evaluation.params.areaRng = [[0, 1e10]]
        evaluation.params.areaRngLbl = ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, 0, 0, 0]  # (threshold, recall)
    recall = evaluation.eval["recall"][:, 0, 0, 0]  # (threshold,)
    values = precision.mean(), precision[0].mean(), precision[5].mean(), recall.mean()
    return tuple(map(float, values))  # type: ignore[return-value]


def _coco(images: Sequence[dict[str, Any]], annotations: list[dict[str, Any]]) -> Any:
    from pycocotools.coco import COCO

    coco = COCO()
    coco.dataset = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "animal"}],
    }
    coco.createIndex()
    return coco
