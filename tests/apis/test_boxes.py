"""A detector is trained, measured and drawn with boxes alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from dlcreg.apis import train
from dlcreg.apis.predict import predict
from dlcreg.data.proposals import Proposals


@pytest.fixture
def annotated(tmp_path):
    """Return a COCO file of two images with a bright animal in each, and nothing but boxes."""
    images, animals = [], []
    for number in (1, 2):
        pixels = np.full((64, 96, 3), 30, np.uint8)
        left = 20 * number
        pixels[16:48, left : left + 32] = 220
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png"})
        box = [left, 16, 32, 32]
        animals.append({"id": number, "image_id": number, "category_id": 1, "bbox": box})
    content = {"images": images, "annotations": animals, "categories": [{"id": 1, "name": "mouse"}]}
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(content))
    return path


def test_boxes_alone_are_learnt_measured_and_drawn(annotated, tmp_path):
    part = {"type": "CocoDataset", "annotation_file": str(annotated)}
    detector = {"type": "SSDLite", "size": [64, 96], "width": 0.25, "norm": "group"}
    transform = [{"type": "Flip"}, {"type": "KeypointBoxes"}]
    config = {
        "model": {"type": "DetectionModel", "detector": detector, "min_score": 0.0},
        "data": {
            "train": {**part, "transform": transform},
            "test": {**part, "mode": "test"},
            "batch_size": 2,
        },
        "solver": {
            "optimizer": {"type": "AdamW", "lr": 2e-3},
            "max_epochs": 15,
            "metrics": [{"type": "BoxAP"}],
            "tensorboard": False,
            "verbose": False,
        },
        "evaluation": {"pictures": 1},
    }
    run = train(config, work_dir=tmp_path / "run")
    assert run.metrics["test"]["box_ap50"] == pytest.approx(1)
    assert {path.name for path in run.pictures} >= {"test_best.png", "test_worst.png"}
    images = [annotated.parent / f"{number}.png" for number in (1, 2)]
    found = predict(run.checkpoint, images, tmp_path / "found.json", draw=tmp_path / "drawn")
    assert len(Proposals.read(found.out)) == 2
    for path in found.pictures:
        picture = np.asarray(Image.open(path)).astype(int)
        assert (np.ptp(picture, axis=-1) > 60).any() or (picture > 240).any()  # a coloured frame
    assert len(found.pictures) == 2
